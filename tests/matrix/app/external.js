/** Loads the module from beside the code; the default entry then uses it. */
import { init } from "campaign-sync/external";

import { follow } from "./follow.js";
import { start } from "./page.js";

start(async (options) => {
  await init();
  return follow(options);
});
