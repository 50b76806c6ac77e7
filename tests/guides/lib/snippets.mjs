// Completes blocks of code that are parts of a program. A file of `snippets` is the program around them: each line
// `//# PAGE NUMBER` stands for the block of that number among the programs of the page.

import { readdir, readFile } from "node:fs/promises";

import { programsIn } from "./fences.mjs";
import { readText } from "./pages.mjs";

const PLACES = new URL("../snippets/", import.meta.url);
const MARK = /^ *\/\/# (\S+) (\d+)\n/gm;

/** Returns the programs by the name of their file, and the blocks in them as `PAGE NUMBER`. */
export async function completed() {
  const files = {};
  const taken = new Set();
  for (const name of await readdir(PLACES)) {
    const frame = await readFile(new URL(name, PLACES), "utf8");
    const pages = new Map();
    for (const [, page] of frame.matchAll(MARK)) pages.set(page, programsIn(await readText(page), page));
    files[name] = frame.replace(MARK, (_, page, number) => {
      const block = pages.get(page)[number - 1];
      if (block === undefined) throw new Error(`${name}: ${page} has no block ${number}`);
      taken.add(`${page} ${number}`);
      return block.text;
    });
  }
  return { files, taken };
}
