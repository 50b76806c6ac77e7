/** Makes the directory of a consumer: its files, the shared application, what its lock file names, and the tarball. */
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { run } from "./process.mjs";

const MATRIX = fileURLToPath(new URL("..", import.meta.url));
const ROOT = join(MATRIX, "../..");
const PACKAGE = join(ROOT, "pkg");
export const TARGET = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "matrix");

const NPM = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"];

/** Packs the package and installs the tarball in an empty project. Returns the directory of the installed package. */
export async function installTarball() {
  const project = join(TARGET, "tarball");
  await rm(project, { recursive: true, force: true });
  await mkdir(project, { recursive: true });
  await run(["npm", "pack", "--pack-destination", project], { cwd: PACKAGE });
  const { name, version } = JSON.parse(await readFile(join(PACKAGE, "package.json"), "utf8"));
  await writeFile(join(project, "package.json"), '{ "private": true }\n');
  await run(["npm", "install", ...NPM, "--offline", `./${name}-${version}.tgz`], { cwd: project });
  return join(project, "node_modules", name);
}

/**
 * Returns the directory of a consumer. `main` replaces the start of the page. The consumers of one directory share what
 * npm installed, and run one after another.
 */
export async function workspace({ directory, main = "main.js" }, installed) {
  const place = join(TARGET, directory);
  const source = join(MATRIX, "consumers", directory);
  await install(source, place);
  for (const output of ["out", "dist", ".next", ".nuxt", ".output", ".svelte-kit", "build", ".parcel-cache", ".angular", "node_modules/.vite", "node_modules/campaign-sync"]) {
    await rm(join(place, output), { recursive: true, force: true });
  }
  const shared = join(place, existsSync(join(source, "src")) ? "src" : "");
  await cp(join(MATRIX, "app"), shared, { recursive: true });
  await cp(join(MATRIX, "app", main), join(shared, "main.js"));
  if (existsSync(source)) await cp(source, place, { recursive: true, filter: (path) => !path.includes("node_modules") });
  await writeFile(join(shared, "follow.cjs"), await commonJs(join(MATRIX, "app/follow.js")));
  // The package and its dependencies.
  for (const name of await readdir(dirname(installed))) {
    if (!name.startsWith(".")) await cp(join(dirname(installed), name), join(place, "node_modules", name), { recursive: true });
  }
  return place;
}

/** Installs what the lock file names, unless it is there already. */
async function install(source, place) {
  await mkdir(place, { recursive: true });
  if (!existsSync(join(source, "package-lock.json"))) return;
  const lock = await readFile(join(source, "package-lock.json"), "utf8");
  const stamp = join(place, "node_modules/.matrix-lock.json");
  if (existsSync(stamp) && (await readFile(stamp, "utf8")) === lock) return;
  for (const file of ["package.json", "package-lock.json"]) await cp(join(source, file), join(place, file));
  await run(["npm", "ci", ...NPM], { cwd: place, seconds: 600 });
  await writeFile(stamp, lock);
}

/** The application for consumers that only know `require`. */
async function commonJs(file) {
  const { transform } = createRequire(join(PACKAGE, "package.json"))("esbuild");
  return (await transform(await readFile(file, "utf8"), { format: "cjs" })).code;
}

/** The versions of installed packages. */
export async function versionsOf(place, names) {
  const found = {};
  for (const name of names) found[name] = JSON.parse(await readFile(join(place, "node_modules", name, "package.json"), "utf8")).version;
  return found;
}
