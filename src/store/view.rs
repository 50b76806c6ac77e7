//! The application's view of a campaign: one plain, immutable value.

use super::change::LastTransition;
use super::{CampaignStore, DomainTable, Staging};
use crate::protocol::campaign::CampaignRecord;
use crate::protocol::{Phase, Position};
use crate::value::{Record, ToValue, Value, serialize_as_value};

/// The part of a view that the store cannot provide: how trustworthy the data is now.
#[derive(Clone, Copy, Debug)]
pub struct ViewContext<'a> {
    /// The campaign of the view.
    pub campaign_id: &'a str,
    /// The name of the status.
    pub status: &'a str,
    /// The reason why the campaign is stale.
    pub stale_reason: Option<&'a str>,
    /// The code with which the campaign failed.
    pub code: Option<&'a str>,
    /// The snapshot that is arriving.
    pub loading: Option<&'a Staging>,
    /// When the data was last proven current, in milliseconds by the wall clock.
    pub proven_at: Option<i64>,
}

/// A campaign, as JavaScript sees it.
#[derive(Clone, Copy, Debug)]
pub struct CampaignView<'a> {
    store: &'a CampaignStore,
    context: ViewContext<'a>,
}

impl<'a> CampaignView<'a> {
    /// A view of `store` in its present state.
    pub const fn new(store: &'a CampaignStore, context: ViewContext<'a>) -> Self {
        Self { store, context }
    }

    /// The view as plain data, which borrows from the store.
    pub fn into_value(self) -> Value<'a> {
        let mut view = Record::default();
        self.show(&mut view);
        view.into()
    }

    fn show(&self, to: &mut Record<'a>) {
        let (store, context) = (self.store, self.context);
        to.text("campaignId", context.campaign_id);
        to.text("status", context.status);
        to.optional_text("staleReason", context.stale_reason);
        to.optional_text("code", context.code);
        to.add("provenAt", context.proven_at.map_or(Value::Null, Value::Integer));
        to.nullable_record("position", store.position(), show_position);
        to.nullable_record("campaign", store.record(), show_record);
        to.count("totalDomainCount", store.record().map_or(0, |record| record.total_domain_count));
        to.count("domainsCount", store.table().len() as u64);
        to.add("domainsDigest", Value::Owned(store.table().digest().to_hex()));
        to.count("unconfirmedCount", store.unconfirmed().len() as u64);
        to.nullable_record("counts", Some(store.table()), show_counts);
        to.nullable_record("lastTransition", store.last_transition(), show_transition);
        let error = store.error().map(|code| {
            let mut error = Record::default();
            error.text("code", code.as_str());
            Value::Record(error)
        });
        to.add("error", error.unwrap_or(Value::Null));
        to.nullable_record("loading", context.loading, show_loading);
    }
}

impl ToValue for CampaignView<'_> {
    fn to_value(&self) -> Value<'_> {
        self.into_value()
    }
}

serialize_as_value!(CampaignView<'_>);

fn show_loading(staging: &Staging, to: &mut Record<'_>) {
    for (name, number) in ["received", "total", "rows"].into_iter().zip(staging.progress()) {
        to.count(name, number);
    }
}

fn show_position<'a>(position: &'a Position, to: &mut Record<'a>) {
    to.text("epoch", position.epoch.as_str());
    to.count("sequenceNumber", position.sequence_number.get());
    to.text("eventId", &position.event_id);
}

pub(super) fn show_record<'a>(record: &'a CampaignRecord, to: &mut Record<'a>) {
    let counters = &record.counters;
    to.text("name", &record.name);
    to.text("currentPhase", record.phase.as_str());
    to.text("phaseStatus", record.status.as_str());
    to.count("totalItems", counters.total_items);
    to.count("processedItems", counters.processed_items);
    to.count("successfulItems", counters.successful_items);
    to.count("failedItems", counters.failed_items);
    to.float("progressPercentage", counters.progress_percentage);
    to.text("createdAt", &record.created_at);
    to.text("updatedAt", &record.updated_at);
    to.optional_text("errorMessage", record.error_message.as_deref());
}

/// The number of rows per status, for each status column. The result is a list of pairs, because a
/// status may be the name of a member that every object already has.
fn show_counts<'a>(table: &'a DomainTable, to: &mut Record<'a>) {
    let columns = [&table.dns_statuses, &table.http_statuses, &table.lead_statuses];
    for (name, statuses) in ["dns", "http", "lead"].into_iter().zip(columns) {
        let mut pairs = Vec::new();
        for (word, count) in statuses.counts() {
            pairs.push(Value::List(vec![Value::Text(word), Value::Integer(count.into())]));
        }
        to.add(name, Value::List(pairs));
    }
}

fn show_transition<'a>(last: &'a LastTransition, to: &mut Record<'a>) {
    let transition = &last.transition;
    to.optional_text("previousPhase", transition.previous_phase.map(Phase::as_str));
    to.text("newPhase", transition.new_phase.as_str());
    to.text("newStatus", transition.new_status.as_str());
    to.text("transitionType", &transition.transition_type);
    to.optional_text("triggerReason", transition.trigger_reason.as_deref());
    if let Some(seconds) = transition.estimated_duration {
        to.float("estimatedDuration", seconds);
    }
    to.text("timestamp", &last.timestamp);
    to.count("sequenceNumber", last.sequence_number.get());
}
