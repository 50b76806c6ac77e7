// The parameters of `campaign-sync/testing` for arguments.test.js: the values that each accepts, and how it is called.
import * as testing from "../../dist/testing.js";

const NUMBERS = ["undefined", "0", "2^31"];
const FROM_1 = ["undefined", "2^31"];
const RECORDS = ["{}", "an object of another realm"];
const OBJECTS = [...RECORDS, "[]"];
const TEXTS = ["''", "'text'"];
const USERS = ["undefined", "null", "'text'"];
const FUNCTIONS = ["undefined", "function"];

const under = (name, members) => Object.fromEntries(Object.entries(members).map(([member, accepted]) => [`testing.${name}(${member})`, accepted]));
const prefixed = (name, members) => Object.fromEntries(Object.entries(members).map(([member, accepted]) => [`${name}.${member}`, accepted]));

const SERVER = {
  options: ["undefined", ...RECORDS],
  ...prefixed("options", { act: FUNCTIONS, advanceTimers: FUNCTIONS, heartbeatMs: ["undefined", "1.5"], partRows: FROM_1, passwords: ["undefined", ...OBJECTS] }),
};
const CAMPAIGN = {
  campaignId: ["undefined", "'text'"], createdAt: ["undefined"], currentPhase: ["undefined"], errorMessage: ["undefined", ...TEXTS], failedItems: NUMBERS,
  name: ["undefined", "'text'"], owner: USERS, phaseStatus: ["undefined"], processedItems: NUMBERS, progressPercentage: ["undefined", "0", "1.5"],
  rows: ["undefined", "[]", "0"], successfulItems: NUMBERS, totalItems: NUMBERS, updatedAt: ["undefined"],
};
const RECORD = Object.fromEntries(Object.entries(CAMPAIGN).filter(([name]) => !["campaignId", "owner", "rows"].includes(name)));
const VIEW = {
  campaign: ["undefined", "null", ...RECORDS], campaignId: ["undefined", "'text'"], code: ["undefined"], counts: ["undefined", ...RECORDS],
  domainsCount: NUMBERS, domainsDigest: ["undefined"], error: ["undefined", "null"], lastTransition: ["undefined", "null", ...RECORDS],
  loading: ["undefined", "null", ...RECORDS], position: ["undefined", "null", ...RECORDS],
  provenAt: [...NUMBERS, "null", "-1", "1.5", "2^53"], staleReason: ["undefined"], status: ["undefined"], totalDomainCount: NUMBERS, unconfirmedCount: NUMBERS,
};

/** The parameters of each method, in order, and a sound value of each. */
const METHODS = {
  admit: { user: "ada" }, create: { campaign: {} }, damage: { events: 1 }, drain: { retryAfterMs: 1 }, expire: { user: "ada" },
  fetch: { input: "/api/v2/campaigns", init: {} }, lose: { events: 1 }, notify: { campaignId: "text", message: "hello", level: "info" },
  patch: { campaignId: "text", change: {} }, refuse: { code: "forbidden", matches: undefined }, remove: { campaignId: "text" },
  removeRows: { campaignId: "text", domainIds: [] }, rows: { campaignId: "text", rows: [] }, setOwner: { campaignId: "text", owner: null },
  state: { campaignId: "text" }, transition: { campaignId: "text", action: "start", options: {} }, truncate: { campaignId: "text", keep: 0 },
};
const ID = ["'text'"];
/** It stands for the platform's `fetch`, which also takes any value. */
const ANY = undefined;
const PARAMETERS = {
  admit: { user: USERS }, create: { campaign: ["undefined", ...RECORDS], ...prefixed("campaign", CAMPAIGN) }, damage: { events: FROM_1 },
  drain: { retryAfterMs: NUMBERS }, expire: { user: USERS }, fetch: { input: ANY, init: ANY }, lose: { events: FROM_1 },
  notify: { campaignId: ID, message: TEXTS, level: ["undefined"] }, patch: { campaignId: ID, change: RECORDS, ...prefixed("change", RECORD) },
  refuse: { code: [], matches: FUNCTIONS }, remove: { campaignId: ID }, removeRows: { campaignId: ID, domainIds: ["[]"] },
  rows: { campaignId: ID, rows: ["[]", "0"] }, setOwner: { campaignId: ID, owner: ["null", "'text'"] }, state: { campaignId: ID },
  transition: { campaignId: ID, action: [], options: ["undefined", ...RECORDS], "options.reason": ["undefined", ...TEXTS], "options.refused": ["undefined"] },
  truncate: { campaignId: ID, keep: NUMBERS },
};

const CONNECTION = {
  connection: [], "connection.state": [], "connection.code": ["undefined"], "connection.attempt": NUMBERS, "connection.retryInMs": [...NUMBERS, "1.5", "2^53", "Infinity"],
  "connection.offline": ["undefined", "true"], "connection.lastCloseCode": NUMBERS, "connection.hint": ["undefined", ...TEXTS],
};
const QUERY = {
  query: ["undefined", ...RECORDS], "query.offset": NUMBERS, "query.limit": NUMBERS, "query.search": ["undefined", ...TEXTS], "query.dnsStatus": ["undefined", ...TEXTS],
  "query.httpStatus": ["undefined", ...TEXTS], "query.leadStatus": ["undefined", ...TEXTS], "query.sortBy": ["undefined"], "query.sortOrder": ["undefined"],
};
const POSITION = { position: [], "position.epoch": ["'text'"], "position.sequenceNumber": ["0", "2^31"] };
const LIST = { options: ["undefined", ...RECORDS], "options.ids": ["undefined", "[]"] };
const { campaignId: _, ...SHOWN } = VIEW;

/** The parameters of the fake's methods, also of those that adapters use. */
const FAKE = {
  "testing.FakeCampaignSync.campaigns": LIST,
  "testing.FakeCampaignSync.show": { partial: [], ...prefixed("partial", { campaignId: ["'text'"], ...SHOWN }) },
  "testing.FakeCampaignSync.showRows": { campaignId: ["'text'"], rows: ["[]", "0"] },
  "testing.FakeCampaignSync.showConnection": CONNECTION,
  "testing.FakeCampaignSync.emit": { type: TEXTS, detail: ANY },
  "CampaignSyncLike.campaign": { campaignId: ["'text'"] },
  "CampaignSyncLike.view": { campaignId: TEXTS },
  "CampaignSyncLike.campaigns": LIST,
  "CampaignLike.subscribe": { listener: ["function"] },
  "CampaignLike.domains": QUERY,
  "CampaignLike.reached": { ...POSITION, options: ["undefined", ...RECORDS], "options.timeoutMs": [...NUMBERS, "1.5", "2^53", "Infinity"] },
  "CampaignListLike.subscribe": { listener: ["function"] },
};

/** The values that each parameter accepts, by their labels. */
export const ACCEPTED = {
  ...under("createTestServer", SERVER),
  ...Object.fromEntries(Object.entries(under("TestServer", SERVER)).map(([name, labels]) => [`new ${name}`, labels])),
  ...Object.assign({}, ...Object.entries(PARAMETERS).map(([method, parameters]) => under(`TestServer.${method}`, parameters))),
  ...under("fakeCampaignSync", { options: ["undefined", ...RECORDS], ...prefixed("options", { connection: ["undefined"], rows: ["undefined", ...OBJECTS], views: ["undefined", "[]"] }) }),
  ...under("fakeView", { partial: ["undefined", ...RECORDS], ...prefixed("partial", VIEW) }),
  ...Object.fromEntries(Object.entries(FAKE).flatMap(([method, parameters]) => Object.entries(parameters).map(([name, labels]) => [`${method}(${name})`, labels]))),
};

const fake = () => testing.fakeCampaignSync();

/** Calls the function of a parameter. `members` puts a tried value in the place of a sound one. */
export const calls = (members) => ({
  "testing.createTestServer": (values) => testing.createTestServer(members("options", {}, values)),
  "new testing.TestServer": (values) => new (testing.createTestServer().constructor)(members("options", {}, values)),
  "testing.fakeCampaignSync": (values) => testing.fakeCampaignSync(members("options", {}, values)),
  "testing.fakeView": (values) => testing.fakeView(members("partial", {}, values)),
  "testing.FakeCampaignSync.campaigns": (values) => fake().campaigns(members("options", {}, values)),
  "testing.FakeCampaignSync.show": (values) => fake().show(members("partial", { campaignId: "text" }, values)),
  "testing.FakeCampaignSync.showRows": (values) => fake().showRows("campaignId" in values ? values.campaignId : "text", "rows" in values ? values.rows : []),
  "testing.FakeCampaignSync.showConnection": (values) => fake().showConnection(members("connection", { state: "open", attempt: 0 }, values)),
  "testing.FakeCampaignSync.emit": (values) => fake().emit("type" in values ? values.type : "gap", values.detail),
  "CampaignSyncLike.campaign": ({ campaignId }) => fake().campaign(campaignId),
  "CampaignSyncLike.view": ({ campaignId }) => fake().view(campaignId),
  "CampaignSyncLike.campaigns": (values) => fake().campaigns(members("options", {}, values)),
  "CampaignLike.subscribe": ({ listener }) => fake().campaign("text").subscribe(listener),
  "CampaignLike.domains": (values) => fake().campaign("text").domains(members("query", {}, values)),
  "CampaignLike.reached": (values) => fake().campaign("text").reached(members("position", { epoch: "text", sequenceNumber: 1 }, values), members("options", {}, values)),
  "CampaignListLike.subscribe": ({ listener }) => fake().campaigns().subscribe(listener),
  ...Object.fromEntries(Object.entries(METHODS).map(([method, parameters]) => [`testing.TestServer.${method}`, async (values) => {
    const server = testing.createTestServer();
    try {
      if (method !== "create") server.create({ campaignId: "text" });
      await server[method](...Object.entries(parameters).map(([name, sound]) => members(name, sound, values)));
    } finally {
      server.close();
    }
  }])),
});
