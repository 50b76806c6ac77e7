//! The options of the constructor.

use js_sys::JSON;
use wasm_bindgen::JsValue;

use super::super::transport::Transport;
use crate::protocol::Code;
use crate::protocol::schema::{Field, Kind, Value, optional, read_raw};
use crate::sync::Config;

/// Reads the options: how the machine behaves, and what carries the frames.
pub(in crate::browser) fn settings(options: &JsValue) -> Result<(Config, Transport), Code> {
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
        Transport::manual()
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

/// An object as JSON, read by a table like everything else: members that are `undefined` are left
/// out, and numbers that are none turn into `null`, which stands for no number in these tables.
fn to_json(object: &JsValue) -> Result<String, Code> {
    JSON::stringify(object).map(String::from).map_err(|_| Code::InvalidContent)
}
