//! What the application sees of a campaign: one plain, immutable value.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::CampaignStore;
use super::intern::Words;
use crate::protocol::{Phase, Status};

/// What the store cannot know about itself: how trustworthy it is just now.
#[derive(Clone, Copy, Debug)]
pub struct ViewContext<'a> {
    /// Which campaign.
    pub campaign_id: &'a str,
    /// The word of the status.
    pub status: &'a str,
    /// Why it is stale.
    pub stale_reason: Option<&'a str>,
    /// Why it failed.
    pub code: Option<&'a str>,
    /// The dialect of the server.
    pub dialect: Option<&'a str>,
}

/// A campaign, as JavaScript sees it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CampaignView<'a> {
    campaign_id: &'a str,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    dialect: Option<&'a str>,
    position: Option<PositionView<'a>>,
    campaign: Option<RecordView<'a>>,
    total_domain_count: u64,
    domains_count: usize,
    domains_digest: String,
    unconfirmed_count: usize,
    counts: CountsView<'a>,
    last_transition: Option<TransitionView<'a>>,
    error: Option<ErrorView<'a>>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PositionView<'a> {
    epoch: &'a str,
    sequence_number: u64,
    event_id: &'a str,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordView<'a> {
    name: &'a str,
    current_phase: Phase,
    phase_status: Status,
    total_items: u64,
    processed_items: u64,
    successful_items: u64,
    failed_items: u64,
    progress_percentage: f64,
    created_at: &'a str,
    updated_at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
}

#[derive(Clone, Debug, Serialize)]
struct CountsView<'a> {
    dns: Tallies<'a>,
    http: Tallies<'a>,
    lead: Tallies<'a>,
}

/// How many rows have each word of a column.
#[derive(Clone, Copy, Debug)]
struct Tallies<'a>(&'a Words);

impl Serialize for Tallies<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        for (word, tally) in self.0.tallies() {
            map.serialize_entry(word, &tally)?;
        }
        map.end()
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TransitionView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_phase: Option<Phase>,
    new_phase: Phase,
    new_status: Status,
    transition_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trigger_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_duration: Option<f64>,
    timestamp: &'a str,
    sequence_number: u64,
}

#[derive(Clone, Debug, Serialize)]
struct ErrorView<'a> {
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

impl<'a> CampaignView<'a> {
    /// Reads `store` as it is now.
    pub fn new(store: &'a CampaignStore, context: ViewContext<'a>) -> Self {
        let table = store.table();
        Self {
            campaign_id: context.campaign_id,
            status: context.status,
            stale_reason: context.stale_reason,
            code: context.code,
            dialect: context.dialect,
            position: store.position().map(|position| PositionView {
                epoch: position.epoch.as_str(),
                sequence_number: position.sequence_number.get(),
                event_id: &position.event_id,
            }),
            campaign: store.record().map(|record| RecordView {
                name: &record.name,
                current_phase: record.phase,
                phase_status: record.status,
                total_items: record.counters.total_items,
                processed_items: record.counters.processed_items,
                successful_items: record.counters.successful_items,
                failed_items: record.counters.failed_items,
                progress_percentage: record.counters.progress_percentage,
                created_at: &record.created_at,
                updated_at: &record.updated_at,
                error_message: record.error_message.as_deref(),
            }),
            total_domain_count: store.record().map_or(0, |record| record.total_domain_count),
            domains_count: table.len(),
            domains_digest: table.digest().to_hex(),
            unconfirmed_count: store.unconfirmed().len(),
            counts: CountsView {
                dns: Tallies(&table.dns_words),
                http: Tallies(&table.http_words),
                lead: Tallies(&table.lead_words),
            },
            last_transition: store.last_transition().map(|last| TransitionView {
                previous_phase: last.transition.previous_phase,
                new_phase: last.transition.new_phase,
                new_status: last.transition.new_status,
                transition_type: &last.transition.transition_type,
                trigger_reason: last.transition.trigger_reason.as_deref(),
                estimated_duration: last.transition.estimated_duration,
                timestamp: &last.timestamp,
                sequence_number: last.sequence_number.get(),
            }),
            error: store.error().map(|code| ErrorView { code: code.as_str(), message: None }),
        }
    }
}
