// Calls each hook with any arguments, in a document of jsdom.
import { act, Component, createElement, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import * as hooks from "campaign-sync/react";
import { fakeCampaignSync } from "campaign-sync/testing";

type Call = () => unknown;

class Boundary extends Component<{ children: ReactNode; onError: (error: unknown) => void }> {
  override state = { failed: false };
  static getDerivedStateFromError = () => ({ failed: true });
  override componentDidCatch(error: unknown) {
    this.props.onError(error);
  }
  override render() {
    return this.state.failed ? null : this.props.children;
  }
}

export const { emptyView } = hooks;

/** The hooks by their names, and the provider. */
export const { useCampaign, useCampaigns, useCampaignAction, useDomains, useSyncEvent, CampaignSyncProvider } = hooks;

export const fake = () => fakeCampaignSync({ views: [{ campaignId: "text" }], rows: { text: 3 } });

/**
 * Renders a component that makes the call, and returns what it threw, or what it returned in its last render. `use` gets
 * the result before the component is removed.
 */
export async function rendered(call: Call, properties: object = { sync: fake() }, use?: (result: never) => Promise<void>) {
  let [error, result]: unknown[] = [];
  const Caller = () => {
    result = call();
    return null;
  };
  const root = createRoot(document.createElement("div"), { onCaughtError: () => {} } as object);
  const provider = createElement(hooks.CampaignSyncProvider, properties as hooks.CampaignSyncProviderProps, createElement(Caller));
  // Twice, because a hook compares its arguments with those of the last render.
  for (let render = 0; render < 2; render++) {
    await act(async () => root.render(createElement(Boundary, { onError: (it) => (error = it), children: provider })));
  }
  if (use !== undefined) await act(() => use(result as never));
  await act(async () => root.unmount());
  return { error, result };
}
