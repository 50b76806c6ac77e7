/** The log of one campaign of the test server: its events, and the state that they fold to (docs/PROTOCOL.md, chapters 4, 5, 10). */
import { bucketOf, byteLength, COLUMNS, digestText, rowHash, sha256, type WireRow } from "./hash.js";
import type { CampaignRecord } from "../types.js";
import type { Phase, PhaseStatus } from "../words.js";

/** A record in its wire form. */
export type WireRecord = { -readonly [M in keyof CampaignRecord]: CampaignRecord[M] } & { campaignId: string; totalDomainCount: number };

/** A change of a row: an absent column keeps its value, and `null` empties it. */
export type RowPatch = { readonly [C in keyof WireRow]: string | number | null | undefined };

/** The content of an event. */
export type Data = Readonly<Record<string, unknown>>;

/** One transition or refused transition, as the audit trail names it. */
export interface TrailEntry {
  readonly name: string;
  readonly who: string;
  readonly timestamp: string;
  readonly from: string;
  readonly to: string;
  readonly type: string;
  readonly reason: string;
  readonly result: string;
  readonly eventId?: string;
  readonly sequenceNumber?: number;
}

/** From a number of the list on, these users see the campaign. */
interface Visibility {
  readonly number: number;
  readonly owner: string | null;
  readonly ended: boolean;
}

/** Largest `data` of a part of a snapshot, and of an event with rows, in bytes. */
const CHUNK_BYTES = 200_000;
/** Most rows in one event. */
export const ROWS_MAX = 1_000;

/** The log of a campaign, and its state at the head. */
export class CampaignLog {
  readonly campaignId: string;
  readonly settings: Data;
  epoch: string;
  /** The texts of the events; the first one has the number `oldest`. */
  events: string[] = [];
  oldest = 1;
  lastEventId = "";
  record!: WireRecord;
  readonly rows = new Map<string, WireRow>();
  readonly trail: TrailEntry[] = [];
  owner: string | null;
  ended = false;
  /** The state before each transition that a rollback can undo, the last one at the end. */
  readonly undo: WireRecord[] = [];
  /** The number of the list at the last change, and its time. */
  listedAt = 0;
  listedTime = 0;
  #visibility: Visibility[] = [];
  #sum = BigInt(0);

  constructor(campaignId: string, epoch: string, owner: string | null, settings: Data) {
    this.campaignId = campaignId;
    this.epoch = epoch;
    this.owner = owner;
    this.settings = settings;
  }

  get head(): number {
    return this.oldest + this.events.length - 1;
  }

  get digest(): string {
    return digestText(this.#sum);
  }

  get position(): { epoch: string; sequenceNumber: number; eventId: string } {
    return { epoch: this.epoch, sequenceNumber: this.head, eventId: this.lastEventId };
  }

  /** The text of an event that is still there. */
  event(number: number): string {
    return this.events[number - this.oldest]!;
  }

  /** Whether a user may see the campaign. `null` may see all, and everybody those without an owner. */
  isVisible(user: string | null, at: Pick<Visibility, "owner" | "ended"> = this): boolean {
    return !at.ended && (user === null || at.owner === null || at.owner === user);
  }

  /** Whether a user saw the campaign in the list of this number. */
  wasVisible(user: string | null, number: number): boolean {
    const then = this.#visibility.filter((entry) => entry.number <= number).at(-1);
    return then !== undefined && this.isVisible(user, then);
  }

  /** Notes that the list has this number since the last change of the campaign. */
  listed(number: number): void {
    this.listedAt = number;
    this.listedTime = Date.now();
    const last = this.#visibility.at(-1);
    if (last?.owner !== this.owner || last.ended !== this.ended) this.#visibility.push({ number, owner: this.owner, ended: this.ended });
  }

  /** Numbers, chains and hashes an event, folds it into the state, and returns its text. */
  append(type: string, data: Data): string {
    const sequenceNumber = this.head + 1;
    const previous = this.lastEventId === "" ? "null" : JSON.stringify(this.lastEventId);
    const [typeText, timestamp, content] = [JSON.stringify(type), JSON.stringify(new Date().toISOString()), JSON.stringify(data)];
    const [campaignId, epoch] = [JSON.stringify(this.campaignId), JSON.stringify(this.epoch)];
    const isCheckpoint = type === "campaign.phase.transition";
    // Every id depends on all events before it, so two histories that differ have different ids from there on.
    const eventId = `ev-${sha256(`${this.lastEventId}${epoch}${typeText}${content}`).slice(0, 24)}`;
    const id = JSON.stringify(eventId);
    const beginning = `{"type":${typeText},"timestamp":${timestamp},"data":${content}`;
    const eventHash = sha256(`${beginning},"at":[${campaignId},${epoch},${sequenceNumber},${id},${previous},${isCheckpoint}]}`);
    const text =
      `${beginning},"sequence":{"campaignId":${campaignId},"epoch":${epoch},"eventId":${id},"sequenceNumber":${sequenceNumber},` +
      `"eventHash":"${eventHash}","previousEventId":${previous},"checkpointData":${isCheckpoint}}}`;
    this.events.push(text);
    this.lastEventId = eventId;
    this.#fold(type, JSON.parse(content) as never);
    return text;
  }

  /** Removes the oldest events, all but the newest `keep`. */
  truncate(keep: number): void {
    const removed = Math.max(0, this.events.length - keep);
    this.events = this.events.slice(removed);
    this.oldest += removed;
  }

  /** Continues in another log, without the former history. */
  restore(epoch: string): void {
    this.truncate(0);
    this.epoch = epoch;
  }

  #fold(type: string, data: Data & { domains: RowPatch[]; domainIds: string[]; campaign: WireRecord }): void {
    switch (type) {
      case "campaign.list.update":
        this.record = data.campaign;
        break;
      case "campaign.deleted":
        this.ended = true;
        break;
      case "campaign.progress":
        if (data["currentPhase"] === this.record.currentPhase) this.#setProgress(data);
        break;
      case "campaign.status":
        if (data["currentPhase"] === this.record.currentPhase) this.#setStatus(data);
        break;
      case "campaign.phase.transition":
        this.#foldTransition(data);
        break;
      case "domains.updated":
        for (const patch of data.domains) this.#patch(patch);
        this.record.totalDomainCount = this.rows.size;
        break;
      case "domains.removed":
        for (const domainId of data.domainIds) this.#replace(domainId, undefined);
        this.record.totalDomainCount = this.rows.size;
        break;
    }
  }

  #setProgress(data: Data): void {
    const { totalItems, processedItems, successfulItems, failedItems, progressPercent, phaseStatus } = data as never as WireRecord & { progressPercent: number };
    Object.assign(this.record, { totalItems, processedItems, successfulItems, failedItems, phaseStatus, progressPercentage: progressPercent });
  }

  #setStatus({ phaseStatus, message }: Data): void {
    const { errorMessage: _, ...record } = this.record;
    this.record = { ...record, phaseStatus: phaseStatus as PhaseStatus, ...(phaseStatus === "failed" && message !== undefined && { errorMessage: message as string }) };
  }

  #foldTransition(data: Data & { campaign: WireRecord }): void {
    if (data["dataIntegrityCheck"] === false || data["prerequisitesMet"] === false) return;
    const totalDomainCount = Math.max(this.record.totalDomainCount, data.campaign.totalDomainCount);
    this.record = { ...data.campaign, totalDomainCount };
    const back = data["rollbackData"] as { phase: Phase; status: PhaseStatus; counters: Partial<WireRecord>; totalDomainCount: number };
    if (data["transitionType"] !== "error_recovery") return;
    this.record = { ...this.record, ...back.counters, currentPhase: back.phase, phaseStatus: back.status, totalDomainCount: back.totalDomainCount };
    this.record.progressPercentage = percentage(this.record);
  }

  #patch(patch: RowPatch): void {
    const domainId = patch.domainId as string;
    const row: WireRow = { ...this.rows.get(domainId) };
    for (const column of COLUMNS) {
      const value = patch[column];
      if (value === null) delete row[column];
      else if (value !== undefined) row[column] = value;
    }
    this.#replace(domainId, row);
  }

  #replace(domainId: string, row: WireRow | undefined): void {
    const before = this.rows.get(domainId);
    if (before !== undefined) this.#sum -= rowHash(before);
    if (row === undefined) {
      this.rows.delete(domainId);
    } else {
      this.#sum += rowHash(row);
      this.rows.set(domainId, row);
    }
  }

  /** The 256 pairs of rows and digest. */
  buckets(): [number, string][] {
    const sums = Array.from({ length: 256 }, (): [number, bigint] => [0, BigInt(0)]);
    for (const row of this.rows.values()) {
      const bucket = sums[bucketOf(row.domainId as string)]!;
      bucket[0] += 1;
      bucket[1] += rowHash(row);
    }
    return sums.map(([count, sum]) => [count, digestText(sum)]);
  }

  /** The parts of a snapshot of the whole table, or of the rows of these buckets. */
  parts(partRows: number, buckets?: readonly number[]): Data[] {
    const rows = [...this.rows.values()].filter((row) => buckets === undefined || buckets.includes(bucketOf(row.domainId as string)));
    const chunks = chunked(rows, partRows);
    if (chunks.length === 0) chunks.push([]);
    const whole = { domainsCount: this.rows.size, domainsDigest: this.digest };
    return chunks.map((domains, index) => ({
      campaignId: this.campaignId, ...this.position, part: index + 1, parts: chunks.length,
      ...(index === 0 && { campaign: this.record }), domains, ...whole,
    }));
  }
}

/** Cuts rows into lists of limited length and size. */
export function chunked<T extends object>(rows: readonly T[], rowsMax: number): T[][] {
  const chunks: T[][] = [];
  let bytes = Infinity;
  for (const row of rows) {
    const size = byteLength(JSON.stringify(row)) + 1;
    if (bytes + size > CHUNK_BYTES || chunks.at(-1)!.length >= rowsMax) {
      chunks.push([]);
      bytes = 0;
    }
    bytes += size;
    chunks.at(-1)!.push(row);
  }
  return chunks;
}

/** The percentage that counters stand for, as R10.16 computes it. */
export function percentage({ processedItems, totalItems }: Pick<WireRecord, "processedItems" | "totalItems">): number {
  return totalItems === 0 ? 0 : Math.min(100, (processedItems / totalItems) * 100);
}
