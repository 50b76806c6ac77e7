// The provider refuses values that are not clients. When it is shown again, nothing of the former client remains.
import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { CampaignSync, init } from "campaign-sync";
import { CampaignSyncProvider, useCampaign, useCampaignAction, useSyncEvent } from "campaign-sync/react";
import { RestClient } from "campaign-sync/rest";
import { createTestServer, fakeCampaignSync } from "campaign-sync/testing";
import { Activity, useEffect, useState, type ComponentType } from "react";
import { afterEach, expect, test, vi } from "vitest";

afterEach(cleanup);

test("provider and hooks refuse slips with a code", async () => {
  const error = vi.spyOn(console, "error").mockImplementation(() => {});
  const Provider = CampaignSyncProvider as ComponentType<any>;
  const sync = fakeCampaignSync({ views: [{ campaignId: "c" }] });
  const create = vi.fn(() => sync);
  const Select = () => (useCampaign("c", "status" as never), null);
  const Listen = () => (useSyncEvent("gap", 7 as never), null);
  const refused = [
    <Provider />, <Provider sync={null} />, <Provider sync={{}} />, <Provider sync={Promise.resolve(sync)} />, <Provider create="x" />,
    <Provider sync={sync} create={create} />, <Provider sync={sync} actions={{}} />, <Provider sync={sync}><Select /></Provider>, <Provider sync={sync}><Listen /></Provider>,
  ];
  for (const element of refused) expect(() => render(element)).toThrow(expect.objectContaining({ code: "invalid_argument" }));
  expect(create).not.toHaveBeenCalled();
  const Code = () => useCampaign("c").code;
  const reported = vi.fn((event: Event) => event.preventDefault());
  window.addEventListener("error", reported);
  const page = render(<Provider create={async () => 7}><Code /></Provider>);
  await act(async () => {});
  expect(page.container.textContent).toBe("invalid_argument");
  page.unmount();
  window.removeEventListener("error", reported);
  error.mockRestore();
});

test("provider that is shown again never shows its closed client", async () => {
  await init();
  const server = createTestServer({ act });
  const id = server.create();
  const seen: string[] = [];
  const Status = () => {
    const { status, code } = useCampaign(id);
    useEffect(() => void seen.push(code ?? status));
    return null;
  };
  const create = () => new CampaignSync({ ...server.options });
  const page = (mode: "visible" | "hidden") => <Activity mode={mode}><CampaignSyncProvider create={create}><Status /></CampaignSyncProvider></Activity>;
  const { rerender, unmount } = render(page("visible"));
  await server.settled();
  await act(async () => rerender(page("hidden")));
  seen.length = 0;
  await act(async () => rerender(page("visible")));
  await server.settled();
  expect(seen.at(-1)).toBe("live");
  expect(seen).not.toContain("closed");
  unmount();
  server.close();
});

test("accepted action is not a failure, although the page is behind", async () => {
  await init();
  const server = createTestServer({ act });
  const id = server.create();
  const sync = new CampaignSync({ ...server.options });
  const actions = new RestClient({ ...server.rest, sync, timeoutMs: 100 });
  const Start = () => {
    const { run, error } = useCampaignAction(id);
    const [outcome, setOutcome] = useState("");
    return <button onClick={async () => setOutcome(String(await run("start")))}>{`${outcome} ${error?.code ?? "ok"}`}</button>;
  };
  sync.connect();
  render(<CampaignSyncProvider sync={sync} actions={actions}><Start /></CampaignSyncProvider>);
  await server.settled();
  server.hold();
  server.lose();
  fireEvent.click(screen.getByRole("button"));
  await act(() => new Promise((resolve) => setTimeout(resolve, 200)));
  server.resume();
  await act(() => vi.waitFor(() => expect(screen.getByRole("button").textContent).toBe("true ok"), { timeout: 15_000 }));
  sync.close();
  server.close();
});
