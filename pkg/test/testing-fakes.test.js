// The fakes of `campaign-sync/testing`: a view of which every member is valid, and a client without a machine.
import assert from "node:assert/strict";
import { test } from "node:test";

import { emptyView } from "../dist/empty.js";
import { CampaignSyncError } from "../dist/errors.js";
import { fakeCampaignSync, fakeView } from "../dist/testing.js";

test("fake view is frozen and has the members of every view", () => {
  const view = fakeView();
  assert.deepEqual(Object.keys(view).sort(), Object.keys(emptyView("c")).sort());
  assert.ok(Object.isFrozen(view) && Object.isFrozen(view.campaign) && Object.isFrozen(view.counts.dns));
  assert.deepEqual(fakeView(), view);
  assert.equal(view.status, "live");
});

test("status of a fake view decides about its members", () => {
  const members = (partial) => {
    const { status, code, staleReason, campaign, position, provenAt } = fakeView(partial);
    return [status, code, staleReason, campaign !== null, position !== null, provenAt !== null];
  };
  assert.deepEqual(members({ status: "failed" }), ["failed", "unknown_campaign", undefined, false, false, false]);
  assert.deepEqual(members({ status: "failed", code: "too_many", campaign: {} }), ["failed", "too_many", undefined, true, true, true]);
  assert.deepEqual(members({ status: "stale" }), ["stale", undefined, "disconnected", true, true, true]);
  assert.deepEqual(members({ status: "loading" }), ["loading", undefined, undefined, false, false, false]);
  assert.deepEqual(members({ status: "ended" }), ["ended", undefined, undefined, true, true, true]);
  assert.deepEqual(members({ campaign: null }), ["live", undefined, undefined, false, false, false]);
});

test("parts of a fake view are filled in", () => {
  const view = fakeView({ campaign: { currentPhase: "analysis" }, counts: { dns: { resolved: 2 } }, lastTransition: {}, loading: { total: 4 }, domainsCount: 2 });
  assert.deepEqual([view.campaign.name, view.campaign.currentPhase, view.campaign.phaseStatus], ["Campaign", "analysis", "ready"]);
  assert.deepEqual(view.counts, { dns: { resolved: 2 }, http: {}, lead: {} });
  assert.deepEqual([view.lastTransition.newPhase, view.lastTransition.transitionType], ["analysis", "manual"]);
  assert.deepEqual([view.loading, view.totalDomainCount], [{ received: 0, total: 4, rows: 0 }, 2]);
});

test("fake client shows views and rows, and calls its listeners", () => {
  const sync = fakeCampaignSync({ views: [{ campaignId: "c", campaign: { name: "Spring" } }], rows: { c: [
    { domainId: "a", domain: "B.example", offset: 1, dnsStatus: "resolved" }, { domainId: "b", domain: "a.example", offset: 0 }] } });
  const handle = sync.campaign("c");
  let calls = 0;
  const end = handle.subscribe(() => (calls += 1));
  assert.equal(handle.view(), sync.view("c"));
  assert.deepEqual(handle.domains().rows.map(({ domainId }) => domainId), ["b", "a"]);
  assert.deepEqual(handle.domains({ sortBy: "domain", sortOrder: "desc", limit: 1 }).rows.map(({ domain }) => domain), ["a.example"]);
  assert.equal(handle.domains({ search: "b.ex" }).total, 1);
  assert.equal(handle.domains({ dnsStatus: "resolved" }), handle.domains({ dnsStatus: "resolved" }));
  assert.deepEqual(handle.view().counts.dns, { resolved: 1 });
  sync.show({ campaignId: "c", status: "stale", campaign: { currentPhase: "analysis" } });
  assert.deepEqual([calls, handle.view().staleReason, handle.view().campaign.name], [1, "disconnected", "Spring"]);
  sync.showRows("c", 7);
  assert.deepEqual([calls, handle.domains().total], [2, 7]);
  end();
  sync.show({ campaignId: "c", status: "live" });
  assert.equal(calls, 2);
  assert.equal(sync.campaign("other").view().status, "loading");
});

test("fake client has a connection, a list and events", () => {
  const sync = fakeCampaignSync({ views: [{ campaignId: "b" }, { campaignId: "a" }, { campaignId: "c", status: "loading" }] });
  const states = [];
  sync.addEventListener("connectionchange", ({ detail }) => states.push(detail.state));
  sync.connect();
  assert.deepEqual([states, sync.connection.state], [["open"], "open"]);
  const list = sync.campaigns();
  assert.deepEqual(list.view().campaigns.map(({ campaignId }) => campaignId), ["a", "b"]);
  assert.equal(list.view(), list.view());
  const some = sync.campaigns({ ids: ["b"] });
  assert.deepEqual([some.view().campaigns.length, some.view().total, some.view() === some.view()], [1, 2, true]);
  let notified;
  sync.addEventListener("notification", ({ detail }) => (notified = detail));
  sync.emit("notification", { campaignId: "a", level: "info", message: "Hello" });
  assert.equal(notified.message, "Hello");
  assert.equal(sync.handles, 2);
  list.release();
  list.release();
  some.release();
  assert.equal(sync.handles, 0);
  sync.close();
  assert.throws(() => sync.campaign("a"), { code: "closed" });
});

test("slips in fakes are refused with a code", () => {
  const sync = fakeCampaignSync();
  const refused = [
    () => fakeView({ status: "lve" }), () => fakeView({ campagin: {} }), () => fakeView({ campaign: { currentPhase: "x" } }), () => fakeView({ error: { code: "x" } }),
    () => sync.show({ campaignId: "a", status: "x" }), () => sync.showRows("a", [{ domainId: "x" }]), () => sync.showConnection(7), () => sync.emit(7, {}),
    () => sync.campaign("a").domains({ sortBy: "x" }), () => sync.campaign("a").subscribe(7), () => fakeCampaignSync({ view: [] }), () => sync.view(7),
    () => fakeCampaignSync({ views: [null] }), () => sync.show(), () => sync.campaigns(null), () => sync.campaigns({ ids: "a" }), () => sync.campaigns({ id: ["a"] }),
    () => sync.showConnection({ state: "opened", attempt: 0 }), () => sync.showConnection({ attempt: 0 }), () => fakeCampaignSync({ connection: { state: 7 } }),
    () => sync.addEventListener("gap", 7), () => sync.removeEventListener("gap", 7),
  ];
  for (const call of refused) {
    assert.throws(call, (error) => error instanceof CampaignSyncError && error.code === "invalid_argument" && error.message !== "", String(call));
  }
  assert.throws(() => sync.campaign("a b"), { code: "invalid_campaign_id" });
});

test("released handle of a fake behaves as that of a client", async () => {
  const sync = fakeCampaignSync({ views: [{ campaignId: "c", status: "stale" }] });
  const [handle, list] = [sync.campaign("c"), sync.campaigns()];
  let calls = 0;
  for (const it of [handle, list]) it.subscribe(() => (calls += 1));
  await assert.rejects(handle.reached("7"), { code: "invalid_argument" });
  for (const it of [handle, list]) it.release();
  sync.show({ campaignId: "c", status: "live", campaign: { name: "Later" } });
  assert.equal(calls, 0);
  assert.deepEqual([handle.view().status, handle.view().staleReason, handle.view().campaign.name], ["idle", undefined, "Campaign"]);
  assert.deepEqual([list.view().status, list.view().campaigns.length, handle.view() === handle.view()], ["idle", 1, true]);
  for (const call of [() => handle.domains(), () => handle.subscribe(() => {}), () => list.subscribe(() => {})]) assert.throws(call, { code: "released" });
  await assert.rejects(handle.reached("e/7"), { code: "released" });
});
