/**
 * `campaign-sync/encrypted`: the client for servers that seal their content (docs/ENCRYPTION.md). Import `init` and
 * `CampaignSync` from here; everything else stays as it is. This entry has its own WebAssembly module, which also
 * contains the cipher.
 */
import * as generated from "../wasm/encrypted/campaign_sync_bg.js";
import type { WasmClient, WasmClientConstructor } from "./bridge.js";
import { CampaignSync as PlainCampaignSync } from "./client.js";
import { addCodes, asCampaignSyncError, CampaignSyncError } from "./errors.js";
import { Loader, type InitInput } from "./module.js";
import { readSnapshot, requestSnapshot, type RestOptions, type RichCampaignFetch } from "./rich.js";
import type { CampaignSyncOptions, Position } from "./types.js";

export type { InitInput };

addCodes({
  not_sealed: "The content is not sealed: the server does not seal it, or the seal was removed in transit.",
  seal_broken: "Sealed content does not open: it, or where it belongs, was changed, or another key has this name.",
  unknown_key: "Sealed content names a key that is not at hand: give it to `addKey`.",
});

/** The methods that the module for sealed content has in addition. */
interface SealedClient extends WasmClient {
  seal(): void;
  addKey(kid: string, key: Uint8Array): void;
  openAnswer(campaignId: string, route: string, answer: string): string;
}

/** Receives the generated client that is being constructed. */
let onClientCreated: ((client: SealedClient) => void) | undefined;

class Client extends (generated.Client as new (...args: ConstructorParameters<WasmClientConstructor>) => SealedClient) {
  constructor(...args: ConstructorParameters<WasmClientConstructor>) {
    super(...args);
    onClientCreated?.(this);
  }
}

// The priority is above that of the main module, so if both modules are loaded, this one makes the clients.
const loader = new Loader({ ...generated, Client }, () => new URL("../wasm/encrypted/campaign_sync_bg.wasm", import.meta.url), 1);

/**
 * Loads the WebAssembly module for sealed content. It behaves as `init` of `campaign-sync` and rejects with
 * `load_failed`.
 */
export function init(input?: InitInput | Promise<InitInput>): Promise<void> {
  return loader.load(input);
}

/** Starts the module for sealed content from its bytes or from a compiled module. Throws `load_failed`. */
export function initSync(input: BufferSource | WebAssembly.Module): void {
  loader.loadSync(input);
}

/** Keys of 32 bytes by their name (`kid`). A name has 1 to 64 characters of A-Z, a-z, 0-9, _ and -. */
export type Keys = Readonly<Record<string, Uint8Array>>;

/** The options of a client of sealed content. */
export interface EncryptedOptions extends CampaignSyncOptions {
  /** The keys that the application has at the start; `addKey` adds others. */
  keys?: Keys;
}

/** A REST route whose answers about a campaign are sealed. `change` stands for the answer to any write. */
export type SealedRoute = "campaign" | "domains" | "snapshot" | "transitions" | "change";

/** An opened answer. */
export interface Opened {
  /** The position that the answer describes. The seal proves it. */
  readonly position: Position;
  /** The parsed JSON of the answer. The seal proves it. */
  readonly body: unknown;
}

/**
 * A `CampaignSync` that accepts sealed content only. It refuses and counts content that is not sealed (`not_sealed`)
 * or does not open (`seal_broken`), and never shows it.
 *
 * If content names a key that the client lacks, the client dispatches `unknownkey`, and the campaign is `failed`
 * with the code `unknown_key`. After `addKey` adds the key, the campaign continues without a loss.
 */
export class CampaignSync extends PlainCampaignSync {
  readonly #client: SealedClient;

  /** Throws a `TypeError` with the code `invalid_key` for an invalid key, and `not_initialized` before `init()` is done. */
  constructor({ keys = {}, ...options }: EncryptedOptions = {}) {
    for (const [kid, key] of Object.entries(keys)) checkKey(kid, key);
    super(options);
    let client: SealedClient | undefined;
    onClientCreated = (it) => (client = it);
    try {
      this.metrics(); // The first use creates the machine; `seal()` must come before any other use.
    } finally {
      onClientCreated = undefined;
    }
    if (client === undefined) throw new CampaignSyncError("not_initialized");
    this.#client = client;
    client.seal();
    for (const [kid, key] of Object.entries(keys)) client.addKey(kid, key);
  }

  /**
   * Adds a key, or replaces the key of that name. Campaigns that waited for the key continue. Throws a `TypeError`
   * with the code `invalid_key` for an invalid key, and `closed` after `close()`.
   */
  addKey(kid: string, key: Uint8Array): void {
    checkKey(kid, key);
    this.#call(() => this.#client.addKey(kid, key));
  }

  /**
   * Opens the sealed answer of a REST route about a campaign. `answer` is its text or its parsed JSON. Throws
   * `not_sealed`, `unknown_key` or `seal_broken`; `seal_broken` also for the answer of another campaign or route.
   */
  open(campaignId: string, route: SealedRoute, answer: unknown): Opened {
    const text = typeof answer === "string" ? answer : JSON.stringify(answer);
    return JSON.parse(this.#call(() => this.#client.openAnswer(campaignId, `rest.${route}`, text))) as Opened;
  }

  #call<T>(use: () => T): T {
    try {
      return use();
    } catch (error) {
      throw asCampaignSyncError(error);
    }
  }
}

/**
 * Returns a fetcher for `campaign-sync/cache` that works as `restFetcher()` does, but for sealed answers. The data
 * has the position that the seal proves, and the header is ignored. The fetcher rejects as `restFetcher()` and
 * `CampaignSync.open` do.
 */
export function sealedRestFetcher(sync: CampaignSync, options: RestOptions = {}): RichCampaignFetch {
  return async (campaignId, { minPosition }) => {
    const { text } = await requestSnapshot(options, campaignId, { minPosition });
    const { position, body } = sync.open(campaignId, "snapshot", text);
    return readSnapshot(campaignId, body, { epoch: position.epoch, sequenceNumber: position.sequenceNumber });
  };
}

function checkKey(kid: string, key: unknown): void {
  const sound = /^[A-Za-z0-9_-]{1,64}$/.test(kid) && key instanceof Uint8Array && key.length === 32;
  if (sound) return;
  const message = `The key ${JSON.stringify(kid)} is not 32 bytes under a name of 1 to 64 of A-Z, a-z, 0-9, _ and -.`;
  throw Object.assign(new TypeError(message), { code: "invalid_key" });
}
