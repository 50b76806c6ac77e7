// The documents of the package: every link leads to a file of the package or to the repository.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";

import { documents, repository, sources } from "../scripts/published.js";

const root = new URL("../", import.meta.url);
const text = (name) => readFile(new URL(`docs/${name}`, root), "utf8");

test("the package has exactly the listed documents", async () => {
  assert.deepEqual((await readdir(new URL("docs/", root))).sort(), documents);
});

test("links of documents lead to files of the package or to the repository", async () => {
  let links = 0;
  for (const name of documents) {
    for (const [, link] of (await text(name)).matchAll(/\]\(([^)\s]+)\)/g)) {
      links += 1;
      const [path] = link.split("#");
      const isKnown = path === "" || path.startsWith(`${repository}/`) || documents.includes(path) || path === "../README.md";
      assert.ok(isKnown, `${name}: ${link}`);
    }
  }
  assert.ok(links > 20, `found only ${links} links`);
});

test("documents that doc comments name are in the package", async () => {
  const named = new Set();
  for (const source of sources) {
    const code = await readFile(new URL(`src/${source}.ts`, root), "utf8");
    for (const [, name] of code.matchAll(/docs\/([A-Z]\w*\.md)/g)) named.add(name);
  }
  assert.ok(named.size > 2, [...named].join());
  assert.deepEqual([...named].filter((name) => !documents.includes(name)), []);
});
