// docs/SSR.md: its code is rendered in Node, hydrated in Chromium, and followed until it is live.

import { strict as assert } from "node:assert";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { WebSocket } from "ws";

import { Server } from "../e2e/lib/server.mjs";
import { launch, open } from "./lib/browser.mjs";
import { bundleForServer, bundlePages } from "./lib/bundle.mjs";
import { blocksOf, compile, workplace } from "./lib/pages.mjs";

// These two need Nuxt itself; the matrix runs them (tests/matrix/lib/rendering.mjs).
const NUXT = ["nuxt.config.ts", "app/pages/campaigns/[id].vue"];
/** The other files of the guide. */
const FILES = ["app/campaign.tsx", "app/page.tsx", "app/components/Campaign.vue", "src/routes/[id]/+page.server.ts",
  "src/routes/[id]/+page.svelte", "src/rows.ts"];
const blocks = (await blocksOf("SSR.md")).filter(({ name }) => !NUXT.includes(name));
const ROWS = 5;

/** The start of each page in the browser, as frameworks do it. */
const MAINS = {
  react: `import { hydrateRoot } from "react-dom/client";
import { createElement } from "react";
import { Campaign } from "./app/campaign";
hydrateRoot(document.getElementById("root")!, createElement(Campaign, (globalThis as any).data));`,
  vue: `import { createSSRApp } from "vue";
import Campaign from "./app/components/Campaign.vue";
createSSRApp(Campaign, (globalThis as any).data).mount("#root");`,
  svelte: `import { hydrate } from "svelte";
import Page from "./src/routes/[id]/+page.svelte";
hydrate(Page, { target: document.getElementById("root")!, props: { data: (globalThis as any).data } });`,
};

/** Rendering on a server, as frameworks do it: each function returns the HTML and the data for the browser. */
const RENDER = `import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { render as renderSvelte } from "svelte/server";
import { createSSRApp } from "vue";
import { renderToString as renderVue } from "vue/server-renderer";
import Campaign from "./app/components/Campaign.vue";
import Page from "./app/page";
import { load } from "./src/routes/[id]/+page.server";
import SveltePage from "./src/routes/[id]/+page.svelte";
export { domainsOf } from "./src/rows";

export const render = {
  async react(id: string) {
    const element = await Page({ searchParams: Promise.resolve({ campaign: id }) });
    return { html: renderToString(element), data: element.props };
  },
  async vue(id: string) {
    const data = await load({ params: { id } });
    return { html: await renderVue(createSSRApp(Campaign, data)), data };
  },
  async svelte(id: string) {
    const data = await load({ params: { id } });
    return { html: renderSvelte(SveltePage, { props: { data } }).body, data };
  },
};
`;

let place, server, browser, pages, rendered;
before(async () => {
  place = await workplace("ssr");
  const recipes = Object.fromEntries((await blocksOf("RECIPES.md")).map(({ name, text }) => [name, text]));
  for (const [directory, name] of [["app/composables", "vue.ts"], ["src/lib", "svelte.svelte.ts"]]) {
    for (const file of [name, "follow.ts", "client.ts"]) await place.write({ [`${directory}/${file}`]: recipes[file] });
  }
  await place.write(Object.fromEntries(blocks.map(({ name, text }) => [name, text])));
  await place.write(Object.fromEntries(Object.entries(MAINS).map(([name, text]) => [`${name}-main.ts`, text])));
  pages = await bundlePages(place, Object.fromEntries(Object.keys(MAINS).map((name) => [name, `${name}-main.ts`])), { frameworks: true });
  server = await Server.start([], pages);
  // The server's code of the guide, with the address of this server.
  const address = new URL(server.origin).host;
  await place.write(Object.fromEntries(blocks.map(({ name, text }) => [name, text.replace("127.0.0.1:8080", address)])));
  await place.write({ "render.ts": RENDER });
  rendered = await bundleForServer(place, "render.ts");
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  await place.remove();
});

test("code of the guide compiles", async () => {
  assert.deepEqual(blocks.map(({ name }) => name), FILES);
  assert.equal(await compile(place.directory, ["app/*.tsx", "src/*.ts", "src/routes/*/*.ts"]), "");
});

describe("rendered page", { concurrency: true, timeout: 60_000 }, () => {
  for (const name of Object.keys(MAINS)) {
    test(`${name}: server's record is shown, hydrated without a mismatch, and followed`, async () => {
      const id = await server.generated({ count: ROWS, rate: 5_000, name: `Rendered by ${name}` });
      const { html, data } = await rendered.render[name](id);
      const text = html.replace(/<!--.*?-->/g, "");
      assert.match(text, new RegExp(`<h1>Rendered by ${name}</h1>\\s*<p>domain_generation</p>\\s*<p role="status">idle</p>`));
      // The record of the server is older than the page.
      await server.act(id, "configure-dns");
      const file = await readFile(join(pages, `${name}.html`), "utf8");
      const filled = file.replace('<div id="root"></div>', `<div id="root">${html}</div>`);
      assert.notEqual(filled, file);
      await writeFile(join(pages, `${name}-${id}.html`), filled);
      const page = await openWith(`/${name}-${id}.html`, data);
      await page.getByRole("status").filter({ hasText: "live" }).waitFor();
      await page.getByText("dns_validation", { exact: true }).waitFor();
      assert.deepEqual(page.problems, []);
    });
  }
});

/** Opens a page that finds the server's data in a global, where frameworks put it. */
async function openWith(path, data) {
  const context = await browser.newContext();
  await context.addInitScript((data) => (globalThis.data = data), data);
  return open(context, `${server.origin}${path}`);
}

test("server follows a campaign until it is live, and keeps no socket", async () => {
  const id = await server.generated({ count: ROWS, rate: 5_000 });
  const sockets = [];
  const domains = await rendered.domainsOf(id, class extends WebSocket {
    constructor(...values) {
      super(...values);
      sockets.push(this);
    }
  });
  const { json } = await server.api(`/campaigns/${id}/domains?limit=100`, undefined);
  assert.deepEqual(domains, json.domains.map((it) => it.domain));
  assert.equal(sockets.length, 1);
  assert.ok(sockets[0].readyState >= WebSocket.CLOSING);
});

test("unknown campaign fails on the server", async () => {
  await assert.rejects(rendered.domainsOf("none", WebSocket), { message: "unknown_campaign" });
});
