//! The small world's truth: two logs, event by event, and the state that a page must show after each
//! event.
//!
//! The states are written down, not computed. No code here folds events, so no code here can fold them
//! incorrectly.

use std::sync::LazyLock;

use campaign_sync::protocol::digest::{RowFields, RowHasher};
use campaign_sync::protocol::{Digest, EventHash, Phase};
use serde_json::{Value, json};

/// The ids of the campaigns.
pub(crate) const CAMPAIGNS: [&str; 2] = ["a", "b"];
/// The epoch of both logs. A restart does not change it.
pub(crate) const EPOCH: &str = "e1";
/// For each campaign, the number of its events at the start and at the end.
pub(crate) const EVENTS: [(u8, u8); 2] = [(1, 3), (1, 2)];

const TIMESTAMP: &str = "2030-03-17T17:46:40.000Z";

/// The state that a page shows at a number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shown {
    pub(crate) phase: Option<Phase>,
    /// Row ids, sorted.
    pub(crate) rows: &'static [&'static str],
}

/// The server's state of that campaign at that number.
pub(crate) const fn shown(campaign: usize, number: u8) -> Shown {
    match (campaign, number) {
        (_, 0) => Shown { phase: None, rows: &[] },
        (_, 1) => Shown { phase: Some(Phase::DomainGeneration), rows: &[] },
        (_, 2) => Shown { phase: Some(Phase::DomainGeneration), rows: &["d0", "d1"] },
        (..) => Shown { phase: Some(Phase::DnsValidation), rows: &["d0", "d1"] },
    }
}

/// The id of an event.
pub(crate) fn event_id(campaign: usize, number: u8) -> String {
    format!("{}-{number}", CAMPAIGNS[campaign])
}

/// An event as first published.
pub(crate) fn event(campaign: usize, number: u8) -> String {
    static EVENTS: LazyLock<[[String; 3]; 2]> =
        LazyLock::new(|| [0, 1].map(|campaign| [1, 2, 3].map(|number| write(campaign, number))));
    EVENTS[campaign][usize::from(number) - 1].clone()
}

fn write(campaign: usize, number: u8) -> String {
    let id = CAMPAIGNS[campaign];
    let (kind, data) = match number {
        1 => (
            "campaign.list.update",
            json!({"campaignId": id, "action": "create", "campaign": record(campaign, 1)}),
        ),
        2 => ("domains.updated", json!({"campaignId": id, "domains": rows(campaign, 2)})),
        _ => ("campaign.phase.transition", transition(campaign)),
    };
    let quoted = |text: &str| format!("\"{text}\"");
    let (kind, timestamp, data) = (quoted(kind), quoted(TIMESTAMP), data.to_string());
    let previous = match number {
        1 => "null".to_owned(),
        _ => quoted(&event_id(campaign, number - 1)),
    };
    let (at, own) = (number.to_string(), quoted(&event_id(campaign, number)));
    let (checkpoint, epoch, campaign) = ((number > 2).to_string(), quoted(EPOCH), quoted(id));
    let hashed = [&*campaign, &*epoch, &*at, &*own, &*previous, &*checkpoint];
    let hash = EventHash::of_v1(&kind, &timestamp, &data, hashed);
    format!(
        "{{\"type\":{kind},\"timestamp\":{timestamp},\"data\":{data},\"sequence\":{{\
         \"campaignId\":{campaign},\"epoch\":{epoch},\"eventId\":{own},\"sequenceNumber\":{at},\
         \"eventHash\":\"{hash}\",\"previousEventId\":{previous},\"checkpointData\":{checkpoint}}}}}"
    )
}

/// The snapshot at a number, which has one part.
pub(crate) fn snapshot(campaign: usize, number: u8, request: &str) -> String {
    let rows = rows(campaign, number);
    control(
        "campaign.snapshot",
        &json!({"campaignId": CAMPAIGNS[campaign], "requestId": request, "epoch": EPOCH,
            "sequenceNumber": number, "eventId": event_id(campaign, number), "part": 1, "parts": 1,
            "campaign": record(campaign, number), "domains": rows, "domainsCount": rows.len(),
            "domainsDigest": digest(campaign, number)}),
    )
}

/// A control message.
pub(crate) fn control(kind: &str, data: &Value) -> String {
    json!({"type": kind, "timestamp": TIMESTAMP, "data": data}).to_string()
}

/// The digest of the rows at a number.
pub(crate) fn digest(campaign: usize, number: u8) -> String {
    let (mut hasher, mut digest) = (RowHasher::default(), Digest::default());
    for id in shown(campaign, number).rows {
        digest.add(hasher.hash(&RowFields {
            domain_id: id,
            domain: Some(&domain(id)),
            ..RowFields::default()
        }));
    }
    digest.to_string()
}

fn domain(id: &str) -> String {
    format!("{id}.example")
}

fn rows(campaign: usize, number: u8) -> Vec<Value> {
    let ids = shown(campaign, number).rows.iter();
    ids.map(|id| json!({"domainId": id, "domain": domain(id)})).collect()
}

fn record(campaign: usize, number: u8) -> Value {
    let (shown, total) = (shown(campaign, number), rows(campaign, number).len());
    json!({"campaignId": CAMPAIGNS[campaign], "name": "small",
        "currentPhase": shown.phase.map(Phase::as_str), "phaseStatus": "in_progress",
        "totalItems": 0, "processedItems": 0, "successfulItems": 0, "failedItems": 0,
        "progressPercentage": 0.0, "totalDomainCount": total,
        "createdAt": TIMESTAMP, "updatedAt": TIMESTAMP})
}

fn transition(campaign: usize) -> Value {
    json!({"campaignId": CAMPAIGNS[campaign], "previousPhase": "domain_generation",
        "newPhase": "dns_validation", "newStatus": "in_progress", "transitionType": "automatic",
        "triggerReason": "all generated", "prerequisitesMet": true, "dataIntegrityCheck": true,
        "domainsCount": 2, "processedCount": 0, "successfulCount": 0, "failedItems": 0,
        "estimatedDuration": 1, "transitionMetadata": {}, "rollbackData": null,
        "campaign": record(campaign, 3), "domainsDigest": digest(campaign, 3)})
}
