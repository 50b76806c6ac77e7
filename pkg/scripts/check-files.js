/**
 * Runs before packing. Checks that every file that package.json lists exists, and that it lists every built file. npm
 * itself omits a missing file silently.
 */
import { readdir, readFile, stat } from "node:fs/promises";

const root = new URL("../", import.meta.url);
const { files } = JSON.parse(await readFile(new URL("package.json", root), "utf8"));
const built = (await readdir(new URL("dist/", root))).map((name) => `dist/${name}`);
const problems = built.filter((file) => !files.includes(file)).map((file) => `not listed: ${file}`);
for (const file of files) {
  const size = await stat(new URL(file, root)).then((found) => found.size, () => 0);
  if (size === 0) problems.push(`missing or empty: ${file}`);
}
if (problems.length > 0) {
  console.error(`package.json "files" and what was built do not agree:\n  ${problems.join("\n  ")}`);
  process.exitCode = 1;
}
