// Servers of `campaign-sync/testing` with the compiled client. The CommonJS form is not replaced by the fake machine.
import { createRequire } from "node:module";
import { afterEach, before } from "node:test";

const require = createRequire(import.meta.url);
export const { CampaignSync, CampaignSyncError, init } = require("../../dist/cjs/index.js");
export const { createTestServer } = require("../../dist/cjs/testing.js");

/** Servers and clients that are closed after the test. */
export const open = [];
before(() => init());
afterEach(() => {
  for (const it of open.splice(0)) it.close();
});

/** A server, and a client that follows a campaign with three rows. */
export function started({ client = {}, campaign = {}, ...options } = {}) {
  const server = createTestServer(options);
  const id = server.create({ name: "Spring", rows: 3, ...campaign });
  const sync = new CampaignSync({ ...server.options, target: null, ...client });
  open.push(sync, server);
  sync.connect();
  return { server, sync, id, campaign: sync.campaign(id) };
}
