/** Passes the address that the bundler gives to the file of the module. */
import { init } from "campaign-sync";
import address from "campaign-sync/campaign_sync_bg.wasm";

import { follow } from "./follow.js";
import { start } from "./page.js";

start(async (options) => {
  await init(address);
  return follow(options);
});
