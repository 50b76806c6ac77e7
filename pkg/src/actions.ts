/** The phase machine, as the reference server decides by it. */
import { checked, checkedMembers, TEXT, type Rule, type Rules } from "./check.js";
import { STEPS } from "./steps.js";
import type { CampaignAction, Phase, PhaseStatus } from "./words.js";

/** The part of a record that decides. A record of a view and a record of a REST answer have it. */
export interface PhaseState {
  /** The phase. */
  readonly currentPhase: Phase;
  /** The status within the phase. */
  readonly phaseStatus: PhaseStatus;
}

/**
 * Returns the actions that are possible in the state of a record, in the order of docs/PHASES.md. The server may still
 * refuse one of them, with `prerequisites_not_met` or because the state has changed. Returns an empty list for a phase
 * or a status that the table does not have. Throws `invalid_argument` if one of them is not a string.
 */
export function allowedActions(record: PhaseState): readonly CampaignAction[] {
  const { currentPhase, phaseStatus } = checkedMembers("record", record, RULES, true);
  checked("record.currentPhase", currentPhase, TEXT);
  checked("record.phaseStatus", phaseStatus, TEXT);
  return STEPS.filter(([, phase, statuses]) => phase === currentPhase && statuses.some((status) => status === phaseStatus)).map(([action]) => action);
}

const RULES: Rules<PhaseState> = { currentPhase: TEXT, phaseStatus: TEXT };

/** The rule for an action. */
export const ACTION: Rule = [(it) => STEPS.some(([action]) => action === it), "an action of docs/PHASES.md"];
