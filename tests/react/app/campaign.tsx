/** One campaign: how fresh it is, where it stands, what can be done, and its rows. */
import type { CampaignRecord, CampaignView, LastTransition } from "campaign-sync";
import { useCampaign, useCampaignAction, useConnection } from "campaign-sync/react";
import { Table } from "./table.js";
import { actionName, freshness, number, phaseName, PHASES, plain, progressOf, stateOf, time } from "./format.js";

export function Campaign({ campaignId }: { campaignId: string }) {
  const view = useCampaign(campaignId, undefined, { throttleMs: 100 });
  const { campaign, counts, domainsCount, unconfirmedCount, lastTransition, loading } = view;
  return (
    <article aria-label="Campaign">
      <Banner view={view} />
      {campaign === null ? (
        <p className="empty">
          {loading === null ? "Nothing has arrived yet." : "Loading"}
          {loading !== null && <progress max={loading.total} value={loading.received} aria-label="Loading" />}
        </p>
      ) : (
        <>
          <header>
            <h1>{campaign.name}</h1>
            <p className="state">{stateOf(campaign)}</p>
            <p className="muted">{`Created at ${time(campaign.createdAt)}`}</p>
            {campaign.errorMessage !== undefined && <p className="problem">{campaign.errorMessage}</p>}
          </header>
          <Phases campaign={campaign} />
          {lastTransition !== null && <Transition transition={lastTransition} />}
          <Actions campaignId={campaignId} />
          <dl className="counts">
            <Count name="Domains" value={domainsCount} />
            <Count name="Resolved" value={counts.dns["resolved"] ?? 0} />
            <Count name="Unresolved" value={counts.dns["unresolved"] ?? 0} />
            <Count name="Answered" value={counts.http["success"] ?? 0} />
            <Count name="Leads" value={counts.lead["match"] ?? 0} />
            {unconfirmedCount > 0 && <Count name="Unconfirmed" value={unconfirmedCount} />}
          </dl>
          <Table campaignId={campaignId} />
        </>
      )}
    </article>
  );
}

function Banner({ view }: { view: CampaignView }) {
  const { state, attempt, retryInMs, hint } = useConnection();
  const { tone, text } = freshness(view);
  const { provenAt, error } = view;
  return (
    <aside className={`banner ${tone}`} role="status">
      <strong>{text}</strong>
      {provenAt !== null && tone !== "good" && <span>{`as of ${time(provenAt)}`}</span>}
      {state === "waiting" && <span>{`attempt ${number(attempt)}, next in ${Math.ceil((retryInMs ?? 0) / 1000)} s`}</span>}
      {hint !== undefined && <span className="muted">{hint}</span>}
      {error !== null && <span className="problem">{plain(error.code)}</span>}
    </aside>
  );
}

function Phases({ campaign }: { campaign: CampaignRecord }) {
  const current = PHASES.findIndex((phase) => phase === campaign.currentPhase);
  return (
    <ol className="phases" aria-label="Phases">
      {PHASES.map((phase, at) => {
        const isDone = at < current || (at === current && campaign.phaseStatus === "completed");
        const progress = isDone ? 100 : at === current ? campaign.progressPercentage : 0;
        return (
          <li key={phase} className={isDone ? "done" : "ahead"} aria-current={at === current ? "step" : undefined}>
            <span>{phaseName(phase)}</span>
            <progress max={100} value={progress} aria-label={`${phaseName(phase)}: progress`} />
            <span className="muted">{at === current ? progressOf(campaign) : isDone ? "done" : "ahead"}</span>
          </li>
        );
      })}
    </ol>
  );
}

function Transition({ transition }: { transition: LastTransition }) {
  const { previousPhase, newPhase, transitionType, triggerReason, estimatedDuration, timestamp } = transition;
  return (
    <p className="muted">
      {previousPhase !== undefined && `${phaseName(previousPhase)} → `}
      {`${phaseName(newPhase)} at `}
      <time dateTime={timestamp}>{time(timestamp)}</time>
      {` (${plain(triggerReason ?? transitionType)})`}
      {estimatedDuration !== undefined && `, expected to take ${number(estimatedDuration)} s`}
    </p>
  );
}

function Actions({ campaignId }: { campaignId: string }) {
  const { run, pending, allowed, error } = useCampaignAction(campaignId);
  return (
    <div className="actions" role="group" aria-label="Actions">
      {allowed.map((action) => (
        <button key={action} type="button" disabled={pending !== null} onClick={() => run(action)}>
          {actionName(action)}
        </button>
      ))}
      {pending !== null && <span className="muted">{`${actionName(pending)}…`}</span>}
      {error !== null && (
        <p className="problem" role="alert">
          {error.message}
        </p>
      )}
    </div>
  );
}

function Count({ name, value }: { name: string; value: number }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{number(value)}</dd>
    </div>
  );
}
