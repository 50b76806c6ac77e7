/** Everything that both entries for sealed content share: all but `init` and `initSync`. */
import type { WasmClient } from "./bridge.js";
import { CampaignSync as PlainCampaignSync, coreOf } from "./client.js";
import { checked, checkedMembers, invalidArgument, oneOf, TEXT, type Rules } from "./check.js";
import { addCodes, CampaignSyncError } from "./errors.js";
import type { InitInput } from "./module.js";
import { RULES as CLIENT } from "./options.js";
import { readSnapshot, requestSnapshot, REST, type RestOptions, type RichCampaignFetch } from "./rich.js";
import type { CampaignSyncOptions, Position } from "./types.js";

export type { InitInput };

addCodes({
  not_sealed: "The content is not sealed: the server does not seal it, or the seal was removed.",
  seal_broken: "The seal does not open: content or place was changed, or the key is another one.",
  unknown_key: "Sealed content names a key that is not at hand: give it to `addKey`.",
});

/** The methods that the module for sealed content has in addition. */
interface SealedClient extends WasmClient {
  seal(): void;
  addKey(kid: string, key: Uint8Array): void;
  openAnswer(campaignId: string, route: string, answer: string): void;
}

/** Keys of 32 bytes by their name (`kid`). A name has 1 to 64 characters of A-Z, a-z, 0-9, _ and -. */
export type Keys = Readonly<Record<string, Uint8Array>>;

/** The options of a client of sealed content. */
export interface EncryptedOptions extends CampaignSyncOptions {
  /** The keys that the application has at the start; `addKey` adds others. */
  keys?: Keys;
}

const OPTIONS: Rules<EncryptedOptions> = { ...CLIENT, keys: [(it) => typeof it === "object" && it !== null, "an object"] };

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
  /** Throws as the constructor of `campaign-sync` does; `invalid_argument` also for an invalid key. */
  constructor(options: EncryptedOptions = {}) {
    const { keys = {}, ...own } = checkedMembers("options", options, OPTIONS);
    const bytes = entriesOf(keys).map(([kid, key]) => [kid, checkedKey(kid, key)] as const);
    super(own);
    this.#call((client) => {
      // The main module made the machine, because only that module is loaded.
      if (typeof client.seal !== "function") throw new CampaignSyncError("not_initialized");
      client.seal(); // Before any other use.
      for (const [kid, key] of bytes) client.addKey(kid, key);
    });
  }

  /**
   * Adds a key, or replaces the key of that name. Campaigns that waited for the key continue. Throws
   * `invalid_argument` for an invalid key, and `closed` after `close()`.
   */
  addKey(kid: string, key: Uint8Array): void {
    const bytes = checkedKey(kid, key);
    this.#call((client) => client.addKey(kid, bytes));
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
    return this.#call((client) => client.openAnswer(campaignId, `rest.${route}`, text)) as Opened;
  }

  #call(use: (client: SealedClient) => void): unknown {
    return coreOf(this).answer((client) => use(client as SealedClient));
  }
}

/**
 * Returns a fetcher for `campaign-sync/cache` that works as `restFetcher()` does, but for sealed answers. The data
 * has the position that the seal proves, and the header is ignored. The fetcher rejects as `restFetcher()` and
 * `CampaignSync.open` do, and throws `invalid_argument` for an invalid argument.
 */
export function sealedRestFetcher(sync: CampaignSync, options: RestOptions = {}): RichCampaignFetch {
  checked("sync", sync, [(it) => typeof (it as Partial<CampaignSync> | null)?.open === "function", "a CampaignSync of campaign-sync/encrypted"]);
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
