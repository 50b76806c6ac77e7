// Finds every block of code in the pages of the repository, however it is written.

import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { readText } from "./pages.mjs";

const root = fileURLToPath(new URL("../../..", import.meta.url));
/** Directories with pages of others, and of builds. */
const FOREIGN = new Set(["node_modules", "target", "dist", "out", ".git"]);
/** The build copies docs to here. */
const COPY = "pkg/docs";

/** Languages of programs. A block in one of them is compiled and run. */
const PROGRAMS = new Set(["ts", "mts", "cts", "tsx", "typescript", "js", "mjs", "cjs", "jsx", "javascript", "html", "rust", "rs", "vue", "svelte"]);
/** Languages of everything else: commands, configuration and what is on the wire. */
const OTHERS = new Set(["sh", "json", "text", "nginx", "transcript"]);

/** Returns the paths of all Markdown files, in order. */
export async function markdownFiles(directory = "") {
  const found = [];
  for (const entry of await readdir(root + directory, { withFileTypes: true })) {
    const path = directory + entry.name;
    if (entry.isDirectory() && !FOREIGN.has(entry.name) && path !== COPY) found.push(...(await markdownFiles(`${path}/`)));
    else if (entry.isFile() && path.endsWith(".md")) found.push(path);
  }
  return found.sort();
}

/** Returns the blocks of a text that are programs. Throws for a block whose language is missing or unknown. */
export function programsIn(markdown, page) {
  const found = [];
  let open;
  for (const line of markdown.split("\n")) {
    const [, fence, info] = /^[\s>]*(`{3,}|~{3,})\s*(.*)$/.exec(line) ?? [];
    if (open === undefined && fence !== undefined) open = { fence, language: /^[\w+#-]*/.exec(info)[0].toLowerCase(), text: "" };
    else if (open !== undefined && fence?.startsWith(open.fence) && info === "") {
      if (PROGRAMS.has(open.language)) found.push({ page, number: found.length + 1, text: open.text, markdown });
      else if (!OTHERS.has(open.language)) throw new Error(`${page}: a block in ${open.language || "no language"}: name one of ${[...PROGRAMS, ...OTHERS].join(", ")}`);
      open = undefined;
    } else if (open !== undefined) open.text += `${line}\n`;
  }
  if (open !== undefined) throw new Error(`${page}: a block is not closed`);
  return found;
}

/** Returns all programs in all pages. */
export async function allPrograms() {
  const pages = await markdownFiles();
  return (await Promise.all(pages.map(async (page) => programsIn(await readText(page), page)))).flat();
}
