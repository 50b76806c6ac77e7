//! The events that the server writes.

use campaign_sync::protocol::campaign::{CampaignRecord, PhaseCounters};
use campaign_sync::protocol::{CampaignId, Phase, Status};
use serde_json::{Value, json};

use crate::clock::Moment;
use crate::log::compose::TRANSITION;
use crate::log::state::{counters_json, record_json};
use crate::log::{Draft, Recount, Settings};

/// A draft of an event of this type.
pub fn draft(now: Moment, kind: &'static str, data: &Value) -> Draft {
    Draft {
        kind,
        timestamp: now.timestamp(),
        data: data.to_string(),
        audit_entry: None,
        counted: None,
        owner: None,
    }
}

/// The first event of every campaign (`create`), and a change of its settings (`update`).
pub fn record(
    now: Moment,
    campaign: &CampaignId,
    action: &str,
    record: &CampaignRecord,
    settings: &Settings,
) -> Draft {
    let data = json!({
        "action": action,
        "campaignId": campaign.as_str(),
        "campaign": record_json(campaign.as_str(), record),
        "settings": settings.published(),
    });
    Draft { owner: Some(settings.owner.clone()), ..draft(now, "campaign.list.update", &data) }
}

/// The last event of a campaign.
pub fn deleted(now: Moment, campaign: &CampaignId) -> Draft {
    draft(now, "campaign.deleted", &json!({"campaignId": campaign.as_str()}))
}

/// A change of the status within a phase.
pub fn status(now: Moment, campaign: &CampaignId, phase: Phase, status: Status) -> Draft {
    let data = json!({
        "campaignId": campaign.as_str(),
        "currentPhase": phase.as_str(),
        "phaseStatus": status.as_str(),
    });
    draft(now, "campaign.status", &data)
}

/// The counters of the running phase.
pub fn progress(
    now: Moment,
    campaign: &CampaignId,
    phase: Phase,
    counters: &PhaseCounters,
) -> Draft {
    let mut data = counters_json(counters);
    data["campaignId"] = json!(campaign.as_str());
    data["progressPercent"] = json!(counters.progress_percentage);
    data["currentPhase"] = json!(phase.as_str());
    data["phaseStatus"] = json!(Status::InProgress.as_str());
    draft(now, "campaign.progress", &data)
}

/// The type of a transition that rolls a phase back.
pub const ERROR_RECOVERY: &str = "error_recovery";

/// A decided phase transition.
#[derive(Clone, Debug)]
pub struct Transition<'a> {
    /// `manual`, `automatic` or `error_recovery`.
    pub kind: &'static str,
    /// The campaign before the transition.
    pub before: &'a CampaignRecord,
    /// The requested state of the campaign.
    pub target: &'a CampaignRecord,
    /// The recounted rows, with their digest.
    pub recount: &'a Recount,
    /// Whether the recount agrees with the campaign's counters and digest.
    pub agrees: bool,
    /// The reason, for people.
    pub reason: &'a str,
    /// The estimated duration of the phase, in seconds.
    pub estimated_seconds: f64,
}

/// A `campaign.phase.transition`: all fifteen fields, and the members that make it a checkpoint.
pub fn transition(now: Moment, campaign: &CampaignId, it: &Transition<'_>) -> Draft {
    let after = if it.agrees { it.target } else { it.before };
    // The state for a rollback: the campaign before the transition. For an error recovery: the campaign after
    // it.
    let rollback = if it.kind == ERROR_RECOVERY { after } else { it.before };
    let data = json!({
        "campaignId": campaign.as_str(),
        "previousPhase": it.before.phase.as_str(),
        "newPhase": it.target.phase.as_str(),
        "newStatus": it.target.status.as_str(),
        "transitionType": it.kind,
        "triggerReason": it.reason,
        "prerequisitesMet": true,
        "dataIntegrityCheck": it.agrees,
        "domainsCount": it.recount.head.domains_count,
        "processedCount": after.counters.processed_items,
        "successfulCount": after.counters.successful_items,
        "failedItems": after.counters.failed_items,
        "estimatedDuration": it.estimated_seconds,
        "transitionMetadata": {
            "countedRows": it.recount.count,
            "countedDigest": it.recount.digest.to_string(),
            "resolved": it.recount.phase_counts.resolved,
            "fetched": it.recount.phase_counts.fetched,
        },
        "rollbackData": {
            "phase": rollback.phase.as_str(),
            "status": rollback.status.as_str(),
            "counters": counters_json(&rollback.counters),
            "totalDomainCount": rollback.total_domain_count,
        },
        "campaign": record_json(campaign.as_str(), after),
        "domainsDigest": it.recount.head.domains_digest.to_string(),
    });
    Draft { counted: Some(it.recount.clone()), ..draft(now, TRANSITION, &data) }
}
