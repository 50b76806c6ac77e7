/**
 * Copies the licences and the documents that users of the package read from the repository: npm packs files of the
 * package's directory only. Links between the documents stay; every other relative link becomes one to the repository.
 */
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { posix } from "node:path";

import { documents, repository } from "./published.js";

const root = new URL("../", import.meta.url);

for (const name of ["LICENSE-MIT", "LICENSE-APACHE"]) await copyFile(new URL(`../${name}`, root), new URL(name, root));

await rm(new URL("docs", root), { recursive: true, force: true });
await mkdir(new URL("docs", root));
for (const name of documents) {
  const text = await readFile(new URL(`../docs/${name}`, root), "utf8");
  await writeFile(new URL(`docs/${name}`, root), text.replaceAll(/\]\(([^)\s]+)\)/g, (_, link) => `](${published(link)})`));
}

/** The link as it works in the package. */
function published(link) {
  if (/^(#|[a-z]+:)/.test(link)) return link;
  const [path, anchor] = link.split(/(?=#)/);
  const target = posix.join("docs", path);
  if (documents.some((name) => target === `docs/${name}`)) return link;
  if (target === "pkg/README.md") return `../README.md${anchor ?? ""}`;
  return `${repository}/blob/main/${target}${anchor ?? ""}`;
}
