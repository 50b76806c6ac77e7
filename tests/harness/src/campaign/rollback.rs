//! `error_recovery`: a phase that went wrong is taken back.

use campaign_sync::protocol::campaign::CampaignRecord;
use campaign_sync::protocol::{CampaignId, Phase, Status};

use super::request::{Asked, Decision, decide};
use super::runner::counted;
use super::{Done, Order, Refusal, accepted_if, drafts, illegal, journal_transition};
use crate::clock::Moment;
use crate::hub::Hub;
use crate::log::LogError;

/// The name of the one transaction that it is.
const TRANSACTION: &str = "Error_Recovery_Transition";

/// The type of such transitions.
const KIND: &str = "error_recovery";

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
    let asked = Asked { name: TRANSACTION, kind: KIND, to: &asked_for };
    decide(hub, now, campaign, (order, &asked), |view| {
        let before = &view.stand.record;
        order.expects(before)?;
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
                kind: KIND,
                before,
                after: &after,
                rollback: &after,
                to,
                status: Status::Completed,
                recount: &recount,
                agrees,
                reason: order.reason.as_deref().unwrap_or("requested"),
                estimated_seconds: 0.0,
            },
        );
        Ok(accepted_if(hub, agrees, draft))
    })
    .inspect(|done| journal_transition(TRANSACTION, done))
}

fn asked_for(record: &CampaignRecord) -> (Phase, Status) {
    (phase_before(record).unwrap_or(record.phase), Status::Completed)
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
