/** The parts of a client that adapters use. `CampaignSync` of every entry has them, and so may a fake of a test. */
import type { ConnectionStatus } from "./connection.js";
import type { CatalogueOptions } from "./catalogue.js";
import type { LogPosition } from "./position.js";
import type { CampaignRecord, CampaignView, CatalogueView, DomainPage, DomainQuery } from "./types.js";
import type { WaitOptions } from "./waits.js";
import type { ActionName, Phase, PhaseStatus } from "./words.js";

/** The part of a `Campaign` that adapters use. */
export interface CampaignLike {
  /** Returns the current view: the same object until something changes. */
  view(): CampaignView;
  /** Calls `listener` after something changed. Returns a function that ends the subscription. */
  subscribe(listener: () => void): () => void;
  /** Returns one page of rows: the same object until its rows changed. Throws `invalid_argument` for an invalid query. */
  domains(query?: DomainQuery): DomainPage;
  /** Resolves when the view is at the position or beyond it. */
  reached(position: LogPosition | string, options?: Pick<WaitOptions, "timeoutMs">): Promise<void>;
  /** Releases the handle. */
  release(): void;
}

/** The part of a handle of the list that adapters use. */
export interface CampaignListLike {
  /** Returns the current list: the same object until something changes. */
  view(): CatalogueView;
  /** Calls `listener` after something changed. Returns a function that ends the subscription. */
  subscribe(listener: () => void): () => void;
  /** Releases the handle. */
  release(): void;
}

/** The part of a `CampaignSync` that adapters use. It dispatches the events of `CampaignSyncEventMap`. */
export interface CampaignSyncLike extends Pick<EventTarget, "addEventListener" | "removeEventListener"> {
  /** The connection: the same object until it changes. */
  readonly connection: ConnectionStatus;
  /** Subscribes to a campaign. Throws `invalid_campaign_id` and `closed`. */
  campaign(campaignId: string): CampaignLike;
  /** Returns the view of a campaign that has a handle. */
  view(campaignId: string): CampaignView | undefined;
  /** Subscribes to the list of campaigns; absent if the client cannot. */
  campaigns?(options?: CatalogueOptions): CampaignListLike;
  /** Opens the connection. */
  connect(): void;
  /** Closes the connection permanently. */
  close(): void;
}

/** The circumstances in which the user chose an action. */
export interface ActionContext {
  /** The state that the user saw. The server refuses the action in any other state. Absent if nothing was shown. */
  readonly expectedState?: `${Phase}/${PhaseStatus}`;
}

/** An answer that contains the position of its effect, such as that of `RestClient.act`. */
export interface PositionedAnswer {
  /** The position at which the effect is visible. */
  readonly position: LogPosition;
}

/** The position of the effect of an action: itself, the text of the header `Campaign-Position`, or a member of an answer. */
export type ActionResult = LogPosition | string | PositionedAnswer | null | undefined | void;

/** Performs actions for `useCampaignAction`, usually over REST. */
export interface CampaignActions {
  /**
   * Performs an action. Resolves with the position of its effect, or with nothing. Rejects if the server refused it,
   * best with a `CampaignSyncError`.
   */
  act(campaignId: string, action: ActionName, context: ActionContext): Promise<ActionResult>;
  /** Returns the actions that a campaign of this record allows. */
  allowedActions(record: CampaignRecord): readonly ActionName[];
}
