//! The options of the constructor.

use super::super::transport::Transport;
use crate::protocol::Code;
use crate::protocol::schema::{Field, Kind, Value, optional, read_raw};
use crate::sync::Config;

/// Reads the options: the configuration of the machine, and the transport of frames.
pub(in crate::browser) fn settings(json: &str) -> Result<(Config, Transport), Code> {
    let [has_token, has_fetch_snapshot, log, linger_ms, manual, url] = read_raw(json, &SETTINGS)?;
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
