/** Opens a page of `benches/page` in headless Chromium, beside a server of the log. */
import { chromium } from "playwright-core";

import { serve } from "./serve.mjs";

/** Without background work, which would take processor time from what is measured. */
const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** Calls `measure` with the loaded page, and ends the browser and the server afterwards. `options` are those of `serve`. */
export async function withPage(executablePath, log, measure, options) {
  const { address, stop } = await serve(log, options);
  const browser = await chromium.launch({ executablePath, args: ARGUMENTS });
  try {
    const page = await browser.newPage();
    page.on("pageerror", (error) => console.error(error));
    await page.goto(address);
    await page.waitForFunction(() => globalThis.bench !== undefined);
    await page.evaluate(() => globalThis.bench.load());
    return await measure(page);
  } finally {
    await browser.close();
    stop();
  }
}
