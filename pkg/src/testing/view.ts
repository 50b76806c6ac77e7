/** Views for components that are tested without a client: each member is valid by the types. */
import { checkedMembers, COUNT, oneOf, orNull, type Rule, type Rules } from "../check.js";
import { emptyView } from "../empty.js";
import { frozenCopy } from "../plain.js";
import { CODE, ID, LONG_TEXT, RECORD, TIMESTAMP } from "./check.js";
import type { CampaignRecord, CampaignView, LastTransition } from "../types.js";
import type { CampaignStatus } from "../words.js";

/** The members of a view that a test states; the others get values that fit. */
export interface PartialView extends Partial<Omit<CampaignView, "campaign" | "counts" | "lastTransition" | "loading">> {
  /** Members of the record; the others have defaults. */
  readonly campaign?: Partial<CampaignRecord> | null;
  /** Rows by status, per column; a column that is absent has none. */
  readonly counts?: Partial<CampaignView["counts"]>;
  /** Members of the last transition; the others have defaults. */
  readonly lastTransition?: Partial<LastTransition> | null;
  /** Members of the progress; the others are 0. */
  readonly loading?: Partial<NonNullable<CampaignView["loading"]>> | null;
}

const STATUSES: readonly CampaignStatus[] = ["idle", "connecting", "loading", "live", "recovering", "stale", "ended", "failed"];
/** The statuses in which there may be no data yet. */
const WITHOUT_DATA: readonly CampaignStatus[] = ["idle", "connecting", "loading", "failed"];
/** The beginning of 2026: a fixed time, so that two runs of a test render the same. */
const TIME = 1_767_225_600_000;
const TEXT_OF_TIME = "2026-01-01T00:00:00.000Z";

const OBJECT: Rule = [(it) => typeof it === "object" && it !== null, "an object"];
const COUNTS: Rule = [(it) => OBJECT[0](it) && Object.values(it as object).every(COUNT[0]), "an object of whole numbers"];

export const VIEW: Rules<PartialView> = {
  campaignId: ID,
  status: oneOf(...STATUSES),
  staleReason: oneOf("disconnected", "polling", "unproven", "diverged"),
  code: CODE,
  provenAt: orNull([Number.isFinite, "milliseconds since 1970"]),
  position: orNull(OBJECT),
  campaign: orNull(OBJECT),
  totalDomainCount: COUNT,
  domainsCount: COUNT,
  domainsDigest: [(it) => typeof it === "string" && /^[0-9a-f]{16}$/.test(it), "16 hex digits"],
  unconfirmedCount: COUNT,
  counts: OBJECT,
  lastTransition: orNull(OBJECT),
  error: orNull([(it) => OBJECT[0](it) && CODE[0]((it as { code?: unknown }).code), "an object with a code of ERROR_CODES"]),
  loading: orNull(OBJECT),
};

const RECORD_OF_VIEW: CampaignRecord = {
  name: "Campaign", currentPhase: "domain_generation", phaseStatus: "ready",
  totalItems: 0, processedItems: 0, successfulItems: 0, failedItems: 0, progressPercentage: 0,
  createdAt: TEXT_OF_TIME, updatedAt: TEXT_OF_TIME,
};

const TRANSITION: Rules<LastTransition> = {
  previousPhase: RECORD.currentPhase,
  newPhase: RECORD.currentPhase,
  newStatus: RECORD.phaseStatus,
  transitionType: LONG_TEXT,
  triggerReason: LONG_TEXT,
  estimatedDuration: [Number.isFinite, "a number"],
  timestamp: TIMESTAMP,
  sequenceNumber: COUNT,
};
const LOADING = { received: COUNT, total: COUNT, rows: COUNT };
const POSITION = { epoch: LONG_TEXT, sequenceNumber: COUNT, eventId: LONG_TEXT };

/**
 * Returns a view of a campaign, frozen: `live` and with a record, unless `partial` says otherwise. A status decides about
 * the members that are absent: `failed` has a code, `stale` a reason, and before the first state there is no record.
 *
 * Throws `invalid_argument` for a member that is unknown or breaks its type.
 */
export function fakeView(partial: PartialView = {}): CampaignView {
  const { campaign, counts, position, lastTransition = null, loading = null, ...known } = checkedMembers("partial", partial, VIEW);
  const { status = "live", campaignId = "campaign-1", domainsCount = 0 } = known;
  const hasData = campaign == null ? campaign === undefined && !WITHOUT_DATA.includes(status) : true;
  const filled = <T extends object>(name: string, defaults: T, members: Partial<T> | null, rules: Rules<T>): T | null =>
    members && { ...defaults, ...checkedMembers(name, members, rules as Rules<Partial<T>>) };
  const record = filled("campaign", RECORD_OF_VIEW, hasData ? (campaign ?? {}) : null, RECORD);
  const moved: LastTransition = {
    newPhase: record?.currentPhase ?? "domain_generation", newStatus: record?.phaseStatus ?? "ready", transitionType: "manual", timestamp: TEXT_OF_TIME, sequenceNumber: 1,
  };
  const at = { epoch: "test", sequenceNumber: 1, eventId: "test-1" };
  return frozenCopy({
    ...emptyView(campaignId),
    status,
    ...(status === "failed" && { code: "unknown_campaign" as const }),
    ...(status === "stale" && { staleReason: "disconnected" }),
    provenAt: hasData ? TIME : null,
    totalDomainCount: domainsCount,
    ...known,
    position: filled("position", at, position === undefined ? (hasData ? {} : null) : position, POSITION),
    campaign: record,
    counts: { dns: {}, http: {}, lead: {}, ...checkedMembers("counts", counts ?? {}, { dns: COUNTS, http: COUNTS, lead: COUNTS }) },
    lastTransition: filled("lastTransition", moved, lastTransition, TRANSITION),
    loading: filled("loading", { received: 0, total: 0, rows: 0 }, loading, LOADING),
  });
}
