// The provider creates the client: components subscribe only after React has rendered again.
import { act, render, screen } from "@testing-library/react";
import { CampaignSync, init } from "campaign-sync";
import { CampaignSyncProvider, useSyncEvent } from "campaign-sync/react";
import { createTestServer } from "campaign-sync/testing";
import { StrictMode, useState } from "react";
import { expect, test } from "vitest";
import { Campaign } from "./campaign";

function Statuses() {
  const [statuses, setStatuses] = useState<string[]>([]);
  useSyncEvent("statuschange", ({ detail }) => setStatuses((before) => [...before, detail.status]));
  return <p data-testid="statuses">{statuses.join()}</p>;
}

test("one wait is enough for a provider that creates its client", async () => {
  await init();
  const server = createTestServer({ act });
  const id = server.create({ name: "Spring", rows: 3 });
  const create = () => new CampaignSync({ ...server.options });
  const page = render(<StrictMode><CampaignSyncProvider create={create}><Campaign id={id} /><Statuses /></CampaignSyncProvider></StrictMode>);
  await server.settled();
  expect(screen.getByRole("status").textContent).toBe("live");
  expect(screen.getByTestId("statuses").textContent).toMatch(/live$/);
  page.unmount();
  await server.settled();
  server.close();
});
