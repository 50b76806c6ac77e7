/**
 * The boundary to the compiled state machine (the machine): the class that the generated module exports, and the
 * host that it calls. The types are written manually, and none of them is public.
 */
import type * as Call from "./calls.js";
import type { CampaignSummary, CampaignView, CatalogueView, DomainPage, DomainQuery } from "./types.js";
import type { Diagnostics, LogRecord, Metrics } from "./metrics.js";

/** The effects that the machine requests, with their detail. A notice is an effect as well, under the name of its event. */
export interface Effects {
  answer: unknown;
  refuse: string;
  changed: null;
  open: number;
  closeSocket: number;
  requestToken: { ticket: number };
  renewSession: { ticket: number; attempt: number };
  signedOut: null;
  wakeIn: number | null;
  fetchSnapshot: { ticket: number; campaignId: string };
  send: string;
  settle: { ticket: number; code: string | null };
  log: LogRecord;
}

/** Performs an effect of a machine. The machine is never borrowed during the call, so it may be called back. */
export type Perform = (effect: string, detail: unknown) => void;

/** The list of campaigns as it crosses the boundary: what changed since the last query, or everything. */
export type WireCatalogue = Omit<CatalogueView, "campaigns"> & {
  readonly changed: readonly CampaignSummary[];
  readonly removed: readonly string[];
};

/** The numbers of the calls, by name. */
type Is = typeof Call;

/** A command to the machine. `id` is the number of a connection or a ticket. `Client::call` says what the members mean. */
export type Command =
  | { call: Is["connect"] | Is["pause"] | Is["reset"] | Is["close"] | Wake | Is["retainCatalogue"] | Is["releaseCatalogue"] }
  | { call: Is["opened"]; id: number }
  | { call: Is["closed"]; id: number; number: number }
  | { call: Is["retain"] | Is["release"] | Is["refresh"] | Is["discardUnconfirmed"]; campaignId: string }
  | { call: Is["reached"]; campaignId: string; text: string; number: number; id: number }
  | { call: Is["fold"]; campaignId: string; text: string }
  | { call: Is["cancelWait"]; campaignId: string; id: number }
  | { call: Is["renewed"]; id: number; number: number }
  | { call: Is["token"] | Is["snapshot"]; id: number; text?: string; number?: number };

/** The calls that wake the machine. */
export type Wake = Is["timer"] | Is["online"] | Is["visible"] | Is["pageShow"];

/** A query to the machine. */
export type Query =
  | { call: Is["view"] | Is["status"]; campaignId: string }
  | ({ call: Is["domains"]; campaignId: string; id?: number } & DomainQuery)
  | { call: Is["unfolded"]; campaignId: string }
  | { call: Is["catalogue"] | Is["wholeCatalogue"] | Is["catalogueStatus"] }
  | { call: Is["changes"] | Is["metrics"] | Is["diagnostics"] };

/** The answers to the queries. */
export interface Answers {
  [Call.view]: CampaignView | undefined;
  [Call.status]: string;
  [Call.domains]: Omit<DomainPage, "position" | "pending">;
  [Call.unfolded]: string[];
  [Call.catalogue]: WireCatalogue;
  [Call.wholeCatalogue]: WireCatalogue;
  [Call.catalogueStatus]: string;
  /**
   * The campaigns whose view changed, with the content that changed: the sum of `CONTENT`. The empty text stands for
   * the list of campaigns.
   */
  [Call.changes]: (readonly [campaignId: string, content: number])[] | undefined;
  [Call.metrics]: Metrics;
  [Call.diagnostics]: Omit<Diagnostics, "transport">;
}

/** Sends a query to the machine and returns its answer. */
export type Read = <Q extends Query>(query: Q) => Answers[Q["call"]];

/**
 * The class that the generated module exports. A method that has an answer passes it on by the effect `answer`, and a
 * method that fails passes its code on by the effect `refuse`, before it returns.
 */
export interface WasmClient {
  receive(connection: number, frame: Uint8Array): number;
  receiveText(connection: number, frame: string): number;
  call(call: number, campaignId: string, text: string, id: number, number: number): void;
  free(): void;
}

/** The constructor of `WasmClient`. `host` is the number from `addHost`. */
export type WasmClientConstructor = new (
  lingerMs: number | undefined,
  hasToken: boolean,
  hasRenewal: boolean,
  hasFetchSnapshot: boolean,
  log: boolean,
  host: number,
) => WasmClient;
