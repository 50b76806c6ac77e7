/** Compiled but never run. Lines with `@ts-expect-error` must not type-check; all others must. */
import {
  CampaignSync,
  CampaignSyncError,
  init,
  initSync,
  type ActionName,
  type Campaign,
  type CampaignStatus,
  type CampaignSyncEvent,
  type CampaignSyncEventMap,
  type CampaignView,
  type ConnectionState,
  type Diagnostics,
  type DnsStatus,
  type ErrorCode,
  type LogCode,
  type Metrics,
  type NotificationLevel,
  type RecoveryReason,
  type SnapshotDocument,
  type StaleReason,
  type TransitionType,
} from "../dist/index.js";
import { CampaignSyncProvider, useCampaign, useCampaignAction, useDomains, useSyncEvent, type CampaignSyncLike } from "../dist/react.js";
import { allowedActions, RestClient, type CampaignAction, type ExpectedState, type RestRecord, type RestSnapshot } from "../dist/rest.js";
import { bindQueryClient, campaignQuery, type QueryClientLike } from "../dist/tanstack-query.js";
import { createTestServer, fakeCampaignSync, fakeView, type TestServer } from "../dist/testing.js";
import * as sealed from "../dist/encrypted.js";
import { clearRichDataCache, configureCache, getRichCampaignData, restFetcher, restSnapshot } from "../dist/cache.js";

export async function useRest(sync: CampaignSync, view: CampaignView): Promise<void> {
  const rest = new RestClient({ sync, token: () => "t" });
  const actions: readonly CampaignAction[] = view.campaign === null ? [] : allowedActions(view.campaign);
  const { campaign, position } = await rest.act("c", "configure-dns", { reason: "r", expectedState: null });
  const [phase, number]: [string, number] = [campaign.currentPhase, position.sequenceNumber];
  // @ts-expect-error no such action
  await rest.act("c", "configure");
  for await (const page of rest.rows("c", { limit: 10 })) void page.rows[0]?.dnsStatus;
  const campaigns: readonly { readonly name: string }[] = (await rest.list()).campaigns;
  void [actions, phase, number, campaigns];
}

export async function use(bytes: Uint8Array<ArrayBuffer>, response: Response): Promise<void> {
  await init();
  await init(new URL("https://host.test/x.wasm"));
  await init(fetch("/x.wasm"));
  initSync(bytes);
  await init(WebAssembly.compile(bytes));
  const again: boolean = init() === init();
  void again;
  // @ts-expect-error a number is no module
  await init(12345);
  // @ts-expect-error a number is no module
  initSync(12345);
  const external: typeof import("../dist/index.js") = await import("../dist/external.js");
  await external.init();

  const sync = new CampaignSync({
    url: "/api/v2/ws",
    token: async () => "t",
    fetchSnapshot: async () => "{}",
    target: null,
    log: (record) => console.log(record.level, record.code),
  });
  // @ts-expect-error the option does not exist
  new CampaignSync({ adress: "/ws" });
  // @ts-expect-error no snapshot has this form
  new CampaignSync({ fetchSnapshot: async (id) => ({ id }) });
  const fetchSnapshot = restSnapshot({ baseUrl: "/api/v2", fetch });
  new CampaignSync({ fetchSnapshot });
  const text: Promise<string> = fetchSnapshot("c");
  // @ts-expect-error the option does not exist
  restSnapshot({ base: "/api" });
  sync.onsend = (frame: string) => void frame;
  new CampaignSync({ transport: "manual" }).opened();
  sync.closed();
  sync.closed(4401);
  // @ts-expect-error a close code is a number
  sync.closed("gone");
  const applied: number = sync.receive(new ArrayBuffer(1)) + sync.receive(bytes) + sync.receive("{}");

  sync.addEventListener("phasetransition", (event) => {
    const seconds: number | undefined = event.detail.estimatedDuration;
    const recovered: boolean = event.detail.recovered;
    // @ts-expect-error the detail has no such member
    void event.detail.phase;
    void [seconds, recovered];
  });
  const onGap = (event: CampaignSyncEvent<"gap">): void => void (event.detail.received - event.detail.expected);
  sync.addEventListener("gap", onGap, { once: true });
  sync.removeEventListener("gap", onGap);
  sync.addEventListener("recovered", { handleEvent: (event) => void event.detail.durationMs });
  // @ts-expect-error no such event: a listener for a misspelt name would never run
  sync.addEventListener("phase_transition", () => {});
  // @ts-expect-error a listener for another event
  sync.addEventListener("ended", onGap);
  window.addEventListener("phase_transition", (event) => void event.detail.newPhase);

  const campaign: Campaign = sync.campaign("c");
  const view: CampaignView = campaign.view();
  if (view.status === "live" && view.campaign?.currentPhase === "dns_validation") void view.counts.dns["resolved"];
  // @ts-expect-error no such status
  if (view.status === "online") return;
  // @ts-expect-error views are immutable
  view.totalDomainCount = 1;
  const stop: () => void = campaign.subscribe(() => {});
  const page = campaign.domains({ search: "a", sortBy: "leadScore", sortOrder: "desc", limit: 10 });
  const name: string | undefined = page.rows[0]?.domain;
  // @ts-expect-error no such column
  campaign.domains({ sortBy: "name" });
  await campaign.reached(response.headers.get("campaign-position") ?? "", { signal: AbortSignal.timeout(1), timeoutMs: 5 });
  await campaign.reached({ epoch: "e", sequenceNumber: 1 });
  { using held = sync.campaign("d"); void held; }
  { using list = sync.campaigns(); const { view, subscribe } = list; void [view().total, subscribe]; }
  { using client = new CampaignSync({ target: null }); void client; }
  const metrics: Metrics = sync.metrics();
  const worst: number = metrics.recoveryMs.max;

  try {
    configureCache({ sync, fetch: restFetcher({ baseUrl: "/api/v2" }) });
    const data = await getRichCampaignData("c", { minPosition: response.headers.get("campaign-position") });
    // @ts-expect-error the data is frozen
    data.domains.push(page.rows[0]);
    clearRichDataCache("c");
    // @ts-expect-error an absent id does not mean all campaigns
    clearRichDataCache();
  } catch (error) {
    if (error instanceof CampaignSyncError) {
      const code: ErrorCode = error.code;
      // @ts-expect-error no such code
      if (error.code === "oops") return;
      void code;
    }
  }
  void [applied, stop, name, worst, text];
  campaign.release();
  sync.close();
}

/** The hooks take the client of every entry, and a fake. */
export const clients: CampaignSyncLike[] = [new CampaignSync(), new sealed.CampaignSync(), fakeCampaignSync()];

export async function tested(): Promise<void> {
  const server: TestServer = createTestServer({ act: async (work) => work() });
  const id: string = server.create({ name: "Spring", owner: "ada", rows: [{ domainId: "d", domain: "d.example", leadScore: null }] });
  server.rows(id, [{ domainId: "d", dnsStatus: "resolved" }]);
  // @ts-expect-error no such column
  server.rows(id, [{ domainId: "d", dnsStatu: "resolved" }]);
  // @ts-expect-error no such action
  server.transition(id, "explode");
  server.refuse("forbidden", ({ kind, type }) => kind === "http" && type === "GET /campaigns");
  new CampaignSync({ ...server.options, target: null });
  new RestClient({ ...server.rest });
  const view: CampaignView = fakeView({ status: "stale", campaign: { currentPhase: "analysis" }, counts: { dns: { resolved: 1 } } });
  // @ts-expect-error no such status
  fakeView({ status: "lve" });
  fakeCampaignSync({ views: [view] }).show({ campaignId: view.campaignId, status: "live" });
  await server.settled();
}

export function Component(): string {
  const view: CampaignView = useCampaign("c");
  const phase: string | undefined = useCampaign(null, ({ campaign }) => campaign?.currentPhase, { throttleMs: 100, equal: (a, b) => a === b });
  // @ts-expect-error the selection has no such member
  useCampaign("c", (view) => view.rows);
  const { row, total } = useDomains("c", { search: "x", sortBy: "domain" });
  // @ts-expect-error the hook chooses the pages
  useDomains("c", { limit: 5 });
  useSyncEvent("phasetransition", ({ detail }) => void detail.newPhase);
  // @ts-expect-error no event has this name
  useSyncEvent("phase", () => {});
  const { run, allowed } = useCampaignAction("c");
  void run(allowed[0] ?? "pause");
  CampaignSyncProvider({ sync: new CampaignSync() });
  CampaignSyncProvider({ create: async () => new CampaignSync(), children: "text" });
  // @ts-expect-error either a client or a function that creates it
  CampaignSyncProvider({ sync: new CampaignSync(), create: () => new CampaignSync() });
  return `${view.status} ${phase} ${total} ${row(0)?.domain}`;
}

/** Returns what is left of a union after all its words. */
const rest = (left: never): never => left;

/** Closed lists: every word is one of them, and nothing else is. */
export function closedLists(view: CampaignView, detail: CampaignSyncEventMap["statuschange"], text: string): void {
  switch (view.staleReason) {
    case "disconnected":
    case "polling":
    case "unproven":
    case "diverged":
    case undefined:
      break;
    default:
      rest(view.staleReason);
  }
  const reason: StaleReason | ErrorCode | undefined = detail.reason;
  if (reason === "polling" || reason === "forbidden") return;
  // @ts-expect-error no such reason
  if (view.staleReason === "offline") return;
  // @ts-expect-error any text is not a status
  const status: CampaignStatus = text;
  // @ts-expect-error any text is not a code
  const code: ErrorCode = text;
  // @ts-expect-error no such state
  const state: ConnectionState = "paused";
  // @ts-expect-error no such name
  const log: LogCode = "oops";
  // @ts-expect-error the phase machine has no such action
  const action: CampaignAction = "delete";
  const words: string[] = [view.status, detail.status, "connect" satisfies RecoveryReason];
  void [reason, status, code, state, log, action, words];
}

/** Open lists: the words are known, and any other text is taken. */
export function openLists(text: string, view: CampaignView, event: CampaignSyncEvent<"notification">): void {
  const values: [TransitionType, DnsStatus, NotificationLevel, ActionName] = [text, text, text, text];
  const known: [TransitionType, DnsStatus, NotificationLevel, ActionName] = ["manual", "resolved", "warning", "delete"];
  const back: string[] = [...values, ...known, event.detail.level];
  if (view.lastTransition?.transitionType === "error_recovery") return;
  // @ts-expect-error a number is not a word
  const number: DnsStatus = 5;
  void [back, number];
}

export function details(sync: CampaignSync, metrics: Metrics): void {
  sync.addEventListener("recovered", ({ detail }) => void (metrics.recoveryRequests[detail.reason] + detail.durationMs));
  sync.addEventListener("rejected", ({ detail }) => void ((metrics.refused[detail.code] ?? 0) > 0 && detail.rule === "missing"));
  // @ts-expect-error a code may not have occurred
  const count: number = metrics.refused.invalid_json;
  // @ts-expect-error no such kind
  sync.addEventListener("divergence", ({ detail }) => void (detail.kind === "hashes"));
  const report: Diagnostics = sync.diagnostics();
  const version: string = report.version;
  // @ts-expect-error it has no rows
  void report.rows;
  void [count, version];
}

/** The server's record and snapshot have the phases of the client. */
export function server(record: RestRecord, snapshot: RestSnapshot): void {
  const expected: ExpectedState = `${record.currentPhase}/${record.phaseStatus}`;
  const document: SnapshotDocument = snapshot;
  const actions: readonly CampaignAction[] = allowedActions(record);
  // @ts-expect-error no such state
  const wrong: ExpectedState = "analysis/live";
  void [expected, document, actions, wrong];
}

export function queries(sync: CampaignSync, client: QueryClientLike): void {
  const stop: () => void = bindQueryClient(sync, client, { on: ({ reason }) => reason !== "status" });
  // @ts-expect-error no such reason
  bindQueryClient(sync, client, { on: ({ reason }) => reason === "sort" });
  const query = campaignQuery<{ readonly total: number }>(sync, "c", "/domains");
  void query.queryFn({}).then(({ body }) => body.total);
  stop();
}

/** A client of the REST interface performs the actions of the hooks. */
export function Actions(rest: RestClient): void {
  CampaignSyncProvider({ sync: new CampaignSync(), actions: { allowedActions, act: (id, action) => rest.act(id, action as CampaignAction) } });
}
