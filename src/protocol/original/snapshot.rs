//! A campaign's state as an application fetched it over REST.
//!
//! Two forms are read: our own single document, complete and perhaps with its position; and what
//! the original's routes answer, put together by the application: the campaign, its domains, and
//! perhaps the results of its validations. Lists of the original may be cut off, so their rows are
//! changes to known rows, never the whole table.

use std::borrow::Cow;

use super::body::first;
use super::envelope::{agree, is_object, is_there, read_campaign_id};
use super::record::RestCampaign;
use crate::protocol::body::read_list;
use crate::protocol::domain::{Patch, RowPatch};
use crate::protocol::envelope::members;
use crate::protocol::json::Reader;
use crate::protocol::order::sort;
use crate::protocol::schema::{
    Field, Kind, column, nullable, optional, read as read_by, read_raw, required, told,
};
use crate::protocol::snapshot::RestSnapshot;
use crate::protocol::{Code, Digest, Position};

/// Response envelopes lie at most this deep in one another.
const WRAPPERS_MAX: usize = 4;

/// Reads a snapshot.
///
/// # Errors
/// [`Code::FetchFailed`] for an answer that says that it failed; syntax errors;
/// [`Code::AmbiguousEnvelope`] for a repeated part; [`Code::InvalidCampaignId`];
/// [`Code::IntegerOutOfRange`]; [`Code::InvalidContent`].
pub fn read(json: &str) -> Result<RestSnapshot<'_>, Code> {
    let mut reader = Reader::new(json);
    let raw = reader.raw()?;
    reader.end()?;
    let parts = Parts::read(unwrap(raw)?)?;
    let page = |raw: Option<_>| raw.map_or(Ok(Page { rows: "null", total: None }), Page::read);
    let RestCampaign { id, record: mut campaign, domain_count } =
        RestCampaign::read(unwrap(parts.campaign.ok_or(Code::InvalidContent)?)?)?;
    let mut campaign_id = parts.campaign_id.map(read_campaign_id).transpose()?.flatten();
    agree(&mut campaign_id, id)?;

    if parts.position.is_some() && parts.domains.is_none() {
        return Err(Code::InvalidContent);
    }
    let domains = page(parts.domains)?;
    let mut rows = domains.read_rows(read_row)?;
    merge(&mut rows, page(parts.dns_results)?.read_rows(Outcome::read)?, Outcome::set_dns);
    merge(&mut rows, page(parts.http_results)?.read_rows(Outcome::read)?, Outcome::set_http);
    let counted = domains.total.unwrap_or_default().max(rows.len() as u64);
    campaign.total_domain_count = domain_count.unwrap_or(counted);
    Ok(RestSnapshot {
        campaign_id,
        position: parts.position,
        campaign,
        rows,
        domains_count: parts.domains_count,
        domains_digest: parts.domains_digest,
    })
}

/// The raw parts of a snapshot; `null` ones are absent.
struct Parts<'a> {
    campaign_id: Option<&'a str>,
    position: Option<Position>,
    campaign: Option<&'a str>,
    domains: Option<&'a str>,
    dns_results: Option<&'a str>,
    http_results: Option<&'a str>,
    domains_count: Option<u64>,
    domains_digest: Option<Digest>,
}

const PARTS: [&str; 11] = [
    "campaignId",
    "epoch",
    "sequenceNumber",
    "eventId",
    "campaign",
    "domains",
    "generatedDomains",
    "dnsResults",
    "httpResults",
    "domainsCount",
    "domainsDigest",
];

impl<'a> Parts<'a> {
    fn read(raw: &'a str) -> Result<Self, Code> {
        let mut reader = Reader::new(raw);
        if reader.peek() != b'{' {
            return Err(Code::InvalidContent);
        }
        let [campaign_id, epoch, number, event_id, campaign, domains, generated, results @ ..] =
            members(&mut reader, &PARTS, &mut 0)?.map(|part| part.filter(is_there));
        let [dns_results, http_results, count, digest] = results;
        if domains.is_some() && generated.is_some() {
            return Err(Code::AmbiguousEnvelope);
        }
        let value = |kind: Kind, raw: Option<&'a str>| {
            nullable("", kind).read(&mut Reader::new(raw.unwrap_or("null")))
        };
        // A number without its log is no position: servers differ in what they count.
        let position = if epoch.is_some() && number.is_some() {
            Some(Position {
                epoch: value(Kind::Epoch, epoch)?.epoch().ok_or(Code::InvalidContent)?,
                sequence_number: value(Kind::Unsigned, number)?.sequence_number(),
                event_id: value(Kind::EventId, event_id)?.string_or_empty(),
            })
        } else {
            None
        };
        Ok(Self {
            campaign_id,
            position,
            campaign,
            domains: domains.or(generated),
            dns_results,
            http_results,
            domains_count: value(Kind::Unsigned, count)?.unsigned(),
            domains_digest: value(Kind::Digest, digest)?.digest(),
        })
    }
}

/// Takes a value out of its response envelopes, `{status: "success", data}` or `{success, data}`.
fn unwrap(mut raw: &str) -> Result<&str, Code> {
    for _ in 0..WRAPPERS_MAX {
        if !is_object(&raw) {
            break;
        }
        let (mut success, mut data) = (None, None);
        Reader::new(raw).object(|key, value| {
            match (key.inner, value.peek()) {
                ("success", b't' | b'f') => success = Some(value.boolean()?),
                ("status", b'"') => match value.text()?.as_ref() {
                    "success" => success = Some(true),
                    "error" => success = Some(false),
                    _ => {}
                },
                ("data", _) => data = Some(value.raw()?),
                _ => value.skip()?,
            }
            Ok(())
        })?;
        match (success, data) {
            (Some(false), _) => return Err(Code::FetchFailed),
            (Some(true), Some(inner)) => raw = inner,
            _ => break,
        }
    }
    Ok(raw)
}

/// A list of rows, bare or as a page `{data, nextCursor?, totalCount}`.
struct Page<'a> {
    rows: &'a str,
    total: Option<u64>,
}

impl<'a> Page<'a> {
    fn read(raw: &'a str) -> Result<Self, Code> {
        let raw = unwrap(raw)?;
        if !is_object(&raw) {
            return Ok(Self { rows: raw, total: None });
        }
        let [rows, total] = read_raw(raw, &PAGE)?;
        Ok(Self { rows: rows.raw().unwrap_or_default(), total: total.unsigned() })
    }

    /// Reads the rows. Go writes `null` for an empty list.
    fn read_rows<T>(
        &self,
        read: impl FnMut(&mut Reader<'a>) -> Result<T, Code>,
    ) -> Result<Vec<T>, Code> {
        if !is_there(&self.rows) {
            return Ok(Vec::new());
        }
        read_list(&mut Reader::new(self.rows), usize::MAX, read)
    }
}

static PAGE: [Field; 2] = [required("data", Kind::Raw), optional("totalCount", Kind::Unsigned)];

/// Reads a row of either form (facts §8.1).
fn read_row<'a>(reader: &mut Reader<'a>) -> Result<RowPatch<'a>, Code> {
    let [id, older_id, domain, domain_name, offset, offset_index, results @ ..] =
        read_by(reader, &ROW)?;
    let [dns, http, code, lead, score] = results;
    let (id, offset) = (first([id, older_id]), first([offset, offset_index]));
    RowPatch::of([id, first([domain, domain_name]), offset, dns, http, code, lead, score])
}

static ROW: [Field; 11] = [
    optional("domainId", Kind::Text),
    optional("id", Kind::Text),
    column("domain", Kind::Text),
    column("domainName", Kind::Text),
    column("offset", Kind::Signed),
    column("offsetIndex", Kind::Signed),
    column("dnsStatus", Kind::Text),
    column("httpStatus", Kind::Text),
    column("httpStatusCode", Kind::HttpStatus),
    column("leadStatus", Kind::Text),
    column("leadScore", Kind::Float),
];

/// The outcome of one domain's validation (facts §8.2, §8.3).
struct Outcome<'a> {
    domain_id: Option<Cow<'a, str>>,
    name: Cow<'a, str>,
    status: Option<Cow<'a, str>>,
    code: Option<i32>,
    used: bool,
}

impl<'a> Outcome<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Code> {
        let [id, name, status, code] = read_by(reader, &OUTCOME)?;
        Ok(Self {
            name: name.text().ok_or(Code::InvalidContent)?,
            domain_id: id.text(),
            status: status.text(),
            code: code.signed().map(|code| code as i32),
            used: false,
        })
    }

    fn set_dns(&self, row: &mut RowPatch<'a>) {
        set(&mut row.dns_status, &self.status);
    }

    fn set_http(&self, row: &mut RowPatch<'a>) {
        set(&mut row.http_status, &self.status);
        set(&mut row.http_status_code, &self.code);
    }
}

static OUTCOME: [Field; 4] = [
    told("generatedDomainId", Kind::Text),
    told("domainName", Kind::Text),
    column("validationStatus", Kind::Text),
    column("httpStatusCode", Kind::HttpStatus),
];

/// Sets a column; an outcome that is not set says nothing against what the row has.
fn set<T: Clone>(column: &mut Patch<T>, outcome: &Option<T>) {
    if let Some(value) = outcome {
        *column = Patch::Value(value.clone());
    }
}

/// Puts outcomes into the rows of their names; the later of two wins. An outcome beyond the list
/// becomes a row of its own if it tells which.
fn merge<'a>(
    rows: &mut Vec<RowPatch<'a>>,
    mut outcomes: Vec<Outcome<'a>>,
    put: fn(&Outcome<'a>, &mut RowPatch<'a>),
) {
    let name = |at: u32| &outcomes[at as usize].name;
    let mut by_name: Vec<u32> = (0..outcomes.len() as u32).collect();
    // The later of two of one name comes first, and stays.
    sort(&mut by_name, &mut |one, other| name(one).cmp(name(other)).then(other.cmp(&one)));
    by_name.dedup_by(|later, earlier| name(*later) == name(*earlier));
    for row in rows.iter_mut() {
        let Some(wanted) = row.domain.value() else { continue };
        let found = by_name.binary_search_by(|&at| outcomes[at as usize].name.cmp(wanted));
        if let Ok(place) = found {
            let outcome = &mut outcomes[by_name[place] as usize];
            put(outcome, row);
            outcome.used = true;
        }
    }
    for at in by_name {
        let outcome = &mut outcomes[at as usize];
        if let (false, Some(domain_id)) = (outcome.used, outcome.domain_id.take()) {
            let mut row = RowPatch { domain_id, ..RowPatch::default() };
            put(outcome, &mut row);
            row.domain = Patch::Value(core::mem::take(&mut outcome.name));
            rows.push(row);
        }
    }
}
