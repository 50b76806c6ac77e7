// Reading the rows: positions of pages, and the iterator over all of them, on the compiled module.
import assert from "node:assert/strict";
import { test } from "node:test";

import { CAMPAIGN, EPOCH, follow, Server } from "./support/model.js";

/** A live client of a campaign with this many rows, in events of 1,000. */
async function withRows(count) {
  const server = new Server();
  for (let from = 0; from < count; from += 1_000) {
    const domains = Array.from({ length: Math.min(1_000, count - from) }, (_, index) => {
      const offset = from + index;
      return { domainId: `d-${offset}`, domain: `name-${offset}.example`, offset, dnsStatus: offset % 2 === 0 ? "resolved" : "timeout" };
    });
    server.stream.append("domains.updated", { campaignId: CAMPAIGN, domains });
  }
  return { server, ...(await follow(server)) };
}

test("page names the position that it belongs to", async () => {
  const { server, sync, campaign } = await withRows(3);
  const { position } = campaign.domains();
  assert.deepEqual([position.epoch, position.sequenceNumber], [EPOCH, 2]);
  sync.receive(server.append("added"));
  assert.equal(campaign.domains().position.sequenceNumber, 3);
  assert.ok(Object.isFrozen(campaign.domains().position));
  assert.equal(sync.campaign("another").domains().position, null, "before the first state");
  sync.close();
});

test("page without changed rows stays the same object, with its position", async () => {
  const { server, sync, campaign } = await withRows(3);
  const page = campaign.domains();
  sync.receive(server.append("progress"));
  assert.equal(campaign.view().position.sequenceNumber, 3);
  assert.equal(campaign.domains(), page);
  assert.equal(page.position.sequenceNumber, 2);
  const [all] = campaign.rows();
  assert.equal(all.position.sequenceNumber, 3, "an iteration begins at the position of the view");
  sync.close();
});

test("rows iterates over everything, in pages of one position", async () => {
  const { sync, campaign } = await withRows(2_500);
  const pages = [...campaign.rows()];
  assert.deepEqual(pages.map(({ rows }) => rows.length), [1_000, 1_000, 500]);
  assert.ok(pages.every((page) => page.position === pages[0].position && page.total === 2_500 && Object.isFrozen(page)));
  assert.deepEqual(pages.flatMap(({ rows }) => rows.map(({ offset }) => offset)), Array.from({ length: 2_500 }, (_, offset) => offset));
  const filtered = [...campaign.rows({ dnsStatus: "timeout", search: "NAME-1", sortOrder: "desc" })];
  assert.deepEqual(filtered[0].rows.slice(0, 2).map(({ domain }) => domain), ["name-1999.example", "name-1997.example"]);
  assert.deepEqual([...campaign.rows({ search: "none" })].map(({ total, rows }) => [total, rows.length]), [[0, 0]], "one page without rows");
  sync.close();
});

test("rows throws position_changed if rows change between two pages", async () => {
  for (const kind of ["added", "removed", "changed"]) {
    const { server, sync, campaign } = await withRows(1_500);
    const pages = campaign.rows();
    pages.next();
    server.rows.set("d-0", { domainId: "d-0", domain: "name-0.example" });
    sync.receive(server.append(kind));
    assert.throws(() => pages.next(), { name: "CampaignSyncError", code: "position_changed" }, kind);
    assert.equal([...campaign.rows()].length, 2, "it may start again");
    sync.close();
  }
});

test("rows goes on if the record changes between two pages", async () => {
  const { server, sync, campaign } = await withRows(1_500);
  const [first, ...others] = (function* () {
    for (const page of campaign.rows()) {
      yield page;
      sync.receive(server.append("progress"));
    }
  })();
  assert.deepEqual(others.map(({ position }) => position), [first.position], "the rows are those of the first page's position");
  sync.close();
});

test("rows checks its query at the call, and the handle at each page", async () => {
  const { sync, campaign } = await withRows(1_500);
  assert.throws(() => campaign.rows({ sortBy: "color" }), { code: "invalid_argument" });
  const pages = campaign.rows();
  pages.next();
  campaign.release();
  assert.throws(() => pages.next(), { code: "released" });
  assert.throws(() => campaign.rows(), { code: "released" });
  sync.close();
});

test("50,000 rows are read as CSV from one position", async (t) => {
  const { sync, campaign } = await withRows(50_000);
  const started = performance.now();
  const lines = ["domain,dnsStatus"];
  for (const { rows } of campaign.rows()) for (const { domain, dnsStatus } of rows) lines.push(`${domain},${dnsStatus}`);
  t.diagnostic(`50,000 rows in ${Math.round(performance.now() - started)} ms`);
  assert.deepEqual([lines.length, lines[50_000]], [50_001, "name-49999.example,timeout"]);
  sync.close();
});
