// Tests the package as users install it: packed, installed in a fresh Vite and TypeScript project, type-checked, built,
// and run in a browser under a strict Content-Security-Policy.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

import { documents } from "../../pkg/scripts/published.js";
import { CAMPAIGN, control, created, EPOCH, EventLog, generated, transition } from "./server.js";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const PACKAGE = fileURLToPath(new URL("../../pkg/", import.meta.url));
const CHROMIUM = process.env.CAMPAIGN_SYNC_CHROMIUM ?? "/usr/bin/chromium";
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; img-src data:";
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };

let project, tarball, packed;

/** Runs a command. An error contains the output of the command. */
function run(cwd, command, ...args) {
  try {
    return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    throw new Error(`${command} ${args.join(" ")} failed:\n${error.stdout}\n${error.stderr}`);
  }
}

const tool = (name) => join(HERE, "node_modules/.bin", name);

before(async () => {
  project = await mkdtemp(join(tmpdir(), "campaign-sync-"));
  await cp(join(HERE, "fixture"), project, { recursive: true });
  const output = run(PACKAGE, "npm", "pack", "--json", "--pack-destination", project);
  // The scripts that run before packing print as well. npm 10 prints a list, and npm 11 an object.
  const report = JSON.parse(output.slice(output.search(/^[[{]/m)));
  [packed] = Object.values(report);
  tarball = join(project, packed.filename);
  run(project, "npm", "install", "--no-audit", "--no-fund", "--offline", tarball);
});

after(() => rm(project, { recursive: true, force: true }));

test("tarball contains the published files and nothing else", async () => {
  const { exports } = JSON.parse(await readFile(join(PACKAGE, "package.json"), "utf8"));
  const targets = (forms) => (typeof forms === "string" ? [forms] : Object.values(forms).flatMap(targets));
  // An entry with code also has a directory, for tools that do not read `exports`.
  const directories = Object.keys(exports).filter((subpath) => subpath !== "." && exports[subpath].module !== undefined);
  const needed = new Set([...targets(exports), ...directories.map((subpath) => `${subpath}/package.json`)].map((path) => path.replace("./", "")));
  for (const path of ["package.json", "README.md", "LICENSE-MIT", "LICENSE-APACHE", "dist/cjs/package.json"]) needed.add(path);
  for (const name of documents) needed.add(`docs/${name}`);
  const paths = packed.files.map((file) => file.path);
  assert.deepEqual([...needed].filter((path) => !paths.includes(path)), []);
  assert.ok(needed.has("dist/cjs/cache.d.ts") && needed.has("encrypted/external/package.json"));
  assert.deepEqual(paths.filter((path) => !needed.has(path) && !/^dist\/[\w/-]+\.(js|d\.ts)$/.test(path)), []);
});

test("tarball contains the repository's licences", async () => {
  for (const name of ["LICENSE-MIT", "LICENSE-APACHE"]) {
    const installed = await readFile(join(project, "node_modules/campaign-sync", name), "utf8");
    assert.equal(installed, await readFile(join(HERE, "../..", name), "utf8"));
  }
});

test("fresh project type-checks against the package and its declarations", () => {
  run(project, tool("tsc"), "-p", project);
});

test("REST client works without the module, in both forms", () => {
  for (const load of ['import { allowedActions, RestClient } from "campaign-sync/rest";', 'import { createRequire } from "node:module"; const { allowedActions, RestClient } = createRequire(import.meta.url)("campaign-sync/rest");']) {
    const script = `
      ${load}
      const answer = { campaign: { campaignId: "c" }, position: { epoch: "e", sequenceNumber: 3, eventId: "x" } };
      const sent = [];
      const fetch = async (request) => (sent.push(request.method + " " + new URL(request.url).pathname), Response.json(answer));
      const client = new RestClient({ baseUrl: "https://host.test/api/v2", fetch });
      const { position } = await client.act("c", allowedActions({ currentPhase: "analysis", phaseStatus: "ready" })[0]);
      console.log(JSON.stringify([sent, position.sequenceNumber]));
    `;
    const result = JSON.parse(run(project, process.execPath, "--input-type=module", "-e", script));
    assert.deepEqual(result, [["POST /api/v2/campaigns/c/analyze"], 3], load);
  }
});

test("import has no side effect, and the package runs from bytes without a browser", async () => {
  const installed = join(project, "node_modules/campaign-sync");
  const bytes = join(installed, "campaign_sync_bg.wasm");
  const script = `
    import { readFileSync } from "node:fs";
    import { CampaignSync, init, initSync } from "campaign-sync";
    import "campaign-sync/cache";
    let refused;
    try { new CampaignSync() } catch (error) { refused = error.code }
    await init(readFileSync(${JSON.stringify(bytes)}));
    initSync(readFileSync(${JSON.stringify(bytes)}));
    const sync = new CampaignSync();
    sync.connect();
    const applied = sync.receive("not json") + sync.receive(new TextEncoder().encode("{}"));
    console.log(JSON.stringify({ refused, applied, documents: sync.metrics().documents }));
    sync.close();
  `;
  const result = JSON.parse(run(project, process.execPath, "--input-type=module", "-e", script));
  assert.deepEqual(result, { refused: "not_initialized", applied: 0, documents: 2 });
  const resolve = createRequire(join(project, "package.json")).resolve;
  assert.equal(resolve("campaign-sync/campaign_sync_bg.wasm"), bytes, "bundlers and runtimes can name the file");
});

for (const session of ["generation-to-http", "disconnect-during-dns-transition"]) {
  test(`replay of recording ${session} ends in the server's state`, async () => {
    const recording = fileURLToPath(new URL(`../recordings/${session}.jsonl`, import.meta.url));
    const expected = JSON.parse(await readFile(new URL(`../recordings/${session}.expected.json`, import.meta.url), "utf8"));
    const bytes = join(project, "node_modules/campaign-sync/campaign_sync_bg.wasm");
    const replay = (form) => JSON.parse(run(project, process.execPath, "--input-type=module", "-e", `
      import { readFileSync } from "node:fs";
      import { CampaignSync, initSync } from "campaign-sync";
      initSync(readFileSync(${JSON.stringify(bytes)}));
      const sync = new CampaignSync({ target: null, transport: "manual" });
      const sent = [];
      sync.onsend = (frame) => sent.push(JSON.parse(frame));
      const phases = [];
      sync.addEventListener("phasetransition", ({ detail }) => detail.initial || phases.push(detail.newPhase));
      let rows = 0, lost = 0, connections = 0;
      const campaign = sync.campaign(${JSON.stringify(expected.campaignId)});
      const connecting = () => new Promise((resolve) =>
        sync.addEventListener("connectionchange", ({ detail }) => detail.state === "connecting" && resolve()));
      let wanted = connecting();
      sync.connect();
      const messages = [];
      for (const line of readFileSync(${JSON.stringify(recording)}, "utf8").trim().split("\\n").map((line) => JSON.parse(line))) {
        const { direction, connection, frame } = line;
        if (direction === "sent") {
          messages.push(JSON.parse(frame));
          if (connection === connections) continue;
          connections = connection;
          await wanted;
          sync.opened();
        } else if (direction === "closed") {
          wanted = connecting();
          sync.closed(Number(frame));
        } else {
          sync.receive(${form});
          const { domainsCount } = campaign.view();
          if (domainsCount < rows) lost += 1;
          rows = domainsCount;
        }
      }
      // The recorded client pinged by the clock, and this one had no time to.
      const ours = (all) => all.filter(({ type }) => type !== "ping").map(({ client, ...message }) => message);
      const { status, position, domainsCount, domainsDigest, counts: { dns, http }, campaign: { currentPhase, phaseStatus } } = campaign.view();
      const { applied, refused, corrupt, gaps, snapshots } = sync.metrics();
      console.log(JSON.stringify({
        view: { status, position, domainsCount, domainsDigest, counts: { dns, http }, currentPhase, phaseStatus },
        phases, lost, sent: ours(sent), recorded: ours(messages), metrics: { applied, refused, corrupt, gaps, snapshots },
      }));
      sync.close();
      process.exit();
    `));
    const { campaignId, machineSeed, ...state } = expected;
    for (const form of ["frame", "new TextEncoder().encode(frame)"]) {
      const { view, phases, lost, sent, recorded, metrics } = replay(form);
      assert.deepEqual(view, { ...state, status: "live" }, form);
      assert.deepEqual(phases, ["dns_validation", "http_keyword_validation"].slice(0, phases.length));
      assert.equal(phases.at(-1), state.currentPhase);
      assert.equal(lost, 0, "no row is lost on the way");
      assert.deepEqual(sent, recorded, "it sends the same requests as the recorded client");
      assert.deepEqual(metrics, { applied: state.position.sequenceNumber, refused: {}, corrupt: 0, gaps: 0, snapshots: 0 });
    }
  });
}

test("server without v1 ends the connection with a code and advice", () => {
  const connect = (entry, file) => {
    const bytes = join(project, "node_modules/campaign-sync", file);
    return JSON.parse(run(project, process.execPath, "--input-type=module", "-e", `
      import { readFileSync } from "node:fs";
      import { CampaignSync, initSync } from "${entry}";
      import { CampaignSyncError } from "campaign-sync";
      initSync(readFileSync(${JSON.stringify(bytes)}));
      const sync = new CampaignSync({ target: null });
      let last;
      sync.addEventListener("connectionchange", ({ detail }) => (last = detail));
      const campaign = sync.campaign(${JSON.stringify(CAMPAIGN)});
      for (let socket = 1; socket <= 3; socket += 1) {
        sync.connect();
        sync.receive(${JSON.stringify(control("connection_ack", { connectionId: "c1", protocol: "campaign-sync.v9" }))});
        await new Promise((resolve) => setTimeout(resolve, 600)); // Between attempts.
      }
      const { status, code, campaign: record } = campaign.view();
      console.log(JSON.stringify({ connection: [last.state, last.code], view: [status, code, record], words: new CampaignSyncError(code).message }));
      sync.close();
      process.exit();
    `));
  };
  for (const [entry, file, code, advice] of [
    ["campaign-sync", "campaign_sync_bg.wasm", "unsupported_protocol", /speaks another protocol/],
    ["campaign-sync/encrypted", "encrypted/campaign_sync_bg.wasm", "not_sealed", /seal/],
  ]) {
    const { words, ...rest } = connect(entry, file);
    assert.deepEqual(rest, { connection: ["failed", code], view: ["failed", code, null] }, entry);
    assert.match(words, advice);
  }
});

test("encrypted entry opens sealed content, and the main entry names it", async () => {
  const vectors = fileURLToPath(new URL("../../docs/vectors/sealed.json", import.meta.url));
  const follow = (entry, file) => {
    const bytes = join(project, "node_modules/campaign-sync", file);
    const script = `
      import { readFileSync } from "node:fs";
      import { CampaignSync, initSync } from "${entry}";
      import { CampaignSyncError } from "campaign-sync";
      initSync(readFileSync(${JSON.stringify(bytes)}));
      const { keys, events, answers } = JSON.parse(readFileSync(${JSON.stringify(vectors)}, "utf8"));
      const key = (kid) => new Uint8Array(Buffer.from(keys[kid], "hex"));
      const options = { target: null, keys: { "2031-a": key("2031-a") } };
      let sync;
      let refused;
      try {
        sync = new CampaignSync(options);
      } catch (error) {
        refused = [error.code, error.message.split(".")[0]];
        sync = new CampaignSync({ target: null });
      }
      const heard = [];
      sync.addEventListener("unknownkey", ({ detail }) => heard.push(detail.kid));
      const sent = [];
      sync.onsend = (frame) => sent.push(JSON.parse(frame));
      const campaign = sync.campaign("spring-1");
      sync.connect();
      const say = (type, data) => sync.receive(JSON.stringify({ type, timestamp: "2031-04-05T06:07:04.000Z", data }));
      const { protocols } = sent[0];
      const acknowledge = () => say("connection_ack", { connectionId: "k", protocol: "campaign-sync.v1.sealed", heartbeatMs: 5000, maxFrameBytes: 1048576 });
      acknowledge();
      while (sync.connection.state === "waiting") {
        await new Promise((resolve) => setTimeout(resolve, 600)); // Between attempts.
        sync.connect();
        acknowledge();
      }
      const replay = (from) => {
        const requestId = sent.findLast(({ type }) => type === "request_event_recovery")?.payload.requestId;
        say("event_recovery", { campaignId: "spring-1", requestId, epoch: "log-7", outcome: "replay", fromSequenceNumber: from, toSequenceNumber: 4 });
        return sync.receive(events.slice(from - 1).map(({ document }) => document).join("\\n"));
      };
      const applied = [replay(1)];
      const waiting = campaign.view();
      if (sync.addKey) {
        sync.addKey("2031-b", key("2031-b"));
        applied.push(replay(3));
      }
      const { campaign: record, position } = campaign.view();
      const names = campaign.domains({}).rows.map(({ domain }) => domain);
      const opened = sync.open?.("spring-1", "snapshot", answers[0].answer);
      console.log(JSON.stringify({ protocols, refused, applied, heard, waiting: [waiting.status, waiting.code], names, name: record?.name,
        at: position?.sequenceNumber, fetched: [opened?.position.sequenceNumber, opened?.body.domains.length],
        words: new CampaignSyncError(waiting.code).message }));
      sync.close();
      process.exit();
    `;
    return JSON.parse(run(project, process.execPath, "--input-type=module", "-e", script));
  };
  const { words, ...sealed } = follow("campaign-sync/encrypted", "encrypted/campaign_sync_bg.wasm");
  assert.deepEqual(sealed, { protocols: ["campaign-sync.v1.sealed"], applied: [2, 2], heard: ["2031-b"], waiting: ["failed", "unknown_key"],
    names: ["müller.example", "zürich.example"], name: "Spring", at: 4, fetched: [4, 2] });
  assert.match(words, /addKey/);
  const main = follow("campaign-sync", "campaign_sync_bg.wasm");
  assert.deepEqual(main.refused, ["invalid_argument", "keys must be absent"]);
  assert.deepEqual([main.protocols, main.waiting, main.applied], [["campaign-sync.v1"], ["failed", "unsupported_protocol"], [0]]);
  assert.match(main.words, /campaign-sync\/encrypted/, "the entry is named");
});

test("built project runs in Chromium and turns frames into a proven view", async (t) => {
  run(project, tool("vite"), "build", "--logLevel", "warn");
  const server = await serve(join(project, "dist"));
  t.after(() => server.close());
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  t.after(() => browser.close());
  const page = await browser.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.waitForFunction(() => window.app !== undefined);

  const receive = (frame) => page.evaluate((text) => window.app.sync.receive(text), frame);
  const sent = () => page.evaluate(() => window.app.sent.map((frame) => JSON.parse(frame)));
  const view = () => page.evaluate(() => window.app.campaign.view());
  const log = new EventLog();

  await page.waitForFunction(() => window.app.sent.some((frame) => frame.includes("connection_init")));
  assert.equal((await view()).campaign, null);
  await receive(control("connection_ack", { connectionId: "c1", protocol: "campaign-sync.v1", heartbeatMs: 5000, maxFrameBytes: 1_048_576 }));
  const request = (await sent()).find(({ type }) => type === "request_event_recovery");
  assert.equal(request.payload.campaignId, CAMPAIGN);
  await receive(control("subscription_confirmed", { campaignId: CAMPAIGN, epoch: EPOCH, lastSequenceNumber: 1, oldestSequenceNumber: 1 }));
  const { requestId } = request.payload;
  await receive(control("event_recovery", { campaignId: CAMPAIGN, requestId, epoch: EPOCH, outcome: "replay", fromSequenceNumber: 1, toSequenceNumber: 1 }));
  assert.equal(await receive(log.append("campaign.list.update", created())), 1);

  const before = await view();
  assert.equal(before.campaign.name, "From the tarball");
  assert.equal(before.campaign.currentPhase, "domain_generation");
  assert.equal(before.status, "live");
  assert.deepEqual(before.position, { epoch: EPOCH, sequenceNumber: 1, eventId: "event-1" });

  assert.equal(await receive(log.append("campaign.phase.transition", transition(), true)), 1);
  const moved = await view();
  assert.deepEqual([moved.campaign.currentPhase, moved.campaign.phaseStatus], ["dns_validation", "configured"]);
  assert.deepEqual([moved.lastTransition.triggerReason, moved.lastTransition.estimatedDuration], ["requested", 5]);
  const received = await page.evaluate(() => window.app.received.splice(0));
  assert.deepEqual(received.slice(-3), ["invalidated phase_transition", "phasetransition dns_validation", "window dns_validation"]);

  const row = log.append("domain.generated", generated(0, "a<b>.example"));
  assert.equal(await receive(row.replace("a<b>", "a<c>")), 0, "one flipped byte, and nothing is applied");
  assert.equal(await receive(row), 1);
  assert.equal(await receive(row), 0, "a duplicate is dropped");
  const now = await view();
  assert.equal(now.totalDomainCount, 1);
  assert.equal(now.position.sequenceNumber, 3);
  const { total, rows } = await page.evaluate(() => window.app.campaign.domains({ search: "a<" }));
  assert.deepEqual([total, rows[0].domain, rows[0].unconfirmed], [1, "a<b>.example", false]);
  assert.equal(await page.evaluate(() => window.app.campaign.view() === window.app.campaign.view()), true);
  await page.waitForFunction(() => window.app.frames() > 0);
  const metrics = await page.evaluate(() => window.app.sync.metrics());
  assert.deepEqual([metrics.applied, metrics.corrupt, metrics.duplicates], [3, 1, 1]);
  await page.evaluate((position) => window.app.campaign.reached(position), `${EPOCH}/3`);
  const thrown = "a listener of the fixture throws";
  assert.deepEqual(problems, [thrown, thrown], "after the first load and the transition: reported by the platform, and harmless");
});

/** Serves the built files over HTTP, with the policy. */
async function serve(directory) {
  const server = createServer(async (request, response) => {
    const path = new URL(request.url, "http://localhost").pathname;
    const file = path === "/" ? "/index.html" : path;
    try {
      const content = await readFile(join(directory, file));
      response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "text/plain", "content-security-policy": POLICY });
      response.end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}
