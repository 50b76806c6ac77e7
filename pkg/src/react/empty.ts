/** The view before any state, for applications. */
import { checked, TEXT, type Rule } from "../check.js";
import { emptyView as viewOf } from "../empty.js";
import { isErrorCode } from "../errors.js";
import type { CampaignView } from "../types.js";
import type { ErrorCode } from "../words.js";

const CODE: Rule = [(it) => it === undefined || isErrorCode(it), "a code of ERROR_CODES"];

/**
 * Returns the view of a campaign of which nothing is known, frozen. Its status is `idle`, or `failed` with `code`. Render
 * it on a server. Throws `invalid_argument` for an id that is not a text, and for an unknown code.
 */
export function emptyView(campaignId: string, code?: ErrorCode): CampaignView {
  return viewOf(checked("campaignId", campaignId, TEXT), checked("code", code, CODE));
}
