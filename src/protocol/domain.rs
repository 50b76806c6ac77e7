//! A change to one domain row, as events and snapshots carry it.

use std::borrow::Cow;

use super::json::Reader;
use super::schema::{Field, Kind, Value, nullable, optional, read, required, slots};
use super::{Code, digest::RowFields};

/// One column of a change: unchanged, cleared or set.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Patch<T> {
    /// The change does not mention the column.
    #[default]
    Absent,
    /// The change clears the column.
    Null,
    /// The change sets the column.
    Value(T),
}

impl<T> Patch<T> {
    /// Builds the column that was read as `value`; `content` is the typed content of `value`.
    fn of(value: &Value<'_>, content: Option<T>) -> Self {
        match (value, content) {
            (Value::Absent, _) => Self::Absent,
            (_, Some(content)) => Self::Value(content),
            _ => Self::Null,
        }
    }

    /// The new value, if the change sets one.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }
}

/// The members of a row object.
static ROW: [Field; 8] = [
    required("domainId", Kind::Name),
    optional("domain", Kind::Name),
    nullable("offset", Kind::Signed),
    nullable("dnsStatus", Kind::Text),
    nullable("httpStatus", Kind::Text),
    nullable("httpStatusCode", Kind::HttpStatus),
    nullable("leadStatus", Kind::Text),
    nullable("leadScore", Kind::Float),
];

/// A change to one domain row. Absent columns stay as they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowPatch<'a> {
    /// The id of the row.
    pub domain_id: Cow<'a, str>,
    /// Domain name. It cannot be cleared, and a change that creates a row must set it.
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
        let values = &mut slots();
        read(reader, &ROW, values)?;
        Ok(Self::of(values))
    }

    /// Builds a row from the values of [`ROW`].
    pub(super) fn of(values: &[Value<'a>; 8]) -> Self {
        let [id, domain, offset, dns, http, http_code, lead, score] = values;
        Self {
            domain_id: id.text_or_empty(),
            domain: Patch::of(domain, domain.text()),
            offset: Patch::of(offset, offset.signed()),
            dns_status: Patch::of(dns, dns.text()),
            http_status: Patch::of(http, http.text()),
            http_status_code: Patch::of(http_code, http_code.signed().map(|code| code as i32)),
            lead_status: Patch::of(lead, lead.text()),
            lead_score: Patch::of(score, score.float()),
        }
    }

    /// The columns as a complete row. Absent and cleared columns are both `None`.
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
