// The routes of the server of `campaign-sync/testing`, with the REST client, the cache and the polling of the package.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { afterEach, before, test } from "node:test";

import { withFakeClock } from "./support/clock.js";

const require = createRequire(import.meta.url);
const { CampaignSync, init } = require("../dist/cjs/index.js");
const { RichCampaignCache, restFetcher, restSnapshot } = require("../dist/cjs/cache.js");
const { RestClient } = require("../dist/cjs/rest.js");
const { createTestServer } = require("../dist/cjs/testing.js");

const API = require("../../docs/openapi.json");
const open = [];
before(() => init());
afterEach(() => {
  for (const it of open.splice(0)) it.close();
});

/** A server with one campaign, and a REST client for it. */
function started(options) {
  const server = createTestServer(options);
  open.push(server);
  return { server, id: server.create({ rows: 3 }), client: new RestClient(server.rest) };
}

function follow(server, id, options = {}) {
  const sync = new CampaignSync({ ...server.options, target: null, ...options });
  open.unshift(sync);
  sync.connect();
  return { sync, campaign: sync.campaign(id) };
}

test("REST client creates, reads and moves campaigns", async () => {
  const { server, client } = started();
  const { campaign, position } = await client.create({ name: "Spring", count: 10 });
  const id = campaign.campaignId;
  assert.deepEqual(position, { epoch: server.state(id).position.epoch, sequenceNumber: 1 });
  assert.equal((await client.act(id, "start", { expectedState: "domain_generation/ready" })).campaign.phaseStatus, "in_progress");
  server.rows(id, 10);
  const { settings, name } = await client.get(id);
  assert.deepEqual([name, settings.count], ["Spring", 10]);
  const pages = [];
  for await (const page of client.rows(id, { limit: 4, search: "NAME" })) pages.push(page.rows.length);
  assert.deepEqual(pages, [4, 4, 2]);
  assert.equal((await client.snapshot(id)).domains.length, 10);
  server.patch(id, { phaseStatus: "completed" });
  await client.act(id, "configure-dns", { reason: "ready" });
  assert.deepEqual((await client.transitions(id)).map(({ to, reason }) => [to, reason]).at(-1), ["dns_validation/configured", "ready"]);
  const names = [];
  for await (const record of client.campaigns()) names.push(record.campaignId);
  assert.deepEqual(names, ["campaign-1", "campaign-2"]);
  assert.equal((await client.list({ limit: 1 })).next, "campaign-1");
  await client.delete(id);
  await assert.rejects(client.get(id), { code: "unknown_campaign" });
});

test("routes refuse what the contract refuses", async () => {
  const { server, id, client } = started();
  await assert.rejects(client.act(id, "analyze"), { code: "illegal_transition" });
  await assert.rejects(client.act(id, "start", { expectedState: "analysis" }), { code: "expected_state_mismatch" });
  await client.act(id, "start", { idempotencyKey: "one" });
  await client.act(id, "start", { idempotencyKey: "one" });
  await assert.rejects(client.act(id, "pause", { idempotencyKey: "one" }), { code: "invalid_body" });
  const answers = { "/campaigns/a%20b": 400, "/nothing": 404, "/campaigns/x": 404, [`/campaigns/${id}/nothing`]: 404, [`/campaigns/${id}/start`]: 405, "/campaigns?limit=-1": 400 };
  for (const [path, status] of Object.entries(answers)) assert.equal((await server.fetch(server.baseUrl + path)).status, status, path);
  assert.equal((await server.fetch(`${server.baseUrl}/campaigns`, { method: "POST", body: "{" })).status, 400);
  assert.equal((await server.fetch("https://elsewhere.test/")).status, 404);
  const aborted = AbortSignal.abort(new Error("left"));
  await assert.rejects(server.fetch(`${server.baseUrl}/campaigns`, { signal: aborted }), { message: "left" });
});

/** The paths of members that a value lacks, or has beside those of a schema of docs/openapi.json. */
function deviations(schema, value, path = "") {
  if (schema.$ref) return deviations(API.components.schemas[schema.$ref.split("/").at(-1)], value, path);
  const parts = (schema.allOf ?? [schema]).map((part) => (part.$ref ? API.components.schemas[part.$ref.split("/").at(-1)] : part));
  if (schema.type === "array") return value.flatMap((item, at) => deviations(schema.items, item, `${path}[${at}]`));
  const properties = Object.assign({}, ...parts.map((part) => part.properties));
  if (Object.keys(properties).length === 0) return [];
  const missing = parts.flatMap((part) => part.required ?? []).filter((name) => value[name] === undefined);
  const unknown = Object.keys(value).filter((name) => properties[name] === undefined);
  const inside = Object.entries(properties).filter(([name]) => value[name] != null);
  return [...missing.map((name) => `${path}.${name} missing`), ...unknown.map((name) => `${path}.${name} unknown`),
    ...inside.flatMap(([name, property]) => deviations(property, value[name], `${path}.${name}`))];
}

test("answers have the members of the description of the interface", async () => {
  const { server, id } = started();
  server.patch(id, { phaseStatus: "completed" });
  const calls = [
    ["get", "/auth/session"], ["post", "/auth/login", { user: "ada", password: "x", bearer: true }], ["post", "/campaigns", { name: "n", count: 1 }], ["get", "/campaigns"],
    ["post", "/campaigns/{id}/{action}", {}], ["get", "/campaigns/{id}"], ["get", "/campaigns/{id}/domains"], ["get", "/campaigns/{id}/snapshot"],
    ["get", "/campaigns/{id}/transitions"], ["put", "/campaigns/{id}/owner", { owner: null }], ["delete", "/campaigns/{id}"], ["post", "/auth/logout", {}],
  ];
  for (const [method, route, body] of calls) {
    const path = route.replace("{id}", id).replace("{action}", "configure-dns");
    const answer = await server.fetch(server.baseUrl + path, { method, ...(body && { body: JSON.stringify(body) }) });
    const described = API.paths[`/api/v2${route}`]?.[method] ?? API.paths[route][method];
    assert.ok(described.responses[answer.status], `${method} ${route}: ${answer.status}`);
    assert.deepEqual(deviations(described.responses[answer.status].content["application/json"].schema, await answer.json()), [], `${method} ${route}`);
  }
  const refused = await server.fetch(`${server.baseUrl}/campaigns`);
  assert.equal(refused.status, 401);
  assert.deepEqual(deviations(API.components.schemas.ErrorBody, await refused.json()), []);
});

test("misspelt member of a body is refused by its name", async () => {
  const { server, id, client } = started();
  const post = async (path, body) => (await (await server.fetch(server.baseUrl + path, { method: "POST", body: JSON.stringify(body) })).json()).error;
  assert.deepEqual(await post(`/campaigns/${id}/start`, { expctedState: "x" }), { code: "invalid_body", message: "This route has no member expctedState." });
  assert.match((await post("/campaigns", { name: "n" })).message, /count/);
  await assert.rejects(client.create({ name: "", count: 1 }), { code: "invalid_body" });
});

test("sessions of users own what they create", async () => {
  const { server, id, client } = started({ passwords: { ada: "secret" } });
  await assert.rejects(client.login("ada", "wrong"), { code: "unauthorized" });
  await client.login("ada", "secret");
  const own = (await client.create({ name: "Own", count: 1 })).campaign.campaignId;
  assert.equal((await client.session()).user, "ada");
  const { token } = await client.login("bob", "any", { bearer: true });
  const bob = new RestClient({ ...server.rest, token: () => token });
  await assert.rejects(bob.get(own), { code: "unknown_campaign" });
  assert.deepEqual((await bob.list()).campaigns.map(({ campaignId }) => campaignId), [id]);
  await client.setOwner(own, "bob");
  assert.equal((await bob.get(own)).name, "Own");
  await client.logout();
  await assert.rejects(client.list(), { code: "unauthorized" });
  assert.equal((await bob.session()).user, "bob");
});

test("write resolves when the page shows it", async () => {
  const { server, id } = started();
  const { sync, campaign } = follow(server, id);
  await server.settled();
  const client = new RestClient({ ...server.rest, sync });
  await client.act(id, "start");
  assert.equal(campaign.view().campaign.phaseStatus, "in_progress");
});

test("read waits for its position and is behind after 2 s", () => withFakeClock(async (clock) => {
  const { server, id } = started();
  const { epoch, sequenceNumber } = server.state(id).position;
  const read = (number) => server.fetch(`${server.baseUrl}/campaigns/${id}?min_position=${epoch}%2F${number}`);
  const late = read(sequenceNumber + 1);
  await server.settled();
  server.patch(id, { totalItems: 3 });
  assert.equal((await late).status, 200);
  const behind = read(sequenceNumber + 5);
  await clock.tickAsync(2_000);
  assert.equal((await behind).status, 503);
}));

test("cache of the package reads from the test server", async () => {
  const { server, id } = started();
  const { sync } = follow(server, id);
  const cache = new RichCampaignCache({ sync, fetch: restFetcher(server.rest) });
  await server.settled();
  assert.equal((await cache.get(id, { source: "fetch" })).domains.length, 3);
  server.rows(id, 1);
  await server.settled();
  assert.equal((await cache.get(id, { source: "fetch" })).domains.length, 4);
  cache.dispose();
});

test("client polls snapshots while the sockets are away", () => withFakeClock(async (clock) => {
  const { server, id } = started();
  const socketless = class extends server.WebSocket {
    constructor(url) {
      super(url);
      setTimeout(() => this.close());
    }
  };
  const { campaign } = follow(server, id, { WebSocket: socketless, fetchSnapshot: restSnapshot(server.rest) });
  server.hold();
  await clock.tickAsync(120_000);
  assert.deepEqual([campaign.view().staleReason, campaign.view().domainsCount], ["polling", 3]);
}));

test("silent server answers requests once it resumes", async () => {
  const { server, id } = started();
  server.silence();
  let status;
  const request = server.fetch(`${server.baseUrl}/campaigns/${id}`).then((response) => (status = response.status));
  await server.settled();
  assert.equal(status, undefined);
  server.resume();
  await request;
  assert.equal(status, 200);
});

test("request aborts while the server is silent, and is not performed", async () => {
  const { server } = started();
  const before = server.requests.length;
  const create = (signal) => server.fetch(`${server.baseUrl}/campaigns`, { method: "POST", body: '{"name":"n","count":1}', signal });
  await assert.rejects(create(AbortSignal.abort()), { name: "AbortError" });
  server.silence();
  const abort = new AbortController();
  const request = create(abort.signal);
  abort.abort();
  await assert.rejects(request, { name: "AbortError" });
  server.resume();
  await server.settled();
  assert.equal(server.requests.length, before);
});

test("request that waits for a position ends with the server", () => withFakeClock(async () => {
  for (const end of ["stop", "close"]) {
    const { server, id } = started();
    const waiting = server.fetch(`${server.baseUrl}/campaigns/${id}?min_position=other%2F9`);
    await server.settled();
    server[end]();
    await assert.rejects(waiting, TypeError);
  }
}));

test("logout ends its own session only", async () => {
  const { server } = started();
  const [first, second] = [server.admit("ada"), server.admit("ada")].map((token) => new RestClient({ ...server.rest, token: () => token }));
  await first.logout();
  await assert.rejects(first.session(), { code: "unauthorized" });
  assert.equal((await second.session()).user, "ada");
});

test("limits of pages are those of the description", async () => {
  const { server, id } = started();
  const status = async (path) => (await server.fetch(`${server.baseUrl}/campaigns${path}`)).status;
  const limits = ["?limit=0", "?limit=1001", "?limit=", `/${id}/domains?limit=20000`, `/${id}/domains?limit=x`, "/%zz"];
  assert.deepEqual(await Promise.all(limits.map(status)), [400, 400, 400, 200, 400, 400]);
  for (let i = 0; i < 120; i++) server.create();
  const length = async (query) => (await (await server.fetch(`${server.baseUrl}/campaigns${query}`)).json()).campaigns.length;
  assert.deepEqual([await length(""), await length("?cursor=a")], [121, 100]);
});

test("refusals have the sentences of the guide to errors", async () => {
  const { server, id, client } = started();
  const page = readFileSync(new URL("../../docs/ERRORS.md", import.meta.url), "utf8");
  const codes = ["invalid_body", "method_not_allowed", "not_found", "illegal_transition", "expected_state_mismatch", "prerequisites_not_met", "behind", "integrity_check_failed", "rate_limited"];
  for (const code of codes) {
    server.refuse(code);
    const { error } = await (await server.fetch(`${server.baseUrl}/campaigns/${id}`)).json();
    assert.ok(page.includes(`### \`${code}\`\n\n${error.message}\n`), `${code}: ${error.message}`);
  }
  await assert.rejects(client.act(id, "start", { expectedState: "analysis" }), { message: "The campaign has moved on: look at the new state, then decide again." });
});

test("servers that replace globals may close in any order", async () => {
  const { WebSocket, fetch } = globalThis;
  const [first, second, third] = [createTestServer(), createTestServer(), createTestServer()];
  for (const server of [first, second, third]) server.install();
  second.create({ campaignId: "of-second" });
  third.close();
  first.close();
  assert.equal((await globalThis.fetch("https://localhost/api/v2/campaigns/of-second")).status, 200);
  second.close();
  assert.deepEqual([globalThis.WebSocket, globalThis.fetch], [WebSocket, fetch]);
});
