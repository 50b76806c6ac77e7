// Every argument and option of every public function, with values that types would refuse. The list of parameters comes
// from the declarations, so a new one must be added to `ACCEPTED` before this test passes again.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createContext, runInContext } from "node:vm";

import * as cache from "../dist/cache.js";
import * as encrypted from "../dist/encrypted.js";
import * as sealedExternal from "../dist/encrypted-external.js";
import * as external from "../dist/external.js";
import * as main from "../dist/index.js";
import * as rest from "../dist/rest.js";
import * as queries from "../dist/tanstack-query.js";
import { declaredParameters } from "./support/declarations.js";
import { MODULE, startPage } from "./support/fixtures.js";
import * as testing from "./support/testing-arguments.js";

const THROWS = "a getter that throws";

/** The values by their names here. */
const VALUES = new Map([
  ["undefined", undefined],
  ["null", null],
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
  ["0", 0],
  ["-1", -1],
  ["1.5", 1.5],
  ["2^31", 2 ** 31],
  ["2^53", 2 ** 53],
  ["true", true],
  ["''", ""],
  ["'text'", "text"],
  ["{}", {}],
  ["[]", []],
  ["function", function () {}],
  ["symbol", Symbol("x")],
  ["bigint", 5n],
  ["an object of another realm", runInContext("({})", createContext({}))],
]);

/** The platform reads it, and refuses it as it does for any event target. */
const ANY = undefined;
const NUMBERS = ["0", "2^31"];
const DURATIONS = ["0", "1.5", "2^31", "2^53", "Infinity"];
const OBJECTS = ["{}", "[]", "an object of another realm"];
const TEXTS = ["''", "'text'"];
const DOMAINS = ["undefined", ...TEXTS];
const RECORDS = OBJECTS.filter((label) => label !== "[]");
const OPTIONS = ["undefined", ...RECORDS, THROWS];

const CLIENT = {
  "(options)": OPTIONS,
  "(options.url)": ["undefined"],
  // Without a constructor, the code says that this platform has none.
  "(options.WebSocket)": [...(typeof WebSocket === "function" ? ["undefined"] : []), "function"],
  "(options.transport)": ["undefined"],
  "(options.token)": ["undefined", "function"],
  "(options.onUnauthorized)": ["undefined", "function"],
  "(options.fetchSnapshot)": ["undefined", "function"],
  "(options.target)": ["undefined", "null"],
  "(options.log)": ["undefined", "true", "function"],
  "(options.lingerMs)": ["undefined", ...DURATIONS],
};
const DOMAIN_QUERY = {
  "(query)": ["undefined", ...RECORDS],
  "(query.offset)": ["undefined", ...NUMBERS],
  "(query.limit)": ["undefined", ...NUMBERS],
  "(query.search)": DOMAINS,
  "(query.dnsStatus)": DOMAINS,
  "(query.httpStatus)": DOMAINS,
  "(query.leadStatus)": DOMAINS,
  "(query.sortBy)": ["undefined"],
  "(query.sortOrder)": ["undefined"],
};
const REST = { "(options)": OPTIONS, "(options.baseUrl)": ["undefined", ...TEXTS], "(options.fetch)": ["undefined", "function"] };
const CACHE = {
  "(options)": [],
  "(options.sync)": [],
  "(options.fetch)": ["undefined", "function"],
  "(options.maxEntries)": ["undefined", "2^31", "Infinity"],
  "(options.ttlMs)": ["undefined", ...DURATIONS],
  "(options.now)": ["undefined", "function"],
  "(options.pause)": ["undefined", "function"],
};
const under = (name, members) => Object.fromEntries(Object.entries(members).map(([member, accepted]) => [name + member, accepted]));
const INIT = ["undefined", "null"];
const POSITION = { "(position)": [], "(position.epoch)": ["'text'"], "(position.sequenceNumber)": NUMBERS };

const SIGNALS = { "(options)": OPTIONS, "(options.signal)": ["undefined"], "(options.timeoutMs)": ["undefined", ...DURATIONS] };
const WRITES = { ...SIGNALS, "(options.expectedState)": ["undefined", "null", ...TEXTS], "(options.idempotencyKey)": ["undefined", "'text'"], "(options.reason)": DOMAINS };
const ROWS_FILTER = { ...SIGNALS, "(options.search)": DOMAINS, "(options.dnsStatus)": DOMAINS, "(options.httpStatus)": DOMAINS, "(options.limit)": ["undefined", ...NUMBERS] };

/** The values that each parameter accepts. All other values must be refused with a code. */
const ACCEPTED = {
  ...under("new CampaignSync", CLIENT),
  "CampaignSync.addEventListener(type)": TEXTS,
  "CampaignSync.addEventListener(listener)": ["null", "function", ...OBJECTS],
  "CampaignSync.addEventListener(options)": ANY,
  "CampaignSync.removeEventListener(type)": TEXTS,
  "CampaignSync.removeEventListener(listener)": ["null", "function", ...OBJECTS],
  "CampaignSync.removeEventListener(options)": ANY,
  "CampaignSync.onsend(send)": ["null", "function"],
  "CampaignSync.campaign(campaignId)": ["'text'"],
  "CampaignSync.campaigns(options)": ["undefined", ...RECORDS],
  "CampaignSync.campaigns(options.ids)": ["undefined", "[]"],
  "CampaignSync.receive(frame)": TEXTS,
  "CampaignSync.closed(code)": ["undefined", "0"],
  "CampaignSync.status(campaignId)": TEXTS,
  "CampaignSync.view(campaignId)": TEXTS,
  "CampaignSync.domains(campaignId)": TEXTS,
  ...under("CampaignSync.domains", DOMAIN_QUERY),
  "Campaign.subscribe(listener)": ["function"],
  ...under("Campaign.domains", DOMAIN_QUERY),
  ...under("Campaign.rows", Object.fromEntries(Object.entries(DOMAIN_QUERY).filter(([name]) => !/offset|limit/.test(name)))),
  ...under("Campaign.reached", POSITION),
  "Campaign.reached(options)": ["undefined", ...RECORDS],
  "Campaign.reached(options.signal)": ["undefined"],
  "Campaign.reached(options.timeoutMs)": ["undefined", ...DURATIONS],
  "Catalogue.subscribe(listener)": ["function"],
  "new CampaignSyncError(code)": [...VALUES.keys()],
  "new CampaignSyncError(options)": [...VALUES.keys()],
  // The engine reads it, and an error that cannot be made says nothing about another one.
  "new CampaignSyncError(options.cause)": ANY,
  "new CampaignSyncError(options.message)": ANY,
  ...under("init", { "(input)": INIT }),
  ...under("initSync", { "(input)": [] }),
  ...under("external.init", { "(input)": INIT }),
  ...under("external.initSync", { "(input)": [] }),
  ...under("formatPosition", POSITION),
  "parsePosition(text)": [...VALUES.keys()],
  ...under("cache.configureCache", CACHE),
  "cache.getRichCampaignData(campaignId)": ["'text'"],
  "cache.getRichCampaignData(options)": ["undefined", ...RECORDS],
  "cache.getRichCampaignData(options.minPosition)": ["undefined", "null"],
  "cache.getRichCampaignData(options.source)": ["undefined"],
  "cache.getRichCampaignData(options.dependsOn)": ["undefined"],
  "cache.getRichCampaignData(options.signal)": ["undefined"],
  "cache.clearRichDataCache(campaignId)": ["'text'"],
  ...under("cache.restFetcher", REST),
  ...under("cache.restSnapshot", REST),
  ...under("new cache.RichCampaignCache", CACHE),
  "cache.RichCampaignCache.get(campaignId)": ["'text'"],
  "cache.RichCampaignCache.get(options)": ["undefined", ...RECORDS],
  "cache.RichCampaignCache.get(options.minPosition)": ["undefined", "null"],
  "cache.RichCampaignCache.get(options.source)": ["undefined"],
  "cache.RichCampaignCache.get(options.dependsOn)": ["undefined"],
  "cache.RichCampaignCache.get(options.signal)": ["undefined"],
  "cache.RichCampaignCache.clear(campaignId)": ["'text'"],
  "rest.allowedActions(record)": [],
  "rest.allowedActions(record.currentPhase)": TEXTS,
  "rest.allowedActions(record.phaseStatus)": TEXTS,
  ...under("new rest.RestClient", {
    "(options)": [],
    "(options.baseUrl)": [],
    "(options.fetch)": ["undefined", "function"],
    "(options.sync)": ["undefined"],
    "(options.timeoutMs)": ["undefined", ...DURATIONS],
    "(options.token)": ["undefined", "function"],
  }),
  "rest.RestClient.login(user)": TEXTS,
  "rest.RestClient.login(password)": TEXTS,
  ...under("rest.RestClient.login", { ...SIGNALS, "(options.bearer)": ["undefined", "true"] }),
  ...under("rest.RestClient.session", SIGNALS),
  ...under("rest.RestClient.logout", SIGNALS),
  "rest.RestClient.revoke(user)": TEXTS,
  ...under("rest.RestClient.revoke", SIGNALS),
  ...under("rest.RestClient.list", { ...SIGNALS, "(options.limit)": ["undefined", ...NUMBERS], "(options.cursor)": DOMAINS }),
  ...under("rest.RestClient.campaigns", SIGNALS),
  "rest.RestClient.get(campaignId)": ["'text'"],
  ...under("rest.RestClient.get", SIGNALS),
  "rest.RestClient.rows(campaignId)": ["'text'"],
  ...under("rest.RestClient.rows", Object.fromEntries(Object.entries(ROWS_FILTER).map(([name, labels]) => [name.replace("options", "filter"), labels]))),
  "rest.RestClient.snapshot(campaignId)": ["'text'"],
  ...under("rest.RestClient.snapshot", SIGNALS),
  "rest.RestClient.transitions(campaignId)": ["'text'"],
  ...under("rest.RestClient.transitions", { ...SIGNALS, "(options.all)": ["undefined", "true"] }),
  "rest.RestClient.create(campaign)": RECORDS,
  ...under("rest.RestClient.create", { ...SIGNALS, "(options.idempotencyKey)": ["undefined", "'text'"] }),
  "rest.RestClient.act(campaignId)": ["'text'"],
  "rest.RestClient.act(action)": [],
  ...under("rest.RestClient.act", WRITES),
  "rest.RestClient.allowedActions(record)": [],
  "rest.RestClient.allowedActions(record.currentPhase)": TEXTS,
  "rest.RestClient.allowedActions(record.phaseStatus)": TEXTS,
  "rest.RestClient.setOwner(campaignId)": ["'text'"],
  "rest.RestClient.setOwner(owner)": ["null", ...TEXTS],
  ...under("rest.RestClient.setOwner", WRITES),
  "rest.RestClient.delete(campaignId)": ["'text'"],
  ...under("rest.RestClient.delete", WRITES),
  ...under("rest.RestClient.faults", SIGNALS),
  "rest.RestClient.setFaults(settings)": RECORDS,
  ...under("rest.RestClient.setFaults", SIGNALS),
  "rest.RestClient.injectFault(kind)": [],
  ...under("rest.RestClient.injectFault", SIGNALS),
  "queries.bindQueryClient(sync)": [],
  "queries.bindQueryClient(queries)": [],
  "queries.bindQueryClient(options)": OPTIONS,
  "queries.bindQueryClient(options.keyOf)": ["undefined", "function"],
  "queries.bindQueryClient(options.on)": ["undefined", "function"],
  "queries.bindQueryClient(options.listKey)": ["undefined", "[]"],
  "queries.campaignQuery(sync)": ["undefined", "null"],
  "queries.campaignQuery(campaignId)": [...VALUES.keys()],
  "queries.campaignQuery(path)": ["undefined", "''"],
  ...under("queries.campaignQuery", REST),
  ...under("encrypted.init", { "(input)": INIT }),
  ...under("encrypted.initSync", { "(input)": [] }),
  ...under("sealed.init", { "(input)": INIT }),
  ...under("sealed.initSync", { "(input)": [] }),
  "encrypted.sealedRestFetcher(sync)": [],
  ...under("encrypted.sealedRestFetcher", REST),
  ...under("new encrypted.CampaignSync", { ...CLIENT, "(options.keys)": ["undefined", ...OBJECTS] }),
  "encrypted.CampaignSync.addKey(kid)": ["'text'"],
  "encrypted.CampaignSync.addKey(key)": [],
  "encrypted.CampaignSync.open(campaignId)": TEXTS,
  "encrypted.CampaignSync.open(route)": [],
  "encrypted.CampaignSync.open(answer)": [...TEXTS, ...OBJECTS],
  ...testing.ACCEPTED,
};

main.initSync(MODULE);
encrypted.initSync(MODULE);
const ID = "text";
const sync = new main.CampaignSync({ target: null });
const sealed = new encrypted.CampaignSync({ target: null });
const handle = sync.campaign(ID);
const list = sync.campaigns();
const fetch = async () => { throw new main.CampaignSyncError("forbidden"); };
const own = new cache.RichCampaignCache({ sync, fetch });
after(() => sync.close());

const position = { epoch: "text", sequenceNumber: 1 };
const QUERIES = { cancelQueries: async () => {}, invalidateQueries: async () => {}, resetQueries: async () => {} };
const KEY = new Uint8Array(32);

/** Runs a load of the module as the first of a page. */
async function onNewPage(load) {
  const restore = startPage();
  try {
    return await load();
  } finally {
    restore();
  }
}

/** The calls that load the module of an entry. */
const loads = (prefix, { init, initSync }) => ({
  [`${prefix}init`]: ({ input }) => onNewPage(() => init(input ?? MODULE)),
  [`${prefix}initSync`]: ({ input }) => onNewPage(() => initSync(input)),
});

/** Calls the function of a parameter with this value, and with sound values for all its other parameters. */
const CALLS = {
  "new CampaignSync": (values) => new main.CampaignSync(options({ target: null, ...(values.member === "WebSocket" && { url: "ws://host.test/" }) }, values)),
  "CampaignSync.addEventListener": (values) => listen("addEventListener", values),
  "CampaignSync.removeEventListener": (values) => listen("removeEventListener", values),
  "CampaignSync.onsend": ({ send }) => (sync.onsend = send),
  "CampaignSync.campaign": ({ campaignId }) => sync.campaign(campaignId).release(),
  "CampaignSync.campaigns": (values) => sync.campaigns(members("options", {}, values)).release(),
  "CampaignSync.receive": ({ frame }) => sync.receive(frame),
  "CampaignSync.closed": ({ code }) => sync.closed(code),
  "CampaignSync.status": ({ campaignId }) => sync.status(campaignId),
  "CampaignSync.view": ({ campaignId }) => sync.view(campaignId),
  "CampaignSync.domains": (values) => sync.domains("campaignId" in values ? values.campaignId : ID, members("query", {}, values)),
  "Campaign.subscribe": ({ listener }) => handle.subscribe(listener)(),
  "Campaign.domains": (values) => handle.domains(members("query", {}, values)),
  "Campaign.rows": (values) => handle.rows(members("query", {}, values)),
  "Campaign.reached": (values) => waits(values),
  "Catalogue.subscribe": ({ listener }) => list.subscribe(listener)(),
  "new CampaignSyncError": (values) => new main.CampaignSyncError("code" in values ? values.code : "closed", members("options", {}, values)),
  ...loads("", main),
  ...loads("external.", external),
  formatPosition: (values) => main.formatPosition(members("position", position, values)),
  parsePosition: ({ text }) => main.parsePosition(text),
  "cache.configureCache": (values) => cache.configureCache(members("options", { sync, fetch }, values)),
  "cache.getRichCampaignData": (values) => shared().getRichCampaignData("campaignId" in values ? values.campaignId : ID, members("options", {}, values)),
  "cache.clearRichDataCache": ({ campaignId }) => shared().clearRichDataCache(campaignId),
  "cache.restFetcher": (values) => cache.restFetcher(members("options", {}, values)),
  "cache.restSnapshot": (values) => cache.restSnapshot(members("options", {}, values)),
  "new cache.RichCampaignCache": (values) => new cache.RichCampaignCache(members("options", { sync, fetch }, values)),
  "cache.RichCampaignCache.get": (values) => own.get("campaignId" in values ? values.campaignId : ID, members("options", {}, values)),
  "cache.RichCampaignCache.clear": ({ campaignId }) => own.clear(campaignId),
  "rest.allowedActions": (values) => rest.allowedActions(members("record", { currentPhase: "analysis", phaseStatus: "ready" }, values)),
  "rest.RestClient.allowedActions": (values) => new rest.RestClient({ baseUrl: "https://host.test" }).allowedActions(members("record", { currentPhase: "analysis", phaseStatus: "ready" }, values)),
  "new rest.RestClient": (values) => new rest.RestClient(members("options", { baseUrl: "https://host.test" }, values)),
  ...Object.fromEntries(Object.entries({
    login: ["user", "password", "options"], session: ["options"], logout: ["options"], revoke: ["user", "options"], list: ["options"], campaigns: ["options"],
    get: ["campaignId", "options"], rows: ["campaignId", "filter"], snapshot: ["campaignId", "options"], transitions: ["campaignId", "options"],
    create: ["campaign", "options"], act: ["campaignId", "action", "options"], setOwner: ["campaignId", "owner", "options"],
    delete: ["campaignId", "options"], faults: ["options"], setFaults: ["settings", "options"], injectFault: ["kind", "options"],
  }).map(([method, names]) => [`rest.RestClient.${method}`, (values) => request(method, names, values)])),
  "queries.bindQueryClient": (values) =>
    queries.bindQueryClient("sync" in values ? values.sync : sync, "queries" in values ? values.queries : QUERIES, members("options", {}, values))(),
  "queries.campaignQuery": (values) =>
    queries.campaignQuery("sync" in values ? values.sync : sync, "campaignId" in values ? values.campaignId : ID, values.path, members("options", {}, values)),
  ...loads("encrypted.", encrypted),
  ...loads("sealed.", sealedExternal),
  "encrypted.sealedRestFetcher": (values) => encrypted.sealedRestFetcher("sync" in values ? values.sync : sealed, members("options", {}, values)),
  "new encrypted.CampaignSync": (values) => new encrypted.CampaignSync(options({ target: null, ...(values.member === "WebSocket" && { url: "ws://host.test/" }) }, values)),
  "encrypted.CampaignSync.addKey": (values) => sealed.addKey("kid" in values ? values.kid : "a", "key" in values ? values.key : KEY),
  "encrypted.CampaignSync.open": (values) =>
    sealed.open("campaignId" in values ? values.campaignId : ID, "route" in values ? values.route : "campaign", "answer" in values ? values.answer : "{}"),
  ...testing.calls(members),
};

const REST_ARGUMENTS = { campaignId: "text", user: "ada", password: "secret", action: "pause", owner: "ada", kind: "cut", campaign: {}, settings: {}, options: {}, filter: {} };

/** Calls a method of the REST client. Every request is refused, and ends at once. */
async function request(method, names, values) {
  const refused = async () => Response.json({ error: { code: "forbidden" } }, { status: 403 });
  const client = new rest.RestClient({ baseUrl: "https://host.test", fetch: refused });
  const result = client[method](...names.map((name) => members(name, REST_ARGUMENTS[name], values)));
  await (typeof result.next === "function" ? result.next() : result).catch((error) => {
    // A deadline of 0 ms may pass before the refusal.
    if (error.code !== "forbidden" && error.code !== "timed_out") throw error;
  });
}

/** The codes of functions that fail for another reason once their arguments are sound. */
const FAILS = { "cache.getRichCampaignData": "forbidden", "cache.RichCampaignCache.get": "forbidden", "encrypted.CampaignSync.open": "not_sealed" };
/** Refusals with another code: texts that are no campaign id, and addresses from which nothing loads. */
const OTHER_CODES = new Set(["invalid_campaign_id", "load_failed"]);

/** The module of the cache, configured. */
function shared() {
  cache.configureCache({ sync, fetch });
  return cache;
}

function members(name, sound, values) {
  if (!(name in values)) return sound;
  const value = values[name];
  return values.member ? Object.defineProperties({ ...sound }, Object.getOwnPropertyDescriptors(value)) : value;
}

function options(sound, values) {
  return members("options", sound, values);
}

function listen(method, values) {
  const listener = "listener" in values ? values.listener : () => {};
  sync[method]("type" in values ? values.type : "gap", listener, values.options);
}

async function waits(values) {
  const controller = new AbortController();
  const given = members("options", { signal: controller.signal }, values);
  const waiting = handle.reached(members("position", position, values), given);
  const outcome = Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 5, "pending"))]);
  waiting.catch(() => {});
  return outcome.catch((error) => {
    if (error.code !== "timed_out") throw error;
  });
}

test("declared parameters are the tried parameters", () => {
  assert.deepEqual([...declaredParameters()].sort(), Object.keys(ACCEPTED).sort());
});

/** Objects that may have other members: the position and the record of a view, and the options of an error. */
const OPEN = /\((position|record)$|^new CampaignSyncError/;
const optionsObjects = new Set(Object.keys(ACCEPTED).filter((it) => it.includes(".", it.indexOf("("))).map((it) => it.slice(0, it.lastIndexOf("."))));

for (const object of [...optionsObjects].filter((it) => !OPEN.test(it))) {
  test(`${object}) with a misspelt member is refused by its name`, async () => {
    const [, callee, name] = /^(.*)\((.*)$/.exec(object);
    for (const misspelt of ["timeoutMS", "toString", "__proto__"]) {
      const value = Object.defineProperty({}, misspelt, { value: 1, enumerable: true });
      const expected = { name: "CampaignSyncError", code: "invalid_argument", message: new RegExp(`^${misspelt} must be absent. Known: `) };
      await assert.rejects(async () => CALLS[callee]({ [name]: value, member: misspelt }), expected);
    }
  });
}

test("objects that the package itself makes are accepted with all their members", () => {
  const at = { epoch: "text", sequenceNumber: 1, eventId: "e", campaignId: "c" };
  assert.equal(main.formatPosition(at), "text/1");
  assert.deepEqual(rest.allowedActions({ currentPhase: "x", phaseStatus: "y", name: "n" }), []);
});

for (const [parameter, accepted] of Object.entries(ACCEPTED)) {
  test(`${parameter} accepts or refuses any value with a code`, async () => {
    const [, callee, path] = /^(.*)\((.*)\)$/.exec(parameter);
    const [name, member] = path.split(".");
    const tries = [...VALUES].map(([label, value]) => [label, member === undefined ? { [name]: value } : { [name]: { [member]: value }, member }]);
    if (member !== undefined) {
      const thrower = Object.defineProperty({}, member, { enumerable: true, get() { throw new Error("getter"); } });
      tries.push([THROWS, { [name]: thrower, member }]);
    }
    for (const [label, values] of tries) {
      let error;
      try {
        await CALLS[callee](values);
      } catch (thrown) {
        error = thrown;
      }
      const context = `${parameter} = ${label}: ${String(error)}`;
      if (accepted === ANY) continue;
      if (accepted?.includes(label)) {
        if (FAILS[callee] === undefined) assert.equal(error, undefined, context);
        else assert.equal(error?.code, FAILS[callee], context);
        continue;
      }
      assert.ok(error instanceof main.CampaignSyncError, context);
      if (OTHER_CODES.has(error.code) && TEXTS.includes(label)) continue;
      if (error.code === "no_websocket" && label === "undefined") continue;
      assert.equal(error.code, "invalid_argument", context);
      // An object without a required member is refused by the name of that member.
      const named = [member ?? name, ...(callee.includes("Cache") ? ["sync"] : []), ...(callee.endsWith(".show") ? ["campaignId"] : [])];
      assert.ok(named.some((it) => error.message.includes(it)), context);
    }
  });
}
