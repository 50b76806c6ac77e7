/**
 * Runs before packing. Checks that the package is complete, because npm omits a missing file silently: every source has
 * both forms with their declarations, every target of `exports` and every directory of an entry exists, and
 * package.json lists them. So does every document that users of the package read.
 */
import { stat } from "node:fs/promises";

import { builtFiles, documents, entries, exports, files, leftovers } from "./published.js";

const root = new URL("../", import.meta.url);
const expected = builtFiles();
for (const file of ["package.json", "README.md", "LICENSE-APACHE", "LICENSE-MIT"]) expected.add(file);
for (const name of documents) expected.add(`docs/${name}`);
for (const target of Object.values(exports).flatMap(targets)) expected.add(target.replace("./", ""));
for (const [subpath] of entries) if (subpath !== ".") expected.add(`${subpath.replace("./", "")}/package.json`);

const problems = (await leftovers()).map((file) => `of no source: ${file}`);
for (const file of expected) {
  const size = await stat(new URL(file, root)).then((found) => found.size, () => 0);
  if (size === 0) problems.push(`missing or empty: ${file}`);
  const listed = ["package.json", "README.md", ...files].some((it) => it === file || file.startsWith(`${it}/`));
  if (!listed) problems.push(`not listed in package.json: ${file}`);
}
if (problems.length > 0) {
  console.error(`The package is not complete:\n  ${problems.join("\n  ")}`);
  process.exitCode = 1;
}

function targets(forms) {
  return typeof forms === "string" ? [forms] : Object.values(forms).flatMap(targets);
}
