// The accessibility of the demo page: keyboard alone, both colour schemes, narrow windows, reduced motion.

import { strict as assert } from "node:assert";
import { beforeEach, test } from "node:test";

import { withBrowser } from "./lib/fixture.mjs";
import { open, shows, until } from "./lib/page.mjs";
import { Server } from "./lib/server.mjs";

let browser, server;

withBrowser((it) => { browser = it; }, () => [server]);
beforeEach(async () => { server = await Server.start(); });

/** Opens the page in a new browser context with these options. */
async function openIn(kind, id) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...kind });
  return open(context, server.origin, id);
}

/** Returns the name of the focused element, as the tests use it. */
const focused = (page) => page.evaluate(() => {
  const { id, dataset, name, className, tagName } = document.activeElement;
  return id || dataset.testid || name || className || tagName;
});

/** Presses Tab until the element of that name has the focus. */
async function tabTo(page, name) {
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press("Tab");
    if ((await focused(page)) === name) return;
  }
  assert.fail(`Tab never leads to ${name}`);
}

const phase = (page) => page.evaluate(() =>
  [document.querySelector("#phase").dataset.phase, document.querySelector("#phase-status").dataset.status].join("/"));

test("Tab reaches every control in page order, and the focus is always visible", async () => {
  const id = await server.generated({ count: 50, rate: 5000 });
  const page = await openIn({}, id);
  await page.waitForSelector("#faults:not([hidden])");
  const expected = await page.evaluate(() => {
    const all = document.querySelectorAll("a[href], button, input, select, [tabindex='0']");
    return [...all].filter((it) => it.checkVisibility() && !it.disabled).map((it) => (globalThis.controls ??= []).push(it) - 1);
  });
  assert.ok(expected.length >= 20, `${expected.length} controls`);
  const walked = [];
  for (const _ of expected) {
    await page.keyboard.press("Tab");
    const { at, hidden, name } = await page.evaluate(() => {
      const it = document.activeElement;
      const style = getComputedStyle(it);
      const width = style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth);
      const reach = width + parseFloat(style.outlineOffset);
      const { left, top, right, bottom } = it.getBoundingClientRect();
      // An outline that an ancestor clips is not visible.
      const clips = (up) => up !== null && (clips(up.parentElement) || cuts(up));
      const cuts = (up) => {
        if (getComputedStyle(up).overflow === "visible") return false;
        const edge = up.getBoundingClientRect();
        return left - reach < edge.left || top - reach < edge.top || right + reach > edge.right || bottom + reach > edge.bottom;
      };
      return { at: globalThis.controls.indexOf(it), hidden: width < 2 || clips(it.parentElement), name: it.outerHTML.slice(0, 100) };
    });
    assert.ok(!hidden, `the focus of ${name} is not seen`);
    walked.push(at);
  }
  assert.deepEqual(walked, expected);
});

test("keyboard alone drives a campaign without losing the focus", async () => {
  const id = await server.generated({ count: 400, rate: 200, name: "By hand" });
  const page = await openIn({}, id);
  await tabTo(page, "next-step");
  await page.keyboard.press("Enter");
  await until(page, (it) => it === "dns_validation/configured", 60_000, phase);
  assert.equal(await focused(page), "next-step");
  await page.waitForSelector("#next-step[aria-disabled='false']");
  await page.keyboard.press("Space");
  await until(page, (it) => it === "dns_validation/in_progress", 60_000, phase);
  await page.waitForSelector("#hold:not([hidden])");
  assert.equal(await focused(page), "next-step");
  await tabTo(page, "hold");
  await page.keyboard.press("Enter");
  await until(page, (it) => it === "dns_validation/paused", 60_000, phase);
  assert.equal(await focused(page), "next-step", "the pause button is gone, and what comes next has the focus");
});

test("keyboard opens, cancels and submits the form of a new campaign", async () => {
  const page = await openIn({}, await server.generated({ count: 5, rate: 5000 }));
  await tabTo(page, "new-button");
  await page.keyboard.press("Enter");
  assert.equal(await focused(page), "name");
  await page.keyboard.press("Escape");
  assert.ok(await page.isHidden("#new-form"));
  assert.equal(await focused(page), "new-button");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#new-form", { state: "hidden" });
  assert.equal(await focused(page), "new-button");
  await until(page, (it) => it === "domain_generation/ready", 60_000, phase);
});

test("keyboard scrolls, sorts and searches the table", async () => {
  const page = await openIn({}, await server.generated({ count: 3000, rate: 20_000 }));
  await shows(page, "row-count", "3,000");
  const reaches = (row) => page.waitForFunction((row) => {
    const table = document.querySelector(".table-body").getBoundingClientRect();
    return [...document.querySelectorAll("[data-testid='domain-row']:not([hidden])")].some((it) => {
      const { top, bottom } = it.getBoundingClientRect();
      return it.ariaRowIndex === String(row + 1) && top >= table.top && bottom <= table.bottom;
    });
  }, row);
  await tabTo(page, "table-body");
  await page.keyboard.press("End");
  await reaches(3000);
  await page.keyboard.press("Home");
  await reaches(1);
  await page.keyboard.press("PageDown");
  await reaches(20);
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Shift+Tab");
  assert.equal(await focused(page), "sort-domain");
  await page.keyboard.press("Space");
  await page.waitForSelector("[aria-sort='ascending'] [data-testid='sort-domain']");
  assert.equal(await page.textContent("#row-count-of"), "rows", "sorted, and all of them");
  await page.focus("[data-testid='search']");
  await page.keyboard.type("-2999.");
  await shows(page, "row-count", "1");
  assert.equal(await page.textContent("#row-count-of"), "rows match");
  await page.keyboard.press("Escape");
  await shows(page, "row-count", "3,000");
});

test("sorted table equals the store after scrolling while events arrive", async () => {
  const id = await server.create({ count: 4000, rate: 2000 });
  await server.act(id, "start");
  await server.reaches(id, "domain_generation", "completed");
  const page = await openIn({}, id);
  await page.click("[data-testid='sort-dns']");
  await server.act(id, "validate-dns");
  await page.evaluate(async () => {
    const table = document.querySelector(".table-body");
    const status = () => document.querySelector("#phase-status").dataset.status;
    const phase = () => document.querySelector("#phase").dataset.phase;
    // Scrolls for three frames past the end of the phase, so that only scrolling follows the last event.
    for (let frames = 0; frames < 3; frames += phase() === "dns_validation" && status() === "completed" ? 1 : 0) {
      table.scrollTop = (table.scrollTop + 37) % 900;
      await new Promise(requestAnimationFrame);
    }
    await new Promise((resolve) => setTimeout(resolve, 1500));
  });
  const { shown, held } = await page.evaluate(() => {
    const lines = [...document.querySelectorAll("[data-testid='domain-row']:not([hidden])")];
    const first = Number(lines[0].ariaRowIndex) - 2;
    const { rows } = globalThis.__campaignSync.campaign.domains({ offset: first, limit: lines.length, sortBy: "dnsStatus" });
    const cell = (line, name) => line.querySelector(`.${name}`).textContent;
    return {
      shown: lines.map((line) => `${line.dataset.domainId} ${cell(line, "dns")}`),
      held: rows.map(({ domainId, dnsStatus }) => `${domainId} ${dnsStatus}`),
    };
  });
  assert.deepEqual(shown, held);
});

/** Returns every text and every edge of a control whose contrast is too low, by WCAG's formula. */
const tooFaint = (page) => page.evaluate(() => {
  const channel = (it) => (it / 255 <= 0.04045 ? it / 255 / 12.92 : ((it / 255 + 0.055) / 1.055) ** 2.4);
  const parse = (color) => color.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ratio = (a, b) => {
    const [low, high] = [light(parse(a)), light(parse(b))].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const ground = (it) => {
    const color = it === null ? "rgb(255, 255, 255)" : getComputedStyle(it).backgroundColor;
    return it !== null && (parse(color)[3] ?? 1) === 0 ? ground(it.parentElement) : color;
  };
  const faint = [];
  const judge = (what, it, a, b, least) => {
    const found = ratio(a, b);
    if (found < least) faint.push(`${what} of ${it.outerHTML.slice(0, 80)}: ${found.toFixed(2)}`);
  };
  for (const it of document.querySelectorAll("body *")) {
    if (!it.checkVisibility({ visibilityProperty: true }) || it.matches(":disabled, [aria-disabled='true'], option, .unseen, .skip")) continue;
    const style = getComputedStyle(it);
    const hasText = [...it.childNodes].some((child) => child.nodeType === 3 && child.data.trim() !== "");
    if (hasText) judge("text", it, style.color, ground(it), 4.5);
    const isBox = it.matches("select, input:not([type='checkbox']), button") && style.borderTopStyle === "solid";
    if (isBox) judge("edge", it, style.borderTopColor, ground(it.parentElement), 3);
  }
  return [...new Set(faint)];
});

for (const colorScheme of ["light", "dark"]) {
  test(`${colorScheme} scheme has enough contrast in wide and in narrow windows`, async () => {
    const id = await server.generated({ count: 300, rate: 20_000 });
    for (const [action, phase] of [["validate-dns", "dns_validation"], ["validate-http", "http_keyword_validation"]]) {
      await server.act(id, action);
      await server.reaches(id, phase, "completed");
    }
    for (const width of [400, 1280]) {
      const page = await openIn({ colorScheme, viewport: { width, height: 900 } }, id);
      await page.click("#new-button");
      await page.click("[data-testid='fault-delay']");
      await page.waitForSelector("[data-testid='fault-delay'][aria-pressed='true']");
      assert.deepEqual(await tooFaint(page), [], `${width} pixels`);
      const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number));
      assert.equal(ground.every((it) => it < 64), colorScheme === "dark", `${ground}`);
      const excess = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(excess <= 0, `${excess} pixels too wide`);
      await page.click("[data-testid='fault-delay']");
      await page.waitForSelector("[data-testid='fault-delay'][aria-pressed='false']");
    }
  });
}

test("page has no motion if the user prefers reduced motion", async () => {
  const id = await server.create({ count: 2000, rate: 400 });
  const page = await openIn({ reducedMotion: "reduce" }, id);
  await server.act(id, "start");
  await until(page, (it) => it === "domain_generation/in_progress", 60_000, phase);
  const moving = await page.evaluate(() => [...document.querySelectorAll("*")].filter((it) => {
    const { animationName, transitionDuration, scrollBehavior } = getComputedStyle(it);
    return animationName !== "none" || /[1-9]/.test(transitionDuration) || scrollBehavior === "smooth";
  }).map((it) => it.outerHTML.slice(0, 80)));
  assert.deepEqual(moving, []);
});
