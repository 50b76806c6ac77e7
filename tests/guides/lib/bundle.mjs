// Bundles pages with Vite and the plugins of Vue and Svelte, as applications do.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { build } from "vite";

/** The plugins that a project needs which has files of Vue and Svelte. */
async function frameworkPlugins() {
  const { default: vue } = await import("@vitejs/plugin-vue");
  const { svelte, vitePreprocess } = await import("@sveltejs/vite-plugin-svelte");
  return [vue(), svelte({ configFile: false, preprocess: vitePreprocess() })];
}

const options = async (root, frameworks) => ({
  root,
  configFile: false,
  logLevel: "error",
  esbuild: { jsx: "automatic" },
  resolve: {
    // The package is a link here, and has another React for its tests.
    preserveSymlinks: true,
    dedupe: ["react", "react-dom"],
    // As SvelteKit has it.
    alias: { $lib: join(root, "src/lib") },
  },
  plugins: frameworks ? await frameworkPlugins() : [],
});

const html = (script) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>Guide</title><body><div id="root"></div>${script}</body></html>`;

/** Bundles one page for each script, by its name. Returns the directory of the bundles, in which `NAME.html` is the page. */
export async function bundlePages(place, mains, { frameworks = false } = {}) {
  const names = Object.keys(mains);
  await place.write(Object.fromEntries(names.map((name) => [`${name}.html`, html(`<script type="module" src="./${mains[name]}"></script>`)])));
  const outDir = join(place.directory, "dist");
  const input = names.map((name) => join(place.directory, `${name}.html`));
  await build({ ...(await options(place.directory, frameworks)),
    build: { outDir, emptyOutDir: true, target: "es2022", minify: false, modulePreload: false, reportCompressedSize: false, rollupOptions: { input } } });
  // The server serves no directory without a first page.
  await writeFile(join(outDir, "index.html"), html(""));
  return outDir;
}

/** Bundles a module for Node, with the package in it, so that both use the React of this project. Returns its exports. */
export async function bundleForServer(place, main) {
  const outDir = join(place.directory, "server");
  await build({ ...(await options(place.directory, true)), ssr: { noExternal: [/^campaign-sync/, "openapi-fetch"] },
    build: { outDir, ssr: join(place.directory, main), target: "es2022", reportCompressedSize: false, rollupOptions: { output: { entryFileNames: "main.mjs" } } } });
  return import(join(outDir, "main.mjs"));
}
