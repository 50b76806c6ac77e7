// Searches through the compiled module: it folds ASCII, and the engine folds all other letters.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { CampaignHandle } from "../dist/campaign.js";
import { Core } from "../dist/core.js";
import { Loader, wasmClient } from "../dist/module.js";
import { SocketTransport } from "../dist/transport.js";
import { Call } from "./support/calls.js";
import { CAMPAIGN, Stream } from "./support/stream.js";

const BYTES = readFileSync(new URL("../wasm/campaign_sync_bg.wasm", import.meta.url));

/** A handle that is live, with rows of these names. */
async function followed(names) {
  // The query keeps the fake machine out.
  const { glue } = await import("../dist/main-glue.js?search");
  new Loader(glue, () => BYTES, 1_000).loadSync(BYTES);
  const stream = new Stream();
  for (const name of names) stream.appendRow(name);
  class Socket {
    constructor() { setImmediate(() => this.onopen({})); }
    send(frame) { for (const answer of stream.answer(frame)) setImmediate(() => this.onmessage?.({ data: answer })); }
    close() {}
  }
  const core = new Core(wasmClient(), {}, {
    dispatch: () => {},
    onLastRelease: () => {},
    transport: (reports) => new SocketTransport("ws://host.test/", Socket, reports),
  });
  const handle = new CampaignHandle(core, CAMPAIGN);
  core.command({ call: Call.connect });
  while (handle.view().status !== "live") await new Promise((resolve) => setTimeout(resolve, 5));
  return { core, handle };
}

test("search finds every name by itself, in any case and any script", async () => {
  const names = ["MÜLLER.example", "İSTANBUL.example", "ΣΊΣΥΦΟΣ.example", "ПРИМЕР.рф", "Straße.example", "plain.Example", "\0.example"];
  const { core, handle } = await followed(names);
  const found = (search) => handle.domains({ search }).rows.map(({ domain }) => domain);
  for (const name of names) {
    for (const text of [name, name.toLowerCase(), name.toUpperCase(), ` ${name} `]) assert.deepEqual(found(text), [name], text);
  }
  assert.deepEqual(found("σίσυφος"), [names[2]]);
  assert.deepEqual(found("müll"), [names[0]]);
  assert.equal(found("EXAMPLE").length, 6);
  assert.equal(handle.domains({ search: "  " }).total, names.length);
  core.close();
});

test("numbers at their edges and searches of any text have an answer of the module", async () => {
  const { core, handle } = await followed(["a.example", "b.example", "nul\u0000.example"]);
  for (const number of [2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER]) {
    assert.equal(handle.domains({ limit: number }).rows.length, 3, `limit ${number}`);
    assert.deepEqual([handle.domains({ offset: number }).rows.length, handle.domains({ offset: number }).total], [0, 3], `offset ${number}`);
    await assert.rejects(handle.reached({ epoch: "epoch-a", sequenceNumber: number }, { timeoutMs: 1 }), { code: "timed_out" });
  }
  assert.equal(handle.domains({ limit: 0 }).rows.length, 0);
  await handle.reached({ epoch: "epoch-a", sequenceNumber: -0 });
  for (const epoch of ['quote"', "nul\u0000", "\u00e9", "\ud800"]) await assert.rejects(handle.reached(`${epoch}/1`), { code: "invalid_argument" });
  for (const [search, total] of [["\u0000", 1], ["x".repeat(3_000_000), 0], ["\ud800".toWellFormed?.() ?? "\ufffd", 0], [" ", 3]]) {
    assert.equal(handle.domains({ search }).total, total);
  }
  core.close();
});
