//! The campaign object of the original's REST answers (facts §8.4).

use std::borrow::Cow;

use super::body::first;
use super::envelope::{agree, read_campaign_id};
use crate::protocol::campaign::{CampaignRecord, PhaseCounters};
use crate::protocol::json::Reader;
use crate::protocol::schema::{Field, Kind, Value, optional, read, read_raw, told};
use crate::protocol::{Code, Phase};

/// A campaign object.
#[derive(Debug)]
pub(super) struct RestCampaign<'a> {
    /// Its id, if it has one.
    pub(super) id: Option<Cow<'a, str>>,
    /// The record; its domain count is 0 unless `domain_count` tells it.
    pub(super) record: CampaignRecord,
    /// Domains of the campaign, which the original's own objects do not tell.
    pub(super) domain_count: Option<u64>,
}

impl<'a> RestCampaign<'a> {
    /// Reads a campaign object of any version.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] for an object that does not tell phase and status.
    pub(super) fn read(raw: &'a str) -> Result<Self, Code> {
        let [name, created_at, updated_at, error_message, domains, members @ ..] =
            read_raw(raw, &CAMPAIGN)?;
        let [id, campaign_id, total, processed, successful, failed, members @ ..] = members;
        let [percent, overall, phase, older_phase, kind, status, whole_status, members @ ..] =
            members;
        let [current_id, phases] = members;
        let current = PhaseObject::current(phases, current_id)?;
        let phase = first([phase, older_phase, current.phase]).phase();
        let status = first([status, current.status, whole_status]).status();
        let mut counters = PhaseCounters::of([total, processed, successful, failed]);
        match first([percent, overall]).float() {
            Some(percent) => counters.progress_percentage = percent,
            None => counters = counters.with_derived_progress(),
        }
        let mut found = None;
        for raw in [id, campaign_id].into_iter().filter_map(Value::raw) {
            agree(&mut found, read_campaign_id(raw)?)?;
        }
        let record = CampaignRecord {
            phase: phase.or_else(|| phase_of_type(&kind.text()?)).ok_or(Code::InvalidContent)?,
            status: status.ok_or(Code::InvalidContent)?,
            counters,
            total_domain_count: domains.count(),
            name: name.string_or_empty(),
            created_at: created_at.string_or_empty(),
            updated_at: updated_at.string_or_empty(),
            error_message: error_message.string(),
        };
        Ok(Self { id: found, record, domain_count: domains.unsigned() })
    }
}

static CAMPAIGN: [Field; 20] = [
    told("name", Kind::Text),
    told("createdAt", Kind::Text),
    told("updatedAt", Kind::Text),
    told("errorMessage", Kind::Text),
    told("totalDomainCount", Kind::Unsigned),
    optional("id", Kind::Raw),
    optional("campaignId", Kind::Raw),
    told("totalItems", Kind::Unsigned),
    told("processedItems", Kind::Unsigned),
    told("successfulItems", Kind::Unsigned),
    told("failedItems", Kind::Unsigned),
    told("progressPercentage", Kind::Float),
    told("overallProgress", Kind::Float),
    told("currentPhase", Kind::Phase),
    told("phase", Kind::Phase),
    told("campaignType", Kind::Text),
    told("phaseStatus", Kind::Status),
    told("status", Kind::Status),
    told("currentPhaseId", Kind::Text),
    optional("phases", Kind::Raw),
];

/// Phase and status of one of `phases`, which later servers send instead of a current phase.
#[derive(Default)]
struct PhaseObject<'a> {
    phase: Value<'a>,
    status: Value<'a>,
}

impl<'a> PhaseObject<'a> {
    /// Reads the list, if it is one, and picks the object of the current phase's id.
    fn current(phases: Value<'a>, current_id: Value<'_>) -> Result<Self, Code> {
        let mut current = None;
        let mut list = Reader::new(phases.raw().unwrap_or_default());
        if list.peek() == b'[' {
            list.array(|element| {
                let [id, phase, status] = read(element, &PHASE_OBJECT)?;
                if current.is_none() && id.is_set() && id.text() == current_id.text() {
                    current = Some(Self { phase, status });
                }
                Ok(())
            })?;
        }
        Ok(current.unwrap_or_default())
    }
}

static PHASE_OBJECT: [Field; 3] =
    [told("id", Kind::Text), told("phaseType", Kind::Phase), told("status", Kind::Status)];

/// The phase that a campaign's type stands for. In June a campaign was one phase and its type said
/// which; later the one type `lead_generation` stands for all of them.
fn phase_of_type(kind: &str) -> Option<Phase> {
    match kind {
        "domain_generation" | "dns_validation" | "http_keyword_validation" => Phase::parse(kind),
        _ => None,
    }
}
