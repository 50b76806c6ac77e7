/**
 * The boundary to the compiled machine, written by hand: what the generated module offers and what
 * it expects of us. Nothing here is public.
 */
import type { CampaignView, DomainPage, DomainQuery, LogRecord, Metrics } from "./types.js";

/** How the machine's shell is made, as JSON. */
export interface ClientOptions {
  url?: string;
  hasToken: boolean;
  hasFetchSnapshot: boolean;
  manualTransport: boolean;
  lingerMs?: number;
  log?: boolean;
}

/** What the machine's shell wants done, with what: these, and every notice by its name. */
export interface Effects {
  changed: null;
  requestToken: { ticket: number };
  fetchSnapshot: { ticket: number; campaignId: string };
  send: string;
  settle: { ticket: number; code: string | null };
  log: LogRecord;
}

/** What the machine's shell calls; never while the machine is borrowed. */
export interface Host {
  perform(effect: string, detail: unknown): void;
}

/** A view as it crosses: the counts are pairs of a word and its rows. */
export type WireView = Omit<CampaignView, "counts"> & {
  readonly counts: Readonly<Record<keyof CampaignView["counts"], readonly (readonly [string, number])[]>>;
};

/** What the machine is told to do, as JSON. */
export type Command =
  | { command: "connect" | "close" | "opened" }
  | { command: "closed"; code: number }
  | { command: "retain" | "release" | "refresh" | "discardUnconfirmed"; campaignId: string }
  | { command: "reached"; campaignId: string; epoch: string; sequenceNumber: number; ticket: number }
  | { command: "token"; ticket: number; token: string | undefined };

/** What the machine is asked for, as JSON. */
export type Query =
  | { read: "view" | "status"; campaignId: string }
  | ({ read: "domains"; campaignId: string } & DomainQuery)
  | { read: "changes" | "metrics" | "diagnostics" };

/** The answers, by what is asked for. */
export interface Answers {
  view: WireView | undefined;
  status: string;
  domains: DomainPage;
  changes: string[];
  metrics: Metrics;
  diagnostics: object;
}

/** Asks the machine. */
export type Read = <Q extends Query>(query: Q) => Answers[Q["read"]];

/** The generated class. */
export interface WasmClient {
  receive(frame: Uint8Array): number;
  command(json: string): void;
  read(json: string): unknown;
  provideSnapshot(ticket: number, json: string | undefined): void;
  free(): void;
}

/** Its constructor. */
export type WasmClientConstructor = new (options: string, host: Host) => WasmClient;
