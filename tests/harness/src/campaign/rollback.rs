//! `error_recovery`: a phase that went wrong is taken back.

use campaign_sync::protocol::campaign::CampaignRecord;
use campaign_sync::protocol::{Phase, Status};

use super::drafts::ERROR_RECOVERY;
use super::request::{Decision, OperationSpec};
use super::runner::counted;
use super::{Completed, Operation, PHASES, Refusal, illegal, next};

/// The name of the one transaction that it is.
const TRANSACTION: &str = "Error_Recovery_Transition";

impl Operation<'_> {
    /// Takes a campaign back to the end of the phase before, out of a phase that is not completed.
    ///
    /// What is restored is what the transition out of that phase kept as `rollbackData`, counted anew
    /// from the rows: a phase changes no column but its own. Rows stay, so when the phase is started
    /// once more, it goes on with those that it has not done.
    ///
    /// # Errors
    /// As [`Self::transition`].
    pub fn rollback(self) -> Result<Completed, Refusal> {
        let asked = OperationSpec { name: TRANSACTION, kind: ERROR_RECOVERY, to: &asked_for };
        self.decide(&asked, |view| {
            let before = &view.state.record;
            let to = phase_before(before)?;
            let Some(recount) = self.recount(view)? else { return Ok(Decision::Retry) };
            let target = CampaignRecord {
                phase: to,
                status: Status::Completed,
                counters: counted(to, &view.state.settings, &recount.tally),
                total_domain_count: recount.count,
                ..before.clone()
            };
            // The counters of a phase under way are behind its rows by what no event has told yet, so
            // none of them is compared: they are what is taken back.
            let agrees = recount.agrees() && before.total_domain_count == recount.count;
            Ok(self.weighed(asked.kind, (before, target), &recount, agrees, 0.0))
        })
    }
}

fn asked_for(record: &CampaignRecord) -> (Phase, Status) {
    (phase_before(record).unwrap_or(record.phase), Status::Completed)
}

fn phase_before(record: &CampaignRecord) -> Result<Phase, Refusal> {
    let before = PHASES.into_iter().find(|it| next(*it) == Some(record.phase));
    let before = before.filter(|_| record.status != Status::Completed);
    before.ok_or_else(|| illegal(record, "an error recovery"))
}
