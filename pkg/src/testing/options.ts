/** The options and values that the methods of the test server take, with their rules. */
import { DURATION, FUNCTION, oneOf, TEXT, type Rules } from "../check.js";
import type { LogPosition } from "../position.js";
import { COUNT_FROM_1, LONG_TEXT, RECORD, USER } from "./check.js";
import type { AdvanceTimers } from "./time.js";
import type { CampaignRecord, DomainRow } from "../types.js";

/** The options of a test server. */
export interface TestServerOptions {
  /** `act` of React or of its testing library. `settled()` and `connected()` run inside it, so that React does not warn. */
  act?: (work: () => Promise<void>) => unknown;
  /**
   * Moves faked timers, for example `(ms) => mock.timers.tick(ms)`. Not needed with the fake timers of Jest, Vitest and
   * Sinon.
   */
  advanceTimers?: AdvanceTimers;
  /** The passwords of users for `POST /auth/login`; any password opens the session of any other user. */
  passwords?: Readonly<Record<string, string>>;
  /** Rows in one part of a snapshot; 1,000 if absent. */
  partRows?: number;
  /** Milliseconds of silence after which the server sends a pong by itself; 5,000 if absent. */
  heartbeatMs?: number;
}

/** A row of a change: an absent column keeps its value, and `null` empties it. A new row needs its `domain`. */
export type TestRow = {
  /** The id of the row. */
  readonly domainId: string;
  /** The name of the domain; a new row needs one. */
  readonly domain?: string;
} & { readonly [C in Exclude<keyof DomainRow, "domainId" | "domain" | "unconfirmed">]?: DomainRow[C] };

/** A campaign to be created. Each member has a default. */
export interface TestCampaign extends Partial<CampaignRecord> {
  /** Its id; `campaign-1`, `campaign-2`, … if absent. */
  readonly campaignId?: string;
  /** The user who sees it; `null`, if absent, for everybody. */
  readonly owner?: string | null;
  /** Its rows, or their number. */
  readonly rows?: readonly TestRow[] | number;
}

/** The position of an event, with its id. */
export interface TestPosition extends LogPosition {
  /** The id of the event. */
  readonly eventId: string;
}

/** The options of `transition`. */
export interface TransitionOptions {
  /** The reason, for people. */
  reason?: string;
  /** Announces that the transition was refused, with this code: nothing changes, and the view shows the error. */
  refused?: "integrity_check_failed" | "prerequisites_not_met";
}

/** The state of a campaign of the test server, frozen. */
export interface TestState {
  /** The record. */
  readonly campaign: CampaignRecord;
  /** The rows, in the order in which they were created. A column without a value is absent. */
  readonly rows: readonly TestRow[];
  /** The position of the last event. */
  readonly position: TestPosition;
  /** The user who sees the campaign; `null` for everybody. */
  readonly owner: string | null;
}

export const OPTIONS: Rules<TestServerOptions> = {
  act: FUNCTION,
  advanceTimers: FUNCTION,
  passwords: [(it) => typeof it === "object" && it !== null && Object.values(it).every((password) => typeof password === "string"), "an object of texts"],
  partRows: COUNT_FROM_1,
  heartbeatMs: [(it) => DURATION[0](it) && (it as number) >= 1 && (it as number) <= 2 ** 31 - 1, "milliseconds from 1 to 2^31 - 1"],
};
export const CAMPAIGN: Rules<TestCampaign> = { ...RECORD, campaignId: TEXT, owner: USER, rows: [() => true, "rows"] };
export const TRANSITION: Rules<TransitionOptions> = { reason: LONG_TEXT, refused: oneOf("integrity_check_failed", "prerequisites_not_met") };
