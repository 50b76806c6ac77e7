// Drives the demo page in a real Chromium and reads its state.

import { strict as assert } from "node:assert";

import { chromium } from "playwright-core";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];

/** Launches a browser. */
export async function launch() {
  return chromium.launch({ executablePath, args });
}

/** Opens the page of a campaign and waits until its status is `live`. */
export async function open(browser, origin, id) {
  const page = await visit(browser, origin, id);
  await page.evaluate(() => {
    const { sync } = globalThis.__campaignSync;
    globalThis.receivedEvents = [];
    for (const type of ["phasetransition", "gap", "recovered", "corrupt", "duplicate",
      "divergence", "consistency", "repaired", "unconfirmed", "cacheinvalidated",
      "transitionrefused", "rejected"]) {
      sync.addEventListener(type, (event) => {
        globalThis.receivedEvents.push({ type, at: performance.now(), ...event.detail });
      });
    }
  });
  await live(page);
  // The first load may have dispatched events of the replayed history. Tests need only the events after it.
  await page.evaluate(() => globalThis.receivedEvents.splice(0));
  return page;
}

/** Opens the page of a campaign, and waits until it follows the campaign. */
export async function visit(browser, origin, id) {
  const page = await browser.newPage();
  page.problems = [];
  page.console = [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  page.on("console", (message) => page.console.push(`${message.type()}: ${message.text()}`));
  await page.goto(`${origin}/?campaign=${id}`);
  await page.waitForFunction(() => globalThis.__campaignSync?.campaign !== undefined);
  return page;
}

/** Blocks REST for a page. Otherwise the page polls after some failed attempts to open a socket. */
export function withoutRest(page) {
  return page.route("**/api/v2/campaigns/**", (route) => route.abort());
}

/** Waits until the status of the page's view is `live`. */
export async function live(page, timeout = 60_000) {
  await page.waitForFunction(
    () => globalThis.__campaignSync.campaign.view()?.status === "live", null, { timeout });
}

/** Waits until the view satisfies a predicate. The predicate runs in this process, because the page's policy allows
 *  no code from strings. */
export async function until(page, predicate, timeout = 60_000, read = view) {
  const end = Date.now() + timeout;
  for (;;) {
    const now = await read(page);
    if (now !== undefined && predicate(now)) return;
    if (Date.now() > end) throw new Error(`not in time: ${predicate}; ${JSON.stringify(now)}`);
    await sleep(20);
  }
}

/** Waits until the page has applied all committed events and its status is `live`. A page that is `live` may still
 *  lack an event that is in flight. */
export async function caughtUp(page, server, id) {
  const [{ head }] = await server.sql(
    "SELECT last_sequence_number AS head FROM campaigns WHERE campaign_id = ?1", id);
  await page.waitForFunction((head) => {
    const { status, position } = globalThis.__campaignSync.campaign.view();
    return status === "live" && position?.sequenceNumber >= head;
  }, head, { timeout: 120_000 });
}

export const view = (page) => page.evaluate(() => globalThis.__campaignSync.campaign.view());
export const metrics = (page) => page.evaluate(() => globalThis.__campaignSync.sync.metrics());
/** Requests a refresh, for which the page uses REST at most once a second, and returns the view. */
export const refresh = (page) => page.evaluate(() => {
  const { campaign } = globalThis.__campaignSync;
  const detail = { campaignId: campaign.campaignId };
  globalThis.dispatchEvent(new CustomEvent("force_campaign_refresh", { detail }));
  return campaign.view();
});
export const receivedEvents = (page, type) =>
  page.evaluate((type) => globalThis.receivedEvents.filter((event) => event.type === type), type);
export const text = (page, id) => page.locator(`[data-testid="${id}"]`).first().textContent();

/** Waits until the page shows a text. The page draws a change with the next animation frame. */
export const shows = (page, id, expected) =>
  until(page, (shown) => shown === expected, 60_000, (page) => text(page, id));

/** Records the row count that the page shows, with a MutationObserver. */
export async function watchRowCount(page) {
  await page.evaluate(() => {
    const element = document.querySelector('[data-testid="row-count"]');
    const read = () => Number(element.textContent.replace(/\D/g, ""));
    globalThis.rowCounts = [read()];
    new MutationObserver(() => globalThis.rowCounts.push(read())).observe(element, {
      childList: true, characterData: true, subtree: true,
    });
  });
}

/** Asserts that the recorded row count never fell. */
export async function assertRowCountNeverFell(page) {
  const counts = await page.evaluate(() => globalThis.rowCounts);
  counts.forEach((count, at) => {
    assert.ok(at === 0 || count >= counts[at - 1], `row counts fell: ${counts}`);
  });
}

/** Returns all rows in the page's store. */
export async function allRows(page) {
  return page.evaluate(() => {
    const { campaign } = globalThis.__campaignSync;
    const rows = [];
    for (let offset = 0; ; offset += 1000) {
      const page = campaign.domains({ offset, limit: 1000 });
      rows.push(...page.rows);
      if (rows.length >= page.total || page.rows.length === 0) return rows;
    }
  });
}

/** Asserts that the page's rows equal the rows in the server's table, in all columns. */
export async function assertRowsEqual(page, server, id) {
  const sql = `SELECT domain_id AS domainId, domain, offset_index AS "offset",
    dns_status AS dnsStatus, http_status AS httpStatus, http_status_code AS httpStatusCode,
    lead_status AS leadStatus, lead_score AS leadScore
    FROM domains WHERE campaign_id = ?1 ORDER BY domain_id`;
  const expected = await server.sql(sql, id);
  const order = (a, b) => (a.domainId < b.domainId ? -1 : 1);
  const rows = (await allRows(page)).map(({ unconfirmed, ...row }) => {
    assert.equal(unconfirmed, false);
    return row;
  });
  assert.deepEqual(rows.sort(order), expected.sort(order));
}

/** Asserts that the page's record and rows equal the server's tables. */
export async function assertEqualsTables(page, server, id) {
  await assertRowsEqual(page, server, id);
  const [record] = await server.sql(`SELECT current_phase AS currentPhase,
    phase_status AS phaseStatus, processed_items AS processedItems, total_items AS totalItems,
    successful_items AS successfulItems, failed_items AS failedItems,
    total_domain_count AS totalDomainCount, last_sequence_number AS sequenceNumber
    FROM campaigns WHERE campaign_id = ?1`, id);
  const { campaign, totalDomainCount, position } = await view(page);
  const shown = { totalDomainCount, sequenceNumber: position.sequenceNumber };
  for (const key of ["currentPhase", "phaseStatus", "processedItems", "totalItems",
    "successfulItems", "failedItems"]) shown[key] = campaign[key];
  assert.deepEqual(shown, { ...record });
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
