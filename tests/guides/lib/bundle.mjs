// Bundles pages with Vite and the plugins of Vue and Svelte, as applications do.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { svelte, vitePreprocess } from "@sveltejs/vite-plugin-svelte";
import vue from "@vitejs/plugin-vue";
import { build } from "vite";

const options = (root) => ({
  root,
  configFile: false,
  logLevel: "error",
  esbuild: { jsx: "automatic" },
  // The package is a link here, and has a React of its own for its tests.
  resolve: {
    preserveSymlinks: true,
    dedupe: ["react", "react-dom"],
    // As SvelteKit has it.
    alias: { $lib: join(root, "src/lib") },
  },
  plugins: [vue(), svelte({ configFile: false, preprocess: vitePreprocess() })],
});

const html = (main) =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>Guide</title><body><div id="root"></div><script type="module" src="./${main}"></script></body></html>`;

/** Bundles one page for each script of the directory. Returns the directory of the bundles, in which `NAME.html` is the page. */
export async function bundlePages(place, mains) {
  const names = Object.keys(mains);
  await place.write(Object.fromEntries(names.map((name) => [`${name}.html`, html(mains[name])])));
  const outDir = join(place.directory, "dist");
  const input = names.map((name) => join(place.directory, `${name}.html`));
  await build({ ...options(place.directory), build: { outDir, emptyOutDir: true, target: "es2022", minify: false, modulePreload: false, reportCompressedSize: false, rollupOptions: { input } } });
  // The server serves no directory without a first page.
  await writeFile(join(outDir, "index.html"), html("none.js").replace(/<script.*script>/, ""));
  return outDir;
}

/** Bundles a module for Node, with everything in it. Returns the exports of the module. */
export async function bundleForServer(place, main) {
  const outDir = join(place.directory, "server");
  await build({ ...options(place.directory), ssr: { noExternal: true },
    build: { outDir, ssr: join(place.directory, main), target: "es2022", rollupOptions: { output: { entryFileNames: "main.mjs" } } } });
  return import(join(outDir, "main.mjs"));
}
