/**
 * Runs before packing. Checks that the package is complete: npm itself omits a missing file silently. Every source has
 * both forms with their declarations, every target of `exports` and every directory of a subpath exists, and
 * package.json lists them.
 */
import { readdir, readFile, stat } from "node:fs/promises";

const root = new URL("../", import.meta.url);
const { exports, files } = JSON.parse(await readFile(new URL("package.json", root), "utf8"));
const namesIn = async (directory) => (await readdir(new URL(directory, root))).filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"));

const sources = (await namesIn("src/")).map((name) => name.slice(0, -3));
const replacements = (await namesIn("src/cjs/")).map((name) => name.slice(0, -3));
const expected = new Set(["package.json", "README.md", "LICENSE-APACHE", "LICENSE-MIT", "dist/cjs/package.json"]);
for (const name of sources) for (const form of ["dist/", "dist/cjs/"]) expected.add(`${form}${name}.js`).add(`${form}${name}.d.ts`);
for (const name of replacements) expected.add(`dist/cjs/${name}.js`).add(`dist/cjs/${name}.d.ts`);
for (const name of ["main-glue", "main-embedded", "encrypted-glue", "encrypted-embedded"]) expected.add(`dist/${name}.js`).add(`dist/cjs/${name}.js`);
for (const [subpath, forms] of Object.entries(exports)) {
  for (const target of targets(forms)) expected.add(target.replace("./", ""));
  if (forms.module !== undefined && subpath !== ".") expected.add(`${subpath.replace("./", "")}/package.json`);
}

const problems = [];
for (const file of expected) {
  const size = await stat(new URL(file, root)).then((found) => found.size, () => 0);
  if (size === 0) problems.push(`missing or empty: ${file}`);
  const listed = ["package.json", "README.md", ...files].some((it) => it === file || file.startsWith(`${it}/`));
  if (!listed) problems.push(`not listed in package.json: ${file}`);
}
for (const directory of ["dist", "dist/cjs"]) {
  for (const entry of await readdir(new URL(`${directory}/`, root), { withFileTypes: true })) {
    const file = `${directory}/${entry.name}`;
    if (entry.isFile() && !expected.has(file)) problems.push(`of no source: ${file}`);
  }
}
if (problems.length > 0) {
  console.error(`The package is not complete:\n  ${problems.join("\n  ")}`);
  process.exitCode = 1;
}

function targets(forms) {
  return typeof forms === "string" ? [forms] : Object.values(forms).flatMap(targets);
}
