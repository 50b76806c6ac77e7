//! The content of documents by what they are about (facts §4.1–4.3).

use super::aliases::{About, Counting, Ending};
use super::envelope::Envelope;
use super::progress;
use super::{CampaignComplete, LegacyTransition, Message, PhaseComplete};
use crate::protocol::body::{Body, StatusChange};
use crate::protocol::domain::RowPatch;
use crate::protocol::json::Reader;
use crate::protocol::schema::{Field, Kind, Value, column, ignore, optional, required, told};
use crate::protocol::transition::Transition;
use crate::protocol::{Code, Phase, Status};

/// Reads the content of a document.
///
/// # Errors
/// [`Code::InvalidContent`] for content that lacks what gives it a meaning, or has it in the wrong
/// type; [`Code::IntegerOutOfRange`].
pub(super) fn read<'a>(about: About, envelope: &Envelope<'a>) -> Result<Message<'a>, Code> {
    match about {
        About::Ack => read_ack(envelope),
        About::SubscriptionConfirmed => Ok(Message::SubscriptionConfirmed),
        About::Pong => Ok(Message::Pong),
        About::Progress(counting) => progress::read(envelope, counting).map(Message::Progress),
        About::Status => read_status_change(envelope),
        About::Transition => read_transition(envelope),
        About::DomainGenerated | About::DnsResult | About::HttpResult => read_row(about, envelope),
        About::PhaseComplete => read_phase_complete(envelope),
        About::CampaignComplete(ending) => read_campaign_complete(envelope, ending),
        About::Notification => read_notification(envelope),
        About::StateSync => Ok(Message::StateSync(None)),
        About::StateSyncComplete => read_state_sync(envelope),
        About::ListUpdate => read_list_update(envelope),
        About::Deleted => Ok(Message::Event(Body::Deleted)),
        About::SessionExpired => Ok(Message::SessionExpired),
        About::Error => read_error(envelope),
        About::Irrelevant => Ok(Message::Ignored),
        About::Unknown => Ok(Message::Unknown),
    }
}

fn read_ack<'a>(envelope: &Envelope<'a>) -> Result<Message<'a>, Code> {
    let [protocol] = envelope.read(&ACK)?;
    Ok(Message::Ack { protocol: protocol.text() })
}

static ACK: [Field; 1] = [told("protocol", Kind::Text)];

fn read_status_change<'a>(envelope: &Envelope<'a>) -> Result<Message<'a>, Code> {
    let [phase, older_phase, status, older_status, message, error] = envelope.read(&STATUS)?;
    Ok(Message::Event(Body::Status(StatusChange {
        phase: first([phase, older_phase]).phase(),
        status: first([status, older_status]).status().ok_or(Code::InvalidContent)?,
        message: first([message, error]).string(),
    })))
}

static STATUS: [Field; 6] = [
    told("currentPhase", Kind::Phase),
    told("phase", Kind::Phase),
    told("phaseStatus", Kind::Status),
    told("status", Kind::Status),
    told("message", Kind::Text),
    told("error", Kind::Text),
];

/// Reads a transition: a full one where everything that makes it one is there, else as much as the
/// older shapes tell.
fn read_transition<'a>(envelope: &Envelope<'a>) -> Result<Message<'a>, Code> {
    let values = envelope.read(&TRANSITION)?;
    let complete = values.iter().take(FULL_TRANSITION).all(|value| value.is_set());
    if let (true, Some(body)) = (complete, envelope.body) {
        let transition = Transition::read(&mut Reader::new(body), &mut ignore)?;
        return Ok(Message::Event(Body::Transition(Box::new(transition))));
    }
    let [new_phase, status, integrity, prerequisites, .., current_phase, a, b, c] = values;
    Ok(Message::LegacyTransition(LegacyTransition {
        new_phase: first([new_phase, current_phase]).phase().ok_or(Code::InvalidContent)?,
        new_status: status.status(),
        percent: first([a, b, c]).float(),
        refusal: match (integrity.boolean(), prerequisites.boolean()) {
            (Some(false), _) => Some(Code::IntegrityCheckFailed),
            (_, Some(false)) => Some(Code::PrerequisitesNotMet),
            _ => None,
        },
    }))
}

/// `status` of the older shape is not here, for it is that of the act or of the phase that was
/// left: it says `completed` while the new phase has not begun.
static TRANSITION: [Field; 13] = [
    told("newPhase", Kind::Phase),
    told("newStatus", Kind::Status),
    told("dataIntegrityCheck", Kind::Boolean),
    told("prerequisitesMet", Kind::Boolean),
    told("domainsCount", Kind::Unsigned),
    told("processedCount", Kind::Unsigned),
    told("successfulCount", Kind::Unsigned),
    told("failedItems", Kind::Unsigned),
    told("transitionType", Kind::Text),
    told("currentPhase", Kind::Phase),
    told("progressPercent", Kind::Float),
    told("progressPercentage", Kind::Float),
    told("progress", Kind::Float),
];

/// As many of the members of [`TRANSITION`] make a full one.
const FULL_TRANSITION: usize = 9;

fn read_row<'a>(about: About, envelope: &Envelope<'a>) -> Result<Message<'a>, Code> {
    let [id, domain, domain_name, offset, offset_index, outcome, codes @ ..] =
        envelope.read(&ROW)?;
    let [code, status_code, http_status_code] = codes;
    let domain = first([domain, domain_name]);
    let absent = Value::Absent;
    let row = match about {
        About::DnsResult => [id, domain, absent, outcome, absent, absent, absent, absent],
        About::HttpResult => {
            let code = first([code, status_code, http_status_code]);
            // Go writes 0 for a code that was never set.
            let code = if code.signed() == Some(0) { absent } else { code };
            [id, domain, absent, absent, outcome, code, absent, absent]
        }
        _ => {
            let offset = first([offset, offset_index]);
            [id, domain, offset, absent, absent, absent, absent, absent]
        }
    };
    if about != About::DomainGenerated && !outcome.is_set() {
        return Err(Code::InvalidContent);
    }
    RowPatch::of(row).map(|row| Message::Event(Body::Row(row)))
}

static ROW: [Field; 9] = [
    required("domainId", Kind::Text),
    column("domain", Kind::Text),
    column("domainName", Kind::Text),
    column("offset", Kind::Signed),
    column("offsetIndex", Kind::Signed),
    column("validationStatus", Kind::Text),
    column("httpStatus", Kind::HttpStatus),
    column("statusCode", Kind::HttpStatus),
    column("httpStatusCode", Kind::HttpStatus),
];

fn read_phase_complete<'a>(envelope: &Envelope<'a>) -> Result<Message<'a>, Code> {
    let [phase, current_phase, next, completed, failed] = envelope.read(&PHASE_COMPLETE)?;
    Ok(Message::PhaseComplete(PhaseComplete {
        phase: first([phase, current_phase]).phase().ok_or(Code::InvalidContent)?,
        // After the last phase stands the word `completed`, which is no phase.
        next_phase: Phase::parse(&next.text_or_empty()),
        completed_items: completed.unsigned(),
        failed_items: failed.unsigned(),
    }))
}

static PHASE_COMPLETE: [Field; 5] = [
    told("phase", Kind::Phase),
    told("currentPhase", Kind::Phase),
    told("nextPhase", Kind::Text),
    told("completedItems", Kind::Unsigned),
    told("failedItems", Kind::Unsigned),
];

fn read_campaign_complete<'a>(
    envelope: &Envelope<'a>,
    ending: Ending,
) -> Result<Message<'a>, Code> {
    let [status, processed, successful, failed] = envelope.read(&CAMPAIGN_COMPLETE)?;
    let status = status.status().or(match ending {
        Ending::SaidInContent => None,
        Ending::Completed => Some(Status::Completed),
        Ending::Failed => Some(Status::Failed),
    });
    Ok(Message::CampaignComplete(CampaignComplete {
        status: status.ok_or(Code::InvalidContent)?,
        processed: processed.unsigned(),
        successful: successful.unsigned(),
        failed: failed.unsigned(),
    }))
}

static CAMPAIGN_COMPLETE: [Field; 4] = [
    told("finalStatus", Kind::Status),
    told("totalProcessed", Kind::Unsigned),
    told("totalSuccessful", Kind::Unsigned),
    told("totalFailed", Kind::Unsigned),
];

fn read_notification<'a>(envelope: &Envelope<'a>) -> Result<Message<'a>, Code> {
    let [level, older_level, message] = envelope.read(&NOTIFICATION)?;
    Ok(Message::Event(Body::Notification {
        level: first([level, older_level]).string().ok_or(Code::InvalidContent)?,
        message: message.string().ok_or(Code::InvalidContent)?,
    }))
}

static NOTIFICATION: [Field; 3] = [
    told("level", Kind::Text),
    // Where June's servers put the level.
    told("status", Kind::Text),
    told("message", Kind::Text),
];

fn read_state_sync<'a>(envelope: &Envelope<'a>) -> Result<Message<'a>, Code> {
    let [state] = envelope.read(&STATE_SYNC)?;
    // Without its own object the state stands where a progress document has it.
    let state = match state.raw() {
        Some(state) => progress::read_state(state),
        None => progress::read(envelope, Counting::Items),
    };
    state.map(|state| Message::StateSync(Some(state)))
}

static STATE_SYNC: [Field; 1] = [optional("stateData", Kind::Object)];

/// Reads a change of the campaign list. Only an end concerns us: its campaign objects are partial,
/// so they must not become the record.
fn read_list_update<'a>(envelope: &Envelope<'a>) -> Result<Message<'a>, Code> {
    let [action] = envelope.read(&LIST_UPDATE)?;
    match action.text_or_empty().as_ref() {
        "delete" => Ok(Message::Event(Body::Deleted)),
        "" => Err(Code::InvalidContent),
        _ => Ok(Message::Ignored),
    }
}

static LIST_UPDATE: [Field; 1] = [told("action", Kind::Text)];

fn read_error<'a>(envelope: &Envelope<'a>) -> Result<Message<'a>, Code> {
    let [code, error_code, message, error_message, error] = envelope.read(&ERROR)?;
    Ok(Message::Error {
        code: first([code, error_code]).text(),
        message: first([message, error_message, error]).text(),
    })
}

static ERROR: [Field; 5] = [
    told("code", Kind::Text),
    told("errorCode", Kind::Text),
    told("message", Kind::Text),
    told("errorMessage", Kind::Text),
    told("error", Kind::Text),
];

/// The first that is set, else the first that is mentioned. A field with several names has a place
/// for each, so the order of the members does not matter.
pub(super) fn first<'a, const N: usize>(values: [Value<'a>; N]) -> Value<'a> {
    let mentioned = |value: &Value<'_>| !matches!(value, Value::Absent);
    let set = values.into_iter().find(|value| value.is_set());
    set.or_else(|| values.into_iter().find(mentioned)).unwrap_or_default()
}
