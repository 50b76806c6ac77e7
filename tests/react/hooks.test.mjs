// The hooks of campaign-sync/react in Chromium, with React 18 and 19. Most tests use a fake client, because its changes
// are exact; the last ones use the real client and the reference server.

import { strict as assert } from "node:assert";
import { test } from "node:test";

import { withStage } from "./lib/stage.mjs";

const VERSIONS = [18, 19];
const open = withStage(VERSIONS);

for (const version of VERSIONS) {
  const react = (name, run) => test(`React ${version}: ${name}`, () => run());

  react("component follows a campaign while it is mounted", async () => {
    const { page } = await open(version);
    const result = await page.evaluate(async () => {
      const { fake } = stage;
      const handles = () => fake.handles("c");
      stage.render([["Part", { id: "c", name: "a", select: (view) => view.domainsCount }]], { strict: true });
      await stage.settled();
      const mounted = [handles(), document.getElementById("a").textContent];
      fake.change("c", { domainsCount: 5 });
      await stage.settled();
      const changed = document.getElementById("a").textContent;
      stage.render([["Part", { id: "d", name: "a", select: (view) => view.domainsCount }]], { strict: true });
      await stage.settled();
      const moved = [handles(), fake.handles("d")];
      stage.unmount();
      await stage.settled();
      return { mounted, changed, moved, left: [handles(), fake.handles("d")] };
    });
    assert.deepEqual(result, { mounted: [1, "0"], changed: "5", moved: [0, 1], left: [0, 0] });
    assert.deepEqual(page.problems, []);
  });

  react("component renders again only when its selection changed", async () => {
    const { page } = await open(version);
    const counts = await page.evaluate(async () => {
      const { fake, seen } = stage;
      const selects = {
        whole: undefined,
        total: (view) => view.domainsCount,
        record: (view) => view.campaign,
        fresh: (view) => ({ status: view.status, list: [view.campaign?.name] }),
      };
      const campaign = { name: "n", currentPhase: "dns_validation" };
      fake.change("c", { campaign });
      stage.render(Object.entries(selects).map(([name, select]) => ["Part", { id: "c", name, select }]));
      await stage.settled();
      stage.reset();
      const renders = () => Object.fromEntries(Object.keys(selects).map((name) => [name, seen[name]?.length ?? 0]));
      const steps = [];
      for (const members of [{ domainsCount: 1 }, { domainsCount: 2 }, { campaign: { ...campaign } }, { status: "stale" },
        { campaign: { ...campaign, name: "m" } }]) {
        fake.change("c", members);
        await stage.settled();
        steps.push(renders());
      }
      return steps;
    });
    assert.deepEqual(counts, [
      { whole: 1, total: 1, record: 0, fresh: 0 },
      { whole: 2, total: 2, record: 0, fresh: 0 },
      { whole: 2, total: 2, record: 0, fresh: 0 }, // Equal content in another object.
      { whole: 3, total: 2, record: 0, fresh: 1 },
      { whole: 4, total: 2, record: 1, fresh: 2 },
    ]);
  });

  react("mounting renders twice at most, and a held campaign shows at once", async () => {
    const { page } = await open(version);
    const result = await page.evaluate(async () => {
      const { fake, seen } = stage;
      fake.change("c", { domainsCount: 3 });
      const part = (name) => ["Part", { id: "c", name, select: (view) => view.domainsCount }];
      // The browser must not paint the empty view before the campaign's: the effect runs within the first commit.
      stage.flushSync(() => stage.render([part("a")]));
      const painted = document.getElementById("a").textContent;
      await stage.settled();
      stage.render([part("a"), part("b")]);
      await stage.settled();
      return { painted, a: seen.a, b: seen.b };
    });
    assert.deepEqual(result.painted, "3");
    assert.deepEqual(result.a, [0, 3, 3], "empty, held, and the parent's second render");
    assert.ok(result.b.every((count) => count === 3), "another component held it already");
  });

  react("bad ids are views with a code, and null follows nothing", async () => {
    const { page } = await open(version);
    const shown = await page.evaluate(async () => {
      const ids = [null, undefined, "", "../x", "a b", "\ud800", "x".repeat(65), 12, {}];
      stage.render([
        ...ids.map((id, at) => ["Part", { id, name: `p${at}`, select: (view) => [view.status, view.code] }]),
        ["Table", { id: "../x", first: 0, count: 3 }],
        ["Action", { id: "../x" }],
      ]);
      await stage.settled();
      const run = await stage.run("start");
      await stage.settled();
      return { parts: ids.map((_, at) => stage.seen[`p${at}`].at(-1)), table: stage.seen.table.at(-1), run, action: stage.seen.action.at(-1) };
    });
    const [idle, bad] = [["idle", undefined], ["failed", "invalid_campaign_id"]];
    assert.deepEqual(shown.parts.map(([status, code]) => [status, code ?? undefined]), [idle, idle, bad, bad, bad, bad, bad, bad, bad]);
    assert.deepEqual([shown.table.total, shown.table.code], [0, "invalid_campaign_id"]);
    assert.deepEqual([shown.run, shown.action.error[0]], [false, "not_configured"]);
    assert.deepEqual(page.problems, []);
  });

  react("hook outside a provider throws a code that names it", async () => {
    const { page } = await open(version);
    await page.evaluate(() => stage.render([["Connection", {}]], { bare: true }));
    await page.waitForSelector("#thrown");
    assert.equal(await page.textContent("#thrown"), "not_configured");
  });

  react("list renders again when a row that it shows changed, and no other", async () => {
    const { page } = await open(version);
    const result = await page.evaluate(async () => {
      const { fake, seen, row } = stage;
      const rows = Array.from({ length: 1_000 }, (_, at) => row(at));
      fake.change("c", {}, rows);
      const show = (first) => stage.render([["Table", { id: "c", first, count: 3 }]], { strict: false });
      show(400);
      await stage.settled();
      const shown = seen.table.at(-1);
      const reads = [...new Set(fake.reads)];
      stage.reset();
      const change = async (at, members) => {
        fake.change("c", {}, (rows[at] = row(at, members), [...rows]));
        await stage.settled();
        return Object.fromEntries(Object.entries(seen).map(([name, renders]) => [name, renders.length]));
      };
      const outside = await change(700, { dnsStatus: "resolved" });
      const inside = await change(401, { dnsStatus: "resolved" });
      const before = fake.reads.length;
      fake.change("c", { status: "recovering" });
      await stage.settled();
      const status = [seen.table.length, fake.reads.length - before];
      fake.change("c", {}, [...rows, row(1_000)]);
      await stage.settled();
      const total = seen.table.at(-1).total;
      show(998);
      await stage.settled();
      const last = seen.table.at(-1).rows;
      return { shown: shown.rows, reads, outside, inside, status, total, last, wrong: [-1, 0.5, NaN, 1_001, "0"].map((it) => seen.table.at(-1).list.row(it)?.domain ?? null) };
    });
    assert.deepEqual(result.shown, ["400.example", "401.example", "402.example"]);
    assert.deepEqual(result.reads, ["0+0", "400+100"], "only the total and the window");
    assert.deepEqual(result.outside, {});
    assert.deepEqual(result.inside, { table: 1, "row d-401": 1 }, "of the rows, only the one that changed");
    assert.deepEqual(result.status, [1, 0], "the digest says that no row changed");
    assert.equal(result.total, 1_001);
    assert.deepEqual(result.last, ["998.example", "999.example", "1000.example"]);
    assert.deepEqual(result.wrong, [null, null, null, null, "0.example"]);
  });

  react("window that was read in between is not kept", async () => {
    const { page } = await open(version);
    const result = await page.evaluate(async () => {
      const { fake, seen, row } = stage;
      const rows = (dnsStatus) => Array.from({ length: 600 }, (_, at) => row(at, at === 500 ? { dnsStatus } : {}));
      fake.change("c", {}, rows(null));
      stage.render([["Table", { id: "c", first: 0, count: 3 }]]);
      await stage.settled();
      // A change and its reversal within one frame. Something reads another window between them.
      fake.change("c", {}, rows("resolved"), true);
      const between = seen.table.at(-1).list.row(500).dnsStatus;
      fake.change("c", {}, rows(null));
      await stage.settled();
      return [between, seen.table.at(-1).list.row(500).dnsStatus];
    });
    assert.deepEqual(result, ["resolved", null]);
  });

  react("long scroll keeps the number of windows that are compared small", async () => {
    const { page } = await open(version);
    const result = await page.evaluate(async () => {
      const { fake, seen, row } = stage;
      const rows = (dnsStatus) => Array.from({ length: 10_000 }, (_, at) => row(at, at === 150 ? { dnsStatus } : {}));
      fake.change("c", {}, rows(null));
      for (let first = 0; first < 10_000; first += 200) stage.render([["Table", { id: "c", first, count: 2 }]]);
      await stage.settled();
      const scrolled = fake.reads.length;
      const lists = new Set(seen.table.map(({ list }) => list)).size;
      // Changes of a row that was never read: the first drops the windows, later ones compare the window that is shown.
      for (let step = 0; step < 10; step += 1) {
        fake.change("c", {}, rows(String(step)));
        await stage.settled();
      }
      return { scrolled, lists, later: fake.reads.length - scrolled };
    });
    assert.ok(result.scrolled <= 60, `${result.scrolled} reads for 50 windows`);
    assert.ok(result.lists <= 3, "scrolling alone makes no other list");
    assert.ok(result.later <= 40, `${result.later} reads for ten changes`);
  });

  react("search that cannot be asked gives an empty list with a code", async () => {
    const { page, server } = await open(version);
    const id = await server.generated({ count: 10, rate: 5_000 });
    const seen = await page.evaluate(async ([id]) => {
      await stage.init();
      const sync = new stage.CampaignSync({ url: "/api/v2/ws" });
      sync.connect();
      const shown = [];
      for (const search of ["\ud83d", "example"]) {
        stage.render([["Table", { id, first: 0, count: 1, search }]], { sync });
        await stage.settled();
        shown.push(stage.seen.table.at(-1));
      }
      sync.close();
      return shown.map(({ code, total }) => [code ?? null, total]);
    }, [id]);
    assert.equal(seen[0][0], "invalid_argument");
    assert.equal(seen[1][0], null);
    assert.deepEqual(page.problems, []);
  });

  react("connection, list and events follow the client", async () => {
    const { page } = await open(version);
    const result = await page.evaluate(async () => {
      const { fake, seen } = stage;
      const all = (word) => [["Connection", {}], ["List", {}], ["Event", { word }]];
      stage.render(all("first"), { strict: true });
      await stage.settled();
      const gap = (expected) => fake.dispatchEvent(new CustomEvent("gap", { detail: { expected } }));
      gap(1);
      stage.render(all("second"), { strict: true });
      await stage.settled();
      gap(2);
      fake.connect();
      fake.setList({ campaigns: [{}], total: 1 });
      await stage.settled();
      const shown = ["connection", "list"].map((id) => document.getElementById(id).textContent);
      stage.unmount();
      gap(3);
      return { shown, events: seen.event };
    });
    assert.deepEqual(result, { shown: ["open", "1"], events: [["first", 1], ["second", 2]] });
    assert.deepEqual(page.problems, []);
  });

  react("client without a list of campaigns gives a list with a code", async () => {
    const { page } = await open(version);
    const list = await page.evaluate(async () => {
      stage.fake.campaigns = undefined;
      stage.render([["List", {}]]);
      await stage.settled();
      return stage.seen.list.at(-1);
    });
    assert.deepEqual(list, { status: "failed", code: "not_configured", campaigns: [], total: 0 });
  });

  react("action runs once, reports its refusal and its allowed actions", async () => {
    const { page } = await open(version);
    const result = await page.evaluate(async () => {
      const { fake, seen } = stage;
      const calls = [];
      let answer;
      const actions = {
        act: (...call) => new Promise((resolve, reject) => (calls.push(call), (answer = { resolve, reject }))),
        allowedActions: ({ phaseStatus }) => (phaseStatus === "paused" ? ["resume"] : ["pause"]),
      };
      fake.change("c", { campaign: { currentPhase: "dns_validation", phaseStatus: "paused" } });
      stage.render([["Action", { id: "c" }]], { strict: true, actions });
      await stage.settled();
      const first = stage.run("resume");
      const second = await stage.run("resume");
      await stage.settled();
      const during = seen.action.at(-1);
      fake.change("c", { campaign: { currentPhase: "dns_validation", phaseStatus: "in_progress" } });
      answer.resolve({ position: { epoch: "e", sequenceNumber: 7 } });
      const done = await first;
      await stage.settled();
      const after = seen.action.at(-1);
      const refused = stage.run("pause");
      answer.reject(new Error("no line"));
      const refusal = await refused;
      await stage.settled();
      const failed = seen.action.at(-1);
      const next = stage.run("pause");
      await stage.settled();
      const cleared = seen.action.at(-1).error;
      answer.resolve("e/8");
      await next;
      const reached = fake.reached;
      return { calls, reached, second, during, done, after, refusal, failed, cleared, next: await next };
    });
    assert.deepEqual(result.calls[0], ["c", "resume", { expectedState: "dns_validation/paused" }]);
    assert.equal(result.calls.length, 3, "the second run did nothing");
    assert.deepEqual([result.second, result.done, result.refusal, result.next], [false, true, false, true]);
    assert.deepEqual([result.during.pending, result.during.allowed], ["resume", ["resume"]]);
    assert.deepEqual([result.after.pending, result.after.allowed, result.after.error], [null, ["pause"], null]);
    assert.deepEqual(result.failed.error, ["fetch_failed", "no line"]);
    assert.equal(result.cleared, null);
    assert.deepEqual(result.reached, [{ epoch: "e", sequenceNumber: 7 }, "e/8"], "it waited for what the actions answered");
    assert.deepEqual(page.problems, []);
  });

  react("tree that renders in slices shows one state", async () => {
    const { page } = await open(version);
    const result = await page.evaluate(async () => {
      const { fake, row } = stage;
      const rows = (count) => Array.from({ length: count }, (_, at) => row(at));
      fake.change("c", {}, rows(1));
      stage.render([["Part", { id: "c", name: "holder", select: () => 0 }], ["Torn", { id: "c" }]]);
      await stage.settled();
      const commits = [];
      let changed = 0;
      new MutationObserver(() => {
        const texts = [...document.querySelectorAll("[data-slow]")].map((it) => it.textContent);
        if (texts.length > 0) commits.push([...new Set(texts)]);
      }).observe(document.body, { subtree: true, childList: true, characterData: true });
      stage.show();
      // The store changes between the slices of the transition, which takes 120 ms.
      while (document.getElementById("torn") === null) {
        await new Promise((resolve) => setTimeout(resolve));
        if (changed < 5) fake.change("c", {}, rows((changed += 1) + 1));
      }
      await stage.settled();
      return { commits, changed };
    });
    assert.ok(result.changed >= 2, "the store changed while the tree rendered");
    for (const texts of result.commits) {
      assert.equal(texts.length, 1, `one commit shows ${texts}`);
      const [count, total] = texts[0].split("/");
      assert.equal(count, total, "the view and the rows are of one state");
    }
    assert.ok(result.commits.length > 0);
  });

  react("provider creates one client, connects it and closes it", async () => {
    const { page, server } = await open(version);
    const id = await server.generated({ count: 20, rate: 5_000 });
    const count = () => page.sockets.filter((socket) => !socket.isClosed()).length;
    const part = ["Part", { id, name: "a", select: (view) => [view.status, view.domainsCount] }];
    const render = (providerKey) => page.evaluate(([list, providerKey]) => {
      list[0][1].select = (view) => [view.status, view.domainsCount];
      const create = async () => {
        await stage.init();
        return (stage.own = new stage.CampaignSync({ url: "/api/v2/ws" }));
      };
      stage.render(list, { strict: true, create, providerKey });
    }, [[[part[0], { ...part[1], select: undefined }], ["Connection", {}]], providerKey]);
    await render("one");
    await page.waitForFunction(() => document.getElementById("a").textContent === '["live",20]');
    assert.equal(page.sockets.length, 1, "StrictMode mounts twice, and opens one socket");
    await render("one");
    assert.equal(await page.evaluate(() => stage.own.connection.state), "open");
    // Hot replacement of the module that has the provider mounts it again.
    await page.evaluate(() => (stage.former = stage.own));
    await render("two");
    await page.waitForFunction(() => stage.own !== stage.former && document.getElementById("a").textContent === '["live",20]');
    await page.waitForFunction(() => stage.former.connection.state === "closed");
    assert.equal(count(), 1);
    await page.evaluate(() => stage.unmount());
    await page.waitForFunction(() => stage.own.connection.state === "closed");
    await page.evaluate(() => stage.settled());
    assert.deepEqual([page.sockets.length, count()], [2, 0]);
    assert.deepEqual(page.problems, []);
  });

  react("provider that unmounts before its client is there closes it", async () => {
    const { page } = await open(version);
    const closed = await page.evaluate(async () => {
      let give;
      const create = () => new Promise((resolve) => (give = resolve));
      stage.render([["Connection", {}]], { create });
      await stage.settled();
      stage.unmount();
      give(stage.fake);
      await stage.settled();
      return [stage.fake.closed, stage.fake.connection.state];
    });
    assert.deepEqual(closed, [1, "idle"]);
  });

  react("client that cannot be created shows its code", async () => {
    const { page } = await open(version);
    const shown = await page.evaluate(async () => {
      const create = () => stage.init("/missing.wasm").then(() => new stage.CampaignSync());
      stage.render([["Part", { id: "c", name: "a", select: ({ status, code }) => [status, code] }], ["Connection", {}]], { create });
      for (let frames = 0; frames < 300 && stage.seen.connection?.at(-1).state !== "failed"; frames += 1) await stage.settled();
      return [stage.seen.a.at(-1), stage.seen.connection.at(-1)];
    });
    assert.deepEqual(shown, [["failed", "load_failed"], { state: "failed", attempt: 0, code: "load_failed" }]);
  });

  react("reset empties what the hooks return, and the handles stay", async () => {
    const { page, server } = await open(version);
    const id = await server.generated({ count: 20, rate: 5_000 });
    const result = await page.evaluate(async (id) => {
      await stage.init();
      const sync = new stage.CampaignSync({ url: "/api/v2/ws" });
      sync.connect();
      const list = [["Part", { id, name: "a", select: (view) => [view.status, view.campaign?.name] }], ["Table", { id, first: 0, count: 5 }]];
      stage.render(list, { sync, strict: true });
      const until = async (status) => { while (stage.seen.a?.at(-1)[0] !== status) await stage.settled(); };
      const shown = () => [stage.seen.a.at(-1)[1] ?? null, stage.seen.table.at(-1).rows.length, document.querySelectorAll("li").length];
      await until("live");
      const before = shown();
      sync.reset();
      await until("idle");
      await stage.settled();
      const after = shown();
      sync.connect();
      await until("live");
      await stage.settled();
      const again = shown();
      sync.close();
      return { before, after, again };
    }, id);
    assert.deepEqual(result, { before: ["Test", 5, 5], after: [null, 0, 0], again: ["Test", 5, 5] });
    assert.deepEqual(page.problems, []);
  });

  react("closed client keeps its last rows and view", async () => {
    const { page, server } = await open(version);
    const id = await server.generated({ count: 20, rate: 5_000 });
    const result = await page.evaluate(async (id) => {
      await stage.init();
      const sync = new stage.CampaignSync({ url: "/api/v2/ws" });
      sync.connect();
      const list = [["Part", { id, name: "a", select: (view) => [view.status, view.campaign?.name] }], ["Table", { id, first: 0, count: 1 }]];
      stage.render(list, { sync });
      while (stage.seen.a?.at(-1)[0] !== "live") await stage.settled();
      sync.close();
      stage.render(list, { sync });
      await stage.settled();
      return [stage.seen.a.at(-1), stage.seen.table.at(-1).total];
    }, id);
    assert.deepEqual(result, [["idle", "Test"], 20]);
    assert.deepEqual(page.problems, []);
  });
}
