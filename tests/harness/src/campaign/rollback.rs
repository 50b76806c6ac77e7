//! `error_recovery`: rolls a failed phase back.

use campaign_sync::protocol::action::{Action, step_of};
use campaign_sync::protocol::campaign::CampaignRecord;
use campaign_sync::protocol::{Phase, Status};

use super::drafts::ERROR_RECOVERY;
use super::request::{Decision, OperationSpec};
use super::runner::counted;
use super::{Completed, Operation, Refusal, illegal};

/// The name of the transaction.
const TRANSACTION: &str = "Error_Recovery_Transition";

impl Operation<'_> {
    /// Moves a campaign from a phase that is not completed back to the end of the phase before.
    ///
    /// Restores the counters of that earlier phase. They equal the `rollbackData` of the transition out of
    /// it, and are counted from the rows again, because a phase changes only its own columns. Rows stay. If
    /// the phase starts again, it continues with the rows that are not done.
    ///
    /// # Errors
    /// As [`Self::transition`].
    pub fn rollback(self) -> Result<Completed, Refusal> {
        let spec = OperationSpec { name: TRANSACTION, kind: ERROR_RECOVERY, to: &target_state };
        self.decide(&spec, |view| {
            let before = &view.state.record;
            let to = phase_before(before)?;
            let Some(recount) = self.recount(view)? else { return Ok(Decision::Retry) };
            let target = CampaignRecord {
                phase: to,
                status: Status::Completed,
                counters: counted(to, &view.state.settings, &recount.phase_counts),
                total_domain_count: recount.count,
                ..before.clone()
            };
            // The rows can be ahead of the counters of the running phase, because progress events come later.
            // So the counters are not compared; the rollback discards them anyway.
            let agrees = recount.agrees() && before.total_domain_count == recount.count;
            Ok(self.transition_decision(spec.kind, (before, target), &recount, agrees, 0.0))
        })
    }
}

fn target_state(record: &CampaignRecord) -> (Phase, Status) {
    (phase_before(record).unwrap_or(record.phase), Status::Completed)
}

fn phase_before(record: &CampaignRecord) -> Result<Phase, Refusal> {
    let step = step_of(Action::Rollback, record.phase);
    let step = step.filter(|step| step.statuses.contains(&record.status));
    step.map(|step| step.to.0).ok_or_else(|| illegal(record, "an error recovery"))
}
