//! `error_recovery`: a phase that went wrong is taken back.

use campaign_sync::protocol::campaign::CampaignRecord;
use campaign_sync::protocol::{CampaignId, Phase, Status};

use super::runner::counted;
use super::{
    Decision, Done, Order, Refusal, decide, drafts, expected, illegal, journal_transition,
};
use crate::clock::Moment;
use crate::hub::Hub;
use crate::log::LogError;

/// The name of the one transaction that it is.
const TRANSACTION: &str = "Error_Recovery_Transition";

/// Takes a campaign back to the end of the phase before, out of a phase that is not completed.
///
/// What is restored is what the transition out of that phase kept as `rollbackData`, counted anew
/// from the rows: a phase changes no column but its own. Rows stay, so when the phase is started
/// once more, it goes on with those that it has not done.
///
/// # Errors
/// As [`super::transition`].
pub fn rollback(
    hub: &Hub,
    now: Moment,
    campaign: &CampaignId,
    order: &Order,
) -> Result<Done, Refusal> {
    decide(hub, campaign, |view| {
        let before = &view.stand.record;
        expected(before, order)?;
        let to = phase_before(before)?;
        let recount = hub.log().recount(campaign)?.ok_or(LogError::UnknownCampaign)?;
        if recount.head.number != view.head.number {
            return Ok(Decision::Again);
        }
        let agrees = recount.agrees();
        let mut after = before.clone();
        if agrees {
            after.phase = to;
            after.status = Status::Completed;
            after.counters = counted(to, &view.stand.settings, &recount.tally);
            after.total_domain_count = recount.count;
            after.updated_at = now.timestamp();
            after.error_message = None;
        }
        let draft = drafts::transition(
            now,
            campaign,
            &drafts::Transition {
                kind: "error_recovery",
                before,
                after: &after,
                rollback: &after,
                to,
                status: Status::Completed,
                recount: &recount,
                agrees,
                reason: order.reason.as_deref().unwrap_or("requested"),
                estimated_seconds: 0.0,
                transaction: agrees.then_some(TRANSACTION),
            },
        );
        Ok(Decision::Append { drafts: vec![draft], refused: !agrees })
    })
    .inspect(|done| journal_transition(TRANSACTION, campaign, done))
}

fn phase_before(record: &CampaignRecord) -> Result<Phase, Refusal> {
    match (record.phase, record.status) {
        (_, Status::Completed) => Err(illegal(record, "an error recovery")),
        (Phase::DnsValidation, _) => Ok(Phase::DomainGeneration),
        (Phase::HttpKeywordValidation, _) => Ok(Phase::DnsValidation),
        (Phase::Analysis, _) => Ok(Phase::HttpKeywordValidation),
        _ => Err(illegal(record, "an error recovery")),
    }
}
