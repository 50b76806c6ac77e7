//! Values across the boundary: plain objects with camelCase names, numbers that are exact.

use core::cell::Cell;

use js_sys::Reflect;
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::JsValue;

use super::driver::Transport;
use crate::plain::ToPlain;
use crate::protocol::limits::INTEGER_MAX;
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
    let mut config = Config {
        has_token: flag(options, "hasToken")?,
        has_fetch_snapshot: flag(options, "hasFetchSnapshot")?,
        log: flag(options, "log")?,
        ..Config::default()
    };
    if let Some(linger_ms) = natural(options, "lingerMs")? {
        config.linger_ms = linger_ms;
    }
    match text(options, "dialect")?.as_deref() {
        None | Some("auto") => {}
        // A server that is known to say nothing of v1 is not waited for.
        Some("original") => config.negotiation_ms = 0,
        Some(_) => return Err(Code::InvalidContent),
    }
    let transport = if flag(options, "manualTransport")? {
        Transport::Manual(Cell::default())
    } else {
        Transport::Socket(text(options, "url")?.ok_or(Code::InvalidContent)?)
    };
    Ok((config, transport))
}

/// Which rows, in which order. All of it is optional.
pub(super) fn query(value: &JsValue) -> Result<DomainQuery, Code> {
    if value.is_undefined() || value.is_null() {
        return Ok(DomainQuery { limit: LIMIT_DEFAULT, ..DomainQuery::default() });
    }
    let limit = natural(value, "limit")?;
    Ok(DomainQuery {
        offset: natural(value, "offset")?.map_or(0, saturated),
        limit: limit.map_or(LIMIT_DEFAULT, saturated),
        order: RowOrder {
            search: text(value, "search")?.unwrap_or_default(),
            dns_status: text(value, "dnsStatus")?,
            http_status: text(value, "httpStatus")?,
            lead_status: text(value, "leadStatus")?,
            sort_by: match text(value, "sortBy")?.as_deref() {
                None | Some("offset") => SortBy::Offset,
                Some("domain") => SortBy::Domain,
                Some("dnsStatus") => SortBy::DnsStatus,
                Some("httpStatus") => SortBy::HttpStatus,
                Some("leadScore") => SortBy::LeadScore,
                Some(_) => return Err(Code::InvalidContent),
            },
            descending: match text(value, "sortOrder")?.as_deref() {
                None | Some("asc") => false,
                Some("desc") => true,
                Some(_) => return Err(Code::InvalidContent),
            },
        },
    })
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

fn saturated(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A member, or `None` where it is `undefined` or `null`.
fn member(object: &JsValue, name: &str) -> Result<Option<JsValue>, Code> {
    let value = Reflect::get(object, &name.into()).map_err(|_| Code::InvalidContent)?;
    Ok(Some(value).filter(|value| !value.is_undefined() && !value.is_null()))
}

fn text(object: &JsValue, name: &str) -> Result<Option<String>, Code> {
    let Some(value) = member(object, name)? else { return Ok(None) };
    value.as_string().map(Some).ok_or(Code::InvalidContent)
}

fn flag(object: &JsValue, name: &str) -> Result<bool, Code> {
    let Some(value) = member(object, name)? else { return Ok(false) };
    value.as_bool().ok_or(Code::InvalidContent)
}

fn natural(object: &JsValue, name: &str) -> Result<Option<u64>, Code> {
    let Some(value) = member(object, name)? else { return Ok(None) };
    whole(value.as_f64().ok_or(Code::InvalidContent)?).map(Some)
}
