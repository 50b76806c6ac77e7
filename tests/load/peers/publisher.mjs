// The shared part of the peer servers. They publish as many events as a line on standard input requests,
// `publish COUNT PER_TICK BYTES`. The events have the form and size of the reference server's events.

import { createInterface } from "node:readline";

const TICK_MS = 50; // the interval of the reference server's runner

/** Prints the port, and publishes the requested events. */
export function run(port, publish) {
  let number = 0;
  createInterface({ input: process.stdin })
    .on("line", (line) => {
      const [, count, perTick, bytes] = line.split(" ").map(Number);
      const end = number + count;
      const step = () => {
        const until = Math.min(end, number + (perTick || 1));
        while (number < until) publish(event(++number, bytes));
        if (number >= end) {
          clearInterval(timer);
          console.log(`published ${number}`);
        } else if (!perTick) setImmediate(step);
      };
      const timer = perTick ? setInterval(step, TICK_MS) : undefined;
      if (!perTick) step();
    })
    .on("close", () => process.exit()); // the load generator is gone
  console.log(`listening ${port}`);
}

function event(number, bytes) {
  const event = {
    type: "domain.generated",
    timestamp: new Date().toISOString(),
    data: { campaignId: "load", domainId: `d-${number}`, domain: "", offset: number, batchSize: 1, totalGenerated: number },
    sequence: {
      campaignId: "load",
      epoch: "e".repeat(32),
      eventId: `ev-${number}`.padEnd(24, "-"),
      sequenceNumber: number,
      eventHash: "0".repeat(64),
      previousEventId: `ev-${number - 1}`.padEnd(24, "-"),
      checkpointData: false,
    },
  };
  event.data.domain = "x".repeat(Math.max(0, bytes - JSON.stringify(event).length));
  return event;
}
