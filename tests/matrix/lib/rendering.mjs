/** The pages of docs/SSR.md in the frameworks themselves: the server renders its record, and the page goes on until it is live. */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { Server } from "../../e2e/lib/server.mjs";
import { blocksOf } from "../../guides/lib/pages.mjs";
import { run, start, tail } from "./process.mjs";
import { answers } from "./site.mjs";

const APP = fileURLToPath(new URL("../app", import.meta.url));
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const LIVE_SECONDS = 40;

/** For each framework: the files of the guide and of the recipes that it takes, by their places there, and the path of its page. */
const FRAMEWORKS = {
  next: {
    guide: { "app/campaign.tsx": "app/campaigns/campaign.jsx", "app/page.tsx": "app/campaigns/page.jsx" },
    recipes: {},
    own: "app/campaigns",
    path: (id) => `/campaigns?campaign=${id}`,
  },
  nuxt: {
    guide: { "nuxt.config.ts": "guide.config.ts", "app/components/Campaign.vue": "app/components/Campaign.vue", "app/pages/campaigns/[id].vue": "app/pages/campaigns/[id].vue" },
    recipes: { "client.ts": "app/composables/client.ts", "follow.ts": "app/composables/follow.ts", "vue.ts": "app/composables/vue.ts" },
    own: "app/composables",
    path: (id) => `/campaigns/${id}`,
  },
  sveltekit: {
    guide: { "src/routes/[id]/+page.server.ts": "src/routes/[id]/+page.server.ts", "src/routes/[id]/+page.svelte": "src/routes/[id]/+page.svelte" },
    recipes: { "client.ts": "src/lib/client.ts", "follow.ts": "src/lib/follow.ts", "svelte.svelte.ts": "src/lib/svelte.svelte.ts" },
    own: "src/routes/[id]",
    path: (id) => `/${id}`,
  },
};

/** Builds and serves the pages of the guide in a framework. The outcome says that the page was rendered, hydrated and live. */
export function guideOfRendering(framework, build, command) {
  return async ({ place, env, port, browser }) => {
    const { path, own } = FRAMEWORKS[framework];
    const server = await Server.start(["--origin", `http://127.0.0.1:${port}`], APP);
    try {
      const id = await server.generated({ count: 5, rate: 1_000, name: "From the guide" });
      await write(place, framework, server);
      await run(build, { cwd: place, env });
      const serving = start(command.map((word) => word.replace("PORT", port)), { cwd: place, env: { ...env, PORT: String(port), HOST: "127.0.0.1" } });
      try {
        return await follow(`http://127.0.0.1:${port}${path(id)}`, { server, id, serving, browser });
      } catch (error) {
        throw new Error(`${error.message}\n${tail(serving.output())}`);
      } finally {
        await serving.stop();
      }
    } finally {
      await server.stop();
      await rm(join(place, own), { recursive: true, force: true });
    }
  };
}

/** Writes the files, with the addresses of this server. Files of React lose their types: Next would install a compiler for them. */
async function write(place, framework, server) {
  const { transform } = createRequire(join(ROOT, "pkg/package.json"))("esbuild");
  const { guide, recipes } = FRAMEWORKS[framework];
  for (const [page, files] of [["SSR.md", guide], ["RECIPES.md", recipes]]) {
    const blocks = Object.fromEntries((await blocksOf(page)).map(({ name, text }) => [name, text]));
    for (const [name, target] of Object.entries(files)) {
      let text = blocks[name].replaceAll("127.0.0.1:8080", new URL(server.origin).host);
      text = text.replaceAll('url: "/api/v2/ws"', `url: "${server.origin}/api/v2/ws"`);
      if (target.endsWith(".jsx")) text = `"use client";\n`.repeat(Number(text.includes('"use client"'))) + (await transform(text, { loader: "tsx", jsx: "preserve" })).code;
      await mkdir(dirname(join(place, target)), { recursive: true });
      await writeFile(join(place, target), text);
    }
  }
  if (framework !== "nuxt") return;
  // The configuration of the guide, with that of the consumer.
  const config = join(place, "nuxt.config.ts");
  const base = (await readFile(config, "utf8")).replace("export default ", "const base = ");
  await writeFile(config, `import guide from "./guide.config";\n${base}\nexport default { ...base, ...guide };\n`);
}

/** Reads the HTML of the server, and waits until the page is live with what has changed since. */
async function follow(address, { server, id, serving, browser }) {
  const html = await (await answers(address, serving)).text();
  for (const text of ["From the guide", "domain_generation", "idle"]) {
    if (!html.includes(`>${text}<`)) throw new Error(`the server did not render ${text}:\n${tail(html)}`);
  }
  const page = await browser.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => message.type() === "error" && /hydrat/i.test(message.text()) && problems.push(message.text()));
  page.setDefaultTimeout(LIVE_SECONDS * 1_000);
  try {
    await page.goto(address);
    await page.getByRole("status").filter({ hasText: "live" }).waitFor();
    await server.act(id, "configure-dns");
    await page.getByText("dns_validation", { exact: true }).waitFor();
    if (problems.length > 0) throw new Error(problems.join("\n"));
    return { rendered: true, hydrated: true, status: "live" };
  } finally {
    await page.close();
  }
}
