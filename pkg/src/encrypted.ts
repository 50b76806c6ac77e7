/**
 * `campaign-sync/encrypted`: for servers that seal their content. Take `init` and `CampaignSync` from
 * here; everything else stays as it is. Its module is larger by the cipher, so the main one does
 * without it.
 */
import * as generated from "../wasm/encrypted/campaign_sync_bg.js";
import type { Host, WasmClient } from "./bridge.js";
import { CampaignSync as PlainCampaignSync } from "./client.js";
import { addCodes, asCampaignSyncError, CampaignSyncError } from "./errors.js";
import { Loader, type InitInput } from "./module.js";
import { readSnapshot, requestSnapshot, type RestOptions, type RichCampaignFetch } from "./rich.js";
import type { CampaignSyncOptions, Position } from "./types.js";

export type { InitInput };

addCodes({
  not_sealed: "Content that must be sealed is not: the server does not seal, or somebody on the way took the seal off.",
  seal_broken: "Sealed content does not open: it, or where it belongs, was changed, or the key is another one of that name.",
  unknown_key: "Sealed content names a key that is not at hand: give it to `addKey`.",
});

/** What the module for sealed content has beside the rest. */
interface SealedClient extends WasmClient {
  seal(): void;
  addKey(kid: string, key: Uint8Array): void;
  openAnswer(campaignId: string, route: string, answer: string): string;
}

/** Where the client goes that is just being made. */
let onClientCreated: ((client: SealedClient) => void) | undefined;

class Client extends (generated.Client as new (options: string, host: Host) => SealedClient) {
  constructor(options: string, host: Host) {
    super(options, host);
    onClientCreated?.(this);
  }
}

// The priority is above that of the main module: if both are loaded, this one makes the clients.
const loader = new Loader({ ...generated, Client }, () => new URL("../wasm/encrypted/campaign_sync_bg.wasm", import.meta.url), 1);

/** Loads the machine that opens sealed content; as `init` of `campaign-sync` otherwise. */
export function init(input?: InitInput | Promise<InitInput>): Promise<void> {
  return loader.load(input);
}

/** Makes the machine that opens sealed content from bytes or a compiled module that are at hand already. */
export function initSync(input: BufferSource | WebAssembly.Module): void {
  loader.loadSync(input);
}

/** Keys by their names (`kid`): 32 bytes each. A name is 1 to 64 of A-Z, a-z, 0-9, _ and -. */
export type Keys = Readonly<Record<string, Uint8Array>>;

/** The options of a client of sealed content. */
export interface EncryptedOptions extends CampaignSyncOptions {
  /** The keys at hand; others may come later. */
  keys?: Keys;
}

/** A REST route whose answers about a campaign are sealed. `change` is the answer of every write. */
export type SealedRoute = "campaign" | "domains" | "snapshot" | "transitions" | "change";

/** An answer that was opened. */
export interface Opened {
  /** The position that it describes. The seal proves it, as it does the body. */
  readonly position: Position;
  readonly body: unknown;
}

/**
 * A `CampaignSync` that takes sealed content only. Content that does not open where it belongs is
 * refused, counted and never shown. Of content under a key that is not at hand it tells by
 * `unknownkey`; the campaign is `failed` with the code `unknown_key` until `addKey` brings it, and
 * then goes on without a loss.
 */
export class CampaignSync extends PlainCampaignSync {
  readonly #client: SealedClient;

  /** Throws a TypeError with the code `invalid_key` for a key that is none. */
  constructor({ keys = {}, ...options }: EncryptedOptions = {}) {
    for (const [kid, key] of Object.entries(keys)) checkKey(kid, key);
    super(options);
    let client: SealedClient | undefined;
    onClientCreated = (it) => (client = it);
    try {
      this.metrics(); // The machine is made at the first use, and must know before that.
    } finally {
      onClientCreated = undefined;
    }
    if (client === undefined) throw new CampaignSyncError("not_initialized");
    this.#client = client;
    client.seal();
    for (const [kid, key] of Object.entries(keys)) client.addKey(kid, key);
  }

  /**
   * Adds a key, in place of the one of that name if there is one. What waited for it goes on. Throws a
   * TypeError with the code `invalid_key` for one that is none.
   */
  addKey(kid: string, key: Uint8Array): void {
    checkKey(kid, key);
    this.#call(() => this.#client.addKey(kid, key));
  }

  /**
   * Opens the answer of a REST route about a campaign, as text or as it was parsed. Throws
   * `not_sealed`, `unknown_key` or `seal_broken`, the last for the answer of another campaign or
   * route, too.
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
 * A fetcher for `campaign-sync/cache`, as `restFetcher()` for sealed answers. The position is the one
 * that the seal proves, whatever the header says.
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
