// The cache reads many rows in many tasks, on the compiled module. The test decides when the next task runs.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { RichCampaignCache } from "../dist/cache.js";
import { settle } from "./support/fixtures.js";
import { CAMPAIGN, enter, follow, manualFetch, Random, rowsText, Server, textOf } from "./support/model.js";

/** Rows of one slice, and the rows that may come beside it in the same task. */
const [SLICE, FEW] = [1_000, 250];

const { MessageChannel } = globalThis;
/** The requested tasks that do not run yet, and the number of open channels. */
let tasks, channels;

beforeEach(() => {
  [tasks, channels] = [[], 0];
  globalThis.MessageChannel = class {
    constructor() { channels += 1; }
    port1 = { onmessage: null, close: () => (channels -= 1) };
    port2 = { postMessage: () => void tasks.push(() => this.port1.onmessage()) };
  };
});
afterEach(() => void (globalThis.MessageChannel = MessageChannel));

/** Runs the requested tasks. The server answers pings meanwhile. */
async function nextTask() {
  await new Promise(setImmediate);
  for (const task of tasks.splice(0)) task();
  await settle();
}

/** Appends an event that sets the DNS outcome of these rows. Creates those that are new. */
function setRows(server, from, count, dnsStatus) {
  const domains = Array.from({ length: count }, (_, index) => ({ domainId: `d-${from + index}`, domain: `name-${from + index}.example`, offset: from + index, dnsStatus }));
  return server.update(domains);
}

/** A live client of a campaign with so many rows, a cache, and what each task read: the numbers of rows, slice by slice. */
async function withRows(count) {
  const server = new Server();
  for (let from = 0; from < count; from += 1_000) setRows(server, from, Math.min(1_000, count - from), "timeout");
  const { sync, campaign } = await follow(server);
  const { calls, fetch } = manualFetch();
  const cache = new RichCampaignCache({ sync, fetch, pause: async () => {} });
  const read = [[]];
  const { campaign: take } = sync;
  sync.campaign = (id) => {
    const handle = take.call(sync, id);
    const { slice } = handle;
    handle.slice = (reader) => {
      const answer = slice(reader);
      read.at(-1).push(answer.rows.length);
      return answer;
    };
    return handle;
  };
  const next = async () => { read.push([]); await nextTask(); };
  /** Runs tasks until the call settles; `between` happens before each. */
  const finish = async (call, between = () => {}) => {
    let open = true;
    const settled = call.then(() => {}, () => {}).then(() => (open = false));
    for (await settle(); open; ) { assert.ok(tasks.length > 0, "the call waits for a task"); between(read.length); await next(); }
    await settled;
    return call;
  };
  const close = () => { cache.dispose(); sync.close(); };
  return { server, sync, campaign, cache, calls, read, next, finish, close };
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const total = ({ read }) => sum(read.flat());

/** Checks that data is the state of the server that the view shows. */
function assertPresent({ server, sync }, data, context = "") {
  const { sequenceNumber } = sync.view(CAMPAIGN).position;
  assert.equal(data.position.sequenceNumber, sequenceNumber, `${context}: the position of the view`);
  const { record, rows } = server.at(sequenceNumber);
  assert.equal(textOf(data.campaign), record, `${context}: the record`);
  assert.equal(rowsText(data.domains), rows, `${context}: the rows`);
}

test("no task reads more than 1,000 of 50,000 rows", async (t) => {
  const it = await withRows(50_000);
  const data = await it.finish(it.cache.get(CAMPAIGN));
  const most = Math.max(...it.read.map(sum));
  t.diagnostic(`${it.read.length} tasks, ${most} rows in the largest`);
  assert.deepEqual([it.read.length, most, total(it), channels], [51, SLICE, 50_000, 0]);
  assertPresent(it, data);
  assert.deepEqual(data.domains, [...it.campaign.rows()].flatMap(({ rows }) => rows), "in the order of the offsets");
  assert.ok([data, data.domains, data.domains[49_999], data.leads, data.dnsValidatedDomains, data.httpKeywordResults].every(Object.isFrozen));
  assert.equal(await it.cache.get(CAMPAIGN), data, "the same object until something changes");
  it.close();
});

test("few rows are given without waiting for another task", async () => {
  for (const count of [0, 1, FEW]) {
    const it = await withRows(count);
    const call = it.cache.get(CAMPAIGN);
    await settle();
    assert.equal(tasks.length, 0);
    assertPresent(it, await call);
    it.close();
  }
});

test("rows that change between two tasks are read again, and no others", async () => {
  const it = await withRows(10_000);
  const changes = [() => it.sync.receive(setRows(it.server, 500, 3, "resolved")), () => it.sync.receive(it.server.append("progress"))];
  const data = await it.finish(it.cache.get(CAMPAIGN), () => changes.pop()?.());
  assertPresent(it, data);
  assert.deepEqual([it.read.length, total(it)], [11, 10_003]);
  it.close();
});

// R16.21
test("all rows are of one position, which is not behind the view, in random histories", async () => {
  const kinds = ["added", "changed", "removed", "progress", "status", "transition", "message"];
  for (let seed = 1; seed <= 25; seed++) {
    const random = new Random(seed);
    const it = await withRows(1_000 + random.below(4_000));
    const change = () => {
      for (let events = random.below(4); events > 0; events--) it.sync.receive(it.server.append(random.pick(kinds), random));
      if (random.below(5) === 0) it.sync.receive(setRows(it.server, random.below(5_000), 1 + random.below(1_000), random.pick(["resolved", "error"])));
    };
    for (let round = 1; round <= 3; round++) {
      // The answer is compared in the task in which the promise settles.
      const call = it.cache.get(CAMPAIGN).then((data) => assertPresent(it, data, `seed ${seed}, round ${round}`));
      await it.finish(call, change);
      change();
    }
    assert.equal(it.calls.length, 0, "without a request");
    it.close();
  }
});

test("busy campaign is answered after a bounded number of steps", async () => {
  const busy = {
    "a tenth of the rows change": (it, n) => setRows(it.server, (n % 10) * 400, 400, `s-${n}`),
    "a slice of rows changes": (it, n) => setRows(it.server, (n % 4) * 1_000, 1_000, `s-${n}`),
    "rows are removed": (it) => it.server.append("removed"),
    "rows are added": (it, n) => setRows(it.server, 10_000 + n * 1_000, 1_000, "new"),
  };
  for (const [what, change] of Object.entries(busy)) {
    const it = await withRows(4_000);
    const data = await it.finish(it.cache.get(CAMPAIGN), (n) => it.sync.receive(change(it, n)));
    assertPresent(it, data, what);
    assert.ok(it.read.length <= 4 * 4 + 1, `${what}: ${it.read.length} tasks`);
    assert.ok(total(it) <= 6 * data.domains.length, `${what}: ${total(it)} rows were read`);
    it.close();
  }
});

test("campaign that changes slower than it is read is answered without a long task", async () => {
  const it = await withRows(20_000);
  const data = await it.finish(it.cache.get(CAMPAIGN), (n) => {
    // As many as 50,000 changes a second, if a task takes 8 ms.
    it.sync.receive(setRows(it.server, (n * 7_919) % 19_000, 400, `s-${n}`));
  });
  assertPresent(it, data);
  assert.ok(Math.max(...it.read.map(sum)) <= SLICE, "no task reads more");
  it.close();
});

test("concurrent callers share one reading and get one object", async () => {
  const it = await withRows(5_000);
  const first = it.cache.get(CAMPAIGN);
  await settle();
  await it.next();
  const later = [it.cache.get(CAMPAIGN), it.cache.get(CAMPAIGN, { minPosition: it.campaign.view().position })];
  const data = await it.finish(first);
  for (const call of later) assert.equal(await call, data);
  assert.equal(total(it), 5_000);
  it.close();
});

test("two caches that read one campaign at the same time both get all rows", async () => {
  const it = await withRows(3_000);
  const other = new RichCampaignCache({ sync: it.sync, fetch: async () => assert.fail("no request") });
  const calls = [it.cache, other].map((cache) => cache.get(CAMPAIGN).then((data) => assertPresent(it, data)));
  await it.finish(Promise.all(calls), (n) => it.sync.receive(setRows(it.server, n, 2, `s-${n}`)));
  other.dispose();
  it.close();
});

test("signal ends its call at once, and the reading with the last caller", async () => {
  const it = await withRows(5_000);
  const [one, two, three] = [new AbortController(), new AbortController(), new AbortController()];
  const [first, second] = [one, two].map(({ signal }) => it.cache.get(CAMPAIGN, { signal }));
  await settle();
  one.abort(new Error("left"));
  await assert.rejects(first, { message: "left" });
  await it.next();
  assert.equal(total(it), 2_000, "the other caller still waits");
  two.abort();
  await assert.rejects(second, { name: "AbortError" });
  await it.next();
  assert.deepEqual([total(it), tasks.length], [2_000, 0], "nobody waits, so nothing is read");
  assertPresent(it, await it.finish(it.cache.get(CAMPAIGN)));
  three.abort(new Error("before"));
  await assert.rejects(it.cache.get(CAMPAIGN, { signal: three.signal }), { message: "before" });
  it.campaign.release();
  assert.equal(it.sync.view(CAMPAIGN), undefined, "the cache keeps no handle");
  it.close();
});

test("caller that comes as the last one leaves gets its data", async () => {
  const it = await withRows(3_000);
  const controller = new AbortController();
  const left = assert.rejects(it.cache.get(CAMPAIGN, { signal: controller.signal }), { name: "AbortError" });
  await settle();
  controller.abort();
  assertPresent(it, await it.finish(it.cache.get(CAMPAIGN)));
  await left;
  it.close();
});

test("signal keeps no listener of a call that is answered", async () => {
  const it = await withRows(3);
  const listeners = [];
  const signal = {
    aborted: false,
    addEventListener: (_, listener) => void listeners.push(listener),
    removeEventListener: (_, listener) => void listeners.splice(listeners.indexOf(listener), 1),
  };
  const call = it.cache.get(CAMPAIGN, { signal });
  assert.equal(listeners.length, 1);
  await call;
  assert.equal(listeners.length, 0);
  it.close();
});

test("signal of the last caller aborts the fetch", async () => {
  const it = await withRows(0);
  const controller = new AbortController();
  let aborted;
  const cache = new RichCampaignCache({ sync: it.sync, fetch: (_, { signal }) => new Promise(() => (aborted = signal)) });
  const call = assert.rejects(cache.get(CAMPAIGN, { source: "fetch", signal: controller.signal }), { name: "AbortError" });
  await settle();
  controller.abort();
  await call;
  assert.equal(aborted.aborted, true);
  cache.dispose();
  it.close();
});

/** The events that end a reading, and the code with which the call then rejects. */
const ENDS = {
  "another session": [(it) => import("../dist/invalidation.js").then(({ announceInvalidation }) => announceInvalidation(it.sync, {})), "signed_out"],
  "reset": [(it) => it.sync.reset(), "signed_out"],
  "dispose": [(it) => it.cache.dispose(), "closed"],
};
for (const [what, [end, code]] of Object.entries(ENDS)) {
  test(`${what} between two tasks rejects the call at once, and ends the reading`, async () => {
    const it = await withRows(3_000);
    const call = assert.rejects(it.cache.get(CAMPAIGN), { code });
    await settle();
    await it.next();
    const before = total(it);
    await end(it);
    await call;
    await it.next();
    assert.deepEqual([total(it), tasks.length, it.calls.length], [before, 0, 0]);
    it.close();
  });
}

test("rows of the former user are in no answer of the next one", async () => {
  const it = await withRows(3_000);
  const call = assert.rejects(it.cache.get(CAMPAIGN), { code: "signed_out" });
  await settle();
  await it.next();
  it.sync.reset();
  await call;
  for (const id of [...it.server.rows.keys()].slice(1_500)) it.server.remove(id);
  it.sync.connect();
  while (it.campaign.view().status !== "live") await new Promise((resolve) => setTimeout(resolve, 1));
  const data = await it.finish(it.cache.get(CAMPAIGN));
  assert.equal(data.domains.length, 1_500);
  assertPresent(it, data);
  it.close();
});

/** After these, the server answers instead of the client's state. */
const LEAVINGS = {
  "release": (it) => it.campaign.release(),
  "pause": (it) => it.sync.pause(),
  "close": (it) => it.sync.close(),
};
for (const [what, leave] of Object.entries(LEAVINGS)) {
  test(`${what} between two tasks ends the reading, and the call is answered by a fetch`, async () => {
    const it = await withRows(3_000);
    const call = it.cache.get(CAMPAIGN);
    await settle();
    leave(it);
    await it.next();
    assert.deepEqual([total(it), tasks.length], [1_000, 0]);
    it.calls.shift().resolve(it.server.data(it.server.head));
    assert.equal((await call).domains.length, 3_000);
    it.cache.dispose();
    if (what !== "close") it.sync.close();
  });
}

test("campaign that was left and entered again between two tasks is read whole", async () => {
  const it = await withRows(3_000);
  const call = it.cache.get(CAMPAIGN);
  await settle();
  it.campaign.release();
  await enter(it.sync);
  it.sync.receive(setRows(it.server, 0, 5, "resolved"));
  assertPresent(it, await it.finish(call));
  assert.equal(it.calls.length, 0);
  it.close();
});

test("clear between two tasks leaves the call its data", async () => {
  const it = await withRows(3_000);
  const call = it.cache.get(CAMPAIGN);
  await settle();
  it.cache.clear(CAMPAIGN);
  assertPresent(it, await it.finish(call));
  it.close();
});

test("environment without channels of messages takes timers", async () => {
  globalThis.MessageChannel = undefined;
  const it = await withRows(3_000);
  assertPresent(it, await it.cache.get(CAMPAIGN));
  it.close();
});
