// Bundles pages with one version of React, as an application's bundler does it.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const here = fileURLToPath(new URL("..", import.meta.url));
const pkg = fileURLToPath(new URL("../../../pkg", import.meta.url));

/** The versions of React that the tests use, with the suffix of their packages here. */
export const VERSIONS = { 18: "-18", 19: "" };

/** Resolves React to one version, also for the package, and the package to its built files. */
function resolver(version) {
  const resolve = (name, resolveDir, rename = (path) => path) => (it) => {
    it.onResolve({ filter: name }, async ({ path, kind, pluginData }) =>
      pluginData === "again" ? undefined : it.resolve(rename(path), { resolveDir, kind, pluginData: "again" }));
  };
  return {
    name: "versions",
    setup(it) {
      resolve(/^react(-dom)?($|\/)/, here, (path) => path.replace(/^react(-dom)?/, `$&${VERSIONS[version]}`))(it);
      resolve(/^campaign-sync($|\/)/, pkg)(it);
    },
  };
}

/** Bundles `entry` and returns the text of the bundle. */
export async function bundle(entry, version, { platform = "browser", mode = "development" } = {}) {
  const { outputFiles } = await build({
    entryPoints: [join(here, entry)],
    bundle: true,
    format: "esm",
    platform,
    target: "es2022",
    jsx: "automatic",
    minify: mode === "production",
    define: { "process.env.NODE_ENV": JSON.stringify(mode) },
    plugins: [resolver(version)],
    write: false,
    logLevel: "error",
    // React's renderer for Node requires modules of Node.
    ...(platform === "node" && { banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' } }),
  });
  return outputFiles[0].text;
}

/** Writes a directory with one page, for the server's `--static`. */
export async function pageOf(entry, version, options) {
  const directory = await mkdtemp(join(tmpdir(), "campaign-sync-react-"));
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "page.js"), await bundle(entry, version, options));
  await writeFile(join(directory, "index.html"),
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>React</title><div id="root"></div><script type="module" src="/page.js"></script>');
  return { directory, remove: () => rm(directory, { recursive: true, force: true }) };
}
