// Takes the files of an application from a page of docs, as a reader copies them.

import { cp, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const here = fileURLToPath(new URL("..", import.meta.url));
const root = join(here, "../..");

/** Returns the text of a page of docs. */
export const textOf = (page) => readText(`docs/${page}`);

/** Returns the text of a file of the repository. */
export const readText = (path) => readFile(join(root, path), "utf8");

/** Returns all blocks of a page in order: their language, the name in their first line, if any, and their text. */
export const blocksOf = async (page) => blocksIn(await textOf(page));

/** Returns the blocks of a text in the same way. */
export function blocksIn(markdown) {
  return [...markdown.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, language, block]) => {
    const name = /^(?:\/\/|<!--) ([\w./+[\]-]+\.\w+)(?: -->)?\n/.exec(block)?.[1];
    return { language, name, text: block };
  });
}

/** A directory inside this project, so that the files in it find its packages, and the package as built. */
export async function workplace(name) {
  const directory = join(here, "out", name);
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const link = join(here, "node_modules/campaign-sync");
  await symlink("../../../pkg", link).catch((error) => {
    if (error.code !== "EEXIST") throw error;
  });
  return {
    directory,
    async write(files) {
      for (const [file, text] of Object.entries(files)) {
        await mkdir(dirname(join(directory, file)), { recursive: true });
        await writeFile(join(directory, file), text);
      }
    },
    copy: (from, to = ".") => cp(join(here, from), join(directory, to), { recursive: true }),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

const CONFIG = {
  compilerOptions: {
    target: "ES2022", module: "ESNext", moduleResolution: "Bundler", lib: ["ES2023", "DOM", "DOM.Iterable"], types: [],
    jsx: "react-jsx", noEmit: true, strict: true, noUncheckedIndexedAccess: true, noUnusedLocals: true, skipLibCheck: true, preserveSymlinks: true,
    // One React for the page and the package.
    paths: { react: [join(here, "node_modules/@types/react/index.d.ts")] },
  },
};

/** Compiles all TypeScript in a directory. Returns what the compiler says: nothing if all is right. */
export async function compile(directory, include = ["."]) {
  await writeFile(join(directory, "tsconfig.json"), JSON.stringify({ ...CONFIG, include }));
  const compiler = join(here, "node_modules/typescript/bin/tsc");
  const { stdout } = await promisify(execFile)(process.execPath, [compiler, "-p", directory]).catch((error) => error);
  return stdout;
}
