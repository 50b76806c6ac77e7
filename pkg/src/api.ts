/** Everything that `campaign-sync` and `campaign-sync/external` share: all but `init` and `initSync`. */
export { CampaignSync } from "./client.js";
export type { Campaign } from "./campaign.js";
export type { Catalogue, CatalogueOptions } from "./catalogue.js";
export type { ConnectionStatus } from "./connection.js";
export { CampaignSyncError, ERROR_CODES } from "./errors.js";
export type * from "./event-types.js";
export type * from "./metrics.js";
export type { CampaignLike, CampaignListLike, CampaignSyncLike } from "./like.js";
export type { InitInput } from "./module.js";
export type { CampaignsDetail, PageEventMap } from "./page.js";
export { formatPosition, parsePosition, type LogPosition } from "./position.js";
export type { RenewalRequest } from "./renewal.js";
export type * from "./types.js";
export type { WaitOptions } from "./waits.js";
export type * from "./words.js";
