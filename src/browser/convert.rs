//! Values across the boundary: plain objects with camelCase names, numbers that are exact.

use core::cell::Cell;

use js_sys::JSON;
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::JsValue;

use super::driver::Transport;
use crate::plain::ToPlain;
use crate::protocol::limits::INTEGER_MAX;
use crate::protocol::schema::{Field, Kind, Value, nullable, optional, read_raw};
use crate::protocol::{Code, Epoch, Position, SequenceNumber};
use crate::store::query::{DomainQuery, RowOrder, SortBy};
use crate::sync::Config;
use crate::sync::input::Ticket;

/// Rows of a page, if the query does not say.
const LIMIT_DEFAULT: usize = 100;

/// A value as plain objects, arrays, strings and numbers. One copy for all types: what they show of
/// themselves is of one type.
pub(super) fn to_js(value: &dyn ToPlain) -> JsValue {
    const SERIALIZER: Serializer =
        Serializer::new().serialize_missing_as_null(true).serialize_maps_as_objects(true);
    // Cannot fail: names are texts and numbers are exact.
    value.to_plain().serialize(&SERIALIZER).unwrap_or(JsValue::NULL)
}

/// What the constructor was asked for.
pub(super) fn settings(options: &JsValue) -> Result<(Config, Transport), Code> {
    let json = to_json(options)?;
    let [has_token, has_fetch_snapshot, log, linger_ms, dialect, manual, url] =
        read_raw(&json, &SETTINGS)?;
    let on = |flag: Value<'_>| flag.boolean().unwrap_or_default();
    let mut config = Config {
        has_token: on(has_token),
        has_fetch_snapshot: on(has_fetch_snapshot),
        log: on(log),
        ..Config::default()
    };
    if let Some(linger_ms) = linger_ms.unsigned() {
        config.linger_ms = linger_ms;
    }
    match dialect.text_or_empty().as_ref() {
        "" | "auto" => {}
        // A server that is known to say nothing of v1 is not waited for.
        "original" => config.negotiation_ms = 0,
        _ => return Err(Code::InvalidContent),
    }
    let transport = if on(manual) {
        Transport::Manual(Cell::default())
    } else {
        Transport::Socket(url.string().ok_or(Code::InvalidContent)?)
    };
    Ok((config, transport))
}

static SETTINGS: [Field; 7] = [
    optional("hasToken", Kind::Boolean),
    optional("hasFetchSnapshot", Kind::Boolean),
    optional("log", Kind::Boolean),
    optional("lingerMs", Kind::Unsigned),
    optional("dialect", Kind::Text),
    optional("manualTransport", Kind::Boolean),
    optional("url", Kind::Text),
];

/// Which rows, in which order. All of it is optional.
pub(super) fn query(query: &JsValue) -> Result<DomainQuery, Code> {
    let json = to_json(query)?;
    let [offset, limit, search, dns_status, http_status, lead_status, sort_by, order] =
        read_raw(&json, &QUERY)?;
    let saturated = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Ok(DomainQuery {
        offset: saturated(offset.count()),
        limit: limit.unsigned().map_or(LIMIT_DEFAULT, saturated),
        order: RowOrder {
            search: search.string_or_empty(),
            dns_status: dns_status.string(),
            http_status: http_status.string(),
            lead_status: lead_status.string(),
            sort_by: match sort_by.text_or_empty().as_ref() {
                "" | "offset" => SortBy::Offset,
                "domain" => SortBy::Domain,
                "dnsStatus" => SortBy::DnsStatus,
                "httpStatus" => SortBy::HttpStatus,
                "leadScore" => SortBy::LeadScore,
                _ => return Err(Code::InvalidContent),
            },
            descending: match order.text_or_empty().as_ref() {
                "" | "asc" => false,
                "desc" => true,
                _ => return Err(Code::InvalidContent),
            },
        },
    })
}

static QUERY: [Field; 8] = [
    optional("offset", Kind::Unsigned),
    optional("limit", Kind::Unsigned),
    nullable("search", Kind::Text),
    nullable("dnsStatus", Kind::Text),
    nullable("httpStatus", Kind::Text),
    nullable("leadStatus", Kind::Text),
    nullable("sortBy", Kind::Text),
    nullable("sortOrder", Kind::Text),
];

/// An object as JSON, read by a table like everything else: members that are `undefined` are left
/// out, and numbers that are none turn into `null`, which stands for no number in these tables.
fn to_json(object: &JsValue) -> Result<String, Code> {
    if object.is_undefined() {
        return Ok("{}".into());
    }
    JSON::stringify(object).map(String::from).map_err(|_| Code::InvalidContent)
}

/// A position to wait for.
pub(super) fn position(epoch: &str, sequence_number: f64) -> Result<Position, Code> {
    Ok(Position {
        epoch: Epoch::new(epoch)?,
        sequence_number: SequenceNumber::new(whole(sequence_number)?)?,
        event_id: String::new(),
    })
}

/// A ticket that we gave out, or that the JavaScript side made up for itself.
pub(super) fn ticket(number: f64) -> Result<Ticket, Code> {
    whole(number).map(Ticket)
}

fn whole(number: f64) -> Result<u64, Code> {
    let fits = number >= 0.0 && number <= INTEGER_MAX as f64 && number.trunc() == number;
    if fits { Ok(number as u64) } else { Err(Code::IntegerOutOfRange) }
}
