"use client";
/**
 * `campaign-sync/react`: hooks for React 18 and later. They take the client from a provider and import no entry with a
 * module, so they work with the client of any entry, and with a fake.
 *
 * @module campaign-sync/react
 */

export type * from "./like.js";
export { emptyView } from "./react/empty.js";
export { useCampaignAction } from "./react/action.js";
export type { CampaignActionState } from "./react/action.js";
export { useCampaign, useCampaigns, useConnection, useSyncEvent } from "./react/campaign.js";
export type { UseCampaignOptions, UseCampaignsOptions } from "./react/campaign.js";
export { CampaignSyncProvider, useCampaignSync } from "./react/context.js";
export type { CampaignSyncProviderProps, ClientProviderProps, CreatingProviderProps, ProviderProps } from "./react/context.js";
export { useDomains } from "./react/domains.js";
export type { DomainList, DomainListQuery, UseDomainsOptions } from "./react/domains.js";
export type { CampaignSummary, CampaignView, CatalogueView, DomainRow } from "./types.js";
export type { ActionName, CampaignAction } from "./words.js";
