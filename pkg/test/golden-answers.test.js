// The compiled module for sealed content through the package's own boundary: keys, texts and answers arrive unchanged.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Loader } from "../dist/module.js";
import { CampaignSync } from "../dist/sealed.js";

const read = (path) => readFileSync(new URL(path, import.meta.url));
const { keys, answers } = JSON.parse(read("../../docs/vectors/sealed.json"));
const BYTES = read("../wasm/encrypted/campaign_sync_bg.wasm");
// The query keeps the fake machine out.
const { glue } = await import("../dist/encrypted-glue.js?golden");
new Loader(glue, () => BYTES, 1_000).loadSync(BYTES);

const bytesOf = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));

test("client opens the golden answers with the keys that it was given", () => {
  const [[kid, first], ...others] = Object.entries(keys);
  const sync = new CampaignSync({ target: null, keys: { [kid]: bytesOf(first) } });
  for (const [name, key] of others) sync.addKey(name, bytesOf(key));
  assert.ok(answers.length > 0);
  for (const { name, associated, content, answer } of answers) {
    const [campaignId, epoch, sequenceNumber, eventId] = JSON.parse(associated);
    const opened = sync.open(campaignId, name.replace(/^rest\./, ""), answer);
    assert.deepEqual(opened, { position: { epoch, sequenceNumber, eventId }, body: JSON.parse(content) }, name);
  }
  sync.close();
});

test("answer that the module cannot open throws its code", () => {
  const sync = new CampaignSync({ target: null });
  const [{ associated, answer }] = answers;
  const [campaignId] = JSON.parse(associated);
  assert.throws(() => sync.open(campaignId, "campaign", answer), { code: "unknown_key" });
  assert.throws(() => sync.open(campaignId, "campaign", { text: "Zürich 🚀" }), { code: "not_sealed" });
  sync.close();
});
