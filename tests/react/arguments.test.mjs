// Every argument and option of every hook, with values that types would refuse: each works, or gives a code. The list
// comes from the declarations, as in pkg/test/arguments.test.js. The hooks run in a document of jsdom.

import { strict as assert } from "node:assert";
import { test } from "node:test";
import { createContext, runInContext } from "node:vm";

import { declaredParameters } from "../../pkg/test/support/declarations.js";
import { VERSIONS } from "./lib/bundle.mjs";
import { withDocument } from "./lib/document.mjs";

const boom = () => { throw new Error("thrown by the application"); };
const THROWS = "a getter that throws";
const VALUES = new Map([
  ["undefined", undefined], ["null", null], ["NaN", NaN], ["Infinity", Infinity], ["-Infinity", -Infinity], ["0", 0], ["-1", -1], ["1.5", 1.5],
  ["2^31", 2 ** 31], ["2^53", 2 ** 53], ["true", true], ["''", ""], ["'text'", "text"], ["{}", {}], ["[]", []], ["function", () => undefined],
  ["symbol", Symbol("x")], ["bigint", 5n], ["an object of another realm", runInContext("({})", createContext({}))],
]);
const ALL = [...VALUES.keys(), THROWS];
const RECORDS = ["undefined", "{}", "an object of another realm"];
const DURATIONS = ["undefined", "0", "1.5", "2^31", "2^53", "Infinity"];
const TEXTS = ["undefined", "''", "'text'"];

/** The values that each parameter takes without an exception; it refuses all others. */
const ACCEPTED = {
  "emptyView(campaignId)": ["''", "'text'"],
  "emptyView(code)": ["undefined"],
  "useCampaign(campaignId)": ALL,
  "useCampaign(select)": ["undefined", "function"],
  "useCampaign(options)": [...RECORDS],
  "useCampaign(options.throttleMs)": DURATIONS,
  "useCampaign(options.equal)": ["undefined", "function"],
  "useCampaigns(options)": [...RECORDS],
  "useCampaigns(options.ids)": ALL.filter((it) => it !== THROWS),
  "useCampaigns(options.throttleMs)": DURATIONS,
  "useCampaignAction(campaignId)": ALL,
  "useSyncEvent(type)": [],
  "useSyncEvent(listener)": ["function"],
  "useDomains(campaignId)": ALL,
  "useDomains(query)": ALL,
  "useDomains(query.search)": ALL,
  "useDomains(query.dnsStatus)": ALL,
  "useDomains(query.httpStatus)": ALL,
  "useDomains(query.leadStatus)": ALL,
  "useDomains(query.sortBy)": ALL,
  "useDomains(query.sortOrder)": ALL,
  "useDomains(options)": [...RECORDS],
  "useDomains(options.throttleMs)": DURATIONS,
  "CampaignSyncProvider(sync)": [],
  "CampaignSyncProvider(create)": ["function"],
  "CampaignSyncProvider(actions)": ["undefined"],
};

/** The values for which a hook returns no code. It returns one for the others that it takes. */
const WITHOUT_CODE = {
  "useCampaign(campaignId)": ["undefined", "null", "'text'"],
  "useCampaigns(options.ids)": ["undefined", "[]"],
  "useDomains(campaignId)": ["undefined", "null", "'text'"],
  "useDomains(query)": RECORDS,
  ...Object.fromEntries(["search", "dnsStatus", "httpStatus", "leadStatus"].map((name) => [`useDomains(query.${name})`, TEXTS])),
  "useDomains(query.sortBy)": ["undefined"],
  "useDomains(query.sortOrder)": ["undefined"],
};

const pages = withDocument("pages/arguments.tsx");

test("declared parameters of the hooks are the tried parameters", () => {
  const declared = [...declaredParameters({ "react.d.ts": "" })]
    .filter((it) => /^(use|emptyView|CampaignSyncProvider)/.test(it) && !/children( \})?\)$/.test(it))
    .map((it) => it.replace(/\(\{.*\}\./, "("));
  assert.deepEqual(declared.sort(), Object.keys(ACCEPTED).sort());
});

/** The sound arguments of each function, in order. */
const SOUND = {
  emptyView: { campaignId: "text", code: undefined },
  useCampaign: { campaignId: "text", select: undefined, options: {} },
  useCampaigns: { options: {} },
  useCampaignAction: { campaignId: "text" },
  useSyncEvent: { type: "gap", listener: () => {} },
  useDomains: { campaignId: "text", query: {}, options: {} },
};

async function outcome(page, callee, values) {
  if (callee === "CampaignSyncProvider") return page.rendered(() => null, "actions" in values ? { sync: page.fake(), ...values } : values);
  const call = () => page[callee](...Object.entries(SOUND[callee]).map(([name, sound]) => (name in values ? values[name] : sound)));
  if (callee !== "emptyView") return page.rendered(call);
  try {
    return { result: call() };
  } catch (error) {
    return { error };
  }
}

for (const version of Object.keys(VERSIONS)) {
  for (const [parameter, accepted] of Object.entries(ACCEPTED)) {
    test(`React ${version}: ${parameter} takes or refuses any value`, async (t) => {
      t.mock.method(console, "error", () => {}); // React prints what a boundary caught.
      const [, callee, path] = /^(.*)\((.*)\)$/.exec(parameter);
      const [name, member] = path.split(".");
      for (const label of ALL) {
        const getter = Object.defineProperty({}, member ?? "member", { enumerable: true, get: boom });
        const value = label === THROWS ? getter : member === undefined ? VALUES.get(label) : { [member]: VALUES.get(label) };
        if (callee === "CampaignSyncProvider" && label === "undefined" && name !== "actions") continue; // Without both it is another mistake.
        const { error, result } = await outcome(pages.get(version), callee, { [name]: value });
        const context = `${parameter} = ${label}: ${String(error)} ${JSON.stringify(result?.code)}`;
        if (accepted.includes(label)) {
          assert.equal(error, undefined, context);
          const sound = WITHOUT_CODE[parameter];
          if (sound !== undefined) assert.equal(result.code === undefined, sound.includes(label), context);
          continue;
        }
        assert.equal(error?.name, "CampaignSyncError", context);
        assert.equal(error.code, "invalid_argument", context);
        // An empty object of options has no member that throws; another name is unknown there.
        assert.ok([member ?? name, "member"].some((it) => error.message.includes(it)), context);
      }
    });
  }

  test(`React ${version}: misspelt options and types of events are refused by name`, async (t) => {
    t.mock.method(console, "error", () => {});
    const page = pages.get(version);
    for (const [callee, name] of [["useCampaign", "options"], ["useCampaigns", "options"], ["useDomains", "options"]]) {
      const { error } = await outcome(page, callee, { [name]: { throttleMS: 5 } });
      assert.match(error.message, /^throttleMS must be absent\. Known: /);
    }
    assert.equal((await outcome(page, "useDomains", { query: { serach: "a" } })).result.code, "invalid_argument");
    assert.equal((await outcome(page, "useDomains", { query: { limit: 5 } })).result.code, "invalid_argument");
    const { error } = await outcome(page, "useSyncEvent", { type: "nope" });
    assert.equal(error.code, "invalid_argument");
    assert.match(error.message, /^type must be a type of `CampaignSyncEventMap`/);
  });

  test(`React ${version}: clients and actions with a part of the interface are refused`, async (t) => {
    t.mock.method(console, "error", () => {});
    const page = pages.get(version);
    const whole = page.fake();
    for (const name of ["campaign", "view", "connect", "close", "addEventListener", "removeEventListener"]) {
      for (const member of [{ value: undefined }, { get: boom }]) {
        const sync = Object.defineProperty(Object.create(whole), name, member);
        const { error } = await page.rendered(() => null, { sync });
        assert.equal(error?.code, "invalid_argument", name);
      }
    }
    for (const actions of [{ act() {} }, { allowedActions: () => [] }, Object.defineProperty({ act() {} }, "allowedActions", { get: boom })]) {
      const { error } = await page.rendered(() => null, { sync: page.fake(), actions });
      assert.equal(error?.code, "invalid_argument");
      assert.match(error.message, /`actions`/);
    }
  });

  test(`React ${version}: action without a promise has an outcome`, async () => {
    const page = pages.get(version);
    for (const [act, expected] of [[() => undefined, true], [() => null, true], [boom, false], [() => ({ then: boom }), false], [async () => ({ position: 5 }), true]]) {
      const actions = { act, allowedActions: () => ["start"] };
      let done;
      await page.rendered(() => page.useCampaignAction("text"), { sync: page.fake(), actions }, async ({ run }) => (done = await run("start")));
      assert.equal(done, expected, String(act));
    }
  });
}
