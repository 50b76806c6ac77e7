//! The JavaScript side: an object with one function for each thing the shell wants of it.

use wasm_bindgen::prelude::*;

use super::convert;
use crate::protocol::{CampaignId, Code};
use crate::sync::Notice;
use crate::sync::input::Ticket;
use crate::sync::log::LogRecord;

#[wasm_bindgen]
extern "C" {
    /// What the JavaScript side offers. Every function may throw: that is caught and reported.
    #[derive(Debug)]
    pub type Host;

    #[wasm_bindgen(method, catch, js_name = dispatch)]
    fn js_dispatch(this: &Host, kind: &str, detail: &JsValue) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = changed)]
    fn js_changed(this: &Host) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = requestToken)]
    fn js_request_token(this: &Host, ticket: f64) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = fetchSnapshot)]
    fn js_fetch_snapshot(this: &Host, ticket: f64, campaign_id: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = send)]
    fn js_send(this: &Host, frame: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = settle)]
    fn js_settle(this: &Host, ticket: f64, code: &JsValue) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch, js_name = log)]
    fn js_log(this: &Host, record: &JsValue) -> Result<(), JsValue>;

    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn console_error(error: &JsValue);
}

impl Host {
    /// Tells listeners.
    pub(super) fn notify(&self, notice: &Notice) {
        report(self.js_dispatch(notice.kind(), &convert::to_js(notice)));
    }

    /// Some view changed.
    pub(super) fn changed(&self) {
        report(self.js_changed());
    }

    /// Asks for a token.
    pub(super) fn request_token(&self, ticket: Ticket) {
        report(self.js_request_token(ticket.0 as f64));
    }

    /// Asks for a snapshot.
    pub(super) fn fetch_snapshot(&self, ticket: Ticket, campaign_id: &CampaignId) {
        report(self.js_fetch_snapshot(ticket.0 as f64, campaign_id.as_str()));
    }

    /// Sends a frame on the application's own transport.
    pub(super) fn send(&self, frame: &str) {
        report(self.js_send(frame));
    }

    /// Settles a promise.
    pub(super) fn settle(&self, ticket: Ticket, code: Option<Code>) {
        let code = code.map_or(JsValue::NULL, |code| code.as_str().into());
        report(self.js_settle(ticket.0 as f64, &code));
    }

    /// Prints a log record.
    pub(super) fn log(&self, record: &LogRecord) {
        report(self.js_log(&convert::to_js(record)));
    }
}

/// What a callback throws harms nobody else, and is not hidden either.
pub(super) fn report(result: Result<(), JsValue>) {
    if let Err(error) = result {
        console_error(&error);
    }
}
