/**
 * The boundary to the compiled state machine (the machine): the class that the generated module exports, and the
 * host that it calls. The types are written manually, and none of them is public.
 */
import type { Wake } from "./wake.js";
import type { CampaignSummary, CampaignView, CatalogueView, DomainPage, DomainQuery } from "./types.js";
import type { Diagnostics, LogRecord, Metrics } from "./metrics.js";

/** The effects that the machine requests, with their detail. A notice is an effect as well, under the name of its event. */
export interface Effects {
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

/** The object that the machine calls. The machine is never borrowed during the call, so the host may call it back. */
export interface Host {
  perform(effect: string, detail: unknown): void;
}

/** A view as it crosses the boundary: the counts are pairs of a status and its number of rows. */
export type WireView = Omit<CampaignView, "counts"> & {
  readonly counts: Readonly<Record<keyof CampaignView["counts"], readonly (readonly [string, number])[]>>;
};

/** The list of campaigns as it crosses the boundary: what changed since the last query, or everything. */
export type WireCatalogue = Omit<CatalogueView, "campaigns"> & {
  readonly changed: readonly CampaignSummary[];
  readonly removed: readonly string[];
};

/** A command to the machine, as JSON. `id` is the number of a connection or a ticket. */
export type Command =
  | { command: "connect" | "pause" | "reset" | "close" | Wake | "retainCatalogue" | "releaseCatalogue" }
  | { command: "opened"; id: number }
  | { command: "closed"; id: number; code: number }
  | { command: "retain" | "release" | "refresh" | "discardUnconfirmed"; campaignId: string }
  | { command: "reached"; campaignId: string; epoch: string; sequenceNumber: number; id: number }
  | { command: "fold"; campaignId: string; text: string }
  | { command: "cancelWait"; campaignId: string; id: number }
  | { command: "renewed"; id: number; text?: "yes" | "no" }
  | { command: "token"; id: number; text?: string; failure?: "failed" | "invalid" | "final" };

/** A query to the machine, as JSON. */
export type Query =
  | { read: "view" | "status"; campaignId: string }
  | ({ read: "domains"; campaignId: string } & DomainQuery)
  | { read: "unfolded"; campaignId: string }
  | { read: "catalogue" | "wholeCatalogue" | "catalogueStatus" }
  | { read: "changes" | "metrics" | "diagnostics" };

/** The answers to the queries. */
export interface Answers {
  view: WireView | undefined;
  status: string;
  domains: Omit<DomainPage, "position" | "pending">;
  unfolded: string[];
  catalogue: WireCatalogue;
  wholeCatalogue: WireCatalogue;
  catalogueStatus: string;
  /**
   * The campaigns whose view changed, with the content that changed: the sum of `CONTENT`. The empty text stands for
   * the list of campaigns.
   */
  changes: (readonly [campaignId: string, content: number])[] | undefined;
  metrics: Metrics;
  diagnostics: Omit<Diagnostics, "transport">;
}

/** Sends a query to the machine and returns its answer. */
export type Read = <Q extends Query>(query: Q) => Answers[Q["read"]];

/** The class that the generated module exports. A method that fails throws a bare error code. */
export interface WasmClient {
  receive(connection: number, frame: Uint8Array): number;
  receiveText(connection: number, frame: string): number;
  command(json: string): void;
  read(json: string): unknown;
  provideSnapshot(ticket: number, json: string | undefined): void;
  free(): void;
}

/** The constructor of `WasmClient`. */
export type WasmClientConstructor = new (
  lingerMs: number | undefined,
  hasToken: boolean,
  hasRenewal: boolean,
  hasFetchSnapshot: boolean,
  log: boolean,
  host: Host,
) => WasmClient;
