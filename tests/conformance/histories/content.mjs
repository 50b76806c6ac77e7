// Draws random changes of a campaign: valid changes of every kind, and changes that break a rule.

import { digestOf } from "../reader/digest.mjs";
import { Members, Raw } from "./writer.mjs";

const PHASES = ["domain_generation", "dns_validation", "http_keyword_validation", "analysis"];
const STATUSES = ["not_started", "ready", "configured", "in_progress", "paused", "completed", "failed", "skipped"];
const ROW_STATUSES = ["resolved", "timeout", "error", "ok", "Müller", "__proto__", ""];
const WEIGHTS = {
  generated: 6, dns: 4, http: 4, updated: 3, removed: 1, progress: 3, status: 2, transition: 2, refused: 0.5,
  rollback: 0.6, notice: 0.5, silent: 0.5, unknown: 0.7, listed: 0.3,
};

const id = (random) => `d-${random.between(1, 24)}`;
const counters = (random) => {
  const totalItems = random.between(0, 40);
  const processedItems = random.between(0, totalItems);
  const successfulItems = random.between(0, processedItems);
  return { totalItems, processedItems, successfulItems, failedItems: processedItems - successfulItems };
};
const percent = (random) => random.pick([0, 12.5, 100, new Raw("1e1"), new Raw("33.3333333333333333"), new Raw("-0.0")]);

/** Returns a record with the members of `change`. */
function record(random, state, change) {
  const { errorMessage, ...known } = state.record ?? {};
  const made = {
    campaignId: "", name: "Spring", ...counters(random), progressPercentage: percent(random),
    totalDomainCount: state.rows.size, createdAt: "2031-04-05T06:07:00.000Z", updatedAt: "2031-04-05T06:07:00.000Z",
    ...known, ...change,
  };
  if (random.chance(0.1)) made.errorMessage = "gone wrong";
  return made;
}

/** Returns the id and domain of a row patch. A row that the state lacks always has a domain. */
function patch(random, state) {
  const domainId = id(random);
  const isKnown = state.rows.has(domainId);
  const domain = isKnown && random.chance(0.6) ? undefined : `${random.pick(["a", "ü", "日本", "x\t"])}${domainId}.example`;
  return { domainId, domain };
}

function row(random, state) {
  const maybe = (draw) => (random.chance(0.4) ? (random.chance(0.2) ? null : draw()) : undefined);
  return {
    ...patch(random, state),
    offset: maybe(() => random.between(-2, 99)),
    dnsStatus: maybe(() => random.pick(ROW_STATUSES)),
    httpStatus: maybe(() => random.pick(ROW_STATUSES)),
    httpStatusCode: maybe(() => random.pick([200, 404, 0, -1, 2147483647, -2147483647])),
    leadStatus: maybe(() => random.pick(ROW_STATUSES)),
    leadScore: maybe(() => random.pick([0, 0.5, -1.25, new Raw("-0.0"), new Raw("1e-3"), new Raw("1E2"), 7])),
  };
}

function transition(random, state, change = {}) {
  const newPhase = random.pick(PHASES);
  const newStatus = random.pick(STATUSES);
  const counts = counters(random);
  const totalDomainCount = state.rows.size + random.pick([0, 0, 0, 5]);
  const after = record(random, state, { currentPhase: newPhase, phaseStatus: newStatus, ...counts, totalDomainCount });
  return {
    previousPhase: state.record.currentPhase, newPhase, newStatus, transitionType: random.pick(["manual", "automatic"]),
    triggerReason: "requested", prerequisitesMet: true, dataIntegrityCheck: true, domainsCount: state.rows.size,
    processedCount: counts.processedItems, successfulCount: counts.successfulItems, failedItems: counts.failedItems,
    estimatedDuration: 1.5, transitionMetadata: {}, rollbackData: {}, campaign: after,
    domainsDigest: digestOf(state.rows.values()), ...change,
  };
}

function rollback(random, state) {
  const counts = counters(random);
  return {
    phase: random.pick(PHASES), status: random.pick(STATUSES), counters: counts,
    totalDomainCount: random.between(0, 30),
  };
}

const DRAWS = {
  generated: (random, state) => {
    const domainId = id(random);
    const domain = `${domainId}.example`;
    const offset = random.between(0, 99);
    return ["domain.generated", { domainId, domain, offset, batchSize: 1, totalGenerated: state.rows.size }];
  },
  dns: (random, state) => ["dns.validation.result", {
    ...patch(random, state), validationStatus: random.pick(ROW_STATUSES), attempts: 1, processingTime: 12, totalValidated: 1,
  }],
  http: (random, state) => ["http.validation.result", {
    ...patch(random, state), validationStatus: random.pick(ROW_STATUSES), httpStatus: random.pick([200, 500, null, undefined]),
    keywords: ["a"], processingTime: 3, totalValidated: 1,
  }],
  updated: (random, state) => {
    const domains = Array.from({ length: random.between(0, 6) }, () => row(random, state));
    return ["domains.updated", { domains }];
  },
  removed: (random) => {
    const domainIds = Array.from({ length: random.between(0, 3) }, () => id(random));
    return ["domains.removed", { domainIds }];
  },
  progress: (random, state) => ["campaign.progress", {
    ...counters(random), progressPercent: percent(random), phaseStatus: random.pick(STATUSES),
    currentPhase: random.chance(0.8) ? state.record.currentPhase : random.pick(PHASES),
  }],
  status: (random, state) => ["campaign.status", {
    phaseStatus: random.pick(STATUSES), currentPhase: random.pick([state.record.currentPhase, undefined, null, "setup"]),
    message: random.pick([undefined, null, "disk full"]),
  }],
  transition: (random, state) => ["campaign.phase.transition", transition(random, state)],
  refused: (random, state) => ["campaign.phase.transition", transition(random, state, {
    prerequisitesMet: random.chance(0.5), dataIntegrityCheck: false,
    campaign: random.chance(0.5) ? undefined : record(random, state, {}),
  })],
  rollback: (random, state) => ["campaign.phase.transition", transition(random, state, {
    transitionType: "error_recovery", rollbackData: random.pick([rollback(random, state), {}, null, undefined]),
  })],
  notice: (random) => ["system.notification", { level: random.pick(["info", "warning", "error"]), message: "hello" }],
  silent: (random) => [random.pick(["proxy.status", "phase.state.changed", "phase.configuration.required"]), { any: [1] }],
  unknown: () => ["campaign.coloured", { colour: "blue" }],
  listed: (random, state) => ["campaign.list.update", {
    action: random.pick(["update", "create", "archive"]),
    campaign: record(random, state, { name: random.pick(["Spring", "Sommer ☀"]) }),
  }],
};

/** Returns type and data of the first event of a log. */
export function beginning(random, state) {
  const change = { currentPhase: "domain_generation", phaseStatus: "in_progress", totalDomainCount: 0 };
  return ["campaign.list.update", { action: "create", campaign: record(random, state, change) }];
}

/** Draws type and data of the next event. */
export function draw(random, state, faults) {
  const [type, data] = DRAWS[random.weighted(WEIGHTS)](random, state);
  if (random.chance(faults.breaks)) return [type, broken(random, data)];
  return [type, data];
}

/** Returns type and data of the last event of a campaign. */
export const ending = (random) => random.pick([["campaign.deleted", {}], ["campaign.list.update", { action: "delete" }]]);

const isObject = (value) => value !== null && typeof value === "object" && !(value instanceof Raw);

/** Returns the data with one member, at any depth, changed to an invalid or unusual value. */
function broken(random, data) {
  const names = Object.keys(data).filter((name) => data[name] !== undefined);
  if (names.length === 0) return data;
  const name = random.pick(names);
  const value = data[name];
  if (isObject(value) && random.chance(0.7)) {
    const inner = broken(random, value);
    return Array.isArray(data) ? data.with(name, inner) : { ...data, [name]: inner };
  }
  if (Array.isArray(data)) return data.with(name, misshapen(random, value));
  if (random.chance(0.2)) return { ...data, [name]: undefined };
  if (random.chance(0.1)) return new Members([[name, value], ...Object.entries(data)]);
  return { ...data, [name]: misshapen(random, value) };
}

const MISSHAPEN = [
  null, true, "", "word", 7, -1, [], {}, new Raw("1.0"), new Raw("1e3"), new Raw("9007199254740992"), new Raw("-0"),
  new Raw("1e999"), new Raw("2147483648"), 101,
];

const misshapen = (random) => random.pick(MISSHAPEN);
