/** The application of every consumer: it follows one campaign until it is live and has rows. */
import { CampaignSync, init } from "campaign-sync";

const client = ({ url, WebSocket }) => new CampaignSync({ url, target: null, ...(WebSocket && { WebSocket }) });

export async function follow({ campaignId, create = client, ...options }) {
  await init();
  const sync = create(options);
  const campaign = sync.campaign(campaignId);
  sync.connect();
  let timer;
  try {
    return await new Promise((resolve, reject) => {
      const check = () => {
        const { status, code, campaign: record } = campaign.view();
        const { total } = campaign.domains({ limit: 1 });
        if (status === "failed") reject(new Error(`failed: ${code}`));
        if (status === "live" && total > 0) resolve({ status, rows: total, phase: record.currentPhase });
      };
      campaign.subscribe(check);
      timer = setTimeout(() => reject(new Error(`not live in time: ${JSON.stringify(sync.connection)}`)), 20_000);
    });
  } finally {
    clearTimeout(timer);
    sync.close();
  }
}
