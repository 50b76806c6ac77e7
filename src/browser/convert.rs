//! Values across the boundary: plain objects with camelCase names, numbers that are exact.

use core::cell::Cell;
use std::borrow::Cow;

use js_sys::JSON;
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::JsValue;

use super::driver::Transport;
use crate::plain::Plain;
use crate::protocol::schema::{Field, Kind, Value, lookup, nullable, optional, read_raw, required};
use crate::protocol::{CampaignId, Code, Position};
use crate::store::query::{DomainQuery, RowOrder, SortBy};
use crate::sync::input::Ticket;
use crate::sync::{Config, Input};

/// Rows of a page, if the query does not say.
const LIMIT_DEFAULT: usize = 100;

/// Plain data as objects, arrays, strings and numbers.
pub(super) fn to_js(value: Plain<'_>) -> JsValue {
    const SERIALIZER: Serializer =
        Serializer::new().serialize_missing_as_null(true).serialize_maps_as_objects(true);
    // Cannot fail: names are texts and numbers are exact.
    value.serialize(&SERIALIZER).unwrap_or(JsValue::NULL)
}

/// What the constructor was asked for.
pub(super) fn settings(options: &JsValue) -> Result<(Config, Transport), Code> {
    let json = to_json(options)?;
    let [has_token, has_fetch_snapshot, log, linger_ms, manual, url] = read_raw(&json, &SETTINGS)?;
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
    let transport = if on(manual) {
        Transport::Manual(Cell::default())
    } else {
        Transport::Socket(url.string().ok_or(Code::InvalidContent)?)
    };
    Ok((config, transport))
}

static SETTINGS: [Field; 6] = [
    optional("hasToken", Kind::Boolean),
    optional("hasFetchSnapshot", Kind::Boolean),
    optional("log", Kind::Boolean),
    optional("lingerMs", Kind::Unsigned),
    optional("manualTransport", Kind::Boolean),
    optional("url", Kind::Text),
];

/// What a command asks for: an input of the machine, or something of the driver itself.
pub(super) enum Command {
    Input(Input<'static>),
    Close,
    Opened,
    Closed(u16),
}

/// Reads a command.
pub(super) fn command(json: &str) -> Result<Command, Code> {
    let [command, id, epoch, number, ticket, token, code] = read_raw(json, &COMMAND)?;
    let id = || CampaignId::new(&id.text_or_empty());
    let ticket = Ticket(ticket.count());
    Ok(Command::Input(match command.text_or_empty().as_ref() {
        "connect" => Input::Connect,
        "close" => return Ok(Command::Close),
        "opened" => return Ok(Command::Opened),
        "closed" => {
            let code = u16::try_from(code.count()).map_err(|_| Code::InvalidContent)?;
            return Ok(Command::Closed(code));
        }
        "retain" => Input::Retain(id()?),
        "release" => Input::Release(id()?),
        "refresh" => Input::Refresh(id()?),
        "discardUnconfirmed" => Input::DiscardUnconfirmed(id()?),
        "reached" => {
            let position = Position {
                epoch: epoch.epoch().ok_or(Code::InvalidContent)?,
                sequence_number: number.sequence_number(),
                event_id: String::new(),
            };
            Input::Await(id()?, position, ticket)
        }
        "token" => Input::Token(ticket, token.string()),
        _ => return Err(Code::InvalidContent),
    }))
}

static COMMAND: [Field; 7] = [
    required("command", Kind::Text),
    optional("campaignId", Kind::CampaignId),
    optional("epoch", Kind::Epoch),
    optional("sequenceNumber", Kind::Unsigned),
    optional("ticket", Kind::Unsigned),
    optional("token", Kind::Text),
    optional("code", Kind::Unsigned),
];

/// What there is to see.
#[derive(Clone, Copy)]
pub(super) enum Question {
    View,
    Status,
    Domains,
    Changes,
    Metrics,
    Diagnostics,
}

/// Reads a question: what, of which campaign, and for rows which of them in which order.
pub(super) fn question(json: &str) -> Result<(Question, Cow<'_, str>, DomainQuery), Code> {
    let [what, campaign_id, offset, limit, search, statuses @ ..] = read_raw(json, &QUESTION)?;
    let [dns_status, http_status, lead_status, sort_by, order] = statuses;
    let saturated = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let query = DomainQuery {
        offset: saturated(offset.count()),
        limit: limit.unsigned().map_or(LIMIT_DEFAULT, saturated),
        order: RowOrder {
            search: search.string_or_empty(),
            dns_status: dns_status.string(),
            http_status: http_status.string(),
            lead_status: lead_status.string(),
            sort_by: word(sort_by, &SORT_BY)?,
            descending: word(order, &[("asc", false), ("desc", true)])?,
        },
    };
    let question = word(what, &QUESTIONS)?;
    Ok((question, campaign_id.text_or_empty(), query))
}

/// What a word stands for; the first of them where there is none.
fn word<T: Copy>(value: Value<'_>, words: &[(&str, T)]) -> Result<T, Code> {
    let first = words.first().map(|&(_, meaning)| meaning);
    let found = match value.text() {
        Some(text) => lookup(words, &text),
        None => first,
    };
    found.ok_or(Code::InvalidContent)
}

static SORT_BY: [(&str, SortBy); 5] = [
    ("offset", SortBy::Offset),
    ("domain", SortBy::Domain),
    ("dnsStatus", SortBy::DnsStatus),
    ("httpStatus", SortBy::HttpStatus),
    ("leadScore", SortBy::LeadScore),
];

static QUESTIONS: [(&str, Question); 6] = [
    ("view", Question::View),
    ("status", Question::Status),
    ("domains", Question::Domains),
    ("changes", Question::Changes),
    ("metrics", Question::Metrics),
    ("diagnostics", Question::Diagnostics),
];

static QUESTION: [Field; 10] = [
    required("read", Kind::Text),
    optional("campaignId", Kind::Text),
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
    JSON::stringify(object).map(String::from).map_err(|_| Code::InvalidContent)
}
