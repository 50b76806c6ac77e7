// Rendering on a server and hydration, with React 18 and 19.

import { strict as assert } from "node:assert";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

import { bundle, VERSIONS } from "./lib/bundle.mjs";
import { withStage } from "./lib/stage.mjs";

const versions = Object.keys(VERSIONS).map(Number);
const open = withStage(versions);

for (const version of versions) {
  test(`React ${version}: server renders empty views without a client or a warning`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "campaign-sync-react-"));
    t.after(() => rm(directory, { recursive: true }));
    const file = join(directory, "server.mjs");
    await writeFile(file, await bundle("pages/server.tsx", version, { platform: "node" }));
    const warnings = [];
    t.mock.method(console, "error", (...values) => warnings.push(values));
    const { render, emptyView } = await import(pathToFileURL(file));
    assert.deepEqual(render("c"), { html: "<p>idle  0  0 idle  0</p>", created: 0 });
    assert.deepEqual(render(null), { html: "<p>idle  0  0 idle  0</p>", created: 0 });
    assert.deepEqual(render("../x"), { html: "<p>failed invalid_campaign_id 0  0 idle  0</p>", created: 0 });
    assert.deepEqual(warnings, []);
    assert.ok(Object.isFrozen(emptyView("c")) && emptyView("c").campaign === null);
  });

  test(`React ${version}: page of a server hydrates without a mismatch`, async () => {
    const { page } = await open(version);
    const result = await page.evaluate(async () => {
      const list = [["Part", { id: "c", name: "a", select: (view) => [view.status, view.domainsCount] }], ["Connection", {}], ["List", {}]];
      const html = '<p id="a">["idle",0]</p><p id="connection">idle</p><p id="list">0</p>';
      stage.fake.change("c", { domainsCount: 4 });
      stage.fake.connect();
      stage.hydrate(html, list);
      await stage.settled();
      return { texts: ["a", "connection"].map((id) => document.getElementById(id).textContent), mismatch: stage.seen.mismatch ?? [] };
    });
    assert.deepEqual(result, { texts: ['["live",4]', "open"], mismatch: [] });
    assert.deepEqual(page.problems, []);
  });
}
