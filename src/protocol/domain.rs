//! A change to one domain row, as events and snapshots carry it.

use std::borrow::Cow;

use super::json::{RawStr, Reader};
use super::{Code, digest::RowFields};

/// A column in a change: left alone, cleared, or set.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Patch<T> {
    /// Not mentioned.
    #[default]
    Absent,
    /// Set to nothing.
    Null,
    /// Set.
    Value(T),
}

impl<T> Patch<T> {
    /// The value, where one is set.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }
}

/// A change to one domain row: absent columns stay as they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowPatch<'a> {
    /// Which row.
    pub domain_id: Cow<'a, str>,
    /// Domain name; cannot be cleared, and an unknown row needs it.
    pub domain: Patch<Cow<'a, str>>,
    /// Place in the generated sequence.
    pub offset: Patch<i64>,
    /// Outcome of DNS validation.
    pub dns_status: Patch<Cow<'a, str>>,
    /// Outcome of HTTP validation.
    pub http_status: Patch<Cow<'a, str>>,
    /// HTTP status code, an i32.
    pub http_status_code: Patch<i32>,
    /// Outcome of the analysis.
    pub lead_status: Patch<Cow<'a, str>>,
    /// Score of the analysis.
    pub lead_score: Patch<f64>,
}

impl<'a> RowPatch<'a> {
    /// Reads a row object: `{domainId, domain?, offset?, dnsStatus?, httpStatus?, httpStatusCode?,
    /// leadStatus?, leadScore?}`. Unknown members are ignored.
    ///
    /// # Errors
    /// [`Code::InvalidContent`], syntax errors.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, Code> {
        let mut row = Self::default();
        reader.object(|key, value| row.member(key, value))?;
        row.check()?;
        Ok(row)
    }

    /// A row's id must be there and its name cannot be cleared.
    pub(super) fn check(&self) -> Result<(), Code> {
        let unnamed = match &self.domain {
            Patch::Absent => false,
            Patch::Null => true,
            Patch::Value(name) => name.is_empty(),
        };
        if self.domain_id.is_empty() || unnamed { Err(Code::InvalidContent) } else { Ok(()) }
    }

    fn member(&mut self, key: RawStr<'a>, value: &mut Reader<'a>) -> Result<(), Code> {
        match key.inner {
            "domainId" => self.domain_id = value.text()?,
            "domain" => self.domain = patch(value, Reader::text)?,
            "offset" => self.offset = patch(value, Reader::signed)?,
            "dnsStatus" => self.dns_status = patch(value, Reader::text)?,
            "httpStatus" => self.http_status = patch(value, Reader::text)?,
            "httpStatusCode" => self.http_status_code = patch(value, status_code)?,
            "leadStatus" => self.lead_status = patch(value, Reader::text)?,
            "leadScore" => self.lead_score = patch(value, Reader::float)?,
            _ => value.skip()?,
        }
        Ok(())
    }

    /// The columns as a complete row, absent and cleared ones alike being nothing.
    pub fn fields(&self) -> RowFields<'_> {
        RowFields {
            domain_id: &self.domain_id,
            domain: self.domain.value().map(Cow::as_ref),
            offset: self.offset.value().copied(),
            dns_status: self.dns_status.value().map(Cow::as_ref),
            http_status: self.http_status.value().map(Cow::as_ref),
            http_status_code: self.http_status_code.value().map(|&code| i64::from(code)),
            lead_status: self.lead_status.value().map(Cow::as_ref),
            lead_score: self.lead_score.value().copied(),
        }
    }
}

/// Reads a column: `null` clears it.
pub(super) fn patch<'a, T>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Code>,
) -> Result<Patch<T>, Code> {
    if reader.null()? { Ok(Patch::Null) } else { read(reader).map(Patch::Value) }
}

/// Reads an HTTP status code. [`i32::MIN`] is kept free for "none".
pub(super) fn status_code(reader: &mut Reader<'_>) -> Result<i32, Code> {
    match i32::try_from(reader.signed()?) {
        Ok(code) if code > i32::MIN => Ok(code),
        _ => Err(Code::InvalidContent),
    }
}

/// Reads a value that may be `null`, which is nothing.
pub(super) fn optional<'a, T>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Code>,
) -> Result<Option<T>, Code> {
    if reader.null()? { Ok(None) } else { read(reader).map(Some) }
}
