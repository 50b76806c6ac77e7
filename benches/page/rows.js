/**
 * Runs in the browser. It asks the cache for all rows of a live campaign, and measures how long the page cannot react
 * meanwhile: with the long tasks that the browser reports, and with the largest gap between messages that the page
 * sends itself.
 */
import { CampaignSync, init } from "campaign-sync";
import { configureCache } from "campaign-sync/cache";

import { replyTo } from "./replies.js";

/** Time between two batches of events, and the events in one: 25,000 events a second. */
const [BATCH_MS, BATCH_EVENTS] = [10, 250];

let log;

globalThis.bench = {
  async load() {
    log = await (await fetch("/log.json")).json();
    await init();
  },

  /** Reads all rows once. While it does, the measured events arrive if the campaign is `busy`. */
  async round(busy) {
    const { sync, campaign, feed } = await follow();
    const cache = configureCache({ sync, fetch: () => Promise.reject(new Error("no request")) });
    const stopFeeding = busy ? feed() : () => {};
    const stopWatching = await watch();
    const began = performance.now();
    const data = await cache.get(log.campaignId);
    const took = performance.now() - began;
    const blocked = await stopWatching();
    stopFeeding();
    if (data.domains.length !== log.rows.length || data.position.sequenceNumber > campaign.view().position.sequenceNumber) throw new Error("other rows");
    cache.dispose();
    sync.close();
    return { took, ...blocked };
  },
};

/** A live client of the campaign. */
async function follow() {
  const sync = new CampaignSync({ target: null });
  const replayed = new Promise((resolve) => {
    sync.onsend = (frame) => {
      for (const document of frame.split("\n")) {
        const message = JSON.parse(document);
        queueMicrotask(() => answer(message));
        if (message.type === "request_event_recovery") queueMicrotask(resolve);
      }
    };
  });
  let head = log.preload.length;
  const answer = (message) => {
    const { campaignId, epoch } = log;
    const heads = [{ campaignId, epoch, lastSequenceNumber: head, logHead: head }];
    const pong = { type: "pong", timestamp: new Date().toISOString(), data: { timestamp: message.payload?.timestamp, heads } };
    const reply = message.type === "ping" ? pong : replyTo(message, log);
    if (reply !== undefined) sync.receive(JSON.stringify(reply));
  };
  sync.connect();
  const campaign = sync.campaign(log.campaignId);
  await replayed;
  for (const frame of log.preload) sync.receive(frame);
  while (campaign.view().status !== "live") await new Promise((resolve) => setTimeout(resolve, 10));
  const feed = () => {
    const timer = setInterval(() => {
      const batch = log.measured.slice(head - log.preload.length, head - log.preload.length + BATCH_EVENTS);
      head += batch.length;
      if (batch.length > 0) sync.receive(batch.join("\n"));
    }, BATCH_MS);
    return () => clearInterval(timer);
  };
  return { sync, campaign, feed };
}

/** Watches the page. The function that it returns ends that, and returns the longest times without a reaction, in milliseconds. */
async function watch() {
  const long = [];
  const observer = new PerformanceObserver((list) => long.push(...list.getEntries().map(({ duration }) => duration)));
  observer.observe({ type: "longtask" });
  let [last, gap, open] = [performance.now(), 0, true];
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    const now = performance.now();
    gap = Math.max(gap, now - last);
    last = now;
    if (open) port2.postMessage(null);
  };
  port2.postMessage(null);
  await new Promise((resolve) => setTimeout(resolve, 50));
  gap = 0;
  return async () => {
    // The browser reports a long task some time after it.
    await new Promise((resolve) => setTimeout(resolve, 50));
    open = false;
    const longest = gap;
    await new Promise((resolve) => setTimeout(resolve, 300));
    port1.close();
    observer.disconnect();
    return { longTasks: long.length, longestTask: Math.max(0, ...long), longestGap: longest };
  };
}
