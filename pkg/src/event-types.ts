/** The events of a client, with the `detail` of each. */
import type { ConnectionStatus } from "./connection.js";
import type {
  CampaignStatus,
  DivergenceKind,
  EndReason,
  ErrorCode,
  InvalidationReason,
  NotificationLevel,
  Phase,
  PhaseStatus,
  RecoveryOutcome,
  RecoveryReason,
  RejectionRule,
  StaleReason,
  TransitionType,
} from "./words.js";

/** The members of the details of most events. */
export interface CampaignDetail {
  /** The id of the campaign. */
  readonly campaignId: string;
}

/** The members of the details of events for people. */
export interface NamedCampaignDetail extends CampaignDetail {
  /** The campaign's name, if it is known. */
  readonly campaignName?: string;
}

/** The detail of `phasetransition`: the campaign is in another phase than before, by an event or by a recovery. */
export interface PhaseTransitionDetail extends NamedCampaignDetail {
  /** The phase that the campaign left; absent if none is known. */
  readonly previousPhase?: Phase;
  /** The phase that the campaign entered. */
  readonly newPhase: Phase;
  /** The status within the new phase. */
  readonly newStatus: PhaseStatus;
  /** RFC 3339; empty if only the result of the transition is known. */
  readonly timestamp: string;
  /** Whether a user, the server or a recovery caused the transition; `snapshot` if only its result is known. */
  readonly transitionType: TransitionType | "snapshot";
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
export interface PhaseStatusChangeDetail extends NamedCampaignDetail {
  /** The phase, which stays. */
  readonly phase: Phase;
  /** The status before. */
  readonly from: PhaseStatus;
  /** The new status. */
  readonly to: PhaseStatus;
  /** RFC 3339; empty if only the result of the change is known. */
  readonly timestamp: string;
  /** The number of the event, or of the snapshot that showed the change. */
  readonly sequenceNumber: number;
  /** `true` if the client missed the change when it happened and learnt of it in a recovery. */
  readonly recovered: boolean;
}

/** The detail of `transitionrefused`: the server announced a transition that it did not make. */
export interface TransitionRefusedDetail extends NamedCampaignDetail {
  /** Why: `integrity_check_failed` or `prerequisites_not_met`. */
  readonly code: Extract<ErrorCode, "integrity_check_failed" | "prerequisites_not_met">;
  /** The phase that the campaign did not enter. */
  readonly newPhase: Phase;
  /** The reason of the attempt, for people. */
  readonly triggerReason?: string;
}

/** The detail of `gap`: a number was skipped. */
export interface GapDetail extends CampaignDetail {
  /** The number that comes next. */
  readonly expected: number;
  /** The number that arrived in its place. */
  readonly received: number;
}

/** The detail of `recoveryrequested`: a recovery begins. */
export interface RecoveryRequestedDetail extends CampaignDetail {
  /** Why. `Metrics.recoveryRequests` counts by it. */
  readonly reason: RecoveryReason;
}

/** The detail of `recovered`: a recovery is complete. */
export interface RecoveredDetail extends CampaignDetail {
  /** Why it was requested. */
  readonly reason: RecoveryReason;
  /** The answer that ended it. */
  readonly outcome: RecoveryOutcome;
  /** Milliseconds from the detection of the loss. */
  readonly durationMs: number;
  /** Number of events that it brought. */
  readonly events: number;
}

/** The detail of `corrupt`: an event did not match its hash. */
export interface CorruptDetail extends Partial<CampaignDetail> {
  /** The number that the event claims. */
  readonly sequenceNumber?: number;
}

/** The detail of `duplicate`: an event arrived again. */
export interface DuplicateDetail extends CampaignDetail {
  /** The number of the event. */
  readonly sequenceNumber: number;
}

/** The detail of `divergence`: the histories of client and server differ. */
export interface DivergenceDetail extends CampaignDetail {
  /** The contradiction. */
  readonly kind: DivergenceKind;
  /** The number at which it was noticed. */
  readonly sequenceNumber?: number;
}

/** The detail of `unknownkey`: sealed content names a key that the client lacks. */
export interface UnknownKeyDetail extends CampaignDetail {
  /** The name of the key, for `addKey`. */
  readonly kid: string;
}

/** The detail of `rejected`: the client refused a frame or a document. */
export interface RejectedDetail extends Partial<CampaignDetail> {
  /** Why. `Metrics.refused` counts by it. */
  readonly code: ErrorCode;
  /** The path of the member at fault, such as `data.campaign.phaseStatus`, if one is known. */
  readonly member?: string;
  /** The rule that the member breaks. */
  readonly rule?: RejectionRule;
}

/** The detail of `consistency`: the server's count and digest of the rows were compared with the client's. */
export interface ConsistencyDetail extends CampaignDetail {
  /** Whether they agree. */
  readonly ok: boolean;
  /** Number of rows at the server. */
  readonly serverCount?: number;
  /** Number of confirmed rows in the client. */
  readonly localCount?: number;
  /** The difference between both numbers. */
  readonly difference?: number;
  /** The counts differ by more than 10. */
  readonly warn: boolean;
  /** The counts differ by more than max(100, 1 % of the larger one); the view shows `large_discrepancy`. */
  readonly large: boolean;
}

/** The detail of `repaired`: the rows that differed were fetched again. */
export interface RepairedDetail extends CampaignDetail {
  /** Number of buckets that differed (docs/PROTOCOL.md, chapter 11). */
  readonly buckets: number;
  /** Number of rows that were fetched. */
  readonly rows: number;
}

/** The detail of `unconfirmed`: a snapshot lacked too many rows, and the client keeps them aside. */
export interface UnconfirmedDetail extends CampaignDetail {
  /** Number of these rows. */
  readonly rows: number;
}

/** The detail of `cacheinvalidated`: cached data of the campaign is void. */
export interface CacheInvalidatedDetail extends CampaignDetail {
  /** Why, and so which data. */
  readonly reason: InvalidationReason;
  /** The phase after a transition. */
  readonly newPhase?: Phase;
  /** With `sequenceNumber`: data older than this position is void. */
  readonly epoch?: string;
  /** The number of the position that new data must have. */
  readonly sequenceNumber?: number;
}

/** The detail of `statuschange`: the status of a campaign with a handle changed. */
export interface StatusChangeDetail extends NamedCampaignDetail {
  /** The new status. */
  readonly status: CampaignStatus;
  /** The reason of the status `stale`, or the code of the status `failed`. */
  readonly reason?: StaleReason | ErrorCode;
}

/** The detail of `notification`: a message of the server for people. */
export interface NotificationDetail extends NamedCampaignDetail {
  /** How serious it is. */
  readonly level: NotificationLevel;
  /** The text. */
  readonly message: string;
}

/** The detail of `ended`: the campaign was deleted, or the server ended it for everybody. */
export interface EndedDetail extends NamedCampaignDetail {
  /** Why. */
  readonly reason: EndReason;
}

/**
 * The `detail` of each event, by the name of the event. Optional members are absent, never `null`. The details of
 * events for people have the campaign's name as `campaignName`, if it is known and the session may see the campaign.
 */
export interface CampaignSyncEventMap {
  /** The campaign is in another phase than before, by an event or by a recovery. */
  phasetransition: PhaseTransitionDetail;
  /** A phase began, paused, completed or failed: the status within the phase changed. */
  phasestatuschange: PhaseStatusChangeDetail;
  /** The server announced a transition that it did not make; nothing changed. */
  transitionrefused: TransitionRefusedDetail;
  /** Events are missing, and the client recovers them. */
  gap: GapDetail;
  /** A recovery begins. */
  recoveryrequested: RecoveryRequestedDetail;
  /** A recovery is complete. */
  recovered: RecoveredDetail;
  /** An event did not match its hash. */
  corrupt: CorruptDetail;
  /** An event arrived again, and the client dropped it. */
  duplicate: DuplicateDetail;
  /** The histories of client and server differ, and the client fetches a snapshot. */
  divergence: DivergenceDetail;
  /** Sealed content names a key that the client lacks (`campaign-sync/encrypted` only). */
  unknownkey: UnknownKeyDetail;
  /** The client refused a frame or a document. */
  rejected: RejectedDetail;
  /** The client compared the server's count and digest of the rows with its own. */
  consistency: ConsistencyDetail;
  /** The client fetched the rows that differed again. */
  repaired: RepairedDetail;
  /** A snapshot lacked too many rows. The client keeps them aside as unconfirmed. */
  unconfirmed: UnconfirmedDetail;
  /**
   * Cached data of the campaign is void. The event comes before any other announcement of the change that it belongs
   * to. `status` and `rows` come at most once per animation frame, unless another event of the client needs them earlier.
   */
  cacheinvalidated: CacheInvalidatedDetail;
  /** The status of a campaign with a handle changed. `status()` and the view say the same when a listener reads them. */
  statuschange: StatusChangeDetail;
  /** The state of the connection changed. */
  connectionchange: ConnectionStatus;
  /** The server sent a message for people. */
  notification: NotificationDetail;
  /**
   * The campaign was deleted, or the server ended it for everybody; its status is `ended`. If only this session lost
   * its access, there is no such event: the status is `failed` with the reason `forbidden`.
   */
  ended: EndedDetail;
}

/** The name of an event. */
export type CampaignSyncEventType = keyof CampaignSyncEventMap;

/** An event of a client. */
export type CampaignSyncEvent<K extends CampaignSyncEventType> = CustomEvent<CampaignSyncEventMap[K]>;

/** A listener: a function, or an object with `handleEvent`. */
export type CampaignSyncListener<K extends CampaignSyncEventType> =
  | ((event: CampaignSyncEvent<K>) => void)
  | {
      /** Is called for each event. */
      handleEvent(event: CampaignSyncEvent<K>): void;
    };
