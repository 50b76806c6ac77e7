/** The changes of a campaign of the test server, each as one or more events (docs/PROTOCOL.md, chapter 10). */
import { CampaignSyncError } from "../errors.js";
import { chunked, percentage, ROWS_MAX, type CampaignLog, type Data, type RowPatch, type WireRecord } from "./log.js";
import type { State } from "./state.js";
import { STEPS } from "../steps.js";
import type { CampaignRecord } from "../types.js";
import type { Phase, PhaseStatus } from "../words.js";

/** The circumstances of a change. */
export interface Circumstances {
  /** The reason, for people. */
  readonly reason?: string;
  /** The user who made the change. */
  readonly who?: string | null;
  /** The code with which the server announces that it refused the transition. */
  readonly refused?: "integrity_check_failed" | "prerequisites_not_met";
}

const COUNTERS = ["totalItems", "processedItems", "successfulItems", "failedItems"] as const;

/** Writes the first event of a campaign. */
export function begin(state: State, log: CampaignLog, record: Partial<CampaignRecord>): void {
  const now = new Date().toISOString();
  const campaign: WireRecord = {
    campaignId: log.campaignId, name: log.campaignId, currentPhase: "domain_generation", phaseStatus: "ready",
    totalItems: 0, processedItems: 0, successfulItems: 0, failedItems: 0, progressPercentage: 0, totalDomainCount: 0, createdAt: now, updatedAt: now,
    ...record,
  };
  if (record.progressPercentage === undefined) campaign.progressPercentage = percentage(campaign);
  state.append(log, "campaign.list.update", { action: "create", campaignId: log.campaignId, campaign, settings: log.settings });
}

/** Creates or changes rows. */
export function changeRows(state: State, log: CampaignLog, rows: readonly RowPatch[]): void {
  const { campaignId } = log;
  for (const domains of chunked(rows, ROWS_MAX)) state.append(log, "domains.updated", { campaignId, domains });
}

/** Removes rows. */
export function removeRows(state: State, log: CampaignLog, ids: readonly string[]): void {
  const { campaignId } = log;
  for (const rows of chunked(ids.map((domainId) => ({ domainId })), ROWS_MAX)) {
    state.append(log, "domains.removed", { campaignId, domainIds: rows.map(({ domainId }) => domainId) });
  }
}

/** Changes the record: by the event that a server uses for what changes. */
export function patchRecord(state: State, log: CampaignLog, change: Partial<CampaignRecord>, circumstances: Circumstances = {}): void {
  const { campaignId, record } = log;
  const { currentPhase = record.currentPhase, phaseStatus = record.phaseStatus, errorMessage, ...rest } = change;
  const names = Object.keys(rest);
  if (Object.keys(change).length === 0) return;
  if (currentPhase !== record.currentPhase) return moveTo(state, log, { ...record, ...change, currentPhase, phaseStatus }, "manual", circumstances);
  const counters = { ...record, ...rest };
  const progressPercent = change.progressPercentage ?? percentage(counters);
  const isProgress = names.length > 0 && errorMessage === undefined && names.every((name) => name === "progressPercentage" || COUNTERS.some((it) => it === name));
  // The event of a status carries the message of a failure only.
  if (names.length === 0 && (errorMessage === undefined || phaseStatus === "failed")) {
    const message = errorMessage === undefined ? {} : { message: errorMessage };
    return state.append(log, "campaign.status", { campaignId, currentPhase, phaseStatus, ...message });
  }
  if (isProgress) {
    const { totalItems, processedItems, successfulItems, failedItems } = counters;
    return state.append(log, "campaign.progress", { campaignId, totalItems, processedItems, successfulItems, failedItems, progressPercent, currentPhase, phaseStatus });
  }
  const { errorMessage: former, ...kept } = record;
  const message = errorMessage ?? (phaseStatus === "failed" ? former : undefined);
  const campaign = { ...kept, ...rest, phaseStatus, progressPercentage: progressPercent, updatedAt: new Date().toISOString(), ...(message !== undefined && { errorMessage: message }) };
  state.append(log, "campaign.list.update", { action: "update", campaignId, campaign });
}

/** Takes a step of the phase machine (docs/PHASES.md). Throws `illegal_transition` if the state does not allow it. */
export function takeStep(state: State, log: CampaignLog, action: string, circumstances: Circumstances): void {
  const { record } = log;
  const step = STEPS.find(([name, phase, statuses]) => name === action && phase === record.currentPhase && statuses.some((it) => it === record.phaseStatus));
  if (step === undefined) {
    const message = `The action ${action} is not possible in ${record.currentPhase}/${record.phaseStatus}.`;
    throw new CampaignSyncError("illegal_transition", { message });
  }
  const [, , , newPhase, newStatus] = step;
  if (newPhase === record.currentPhase && circumstances.refused === undefined) {
    note(log, action, { newPhase, newStatus }, "manual", circumstances, "ok");
    return state.append(log, "campaign.status", { campaignId: log.campaignId, currentPhase: newPhase, phaseStatus: newStatus });
  }
  if (action === "rollback") return rollBack(state, log, newPhase, newStatus, circumstances);
  const counters = { totalItems: log.rows.size, processedItems: 0, successfulItems: 0, failedItems: 0, progressPercentage: 0 };
  const { errorMessage: _, ...kept } = record;
  moveTo(state, log, { ...kept, ...counters, currentPhase: newPhase, phaseStatus: newStatus }, "manual", circumstances);
}

/** Goes back to the end of the phase before, with the counters that it had there. */
function rollBack(state: State, log: CampaignLog, newPhase: Phase, newStatus: PhaseStatus, circumstances: Circumstances): void {
  const { record } = log;
  const before = log.undo.filter(({ currentPhase }) => currentPhase === newPhase).at(-1);
  const total = { totalItems: log.rows.size, processedItems: log.rows.size, successfulItems: log.rows.size, failedItems: 0 };
  const target = { ...record, ...total, ...before, name: record.name, currentPhase: newPhase, phaseStatus: newStatus, totalDomainCount: log.rows.size };
  moveTo(state, log, { ...target, progressPercentage: percentage(target) }, "error_recovery", circumstances);
}

/** Publishes a transition, or that it was refused. */
function moveTo(state: State, log: CampaignLog, target: WireRecord, transitionType: string, circumstances: Circumstances): void {
  const { campaignId, record } = log;
  const { refused, reason = "requested" } = circumstances;
  const after = refused === undefined ? { ...target, updatedAt: new Date().toISOString() } : record;
  const back = transitionType === "error_recovery" ? after : record;
  const { totalItems, processedItems, successfulItems, failedItems } = back;
  const [newPhase, newStatus] = [target.currentPhase, target.phaseStatus];
  if (refused === undefined && transitionType !== "error_recovery") log.undo.push(record);
  const result = refused ?? "ok";
  const from = `${record.currentPhase}/${record.phaseStatus}`;
  state.append(log, "campaign.phase.transition", {
    campaignId, previousPhase: record.currentPhase, newPhase, newStatus, transitionType, triggerReason: reason,
    prerequisitesMet: refused !== "prerequisites_not_met", dataIntegrityCheck: refused !== "integrity_check_failed",
    domainsCount: log.rows.size, processedCount: after.processedItems, successfulCount: after.successfulItems, failedItems: after.failedItems,
    estimatedDuration: 1, transitionMetadata: {},
    rollbackData: {
      phase: back.currentPhase, status: back.phaseStatus, counters: { totalItems, processedItems, successfulItems, failedItems },
      totalDomainCount: back.totalDomainCount,
    },
    campaign: after, domainsDigest: log.digest,
  });
  note(log, "phase_transition", { newPhase, newStatus }, transitionType, circumstances, result, from);
}

function note(log: CampaignLog, name: string, to: { newPhase: string; newStatus: string }, type: string, circumstances: Circumstances, result: string, from?: string): void {
  const { record } = log;
  log.trail.push({
    name, who: circumstances.who ?? "anonymous", timestamp: new Date().toISOString(), from: from ?? `${record.currentPhase}/${record.phaseStatus}`,
    to: `${to.newPhase}/${to.newStatus}`, type, reason: circumstances.reason ?? "requested", result,
    eventId: log.lastEventId, sequenceNumber: log.head,
  });
}

/** Ends a campaign. Its log stays for the clients that follow it. */
export function remove(state: State, log: CampaignLog): void {
  state.append(log, "campaign.deleted", { campaignId: log.campaignId } satisfies Data);
}
