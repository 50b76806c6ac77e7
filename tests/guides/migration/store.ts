/** The store of the page before the migration. */
import { create } from "zustand";
import { getRichCampaignData } from "./service";
import type { Message } from "./socket";

interface Campaign {
  readonly name: string;
  readonly currentPhase: string;
  readonly progressPercentage: number;
}

interface Domain {
  readonly domainId: string;
  readonly domain: string;
  readonly dnsStatus?: string | null;
}

interface CampaignDetails {
  campaign: Campaign | null;
  error: string | null;
  generatedDomains: readonly Domain[];
  dnsCampaignItems: readonly Domain[];
  load(id: string): Promise<void>;
  updateFromWebSocket(message: Message): void;
  reset(): void;
}

const INITIAL = { campaign: null, error: null, generatedDomains: [], dnsCampaignItems: [] };

export const useCampaignDetailsStore = create<CampaignDetails>((set) => ({
  ...INITIAL,
  async load(id) {
    const { campaign, domains } = await getRichCampaignData(id);
    set({ campaign, generatedDomains: domains, dnsCampaignItems: domains.filter((it) => it.dnsStatus), error: null });
  },
  // There is no branch for a transition.
  updateFromWebSocket({ type, data }) {
    set(({ campaign, generatedDomains }) => {
      if (campaign === null) return {};
      if (type === "campaign.progress") return { campaign: { ...campaign, progressPercentage: Number(data.progressPercent) } };
      if (type === "domain.generated") return { generatedDomains: [...generatedDomains, data as unknown as Domain] };
      return {};
    });
  },
  reset: () => set(INITIAL),
}));
