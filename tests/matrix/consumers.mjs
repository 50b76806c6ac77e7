/**
 * The consumers: what each is called, its directory in `consumers`, the packages whose versions the report names, and
 * how it runs. `quick` ones also run in every test run. `node` is the version of Node, where it matters. The programs of
 * other versions of Node, of Deno and of Bun are those for Linux on x86-64.
 */
import { guideOfNext } from "./lib/guide.mjs";
import { built, builtPage, program, served } from "./lib/kinds.mjs";
import { guideOfRendering } from "./lib/rendering.mjs";

const bin = (name, ...values) => [`node_modules/.bin/${name}`, ...values];
const POLICY = (socket) => `default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src ${socket}; img-src data:`;

const nodes = (directory, version) => [
  { name: `node-${version}-esm`, directory, node: version, quick: version === 20, run: program(["node", "program.js"]) },
  { name: `node-${version}-cjs`, directory, node: version, run: program(["node", "program.cjs"]) },
];

const esbuild = (...values) => bin("esbuild", "--bundle", "--format=esm", "--log-level=warning", ...values);
const vite = (version, ...values) => ({ directory: `vite${version}`, packages: ["vite"], ...Object.assign({}, ...values) });
const viteDev = (version) => vite(version, { name: `vite-${version}-dev`, quick: version === 6, run: served([], bin("vite", "--host", "127.0.0.1", "--port", "PORT", "--strictPort")) });
const viteBuild = (version) => vite(version, { name: `vite-${version}-build`, run: builtPage([bin("vite", "build", "--logLevel", "warn")], "dist") });
const next = (name, ...values) => ({
  name, directory: "next", node: 22, packages: ["next", "react"],
  run: served([bin("next", "build", ...values)], bin("next", "start", "-p", "PORT", "-H", "127.0.0.1"), { rendered: "/rendered" }),
});
const rollup = (...values) => [bin("rollup", "main.js", "-p", "node-resolve", "--silent", ...values)];

export const CONSUMERS = [
  ...nodes("node", 20),
  ...nodes("node22", 22),
  ...nodes("node24", 24),
  { name: "deno", directory: "deno", packages: ["deno"], run: program(["node_modules/@deno/linux-x64-glibc/deno", "run", "-A", "--no-remote", "program.js"]) },
  { name: "bun", directory: "bun", packages: ["bun"], run: program(["node_modules/@oven/bun-linux-x64/bin/bun", "run", "program.js"]) },
  { name: "jest-node", directory: "jest", packages: ["jest"], run: program(bin("jest", "--ci")) },
  {
    name: "jest-jsdom", directory: "jest", packages: ["jest", "jest-environment-jsdom"], quick: true,
    run: (it) => program(bin("jest", "--ci", "--env=jsdom", `--testEnvironmentOptions={"url":"${it.origin}/"}`))(it),
  },
  { name: "vitest-jsdom", directory: "vitest", packages: ["vitest", "vite", "jsdom"], node: 22, run: program(bin("vitest", "run")) },

  { name: "import-map", directory: "import-map", quick: true, run: built([], ".") },
  { name: "import-map-external", directory: "import-map", main: "external.js", run: built([], ".") },
  { name: "csp", directory: "esbuild", packages: ["esbuild"], run: built([esbuild("main.js", "--outfile=out/main.js")], "out", { policy: POLICY }) },
  {
    name: "module-worker", directory: "esbuild", packages: ["esbuild"], main: "module-worker.js",
    run: built([esbuild("main.js", "worker.js", "--splitting", "--outdir=out")], "out"),
  },
  {
    name: "blob-worker", directory: "esbuild", packages: ["esbuild"], main: "blob-worker.js",
    run: built([esbuild("main.js", "--outdir=out"), esbuild("worker.js", "--format=iife", "--outdir=out")], "out"),
  },

  { name: "esbuild", directory: "esbuild", packages: ["esbuild"], main: "subpaths.js", run: built([esbuild("main.js", "--outfile=out/main.js")], "out") },
  { name: "esbuild-iife-minified", directory: "esbuild", packages: ["esbuild"], run: built([esbuild("main.js", "--format=iife", "--minify", "--outfile=out/main.js")], "out") },
  { name: "esbuild-address", directory: "esbuild", packages: ["esbuild"], main: "address.js", run: built([esbuild("main.js", "--loader:.wasm=file", "--public-path=/", "--outdir=out")], "out") },
  { name: "esbuild-splitting", directory: "esbuild", packages: ["esbuild"], main: "lazy.js", quick: true, run: built([esbuild("main.js", "--splitting", "--outdir=out")], "out") },
  { name: "rollup-files", directory: "rollup", packages: ["rollup", "@rollup/plugin-node-resolve"], main: "lazy.js", run: built(rollup("-f", "es", "-d", "out"), "out") },
  { name: "rollup-one-file", directory: "rollup", packages: ["rollup", "@rollup/plugin-node-resolve"], quick: true, run: built(rollup("-f", "iife", "-o", "out/main.js"), "out") },
  { name: "webpack-5", directory: "webpack", packages: ["webpack"], run: built([bin("webpack", "--mode=production", "--entry=./main.js", "--output-path=out")], "out") },
  { name: "webpack-5-subpaths", directory: "webpack", packages: ["webpack"], main: "subpaths.js", run: built([bin("webpack", "--mode=development", "--entry=./main.js", "--output-path=out")], "out") },
  { name: "webpack-5-external", directory: "webpack", packages: ["webpack"], main: "external.js", run: built([bin("webpack", "--mode=production", "--entry=./main.js", "--output-path=out")], "out") },
  { name: "webpack-5-async-wasm", directory: "webpack", packages: ["webpack"], run: built([bin("webpack", "--config=webpack.async.config.js", "--entry=./main.js", "--output-path=out")], "out") },
  { name: "parcel", directory: "parcel", packages: ["parcel"], run: builtPage([bin("parcel", "build", "index.html", "--no-cache")], "dist") },
  { name: "parcel-subpaths", directory: "parcel", packages: ["parcel"], main: "subpaths.js", run: builtPage([bin("parcel", "build", "index.html", "--no-cache")], "dist") },

  viteDev(6), viteBuild(6), viteDev(7), viteBuild(7), viteDev(8), viteBuild(8),
  vite(8, { name: "vite-8-external", main: "external.js", run: builtPage([bin("vite", "build", "--logLevel", "warn")], "dist") }),
  vite(8, { name: "vite-8-module-worker", main: "module-worker.js", run: builtPage([bin("vite", "build", "--logLevel", "warn")], "dist") }),
  vite(8, { name: "vite-8-ssr", run: program(bin("vite", "build", "--ssr", "program.js", "--outDir", "out", "--logLevel", "warn"), ["node", "out/program.js"]) }),
  vite(8, { name: "vite-8-ssr-bundled", run: program(bin("vite", "build", "--config", "ssr.config.js", "--logLevel", "warn"), ["node", "out/program.js"]) }),
  vite(8, { name: "vite-8-ssr-dev", run: program(["node", "ssr-dev.js"]) }),

  next("next-turbopack"),
  next("next-webpack", "--webpack"),
  {
    name: "next-dev", directory: "next", node: 22, packages: ["next", "react"], quick: true,
    run: guideOfNext(bin("next", "dev", "-p", "PORT", "-H", "localhost"), 40),
  },
  {
    name: "nuxt-build", directory: "nuxt", node: 22, packages: ["nuxt", "vue"],
    run: served([bin("nuxt", "build")], ["node", ".output/server/index.mjs"], { rendered: "/rendered" }),
  },
  { name: "nuxt-dev", directory: "nuxt", node: 22, packages: ["nuxt", "vue"], run: served([], bin("nuxt", "dev", "--host", "127.0.0.1", "--port", "PORT"), { rendered: "/rendered" }) },
  {
    name: "sveltekit", directory: "sveltekit", node: 22, packages: ["@sveltejs/kit", "svelte", "vite"],
    run: served([bin("vite", "build", "--logLevel", "warn")], ["node", "build/index.js"], { rendered: "/rendered" }),
  },
  {
    name: "next-guide", directory: "next", node: 22, packages: ["next", "react"],
    run: guideOfRendering("next", bin("next", "build"), bin("next", "start", "-p", "PORT", "-H", "127.0.0.1")),
  },
  {
    name: "nuxt-guide", directory: "nuxt", node: 22, packages: ["nuxt", "vue"],
    run: guideOfRendering("nuxt", bin("nuxt", "build"), ["node", ".output/server/index.mjs"]),
  },
  {
    name: "sveltekit-guide", directory: "sveltekit", node: 22, packages: ["@sveltejs/kit", "svelte", "vite"],
    run: guideOfRendering("sveltekit", bin("vite", "build", "--logLevel", "warn"), ["node", "build/index.js"]),
  },
  { name: "angular", directory: "angular", node: 22, packages: ["@angular/cli", "@angular/core"], run: builtPage([bin("ng", "build")], "dist/browser") },

  ...["5.4", "5.9", "6", "7"].map((version) => ({ name: `typescript-${version}`, directory: "types", packages: [`typescript-${version}`], run: program(["node", "check.js", `typescript-${version}`]) })),
];
