//! The content of events, decoded from raw `data` by event type.

use std::borrow::Cow;
use std::sync::Arc;

use super::campaign::{CampaignRecord, PhaseCounters};
use super::domain::RowPatch;
use super::event::EventKind;
use super::json::Reader;
use super::limits::EVENT_ROWS_MAX;
use super::schema::{
    Field, Kind, UnknownMember, Value, nullable, optional, read_with, required, slots,
};
use super::transition::Transition;
use super::{Code, Phase, Status};

/// The content of an event. Decoding checks every rule that does not depend on the store.
#[derive(Clone, Debug, PartialEq)]
pub enum Body<'a> {
    /// Counters of a phase.
    Progress(Progress),
    /// A status within a phase.
    Status(StatusChange),
    /// A phase transition.
    Transition(Arc<Transition>),
    /// One row created or changed, or one result of it.
    Row(RowPatch<'a>),
    /// Many rows created or changed.
    Rows(Vec<RowPatch<'a>>),
    /// Ids of rows that are removed.
    Removed(Vec<Cow<'a, str>>),
    /// The campaign as a whole was created or updated.
    Record(Box<CampaignRecord>),
    /// The campaign was deleted.
    Deleted,
    /// A message for users.
    Notification {
        /// `info`, `warning` or `error`.
        level: String,
        /// The text.
        message: String,
    },
    /// Content without effect on the store.
    Nothing,
}

/// `campaign.progress`: status and counters of one phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The phase to which status and counters belong.
    pub phase: Phase,
    /// The status in that phase.
    pub status: Status,
    /// The counters of that phase.
    pub counters: PhaseCounters,
}

/// `campaign.status`: a new status, optionally for one named phase.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusChange {
    /// The phase to which the status belongs; `None` means the current phase.
    pub phase: Option<Phase>,
    /// The new status.
    pub status: Status,
    /// The error message, if there is one.
    pub message: Option<String>,
}

impl<'a> Body<'a> {
    /// Decodes the `data` of a v1 event of `kind` that belongs to `campaign_id`.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] for content that breaks the schema or names another campaign;
    /// [`Code::IntegerOutOfRange`].
    pub fn decode(kind: EventKind, data: &'a str, campaign_id: &str) -> Result<Self, Code> {
        Self::read(kind, &mut Reader::new(data), campaign_id)
    }

    /// Like [`Body::decode`]. After an error, `reader.violation` is the member at fault, if it is known.
    ///
    /// # Errors
    /// As [`Body::decode`].
    pub fn read(kind: EventKind, reader: &mut Reader<'a>, campaign_id: &str) -> Result<Self, Code> {
        let mut at_edge = |key: &str, value: &mut Reader<'a>| -> Result<(), Code> {
            if key == "campaignId" && value.text()? != campaign_id {
                return Err(value.blame(Code::InvalidContent, "campaignId", "invalid"));
            }
            if key == "campaignId" { Ok(()) } else { value.skip() }
        };
        let other = &mut at_edge;
        match kind {
            EventKind::Progress => read_progress(reader, other),
            EventKind::Status => read_status_change(reader, other),
            EventKind::Transition => {
                Transition::read(reader, other).map(|it| Body::Transition(Arc::new(it)))
            }
            EventKind::DomainGenerated => read_row(reader, &GENERATED, other),
            EventKind::DnsResult => read_row(reader, &DNS_RESULT, other),
            EventKind::HttpResult => read_row(reader, &HTTP_RESULT, other),
            EventKind::DomainsUpdated => {
                read_with_rows(reader, &[], &mut [], EVENT_ROWS_MAX, other).map(Body::Rows)
            }
            EventKind::DomainsRemoved => read_removed(reader, other),
            EventKind::ListUpdate => read_list_update(reader, other),
            EventKind::Notification => read_notification(reader, other),
            EventKind::Deleted => read_with(reader, &[], &mut [], other).map(|()| Body::Deleted),
            EventKind::Informational => {
                read_with(reader, &[], &mut [], other).map(|()| Body::Nothing)
            }
        }
    }
}

fn read_progress<'a>(
    reader: &mut Reader<'a>,
    other: UnknownMember<'_, 'a>,
) -> Result<Body<'a>, Code> {
    let values = &mut slots();
    read_with(reader, &PROGRESS, values, other)?;
    let [counts @ .., percent, phase, status] = values;
    Ok(Body::Progress(Progress {
        phase: phase.phase().ok_or(Code::InvalidContent)?,
        status: status.status().ok_or(Code::InvalidContent)?,
        counters: PhaseCounters {
            progress_percentage: percent.float().unwrap_or_default(),
            ..PhaseCounters::of(counts)
        },
    }))
}

static PROGRESS: [Field; 7] = [
    required("totalItems", Kind::Unsigned),
    required("processedItems", Kind::Unsigned),
    required("successfulItems", Kind::Unsigned),
    required("failedItems", Kind::Unsigned),
    required("progressPercent", Kind::Float),
    required("currentPhase", Kind::Phase),
    required("phaseStatus", Kind::Status),
];

fn read_status_change<'a>(
    reader: &mut Reader<'a>,
    other: UnknownMember<'_, 'a>,
) -> Result<Body<'a>, Code> {
    let values = &mut slots();
    read_with(reader, &STATUS_CHANGE, values, other)?;
    let [phase, status, message] = values;
    Ok(Body::Status(StatusChange {
        phase: phase.phase(),
        status: status.status().ok_or(Code::InvalidContent)?,
        message: message.string(),
    }))
}

static STATUS_CHANGE: [Field; 3] = [
    nullable("currentPhase", Kind::Phase),
    required("phaseStatus", Kind::Status),
    nullable("message", Kind::Text),
];

/// Reads a row of which an event has only some members.
fn read_row<'a>(
    reader: &mut Reader<'a>,
    fields: &[Field; 8],
    other: UnknownMember<'_, 'a>,
) -> Result<Body<'a>, Code> {
    let values = &mut slots();
    read_with(reader, fields, values, other)?;
    Ok(Body::Row(RowPatch::of(values)))
}

/// A column that an event does not have. No member has this name, because JSON has no control characters.
const NONE: Field = optional("\0", Kind::Text);

static GENERATED: [Field; 8] = [
    required("domainId", Kind::Name),
    optional("domain", Kind::Name),
    nullable("offset", Kind::Signed),
    NONE,
    NONE,
    NONE,
    NONE,
    NONE,
];

static DNS_RESULT: [Field; 8] = [
    required("domainId", Kind::Name),
    optional("domain", Kind::Name),
    NONE,
    required("validationStatus", Kind::Text),
    NONE,
    NONE,
    NONE,
    NONE,
];

static HTTP_RESULT: [Field; 8] = [
    required("domainId", Kind::Name),
    optional("domain", Kind::Name),
    NONE,
    NONE,
    required("validationStatus", Kind::Text),
    nullable("httpStatus", Kind::HttpStatus),
    NONE,
    NONE,
];

fn read_removed<'a>(
    reader: &mut Reader<'a>,
    other: UnknownMember<'_, 'a>,
) -> Result<Body<'a>, Code> {
    let values = &mut slots();
    read_with(reader, &REMOVED, values, other)?;
    let [ids] = values;
    let list = &mut Reader::new(ids.raw().unwrap_or_default());
    read_list(list, EVENT_ROWS_MAX, Reader::text).map(Body::Removed)
}

static REMOVED: [Field; 1] = [required("domainIds", Kind::List)];

/// Reads an object whose member `domains` holds at most `limit` rows, beside the members of its table. Passes all
/// other members to `other`.
pub(super) fn read_with_rows<'a, const N: usize>(
    reader: &mut Reader<'a>,
    fields: &[Field; N],
    values: &mut [Value<'a>; N],
    limit: usize,
    other: UnknownMember<'_, 'a>,
) -> Result<Vec<RowPatch<'a>>, Code> {
    let mut rows = None;
    read_with(reader, fields, values, &mut |key, value| {
        if key != "domains" {
            return other(key, value);
        }
        let read = read_list(value, limit, RowPatch::read);
        rows = Some(read.map_err(|code| value.blame(code, "domains", "invalid"))?);
        Ok(())
    })?;
    let missing = || reader.blame(Code::InvalidContent, "domains", "missing");
    rows.ok_or_else(missing)
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

fn read_list_update<'a>(
    reader: &mut Reader<'a>,
    other: UnknownMember<'_, 'a>,
) -> Result<Body<'a>, Code> {
    let values = &mut slots();
    read_with(reader, &LIST_UPDATE, values, other)?;
    let [action, campaign] = values;
    let record = CampaignRecord::read_raw(reader, campaign)?;
    match (action.text_or_empty().as_ref(), record) {
        ("create" | "update", Some(record)) => Ok(Body::Record(Box::new(record))),
        ("create" | "update", None) => {
            Err(reader.blame(Code::InvalidContent, "campaign", "missing"))
        }
        ("delete", _) => Ok(Body::Deleted),
        _ => Ok(Body::Nothing),
    }
}

static LIST_UPDATE: [Field; 2] =
    [required("action", Kind::Text), nullable("campaign", Kind::Object)];

fn read_notification<'a>(
    reader: &mut Reader<'a>,
    other: UnknownMember<'_, 'a>,
) -> Result<Body<'a>, Code> {
    let values = &mut slots();
    read_with(reader, &NOTIFICATION, values, other)?;
    let [level, message] = values;
    let (level, message) = (level.string_or_empty(), message.string_or_empty());
    Ok(Body::Notification { level, message })
}

static NOTIFICATION: [Field; 2] = [required("level", Kind::Text), required("message", Kind::Text)];
