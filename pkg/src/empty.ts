/** The view before any state. */
import { deepFreeze } from "./plain.js";
import type { CampaignView } from "./types.js";
import type { ErrorCode } from "./words.js";

/** Returns the view of a campaign of which nothing is known, frozen. Its status is `idle`, or `failed` with `code`. */
export function emptyView(campaignId: string, code?: ErrorCode): CampaignView {
  return deepFreeze({
    campaignId,
    status: code === undefined ? "idle" : "failed",
    ...(code && { code }),
    provenAt: null,
    position: null,
    campaign: null,
    totalDomainCount: 0,
    domainsCount: 0,
    domainsDigest: "0000000000000000",
    unconfirmedCount: 0,
    counts: { dns: {}, http: {}, lead: {} },
    lastTransition: null,
    error: null,
    loading: null,
  });
}
