/** The hook of writes: they go over REST, and come back through the stream. */
import { useCallback, useRef, useState } from "react";
import { CampaignSyncError } from "../errors.js";
import type { ActionContext } from "../like.js";
import type { LogPosition } from "../position.js";
import { asFailure, useProvided } from "./context.js";
import { useCampaign, useHeldCampaign } from "./campaign.js";
import type { CampaignView } from "../types.js";
import type { ActionName } from "../words.js";

/** The actions on a campaign. */
export interface CampaignActionState {
  /**
   * Performs an action, and resolves when the view shows its effect: `true` if the server accepted it. It never rejects.
   * While an action is pending it does nothing.
   */
  readonly run: (action: ActionName) => Promise<boolean>;
  /** The action that was sent, until the view shows its effect. */
  readonly pending: ActionName | null;
  /** The actions that the present state allows; the same list until it changes. */
  readonly allowed: readonly ActionName[];
  /** Why the last action failed; `null` after the next `run`. */
  readonly error: CampaignSyncError | null;
}

/** Longest wait for the view to show an action that the server accepted, in milliseconds. */
const SHOWN_MS = 10_000;

interface Progress {
  readonly campaignId: string | null | undefined;
  readonly pending: ActionName | null;
  readonly error: CampaignSyncError | null;
}

const NO_PROGRESS = { pending: null, error: null };
const NO_ACTIONS: readonly ActionName[] = Object.freeze([]);

/** The position of an action that the server accepted and that was not shown in time. Throws any other error again. */
function positionOf(error: unknown): LogPosition {
  const { position } = Object((error as { cause?: unknown } | undefined)?.cause) as { position?: LogPosition };
  if (position === undefined || !(error instanceof CampaignSyncError && error.code === "timed_out")) throw error;
  return position;
}

/** Performs actions on a campaign with the `actions` of the provider. Throws `not_configured` without a provider. */
export function useCampaignAction(campaignId: string | null | undefined): CampaignActionState {
  const { actions } = useProvided();
  const held = useHeldCampaign(campaignId);
  const allowed = useCampaign(
    campaignId,
    useCallback(({ campaign }: CampaignView) => (campaign && actions?.allowedActions(campaign)) ?? NO_ACTIONS, [actions]),
  );
  const [progress, setProgress] = useState<Progress>({ campaignId, pending: null, error: null });
  const sent = useRef<Progress | undefined>(undefined);
  const { pending, error } = progress.campaignId === campaignId ? progress : NO_PROGRESS;

  const run = useCallback(
    async (action: ActionName): Promise<boolean> => {
      if (sent.current !== undefined && sent.current.campaignId === campaignId) return false;
      const request: Progress = { campaignId, pending: action, error: null };
      sent.current = request;
      setProgress(request);
      const failure = await perform(action).then(() => null, (reason: unknown) => asFailure(reason, "fetch_failed"));
      // The component may show another campaign by now.
      if (sent.current === request) {
        sent.current = undefined;
        setProgress({ campaignId, pending: null, error: failure });
      }
      return failure === null;

      async function perform(name: ActionName): Promise<void> {
        const { handle, code } = held;
        if (actions === undefined) throw new CampaignSyncError("not_configured", { message: "Give `actions` to <CampaignSyncProvider>." });
        if (typeof campaignId !== "string" || handle === undefined) throw new CampaignSyncError(code ?? "invalid_campaign_id");
        const { campaign } = handle.view();
        const context: ActionContext = campaign === null ? {} : { expectedState: `${campaign.currentPhase}/${campaign.phaseStatus}` };
        // A function without types may return something other than a promise.
        const result = await Promise.resolve(actions.act(campaignId, name, context)).catch(positionOf);
        const position = typeof result === "object" && result !== null && "position" in result ? result.position : result;
        // The server accepted the action, whether or not the view shows it in time.
        if (position) await handle.reached(position, { timeoutMs: SHOWN_MS }).catch(() => {});
      }
    },
    [actions, campaignId, held],
  );
  return { run, pending, allowed, error };
}
