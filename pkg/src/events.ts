/** The events of a client, with what each carries in `detail`. */
import type { ErrorCode } from "./errors.js";
import type { CampaignStatus, Phase, PhaseStatus } from "./types.js";

/** The campaign is in another phase than before, by an event or by a recovery. */
export interface PhaseTransitionDetail {
  readonly campaignId: string;
  readonly previousPhase?: Phase;
  readonly newPhase: Phase;
  readonly newStatus: PhaseStatus;
  readonly timestamp: string;
  readonly transitionType: string;
  readonly triggerReason?: string;
  readonly estimatedDuration?: number;
  /** The log of `sequenceNumber`. */
  readonly epoch: string;
  readonly sequenceNumber: number;
  /** It was missed when it happened and was learnt of afterwards. */
  readonly recovered: boolean;
}

/** Why cached data of a campaign is void. */
export type InvalidationReason = "phase_transition" | "snapshot" | "epoch" | "divergence" | "force_refresh";

/** Cached data of the campaign is void. Always dispatched before the change it belongs to. */
export interface CacheInvalidatedDetail {
  readonly campaignId: string;
  readonly reason: InvalidationReason;
  readonly newPhase?: Phase;
  /** With `sequenceNumber`: data older than this position is void. */
  readonly epoch?: string;
  readonly sequenceNumber?: number;
}

/** Each event's name and what it carries. */
export interface CampaignSyncEventMap {
  phasetransition: PhaseTransitionDetail;
  /** The server announced a transition that it did not make; nothing changed. */
  transitionrefused: {
    readonly campaignId: string;
    readonly code: ErrorCode;
    readonly newPhase: Phase;
    readonly triggerReason?: string;
  };
  /** Events are missing; they are being recovered. */
  gap: { readonly campaignId: string; readonly expected: number; readonly received: number };
  recoveryrequested: { readonly campaignId: string; readonly reason: string };
  /** What was missing is here. */
  recovered: {
    readonly campaignId: string;
    readonly reason: string;
    readonly outcome: "replay" | "current" | "snapshot";
    readonly durationMs: number;
    readonly events: number;
  };
  /** An event did not match its own hash. */
  corrupt: { readonly campaignId?: string; readonly sequenceNumber?: number };
  /** An event came again and was dropped. */
  duplicate: { readonly campaignId: string; readonly sequenceNumber: number };
  /** The histories of the two sides differ; a snapshot is being fetched. */
  divergence: { readonly campaignId: string; readonly kind: string; readonly sequenceNumber?: number };
  /** Sealed content names a key that is not at hand (`campaign-sync/encrypted` only). */
  unknownkey: { readonly campaignId: string; readonly kid: string };
  /** A frame or a document was refused. */
  rejected: { readonly code: ErrorCode; readonly campaignId?: string };
  /** Counts and digests of both sides were compared. */
  consistency: {
    readonly campaignId: string;
    readonly ok: boolean;
    readonly serverCount?: number;
    readonly localCount?: number;
    readonly difference?: number;
    /** More than ten rows differ. */
    readonly warn: boolean;
    readonly large: boolean;
  };
  /** Rows that differed were fetched again. */
  repaired: { readonly campaignId: string; readonly buckets: number; readonly rows: number };
  /** A snapshot did not bring these rows; they are kept aside. */
  unconfirmed: { readonly campaignId: string; readonly rows: number };
  cacheinvalidated: CacheInvalidatedDetail;
  statuschange: { readonly campaignId: string; readonly status: CampaignStatus; readonly reason?: string };
  connectionchange: {
    readonly state: "idle" | "connecting" | "open" | "waiting" | "failed" | "closed";
    readonly code?: ErrorCode;
    readonly attempt: number;
    readonly retryInMs?: number;
  };
  notification: { readonly campaignId: string; readonly level: string; readonly message: string };
  /** The campaign was deleted, or access to it was withdrawn. */
  ended: { readonly campaignId: string; readonly reason: string };
}

/** The name of an event. */
export type CampaignSyncEventType = keyof CampaignSyncEventMap;

/** An event of a client. */
export type CampaignSyncEvent<K extends CampaignSyncEventType> = CustomEvent<CampaignSyncEventMap[K]>;

/** A listener, in either of the forms that the platform takes. */
export type CampaignSyncListener<K extends CampaignSyncEventType> =
  | ((event: CampaignSyncEvent<K>) => void)
  | { handleEvent(event: CampaignSyncEvent<K>): void };

/** Dispatches events one after the other, also when a listener causes the next one. */
export class Dispatcher {
  readonly #target: EventTarget;
  readonly #after: (type: string, detail: object) => void;
  readonly #queue: (readonly [type: string, detail: object])[] = [];
  #running = false;

  /** `after` runs behind the listeners of each event. */
  constructor(target: EventTarget, after: (type: string, detail: object) => void) {
    this.#target = target;
    this.#after = after;
  }

  /**
   * Were an event dispatched from inside a listener at once, the listeners behind that one would
   * hear the second event before the first.
   */
  dispatch(type: string, detail: object): void {
    this.#queue.push([type, Object.freeze(detail)]);
    if (this.#running) return;
    this.#running = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        // The platform reports what a listener throws and goes on with the next listener.
        this.#target.dispatchEvent(new CustomEvent(next[0], { detail: next[1] }));
        this.#after(next[0], next[1]);
      }
    } finally {
      this.#running = false;
    }
  }
}
