// The ways in which a proxy breaks a server, each with the cases that must report it.

import { digestOf } from "../reader/digest.mjs";
import { SESSION_BREAKS } from "./breaks-session.mjs";
import { LIST_BREAKS, withData } from "./list-breaks.mjs";
import { rewritten } from "./support/proxy.mjs";

const isEvent = ({ sequence }) => sequence !== undefined;
const isReplayed = (document, line, number) => line.isReplayed(document) && document.sequence.sequenceNumber === number;
const isTransition = ({ type }) => type === "campaign.phase.transition";
const isSnapshot = ({ type, data }, isWanted) => type === "campaign.snapshot" && isWanted(data);
const isCode = ({ type, data }, code) => type === "error" && data.code === code;
const heads = (document, change) => withData(document, { heads: document.data.heads.map((head) => ({ ...head, ...change(head) })) });
/** Remembers the request for the rows of buckets. */
function markBuckets({ type, payload }, line, { text }) {
  if (type === "request_campaign_snapshot" && payload.buckets) line.buckets = payload.requestId;
  return text;
}

/** Changes the snapshots that are fetched over HTTP. */
function changedSnapshot(change) {
  return (text, url) => {
    if (!url.endsWith("/snapshot")) return text;
    const snapshot = JSON.parse(text);
    return JSON.stringify({ ...snapshot, ...change(snapshot) });
  };
}

export const BREAKS = [...SESSION_BREAKS,
  {
    title: "server changes a byte of a replayed event",
    fails: ["C-BYTES/replayed"],
    down: (document, line, source) => (isReplayed(document, line, 2) ? source.replace('"timestamp":"2', '"timestamp":"3') : undefined),
  },
  {
    title: "server rewrites and rehashes a replayed event",
    fails: ["C-BYTES/replayed"],
    down: (document, line) =>
      isReplayed(document, line, 2) ? rewritten(document, ({ data }) => (data.again = true)) : undefined,
  },
  {
    title: "server writes a timestamp that is not in UTC",
    fails: ["C-BYTES/replayed", "C-WHOLE/events"],
    down: (document) =>
      document.type === "connection_ack" ? { ...document, timestamp: "2031-04-05T06:07:08+02:00" } : undefined,
  },
  {
    title: "server writes a member name with an escape",
    fails: ["C-BYTES/replayed", "C-WHOLE/events"],
    down: ({ type }, line, source) =>
      type === "subscription_confirmed" ? source.replace('"epoch":', '"ep\\u006fch":') : undefined,
  },
  {
    title: "server repeats a member",
    fails: ["C-BYTES/replayed", "C-WHOLE/events"],
    down: ({ type }, line, source) =>
      type === "subscription_confirmed" ? source.replace('"epoch":', '"epoch":"another","epoch":') : undefined,
  },
  {
    title: "transition is not marked as a checkpoint",
    fails: ["C-WHOLE/events"],
    down: (document) =>
      isTransition(document) ? rewritten(document, ({ sequence }) => (sequence.checkpointData = false)) : undefined,
  },
  {
    title: "transition lacks a field",
    fails: ["C-WHOLE/events"],
    down: (document) => (isTransition(document) ? rewritten(document, ({ data }) => delete data.estimatedDuration) : undefined),
  },
  {
    title: "rollback restores other counters than its snapshot has",
    fails: ["C-ROWS/rollback"],
    down: (document) =>
      isTransition(document) && document.data.transitionType === "error_recovery"
        ? rewritten(document, ({ data }) => (data.rollbackData.counters.processedItems += 1))
        : undefined,
  },
  {
    title: "replay lacks an event",
    fails: ["C-ORDER/replay", "C-ORDER/live"],
    down: (document, line) => (isReplayed(document, line, 3) ? [] : undefined),
  },
  {
    title: "replay repeats an event",
    fails: ["C-ORDER/replay", "C-ORDER/live"],
    down: (document, line, source) => (isReplayed(document, line, 3) ? [source, source] : undefined),
  },
  {
    title: "log does not begin with the creation",
    fails: ["C-ORDER/replay", "C-ORDER/live", "C-ORDER/again", "C-WHOLE/buckets"],
    down: (document) =>
      document.sequence?.sequenceNumber === 1 ? rewritten(document, ({ data }) => (data.action = "update")) : undefined,
  },
  {
    title: "two events have one id",
    fails: ["C-ORDER/replay", "C-ORDER/live", "C-ORDER/again", "C-WHOLE/buckets"],
    down: (document, line) => {
      const number = document.sequence?.sequenceNumber;
      if (number === 1) line.first = document.sequence.eventId;
      if (line.first === undefined) return undefined;
      if (number === 3) return rewritten(document, ({ sequence }) => (sequence.eventId = line.first));
      return number === 4 ? rewritten(document, ({ sequence }) => (sequence.previousEventId = line.first)) : undefined;
    },
  },
  {
    title: "second subscription replaces the first",
    fails: ["C-ORDER/again"],
    up: (message, line, { text }) => {
      if (message.type !== "subscribe_campaign") return text;
      line.ended = line.isSubscribed ? 1 : 0;
      line.isSubscribed = true;
      const { campaignId } = message;
      return line.ended > 0 ? `${JSON.stringify({ type: "unsubscribe_campaign", campaignId })}\n${text}` : text;
    },
    down: ({ type }, line) => (type === "subscription_ended" && line.ended-- > 0 ? [] : undefined),
  },
  {
    title: "slow reader loses events",
    fails: ["C-ORDER/slow"],
    down: (document, line) => (isEvent(document) && line.isSlow() ? [] : undefined),
  },
  {
    title: "event names another predecessor",
    fails: ["C-ORDER/replay", "C-ORDER/live", "C-ORDER/again", "C-WHOLE/buckets"],
    down: (document) =>
      document.sequence?.sequenceNumber === 3
        ? rewritten(document, ({ sequence }) => (sequence.previousEventId = "somebody-else"))
        : undefined,
  },
  {
    title: "events change the epoch without notice",
    fails: ["C-EPOCH/one", "C-EPOCH/other"],
    down: (document) => (isEvent(document) ? rewritten(document, ({ sequence }) => (sequence.epoch = "other-log")) : undefined),
  },
  {
    title: "server continues a position of another log",
    fails: ["C-EPOCH/other"],
    up: (message) => {
      if (message.payload?.epoch === "no-such-log") delete message.payload.epoch;
      return JSON.stringify(message);
    },
  },
  {
    title: "heads state a wrong digest",
    fails: ["C-DIGEST/claims", "C-DIGEST/buckets", "C-RECOVERY/continued"],
    down: (document) => (document.type === "pong" ? heads(document, (head) => (head.domainsDigest ? { domainsDigest: "0123456789abcdef" } : {})) : undefined),
  },
  {
    title: "transitions state a wrong count",
    fails: ["C-DIGEST/claims"],
    down: (document) =>
      document.type === "campaign.phase.transition" ? rewritten(document, ({ data }) => (data.domainsCount += 1)) : undefined,
  },
  {
    title: "bucket has a wrong digest",
    fails: ["C-DIGEST/buckets"],
    down: (document) =>
      document.type === "campaign.digest"
        ? withData(document, { buckets: document.data.buckets.with(17, [99, "0123456789abcdef"]) })
        : undefined,
  },
  {
    title: "parts of buckets state the count of another table",
    fails: ["C-DIGEST/buckets"],
    up: markBuckets,
    down: (document, line) =>
      isSnapshot(document, ({ requestId }) => requestId === line.buckets) ? withData(document, { domainsCount: 1 }) : undefined,
  },
  {
    title: "answer with buckets moves the cursor back",
    fails: ["C-WHOLE/buckets"],
    up: markBuckets,
    down: (document, line, source) => {
      if (isEvent(document)) line.last = source;
      const isLast = isSnapshot(document, ({ requestId, part, parts }) => requestId === line.buckets && part === parts);
      return isLast && line.last !== undefined ? [source, line.last] : undefined;
    },
  },
  {
    title: "snapshot does not match its count and digest",
    fails: ["C-DIGEST/claims"],
    down: (document) =>
      isSnapshot(document, ({ parts, domains }) => parts === 1 && domains.length > 50)
        ? withData(document, { domains: document.data.domains.slice(1) })
        : undefined,
  },
  {
    title: "snapshot lacks a row but matches its count and digest",
    fails: ["C-DIGEST/claims", "C-ROWS/fold"],
    down: (document) => {
      if (!isSnapshot(document, ({ parts, domains }) => parts === 1 && domains.length > 50)) return undefined;
      const domains = document.data.domains.slice(1);
      return withData(document, { domains, domainsCount: domains.length, domainsDigest: digestOf(domains) });
    },
  },
  {
    title: "replay begins after the requested event",
    fails: ["C-RECOVERY/reconnect"],
    down: (document, line) => {
      const { type, data } = document;
      const isLong = ({ fromSequenceNumber: from, toSequenceNumber: to }) => to >= from + 2;
      if (type === "event_recovery" && data.outcome === "replay" && isLong(data)) {
        line.hidden = data.fromSequenceNumber;
        return withData(document, { fromSequenceNumber: data.fromSequenceNumber + 1 });
      }
      return line.hidden !== undefined && document.sequence?.sequenceNumber === line.hidden ? [] : undefined;
    },
  },
  {
    title: "request for a snapshot gets rows of no bucket",
    fails: ["C-RECOVERY/snapshot"],
    up: (message) => {
      if (message.type === "request_campaign_snapshot") message.payload.buckets ??= [];
      return JSON.stringify(message);
    },
  },
  {
    title: "resumed snapshot continues with another part",
    fails: ["C-RECOVERY/continued"],
    up: (message, line) => {
      line.isResumed = message.payload?.resume !== undefined;
      delete message.payload?.resume;
      return JSON.stringify(message);
    },
    down: (document, line) => {
      if (!line.isResumed || !isSnapshot(document, ({ parts }) => parts > 1)) return undefined;
      return document.data.part === 1 ? withData(document, { part: 2, campaign: undefined }) : [];
    },
  },
  {
    title: "position ahead gets a snapshot without the reason",
    fails: ["C-RECOVERY/ahead"],
    down: (document) => (document.data?.reason === "position_ahead" ? withData(document, { reason: undefined }) : undefined),
  },
  {
    title: "unknown campaign is forbidden",
    fails: ["C-RECOVERY/unknown"],
    down: (document) => (isCode(document, "unknown_campaign") ? withData(document, { code: "forbidden" }) : undefined),
  },
  {
    title: "unknown campaign has an epoch",
    fails: ["C-RECOVERY/unknown"],
    down: (document) => (document.data?.outcome === "unknown_campaign" ? withData(document, { epoch: "log-7" }) : undefined),
  },
  {
    title: "server ignores the preference for a snapshot",
    fails: ["C-RECOVERY/resume", "C-RECOVERY/continued"],
    up: (message) => {
      if (message.payload?.prefer === "snapshot") delete message.payload.prefer;
      return JSON.stringify(message);
    },
  },
  {
    title: "server does not answer a client at the head",
    fails: ["C-RECOVERY/current"],
    down: ({ type, data }) => (type === "event_recovery" && data.outcome === "current" ? [] : undefined),
  },
  {
    title: "answer names another request",
    fails: ["C-RECOVERY/current"],
    down: (document) =>
      document.type === "event_recovery" && document.data.outcome === "current"
        ? withData(document, { requestId: "another" })
        : undefined,
  },
  {
    title: "event arrives between the parts of a snapshot",
    fails: ["C-WHOLE/snapshot", "C-WHOLE/buckets"],
    down: (document, line, source) => {
      if (isEvent(document)) line.last = source;
      const isFirst = isSnapshot(document, ({ part, parts }) => part === 1 && parts > 1);
      return isFirst && line.last !== undefined ? [source, line.last] : undefined;
    },
  },
  {
    title: "parts of a snapshot arrive in another order",
    fails: ["C-WHOLE/snapshot", "C-WHOLE/buckets"],
    down: (document, line, source) => {
      if (isSnapshot(document, ({ part, parts }) => part === 1 && parts > 1)) {
        line.kept.push(source);
        return [];
      }
      return isSnapshot(document, ({ part }) => part === 2) ? [source, ...line.kept.splice(0)] : undefined;
    },
  },
  {
    title: "fetched snapshot lacks a row but matches its count and digest",
    fails: ["C-WHOLE/fetched"],
    http: {
      body: changedSnapshot(({ domains: [, ...domains] }) => ({
        domains, domainsCount: domains.length, domainsDigest: digestOf(domains),
      })),
    },
  },
  {
    title: "fetched snapshot does not match its digest",
    fails: ["C-WHOLE/fetched"],
    http: { body: changedSnapshot(() => ({ domainsDigest: "0123456789abcdef" })) },
  },
  {
    title: "event cannot be applied",
    fails: ["C-WHOLE/events", "C-WHOLE/snapshot", "C-WHOLE/buckets"],
    down: (document) =>
      document.data.domains?.[0]?.dnsStatus && isEvent(document)
        ? rewritten(document, ({ data }) => (data.domains[0].domainId = "nobody"))
        : undefined,
  },
  {
    title: "pongs have no heads",
    fails: ["C-HEADS/answered", "C-HEADS/unasked", "C-ORDER/again"],
    down: (document) => (document.type === "pong" ? withData(document, { heads: [] }) : undefined),
  },
  {
    title: "heads state committed instead of written numbers",
    fails: ["C-HEADS/answered", "C-HEADS/unasked", "C-ORDER/again"],
    down: (document) =>
      document.type === "pong" ? heads(document, ({ logHead }) => ({ lastSequenceNumber: logHead + 1, logHead: logHead + 1 })) : undefined,
  },
  {
    title: "silent socket receives no pong",
    fails: ["C-HEADS/unasked"],
    down: ({ type, data }) => (type === "pong" && (data.timestamp ?? null) === null ? [] : undefined),
  },
  {
    title: "transition is announced as refused but carried out",
    fails: ["C-REFUSAL/announced"],
    down: (document) =>
      document.type === "campaign.phase.transition" && document.data.domainsCount === 41
        ? rewritten(document, ({ data }) => (data.dataIntegrityCheck = false))
        : undefined,
  },
  {
    title: "transition that is refused to its requester leaves an event",
    fails: ["C-REFUSAL/request"],
    http: { url: (url) => url.replace("configure-analysis", "start") },
  },
  {
    title: "error over HTTP has an unknown code",
    fails: ["C-REFUSAL/request"],
    http: { body: (text) => text.replace('"illegal_transition"', '"no_such_step"') },
  },
  {
    title: "error has an unknown code",
    fails: ["C-BAD-INPUT/malformed"],
    down: (document) =>
      isCode(document, "invalid_message") && document.data.campaignId === undefined
        ? withData(document, { code: "not_understood" })
        : undefined,
  },
  {
    title: "error does not say that a campaign id is invalid",
    fails: ["C-BAD-INPUT/malformed"],
    down: (document) => (isCode(document, "invalid_campaign_id") ? withData(document, { code: "invalid_message" }) : undefined),
  },
  {
    title: "server refuses a frame because of one line",
    fails: ["C-BAD-INPUT/lines"],
    frame: (text) => (text.includes("\n") ? "{" : text),
  },
  {
    title: "server sends a pong before the acknowledgement",
    fails: ["C-BAD-INPUT/early"],
    down: (document, line, source) => {
      line.isOpen ||= document.type === "connection_ack";
      const { timestamp } = document;
      return line.isOpen ? undefined : [source, { type: "pong", timestamp, data: { heads: [] } }];
    },
  },
  {
    title: "server does not answer a malformed message",
    fails: ["C-BAD-INPUT/malformed", "C-BAD-INPUT/ambiguous", "C-BAD-INPUT/lines", "C-BAD-INPUT/early"],
    down: ({ type, data }) => (type === "error" && data.campaignId === undefined ? [] : undefined),
  },
  {
    title: "server takes the last of repeated members",
    fails: ["C-BAD-INPUT/ambiguous"],
    frame: (text) => {
      try {
        return JSON.stringify(JSON.parse(text));
      } catch {
        return text;
      }
    },
  },
  {
    title: "refusal of a malformed message does not name its request",
    fails: ["C-BAD-INPUT/named"],
    up: (message, line, { text }) => {
      if (message.payload?.buckets?.includes(256)) line.refused = message.payload.requestId;
      return text;
    },
    down: (document, line) =>
      line.refused !== undefined && document.type === "error" && document.data.requestId === line.refused
        ? withData(document, { campaignId: undefined, requestId: undefined })
        : undefined,
  },
  {
    title: "refusal does not name its request",
    fails: ["C-BAD-INPUT/named", "C-BAD-INPUT/unsubscribed", "C-RECOVERY/unknown"],
    down: (document) => (document.type === "error" ? withData(document, { requestId: undefined }) : undefined),
  },
  {
    title: "server ignores fields at the top level",
    fails: ["C-BAD-INPUT/places"],
    up: (message) => {
      const { type, payload = {}, ...fields } = message;
      return type === "request_event_recovery" && fields.campaignId ? JSON.stringify({ type, payload }) : JSON.stringify(message);
    },
  },
  {
    title: "frames are larger than announced",
    fails: ["C-LIMITS/sent"],
    down: (document) => (document.type === "connection_ack" ? withData(document, { maxFrameBytes: 60_000 }) : undefined),
  },
  {
    title: "long messages close the connection",
    fails: ["C-LIMITS/accepted", "C-LIMITS/token"],
    up: (message, line, { text, close }) => (text.length > 4_096 ? close(1009) : text),
  },
  {
    title: "long token closes the connection",
    fails: ["C-LIMITS/token"],
    up: (message, line, { text, close }) => (message.token?.length > 4_096 ? close(1009) : text),
  },
  {
    title: "burst of requests closes the connection",
    fails: ["C-RATE/burst"],
    up: (message, line, { text, close }) => {
      const now = Date.now();
      line.recent = [...(line.recent ?? []), ...(message.type === "request_event_recovery" ? [now] : [])].filter((at) => now - at < 500);
      return line.recent.length >= 4 ? close(4429) : text;
    },
  },
  {
    title: "answers over HTTP do not state their position",
    fails: ["C-POSITION/answers", "C-POSITION/trail", "C-POSITION/waits"],
    http: { hides: ["campaign-position"] },
  },
  {
    title: "audit trail does not state its position",
    fails: ["C-POSITION/trail"],
    http: { hides: ["campaign-position"], only: /\/transitions$/ },
  },
  {
    title: "server ignores min_position",
    fails: ["C-POSITION/waits"],
    http: { url: (url) => url.replace(/\?min_position=.*/, "") },
  },
  ...LIST_BREAKS,
];
