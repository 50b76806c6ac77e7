/** Uses every entry, as an application that checks its libraries does. It is compiled and not run. */
import { createElement, type ReactElement } from "react";
import { CampaignSync, CampaignSyncError, init, initSync, type CampaignSyncLike, type CampaignView, type DnsStatus, type DomainRow, type ErrorCode, type InitInput, type StaleReason } from "campaign-sync";
import { configureCache, getRichCampaignData } from "campaign-sync/cache";
import { CampaignSync as SealedSync, init as initSealed, sealedRestFetcher } from "campaign-sync/encrypted";
import { init as initSealedExternal } from "campaign-sync/encrypted/external";
import { init as initExternal } from "campaign-sync/external";
import { CampaignSyncProvider, emptyView, useCampaign, useCampaignAction, useCampaigns, useConnection, useDomains, useSyncEvent, type CampaignActions } from "campaign-sync/react";
import { allowedActions, RestClient, type CampaignAction, type RestCampaign } from "campaign-sync/rest";
import { bindQueryClient, campaignQuery, type QueryClientLike } from "campaign-sync/tanstack-query";
import { createTestServer, fakeCampaignSync, fakeView, type TestServer } from "campaign-sync/testing";
import address from "campaign-sync/campaign_sync_bg.wasm";
import sealedAddress from "campaign-sync/encrypted/campaign_sync_bg.wasm";

export async function use(bytes: ArrayBuffer, module: WebAssembly.Module): Promise<DomainRow[]> {
  const input: InitInput = address;
  await Promise.all([init(), init(input), init(bytes), init(module), init(fetch(address)), initExternal(), initSealed(sealedAddress), initSealedExternal()]);
  initSync(bytes);
  // @ts-expect-error a number is no module
  await init(12345);
  const sync = new CampaignSync({ url: "/api/v2/ws", token: async () => "t", target: null });
  const campaign = sync.campaign("spring-1");
  const view: CampaignView = campaign.view();
  sync.addEventListener("phasetransition", ({ detail }) => console.log(detail.newPhase, view.status));
  window.addEventListener("phase_transition", ({ detail }) => console.log(detail.newPhase));
  const sealed = new SealedSync({ url: "/ws", keys: { k: new Uint8Array(32) } });
  configureCache({ sync, fetch: sealedRestFetcher(sealed) });
  const { domains } = await getRichCampaignData("spring-1");
  if (domains.length === 0) throw new CampaignSyncError("fetch_failed", { cause: sealed });
  // @ts-expect-error the option does not exist
  new CampaignSync({ adress: "/ws" });
  return [...campaign.domains({ limit: 10 }).rows];
}

/** The words of the lists are known, and an open list takes any other text. */
export function words({ staleReason, code }: CampaignView, text: string): string[] {
  const reason: StaleReason | undefined = staleReason === "polling" ? staleReason : undefined;
  const failure: ErrorCode = code ?? "internal";
  const status: DnsStatus = text;
  // @ts-expect-error no such reason
  if (staleReason === "offline") return [];
  return [reason ?? "", failure, status];
}

export async function write(sync: CampaignSync): Promise<CampaignAction[]> {
  const rest = new RestClient({ sync, timeoutMs: 5_000 });
  const campaign: RestCampaign = await rest.get("spring-1");
  const { position } = await rest.act("spring-1", "validate-dns", { expectedState: `${campaign.currentPhase}/${campaign.phaseStatus}` });
  await sync.campaign("spring-1").reached(position);
  for await (const { rows } of rest.rows("spring-1", { dnsStatus: "resolved", limit: 100 })) console.log(rows.length);
  return [...allowedActions(campaign)];
}

export function query(sync: CampaignSync, client: QueryClientLike): () => void {
  const { queryKey, queryFn } = campaignQuery<{ readonly total: number }>(sync, "spring-1", "/domains");
  queryFn({}).then(({ body, position }) => console.log(queryKey, body.total, position?.epoch));
  return bindQueryClient(sync, client, { on: ({ reason }) => reason !== "status", listKey: ["campaigns"] });
}

export function Page({ id, rest }: { id: string | null; rest: RestClient }): ReactElement {
  const actions: CampaignActions = rest;
  return createElement(CampaignSyncProvider, { create: () => new CampaignSync({ url: "/api/v2/ws" }), actions, children: createElement(Status, { id }) });
}

function Status({ id }: { id: string | null }): ReactElement {
  const { status } = useCampaign(id);
  const phase = useCampaign(id, (view) => view.campaign?.currentPhase ?? emptyView("").status, { throttleMs: 100 });
  const { total, row } = useDomains(id, { sortBy: "domain" });
  const { campaigns } = useCampaigns();
  const { run, allowed, error } = useCampaignAction(id);
  useSyncEvent("phasetransition", ({ detail }) => console.log(detail.newPhase, detail.initial));
  // @ts-expect-error the hook chooses the pages
  useDomains(id, { limit: 5 });
  const text = `${status} ${phase} over ${useConnection().state}: ${total} ${row(0)?.domain} of ${campaigns.length} ${error?.help}`;
  return createElement("button", { onClick: () => void run(allowed[0] ?? "pause") }, text);
}

export async function tested(): Promise<CampaignSyncLike[]> {
  const server: TestServer = createTestServer({ partRows: 10 });
  const id = server.create({ name: "Spring", rows: [{ domainId: "d", domain: "d.example", leadScore: null }] });
  const sync = new CampaignSync({ ...server.options });
  await server.settled();
  const view: CampaignView = fakeView({ campaignId: id, campaign: { currentPhase: "analysis" } });
  // @ts-expect-error the status does not exist
  fakeView({ status: "lve" });
  return [sync, fakeCampaignSync({ views: [view] })];
}
