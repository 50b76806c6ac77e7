//! Progress in its many shapes: three of `campaign.progress`, and those of V1 (facts §4.1, §4.3).

use super::aliases::Counting;
use super::envelope::Envelope;
use super::nullable::{nullable, phase, status, word};
use crate::protocol::json::Reader;
use crate::protocol::{Code, Phase, Status};

/// Status and counters of a phase, as far as a document tells them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OriginalProgress {
    /// The phase it speaks of.
    pub phase: Option<Phase>,
    /// The status in that phase.
    pub status: Option<Status>,
    /// 0 to 100.
    pub percent: Option<f64>,
    /// Items the phase has to do.
    pub total_items: Option<u64>,
    /// Items done.
    pub processed_items: Option<u64>,
    /// Items that went well.
    pub successful_items: Option<u64>,
    /// Items that did not.
    pub failed_items: Option<u64>,
}

/// Reads a progress document: its body, and what its envelope tells beside it.
pub(super) fn read(envelope: &Envelope<'_>, counting: Counting) -> Result<OriginalProgress, Code> {
    let mut draft = Draft::new(counting);
    envelope.content(|key, value| draft.member(key, value))?;
    draft.finish()
}

/// Reads `stateData`, the state that a server tells after a subscription.
pub(super) fn read_state(reader: &mut Reader<'_>) -> Result<OriginalProgress, Code> {
    let mut draft = Draft::new(Counting::Items);
    reader.object(|key, value| draft.member(key.inner, value))?;
    draft.finish()
}

/// What has been read so far. Where a field has several names, each has a place of its own and the
/// first that is filled counts, so the order of members does not matter.
struct Draft {
    counting: Counting,
    phases: [Option<Phase>; 3],
    statuses: [Option<Status>; 2],
    percents: [Option<f64>; 3],
    totals: [Option<u64>; 2],
    processed: [Option<u64>; 2],
    successful: Option<u64>,
    failed: Option<u64>,
}

impl Draft {
    const fn new(counting: Counting) -> Self {
        Self {
            counting,
            phases: [None; 3],
            statuses: [None; 2],
            percents: [None; 3],
            totals: [None; 2],
            processed: [None; 2],
            successful: None,
            failed: None,
        }
    }

    fn member(&mut self, key: &str, value: &mut Reader<'_>) -> Result<(), Code> {
        use Counting::{GeneratedDomains, Validations};
        match (key, self.counting) {
            ("currentPhase", _) => keep(&mut self.phases[0], phase(value)?),
            ("phase", _) => keep(&mut self.phases[1], phase(value)?),
            ("validationType", Validations) => {
                keep(&mut self.phases[2], validated_phase(value)?);
            }
            ("phaseStatus", _) => keep(&mut self.statuses[0], status(value)?),
            ("status", _) => keep(&mut self.statuses[1], status(value)?),
            ("progressPercent", _) => keep(&mut self.percents[0], number(value)?),
            ("progressPercentage", _) => keep(&mut self.percents[1], number(value)?),
            ("progress", _) => keep(&mut self.percents[2], number(value)?),
            ("totalItems", _) => keep(&mut self.totals[0], count(value)?),
            ("totalDomains", GeneratedDomains) | ("totalValidations", Validations) => {
                keep(&mut self.totals[1], count(value)?);
            }
            ("processedItems", _) => keep(&mut self.processed[0], count(value)?),
            ("domainsGenerated", GeneratedDomains) | ("validationsProcessed", Validations) => {
                keep(&mut self.processed[1], count(value)?);
            }
            ("successfulItems", _) => keep(&mut self.successful, count(value)?),
            ("failedItems", _) => keep(&mut self.failed, count(value)?),
            _ => value.skip()?,
        }
        Ok(())
    }

    fn finish(self) -> Result<OriginalProgress, Code> {
        let progress = OriginalProgress {
            phase: first(self.phases),
            status: first(self.statuses),
            percent: first(self.percents),
            total_items: first(self.totals),
            processed_items: first(self.processed),
            successful_items: self.successful,
            failed_items: self.failed,
        };
        if progress == OriginalProgress::default() {
            return Err(Code::InvalidContent);
        }
        let generating = self.counting == Counting::GeneratedDomains;
        let implied = generating.then_some(Phase::DomainGeneration);
        Ok(OriginalProgress { phase: progress.phase.or(implied), ..progress })
    }
}

/// Reads the phase that a validation type such as `dns` or `dns_validation` belongs to.
fn validated_phase(reader: &mut Reader<'_>) -> Result<Option<Phase>, Code> {
    Ok(word(reader)?.and_then(|kind| {
        Phase::parse(&kind).or_else(|| Phase::parse(&format!("{kind}_validation")))
    }))
}

/// Reads a counter that may be nothing.
pub(super) fn count(reader: &mut Reader<'_>) -> Result<Option<u64>, Code> {
    nullable(reader, Reader::unsigned)
}

/// Reads a finite number that may be nothing.
pub(super) fn number(reader: &mut Reader<'_>) -> Result<Option<f64>, Code> {
    nullable(reader, Reader::float)
}

/// Fills a place, unless there is nothing to fill it with.
pub(super) fn keep<T>(place: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *place = value;
    }
}

/// The first that is filled.
pub(super) fn first<T, const N: usize>(places: [Option<T>; N]) -> Option<T> {
    places.into_iter().flatten().next()
}
