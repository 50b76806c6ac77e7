/**
 * The boundary to the compiled machine, written by hand: what the generated module offers and what
 * it expects of us. Nothing here is public.
 */
import type { CampaignView, DomainPage, DomainQuery, LogRecord, Metrics } from "./types.js";

/** How the machine's shell is made. */
export interface ClientOptions {
  url?: string;
  hasToken: boolean;
  hasFetchSnapshot: boolean;
  manualTransport: boolean;
  lingerMs?: number;
  dialect?: "auto" | "original";
  log?: boolean;
}

/** What the machine's shell calls; never while the machine is borrowed. */
export interface Host {
  dispatch(type: string, detail: object): void;
  changed(): void;
  requestToken(ticket: number): void;
  fetchSnapshot(ticket: number, campaignId: string): void;
  send(frame: string): void;
  settle(ticket: number, code: string | null): void;
  log(record: LogRecord): void;
}

/** A view as it crosses: the counts are pairs of a word and its rows. */
export type WireView = Omit<CampaignView, "counts"> & {
  readonly counts: Readonly<Record<keyof CampaignView["counts"], readonly (readonly [string, number])[]>>;
};

/** The generated class. */
export interface WasmClient {
  connect(): void;
  close(): void;
  retain(campaignId: string): void;
  release(campaignId: string): void;
  receive(frame: Uint8Array): number;
  opened(): void;
  closed(code: number): void;
  takeChanges(): string[];
  view(campaignId: string): WireView | undefined;
  status(campaignId: string): string;
  domains(campaignId: string, query: DomainQuery): DomainPage;
  reached(campaignId: string, epoch: string, sequenceNumber: number, ticket: number): void;
  discardUnconfirmed(campaignId: string): void;
  refresh(campaignId: string): void;
  provideToken(ticket: number, token: string | undefined): void;
  provideSnapshot(ticket: number, json: string | undefined): void;
  metrics(): Metrics;
  diagnostics(): object;
  free(): void;
}

/** Its constructor. */
export type WasmClientConstructor = new (options: ClientOptions, host: Host) => WasmClient;
