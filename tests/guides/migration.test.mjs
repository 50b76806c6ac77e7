// docs/MIGRATION.md: the page before the migration and after each step, in Chromium. Each fault that the guide names is
// there before its step, and gone afterwards.

import { strict as assert } from "node:assert";
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { Server } from "../e2e/lib/server.mjs";
import { launch, open } from "./lib/browser.mjs";
import { bundlePages } from "./lib/bundle.mjs";
import { blocksOf, compile, workplace } from "./lib/pages.mjs";

const STEPS = 6;
const ROWS = 30;
const stages = Array.from({ length: STEPS + 1 }, (_, step) => step);
const blocks = await blocksOf("MIGRATION.md");

/** The files of one step, without the first line of each, which names it. */
const filesOf = (step) => blocks.filter(({ name }) => name.startsWith(`${step}/`)).map(({ name, text }) => [name.split("/")[1], text]);

/** Makes the directory of each stage: that of the stage before it, with the files of its step. */
async function makeStages(place) {
  await place.copy("migration", "stage-0");
  await place.write(Object.fromEntries(filesOf("before").map(([name, text]) => [`stage-0/${name}`, text])));
  for (let step = 1; step <= STEPS; step += 1) {
    const directory = join(place.directory, `stage-${step}`);
    await cp(join(place.directory, `stage-${step - 1}`), directory, { recursive: true });
    await place.write(Object.fromEntries(filesOf(`step-${step}`).map(([name, text]) => [`stage-${step}/${name}`, text])));
  }
  // The last step says this in words.
  const last = join(place.directory, `stage-${STEPS}`);
  for (const name of ["store.ts", "socket.ts", "service.ts"]) await rm(join(last, name));
  const summary = join(last, "summary.tsx");
  await writeFile(summary, (await readFile(summary, "utf8")).replace('"./service"', '"campaign-sync/cache"'));
}

let place, server, browser;
before(async () => {
  place = await workplace("migration");
  await makeStages(place);
  const pages = await bundlePages(place, Object.fromEntries(stages.map((stage) => [`stage-${stage}`, `stage-${stage}/main.tsx`])));
  server = await Server.start([], pages);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  await place.remove();
});

const frames = (page) => page.evaluate(async () => {
  for (let count = 0; count < 3; count += 1) await new Promise((resolve) => requestAnimationFrame(resolve));
});
const openSockets = (page) => page.sockets.filter((it) => !it.isClosed()).length;
const phase = (page, text) => page.getByText(text, { exact: true }).waitFor();

/** Opens the page of a stage with a campaign that has its rows, and waits until it shows them. */
async function show(stage) {
  const id = await server.generated({ count: ROWS, rate: 5_000, name: "Spring" });
  const page = await open(browser, `${server.origin}/stage-${stage}.html?campaign=${id}`);
  await shown(page, stage);
  return { page, id };
}

async function shown(page, stage) {
  await page.getByRole("heading", { name: "Spring" }).waitFor();
  if (stage >= 1) await page.getByRole("status").filter({ hasText: "live" }).waitFor();
  // The hand-made socket has its baseline.
  const own = stage === 0 || stage === STEPS ? 1 : 2;
  while (page.sent.filter((it) => it.includes("request_event_recovery")).length < own) await page.waitForTimeout(5);
}

test("every block of the guide is a file of one stage", () => {
  assert.ok(blocks.every(({ name }) => /^(before|step-[1-6])\/[\w-]+\.tsx?$/.test(name ?? "")));
  for (const step of stages.slice(1)) assert.ok(filesOf(`step-${step}`).length > 0, `step ${step}`);
});

test("each stage compiles", async () => {
  assert.equal(await compile(place.directory, stages.map((stage) => `stage-${stage}`)), "");
});

describe("every stage", { concurrency: true }, () => {
  for (const stage of stages) test(`stage ${stage} shows the campaign and its rows`, async () => {
    const { page } = await show(stage);
    await phase(page, "domain_generation: 100 %");
    await page.waitForFunction((rows) => document.querySelectorAll("li").length === rows, ROWS);
    await page.getByRole("button", { name: "Summary" }).click();
    await page.getByText(`domain_generation with ${ROWS} domains`).waitFor();
    assert.equal(openSockets(page), stage === 0 || stage === STEPS ? 1 : 2);
    assert.deepEqual(page.problems, []);
    await page.close();
  });
});

/** Tests a fault at the stage before its step, and at the stage after it. */
function fault(step, before, after, run) {
  for (const stage of [step - 1, step]) {
    test(`stage ${stage}: ${stage < step ? before : after}`, async () => {
      const { page, id } = await show(stage);
      await run({ page, id, stage, cured: stage === step });
      await page.close();
    });
  }
}

describe("faults", { concurrency: true }, () => {
  fault(1, "transition reaches no listener", "transition reaches the toast, and a first load does not", async ({ page, id, cured }) => {
    const log = page.getByRole("log");
    assert.equal(await log.textContent(), "");
    await server.act(id, "configure-dns");
    if (cured) await log.filter({ hasText: "Now in dns_validation" }).waitFor();
    else await frames(page);
    assert.equal((await log.textContent()) !== "", cured);
  });

  fault(2, "request before a transition keeps the old phase", "summary after a transition has the new phase", async ({ page, id, cured }) => {
    // A refresh begins before the transition, and its rows arrive afterwards.
    let [arrive, start] = [];
    const [held, started] = [new Promise((resolve) => (arrive = resolve)), new Promise((resolve) => (start = resolve))];
    await page.route("**/domains?*", async (route) => (start(), await held, route.continue()));
    await page.evaluate((campaignId) => window.dispatchEvent(new CustomEvent("force_campaign_refresh", { detail: { campaignId } })), id);
    // The client answers without a request.
    if (!cured) await started;
    await server.act(id, "configure-dns");
    await page.getByRole("log").filter({ hasText: "dns_validation" }).waitFor();
    const answer = cured ? undefined : page.waitForResponse("**/domains?*");
    arrive();
    await (await answer)?.finished();
    await frames(page);
    await page.getByRole("button", { name: "Summary" }).click();
    await page.getByText(`${cured ? "dns_validation" : "domain_generation"} with ${ROWS} domains`).waitFor();
  });

  fault(2, "failure is stored as an empty list", "failure changes no answer", async ({ page, id, cured }) => {
    await page.route("**/domains?*", (route) => route.abort());
    await page.evaluate((campaignId) => window.dispatchEvent(new CustomEvent("force_campaign_refresh", { detail: { campaignId } })), id);
    await frames(page);
    await page.getByRole("button", { name: "Summary" }).click();
    await page.getByText(`with ${cured ? ROWS : 0} domains`).waitFor();
  });

  fault(3, "header stands still after a transition", "header follows a transition", async ({ page, id, cured }) => {
    await server.act(id, "configure-dns");
    await page.getByRole("log").filter({ hasText: "dns_validation" }).waitFor();
    await frames(page);
    await phase(page, cured ? "dns_validation: 0 %" : "domain_generation: 100 %");
  });

  fault(4, "table is empty in the next phase", "table keeps its rows in the next phase", async ({ page, id, cured }) => {
    await server.act(id, "configure-dns");
    await page.reload();
    await phase(page, "dns_validation: 0 %");
    await page.getByRole("button", { name: "validate-dns" }).waitFor();
    if (cured) await page.waitForFunction((rows) => document.querySelectorAll("li").length === rows, ROWS);
    assert.equal(await page.locator("li").count(), cured ? ROWS : 0);
  });

  fault(5, "controls sleep, and hide a refusal", "controls wait for the view, and show a refusal", async ({ page, cured }) => {
    await page.evaluate(() => {
      const own = window.setTimeout;
      globalThis.sleeps = 0;
      window.setTimeout = (call, ms, ...values) => (globalThis.sleeps += ms === 1_000, own(call, ms, ...values));
    });
    await page.getByRole("button", { name: "configure-dns" }).click();
    await page.getByRole("button", { name: "validate-dns", disabled: false }).waitFor();
    await phase(page, "dns_validation: 0 %");
    assert.equal(await page.evaluate(() => globalThis.sleeps), cured ? 0 : 1);
    await page.route("**/validate-dns", (route) => route.fulfill({ status: 409, json: { error: { code: "illegal_transition", message: "Not now." } } }));
    const answered = page.waitForResponse("**/validate-dns");
    await page.getByRole("button", { name: "validate-dns", disabled: false }).click();
    await (await answered).finished();
    if (cured) await page.getByRole("alert").filter({ hasText: "Not now." }).waitFor();
    else await frames(page);
    assert.equal(await page.getByRole("alert").count(), cured ? 1 : 0);
  });

  fault(6, "toast does not name the campaign", "toast names the campaign", async ({ page, id, cured }) => {
    await server.act(id, "configure-dns");
    await page.getByRole("log").filter({ hasText: cured ? "Spring: now in dns_validation" : "Now in dns_validation" }).waitFor();
  });
});

// Cuts all sockets of the server, so it is alone.
describe("cut", () => {
  fault(3, "header stands still after a lost socket", "header goes on after a lost socket", async ({ page, id, cured }) => {
    await server.api("/faults/cut", {});
    await server.act(id, "validate-dns");
    await server.reaches(id, "dns_validation", "completed");
    await page.getByRole("log").filter({ hasText: "dns_validation" }).waitFor();
    await frames(page);
    await phase(page, cured ? "dns_validation: 100 %" : "domain_generation: 100 %");
    assert.equal(openSockets(page), 1, "the client opened its socket again, the page did not");
  });
});
