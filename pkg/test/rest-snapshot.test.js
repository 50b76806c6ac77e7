import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { test } from "node:test";

import { restFetcher, restSnapshot } from "../dist/cache.js";
import { CampaignSyncError } from "../dist/index.js";
import { makeSync, settle } from "./support/fixtures.js";

const BODY = '{"campaignId":"c","epoch":"e1","sequenceNumber":9007199254740993,"campaign":{"name":"ä"},"domains":[]}';

/** A fetch function that records its calls and returns the given answer. */
function answering(answer) {
  const calls = [];
  const fetch = async (address, init) => {
    calls.push({ address, init });
    return answer();
  };
  return { calls, fetch };
}

/** Returns the error of one snapshot request. The error must be a `fetch_failed`. */
async function failure(answer, id = "c") {
  const error = await restSnapshot({ fetch: answering(answer).fetch })(id).then(() => assert.fail("no error"), (error) => error);
  assert.ok(error instanceof CampaignSyncError);
  assert.equal(error.code, "fetch_failed");
  return error;
}

test("rest snapshot requests the route once and bypasses the browser's cache", async () => {
  const { calls, fetch } = answering(() => new Response(BODY));
  await restSnapshot({ baseUrl: "https://host.test/api/v2", fetch })("c");
  assert.deepEqual(calls.map(({ address }) => address), ["https://host.test/api/v2/campaigns/c/snapshot"]);
  const { cache, headers } = calls[0].init;
  assert.deepEqual([cache, headers], ["no-store", { accept: "application/json" }]);
});

test("rest snapshot uses the platform's fetch by default", async (t) => {
  const { calls, fetch } = answering(() => new Response(BODY));
  t.mock.method(globalThis, "fetch", fetch);
  const snapshot = restSnapshot();
  await snapshot("c");
  await restSnapshot({})("d");
  assert.deepEqual(calls.map(({ address }) => address), ["/api/v2/campaigns/c/snapshot", "/api/v2/campaigns/d/snapshot"]);
});

test("rest snapshot returns the text unchanged", async () => {
  const sealed = '{"kid":"2031-a","epoch":"e1","sequenceNumber":4,"sealed":"AAAA"}';
  for (const text of [BODY, sealed, ` ${BODY}\n`]) {
    assert.equal(await restSnapshot({ fetch: answering(() => new Response(text)).fetch })("c"), text);
  }
});

test("rest snapshot keeps the campaign id in one path segment", async () => {
  const ids = ["a/b", "../x", "a?b#c", "a b", "ä", "%2E"];
  const { calls, fetch } = answering(() => new Response(BODY));
  for (const id of ids) await restSnapshot({ fetch })(id);
  const segments = calls.map(({ address }) => new URL(address, "http://host.test").pathname.split("/"));
  assert.deepEqual(segments.map((path) => [path.length, decodeURIComponent(path[4])]), ids.map((id) => [6, id]));
});

test("rest snapshot refuses ids that no path segment can hold", async () => {
  const { calls, fetch } = answering(() => new Response(BODY));
  for (const id of ["", ".", "..", "\ud800"]) {
    await assert.rejects(restSnapshot({ fetch })(id), (error) => error.code === "fetch_failed" && error.cause.code === "invalid_campaign_id");
    await assert.rejects(restFetcher({ fetch })(id, { minPosition: null }), { name: "CampaignSyncError", code: "invalid_campaign_id" });
  }
  assert.deepEqual(calls, []);
});

test("rest snapshot fails with the server's refusal as its cause", async () => {
  const refused = (code, status) => () => Response.json({ error: { code, message: "in words" } }, { status });
  for (const [code, status] of [["behind", 503], ["forbidden", 403], ["unknown_campaign", 404]]) {
    const error = await failure(refused(code, status));
    assert.deepEqual([error.cause.code, error.cause.message], [code, "in words"]);
    assert.match(error.message, /in words/);
  }
});

test("rest snapshot fails on every status but success, with any body", async () => {
  for (const status of [304, 400, 404, 500, 502, 503]) {
    const body = status === 304 ? null : "<html>";
    assert.match((await failure(() => new Response(body, { status }))).message, new RegExp(String(status)));
  }
  for (const error of [null, "no", 5, [], { code: 5 }, { code: "oops", message: 7 }]) {
    assert.match((await failure(() => Response.json({ error }, { status: 500 }))).message, /500/);
  }
  assert.match((await failure(() => Response.json(null, { status: 500 }))).message, /500/);
  assert.match((await failure(() => new Response(BODY, { status: 500 }))).message, /500/, "a state in a refusal is not used");
});

test("rest snapshot fails on a body that is not JSON", async () => {
  for (const text of ["", "<!doctype html><title>Sign in</title>", BODY.slice(0, -1), `${BODY}${BODY}`, "undefined", "{'a':1}"]) {
    assert.ok((await failure(() => new Response(text))).cause instanceof SyntaxError, text);
  }
  assert.ok((await failure(() => new Response(null, { status: 204 }))).cause instanceof SyntaxError);
});

test("rest snapshot fails with the network's error as its cause", async () => {
  const cause = new TypeError("Failed to fetch");
  const error = await failure(() => { throw cause; });
  assert.equal(error.cause, cause);
  assert.match(error.message, /Failed to fetch/);
});

test("rest snapshot fails if the connection ends within the body", async (t) => {
  const server = createServer((request, response) => {
    response.writeHead(200, { "content-type": "application/json", ...(request.url.includes("/sized/") && { "content-length": Buffer.byteLength(BODY) + 1 }) });
    response.write(BODY, () => response.destroy());
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const snapshot = restSnapshot({ baseUrl: `http://127.0.0.1:${server.address().port}` });
  for (const id of ["sized", "chunked"]) {
    await assert.rejects(snapshot(id), (error) => error.code === "fetch_failed" && error.cause instanceof Error, id);
  }
});

test("rest snapshot aborts the request after the client's timeout", async (t) => {
  const source = new URL("../../src/sync/config.rs", import.meta.url);
  const configured = Number(/FETCH_TIMEOUT_MS: u64 = ([\d_]+);/.exec(await readFile(source, "utf8"))[1].replaceAll("_", ""));
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let signal;
  const fetch = (address, options) => {
    signal = options.signal;
    return new Promise(() => {});
  };
  const failed = assert.rejects(restSnapshot({ fetch })("c"), ({ code, cause }) => code === "fetch_failed" && cause.code === "timed_out");
  t.mock.timers.tick(configured - 1);
  assert.equal(signal.aborted, false);
  t.mock.timers.tick(1);
  assert.equal(signal.aborted, true);
  await failed;
});

test("client logs the reason of a failed rest snapshot", async () => {
  const records = [];
  const { fetch } = answering(() => Response.json({ error: { code: "behind", message: "the log is behind" } }, { status: 503 }));
  const { machine } = makeSync({ fetchSnapshot: restSnapshot({ fetch }), log: (record) => records.push(record) });
  machine.host.fetchSnapshot(1, "c");
  await settle();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(machine.calls, [["provideSnapshot", 1, undefined]]);
  assert.deepEqual([records.length, records[0].level, records[0].code, records[0].campaignId], [1, "warn", "fetch_failed", "c"]);
  assert.match(records[0].message, /the log is behind/);
});

test("client receives the text of a rest snapshot as the server wrote it", async () => {
  const { machine } = makeSync({ fetchSnapshot: restSnapshot({ fetch: answering(() => new Response(BODY)).fetch }) });
  machine.host.fetchSnapshot(1, "c");
  await settle();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(machine.calls, [["provideSnapshot", 1, BODY]]);
});
