/**
 * Runs in the browser. It passes frames to the package as an application with its own transport does, and parses the
 * same frames with `JSON.parse` alone for comparison.
 *
 * Only the loop over the frames is timed. Every round then proves that the work was done: every event was applied, no
 * event was corrupt, and every row in the store is correct.
 */
import { CampaignSync, init } from "campaign-sync";

import { replyTo } from "./replies.js";

const encoder = new TextEncoder();
let log;
let framesOf;

/** The functions that bench.mjs calls. */
globalThis.bench = {
  async load() {
    const answer = await fetch("/log.json");
    log = await answer.json();
    framesOf = {
      ours_text: log.measured,
      ours_bytes: log.measured.map((frame) => encoder.encode(frame)),
      json_parse: log.measured,
    };
    await init();
  },

  /** Runs one round of one contender and returns its events per second. */
  async round(contender) {
    const frames = framesOf[contender];
    const seconds = contender === "json_parse" ? parse(frames) : await receive(frames);
    return frames.length / seconds;
  },
};

function parse(frames) {
  let sum = 0;
  const start = performance.now();
  // The sum keeps the engine from optimising the loop away.
  for (const frame of frames) sum += JSON.parse(frame).sequence.sequenceNumber;
  const seconds = (performance.now() - start) / 1000;
  const first = log.preload.length + 1;
  const last = log.preload.length + frames.length;
  equal("sum of the numbers parsed", sum, ((first + last) * frames.length) / 2);
  return seconds;
}

async function receive(frames) {
  const client = new CampaignSync({ target: null });
  const campaign = await subscribe(client);
  const before = client.metrics();

  let applied = 0;
  const start = performance.now();
  for (const frame of frames) applied += client.receive(frame);
  const seconds = (performance.now() - start) / 1000;

  const after = client.metrics();
  equal("events that receive() says it applied", applied, frames.length);
  equal("events applied", after.applied - before.applied, frames.length);
  equal("events corrupt", after.corrupt, 0);
  equal("recovery requests", sum(after.recoveryRequests), sum(before.recoveryRequests));
  checkRows(campaign);
  campaign.release();
  client.close();
  return seconds;
}

/** Performs the handshake of a v1 server, and brings the campaign to the state before the measured events. */
async function subscribe(client) {
  const asked = new Promise((resolve) => {
    client.onsend = (frame) => {
      for (const document of frame.split("\n")) {
        const message = JSON.parse(document);
        const reply = replyTo(message, log);
        // The reply comes in a later microtask, because no transport answers before it has sent.
        if (reply !== undefined) queueMicrotask(() => client.receive(JSON.stringify(reply)));
        if (message.type === "request_event_recovery") queueMicrotask(resolve);
      }
    };
  });
  client.connect();
  const campaign = client.campaign(log.campaignId);
  await asked;
  for (const frame of log.preload) client.receive(frame);
  equal("rows before the measured events", campaign.view().domainsCount, log.rows.length);
  return campaign;
}

function checkRows(campaign) {
  const limit = 1_000;
  for (let offset = 0; offset < log.rows.length; offset += limit) {
    const { total, rows } = campaign.domains({ offset, limit, sortBy: "offset", sortOrder: "asc" });
    equal("rows in the store", total, log.rows.length);
    rows.forEach((row, index) => {
      for (const [column, value] of Object.entries(log.rows[offset + index])) {
        equal(`${column} of row ${offset + index}`, row[column], value);
      }
    });
  }
}

function sum(counters) {
  return Object.values(counters).reduce((total, count) => total + count, 0);
}

function equal(what, actual, expected) {
  if (actual !== expected) throw new Error(`${what}: ${String(actual)}, expected ${String(expected)}`);
}
