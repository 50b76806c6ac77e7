/** Uses every entry, as an application that checks its libraries does. It is compiled and not run. */
import { CampaignSync, CampaignSyncError, init, initSync, type CampaignView, type DomainRow, type InitInput } from "campaign-sync";
import { configureCache, getRichCampaignData } from "campaign-sync/cache";
import { CampaignSync as SealedSync, init as initSealed, sealedRestFetcher } from "campaign-sync/encrypted";
import { init as initSealedExternal } from "campaign-sync/encrypted/external";
import { init as initExternal } from "campaign-sync/external";
import { useCampaign, useConnection } from "campaign-sync/react";
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

export function useStatus(id: string | null): string {
  const campaign = useCampaign(id);
  return `${campaign.status} over ${useConnection().state}`;
}
