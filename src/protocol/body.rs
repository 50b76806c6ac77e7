//! The content of events, read from their raw `data` by type.

use std::borrow::Cow;

use super::campaign::{CampaignRecord, PhaseCounters, read_phase, read_status};
use super::domain::{RowPatch, optional, patch, status_code};
use super::event::EventKind;
use super::json::Reader;
use super::limits::EVENT_ROWS_MAX;
use super::transition::Transition;
use super::{Code, Phase, Status};

/// What an event says. Decoding checks everything that can be checked without the store.
#[derive(Clone, Debug, PartialEq)]
pub enum Body<'a> {
    /// Counters of a phase.
    Progress(Progress),
    /// A status within a phase.
    Status(StatusChange),
    /// A phase transition.
    Transition(Box<Transition>),
    /// One row created or changed, or one result of it.
    Row(RowPatch<'a>),
    /// Many rows created or changed.
    Rows(Vec<RowPatch<'a>>),
    /// Rows that are gone.
    Removed(Vec<Cow<'a, str>>),
    /// The campaign as a whole was created or updated.
    Record(Box<CampaignRecord>),
    /// The campaign is gone.
    Deleted,
    /// A message for people.
    Notification {
        /// `info`, `warning` or `error`.
        level: String,
        /// The text.
        message: String,
    },
    /// Nothing that the store holds.
    Nothing,
}

/// `campaign.progress`: status and counters of one phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The phase it speaks of.
    pub phase: Phase,
    /// The status in that phase.
    pub status: Status,
    /// The counters of that phase.
    pub counters: PhaseCounters,
}

/// `campaign.status`: a status, perhaps of a named phase.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusChange {
    /// The phase it speaks of; none means the current one.
    pub phase: Option<Phase>,
    /// The new status.
    pub status: Status,
    /// What went wrong, if something did.
    pub message: Option<String>,
}

impl<'a> Body<'a> {
    /// Decodes the `data` of a v1 event of `kind` that belongs to `campaign_id`.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] for anything that breaks the schema, another campaign's id
    /// included; [`Code::IntegerOutOfRange`].
    pub fn decode(kind: EventKind, data: &'a str, campaign_id: &str) -> Result<Self, Code> {
        let mut reader = Reader::new(data);
        let mut at_edge = |key: &str, value: &mut Reader<'a>| -> Result<(), Code> {
            if key == "campaignId" && value.text()? != campaign_id {
                return Err(Code::InvalidContent);
            }
            if key == "campaignId" { Ok(()) } else { value.skip() }
        };
        let other = &mut at_edge;
        match kind {
            EventKind::Progress => read_progress(&mut reader, other),
            EventKind::Status => read_status_change(&mut reader, other),
            EventKind::Transition => {
                Transition::read(&mut reader, other).map(|it| Body::Transition(Box::new(it)))
            }
            EventKind::DomainGenerated => read_generated(&mut reader, other),
            EventKind::DnsResult => read_dns_result(&mut reader, other),
            EventKind::HttpResult => read_http_result(&mut reader, other),
            EventKind::DomainsUpdated => read_updated(&mut reader, other),
            EventKind::DomainsRemoved => read_removed(&mut reader, other),
            EventKind::ListUpdate => read_list_update(&mut reader, other),
            EventKind::Notification => read_notification(&mut reader, other),
            EventKind::Deleted => reader.object(|k, v| other(k.inner, v)).map(|()| Body::Deleted),
            EventKind::Advisory => reader.object(|k, v| other(k.inner, v)).map(|()| Body::Nothing),
        }
    }
}

/// Handles the members that a payload's own reader does not know.
type Other<'o, 'a> = &'o mut dyn FnMut(&str, &mut Reader<'a>) -> Result<(), Code>;

fn read_progress<'a>(reader: &mut Reader<'a>, other: Other<'_, 'a>) -> Result<Body<'a>, Code> {
    let (mut phase, mut status) = (None, None);
    let mut counts = [None; 4];
    let mut percent = None;
    reader.object(|key, value| {
        match key.inner {
            "totalItems" => counts[0] = Some(value.unsigned()?),
            "processedItems" => counts[1] = Some(value.unsigned()?),
            "successfulItems" => counts[2] = Some(value.unsigned()?),
            "failedItems" => counts[3] = Some(value.unsigned()?),
            "progressPercent" => percent = Some(value.float()?),
            "currentPhase" => phase = Some(read_phase(value)?),
            "phaseStatus" => status = Some(read_status(value)?),
            unknown => other(unknown, value)?,
        }
        Ok(())
    })?;
    let [Some(total_items), Some(processed_items), Some(successful_items), Some(failed_items)] =
        counts
    else {
        return Err(Code::InvalidContent);
    };
    Ok(Body::Progress(Progress {
        phase: phase.ok_or(Code::InvalidContent)?,
        status: status.ok_or(Code::InvalidContent)?,
        counters: PhaseCounters {
            total_items,
            processed_items,
            successful_items,
            failed_items,
            progress_percentage: percent.ok_or(Code::InvalidContent)?,
        },
    }))
}

fn read_status_change<'a>(reader: &mut Reader<'a>, other: Other<'_, 'a>) -> Result<Body<'a>, Code> {
    let (mut phase, mut status, mut message) = (None, None, None);
    reader.object(|key, value| {
        match key.inner {
            "currentPhase" => phase = optional(value, read_phase)?,
            "phaseStatus" => status = Some(read_status(value)?),
            "message" => message = optional(value, Reader::text)?.map(Cow::into_owned),
            unknown => other(unknown, value)?,
        }
        Ok(())
    })?;
    let status = status.ok_or(Code::InvalidContent)?;
    Ok(Body::Status(StatusChange { phase, status, message }))
}

fn read_generated<'a>(reader: &mut Reader<'a>, other: Other<'_, 'a>) -> Result<Body<'a>, Code> {
    let mut row = RowPatch::default();
    reader.object(|key, value| {
        match key.inner {
            "domainId" => row.domain_id = value.text()?,
            "domain" => row.domain = patch(value, Reader::text)?,
            "offset" => row.offset = patch(value, Reader::signed)?,
            unknown => other(unknown, value)?,
        }
        Ok(())
    })?;
    finish_row(row)
}

fn read_dns_result<'a>(reader: &mut Reader<'a>, other: Other<'_, 'a>) -> Result<Body<'a>, Code> {
    let mut row = RowPatch::default();
    reader.object(|key, value| {
        match key.inner {
            "domainId" => row.domain_id = value.text()?,
            "domain" => row.domain = patch(value, Reader::text)?,
            "validationStatus" => row.dns_status = patch(value, Reader::text)?,
            unknown => other(unknown, value)?,
        }
        Ok(())
    })?;
    if row.dns_status.value().is_none() { Err(Code::InvalidContent) } else { finish_row(row) }
}

fn read_http_result<'a>(reader: &mut Reader<'a>, other: Other<'_, 'a>) -> Result<Body<'a>, Code> {
    let mut row = RowPatch::default();
    reader.object(|key, value| {
        match key.inner {
            "domainId" => row.domain_id = value.text()?,
            "domain" => row.domain = patch(value, Reader::text)?,
            "validationStatus" => row.http_status = patch(value, Reader::text)?,
            "httpStatus" => row.http_status_code = patch(value, status_code)?,
            unknown => other(unknown, value)?,
        }
        Ok(())
    })?;
    if row.http_status.value().is_none() { Err(Code::InvalidContent) } else { finish_row(row) }
}

fn finish_row(row: RowPatch<'_>) -> Result<Body<'_>, Code> {
    row.check()?;
    Ok(Body::Row(row))
}

fn read_updated<'a>(reader: &mut Reader<'a>, other: Other<'_, 'a>) -> Result<Body<'a>, Code> {
    let mut rows = None;
    reader.object(|key, value| {
        match key.inner {
            "domains" => rows = Some(read_list(value, EVENT_ROWS_MAX, RowPatch::read)?),
            unknown => other(unknown, value)?,
        }
        Ok(())
    })?;
    rows.map(Body::Rows).ok_or(Code::InvalidContent)
}

fn read_removed<'a>(reader: &mut Reader<'a>, other: Other<'_, 'a>) -> Result<Body<'a>, Code> {
    let mut ids = None;
    reader.object(|key, value| {
        match key.inner {
            "domainIds" => ids = Some(read_list(value, EVENT_ROWS_MAX, Reader::text)?),
            unknown => other(unknown, value)?,
        }
        Ok(())
    })?;
    ids.map(Body::Removed).ok_or(Code::InvalidContent)
}

/// Reads an array of at most `limit` elements.
pub(super) fn read_list<'a, T>(
    reader: &mut Reader<'a>,
    limit: usize,
    mut read: impl FnMut(&mut Reader<'a>) -> Result<T, Code>,
) -> Result<Vec<T>, Code> {
    let mut list = Vec::new();
    reader.array(|element| {
        if list.len() == limit {
            return Err(Code::InvalidContent);
        }
        list.push(read(element)?);
        Ok(())
    })?;
    Ok(list)
}

fn read_list_update<'a>(reader: &mut Reader<'a>, other: Other<'_, 'a>) -> Result<Body<'a>, Code> {
    let (mut action, mut record) = (None, None);
    reader.object(|key, value| {
        match key.inner {
            "action" => action = Some(value.text()?),
            "campaign" => record = optional(value, CampaignRecord::read)?,
            unknown => other(unknown, value)?,
        }
        Ok(())
    })?;
    match (action.ok_or(Code::InvalidContent)?.as_ref(), record) {
        ("create" | "update", Some(record)) => Ok(Body::Record(Box::new(record))),
        ("create" | "update", None) => Err(Code::InvalidContent),
        ("delete", _) => Ok(Body::Deleted),
        _ => Ok(Body::Nothing),
    }
}

fn read_notification<'a>(reader: &mut Reader<'a>, other: Other<'_, 'a>) -> Result<Body<'a>, Code> {
    let (mut level, mut message) = (None, None);
    reader.object(|key, value| {
        match key.inner {
            "level" => level = Some(value.text()?.into_owned()),
            "message" => message = Some(value.text()?.into_owned()),
            unknown => other(unknown, value)?,
        }
        Ok(())
    })?;
    let level = level.ok_or(Code::InvalidContent)?;
    Ok(Body::Notification { level, message: message.ok_or(Code::InvalidContent)? })
}
