//! The application's view of a campaign: one plain, immutable value.

use super::change::LastTransition;
use super::table::{DNS, HTTP, LEAD};
use super::{CampaignStore, DomainTable, Staging};
use crate::protocol::campaign::CampaignRecord;
use crate::protocol::write::{JsonWriter, ToJson};
use crate::protocol::{Code, Phase, Position};

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
}

impl ToJson for CampaignView<'_> {
    fn show(&self, to: &mut JsonWriter) {
        let (store, context) = (self.store, self.context);
        to.text("campaignId", context.campaign_id);
        to.text("status", context.status);
        to.optional_text("staleReason", context.stale_reason);
        to.optional_text("code", context.code);
        to.nullable_number("provenAt", context.proven_at.map(|at| at as f64));
        to.nullable_record("position", store.position().map(|it| it as _));
        to.nullable_record("campaign", store.record().map(|it| it as _));
        to.count("totalDomainCount", store.record().map_or(0, |record| record.total_domain_count));
        to.count("domainsCount", store.table().len() as u64);
        to.text("domainsDigest", &store.table().digest().to_hex());
        to.count("unconfirmedCount", store.unconfirmed().len() as u64);
        to.record("counts", &StatusCounts(store.table()));
        to.nullable_record("lastTransition", store.last_transition().map(|it| it as _));
        to.nullable_record("error", store.error().as_ref().map(|it| it as _));
        to.nullable_record("loading", context.loading.map(|it| it as _));
    }
}

impl ToJson for Staging {
    fn show(&self, to: &mut JsonWriter) {
        for (name, number) in ["received", "total", "rows"].into_iter().zip(self.progress()) {
            to.count(name, number);
        }
    }
}

impl ToJson for Position {
    fn show(&self, to: &mut JsonWriter) {
        to.text("epoch", self.epoch.as_str());
        to.count("sequenceNumber", self.sequence_number.get());
        to.text("eventId", &self.event_id);
    }
}

impl ToJson for Code {
    fn show(&self, to: &mut JsonWriter) {
        to.text("code", self.as_str());
    }
}

impl ToJson for CampaignRecord {
    fn show(&self, to: &mut JsonWriter) {
        let counters = &self.counters;
        to.text("name", &self.name);
        to.text("currentPhase", self.phase.as_str());
        to.text("phaseStatus", self.status.as_str());
        to.count("totalItems", counters.total_items);
        to.count("processedItems", counters.processed_items);
        to.count("successfulItems", counters.successful_items);
        to.count("failedItems", counters.failed_items);
        to.nullable_number("progressPercentage", Some(counters.progress_percentage));
        to.text("createdAt", &self.created_at);
        to.text("updatedAt", &self.updated_at);
        to.optional_text("errorMessage", self.error_message.as_deref());
    }
}

/// The number of rows per status, for each status column. `JSON.parse` defines own members, also for the status
/// `__proto__`.
struct StatusCounts<'a>(&'a DomainTable);

impl ToJson for StatusCounts<'_> {
    fn show(&self, to: &mut JsonWriter) {
        let Self(table) = self;
        for (name, column) in [("dns", DNS), ("http", HTTP), ("lead", LEAD)] {
            to.member(name, "{");
            for (word, count) in table.statuses(column).counts() {
                to.count(word, count.into());
            }
            to.close("}");
        }
    }
}

impl ToJson for LastTransition {
    fn show(&self, to: &mut JsonWriter) {
        let transition = &self.transition;
        to.optional_text("previousPhase", transition.previous_phase.map(Phase::as_str));
        to.text("newPhase", transition.new_phase.as_str());
        to.text("newStatus", transition.new_status.as_str());
        to.text("transitionType", &transition.transition_type);
        to.optional_text("triggerReason", transition.trigger_reason.as_deref());
        to.optional_number("estimatedDuration", transition.estimated_duration);
        to.text("timestamp", &self.timestamp);
        to.count("sequenceNumber", self.sequence_number.get());
    }
}
