// The provider creates the client: components subscribe only after React has rendered again.
import { act, render, screen } from "@testing-library/react";
import { CampaignSync, init } from "campaign-sync";
import { CampaignSyncProvider, useSyncEvent } from "campaign-sync/react";
import { createTestServer } from "campaign-sync/testing";
import { StrictMode, useState } from "react";
import { expect, test, vi } from "vitest";
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

test("components follow the server with faked timers", async () => {
  await init();
  vi.useFakeTimers();
  const server = createTestServer({ act });
  const id = server.create({ rows: 3 });
  const create = () => new CampaignSync({ ...server.options });
  const page = render(<CampaignSyncProvider create={create}><Campaign id={id} /></CampaignSyncProvider>);
  await server.settled();
  server.rows(id, 1);
  await server.settled();
  expect(screen.getByText("domain_generation, 4 domains")).toBeTruthy();
  server.silence();
  await act(() => vi.advanceTimersByTimeAsync(20_000));
  expect(screen.getByRole("status").textContent).toBe("stale");
  server.resume();
  await server.connected();
  expect(screen.getByRole("status").textContent).toBe("live");
  page.unmount();
  server.close();
  vi.useRealTimers();
});
