// What every file of these tests sets up: one browser, and an end to whatever a test started.

import { after, afterEach, before } from "node:test";

import { launch } from "./page.mjs";

/**
 * Launches a browser for the file and passes it to `set`. After each test its contexts are closed, then
 * what `started` lists is stopped, in that order; what a test did not start may be `undefined`.
 */
export function withBrowser(set, started) {
  let browser;
  before(async () => {
    browser = await launch();
    set(browser);
  });
  after(() => browser.close());
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    for (const it of started()) await (it instanceof Object && "stop" in it ? it.stop() : it?.close());
  });
}
