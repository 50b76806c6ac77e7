//! The payload of `campaign.phase.transition` (docs/PROTOCOL.md, chapter 10).

use super::campaign::{CampaignRecord, PhaseCounters};
use super::json::Reader;
use super::schema::{
    Field, Kind, UnknownMember, nullable, optional, read_raw, read_with, required, slots,
};
use super::{Code, Digest, Phase, Status};

/// A phase transition: the fifteen fields of the payload except `campaignId`, and the record and
/// digest that make it a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// The phase before the transition.
    pub previous_phase: Option<Phase>,
    /// The phase after the transition.
    pub new_phase: Phase,
    /// The status in the new phase.
    pub new_status: Status,
    /// `manual`, `automatic` or `error_recovery`.
    pub transition_type: String,
    /// The reason, as text for users.
    pub trigger_reason: Option<String>,
    /// `false` announces a refused transition.
    pub prerequisites_met: bool,
    /// `false` announces a refused transition.
    pub data_integrity_check: bool,
    /// The number of all rows.
    pub domains_count: u64,
    /// Processed items of the new phase.
    pub processed_count: u64,
    /// Successful items of the new phase.
    pub successful_count: u64,
    /// Failed items of the new phase.
    pub failed_items: u64,
    /// The expected duration of the new phase, in seconds.
    pub estimated_duration: Option<f64>,
    /// Metadata for users, as a raw JSON object.
    pub transition_metadata: Option<String>,
    /// The state that an `error_recovery` restores.
    pub rollback: Option<Rollback>,
    /// The complete campaign record after the transition, in checkpoints.
    pub campaign: Option<CampaignRecord>,
    /// The digest of all rows, in checkpoints.
    pub domains_digest: Option<Digest>,
}

/// `rollbackData`: the state that an `error_recovery` transition restores. It never contains rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollback {
    /// The restored phase.
    pub phase: Phase,
    /// The restored status.
    pub status: Status,
    /// The restored counters.
    pub counters: PhaseCounters,
    /// The restored domain count.
    pub total_domain_count: u64,
}

impl Transition {
    /// Returns the code of a refused transition; `None` for an accepted one. A refused transition
    /// changes nothing on either side.
    pub const fn refusal(&self) -> Option<Code> {
        if !self.data_integrity_check {
            Some(Code::IntegrityCheckFailed)
        } else if !self.prerequisites_met {
            Some(Code::PrerequisitesNotMet)
        } else {
            None
        }
    }

    /// Reads the payload. Members that the payload table does not name, such as `campaignId`, go to
    /// `other`.
    ///
    /// # Errors
    /// [`Code::InvalidContent`], syntax errors.
    pub(super) fn read<'a>(
        reader: &mut Reader<'a>,
        other: UnknownMember<'_, 'a>,
    ) -> Result<Self, Code> {
        let values = &mut slots();
        read_with(reader, &TRANSITION, values, other)?;
        let [previous, phase, status, how, why, prerequisites, integrity, rest @ ..] = values;
        let [domains, processed, successful, failed, duration, metadata, rollback, rest @ ..] =
            rest;
        let [campaign, digest] = rest;
        Ok(Self {
            previous_phase: previous.phase(),
            new_phase: phase.phase().ok_or(Code::InvalidContent)?,
            new_status: status.status().ok_or(Code::InvalidContent)?,
            prerequisites_met: prerequisites.boolean().unwrap_or_default(),
            data_integrity_check: integrity.boolean().unwrap_or_default(),
            domains_count: domains.count(),
            processed_count: processed.count(),
            successful_count: successful.count(),
            failed_items: failed.count(),
            estimated_duration: duration.float(),
            rollback: read_rollback(reader, rollback.raw())?,
            campaign: CampaignRecord::read_raw(reader, campaign)?,
            domains_digest: digest.digest(),
            transition_type: how.string_or_empty(),
            trigger_reason: why.string(),
            transition_metadata: metadata.raw().map(str::to_owned),
        })
    }
}

static TRANSITION: [Field; 16] = [
    nullable("previousPhase", Kind::Phase),
    required("newPhase", Kind::Phase),
    required("newStatus", Kind::Status),
    required("transitionType", Kind::Text),
    nullable("triggerReason", Kind::Text),
    required("prerequisitesMet", Kind::Boolean),
    required("dataIntegrityCheck", Kind::Boolean),
    required("domainsCount", Kind::Unsigned),
    required("processedCount", Kind::Unsigned),
    required("successfulCount", Kind::Unsigned),
    required("failedItems", Kind::Unsigned),
    nullable("estimatedDuration", Kind::Float),
    nullable("transitionMetadata", Kind::Object),
    nullable("rollbackData", Kind::Object),
    nullable("campaign", Kind::Object),
    nullable("domainsDigest", Kind::Digest),
];

fn read_rollback(outer: &mut Reader<'_>, raw: Option<&str>) -> Result<Option<Rollback>, Code> {
    let read = raw.map(Rollback::read).transpose();
    read.map(Option::flatten).map_err(|code| outer.blame(code, "rollbackData", "invalid"))
}

impl Rollback {
    /// Reads `{phase, status, counters: {totalItems, processedItems, successfulItems, failedItems},
    /// totalDomainCount}`. An empty object gives `None`.
    fn read(raw: &str) -> Result<Option<Self>, Code> {
        let mut reader = Reader::new(raw);
        reader.expect('{')?;
        if reader.peek() == '}' {
            return Ok(None);
        }
        let values = &mut slots();
        read_raw(raw, &ROLLBACK, values)?;
        let [phase, status, counters, total] = values;
        let counts = &mut slots();
        read_raw(counters.raw().unwrap_or_default(), &COUNTERS, counts)?;
        Ok(Some(Self {
            phase: phase.phase().ok_or(Code::InvalidContent)?,
            status: status.status().ok_or(Code::InvalidContent)?,
            counters: PhaseCounters::of(counts).with_derived_progress(),
            total_domain_count: total.count(),
        }))
    }
}

static ROLLBACK: [Field; 4] = [
    required("phase", Kind::Phase),
    required("status", Kind::Status),
    required("counters", Kind::Object),
    required("totalDomainCount", Kind::Unsigned),
];

static COUNTERS: [Field; 4] = [
    optional("totalItems", Kind::Unsigned),
    optional("processedItems", Kind::Unsigned),
    optional("successfulItems", Kind::Unsigned),
    optional("failedItems", Kind::Unsigned),
];
