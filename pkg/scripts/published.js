/** The files of the package that the build makes, from its sources and its `exports`. */
import { readdir, readFile } from "node:fs/promises";

const root = new URL("../", import.meta.url);
const manifest = JSON.parse(await readFile(new URL("package.json", root), "utf8"));
export const { exports, files } = manifest;

/** The address of the repository, for links to what is not in the package. */
export const repository = manifest.repository.url.replace(/^git\+|\.git$/g, "");

/** The documents of the repository's `docs` that the package contains. Doc comments and error messages name them. */
export const documents = ["BUNDLERS.md", "CACHING.md", "ENCRYPTION.md", "ERRORS.md", "IDENTITY.md", "MIGRATION.md", "PHASES.md", "PROTOCOL.md", "REACT.md", "RECIPES.md", "SSR.md", "TESTING.md"];

/** The modules: the name of their files in `dist`, and their directory in `wasm` and in the package. */
export const MODULES = { main: "", encrypted: "encrypted/" };

/** The sources of `dist`, and those that replace their namesakes in `dist/cjs`, by their path without its ending. */
export const replacements = await namesIn("src/cjs/");
export const sources = (await namesIn("src/")).filter((name) => !name.startsWith("cjs/"));

async function namesIn(directory) {
  const names = await readdir(new URL(directory, root), { recursive: true });
  return names.filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts")).map((name) => name.slice(0, -3));
}

/** The entries with code. Each has a directory for tools that do not read `exports`, except the main one. */
export const entries = Object.entries(exports).filter(([, forms]) => forms.module !== undefined);

/** Every file of `dist` and `dist/cjs`. */
export function builtFiles() {
  const found = new Set(["dist/cjs/package.json"]);
  for (const name of sources) for (const form of ["dist/", "dist/cjs/"]) found.add(`${form}${name}.js`).add(`${form}${name}.d.ts`);
  for (const name of replacements) found.add(`dist/cjs/${name}.js`).add(`dist/cjs/${name}.d.ts`);
  for (const module of Object.keys(MODULES)) {
    for (const part of ["glue", "embedded"]) found.add(`dist/${module}-${part}.js`).add(`dist/cjs/${module}-${part}.js`);
  }
  return found;
}

/** The files in `dist` that no source has. */
export async function leftovers() {
  const expected = builtFiles();
  const found = (await readdir(new URL("dist/", root), { recursive: true })).map((name) => `dist/${name}`);
  return found.filter((file) => /\.\w+$/.test(file) && !expected.has(file));
}
