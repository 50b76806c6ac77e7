/** Views for components that are tested without a client: each member is valid by the types. */
import { COUNT, oneOf, orNull, type Rule, type Rules } from "./check.js";
import { emptyView } from "./empty.js";
import { frozenCopy } from "./plain.js";
import { CODE, ID, knownMembers, LONG_TEXT, RECORD } from "./testing-check.js";
import type { CampaignRecord, CampaignStatus, CampaignView } from "./types.js";

/** The members of a view that a test states; the others get values that fit. */
export interface PartialView extends Partial<Omit<CampaignView, "campaign" | "counts">> {
  /** Members of the record; the others have defaults. */
  readonly campaign?: Partial<CampaignRecord> | null;
  /** Rows by status, per column; a column that is absent has none. */
  readonly counts?: Partial<CampaignView["counts"]>;
}

const STATUSES: readonly CampaignStatus[] = ["idle", "connecting", "loading", "live", "recovering", "stale", "ended", "failed"];
/** The statuses in which there may be no data yet. */
const WITHOUT_DATA: readonly CampaignStatus[] = ["idle", "connecting", "loading", "failed"];
/** The beginning of 2026: a fixed time, so that two runs of a test render the same. */
const TIME = 1_767_225_600_000;

const OBJECT: Rule = [(it) => typeof it === "object" && it !== null, "an object"];
const COUNTS: Rule = [(it) => OBJECT[0](it) && Object.values(it as object).every(COUNT[0]), "an object of whole numbers"];

const VIEW: Rules<PartialView> = {
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
  createdAt: new Date(TIME).toISOString(), updatedAt: new Date(TIME).toISOString(),
};

/**
 * Returns a view of a campaign, frozen: `live` and with a record, unless `partial` says otherwise. A status decides about
 * the members that are absent: `failed` has a code, `stale` a reason, and before the first state there is no record.
 *
 * Throws `invalid_argument` for a member that is unknown or breaks its type.
 */
export function fakeView(partial: PartialView = {}): CampaignView {
  const { campaign, counts, position, ...known } = knownMembers("partial", partial, VIEW);
  const { status = "live", campaignId = "campaign-1", domainsCount = 0 } = known;
  const record = campaign ?? (campaign === null || WITHOUT_DATA.includes(status) ? null : {});
  const hasData = record !== null;
  return frozenCopy({
    ...emptyView(campaignId),
    status,
    ...(status === "failed" && { code: "unknown_campaign" as const }),
    ...(status === "stale" && { staleReason: "disconnected" }),
    provenAt: hasData ? TIME : null,
    totalDomainCount: domainsCount,
    ...known,
    position: position === undefined ? (hasData ? positionOf() : null) : position && checkedPosition(position),
    campaign: record && { ...RECORD_OF_VIEW, ...knownMembers("campaign", record, RECORD as Rules<Partial<CampaignRecord>>) },
    counts: { dns: {}, http: {}, lead: {}, ...knownMembers("counts", counts ?? {}, { dns: COUNTS, http: COUNTS, lead: COUNTS }) },
  });
}

function positionOf(): NonNullable<CampaignView["position"]> {
  return { epoch: "test", sequenceNumber: 1, eventId: "test-1" };
}

function checkedPosition(position: NonNullable<CampaignView["position"]>): NonNullable<CampaignView["position"]> {
  return { ...positionOf(), ...knownMembers("position", position, { epoch: LONG_TEXT, sequenceNumber: COUNT, eventId: LONG_TEXT }) };
}
