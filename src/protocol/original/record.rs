//! The campaign object of the original's REST answers (facts §8.4).

use std::borrow::Cow;

use super::envelope::{agree, read_campaign_id};
use super::nullable::{phase, status, word};
use super::progress::{count, first, keep, number};
use crate::protocol::campaign::CampaignRecord;
use crate::protocol::json::Reader;
use crate::protocol::{Code, Phase, Status};

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
        let (mut id, mut draft) = (None, Draft::default());
        Reader::new(raw).object(|key, value| match key.inner {
            "id" | "campaignId" => agree(&mut id, read_campaign_id(value.raw()?)?),
            name => draft.member(name, value),
        })?;
        let domain_count = draft.domain_count;
        Ok(Self { id, record: draft.finish()?, domain_count })
    }
}

/// What has been read so far.
#[derive(Default)]
struct Draft<'a> {
    record: CampaignRecord,
    phases: [Option<Phase>; 3],
    statuses: [Option<Status>; 2],
    counts: [Option<u64>; 4],
    percents: [Option<f64>; 2],
    domain_count: Option<u64>,
    current_phase_id: Option<Cow<'a, str>>,
    phase_objects: Vec<PhaseObject<'a>>,
}

impl<'a> Draft<'a> {
    fn member(&mut self, key: &str, value: &mut Reader<'a>) -> Result<(), Code> {
        match key {
            "name" => self.record.name = text(value)?,
            "currentPhase" => keep(&mut self.phases[0], phase(value)?),
            "phase" => keep(&mut self.phases[1], phase(value)?),
            "campaignType" => keep(&mut self.phases[2], phase_of_type(value)?),
            "phaseStatus" => keep(&mut self.statuses[0], status(value)?),
            "status" => keep(&mut self.statuses[1], status(value)?),
            "totalItems" => self.counts[0] = count(value)?,
            "processedItems" => self.counts[1] = count(value)?,
            "successfulItems" => self.counts[2] = count(value)?,
            "failedItems" => self.counts[3] = count(value)?,
            "progressPercentage" => self.percents[0] = number(value)?,
            "overallProgress" => self.percents[1] = number(value)?,
            "totalDomainCount" => self.domain_count = count(value)?,
            "createdAt" => self.record.created_at = text(value)?,
            "updatedAt" => self.record.updated_at = text(value)?,
            "errorMessage" => self.record.error_message = word(value)?.map(Cow::into_owned),
            "currentPhaseId" => self.current_phase_id = word(value)?,
            "phases" if value.peek() == b'[' => value.array(|element| {
                self.phase_objects.push(PhaseObject::read(element)?);
                Ok(())
            })?,
            _ => value.skip()?,
        }
        Ok(())
    }

    fn finish(self) -> Result<CampaignRecord, Code> {
        let current = self.phase_objects.iter().find(|it| it.is_current(&self));
        let [named, older, of_type] = self.phases;
        let phase = first([named, older, current.and_then(|it| it.phase), of_type]);
        let [told, whole] = self.statuses;
        let status = first([told, current.and_then(|it| it.status), whole]);
        let mut record = self.record;
        record.phase = phase.ok_or(Code::InvalidContent)?;
        record.status = status.ok_or(Code::InvalidContent)?;
        record.total_domain_count = self.domain_count.unwrap_or_default();
        let [total, processed, successful, failed] = self.counts.map(Option::unwrap_or_default);
        let counters = &mut record.counters;
        (counters.total_items, counters.processed_items) = (total, processed);
        (counters.successful_items, counters.failed_items) = (successful, failed);
        match first(self.percents) {
            Some(percent) => counters.progress_percentage = percent,
            None => *counters = counters.with_derived_progress(),
        }
        Ok(record)
    }
}

/// One of `phases`, which later servers send instead of a current phase.
struct PhaseObject<'a> {
    id: Option<Cow<'a, str>>,
    phase: Option<Phase>,
    status: Option<Status>,
}

impl<'a> PhaseObject<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Code> {
        let mut it = Self { id: None, phase: None, status: None };
        reader.object(|key, value| {
            match key.inner {
                "id" => it.id = word(value)?,
                "phaseType" => it.phase = phase(value)?,
                "status" => it.status = status(value)?,
                _ => value.skip()?,
            }
            Ok(())
        })?;
        Ok(it)
    }

    fn is_current(&self, draft: &Draft<'_>) -> bool {
        self.id.is_some() && self.id == draft.current_phase_id
    }
}

fn text(reader: &mut Reader<'_>) -> Result<String, Code> {
    Ok(word(reader)?.map(Cow::into_owned).unwrap_or_default())
}

/// Reads the phase that a campaign's type stands for. In June a campaign was one phase and its type
/// said which; later the one type `lead_generation` stands for all of them.
fn phase_of_type(reader: &mut Reader<'_>) -> Result<Option<Phase>, Code> {
    Ok(word(reader)?.and_then(|kind| match kind.as_ref() {
        "domain_generation" | "dns_validation" | "http_keyword_validation" => Phase::parse(&kind),
        _ => None,
    }))
}
