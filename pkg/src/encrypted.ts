/**
 * `campaign-sync/encrypted`: the client for servers that seal their content (docs/ENCRYPTION.md). Import `init` and
 * `CampaignSync` from here; everything else stays as it is. This entry has its own WebAssembly module, which also
 * contains the cipher.
 */
import * as generated from "../wasm/encrypted/campaign_sync_bg.js";
import type { WasmClient, WasmClientConstructor } from "./bridge.js";
import { CampaignSync as PlainCampaignSync } from "./client.js";
import { checked, checkedMembers, invalidArgument, oneOf, TEXT } from "./check.js";
import { addCodes, asCampaignSyncError, CampaignSyncError } from "./errors.js";
import { Loader, type InitInput } from "./module.js";
import { readSnapshot, requestSnapshot, REST, type RestOptions, type RichCampaignFetch } from "./rich.js";
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
  #closed = false;

  /** Throws as the constructor of `campaign-sync` does; `invalid_argument` also for an invalid key. */
  constructor(options: EncryptedOptions = {}) {
    const { keys = {} } = checkedMembers<Pick<EncryptedOptions, "keys">>("options", options, { keys: [(it) => typeof it === "object" && it !== null, "an object"] });
    const bytes = entriesOf(keys).map(([kid, key]) => [kid, checkedKey(kid, key)] as const);
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
    for (const [kid, key] of bytes) client.addKey(kid, key);
  }

  /**
   * Adds a key, or replaces the key of that name. Campaigns that waited for the key continue. Throws
   * `invalid_argument` for an invalid key, and `closed` after `close()`.
   */
  addKey(kid: string, key: Uint8Array): void {
    const bytes = checkedKey(kid, key);
    this.#call(() => this.#client.addKey(kid, bytes));
  }

  /**
   * Opens the sealed answer of a REST route about a campaign. `answer` is its text or its parsed JSON. Throws
   * `not_sealed`, `unknown_key` or `seal_broken`; `seal_broken` also for the answer of another campaign or route,
   * `invalid_argument` for an invalid argument, and `closed` after `close()`.
   */
  open(campaignId: string, route: SealedRoute, answer: unknown): Opened {
    checked("campaignId", campaignId, TEXT);
    checked("route", route, oneOf("campaign", "domains", "snapshot", "transitions", "change"));
    checked("answer", answer, [(it) => typeof it === "string" || (typeof it === "object" && it !== null), "a text or parsed JSON"]);
    const text = typeof answer === "string" ? answer : jsonOf(answer);
    return JSON.parse(this.#call(() => this.#client.openAnswer(campaignId, `rest.${route}`, text))) as Opened;
  }

  override close(): void {
    this.#closed = true;
    super.close();
  }

  #call<T>(use: () => T): T {
    if (this.#closed) throw new CampaignSyncError("closed");
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
 * `CampaignSync.open` do, and throws `invalid_argument` for an invalid argument.
 */
export function sealedRestFetcher(sync: CampaignSync, options: RestOptions = {}): RichCampaignFetch {
  checked("sync", sync, [(it) => it instanceof CampaignSync, "a CampaignSync of campaign-sync/encrypted"]);
  const checkedOptions = checkedMembers("options", options, REST);
  return async (campaignId, context) => {
    const { text } = await requestSnapshot(checkedOptions, campaignId, context);
    const { position, body } = sync.open(campaignId, "snapshot", text);
    return readSnapshot(campaignId, body, { epoch: position.epoch, sequenceNumber: position.sequenceNumber });
  };
}

/** Checks a key and returns its bytes. The message never shows the key. */
function checkedKey(kid: unknown, key: unknown): Uint8Array {
  checked("kid", kid, [(it) => typeof it === "string" && /^[A-Za-z0-9_-]{1,64}$/.test(it), "1 to 64 of A-Z, a-z, 0-9, _ and -"]);
  checked("key", key, [(it) => ArrayBuffer.isView(it) && it.byteLength === 32, "32 bytes"]);
  const { buffer, byteOffset, byteLength } = key as Uint8Array;
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function jsonOf(answer: unknown): string {
  try {
    const text = JSON.stringify(answer) as string | undefined;
    return checked("answer", text as string, TEXT);
  } catch (cause) {
    throw invalidArgument("answer", "a text or parsed JSON", cause);
  }
}

function entriesOf(keys: Keys): [string, Uint8Array][] {
  try {
    return Object.entries(keys);
  } catch (cause) {
    throw invalidArgument("keys", "an object", cause);
  }
}
