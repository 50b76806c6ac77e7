/** The events of a client, with the `detail` of each. */
import type { ConnectionStatus } from "./connection.js";
import type { ErrorCode } from "./errors.js";
import type { CampaignStatus, Phase, PhaseStatus } from "./types.js";

/** The detail of `phasetransition`: the campaign is in another phase than before, by an event or by a recovery. */
export interface PhaseTransitionDetail {
  readonly campaignId: string;
  /** The campaign's name, if it is known. */
  readonly campaignName?: string;
  readonly previousPhase?: Phase;
  readonly newPhase: Phase;
  readonly newStatus: PhaseStatus;
  /** RFC 3339; empty if only the result of the transition is known. */
  readonly timestamp: string;
  /** `manual`, `automatic` or `error_recovery`; `snapshot` if only the result of the transition is known. */
  readonly transitionType: string;
  /** The reason, for people. */
  readonly triggerReason?: string;
  /** Seconds that the server expects the new phase to take. */
  readonly estimatedDuration?: number;
  /** The log of `sequenceNumber`. */
  readonly epoch: string;
  /** The number of the transition, or of the snapshot that showed it. */
  readonly sequenceNumber: number;
  /** `true` if the client missed the transition when it happened and learnt of it in a recovery. */
  readonly recovered: boolean;
  /**
   * `true` if nothing happened now: the campaign was loaded for its first handle, or taken up again within `lingerMs`,
   * and this is its phase. There is exactly one such event per first handle, also if a replay brought the history.
   */
  readonly initial: boolean;
}

/** The detail of `phasestatuschange`: the status within the phase changed. */
export interface PhaseStatusChangeDetail {
  readonly campaignId: string;
  /** The campaign's name, if it is known. */
  readonly campaignName?: string;
  readonly phase: Phase;
  readonly from: PhaseStatus;
  readonly to: PhaseStatus;
  /** RFC 3339; empty if only the result of the change is known. */
  readonly timestamp: string;
  /** The number of the event, or of the snapshot that showed the change. */
  readonly sequenceNumber: number;
  /** `true` if the client missed the change when it happened and learnt of it in a recovery. */
  readonly recovered: boolean;
}

/**
 * The reason why cached data of a campaign is void:
 *
 * - `phase_transition`, `snapshot`, `epoch` (another log), `divergence`: everything may have changed.
 * - `status`: the record changed without a transition: its status, its counters or its name; or the campaign ended.
 * - `rows`: rows were added, changed or removed; `totalDomainCount` counts as rows.
 * - `unwatched`: the application released its last handle. Nothing announces later changes, until the application
 *   takes a handle again; `status` and `rows` then follow.
 * - `force_refresh`: the page requested it.
 * - `signed_out`: the session may no longer see the campaign, or another session took over.
 */
export type InvalidationReason =
  | "phase_transition"
  | "snapshot"
  | "epoch"
  | "divergence"
  | "status"
  | "rows"
  | "unwatched"
  | "force_refresh"
  | "signed_out";

/** The detail of `cacheinvalidated`: cached data of the campaign is void. */
export interface CacheInvalidatedDetail {
  readonly campaignId: string;
  readonly reason: InvalidationReason;
  /** The phase after a transition. */
  readonly newPhase?: Phase;
  /** With `sequenceNumber`: data older than this position is void. */
  readonly epoch?: string;
  readonly sequenceNumber?: number;
}

/**
 * The `detail` of each event, by the name of the event. Optional members are absent, never `null`. A detail with a
 * `campaignId` also has the campaign's name as `campaignName`, if it is known.
 */
export interface CampaignSyncEventMap {
  /** The campaign is in another phase than before, by an event or by a recovery. */
  phasetransition: PhaseTransitionDetail;
  /** A phase began, paused, completed or failed: the status within the phase changed. */
  phasestatuschange: PhaseStatusChangeDetail;
  /** The server announced a transition that it did not make; nothing changed. */
  transitionrefused: {
    readonly campaignId: string;
    readonly campaignName?: string;
    readonly code: ErrorCode;
    readonly newPhase: Phase;
    readonly triggerReason?: string;
  };
  /** Events are missing, and the client recovers them. `received` arrived in the place of number `expected`. */
  gap: { readonly campaignId: string; readonly expected: number; readonly received: number };
  /** A recovery begins. `reason` is a key of `Metrics.recoveryRequests`. */
  recoveryrequested: { readonly campaignId: string; readonly reason: string };
  /** A recovery is complete. `durationMs` runs from the detection of the loss; `events` counts the events that it brought. */
  recovered: {
    readonly campaignId: string;
    readonly reason: string;
    readonly outcome: "replay" | "current" | "snapshot";
    readonly durationMs: number;
    readonly events: number;
  };
  /** An event did not match its hash. */
  corrupt: { readonly campaignId?: string; readonly sequenceNumber?: number };
  /** An event arrived again, and the client dropped it. */
  duplicate: { readonly campaignId: string; readonly sequenceNumber: number };
  /**
   * The histories of client and server differ, and the client fetches a snapshot. `kind` is `hash`,
   * `previous_event`, `previous_phase`, `head` or `epoch`.
   */
  divergence: { readonly campaignId: string; readonly kind: string; readonly sequenceNumber?: number };
  /** Sealed content names a key that the client lacks (`campaign-sync/encrypted` only). `kid` is the name of the key. */
  unknownkey: { readonly campaignId: string; readonly kid: string };
  /**
   * The client refused a frame or a document. `member` is the path of the member at fault, such as
   * `data.campaign.phaseStatus`, if one is known. `rule` says what is wrong with it: it is `missing`; it is `invalid`,
   * of another type or with a value that is not allowed; or the content contradicts the `state` of the client.
   */
  rejected: {
    readonly code: ErrorCode;
    readonly campaignId?: string;
    readonly member?: string;
    readonly rule?: "missing" | "invalid" | "state";
  };
  /** The client compared the server's count and digest of the rows with its own. */
  consistency: {
    readonly campaignId: string;
    readonly ok: boolean;
    readonly serverCount?: number;
    readonly localCount?: number;
    readonly difference?: number;
    /** The counts differ by more than 10. */
    readonly warn: boolean;
    /** The counts differ by more than max(100, 1 % of the larger one); the view shows `large_discrepancy`. */
    readonly large: boolean;
  };
  /** The client fetched the rows that differed again. `buckets` counts the buckets that differed. */
  repaired: { readonly campaignId: string; readonly buckets: number; readonly rows: number };
  /** A snapshot lacked too many rows. The client keeps them aside as unconfirmed; `rows` counts them. */
  unconfirmed: { readonly campaignId: string; readonly rows: number };
  /**
   * Cached data of the campaign is void. The event comes before any other announcement of the change that it belongs
   * to. `status` and `rows` come at most once per animation frame, unless another event of the client needs them earlier.
   */
  cacheinvalidated: CacheInvalidatedDetail;
  /**
   * The status of a campaign with a handle changed. `reason` is the stale reason, or the code of a failed campaign.
   * `status()` and the view say the same when a listener reads them.
   */
  statuschange: { readonly campaignId: string; readonly campaignName?: string; readonly status: CampaignStatus; readonly reason?: string };
  /** The state of the connection changed. */
  connectionchange: ConnectionStatus;
  /** The server sent a message for people. `level` is `info`, `warning` or `error`. */
  notification: { readonly campaignId: string; readonly campaignName?: string; readonly level: string; readonly message: string };
  /**
   * The campaign was deleted, or the server ended it for everybody; its status is `ended`. If only this session lost
   * its access, there is no such event: the status is `failed` with the reason `forbidden`.
   */
  ended: { readonly campaignId: string; readonly campaignName?: string; readonly reason: string };
}

/** The name of an event. */
export type CampaignSyncEventType = keyof CampaignSyncEventMap;

/** An event of a client. */
export type CampaignSyncEvent<K extends CampaignSyncEventType> = CustomEvent<CampaignSyncEventMap[K]>;

/** A listener: a function, or an object with `handleEvent`. */
export type CampaignSyncListener<K extends CampaignSyncEventType> =
  | ((event: CampaignSyncEvent<K>) => void)
  | { handleEvent(event: CampaignSyncEvent<K>): void };

/** Dispatches events one after the other, also if a listener causes the next event. */
export class Dispatcher {
  readonly #target: EventTarget;
  readonly #after: (type: string, detail: object) => void;
  readonly #queue: (readonly [type: string, detail: object])[] = [];
  #running = false;

  /** `after` runs after the listeners of each event. */
  constructor(target: EventTarget, after: (type: string, detail: object) => void) {
    this.#target = target;
    this.#after = after;
  }

  /**
   * Dispatches an event, or queues it if a dispatch is under way. Without the queue, an event that a listener causes
   * would reach the later listeners before the first event does.
   */
  dispatch(type: string, detail: object): void {
    this.#queue.push([type, Object.freeze(detail)]);
    if (this.#running) return;
    this.#running = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        // The platform reports an error that a listener throws, and calls the next listener.
        this.#target.dispatchEvent(new CustomEvent(next[0], { detail: next[1] }));
        this.#after(next[0], next[1]);
      }
    } finally {
      this.#running = false;
    }
  }
}
