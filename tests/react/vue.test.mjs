// Clients, handles and views in Vue's deep reactivity, with the real library and the compiled module.

import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";

import { computed, reactive, readonly, ref, watch } from "vue";

import { CampaignSync, initSync } from "../../pkg/dist/index.js";

initSync(readFileSync(new URL("../../pkg/wasm/campaign_sync_bg.wasm", import.meta.url)));
const sync = new CampaignSync({ target: null });
const campaign = sync.campaign("spring-1");
after(() => sync.close());

for (const [name, wrap] of [
  ["ref", (it) => ref(it).value],
  ["reactive", (it) => reactive({ it }).it],
  ["readonly", (it) => readonly({ it }).it],
  ["nested ref", (it) => ref({ deep: [it] }).value.deep[0]],
]) {
  test(`handle and client work in ${name}`, async () => {
    const [handle, client] = [wrap(campaign), wrap(sync)];
    assert.equal(handle.campaignId, "spring-1");
    assert.equal(handle.view().campaignId, "spring-1");
    assert.equal(wrap(campaign.view()), campaign.view(), "a view is frozen, so it stays itself");
    assert.equal(handle.domains().total, 0);
    handle.subscribe(() => {})();
    handle.discardUnconfirmed();
    await assert.rejects(handle.reached("e/1", { timeoutMs: 0 }), { code: "timed_out" });
    assert.equal(client.view("spring-1"), campaign.view());
    assert.equal(client.connection.state, "idle");
    const listener = () => {};
    client.addEventListener("gap", listener);
    client.removeEventListener("gap", listener);
    client.campaign("other").release();
    const list = wrap(client.campaigns());
    list.subscribe(() => {})();
    assert.equal(list.view().total, 0);
    list.release();
    assert.equal(client.metrics().applied, 0);
    client.onsend = null;
  });
}

test("view in a ref updates what depends on it", async () => {
  const own = sync.campaign("autumn-1");
  const view = ref(own.view());
  const status = computed(() => view.value.status);
  const seen = [];
  watch(status, (next) => seen.push(next), { flush: "sync" });
  own.subscribe(() => (view.value = own.view()));
  sync.connect();
  for (let turns = 0; turns < 100 && seen.length === 0; turns += 1) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(seen.slice(0, 1), ["connecting"]);
  reactive({ own }).own.release();
  assert.equal(sync.view("autumn-1"), undefined);
});
