/** Compiled but never run. Lines with `@ts-expect-error` must not type-check; all others must. */
import {
  CampaignSync,
  CampaignSyncError,
  init,
  initSync,
  type Campaign,
  type CampaignSyncEvent,
  type CampaignView,
  type ErrorCode,
  type Metrics,
} from "../dist/index.js";
import { CampaignSyncProvider, useCampaign, useCampaignAction, useDomains, useSyncEvent, type CampaignSyncLike } from "../dist/react.js";
import { allowedActions, RestClient, type CampaignAction } from "../dist/rest.js";
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
    fetchSnapshot: async (id) => ({ id }),
    target: null,
    log: (record) => console.log(record.level, record.code),
  });
  // @ts-expect-error the option does not exist
  new CampaignSync({ adress: "/ws" });
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

/** The hooks take the client of every entry. */
export const clients: CampaignSyncLike[] = [new CampaignSync(), new sealed.CampaignSync()];

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
