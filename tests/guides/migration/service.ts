/** The service of the page before the migration: REST answers are kept for 30 seconds. */
export interface Campaign {
  readonly name: string;
  readonly currentPhase: string;
  readonly progressPercentage: number;
}

export interface Domain {
  readonly domainId: string;
  readonly domain: string;
  readonly dnsStatus?: string | null;
}

export interface RichCampaignData {
  readonly campaign: Campaign;
  readonly domains: readonly Domain[];
}

const CACHE_MS = 30_000;
const cache = new Map<string, { data: RichCampaignData; expiry: number }>();
let listening = false;

const get = async (path: string) => (await fetch(`/api/v2${path}`, { cache: "no-store" })).json();

export async function getRichCampaignData(id: string): Promise<RichCampaignData> {
  listen();
  const stored = cache.get(id);
  if (stored !== undefined && Date.now() < stored.expiry) return stored.data;
  const campaign = (await get(`/campaigns/${id}`)) as Campaign;
  const [rows] = await Promise.allSettled([get(`/campaigns/${id}/domains?limit=1000`) as Promise<{ domains: Domain[] }>]);
  const data = { campaign, domains: rows.status === "fulfilled" ? rows.value.domains : [] };
  cache.set(id, { data, expiry: Date.now() + CACHE_MS });
  return data;
}

export function clearRichDataCache(id?: string): void {
  if (id === undefined) cache.clear();
  else cache.delete(id);
}

function listen(): void {
  if (listening) return;
  listening = true;
  for (const name of ["phase_transition", "force_campaign_refresh"]) {
    window.addEventListener(name, (event) => clearRichDataCache((event as CustomEvent<{ campaignId?: string }>).detail.campaignId));
  }
}
