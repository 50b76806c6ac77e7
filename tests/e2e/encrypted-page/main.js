// The page of an application with sealed content. It only follows one campaign.
import { configureCache, restSnapshot } from "../../../pkg/dist/cache.js";
import { CampaignSync, init, sealedRestFetcher } from "../../../pkg/dist/encrypted.js";

await init();

/** Starts the client with the keys of the test, as an application would after its login. */
globalThis.start = (id, keys) => {
  const log = (record) => globalThis.records.push(record);
  const sync = new CampaignSync({ url: "/api/v2/ws", keys, fetchSnapshot: restSnapshot(), log });
  globalThis.records = [];
  globalThis.receivedEvents = [];
  for (const type of ["unknownkey", "rejected", "phasetransition", "statuschange", "connectionchange"]) {
    sync.addEventListener(type, (event) => globalThis.receivedEvents.push({ type, ...event.detail }));
  }
  const campaign = sync.campaign(id);
  sync.connect();
  const cache = configureCache({ sync, fetch: sealedRestFetcher(sync) });
  globalThis.__campaignSync = { sync, campaign, cache };
};
