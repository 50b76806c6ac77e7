/** The data that the cache holds of one campaign, and how old it may be. */
import { higher, maxPosition, isNotBehind, type LogPosition } from "../position.js";
import { listsOf, type RichCampaignData, type RichLists } from "../rich.js";
import type { CampaignView, DomainRow } from "../types.js";

/** A part of a campaign that data may depend on. */
export type Part = "record" | "rows";

export const BOTH: readonly Part[] = ["record", "rows"];

/** Identifies the content of each part of a view. */
const STAMPS: Readonly<Record<Part, (view: CampaignView) => string>> = {
  record: ({ position, campaign }) => JSON.stringify([position?.epoch, campaign]),
  rows: ({ position, domainsCount, domainsDigest }) => JSON.stringify([position?.epoch, domainsCount, domainsDigest]),
};

/** The state of one campaign in the cache. */
export class Slot {
  /** A new object for every invalidation. A fetch that began under another generation is late. */
  generation: object = {};
  entry: { readonly data: RichCampaignData; readonly storedAt: number } | undefined;
  /** The single fetch of the current generation. */
  flight: Promise<RichCampaignData> | undefined;
  /** The single reading of all rows. */
  reading: Promise<void> | undefined;
  /** Ends the fetches and the reading. */
  work = new AbortController();
  /** Calls of `get` that are under way. The cache does not evict a slot while it has callers. */
  callers = 0;
  /** The lowest position that data may have if it depends on the part, and the content of the part there. */
  readonly #floors = new Map<Part, { readonly position: LogPosition; readonly stamp: string }>();
  #answer: { readonly stamp: string; readonly data: RichCampaignData } | undefined;
  #lists: { readonly stamp: string; readonly lists: RichLists } | undefined;

  /** Voids all data. */
  void(): void {
    this.#renew();
    this.entry = this.#answer = this.#lists = undefined;
  }

  /** Ends the fetches and the reading, because nobody waits for them or may see them. Later callers begin their own. */
  stop(reason: unknown): void {
    this.work.abort(reason);
    this.work = new AbortController();
    this.reading = undefined;
    this.#renew();
  }

  /** Forgets the positions. Without a subscription the cache does not learn of a new epoch, so they no longer bind it. */
  forgetFloors(): void {
    this.#floors.clear();
  }

  /** Raises all floors. Within one epoch a floor only rises; another epoch starts with its own floor. */
  raise(position: LogPosition): void {
    for (const part of BOTH) this.#set(part, position, "");
  }

  /** Raises the floor of each part whose content differs from that of the last view. */
  observe(view: CampaignView | undefined): void {
    if (view?.position == null) return;
    const { epoch, sequenceNumber } = view.position;
    for (const part of BOTH) {
      const stamp = STAMPS[part](view);
      if (this.#floors.get(part)?.stamp === stamp) continue;
      // A fetch that began before the change may lack it.
      this.#renew();
      this.#set(part, { epoch, sequenceNumber }, stamp);
    }
  }

  /** The lowest position that data may have if it depends on these parts. */
  floor(parts: readonly Part[]): LogPosition | null {
    return parts.map((part) => this.#floors.get(part)?.position ?? null).reduce(maxPosition);
  }

  /** Whether data is at the floor of these parts or beyond it. */
  isFresh(data: RichCampaignData, parts: readonly Part[]): boolean {
    return isNotBehind(data, this.floor(parts));
  }

  /** Takes all rows of the view. */
  takeRows(view: CampaignView, rows: readonly DomainRow[]): void {
    this.#lists = { stamp: STAMPS.rows(view), lists: listsOf(rows) };
  }

  /** The state of the client, at its position: the same object until it changes; `undefined` if its rows are not read. */
  answer(view: CampaignView): RichCampaignData | undefined {
    const { campaignId, campaign, position } = view;
    const rows = STAMPS.rows(view);
    if (campaign === null || position === null || this.#lists?.stamp !== rows) return undefined;
    const { epoch, sequenceNumber } = position;
    const stamp = [sequenceNumber, STAMPS.record(view), rows].join();
    if (this.#answer?.stamp === stamp) return this.#answer.data;
    const at = Object.freeze({ epoch, sequenceNumber });
    const data = Object.freeze({ campaignId, campaign, position: at, partial: false, ...this.#lists.lists });
    this.#answer = { stamp, data };
    return data;
  }

  #set(part: Part, position: LogPosition, stamp: string): void {
    this.#floors.set(part, { position: higher(this.#floors.get(part)?.position, position), stamp });
  }

  #renew(): void {
    this.generation = {};
    this.flight = undefined;
  }
}
