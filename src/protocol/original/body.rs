//! The content of documents by what they are about (facts §4.1–4.3).

use super::aliases::{Counting, Ending, Kind};
use super::envelope::Envelope;
use super::nullable::{column, nullable, phase, status, word};
use super::progress::{self, count, first, keep, number};
use super::{CampaignComplete, LegacyTransition, Message, PhaseComplete};
use crate::protocol::body::{Body, StatusChange};
use crate::protocol::domain::{Patch, RowPatch, status_code};
use crate::protocol::json::Reader;
use crate::protocol::transition::Transition;
use crate::protocol::{Code, Phase, Status};

/// Reads the content of a document.
///
/// # Errors
/// [`Code::InvalidContent`] for content that lacks what gives it a meaning, or has it in the wrong
/// type; [`Code::IntegerOutOfRange`].
pub(super) fn read<'a>(kind: Kind, envelope: &Envelope<'a>) -> Result<Message<'a>, Code> {
    match kind {
        Kind::Ack => read_ack(envelope),
        Kind::SubscriptionConfirmed => Ok(Message::SubscriptionConfirmed),
        Kind::Pong => Ok(Message::Pong),
        Kind::Progress(counting) => progress::read(envelope, counting).map(Message::Progress),
        Kind::Status => read_status_change(envelope),
        Kind::Transition => read_transition(envelope),
        Kind::DomainGenerated | Kind::DnsResult | Kind::HttpResult => read_row(kind, envelope),
        Kind::PhaseComplete => read_phase_complete(envelope),
        Kind::CampaignComplete(ending) => read_campaign_complete(envelope, ending),
        Kind::Notification => read_notification(envelope),
        Kind::StateSync => Ok(Message::StateSync(None)),
        Kind::StateSyncComplete => read_state_sync(envelope),
        Kind::ListUpdate => read_list_update(envelope),
        Kind::Deleted => Ok(Message::Event(Body::Deleted)),
        Kind::SessionExpired => Ok(Message::SessionExpired),
        Kind::Error => read_error(envelope),
        Kind::Irrelevant => Ok(Message::Ignored),
        Kind::Unknown => Ok(Message::Unknown),
    }
}

impl<'a> Envelope<'a> {
    /// Gives `member` all content: first what a V1 envelope carries beside its body, then the body,
    /// which thereby wins.
    pub(super) fn content(
        &self,
        mut member: impl FnMut(&str, &mut Reader<'a>) -> Result<(), Code>,
    ) -> Result<(), Code> {
        for (name, raw) in self.beside {
            if let Some(raw) = raw {
                member(name, &mut Reader::new(raw))?;
            }
        }
        match self.body {
            Some(body) => Reader::new(body).object(|key, value| member(key.inner, value)),
            None => Ok(()),
        }
    }
}

fn read_ack<'a>(envelope: &Envelope<'a>) -> Result<Message<'a>, Code> {
    let mut protocol = None;
    envelope.content(|key, value| {
        match key {
            "protocol" => protocol = word(value)?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    Ok(Message::Ack { protocol })
}

fn read_status_change<'a>(envelope: &Envelope<'a>) -> Result<Message<'a>, Code> {
    let (mut phases, mut statuses, mut messages) = ([None; 2], [None; 2], [None, None]);
    envelope.content(|key, value| {
        match key {
            "currentPhase" => keep(&mut phases[0], phase(value)?),
            "phase" => keep(&mut phases[1], phase(value)?),
            "phaseStatus" => keep(&mut statuses[0], status(value)?),
            "status" => keep(&mut statuses[1], status(value)?),
            "message" => keep(&mut messages[0], word(value)?),
            "error" => keep(&mut messages[1], word(value)?),
            _ => value.skip()?,
        }
        Ok(())
    })?;
    Ok(Message::Event(Body::Status(StatusChange {
        phase: first(phases),
        status: first(statuses).ok_or(Code::InvalidContent)?,
        message: first(messages).map(std::borrow::Cow::into_owned),
    })))
}

/// Reads a transition: a full one where everything that makes it one is there, else as much as the
/// older shapes tell.
fn read_transition<'a>(envelope: &Envelope<'a>) -> Result<Message<'a>, Code> {
    let (mut phases, mut new_status) = ([None; 2], None);
    let (mut percents, mut verdicts) = ([None; 3], [None; 2]);
    let (mut counts, mut transition_type) = ([None; 4], None);
    envelope.content(|key, value| {
        match key {
            "newPhase" => keep(&mut phases[0], phase(value)?),
            "currentPhase" => keep(&mut phases[1], phase(value)?),
            // `status` of the older shape is that of the act or of the phase that was left: it says
            // `completed` while the new phase has not begun.
            "newStatus" => keep(&mut new_status, status(value)?),
            "progressPercent" => keep(&mut percents[0], number(value)?),
            "progressPercentage" => keep(&mut percents[1], number(value)?),
            "progress" => keep(&mut percents[2], number(value)?),
            "dataIntegrityCheck" => keep(&mut verdicts[0], nullable(value, Reader::boolean)?),
            "prerequisitesMet" => keep(&mut verdicts[1], nullable(value, Reader::boolean)?),
            "domainsCount" => keep(&mut counts[0], count(value)?),
            "processedCount" => keep(&mut counts[1], count(value)?),
            "successfulCount" => keep(&mut counts[2], count(value)?),
            "failedItems" => keep(&mut counts[3], count(value)?),
            "transitionType" => keep(&mut transition_type, word(value)?),
            _ => value.skip()?,
        }
        Ok(())
    })?;
    let told = phases[0].is_some() && new_status.is_some() && transition_type.is_some();
    let complete = told && verdicts.iter().all(Option::is_some) && !counts.contains(&None);
    if let (true, Some(body)) = (complete, envelope.body) {
        let transition = Transition::read(&mut Reader::new(body), |_, value| value.skip())?;
        return Ok(Message::Event(Body::Transition(Box::new(transition))));
    }
    Ok(Message::LegacyTransition(LegacyTransition {
        new_phase: first(phases).ok_or(Code::InvalidContent)?,
        new_status,
        percent: first(percents),
        refusal: match verdicts {
            [Some(false), _] => Some(Code::IntegrityCheckFailed),
            [_, Some(false)] => Some(Code::PrerequisitesNotMet),
            _ => None,
        },
    }))
}

fn read_row<'a>(kind: Kind, envelope: &Envelope<'a>) -> Result<Message<'a>, Code> {
    let mut row = RowPatch::default();
    envelope.content(|key, value| {
        match (key, kind) {
            ("domainId", _) => row.domain_id = value.text()?,
            ("domain" | "domainName", _) => row.domain = column(value, Reader::text)?,
            ("offset" | "offsetIndex", Kind::DomainGenerated) => {
                row.offset = column(value, Reader::signed)?;
            }
            ("validationStatus", Kind::DnsResult) => row.dns_status = column(value, Reader::text)?,
            ("validationStatus", Kind::HttpResult) => {
                row.http_status = column(value, Reader::text)?;
            }
            ("httpStatus" | "statusCode" | "httpStatusCode", Kind::HttpResult) => {
                row.http_status_code = column(value, status_code)?;
            }
            _ => value.skip()?,
        }
        Ok(())
    })?;
    // Go writes 0 for a code that was never set.
    if row.http_status_code == Patch::Value(0) {
        row.http_status_code = Patch::Absent;
    }
    let outcome = match kind {
        Kind::DnsResult => row.dns_status.value().is_some(),
        Kind::HttpResult => row.http_status.value().is_some(),
        _ => true,
    };
    row.check()?;
    if outcome { Ok(Message::Event(Body::Row(row))) } else { Err(Code::InvalidContent) }
}

fn read_phase_complete<'a>(envelope: &Envelope<'a>) -> Result<Message<'a>, Code> {
    let (mut done, mut next_phase) = ([None; 2], None);
    let (mut completed_items, mut failed_items) = (None, None);
    envelope.content(|key, value| {
        match key {
            "phase" => keep(&mut done[0], phase(value)?),
            "currentPhase" => keep(&mut done[1], phase(value)?),
            // After the last phase stands the word `completed`, which is no phase.
            "nextPhase" => next_phase = word(value)?.and_then(|text| Phase::parse(&text)),
            "completedItems" => completed_items = count(value)?,
            "failedItems" => failed_items = count(value)?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    let phase = first(done).ok_or(Code::InvalidContent)?;
    Ok(Message::PhaseComplete(PhaseComplete { phase, next_phase, completed_items, failed_items }))
}

fn read_campaign_complete<'a>(
    envelope: &Envelope<'a>,
    ending: Ending,
) -> Result<Message<'a>, Code> {
    let (mut final_status, mut counts) = (None, [None; 3]);
    envelope.content(|key, value| {
        match key {
            "finalStatus" => final_status = status(value)?,
            "totalProcessed" => counts[0] = count(value)?,
            "totalSuccessful" => counts[1] = count(value)?,
            "totalFailed" => counts[2] = count(value)?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    let status = final_status.or(match ending {
        Ending::SaidInContent => None,
        Ending::Completed => Some(Status::Completed),
        Ending::Failed => Some(Status::Failed),
    });
    let [processed, successful, failed] = counts;
    Ok(Message::CampaignComplete(CampaignComplete {
        status: status.ok_or(Code::InvalidContent)?,
        processed,
        successful,
        failed,
    }))
}

fn read_notification<'a>(envelope: &Envelope<'a>) -> Result<Message<'a>, Code> {
    let (mut levels, mut message) = ([None, None], None);
    envelope.content(|key, value| {
        match key {
            "level" => keep(&mut levels[0], word(value)?),
            // Where June's servers put the level.
            "status" => keep(&mut levels[1], word(value)?),
            "message" => keep(&mut message, word(value)?),
            _ => value.skip()?,
        }
        Ok(())
    })?;
    Ok(Message::Event(Body::Notification {
        level: first(levels).ok_or(Code::InvalidContent)?.into_owned(),
        message: message.ok_or(Code::InvalidContent)?.into_owned(),
    }))
}

fn read_state_sync<'a>(envelope: &Envelope<'a>) -> Result<Message<'a>, Code> {
    let mut state = None;
    envelope.content(|key, value| {
        match key {
            "stateData" => state = Some(progress::read_state(value)?),
            _ => value.skip()?,
        }
        Ok(())
    })?;
    // Without its own object the state stands where a progress document has it.
    let state = state.map_or_else(|| progress::read(envelope, Counting::Items), Ok)?;
    Ok(Message::StateSync(Some(state)))
}

/// Reads a change of the campaign list. Only an end concerns us: its campaign objects are partial,
/// so they must not become the record.
fn read_list_update<'a>(envelope: &Envelope<'a>) -> Result<Message<'a>, Code> {
    let mut action = None;
    envelope.content(|key, value| {
        match key {
            "action" => action = word(value)?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    match action.as_deref() {
        Some("delete") => Ok(Message::Event(Body::Deleted)),
        Some(_) => Ok(Message::Ignored),
        None => Err(Code::InvalidContent),
    }
}

fn read_error<'a>(envelope: &Envelope<'a>) -> Result<Message<'a>, Code> {
    let (mut codes, mut messages) = ([None, None], [None, None, None]);
    envelope.content(|key, value| {
        match key {
            "code" => keep(&mut codes[0], word(value)?),
            "errorCode" => keep(&mut codes[1], word(value)?),
            "message" => keep(&mut messages[0], word(value)?),
            "errorMessage" => keep(&mut messages[1], word(value)?),
            "error" => keep(&mut messages[2], word(value)?),
            _ => value.skip()?,
        }
        Ok(())
    })?;
    Ok(Message::Error { code: first(codes), message: first(messages) })
}
