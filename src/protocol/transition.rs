//! The payload of `campaign.phase.transition` (mission: PhaseTransitionPayload).

use super::campaign::{CampaignRecord, PhaseCounters, read_phase, read_status};
use super::domain::optional;
use super::json::Reader;
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
    /// All rows (v1); the new phase's rows (original).
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
    /// The complete campaign record after the transition (v1 checkpoints).
    pub campaign: Option<CampaignRecord>,
    /// The digest of all rows (v1 checkpoints).
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

    /// Reads the payload. `member` is offered the members that are not of the payload itself, such
    /// as `campaignId`.
    ///
    /// # Errors
    /// [`Code::InvalidContent`], syntax errors.
    pub fn read<'a>(
        reader: &mut Reader<'a>,
        mut member: impl FnMut(&str, &mut Reader<'a>) -> Result<(), Code>,
    ) -> Result<Self, Code> {
        let mut draft = Draft::default();
        reader.object(|key, value| {
            if draft.member(key.inner, value)? { Ok(()) } else { member(key.inner, value) }
        })?;
        draft.finish()
    }
}

/// A payload while it is read: required members may still be missing.
#[derive(Default)]
struct Draft {
    previous_phase: Option<Phase>,
    new_phase: Option<Phase>,
    new_status: Option<Status>,
    transition_type: Option<String>,
    trigger_reason: Option<String>,
    prerequisites_met: Option<bool>,
    data_integrity_check: Option<bool>,
    counts: [Option<u64>; 4],
    estimated_duration: Option<f64>,
    transition_metadata: Option<String>,
    rollback: Option<Rollback>,
    campaign: Option<CampaignRecord>,
    domains_digest: Option<Digest>,
}

impl Draft {
    fn member(&mut self, key: &str, value: &mut Reader<'_>) -> Result<bool, Code> {
        match key {
            "previousPhase" => self.previous_phase = optional(value, read_phase)?,
            "newPhase" => self.new_phase = Some(read_phase(value)?),
            "newStatus" => self.new_status = Some(read_status(value)?),
            "transitionType" => self.transition_type = Some(value.text()?.into_owned()),
            "triggerReason" => {
                self.trigger_reason = optional(value, Reader::text)?.map(|text| text.into_owned());
            }
            "prerequisitesMet" => self.prerequisites_met = Some(value.boolean()?),
            "dataIntegrityCheck" => self.data_integrity_check = Some(value.boolean()?),
            "domainsCount" => self.counts[0] = Some(value.unsigned()?),
            "processedCount" => self.counts[1] = Some(value.unsigned()?),
            "successfulCount" => self.counts[2] = Some(value.unsigned()?),
            "failedItems" => self.counts[3] = Some(value.unsigned()?),
            "estimatedDuration" => self.estimated_duration = optional(value, Reader::float)?,
            "transitionMetadata" => self.transition_metadata = raw_object(value)?,
            "rollbackData" => self.rollback = optional(value, read_rollback)?.flatten(),
            "campaign" => self.campaign = optional(value, CampaignRecord::read)?,
            "domainsDigest" => self.domains_digest = optional(value, read_digest)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn finish(self) -> Result<Transition, Code> {
        let [domains, processed, successful, failed] = self.counts;
        let required = Code::InvalidContent;
        Ok(Transition {
            previous_phase: self.previous_phase,
            new_phase: self.new_phase.ok_or(required)?,
            new_status: self.new_status.ok_or(required)?,
            transition_type: self.transition_type.ok_or(required)?,
            trigger_reason: self.trigger_reason,
            prerequisites_met: self.prerequisites_met.ok_or(required)?,
            data_integrity_check: self.data_integrity_check.ok_or(required)?,
            domains_count: domains.ok_or(required)?,
            processed_count: processed.ok_or(required)?,
            successful_count: successful.ok_or(required)?,
            failed_items: failed.ok_or(required)?,
            estimated_duration: self.estimated_duration,
            transition_metadata: self.transition_metadata,
            rollback: self.rollback,
            campaign: self.campaign,
            domains_digest: self.domains_digest,
        })
    }
}

/// Reads a digest.
///
/// # Errors
/// [`Code::InvalidContent`] unless it is 16 lower-case hex digits.
pub fn read_digest(reader: &mut Reader<'_>) -> Result<Digest, Code> {
    Digest::parse(&reader.text()?).ok_or(Code::InvalidContent)
}

fn raw_object(reader: &mut Reader<'_>) -> Result<Option<String>, Code> {
    let raw = reader.raw()?;
    match raw.as_bytes().first() {
        Some(b'{') => Ok(Some(raw.to_owned())),
        Some(b'n') => Ok(None),
        _ => Err(Code::InvalidContent),
    }
}

/// Reads `{phase, status, counters: {totalItems, processedItems, successfulItems, failedItems},
/// totalDomainCount}`; an empty object is nothing.
fn read_rollback(reader: &mut Reader<'_>) -> Result<Option<Rollback>, Code> {
    let (mut phase, mut status, mut counters, mut total) = (None, None, None, None);
    let mut members = 0;
    reader.object(|key, value| {
        members += 1;
        match key.inner {
            "phase" => phase = Some(read_phase(value)?),
            "status" => status = Some(read_status(value)?),
            "counters" => counters = Some(read_counters(value)?),
            "totalDomainCount" => total = Some(value.unsigned()?),
            _ => value.skip()?,
        }
        Ok(())
    })?;
    if members == 0 {
        return Ok(None);
    }
    let required = Code::InvalidContent;
    Ok(Some(Rollback {
        phase: phase.ok_or(required)?,
        status: status.ok_or(required)?,
        counters: counters.ok_or(required)?,
        total_domain_count: total.ok_or(required)?,
    }))
}

fn read_counters(reader: &mut Reader<'_>) -> Result<PhaseCounters, Code> {
    let mut counters = PhaseCounters::default();
    reader.object(|key, value| {
        match key.inner {
            "totalItems" => counters.total_items = value.unsigned()?,
            "processedItems" => counters.processed_items = value.unsigned()?,
            "successfulItems" => counters.successful_items = value.unsigned()?,
            "failedItems" => counters.failed_items = value.unsigned()?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    Ok(counters.with_derived_progress())
}
