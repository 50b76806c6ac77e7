// A page whose server is in the page: it reports the statuses that the client shows.
import { CampaignSync, init } from "campaign-sync";
import { createTestServer } from "campaign-sync/testing";

async function statuses(): Promise<string[]> {
  await init();
  const server = createTestServer();
  const id = server.create({ rows: 3 });
  const sync = new CampaignSync({ ...server.options });
  const campaign = sync.campaign(id);
  const shown: string[] = [];
  const note = (): void => void shown.push(`${campaign.view().status} ${campaign.view().domainsCount}`);
  sync.connect();
  await server.settled();
  note();
  server.rows(id, 2);
  await server.settled();
  note();
  server.drop();
  await server.settled();
  note();
  await server.connected();
  note();
  const answer = await server.fetch(`${server.baseUrl}/campaigns/${id}`);
  shown.push(`${answer.status} ${answer.headers.get("campaign-position")?.split("/")[1]}`);
  sync.close();
  server.close();
  return shown;
}

statuses().then(
  (outcome) => Object.assign(globalThis, { outcome }),
  (error) => Object.assign(globalThis, { outcome: [String(error)] }),
);
