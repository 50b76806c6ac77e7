/** One connection of the test server: it speaks `campaign-sync.v1` as docs/PROTOCOL.md says. */
import { isErrorCode } from "../errors.js";
import { CatalogueFeed } from "./catalogue.js";
import { readMessage, type ClientMessage } from "./json.js";
import type { CampaignLog, Data } from "./log.js";
import type { Conversation, Peer } from "./network.js";
import { subjectOf, type Follower, type Session, type State } from "./state.js";
import { sentenceOf } from "./words.js";
import type { ErrorCode } from "../words.js";

const PROTOCOL = "campaign-sync.v1";
const FRAME_BYTES_MAX = 1_048_576;
const ID = /^[A-Za-z0-9_-]{1,64}$/;

/** A followed campaign. */
interface Subscription {
  readonly log: CampaignLog;
  /** The next number to send; `undefined` before the first recovery request. */
  next: number | undefined;
}

let connections = 0;

/** The server's side of one connection. */
export class Connection implements Conversation, Follower {
  readonly #state: State;
  readonly #peer: Peer;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #catalogue: CatalogueFeed;
  /** Messages that wait while answers are held back; `undefined` if they are not. */
  #held: ClientMessage[] | undefined;
  #heartbeat: ReturnType<typeof setTimeout> | undefined;
  #isOpen = true;
  session: Session | undefined;
  isAcknowledged = false;

  constructor(state: State, peer: Peer, isHolding: boolean) {
    this.#state = state;
    this.#peer = peer;
    this.#catalogue = new CatalogueFeed(state, this, (data) => this.#send("catalogue", data));
    if (isHolding) this.hold();
  }

  receive(frame: string): void {
    for (const line of frame.split("\n")) {
      if (!this.#isOpen) return;
      if (line.trim() === "") continue;
      const message = readMessage(line);
      if (typeof message === "string") this.#error(message);
      else this.#onMessage(message);
    }
  }

  closed(): void {
    this.#isOpen = false;
    clearTimeout(this.#heartbeat);
    this.#catalogue.end();
    this.#state.followers.delete(this);
  }

  /** Closes the connection with a code. */
  close(code: number): void {
    if (!this.#isOpen) return;
    this.closed();
    this.#peer.close(code);
  }

  /** Holds back the answers that bring data. */
  hold(): void {
    this.#held ??= [];
  }

  /** Answers what was held back. */
  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const message of held) if (this.#isOpen) this.#answer(message);
  }

  expired(): void {
    this.#send("session_expired", {});
    this.close(4401);
  }

  /** Announces that the server stops. */
  drain(retryAfterMs: number): void {
    this.#send("server_draining", { retryAfterMs });
    this.close(1012);
  }

  /** Sends the last event of each campaign again. */
  repeat(): void {
    for (const { log, next } of this.#subscriptions.values()) {
      if (next !== undefined && next > log.oldest) this.#write(log.event(next - 1));
    }
  }

  appended(log: CampaignLog, text: string | undefined): void {
    const subscription = this.#subscriptions.get(log.campaignId);
    if (subscription?.next === undefined) return;
    subscription.next = log.head + 1;
    if (text !== undefined) this.#write(text);
  }

  revoked(log: CampaignLog): void {
    if (this.#subscriptions.delete(log.campaignId)) this.#send("subscription_ended", { campaignId: log.campaignId, reason: "revoked" });
  }

  listChanged(): void {
    this.#catalogue.changed();
  }

  /** Sends what the list still has to send, without its pause. */
  flushList(): void {
    this.#catalogue.flush();
  }

  #send(type: string, data: Data): void {
    this.#write(JSON.stringify({ type, timestamp: new Date().toISOString(), data }));
  }

  #write(text: string): void {
    if (!this.#isOpen) return;
    this.#peer.send(text);
    if (this.isAcknowledged) this.#scheduleHeartbeat();
  }

  /** After a silence the server sends a pong by itself (R12.5). */
  #scheduleHeartbeat(): void {
    clearTimeout(this.#heartbeat);
    this.#heartbeat = setTimeout(() => this.#pong(undefined), this.#state.heartbeatMs);
    // In Node a heartbeat must not keep the process of the tests alive.
    (this.#heartbeat as { unref?(): void }).unref?.();
  }

  #error(code: ErrorCode, { campaignId, requestId }: Partial<ClientMessage> = {}): void {
    const about = { ...(typeof campaignId === "string" && { campaignId }), ...(typeof requestId === "string" && { requestId }) };
    this.#send("error", { code, message: sentenceOf(code), ...about });
  }

  #onMessage(message: ClientMessage): void {
    const { type, campaignId } = message;
    const user = this.session?.user ?? null;
    const about = typeof campaignId === "string" ? { campaignId } : {};
    const refusal = this.#state.refusalOf({ kind: "message", type, ...about, user, content: message });
    if (refusal !== undefined) return this.#refuse(refusal, message);
    if (type === "connection_init") return this.#onInit(message);
    if (!this.isAcknowledged) return this.#error("invalid_message", message);
    if (type === "ping") return this.#onPing(message);
    const bringsData = type.startsWith("request_") || type === "subscribe_catalogue";
    if (this.#held !== undefined && bringsData) this.#held.push(message);
    else this.#answer(message);
  }

  /** Refuses a message, and the connection if the message opens it. */
  #refuse(code: ErrorCode, message: ClientMessage): void {
    this.#error(code, message);
    const closeCode = { unauthorized: 4401, forbidden: 4403, rate_limited: 4429, too_many: 4429 } as Partial<Record<ErrorCode, number>>;
    if (message.type === "connection_init") this.close(closeCode[code] ?? 1011);
  }

  #onInit({ protocols, token }: ClientMessage): void {
    const offered: unknown[] = Array.isArray(protocols) ? protocols : [];
    const isOurs = offered.includes(PROTOCOL);
    if (!isOurs && !offered.some((name) => String(name).startsWith("campaign-sync."))) return this.#error("invalid_message");
    const session = this.#state.sessionOf(token);
    if (isOurs && session === undefined) {
      this.#error("unauthorized");
      return this.close(4401);
    }
    this.session ??= session;
    this.isAcknowledged = isOurs;
    connections += 1;
    const subject = session?.user == null ? {} : { subject: subjectOf(session.user) };
    const data = { connectionId: `connection-${connections}`, protocol: PROTOCOL, heartbeatMs: this.#state.heartbeatMs, maxFrameBytes: FRAME_BYTES_MAX };
    this.#send("connection_ack", { ...data, ...subject, profiles: ["catalogue"] });
    if (!isOurs) this.close(4400);
  }

  #onPing(message: ClientMessage): void {
    if (isCount(message["timestamp"])) this.#pong(message["timestamp"]);
    else this.#error("invalid_message", message);
  }

  #pong(timestamp: number | undefined): void {
    const heads = [...this.#subscriptions.values()].flatMap(({ log, next }) => {
      if (next === undefined) return [];
      const { campaignId, epoch, head } = log;
      const state = { domainsCount: log.rows.size, domainsDigest: log.digest };
      return [{ campaignId, epoch, lastSequenceNumber: next - 1, logHead: head, ...state }];
    });
    const catalogue = this.#catalogue.head();
    this.#send("pong", { ...(timestamp !== undefined && { timestamp }), heads, ...(catalogue && { catalogue }) });
  }

  #answer(message: ClientMessage): void {
    const { type, campaignId, requestId } = message;
    if (requestId !== undefined && !(typeof requestId === "string" && requestId !== "" && requestId.length <= 128)) return this.#error("invalid_message", message);
    if (type === "subscribe_catalogue") return this.#catalogue.subscribe(message);
    if (type === "unsubscribe_catalogue") return this.#catalogue.end();
    const answer = ANSWERS[type];
    if (answer === undefined) return this.#error("unknown_type", message);
    if (typeof campaignId !== "string" || !ID.test(campaignId)) return this.#error("invalid_campaign_id", message);
    const code = answer.call(this, campaignId, message);
    if (isErrorCode(code)) this.#error(code, message);
  }

  // The answers to messages. Each returns the code of a refusal, or nothing.

  subscribe(campaignId: string): ErrorCode | undefined {
    const log = this.#state.visible(campaignId, this.session as Session);
    if (log === undefined) return "unknown_campaign";
    if (!this.#subscriptions.has(campaignId)) this.#subscriptions.set(campaignId, { log, next: undefined });
    const { epoch, head, oldest } = log;
    this.#send("subscription_confirmed", { campaignId, epoch, lastSequenceNumber: head, oldestSequenceNumber: oldest });
    return undefined;
  }

  unsubscribe(campaignId: string): ErrorCode | undefined {
    if (!this.#subscriptions.delete(campaignId)) return "invalid_message";
    this.#send("subscription_ended", { campaignId, reason: "unsubscribed" });
    return undefined;
  }

  /** Seeks the cursor (chapter 8). */
  recover(campaignId: string, { requestId, lastSequenceNumber = 0, epoch, prefer }: ClientMessage): ErrorCode | undefined {
    const subscription = this.#subscriptions.get(campaignId);
    if (subscription === undefined || !isCount(lastSequenceNumber)) return "invalid_message";
    const { log } = subscription;
    const { head } = log;
    const answer = (outcome: string, from: number, to: number, reason?: string): void =>
      this.#send("event_recovery", {
        campaignId, ...requested(requestId), epoch: log.epoch, outcome, ...(reason && { reason }), fromSequenceNumber: from, toSequenceNumber: to,
      });
    const reason = reasonForSnapshot(log, lastSequenceNumber, epoch, prefer);
    subscription.next = head + 1;
    if (reason === undefined) {
      answer(lastSequenceNumber === head ? "current" : "replay", lastSequenceNumber + 1, head);
      for (let number = lastSequenceNumber + 1; number <= head; number++) this.#write(log.event(number));
      return undefined;
    }
    answer("snapshot", head + 1, head, reason);
    for (const part of log.parts(this.#state.partRows)) this.#send("campaign.snapshot", { ...part, ...requested(requestId) });
    return undefined;
  }

  digests(campaignId: string, { requestId }: ClientMessage): ErrorCode | undefined {
    const log = this.#following(campaignId);
    if (log === undefined) return "invalid_message";
    const { epoch, head } = log;
    this.#send("campaign.digest", { campaignId, ...requested(requestId), epoch, sequenceNumber: head, buckets: log.buckets() });
    return undefined;
  }

  buckets(campaignId: string, message: ClientMessage): ErrorCode | undefined {
    const { buckets, requestId } = message;
    if (buckets === undefined || buckets === null) return this.recover(campaignId, { lastSequenceNumber: 0, ...message, prefer: "snapshot" });
    const log = this.#following(campaignId);
    const isValid = Array.isArray(buckets) && buckets.every((bucket) => isCount(bucket) && bucket < 256);
    if (log === undefined || !isValid) return "invalid_message";
    for (const part of log.parts(this.#state.partRows, buckets as number[])) this.#send("campaign.snapshot", { ...part, ...requested(requestId) });
    return undefined;
  }

  /** The log of a campaign whose cursor stands at a number. */
  #following(campaignId: string): CampaignLog | undefined {
    const subscription = this.#subscriptions.get(campaignId);
    return subscription?.next === undefined ? undefined : subscription.log;
  }
}

type Answer = (this: Connection, campaignId: string, message: ClientMessage) => ErrorCode | undefined;

const { prototype } = Connection;

/** The answer to each message about a campaign. */
const ANSWERS: Readonly<Record<string, Answer | undefined>> = {
  subscribe_campaign: prototype.subscribe,
  unsubscribe_campaign: prototype.unsubscribe,
  request_event_recovery: prototype.recover,
  request_campaign_digest: prototype.digests,
  request_campaign_snapshot: prototype.buckets,
};

const requested = (requestId: unknown): Data => (typeof requestId === "string" ? { requestId } : {});

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Why a request is answered by a snapshot; `undefined` if it is not. */
function reasonForSnapshot(log: CampaignLog, asked: number, epoch: unknown, prefer: unknown): string | undefined {
  if (prefer === "snapshot") return "requested";
  if (epoch != null && epoch !== log.epoch) return "epoch";
  if (asked > log.head) return "position_ahead";
  if (asked + 1 < log.oldest) return "truncated";
  if (prefer !== "replay" && isLong(log, asked)) return "long";
  return undefined;
}

/** Whether a replay is larger than 1 MiB, and so larger than most snapshots (R8.8). */
function isLong(log: CampaignLog, asked: number): boolean {
  let characters = 0;
  for (let number = asked + 1; number <= log.head && characters <= FRAME_BYTES_MAX; number++) characters += log.event(number).length;
  return characters > FRAME_BYTES_MAX;
}
