// Damaged, foreign and missing first documents, with the compiled modules: none of them ends a client. The clock is a fake.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Core } from "../dist/core.js";
import { Loader, wasmClient } from "../dist/module.js";
import { SocketTransport } from "../dist/transport.js";
import { Call } from "./support/calls.js";
import { withFakeClock } from "./support/clock.js";
import { CAMPAIGN, Stream } from "./support/stream.js";

const stream = new Stream();
stream.appendRow();
const [ACK] = stream.answer(JSON.stringify({ type: "connection_init" }));
const document = (type, data) => JSON.stringify({ type, timestamp: "2031-03-05T06:07:08Z", data });

const MODULES = {
  main: { file: "campaign_sync_bg.wasm", glue: "main-glue.js", ack: ACK },
  encrypted: { file: "encrypted/campaign_sync_bg.wasm", glue: "encrypted-glue.js", ack: ACK },
  sealed: { file: "encrypted/campaign_sync_bg.wasm", glue: "encrypted-glue.js", ack: ACK.replace("sync.v1", "sync.v1.sealed"), isSealed: true },
};

/** The acknowledgement with each of its bits flipped, and cut after each of its bytes. */
function* damaged(ack) {
  const bytes = new TextEncoder().encode(ack);
  for (let at = 0; at < bytes.length; at++) {
    for (let bit = 0; bit < 8; bit++) yield [`bit ${bit} of byte ${at}`, bytes.with(at, bytes[at] ^ (1 << bit)).buffer];
    yield [`the first ${at} bytes`, bytes.slice(0, at).buffer];
  }
}

/** Documents and other values that a server, a proxy or a transport may send first. */
function foreign(good) {
  const whole = JSON.parse(good);
  const changed = (data) => JSON.stringify({ ...whole, data: { ...whole.data, ...data } });
  return [
    "<!doctype html><title>502 Bad Gateway</title>", "{}", "[]", "null", "true", "0", '""', "", " ", "\n\n\n", "\u0000", `\ufeff${good}`, "{", "[".repeat(100_000), "x".repeat(2_000_000),
    new ArrayBuffer(0), new Uint8Array([0xff, 0xfe, 0x00]), Symbol("frame"), undefined, null, 5, {},
    changed({ protocol: null }), changed({ protocol: 5 }), changed({ protocol: ["campaign-sync.v1"] }), changed({ protocol: "" }), changed({ protocol: "campaign-sync.v2" }), changed({ protocol: "graphql-ws" }),
    ...["heartbeatMs", "maxFrameBytes"].flatMap((name) => [-1, 0, 0.5, 1e308, 2 ** 53, "text", null, {}].map((value) => changed({ [name]: value }))),
    changed({ connectionId: 5 }), changed({ subject: 5 }), changed({ subject: "s".repeat(129) }),
    JSON.stringify({ type: "connection_ack" }), document("connection_ack", null), document("connection_ack", []), document("connection_ack", "text"),
    document("error", { code: "internal", message: "down" }), document("error", { code: "rate_limited", message: "", retryAfterMs: -1 }), document("error", {}), document("error", null),
    document("server_draining", { retryAfterMs: 100 }), document("server_draining", { retryAfterMs: "soon" }), document("server_draining", {}),
    document("pong", { timestamp: 1, heads: [] }), document("subscription_ended", { campaignId: CAMPAIGN, reason: "deleted" }), document("campaign.snapshot", {}),
    document("event_recovery", { campaignId: CAMPAIGN, outcome: "unknown_campaign" }), ...stream.events,
  ];
}

/** Starts a module. Returns a function that makes a client whose first two sockets get `first` in place of an acknowledgement. */
async function start(module) {
  const { file, glue, ack, isSealed } = MODULES[module];
  const bytes = readFileSync(new URL(`../wasm/${file}`, import.meta.url));
  const { glue: generate } = await import(`../dist/${glue}?${module}`); // The query keeps the fake machine out.
  new Loader(generate, () => bytes, Object.keys(MODULES).indexOf(module) + 1_000).loadSync(bytes);
  return (first) => {
    let opened = 0;
    const Sockets = class {
      isGood = (opened += 1) > 2;
      constructor() {
        setTimeout(() => this.onopen?.({}));
      }
      send(frame) {
        const isFirst = JSON.parse(frame).type === "connection_init";
        const answers = !this.isGood ? (isFirst ? [first] : []) : isFirst ? [ack] : stream.answer(frame);
        for (const data of answers) setTimeout(() => this.onmessage?.({ data }));
      }
      close() {}
    };
    const states = [];
    const core = new Core(wasmClient(), {}, {
      dispatch: (type, detail) => type === "connectionchange" && states.push(detail),
      onLastRelease: () => {},
      transport: (reports) => new SocketTransport("ws://host.test/", Sockets, reports),
    });
    if (isSealed) core.call((it) => it.seal());
    return { core, states };
  };
}

for (const module of Object.keys(MODULES)) {
  const { ack, isSealed } = MODULES[module];

  test(`no first document ends a client of the ${module} module`, async () => {
    const make = await start(module);
    const codes = new Set();
    await withFakeClock((clock) => {
      for (const [what, first] of [...damaged(ack), ...foreign(ack).map((it) => [String(it).slice(0, 80), it])]) {
        const { core, states } = make(first);
        const channel = core.retain(CAMPAIGN);
        core.command({ call: Call.connect });
        clock.tick(60_000);
        const last = `${what}: ${JSON.stringify(states.at(-1))}`;
        if (isSealed) assert.equal(states.at(-1).state, "open", last);
        else assert.equal(core.view(channel).status, "live", last);
        for (const { state, code } of states) {
          assert.notEqual(state, "failed", what);
          codes.add(code);
        }
        core.close();
        clock.tick(1_000);
      }
    });
    for (const code of ["unexpected_document", "ack_timeout"]) assert.ok(codes.has(code), code);
  });
}
