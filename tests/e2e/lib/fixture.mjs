// The setup of every test file: one browser, and the cleanup after each test.

import { after, afterEach, before } from "node:test";

import { launch } from "./page.mjs";

/**
 * Launches a browser for the file and passes it to `set`. After each test it closes the browser's contexts, and then
 * stops what `started` returns, in that order. An entry is `undefined` if the test did not start it.
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
