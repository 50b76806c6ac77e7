//! The payload of `campaign.phase.transition` (mission: PhaseTransitionPayload).

use super::campaign::{CampaignRecord, PhaseCounters};
use super::json::Reader;
use super::schema::{
    Field, Kind, UnknownMember, nullable, optional, read_raw, read_with, required,
};
use super::{Code, Digest, Phase, Status};

/// A phase transition, all fifteen fields of the payload and what makes it a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// Where the campaign came from.
    pub previous_phase: Option<Phase>,
    /// Where it goes.
    pub new_phase: Phase,
    /// Its status there.
    pub new_status: Status,
    /// `manual`, `automatic` or `error_recovery`.
    pub transition_type: String,
    /// Why, in words for people.
    pub trigger_reason: Option<String>,
    /// `false` announces a refused transition.
    pub prerequisites_met: bool,
    /// `false` announces a refused transition.
    pub data_integrity_check: bool,
    /// All rows.
    pub domains_count: u64,
    /// Counter of the new phase.
    pub processed_count: u64,
    /// Counter of the new phase.
    pub successful_count: u64,
    /// Counter of the new phase.
    pub failed_items: u64,
    /// Seconds the phase is expected to take.
    pub estimated_duration: Option<f64>,
    /// Raw JSON object, kept for people.
    pub transition_metadata: Option<String>,
    /// What an `error_recovery` goes back to.
    pub rollback: Option<Rollback>,
    /// The complete campaign record after the transition (checkpoints).
    pub campaign: Option<CampaignRecord>,
    /// The digest of all rows (checkpoints).
    pub domains_digest: Option<Digest>,
}

/// `rollbackData`: what an `error_recovery` transition restores. Never rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollback {
    /// The phase to go back to.
    pub phase: Phase,
    /// The status to go back to.
    pub status: Status,
    /// The counters to go back to.
    pub counters: PhaseCounters,
    /// The domain count to go back to.
    pub total_domain_count: u64,
}

impl Transition {
    /// Whether this announces a transition that was refused: nothing changes on either side.
    pub const fn refusal(&self) -> Option<Code> {
        if !self.data_integrity_check {
            Some(Code::IntegrityCheckFailed)
        } else if !self.prerequisites_met {
            Some(Code::PrerequisitesNotMet)
        } else {
            None
        }
    }

    /// Reads the payload. `other` is offered the members that are not of the payload itself, such
    /// as `campaignId`.
    ///
    /// # Errors
    /// [`Code::InvalidContent`], syntax errors.
    pub(super) fn read<'a>(
        reader: &mut Reader<'a>,
        other: UnknownMember<'_, 'a>,
    ) -> Result<Self, Code> {
        let [previous, phase, status, how, why, prerequisites, integrity, rest @ ..] =
            read_with(reader, &TRANSITION, other)?;
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
            rollback: rollback.raw().map(Rollback::read).transpose()?.flatten(),
            campaign: CampaignRecord::read_raw(campaign)?,
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

impl Rollback {
    /// Reads `{phase, status, counters: {totalItems, processedItems, successfulItems, failedItems},
    /// totalDomainCount}`; an empty object is nothing.
    fn read(raw: &str) -> Result<Option<Self>, Code> {
        let mut members = 0;
        Reader::new(raw).object(|_, value| {
            members += 1;
            value.skip()
        })?;
        if members == 0 {
            return Ok(None);
        }
        let [phase, status, counters, total] = read_raw(raw, &ROLLBACK)?;
        let counters = read_raw(counters.raw().unwrap_or_default(), &COUNTERS)?;
        Ok(Some(Self {
            phase: phase.phase().ok_or(Code::InvalidContent)?,
            status: status.status().ok_or(Code::InvalidContent)?,
            counters: PhaseCounters::of(counters).with_derived_progress(),
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
