// A page of an application whose content is sealed: it does nothing but follow one campaign.
import { configureCache, restSnapshot } from "../../../pkg/dist/cache.js";
import { CampaignSync, init, sealedRestFetcher } from "../../../pkg/dist/encrypted.js";

await init(new URL("campaign_sync_bg.wasm", import.meta.url));

/** The test brings the keys, as an application would after its login. */
globalThis.start = (id, keys) => {
  const log = (record) => globalThis.records.push(record);
  const sync = new CampaignSync({ url: "/api/v2/ws", keys, fetchSnapshot: restSnapshot(), log });
  globalThis.records = [];
  globalThis.heard = [];
  for (const type of ["unknownkey", "rejected", "phasetransition", "statuschange", "connectionchange"]) {
    sync.addEventListener(type, (event) => globalThis.heard.push({ type, ...event.detail }));
  }
  const campaign = sync.campaign(id);
  sync.connect();
  const cache = configureCache({ sync, fetch: sealedRestFetcher(sync) });
  globalThis.__campaignSync = { sync, campaign, cache };
};
