//! Progress in its many shapes: three of `campaign.progress`, and those of V1 (facts §4.1, §4.3).

use super::aliases::Counting;
use super::body::first;
use super::envelope::Envelope;
use crate::protocol::schema::{Field, Kind, Value, read_raw, told};
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
///
/// # Errors
/// [`Code::InvalidContent`] for one that tells nothing, or anything in the wrong type;
/// [`Code::IntegerOutOfRange`].
pub(super) fn read(envelope: &Envelope<'_>, counting: Counting) -> Result<OriginalProgress, Code> {
    let (fields, implied) = match counting {
        Counting::Items => (&ITEMS, None),
        Counting::GeneratedDomains => (&GENERATED_DOMAINS, Some(Phase::DomainGeneration)),
        Counting::Validations => (&VALIDATIONS, None),
    };
    let progress = of(envelope.read(fields)?)?;
    Ok(OriginalProgress { phase: progress.phase.or(implied), ..progress })
}

/// Reads `stateData`, the state that a server tells after a subscription.
///
/// # Errors
/// As [`read`].
pub(super) fn read_state(raw: &str) -> Result<OriginalProgress, Code> {
    of(read_raw(raw, &ITEMS)?)
}

fn of(values: [Value<'_>; 14]) -> Result<OriginalProgress, Code> {
    let [phase, older_phase, status, older_status, percent, percentage, progress, counts @ ..] =
        values;
    let [total, total_of_kind, processed, processed_of_kind, successful, failed, validation] =
        counts;
    let validated = validated_phase(&validation.text_or_empty());
    if validated.is_none() && values.iter().take(13).all(|value| !value.is_set()) {
        return Err(Code::InvalidContent);
    }
    Ok(OriginalProgress {
        phase: first([phase, older_phase]).phase().or(validated),
        status: first([status, older_status]).status(),
        percent: first([percent, percentage, progress]).float(),
        total_items: first([total, total_of_kind]).unsigned(),
        processed_items: first([processed, processed_of_kind]).unsigned(),
        successful_items: successful.unsigned(),
        failed_items: failed.unsigned(),
    })
}

/// The phase that a validation type such as `dns` or `dns_validation` belongs to.
fn validated_phase(kind: &str) -> Option<Phase> {
    Phase::parse(kind).or_else(|| Phase::parse(&[kind, "_validation"].concat()))
}

static ITEMS: [Field; 14] = table("totalItems", "processedItems", "");
static GENERATED_DOMAINS: [Field; 14] = table("totalDomains", "domainsGenerated", "");
static VALIDATIONS: [Field; 14] =
    table("totalValidations", "validationsProcessed", "validationType");

/// The members of a progress document. Items have no counters of their own kind, so theirs are
/// named twice; a document that has no validation type names it "", and no phase is called so.
const fn table(
    total: &'static str,
    processed: &'static str,
    validation: &'static str,
) -> [Field; 14] {
    [
        told("currentPhase", Kind::Phase),
        told("phase", Kind::Phase),
        told("phaseStatus", Kind::Status),
        told("status", Kind::Status),
        told("progressPercent", Kind::Float),
        told("progressPercentage", Kind::Float),
        told("progress", Kind::Float),
        told("totalItems", Kind::Unsigned),
        told(total, Kind::Unsigned),
        told("processedItems", Kind::Unsigned),
        told(processed, Kind::Unsigned),
        told("successfulItems", Kind::Unsigned),
        told("failedItems", Kind::Unsigned),
        told(validation, Kind::Text),
    ]
}
