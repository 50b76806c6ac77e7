// campaign-sync/tanstack-query with the real library. The client is a stand-in whose invalidations are the package's own,
// and the server is a function, so that every order of requests and events can be made.

import { strict as assert } from "node:assert";
import { afterEach, beforeEach, test } from "node:test";

import { QueryClient, QueryObserver } from "@tanstack/query-core";

import { announceInvalidation } from "../../pkg/dist/invalidation.js";
import { bindQueryClient, campaignQuery } from "../../pkg/dist/tanstack-query.js";

let sync, queries, server, unbind;

/** A stand-in for a client: the views that it shows, and its events. */
class Sync extends EventTarget {
  views = new Map();
  view(id) { return this.views.get(id); }
  /** Shows a position as live, as after an event that no cache depends on. */
  show(id, sequenceNumber, status = "live", epoch = "e") {
    this.views.set(id, { status, position: { epoch, sequenceNumber } });
  }
  status(id, status) {
    this.show(id, this.views.get(id)?.position.sequenceNumber ?? 1, status);
    this.dispatchEvent(new CustomEvent("statuschange", { detail: { campaignId: id, status } }));
  }
  /** Moves on to a position, and says that data before it is void. */
  void(id, sequenceNumber, reason = "phase_transition", epoch = "e") {
    this.show(id, sequenceNumber, "live", epoch);
    announceInvalidation(this, { campaignId: id, reason, epoch, sequenceNumber });
  }
}

/** A server whose answers wait for the test, or answer at once with the number `at`. */
class Server {
  at = new Map();
  requests = [];
  waiting = [];
  held = false;
  epoch = "e";
  fetch = (address) => {
    const [, id] = /campaigns\/([\w-]+)/.exec(address);
    this.requests.push(address);
    const answer = () => {
      const at = this.at.get(id) ?? 1;
      return new Response(JSON.stringify({ id, at }), { headers: { "campaign-position": `${this.epoch}/${at}` } });
    };
    if (!this.held) return Promise.resolve(answer());
    // The answer is made now, and arrives later.
    const own = answer();
    return new Promise((resolve) => this.waiting.push(() => resolve(own)));
  };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));
const query = (id, path) => campaignQuery(sync, id, path, { fetch: server.fetch });

/** Shows a query on a page. */
function observe(id, path) {
  const observer = new QueryObserver(queries, query(id, path));
  const stop = observer.subscribe(() => {});
  return { shown: () => observer.getCurrentResult().data?.body.at, result: () => observer.getCurrentResult(), stop };
}

beforeEach(() => {
  [sync, server] = [new Sync(), new Server()];
  queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  unbind = bindQueryClient(sync, queries, { listKey: ["list"] });
});
afterEach(() => {
  unbind();
  queries.clear();
});

test("request names the position of the view", async () => {
  await queries.fetchQuery(query("a"));
  sync.show("a", 7);
  server.at.set("a", 7);
  await queries.fetchQuery({ ...query("a", "/domains?limit=5"), staleTime: 0 });
  assert.deepEqual(server.requests, ["/api/v2/campaigns/a", "/api/v2/campaigns/a/domains?limit=5&min_position=e%2F7"]);
});

test("transition fetches the queries of its campaign again, and no other", async () => {
  for (const id of ["a", "b"]) sync.show(id, 1);
  const [a, path, b] = [observe("a"), observe("a", "/domains"), observe("b")];
  queries.setQueryData(["other", "a"], 1);
  await turn();
  server.requests.length = 0;
  server.at.set("a", 2);
  sync.void("a", 2);
  await turn();
  assert.deepEqual([a.shown(), path.shown(), b.shown()], [2, 2, 1]);
  assert.deepEqual(server.requests.map((it) => it.split("?")[0]).sort(), ["/api/v2/campaigns/a", "/api/v2/campaigns/a/domains"]);
  assert.equal(queries.getQueryState(["other", "a"]).isInvalidated, false);
});

test("data that is new enough is not fetched again", async () => {
  sync.show("a", 1);
  server.at.set("a", 5);
  observe("a");
  await turn();
  sync.void("a", 5);
  await turn();
  assert.equal(server.requests.length, 1);
  for (const reason of ["divergence", "force_refresh"]) sync.void("a", 5, reason);
  await turn();
  assert.ok(server.requests.length > 1, "a divergence does not trust positions");
});

test("answer that was under way during a transition is not stored", async () => {
  sync.show("a", 1);
  server.held = true;
  const a = observe("a");
  const seen = [];
  queries.getQueryCache().subscribe(() => seen.push(a.shown()));
  await turn();
  server.at.set("a", 2);
  sync.void("a", 2);
  server.held = false;
  server.waiting.forEach((give) => give());
  await turn();
  assert.equal(a.shown(), 2);
  assert.ok(!seen.includes(1), `stale data was shown: ${seen}`);
});

test("own query that was under way during a transition is not stored", async () => {
  sync.show("a", 1);
  let at = 1;
  const waiting = [];
  const own = { queryKey: ["campaigns", "a", "own"], queryFn: () => new Promise((resolve) => { const now = at; waiting.push(() => resolve(now)); }) };
  const observer = new QueryObserver(queries, own);
  const stop = observer.subscribe(() => {});
  await turn();
  at = 2;
  sync.void("a", 2);
  await turn();
  waiting.forEach((give) => give());
  await turn();
  assert.equal(observer.getCurrentResult().data, 2);
  stop();
});

test("data is not stale after a campaign was left and entered again", async () => {
  sync.show("a", 1);
  const [first, shownStill] = [observe("a"), observe("a", "/domains")];
  await turn();
  first.stop();
  const requests = server.requests.length;
  announceInvalidation(sync, { campaignId: "a", reason: "unwatched" });
  sync.views.delete("a");
  server.at.set("a", 9);
  await turn();
  assert.equal(server.requests.length, requests, "nothing proves another answer either, so nothing is fetched");
  shownStill.stop();
  sync.show("a", 9);
  const again = observe("a");
  await turn();
  assert.equal(again.shown(), 9);
});

test("data fetched before the campaign was live is fetched again if it is older", async () => {
  const a = observe("a");
  await turn();
  assert.equal(a.shown(), 1);
  server.at.set("a", 4);
  sync.show("a", 4, "loading");
  sync.status("a", "live");
  await turn();
  assert.equal(a.shown(), 4);
  const requests = server.requests.length;
  sync.status("a", "recovering");
  sync.status("a", "live");
  await turn();
  assert.equal(server.requests.length, requests, "nothing happened meanwhile");
});

test("answer that was under way when the campaign became live is not stored", async () => {
  server.held = true;
  const a = observe("a");
  await turn();
  sync.show("a", 4, "loading");
  sync.status("a", "live");
  server.held = false;
  server.at.set("a", 4);
  server.waiting.forEach((give) => give());
  await turn();
  assert.equal(a.shown(), 4);
});

test("campaign that was left may come back in another log", async () => {
  sync.void("a", 9);
  announceInvalidation(sync, { campaignId: "a", reason: "unwatched" });
  sync.views.delete("a");
  server.epoch = "f";
  assert.deepEqual((await queries.fetchQuery(query("a"))).position, { epoch: "f", sequenceNumber: 1 });
});

test("change that waits for its second is dropped when the campaign is left", async (t) => {
  for (const left of [{ campaignId: "a", reason: "unwatched" }, { campaignId: "a", reason: "signed_out" }, {}]) {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    server.epoch = "e";
    sync.void("a", 9, "rows");
    announceInvalidation(sync, left);
    sync.views.delete("a");
    t.mock.timers.tick(1_000);
    t.mock.timers.reset();
    server.epoch = "f";
    assert.equal((await queries.fetchQuery(query("a"))).position.epoch, "f", JSON.stringify(left));
  }
});

test("last of several frequent changes counts", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const step = async (ms) => { for (const it of [ms, 0, 0]) { t.mock.timers.tick(it); for (let turns = 0; turns < 50; turns += 1) await Promise.resolve(); } };
  sync.show("a", 1);
  server.at.set("a", 2);
  const a = observe("a");
  await step(0);
  sync.void("a", 2, "rows");
  server.at.set("a", 3);
  sync.void("a", 3, "rows");
  await step(1_000);
  assert.equal(a.shown(), 3);
});

test("frequent changes are fetched once per second, and the last one is not lost", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const settle = async () => { for (let turns = 0; turns < 50; turns += 1) await Promise.resolve(); };
  const step = async (ms) => { t.mock.timers.tick(ms); await settle(); t.mock.timers.tick(0); await settle(); };
  sync.show("a", 1);
  const a = observe("a");
  await settle();
  server.requests.length = 0;
  for (let at = 2; at <= 100; at += 1) {
    server.at.set("a", at);
    sync.void("a", at, at % 2 ? "rows" : "status");
    await step(16);
  }
  await step(1_000);
  assert.ok(server.requests.length <= 3, `${server.requests.length} requests in 2.6 s`);
  assert.equal(a.shown(), 100);
});

test("end of a session resets every query", async () => {
  sync.show("a", 1);
  const a = observe("a");
  queries.setQueryData(["mine"], "secret");
  await turn();
  server.held = true;
  announceInvalidation(sync, { reason: "signed_out" });
  assert.equal(queries.getQueryData(["mine"]), undefined);
  assert.equal(a.shown(), undefined);
});

test("campaign that the session may no longer see is reset", async () => {
  for (const id of ["a", "b"]) sync.show(id, 1);
  const [a, b] = [observe("a"), observe("b")];
  await turn();
  server.held = true;
  announceInvalidation(sync, { campaignId: "a", reason: "signed_out" });
  assert.deepEqual([a.shown(), b.shown()], [undefined, 1]);
});

test("answer that was under way when access ended is not stored", async () => {
  sync.show("a", 1);
  server.held = true;
  const a = observe("a");
  await turn();
  announceInvalidation(sync, { campaignId: "a", reason: "signed_out" });
  await turn();
  const [former] = server.waiting.splice(0, 1);
  former();
  await turn();
  assert.equal(a.shown(), undefined);
  a.stop();
});

test("list is fetched again after transitions, endings and the end of access", async () => {
  let fetches = 0;
  const observer = new QueryObserver(queries, { queryKey: ["list"], queryFn: async () => (fetches += 1), staleTime: Infinity });
  const stop = observer.subscribe(() => {});
  await turn();
  sync.void("a", 2);
  await turn();
  sync.dispatchEvent(new CustomEvent("ended", { detail: { campaignId: "a" } }));
  await turn();
  announceInvalidation(sync, { campaignId: "b", reason: "signed_out" });
  await turn();
  assert.equal(fetches, 4);
  stop();
});

test("on chooses the invalidations, and keyOf the keys", async () => {
  unbind();
  const asked = [];
  unbind = bindQueryClient(sync, queries, { keyOf: (id) => ["mine", id], on: (it) => (asked.push(it.reason), it.reason !== "snapshot") });
  queries.setQueryData(["mine", "a", "x"], 1);
  const isVoid = () => queries.getQueryState(["mine", "a", "x"]).isInvalidated;
  sync.void("a", 2, "snapshot");
  assert.equal(isVoid(), false);
  sync.void("a", 3);
  assert.equal(isVoid(), true);
  assert.deepEqual(asked, ["snapshot", "phase_transition"]);
});

test("after its end nothing is invalidated", async () => {
  sync.show("a", 1);
  observe("a");
  await turn();
  unbind();
  sync.void("a", 2);
  sync.void("a", 3, "rows");
  sync.status("a", "live");
  await turn();
  assert.equal(server.requests.length, 1);
});

test("failures have codes", async () => {
  const answers = (status, body) => async () => new Response(body, { status });
  const codeOf = (fetch) => queries.fetchQuery(campaignQuery(sync, "c", "", { fetch })).then(() => "none", (error) => error.code);
  assert.equal(await codeOf(answers(404, '{"error":{"code":"unknown_campaign","message":"m"}}')), "unknown_campaign");
  assert.equal(await codeOf(answers(502, "<html>")), "fetch_failed");
  assert.equal(await codeOf(answers(200, "<html>")), "fetch_failed");
  assert.equal(await codeOf(async () => { throw new Error("no line"); }), "fetch_failed");
  assert.equal(await codeOf(answers(412, '{"error":{"code":"behind"}}')), "behind");
  sync.show("c", 8);
  let requests = 0;
  assert.equal(await codeOf(async () => (requests++, new Response("{}", { headers: { "campaign-position": "e/7" } }))), "behind", "a cache answered");
  assert.equal(requests, 5);
  for (const id of ["", "../x", 5, {}, "\ud800"]) await assert.rejects(queries.fetchQuery(campaignQuery(sync, id)), { code: "invalid_campaign_id" });
  await assert.rejects(queries.fetchQuery(campaignQuery(undefined, "c")), { code: "not_configured" });
  const enabled = [[sync, "c"], [undefined, "c"], [sync, null], [sync, undefined]].map((them) => campaignQuery(...them).enabled);
  assert.deepEqual(enabled, [true, false, false, false]);
  for (const path of ["domains", 5, "\ud800"]) assert.throws(() => campaignQuery(sync, "c", path), { code: "invalid_argument" });
  assert.throws(() => campaignQuery({}, "c"), { code: "invalid_argument" });
  for (const bad of [[{}, queries], [sync, {}], [sync, queries, { keyOf: 1 }], [sync, queries, { listKey: "x" }]]) {
    assert.throws(() => bindQueryClient(...bad), { code: "invalid_argument" });
  }
});
