/**
 * Everything that this application sends over REST, by plain `fetch`. `campaign-sync/rest` takes the place of this module:
 * the other files use only the names that it exports.
 */
import { CampaignSyncError, type CampaignRecord, type ErrorCode } from "campaign-sync";
import type { ActionContext, CampaignActions } from "campaign-sync/react";

async function request(method: string, path: string, body?: object): Promise<Response> {
  const headers = { "content-type": "application/json", "idempotency-key": crypto.randomUUID() };
  const answer = await fetch(`/api/v2${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  if (answer.ok) return answer;
  const { error } = (await answer.json()) as { error: { code: ErrorCode; message: string } };
  throw new CampaignSyncError(error.code, { message: error.message });
}

export const rest = {
  login: async (user: string, password: string): Promise<void> => void (await request("POST", "/auth/login", { user, password })),
  logout: async (): Promise<void> => void (await request("POST", "/auth/logout", {})),
  async create(campaign: { name: string; count: number; rate?: number }): Promise<string> {
    const answer = (await (await request("POST", "/campaigns", campaign)).json()) as { campaign: { campaignId: string } };
    return answer.campaign.campaignId;
  },
};

/** The two actions of each phase: one starts it, the other configures the next phase. */
const PHASES: Record<string, [start: string, next?: string]> = {
  domain_generation: ["start", "configure-dns"],
  dns_validation: ["validate-dns", "configure-http"],
  http_keyword_validation: ["validate-http", "configure-analysis"],
  analysis: ["analyze"],
};

export const actions: CampaignActions = {
  async act(campaignId, action, { expectedState }: ActionContext) {
    const answer = await request("POST", `/campaigns/${campaignId}/${action}`, { expectedState });
    return answer.headers.get("campaign-position");
  },
  allowedActions({ currentPhase, phaseStatus }: CampaignRecord) {
    const [start, next] = PHASES[currentPhase] ?? [];
    if (phaseStatus === "in_progress") return ["pause"];
    const allowed = phaseStatus === "completed" ? [next] : phaseStatus === "paused" ? ["resume"] : [start];
    return allowed.filter((it) => it !== undefined);
  },
};
