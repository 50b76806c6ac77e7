// What can be wrong with a server, one thing at a time, and the cases that must report it.

import { digestOf } from "../reader/digest.mjs";
import { rewritten } from "./support/proxy.mjs";

const isEvent = ({ sequence }) => sequence !== undefined;
const isReplayed = (document, line, number) => line.isReplayed(document) && document.sequence.sequenceNumber === number;
const isSnapshot = ({ type, data }, isWanted) => type === "campaign.snapshot" && isWanted(data);
const withData = (document, change) => ({ ...document, data: { ...document.data, ...change } });
const heads = (document, change) => withData(document, { heads: document.data.heads.map((head) => ({ ...head, ...change(head) })) });

export const BREAKS = [
  {
    title: "a byte of a replayed event is another",
    fails: ["C-BYTES/replayed"],
    down: (document, line, source) => (isReplayed(document, line, 2) ? source.replace('"timestamp":"2', '"timestamp":"3') : undefined),
  },
  {
    title: "a replayed event is written anew, and hashed anew",
    fails: ["C-BYTES/replayed"],
    down: (document, line) =>
      isReplayed(document, line, 2) ? rewritten(document, ({ data }) => (data.again = true)) : undefined,
  },
  {
    title: "a timestamp is not in UTC",
    fails: ["C-BYTES/replayed"],
    down: (document) => (document.type === "pong" ? { ...document, timestamp: "2031-04-05T06:07:08+02:00" } : undefined),
  },
  {
    title: "a replay lacks an event",
    fails: ["C-ORDER/replay", "C-ORDER/live"],
    down: (document, line) => (isReplayed(document, line, 3) ? [] : undefined),
  },
  {
    title: "a replay has an event twice",
    fails: ["C-ORDER/replay", "C-ORDER/live"],
    down: (document, line, source) => (isReplayed(document, line, 3) ? [source, source] : undefined),
  },
  {
    title: "an event names another predecessor",
    fails: ["C-ORDER/replay", "C-ORDER/live"],
    down: (document) =>
      document.sequence?.sequenceNumber === 3
        ? rewritten(document, ({ sequence }) => (sequence.previousEventId = "somebody-else"))
        : undefined,
  },
  {
    title: "events change the epoch silently",
    fails: ["C-EPOCH/one", "C-EPOCH/other"],
    down: (document) => (isEvent(document) ? rewritten(document, ({ sequence }) => (sequence.epoch = "other-log")) : undefined),
  },
  {
    title: "a position of another log is continued",
    fails: ["C-EPOCH/other"],
    up: (message) => {
      if (message.payload?.epoch === "no-such-log") delete message.payload.epoch;
      return JSON.stringify(message);
    },
  },
  {
    title: "heads state a wrong digest",
    fails: ["C-DIGEST/claims", "C-DIGEST/buckets"],
    down: (document) => (document.type === "pong" ? heads(document, (head) => (head.domainsDigest ? { domainsDigest: "0123456789abcdef" } : {})) : undefined),
  },
  {
    title: "transitions state a wrong count",
    fails: ["C-DIGEST/claims"],
    down: (document) =>
      document.type === "campaign.phase.transition" ? rewritten(document, ({ data }) => (data.domainsCount += 1)) : undefined,
  },
  {
    title: "a bucket's digest is wrong",
    fails: ["C-DIGEST/buckets"],
    down: (document) =>
      document.type === "campaign.digest"
        ? withData(document, { buckets: document.data.buckets.with(17, [99, "0123456789abcdef"]) })
        : undefined,
  },
  {
    title: "a snapshot does not add up",
    fails: ["C-DIGEST/claims"],
    down: (document) =>
      isSnapshot(document, ({ parts, domains }) => parts === 1 && domains.length > 50)
        ? withData(document, { domains: document.data.domains.slice(1) })
        : undefined,
  },
  {
    title: "a snapshot lacks a row and adds up all the same",
    fails: ["C-DIGEST/claims", "C-ROWS/fold"],
    down: (document) => {
      if (!isSnapshot(document, ({ parts, domains }) => parts === 1 && domains.length > 50)) return undefined;
      const domains = document.data.domains.slice(1);
      return withData(document, { domains, domainsCount: domains.length, domainsDigest: digestOf(domains) });
    },
  },
  {
    title: "a replay begins after the event that was asked for",
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
    title: "a snapshot that was asked for is not sent",
    fails: ["C-RECOVERY/resume"],
    up: (message) => {
      if (message.payload?.prefer === "snapshot") delete message.payload.prefer;
      return JSON.stringify(message);
    },
  },
  {
    title: "who is at the head is not answered",
    fails: ["C-RECOVERY/current"],
    down: ({ type, data }) => (type === "event_recovery" && data.outcome === "current" ? [] : undefined),
  },
  {
    title: "an answer names another request",
    fails: ["C-RECOVERY/current"],
    down: (document) =>
      document.type === "event_recovery" && document.data.outcome === "current"
        ? withData(document, { requestId: "another" })
        : undefined,
  },
  {
    title: "an event stands between the parts of a snapshot",
    fails: ["C-WHOLE/snapshot"],
    down: (document, line, source) => {
      if (isEvent(document)) line.last = source;
      const isFirst = isSnapshot(document, ({ part, parts }) => part === 1 && parts > 1);
      return isFirst && line.last !== undefined ? [source, line.last] : undefined;
    },
  },
  {
    title: "the parts of a snapshot come in another order",
    fails: ["C-WHOLE/snapshot"],
    down: (document, line, source) => {
      if (isSnapshot(document, ({ part, parts }) => part === 1 && parts > 1)) {
        line.kept.push(source);
        return [];
      }
      return isSnapshot(document, ({ part }) => part === 2) ? [source, ...line.kept.splice(0)] : undefined;
    },
  },
  {
    title: "an event cannot be applied",
    fails: ["C-WHOLE/events", "C-WHOLE/snapshot"],
    down: (document) =>
      document.data.domains?.[0]?.dnsStatus && isEvent(document)
        ? rewritten(document, ({ data }) => (data.domains[0].domainId = "nobody"))
        : undefined,
  },
  {
    title: "pongs have no heads",
    fails: ["C-HEADS/answered", "C-HEADS/unasked"],
    down: (document) => (document.type === "pong" ? withData(document, { heads: [] }) : undefined),
  },
  {
    title: "heads are what was committed and not what was written",
    fails: ["C-HEADS/answered", "C-HEADS/unasked"],
    down: (document) =>
      document.type === "pong" ? heads(document, ({ logHead }) => ({ lastSequenceNumber: logHead + 1, logHead: logHead + 1 })) : undefined,
  },
  {
    title: "a silent socket hears nothing",
    fails: ["C-HEADS/unasked"],
    down: ({ type, data }) => (type === "pong" && (data.timestamp ?? null) === null ? [] : undefined),
  },
  {
    title: "a transition is announced as refused and carried out",
    fails: ["C-REFUSAL/announced"],
    down: (document) =>
      document.type === "campaign.phase.transition" && document.data.domainsCount === 41
        ? rewritten(document, ({ data }) => (data.dataIntegrityCheck = false))
        : undefined,
  },
  {
    title: "a transition that was refused to its requester leaves an event",
    fails: ["C-REFUSAL/request"],
    http: { url: (url) => url.replace("configure-analysis", "start") },
  },
  {
    title: "what is malformed is not answered",
    fails: ["C-BAD-INPUT/malformed"],
    down: ({ type, data }) => (type === "error" && data.campaignId === undefined ? [] : undefined),
  },
  {
    title: "a refusal does not name its request",
    fails: ["C-BAD-INPUT/unsubscribed"],
    down: (document) => (document.type === "error" ? withData(document, { requestId: undefined }) : undefined),
  },
  {
    title: "fields at the top level are not read",
    fails: ["C-BAD-INPUT/places"],
    up: (message) => {
      const { type, payload = {}, ...fields } = message;
      return type === "request_event_recovery" && fields.campaignId ? JSON.stringify({ type, payload }) : JSON.stringify(message);
    },
  },
  {
    title: "frames are larger than was announced",
    fails: ["C-LIMITS/sent"],
    down: (document) => (document.type === "connection_ack" ? withData(document, { maxFrameBytes: 60_000 }) : undefined),
  },
  {
    title: "long messages close the connection",
    fails: ["C-LIMITS/accepted"],
    up: (message, line, { text, close }) => (text.length > 512 ? close(1009) : text),
  },
  {
    title: "a burst of requests closes the connection",
    fails: ["C-RATE/burst"],
    up: (message, line, { text, close }) => {
      const now = Date.now();
      line.recent = [...(line.recent ?? []), ...(message.type === "request_event_recovery" ? [now] : [])].filter((at) => now - at < 500);
      return line.recent.length >= 4 ? close(4429) : text;
    },
  },
  {
    title: "answers over HTTP do not say their position",
    fails: ["C-POSITION/answers", "C-POSITION/waits"],
    http: { hides: ["campaign-position"] },
  },
  {
    title: "min_position is not looked at",
    fails: ["C-POSITION/waits"],
    http: { url: (url) => url.replace(/\?min_position=.*/, "") },
  },
];
