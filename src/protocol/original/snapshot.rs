//! A campaign's state as an application fetched it over REST.
//!
//! Two forms are read: our own single document, complete and perhaps with its position; and what
//! the original's routes answer, put together by the application: the campaign, its domains, and
//! perhaps the results of its validations. Lists of the original may be cut off, so their rows are
//! changes to known rows, never the whole table.

use std::borrow::Cow;

use super::envelope::{agree, is_object, is_there, plain_name, read_campaign_id, set};
use super::nullable::{column, word};
use super::record::RestCampaign;
use crate::protocol::body::read_list;
use crate::protocol::campaign::CampaignRecord;
use crate::protocol::domain::{Patch, RowPatch, status_code};
use crate::protocol::json::Reader;
use crate::protocol::order::sort;
use crate::protocol::server::{read_epoch, read_event_id, read_sequence_number};
use crate::protocol::transition::read_digest;
use crate::protocol::{Code, Digest, Position};

/// What a `fetchSnapshot` answer tells.
#[derive(Clone, Debug, PartialEq)]
pub struct RestSnapshot<'a> {
    /// Which campaign, if it says so.
    pub campaign_id: Option<Cow<'a, str>>,
    /// The position whose state this is. Where there is one the rows are the whole table.
    pub position: Option<Position>,
    /// The campaign record.
    pub campaign: CampaignRecord,
    /// Rows; without a position, changes to rows.
    pub rows: Vec<RowPatch<'a>>,
    /// Rows of the whole table, if it says so.
    pub domains_count: Option<u64>,
    /// Digest of the whole table, if it says so.
    pub domains_digest: Option<Digest>,
}

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

    let position = parts.position()?;
    if position.is_some() && parts.domains.is_none() {
        return Err(Code::InvalidContent);
    }
    let domains = page(parts.domains)?;
    let mut rows = domains.read_rows(read_row)?;
    merge(&mut rows, page(parts.dns_results)?.read_rows(Outcome::read)?, Outcome::set_dns);
    merge(&mut rows, page(parts.http_results)?.read_rows(Outcome::read)?, Outcome::set_http);
    let counted = domains.total.unwrap_or_default().max(rows.len() as u64);
    campaign.total_domain_count = domain_count.unwrap_or(counted);
    let number = |raw| Reader::new(raw).unsigned();
    let digest = |raw| read_digest(&mut Reader::new(raw));
    Ok(RestSnapshot {
        campaign_id,
        position,
        campaign,
        rows,
        domains_count: parts.domains_count.map(number).transpose()?,
        domains_digest: parts.domains_digest.map(digest).transpose()?,
    })
}

/// The raw parts of a snapshot; `null` ones are absent.
#[derive(Default)]
struct Parts<'a> {
    campaign_id: Option<&'a str>,
    epoch: Option<&'a str>,
    sequence_number: Option<&'a str>,
    event_id: Option<&'a str>,
    campaign: Option<&'a str>,
    domains: Option<&'a str>,
    dns_results: Option<&'a str>,
    http_results: Option<&'a str>,
    domains_count: Option<&'a str>,
    domains_digest: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn read(raw: &'a str) -> Result<Self, Code> {
        let mut parts = Self::default();
        Reader::new(raw).object(|key, value| {
            let place = match plain_name(key)? {
                "campaignId" => &mut parts.campaign_id,
                "epoch" => &mut parts.epoch,
                "sequenceNumber" => &mut parts.sequence_number,
                "eventId" => &mut parts.event_id,
                "campaign" => &mut parts.campaign,
                "domains" | "generatedDomains" => &mut parts.domains,
                "dnsResults" => &mut parts.dns_results,
                "httpResults" => &mut parts.http_results,
                "domainsCount" => &mut parts.domains_count,
                "domainsDigest" => &mut parts.domains_digest,
                _ => return value.skip(),
            };
            match value.raw()? {
                "null" => Ok(()),
                raw => set(place, raw),
            }
        })?;
        Ok(parts)
    }

    /// A number without its log is no position: servers differ in what they count.
    fn position(&self) -> Result<Option<Position>, Code> {
        let (Some(epoch), Some(number)) = (self.epoch, self.sequence_number) else {
            return Ok(None);
        };
        let event_id = self.event_id.map(|raw| read_event_id(&mut Reader::new(raw))).transpose()?;
        Ok(Some(Position {
            epoch: read_epoch(&mut Reader::new(epoch))?,
            sequence_number: read_sequence_number(&mut Reader::new(number))?,
            event_id: event_id.unwrap_or_default(),
        }))
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
        let (mut rows, mut total) = (None, None);
        Reader::new(raw).object(|key, value| {
            match key.inner {
                "data" => rows = Some(value.raw()?),
                "totalCount" => total = Some(value.unsigned()?),
                _ => value.skip()?,
            }
            Ok(())
        })?;
        Ok(Self { rows: rows.ok_or(Code::InvalidContent)?, total })
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

/// Reads a row of either form (facts §8.1).
fn read_row<'a>(reader: &mut Reader<'a>) -> Result<RowPatch<'a>, Code> {
    let mut row = RowPatch::default();
    reader.object(|key, value| {
        match key.inner {
            "domainId" | "id" => row.domain_id = value.text()?,
            "domain" | "domainName" => row.domain = column(value, Reader::text)?,
            "offset" | "offsetIndex" => row.offset = column(value, Reader::signed)?,
            "dnsStatus" => row.dns_status = column(value, Reader::text)?,
            "httpStatus" => row.http_status = column(value, Reader::text)?,
            "httpStatusCode" => row.http_status_code = column(value, status_code)?,
            "leadStatus" => row.lead_status = column(value, Reader::text)?,
            "leadScore" => row.lead_score = column(value, Reader::float)?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    row.check()?;
    Ok(row)
}

/// The outcome of one domain's validation (facts §8.2, §8.3).
struct Outcome<'a> {
    domain_id: Option<Cow<'a, str>>,
    name: Cow<'a, str>,
    status: Patch<Cow<'a, str>>,
    code: Patch<i32>,
    used: bool,
}

impl<'a> Outcome<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Code> {
        let (mut domain_id, mut name) = (None, None);
        let (mut status, mut code) = (Patch::Absent, Patch::Absent);
        reader.object(|key, value| {
            match key.inner {
                "generatedDomainId" => domain_id = word(value)?,
                "domainName" => name = word(value)?,
                "validationStatus" => status = column(value, Reader::text)?,
                "httpStatusCode" => code = column(value, status_code)?,
                _ => value.skip()?,
            }
            Ok(())
        })?;
        let name = name.ok_or(Code::InvalidContent)?;
        Ok(Self { domain_id, name, status, code, used: false })
    }

    fn set_dns(&self, row: &mut RowPatch<'a>) {
        fill(&mut row.dns_status, &self.status);
    }

    fn set_http(&self, row: &mut RowPatch<'a>) {
        fill(&mut row.http_status, &self.status);
        fill(&mut row.http_status_code, &self.code);
    }
}

/// Sets a column; an outcome that is not set says nothing against what the row has.
fn fill<T: Clone>(column: &mut Patch<T>, outcome: &Patch<T>) {
    if outcome.value().is_some() {
        column.clone_from(outcome);
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
