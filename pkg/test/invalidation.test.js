// The event `cacheinvalidated`: another cache that listens to it alone is never stale.
import assert from "node:assert/strict";
import { test } from "node:test";

import { nextFrame } from "./support/fixtures.js";
import { enter, follow, Random, Server } from "./support/model.js";

// R16.20
test("another cache is never stale after a campaign was left and entered again", async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const random = new Random(seed);
    const server = new Server();
    const { sync, campaign: first } = await follow(server, { lingerMs: random.pick([0, 60_000]) });
    let campaign = first;
    // A cache that knows nothing but the event. It reads the server at once.
    let cached = server.head;
    sync.addEventListener("cacheinvalidated", () => (cached = server.head));
    for (let step = 0; step < 8; step++) {
      for (let events = random.below(4); events > 0; events--) {
        const text = server.append(random.pick(["added", "changed", "removed", "progress", "status", "transition", "message"]), random);
        await new Promise(setImmediate);
        sync.receive(text);
      }
      if (random.below(3) === 0) {
        campaign.release();
        cached = random.below(2) === 0 ? server.head : cached;
        for (let events = random.below(3); events > 0; events--) sync.receive(server.append(random.pick(["added", "status"]), random));
        cached = random.below(2) === 0 ? server.head : cached;
        sync.receive(server.append("progress", random));
        campaign = await enter(sync);
      }
      await nextFrame();
      assert.deepEqual(server.at(cached), server.at(campaign.view().position.sequenceNumber), `seed ${seed}, step ${step}`);
    }
    sync.close();
  }
});
