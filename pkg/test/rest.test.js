// The REST client: what it sends by itself, and what it makes of answers. The real server is in tests/e2e/rest.test.mjs.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { mock, test } from "node:test";

import { offerRenewal } from "../dist/renewal.js";
import { allowedActions, CampaignSyncError, RestClient } from "../dist/rest.js";
import { STEPS } from "../dist/steps.js";
import { settle } from "./support/fixtures.js";

const RECORD = { campaignId: "c", name: "n", currentPhase: "dns_validation", phaseStatus: "configured" };
const CHANGED = { campaign: RECORD, position: { epoch: "e1", sequenceNumber: 7, eventId: "x" } };
const AT_7 = { "Campaign-Position": "e1/7" };

/** A client whose answers are given in order. Each is a response, or an error of the network. */
function makeClient(answers, options = {}) {
  const requests = [];
  const fetch = async (request) => {
    requests.push({ method: request.method, url: new URL(request.url), headers: request.headers, body: await request.text(), signal: request.signal, cache: request.cache });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer instanceof Error) throw answer;
    return typeof answer === "function" ? answer(request) : answer.clone();
  };
  return { requests, client: new RestClient({ baseUrl: "https://host.test/api/v2", fetch, ...options }) };
}

const refused = (status, code, headers = {}) => Response.json({ error: { code, message: `because of ${code}` } }, { status, headers });

/** A client of the stream that shows a record at a position. */
function makeSync(position = { epoch: "e1", sequenceNumber: 5 }) {
  const waits = [];
  const handle = { reached: async (at, options) => void waits.push([at, options]), release: () => waits.push("released") };
  return { waits, view: (id) => (id === "c" ? { position, campaign: RECORD } : undefined), campaign: () => handle };
}

test("write sends the state that the page shows and a new idempotency key", async () => {
  const { client, requests } = makeClient([Response.json(CHANGED, { headers: AT_7 })], { sync: makeSync() });
  await client.act("c", "validate-dns", { reason: "by hand" });
  await client.act("c", "validate-dns", { expectedState: "dns_validation", idempotencyKey: "mine" });
  await client.act("c", "validate-dns", { expectedState: null });
  assert.deepEqual(requests.map(({ method, url, body }) => [method, url.pathname, JSON.parse(body)]), [
    ["POST", "/api/v2/campaigns/c/validate-dns", { expectedState: "dns_validation/configured", reason: "by hand" }],
    ["POST", "/api/v2/campaigns/c/validate-dns", { expectedState: "dns_validation" }],
    ["POST", "/api/v2/campaigns/c/validate-dns", {}],
  ]);
  const keys = requests.map(({ headers }) => headers.get("idempotency-key"));
  assert.match(keys[0], /^[0-9a-f]{32}$/);
  assert.equal(keys[1], "mine");
  assert.notEqual(keys[0], keys[2]);
});

test("session is the one of the requests", async () => {
  const session = { user: "ann", subject: "u1", expiresInSeconds: 60 };
  const { client, requests } = makeClient([Response.json(session), refused(401, "unauthorized")]);
  assert.deepEqual(await client.session(), session);
  assert.deepEqual([requests[0].method, requests[0].url.pathname], ["GET", "/api/v2/auth/session"]);
  await assert.rejects(client.session(), { code: "unauthorized" });
});

test("refused session is renewed, and the request sent once more", async () => {
  const asked = [];
  const sync = makeSync();
  let token = "old";
  const { client, requests } = makeClient([refused(401, "unauthorized"), Response.json(CHANGED, { headers: AT_7 })], { sync, token: () => token });
  offerRenewal(sync, async () => (asked.push("renew"), (token = "new"), true));
  await client.act("c", "validate-dns");
  assert.deepEqual(asked, ["renew"]);
  assert.deepEqual(requests.map(({ headers }) => headers.get("authorization")), ["Bearer old", "Bearer new"]);
  assert.equal(requests[0].headers.get("idempotency-key"), requests[1].headers.get("idempotency-key"));
});

test("request that is refused again after a renewal rejects", async () => {
  const sync = makeSync();
  let renewals = 0;
  offerRenewal(sync, async () => ++renewals > 0);
  const { client, requests } = makeClient([refused(401, "unauthorized")], { sync });
  await assert.rejects(client.get("c"), { code: "unauthorized" });
  assert.deepEqual([renewals, requests.length], [1, 2]);
});

test("request rejects with the refusal if the session is not renewed", async () => {
  const sync = makeSync();
  offerRenewal(sync, async () => false);
  const { client, requests } = makeClient([refused(401, "unauthorized")], { sync });
  await assert.rejects(client.get("c"), { code: "unauthorized" });
  assert.equal(requests.length, 1);
});

test("renewal counts in the time of the call", async () => {
  const sync = makeSync();
  offerRenewal(sync, () => new Promise(() => {}));
  const { client } = makeClient([refused(401, "unauthorized")], { sync, timeoutMs: 20 });
  await assert.rejects(client.get("c"), { code: "timed_out" });
});

test("login and logout renew nothing", async () => {
  const sync = makeSync();
  offerRenewal(sync, () => assert.fail("asked"));
  const { client } = makeClient([refused(401, "unauthorized")], { sync });
  await assert.rejects(client.login("ann", "wrong"), { code: "unauthorized" });
  await assert.rejects(client.logout(), { code: "unauthorized" });
});

test("write waits until the page shows it", async () => {
  const sync = makeSync();
  const { client } = makeClient([Response.json(CHANGED, { headers: AT_7 })], { sync });
  const { position } = await client.act("c", "validate-dns");
  assert.deepEqual(position, { epoch: "e1", sequenceNumber: 7 });
  assert.deepEqual([sync.waits[0][0], sync.waits[1]], [position, "released"]);
  await client.act("another", "pause");
  assert.equal(sync.waits.length, 2, "nothing to wait for: the page does not hold it");
});

test("read is not older than the last write and than the page", async () => {
  const { client, requests } = makeClient([Response.json(RECORD, { headers: AT_7 })], { sync: makeSync() });
  const floor = () => requests.at(-1).url.searchParams.get("min_position");
  assert.equal((await client.get("c")).position.sequenceNumber, 7);
  assert.equal(floor(), "e1/5", "the page shows 5");
  await client.get("another");
  assert.equal(floor(), null);
  const written = makeClient([Response.json(CHANGED, { headers: AT_7 })], { sync: makeSync() });
  await written.client.act("c", "pause");
  await written.client.snapshot("c");
  assert.equal(written.requests.at(-1).url.searchParams.get("min_position"), "e1/7");
  assert.equal(requests[0].cache, "no-store");
});

test("write to a log that another one replaced keeps no read waiting for it", async () => {
  const replaced = (request) => (request.url.includes("min_position=e1") ? refused(503, "behind", { "retry-after": "0" }) : Response.json(RECORD, { headers: { "Campaign-Position": "e2/3" } }));
  const { client } = makeClient([Response.json(CHANGED, { headers: AT_7 }), replaced]);
  await client.act("c", "pause");
  await assert.rejects(client.get("c"), { code: "behind" });
  assert.deepEqual((await client.get("c")).position, { epoch: "e2", sequenceNumber: 3 }, "the next read asks for no position");
});

test("refusal is an error with the server's code, message and status", async () => {
  for (const [status, code] of [[409, "illegal_transition"], [409, "expected_state_mismatch"], [403, "forbidden"], [404, "unknown_campaign"], [400, "invalid_body"]]) {
    const { client, requests } = makeClient([refused(status, code)]);
    await assert.rejects(client.act("c", "pause"), (error) => {
      assert.deepEqual([error.name, error.code, error.message, error.cause.status], ["CampaignSyncError", code, `because of ${code}`, status]);
      return true;
    });
    assert.equal(requests.length, 1, "a refusal lasts");
  }
  for (const answer of [new Response("<html>", { status: 404 }), new Response("<html>"), Response.json({ error: 5 }, { status: 400 }), refused(418, "unheard_of")]) {
    await assert.rejects(makeClient([answer]).client.get("c"), { code: "fetch_failed" });
  }
});

test("passing failures are repeated with the same key, refused ones and logins are not", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const run = async (promise) => {
      const settled = promise.then(() => "done", (error) => error.code);
      for (let turn = 0; turn < 60; turn++) {
        await settle();
        mock.timers.tick(500);
      }
      return settled;
    };
    const passing = [new TypeError("offline"), refused(503, "behind", { "retry-after": "1" }), refused(429, "rate_limited"), Response.json(CHANGED)];
    const write = makeClient([...passing]);
    assert.equal(await run(write.client.act("c", "pause")), "done");
    assert.equal(new Set(write.requests.map(({ headers }) => headers.get("idempotency-key"))).size, 1);
    assert.equal(write.requests.length, 4);

    const gone = makeClient([new TypeError("offline")]);
    assert.equal(await run(gone.client.get("c")), "fetch_failed");
    assert.equal(gone.requests.length, 4, "four attempts");

    const login = makeClient([refused(429, "rate_limited")]);
    assert.equal(await run(login.client.login("ada", "secret")), "rate_limited");
    assert.equal(login.requests.length, 1);
  } finally {
    mock.timers.reset();
  }
});

test("call ends at its deadline and with its signal, and its request is aborted", async () => {
  const hanging = () => makeClient([(request) => new Promise((_, reject) => request.signal.addEventListener("abort", () => reject(request.signal.reason)))]);
  const late = hanging();
  await assert.rejects(late.client.get("c", { timeoutMs: 5 }), { name: "CampaignSyncError", code: "timed_out" });
  assert.equal(late.requests[0].signal.aborted, true);
  const stopped = hanging();
  const controller = new AbortController();
  const call = assert.rejects(stopped.client.get("c", { signal: controller.signal }), /left the page/);
  await settle();
  controller.abort(new Error("left the page"));
  await call;
  await assert.rejects(stopped.client.get("c", { signal: controller.signal }), /left the page/);
  assert.equal(stopped.requests.length, 1, "an aborted signal sends nothing");
});

test("rows come from one position, and position_changed says that they did not", async () => {
  const page = (offset, position) => Response.json({ domains: [{ domainId: `d-${offset}` }], offset, limit: 1, total: 3, domainsCount: 3 }, { headers: { "Campaign-Position": position } });
  const steady = makeClient([page(0, "e1/7"), page(1, "e1/7"), page(2, "e1/7")]);
  const pages = [];
  for await (const it of steady.client.rows("c", { limit: 1, dnsStatus: "resolved" })) pages.push(it);
  assert.deepEqual(pages.map(({ rows, position, total }) => [rows[0].domainId, position.sequenceNumber, total]), [["d-0", 7, 3], ["d-1", 7, 3], ["d-2", 7, 3]]);
  assert.equal(steady.requests[1].url.search, "?dnsStatus=resolved&offset=1&limit=1");
  const moving = makeClient([page(0, "e1/7"), page(1, "e1/8")]).client.rows("c", { limit: 1 });
  await moving.next();
  await assert.rejects(moving.next(), { code: "position_changed" });
});

test("campaigns are listed page by page", async () => {
  const { client, requests } = makeClient([Response.json({ campaigns: [{ campaignId: "a" }], next: "a" }), Response.json({ campaigns: [{ campaignId: "b" }], next: null })]);
  const ids = [];
  for await (const { campaignId } of client.campaigns()) ids.push(campaignId);
  assert.deepEqual(ids, ["a", "b"]);
  assert.deepEqual(requests.map(({ url }) => url.search), ["?limit=1000", "?limit=1000&cursor=a"]);
});

test("token goes into the header of each request", async () => {
  const { client, requests } = makeClient([Response.json(RECORD)], { token: async () => "t-1" });
  await client.get("c");
  assert.equal(requests[0].headers.get("authorization"), "Bearer t-1");
  const failing = makeClient([Response.json(RECORD)], { token: () => { throw new Error("no token"); }, timeoutMs: 50 });
  await assert.rejects(failing.client.login("a", "b"), { code: "token_failed" });
});

test("address follows the page and its base, as that of the socket does", async () => {
  const seen = [];
  const fetch = async ({ url }) => (seen.push(url), Response.json(RECORD));
  globalThis.document = { baseURI: "https://host.test/app/" };
  try {
    await new RestClient({ fetch }).get("c");
    await new RestClient({ fetch, baseUrl: "api/v2/" }).get("c-1");
    await assert.rejects(new RestClient({ fetch }).get("../x"), { code: "invalid_campaign_id" });
  } finally {
    delete globalThis.document;
  }
  assert.deepEqual(seen, ["https://host.test/api/v2/campaigns/c", "https://host.test/app/api/v2/campaigns/c-1"]);
  assert.throws(() => new RestClient(), { code: "invalid_argument" }, "nothing has an address here");
});

test("allowed actions are the steps of the phase machine", () => {
  const record = (currentPhase, phaseStatus) => ({ currentPhase, phaseStatus });
  assert.deepEqual(allowedActions(record("domain_generation", "ready")), ["start"]);
  assert.deepEqual(allowedActions(record("domain_generation", "completed")), ["configure-dns", "validate-dns"]);
  assert.deepEqual(allowedActions(record("dns_validation", "in_progress")), ["pause", "rollback"]);
  assert.deepEqual(allowedActions(record("http_keyword_validation", "paused")), ["validate-http", "resume", "rollback"]);
  assert.deepEqual(allowedActions(record("analysis", "completed")), []);
  assert.deepEqual(allowedActions(record("extraction", "ready")), [], "a phase without steps");
  for (const [action, phase, statuses] of STEPS) for (const status of statuses) assert.ok(allowedActions(record(phase, status)).includes(action));
});

test("types of the interface are those of its description", () => {
  execFileSync(process.execPath, [new URL("../scripts/rest-types.js", import.meta.url).pathname, "--check"]);
});

test("entry does not import the module", () => {
  const seen = new Set();
  const visit = (name) => {
    if (seen.has(name)) return;
    seen.add(name);
    const source = readFileSync(new URL(`../dist/${name}`, import.meta.url), "utf8");
    for (const [, next] of source.matchAll(/from "\.\/([^"]+)"/g)) visit(next);
  };
  visit("rest.js");
  assert.deepEqual([...seen].filter((name) => /glue|embedded|module|load|core|wasm/.test(name)), []);
});

test("failing or invalid token has another code than a failed request", async () => {
  const ok = () => Response.json(RECORD);
  const tokens = [[() => ({ token: "t" }), "invalid_token"], [() => "a\nb", "invalid_token"], [async () => 7, "invalid_token"]];
  for (const [token, code] of tokens) {
    const { client, requests } = makeClient([ok()], { token });
    await assert.rejects(client.get("c"), { code });
    assert.equal(requests.length, 0);
  }
  for (const token of [() => null, async () => undefined, () => ""]) {
    const { client, requests } = makeClient([ok()], { token });
    await client.get("c");
    assert.equal(requests[0].headers.get("authorization"), null);
  }
});

test("provider of tokens that fails is asked again", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let asked = 0;
  const token = () => {
    if (++asked < 3) throw new Error("away");
    return "t";
  };
  const { client, requests } = makeClient([Response.json(RECORD)], { token });
  const answer = client.get("c");
  for (let i = 0; i < 3; i++) {
    await settle();
    t.mock.timers.tick(10_000);
  }
  assert.equal((await answer).name, "n");
  assert.deepEqual([asked, requests.length, requests[0].headers.get("authorization")], [3, 1, "Bearer t"]);
});

test("write that the page does not show in time names its position", async () => {
  const sync = { ...makeSync(), campaign: () => ({ reached: async () => Promise.reject(new CampaignSyncError("timed_out")), release: () => {} }) };
  const { client } = makeClient([Response.json(CHANGED, { headers: AT_7 })], { sync });
  await assert.rejects(client.act("c", "validate-dns"), ({ code, cause, message }) => {
    assert.deepEqual([code, cause], ["timed_out", { status: 200, code: "timed_out", position: { epoch: "e1", sequenceNumber: 7 } }]);
    return message.length <= 120 && /accepted/.test(message);
  });
});

test("aborted call asks no more, and leaves no timer", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let asked = 0;
  const { client } = makeClient([new TypeError("down")], { token: () => (asked++, "t") });
  const abort = new AbortController();
  const answer = client.get("c", { signal: abort.signal });
  await settle();
  abort.abort(new Error("left"));
  await assert.rejects(answer, { message: "left" });
  await settle();
  t.mock.timers.tick(60_000);
  await settle();
  assert.equal(asked, 1);
});
