// Every block of code in every page of the repository is compiled and run by some suite.

import { strict as assert } from "node:assert";
import { test } from "node:test";

import { allPrograms, markdownFiles, programsIn } from "./lib/fences.mjs";
import { blocksIn, readText } from "./lib/pages.mjs";
import { completed } from "./lib/snippets.mjs";

/** Pages whose blocks are files of an application, and the suite that lists, compiles and runs them. */
const FILES = {
  "docs/BUNDLERS.md": "tests/guides/bundlers.test.mjs",
  "docs/CACHING.md": "tests/guides/caching.test.mjs",
  "docs/MIGRATION.md": "tests/guides/migration.test.mjs",
  "docs/REACT.md": "tests/react/guide.test.mjs",
  "docs/RECIPES.md": "tests/guides/recipes.test.mjs",
  "docs/SSR.md": "tests/guides/ssr.test.mjs",
  "docs/TESTING.md": "tests/react/testing.test.mjs",
};
/** The suite of this page takes every file in the directory of a stage. */
const BY_STAGE = "docs/MIGRATION.md";
const STAGE = /^(before|step-\d)\//;
/** Suites that take blocks of docs/DEVELOPMENT.md by their first words. */
const BY_BEGIN = ["tests/e2e/development.test.mjs", "tests/matrix/lib/guide.mjs"];
/** Blocks that nothing compiles and runs, as `PAGE NUMBER`, with the reason. */
const EXCEPTIONS = {};

const begins = (await Promise.all(BY_BEGIN.map(readText)))
  .flatMap((source) => [...source.matchAll(/\bblock\("\w+", ("(?:[^"\\]|\\.)*")/g)].map(([, begin]) => JSON.parse(begin)));
const { taken } = await completed();
const suites = Object.fromEntries(await Promise.all(Object.entries(FILES).map(async ([page, suite]) => [page, await readText(suite)])));

/** Whether some suite compiles and runs a block. */
function isTaken({ page, number, text, markdown }) {
  const key = `${page} ${number}`;
  if (key in EXCEPTIONS || taken.has(key)) return true;
  if (page === "docs/DEVELOPMENT.md") return begins.some((begin) => text.startsWith(begin));
  if (!(page in FILES)) return false;
  const name = blocksIn(markdown).find((it) => it.text === text)?.name;
  return page === BY_STAGE ? STAGE.test(name) : suites[page].includes(`"${name}"`);
}

const untaken = (blocks) => blocks.filter((it) => !isTaken(it)).map(({ page, text }) => `${page}: ${text.split("\n")[0]}`);

test("every block of code in every page is compiled and run", async () => {
  const pages = await markdownFiles();
  for (const page of ["README.md", "pkg/README.md", "docs/IDENTITY.md", "tests/conformance/README.md"]) assert.ok(pages.includes(page), page);
  const blocks = await allPrograms();
  assert.deepEqual(untaken(blocks), []);
  const present = new Set(blocks.map(({ page, number }) => `${page} ${number}`));
  assert.deepEqual(Object.keys(EXCEPTIONS).filter((it) => !present.has(it)), [], "exceptions that do not exist");
});

test("new block in any page, form and language is noticed", async () => {
  for (const page of await markdownFiles()) {
    const text = await readText(page);
    for (const [open, close] of [["```ts", "```"], ["  ```tsx title=\"x\"", "  ```"], ["~~~js", "~~~"], ["````JavaScript", "````"], ["> ```rust", "> ```"]]) {
      const blocks = programsIn(`${text}\n${open}\n// new.ts\nnew Block();\n${close}\n`, page);
      assert.deepEqual(untaken(blocks), [`${page}: // new.ts`], open);
    }
    assert.throws(() => programsIn(`${text}\n\`\`\`\nnew Block();\n\`\`\`\n`, page), /no language/);
    assert.throws(() => programsIn(`${text}\n\`\`\`kotlin\n\`\`\`\n`, page), /kotlin/);
  }
});
