// The page docs/TESTING.md: all its blocks are files of one application, whose tests compile and pass with Vitest.

import { strict as assert } from "node:assert";
import { execFile } from "node:child_process";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { chromium } from "playwright-core";

import { bundle } from "./lib/bundle.mjs";

const OUT = new URL("testing/", import.meta.url);
const guide = await readFile(new URL("../../docs/TESTING.md", import.meta.url), "utf8");
const blocks = [...guide.matchAll(/```tsx?\n\/\/ (\S+)\n([^]*?)```/g)].map(([, name, text]) => [name, text]);
const ENTRIES = ["", "/react", "/rest", "/testing"];

/** Runs a program of `node_modules`, and returns its code and its output. */
async function run(program, ...values) {
  const file = new URL(`node_modules/${program}`, import.meta.url).pathname;
  const options = { cwd: OUT.pathname, env: { ...process.env, NO_COLOR: "1", CI: "1" } };
  const outcome = await promisify(execFile)(process.execPath, [file, ...values], options).catch((error) => error);
  return { code: outcome.code ?? 0, output: `${outcome.stdout}${outcome.stderr}` };
}

const fileOf = (entry, ending) => `../../../pkg/dist/${entry === "" ? "index" : entry.slice(1)}${ending}`;

/** Finds the package by its name, and one copy of React. */
const CONFIG = `
import { fileURLToPath } from "node:url";
const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const entries = ${JSON.stringify(ENTRIES.map((entry) => [entry, fileOf(entry, ".js")]))};
export default {
  resolve: { alias: [
    ...entries.map(([entry, file]) => ({ find: new RegExp("^campaign-sync" + entry + "$"), replacement: at(file) })),
    { find: /^react$/, replacement: at("../node_modules/react") },
  ] },
  esbuild: { jsx: "automatic" },
  test: { environment: "jsdom", globals: true, watch: false, testTimeout: 60_000, hookTimeout: 60_000, pool: "threads", poolOptions: { threads: { singleThread: true } } },
};
`;

before(async () => {
  await mkdir(OUT, { recursive: true });
  for (const [name, text] of blocks) await writeFile(new URL(name, OUT), text);
  for (const name of ["create", "provider"]) await copyFile(new URL(`pages/testing-${name}.test.tsx`, import.meta.url), new URL(`${name}.test.tsx`, OUT));
  await writeFile(new URL("vitest.config.mjs", OUT), CONFIG);
  const types = Object.fromEntries(ENTRIES.map((entry) => [`campaign-sync${entry}`, [fileOf(entry, ".d.ts")]]));
  const compilerOptions = { paths: { ...types, react: ["../node_modules/@types/react/index.d.ts"] } };
  await writeFile(new URL("tsconfig.json", OUT), JSON.stringify({ extends: "../tsconfig.json", compilerOptions, include: ["."] }));
});
after(() => rm(OUT, { recursive: true }));

test("every block of code of the guide to testing is a file", () => {
  assert.equal(blocks.length, guide.split(/```tsx?\n/).length - 1);
  assert.deepEqual(blocks.map(([name]) => name), ["campaign.tsx", "fake.test.tsx", "server.test.tsx", "timers.test.tsx", "rest.test.ts"]);
});

test("blocks of the guide to testing compile", async () => {
  assert.deepEqual(await run("typescript/bin/tsc", "-p", "."), { code: 0, output: "" });
});

test("tests of the guide pass, and React warns of nothing", async () => {
  const { code, output } = await run("vitest/vitest.mjs", "run", "--config", "vitest.config.mjs");
  assert.equal(code, 0, output);
  assert.match(output, /Tests\s+13 passed/);
  assert.doesNotMatch(output, /act\(|Warning|stderr/);
});

test("server of a page follows the same rules in Chromium", async () => {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
  try {
    const page = await browser.newPage();
    await page.addScriptTag({ type: "module", content: await bundle("pages/testing.ts", 19) });
    const outcome = await (await page.waitForFunction(() => globalThis.outcome)).jsonValue();
    assert.deepEqual(outcome, ["live 3", "live 5", "stale 5", "live 5", "200 3"]);
  } finally {
    await browser.close();
  }
});
