//! Tables that define the content of messages, and the one loop that reads messages by these
//! tables.
//!
//! A separate reader per message took a third of the module. A table entry takes twelve bytes, and
//! all messages share the rules for members that are missing, `null` or of the wrong type.

use std::borrow::Cow;

use super::json::{RawStr, Reader};
use super::limits::SUBJECT_BYTES_MAX;
use super::position::{Epoch, is_token};
use super::{Code, Digest, Phase, SequenceNumber, Status, id::is_campaign_id};

/// A member that a message may have.
pub(crate) struct Field {
    name: &'static str,
    kind: Kind,
    presence: Presence,
}

/// The type of a member's value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// A string that is not empty.
    Name,
    CampaignId,
    /// The subject of a session.
    Subject,
    Epoch,
    /// An event id, or an empty string if there is no event.
    EventId,
    Phase,
    Status,
    Digest,
    /// 0 to 2^53 − 1.
    Unsigned,
    Signed,
    /// An i32 above [`i32::MIN`]. The row table stores [`i32::MIN`] for "none".
    HttpStatus,
    Float,
    Boolean,
    /// An object, as raw text.
    Object,
    /// A list, as raw text.
    List,
}

/// Whether a member may be missing or `null`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Required,
    Optional,
    Nullable,
}

/// A member that must be present.
pub(crate) const fn required(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, presence: Presence::Required }
}

/// A member that may be missing, but not `null`.
pub(crate) const fn optional(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, presence: Presence::Optional }
}

/// A member that may be missing or `null`. For a column of a row, `null` clears the column.
pub(crate) const fn nullable(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, presence: Presence::Nullable }
}

/// A member's value, checked to be of its kind. The accessors return `None` if the member is absent
/// or `null`. Reading has already checked that each [`required`] member is present.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Value<'a> {
    #[default]
    Absent,
    Null,
    Text(RawStr<'a>),
    Phase(Phase),
    Status(Status),
    Digest(Digest),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Raw(&'a str),
}

impl<'a> Value<'a> {
    /// Whether the member is neither absent nor `null`.
    pub(crate) const fn is_set(&self) -> bool {
        !matches!(self, Self::Absent | Self::Null)
    }

    /// The string as it is written, for every kind that is kept as a string.
    #[inline(never)]
    pub(crate) const fn raw_str(&self) -> Option<RawStr<'a>> {
        if let Self::Text(text) = *self { Some(text) } else { None }
    }

    /// The string as it is written, or an empty string.
    pub(crate) fn raw_str_or_empty(&self) -> RawStr<'a> {
        self.raw_str().unwrap_or_default()
    }

    /// The string, for every kind that is kept as a string.
    pub(crate) fn text(&self) -> Option<Cow<'a, str>> {
        if let Self::Text(text) = self { Some(text.value()) } else { None }
    }

    /// The string, or an empty string.
    pub(crate) fn text_or_empty(&self) -> Cow<'a, str> {
        self.text().unwrap_or_default()
    }

    /// An owned copy of the string.
    pub(crate) fn string(&self) -> Option<String> {
        self.text().map(Cow::into_owned)
    }

    /// An owned copy of the string, or an empty string.
    pub(crate) fn string_or_empty(&self) -> String {
        self.string().unwrap_or_default()
    }

    pub(crate) fn epoch(&self) -> Option<Epoch> {
        self.text().and_then(|text| Epoch::new(&text).ok())
    }

    #[inline(never)]
    pub(crate) const fn phase(&self) -> Option<Phase> {
        if let Self::Phase(phase) = *self { Some(phase) } else { None }
    }

    #[inline(never)]
    pub(crate) const fn status(&self) -> Option<Status> {
        if let Self::Status(status) = *self { Some(status) } else { None }
    }

    #[inline(never)]
    pub(crate) const fn digest(&self) -> Option<Digest> {
        if let Self::Digest(digest) = *self { Some(digest) } else { None }
    }

    #[inline(never)]
    pub(crate) const fn signed(&self) -> Option<i64> {
        if let Self::Integer(number) = *self { Some(number) } else { None }
    }

    #[inline(never)]
    pub(crate) const fn unsigned(&self) -> Option<u64> {
        if let Self::Integer(number) = *self { Some(number.unsigned_abs()) } else { None }
    }

    /// The count, or 0.
    #[inline(never)]
    pub(crate) fn count(&self) -> u64 {
        self.unsigned().unwrap_or_default()
    }

    /// The sequence number, or 0.
    #[inline(never)]
    pub(crate) fn sequence_number(&self) -> SequenceNumber {
        SequenceNumber::new(self.count()).unwrap_or_default()
    }

    #[inline(never)]
    pub(crate) const fn float(&self) -> Option<f64> {
        if let Self::Float(number) = *self { Some(number) } else { None }
    }

    #[inline(never)]
    pub(crate) const fn boolean(&self) -> Option<bool> {
        if let Self::Boolean(flag) = *self { Some(flag) } else { None }
    }

    #[inline(never)]
    pub(crate) const fn raw(&self) -> Option<&'a str> {
        if let Self::Raw(raw) = *self { Some(raw) } else { None }
    }
}

/// Handles a member that the table does not name.
pub(crate) type UnknownMember<'o, 'a> =
    &'o mut dyn FnMut(&str, &mut Reader<'a>) -> Result<(), Code>;

/// Places for the values of a table. They are passed by reference, because a copy of each value where it is used would
/// take a tenth of the readers.
pub(crate) const fn slots<'a, const N: usize>() -> [Value<'a>; N] {
    [Value::Absent; N]
}

/// Reads an object by its table. Members that the table does not name are ignored.
///
/// # Errors
/// [`Code::InvalidContent`] for anything that breaks the table; [`Code::IntegerOutOfRange`];
/// [`Code::InvalidCampaignId`]; syntax errors.
pub(crate) fn read<'a, const N: usize>(
    reader: &mut Reader<'a>,
    fields: &[Field; N],
    values: &mut [Value<'a>; N],
) -> Result<(), Code> {
    read_all(reader, fields, values, &mut ignore)
}

/// Like [`read`], for the raw text of an object. Text after the object is not checked.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_raw<'a, const N: usize>(
    raw: &'a str,
    fields: &[Field; N],
    values: &mut [Value<'a>; N],
) -> Result<(), Code> {
    read(&mut Reader::new(raw), fields, values)
}

/// Like [`read`], but passes members that the table does not name to `other`.
///
/// # Errors
/// As [`read`], and errors of `other`.
pub(crate) fn read_with<'a, const N: usize>(
    reader: &mut Reader<'a>,
    fields: &[Field; N],
    values: &mut [Value<'a>; N],
    other: UnknownMember<'_, 'a>,
) -> Result<(), Code> {
    read_all(reader, fields, values, other)
}

fn read_all<'a>(
    reader: &mut Reader<'a>,
    fields: &[Field],
    values: &mut [Value<'a>],
    other: UnknownMember<'_, 'a>,
) -> Result<(), Code> {
    let mut next = 0;
    reader.object(|key, value| take(fields, values, &mut next, (key.inner, value), other))?;
    check(reader, fields, values)
}

/// Ignores a member that the table does not name.
pub(crate) fn ignore(_: &str, value: &mut Reader<'_>) -> Result<(), Code> {
    value.skip()
}

/// Reads one member into the slot of its field. Senders write members in one order, so the search
/// begins at `next`, the field after the last match.
///
/// # Errors
/// As [`read_with`].
fn take<'a>(
    fields: &[Field],
    values: &mut [Value<'a>],
    next: &mut usize,
    (key, reader): (&str, &mut Reader<'a>),
    other: UnknownMember<'_, 'a>,
) -> Result<(), Code> {
    for _ in fields {
        if *next == fields.len() {
            *next = 0;
        }
        let at = *next;
        *next += 1;
        let (Some(field), Some(place)) = (fields.get(at), values.get_mut(at)) else { break };
        if field.name == key {
            *place =
                field.read(reader).map_err(|code| reader.blame(code, field.name, "invalid"))?;
            return Ok(());
        }
    }
    other(key, reader)
}

/// Checks that all required members are present.
///
/// # Errors
/// [`Code::InvalidContent`] if one is missing.
fn check(reader: &mut Reader<'_>, fields: &[Field], values: &[Value<'_>]) -> Result<(), Code> {
    for (field, value) in fields.iter().zip(values) {
        if field.presence == Presence::Required && matches!(value, Value::Absent) {
            return Err(reader.blame(Code::InvalidContent, field.name, "missing"));
        }
    }
    Ok(())
}

impl Field {
    /// Reads the value of this field.
    ///
    /// # Errors
    /// As [`read`].
    fn read<'a>(&self, reader: &mut Reader<'a>) -> Result<Value<'a>, Code> {
        if self.presence == Presence::Nullable && reader.null()? {
            return Ok(Value::Null);
        }
        Ok(match self.kind {
            Kind::Unsigned => Value::Integer(reader.unsigned()? as i64),
            Kind::Signed => Value::Integer(reader.signed()?),
            Kind::HttpStatus => Value::Integer(reader.signed().and_then(http_status)?),
            Kind::Float => Value::Float(reader.float()?),
            Kind::Boolean => Value::Boolean(reader.boolean()?),
            Kind::Object if reader.peek() == '{' => Value::Raw(reader.raw()?),
            Kind::List if reader.peek() == '[' => Value::Raw(reader.raw()?),
            Kind::Object | Kind::List => return Err(Code::InvalidContent),
            _ => return self.read_text(reader.string()?),
        })
    }

    fn read_text<'a>(&self, raw: RawStr<'a>) -> Result<Value<'a>, Code> {
        let text = raw.value();
        let checked = |ok: bool| if ok { Some(Value::Text(raw)) } else { None };
        let value = match self.kind {
            Kind::CampaignId if is_campaign_id(&text) => checked(true),
            Kind::CampaignId => return Err(Code::InvalidCampaignId),
            Kind::Name => checked(!text.is_empty()),
            Kind::Subject => checked(text.len() <= SUBJECT_BYTES_MAX),
            Kind::Epoch => checked(is_token(&text)),
            Kind::EventId => checked(text.is_empty() || is_token(&text)),
            Kind::Phase => Phase::parse(&text).map(Value::Phase),
            Kind::Status => Status::parse(&text).map(Value::Status),
            Kind::Digest => Digest::parse(&text).map(Value::Digest),
            _ => checked(true),
        };
        value.ok_or(Code::InvalidContent)
    }
}

/// [`i32::MIN`] is reserved for "none".
fn http_status(code: i64) -> Result<i64, Code> {
    if i32::try_from(code).is_ok_and(|code| code > i32::MIN) {
        Ok(code)
    } else {
        Err(Code::InvalidContent)
    }
}
