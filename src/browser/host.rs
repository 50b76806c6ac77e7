//! The JavaScript side: an object that performs the effects.

use wasm_bindgen::prelude::*;

use crate::protocol::write::{JsonWriter, ToJson as _, to_json};
use crate::protocol::{CampaignId, Code};
use crate::sync::Notice;
use crate::sync::input::{ConnectionId, Ticket};
use crate::sync::log::LogRecord;

#[wasm_bindgen]
extern "C" {
    /// The interface of the JavaScript side: `perform(effect, detail)` with
    ///
    /// | effect | detail |
    /// | --- | --- |
    /// | the name of a notice | the detail of the notice |
    /// | `changed` | none: some view changed |
    /// | `open` | a number for a new connection: opens a socket |
    /// | `send` | a frame for the present socket |
    /// | `closeSocket` | a close code: closes the present socket |
    /// | `requestToken` | `{ticket}` |
    /// | `renewSession` | `{ticket, attempt}` |
    /// | `fetchSnapshot` | `{ticket, campaignId}` |
    /// | `signedOut` | none: drops all copies of the former session's data |
    /// | `settle` | `{ticket, code}`: settles a promise |
    /// | `log` | a log record |
    /// | `wakeIn` | milliseconds until the command `timer`, in place of the time before; `null` for no timer |
    ///
    /// The package's JavaScript catches and reports its exceptions, as those of every import.
    #[derive(Debug)]
    pub type Host;

    #[wasm_bindgen(method, js_name = perform)]
    fn js_perform(this: &Host, effect: &str, detail: &JsValue);

    /// Makes a JavaScript value of JSON. The text is the core's, so it is valid.
    #[wasm_bindgen(js_namespace = JSON, js_name = parse)]
    pub(super) fn to_js(json: &str) -> JsValue;
}

impl Host {
    /// Sends a notice to the listeners, with the name of its campaign.
    pub(super) fn notify(&self, notice: &Notice, name: Option<&str>) {
        let mut detail = JsonWriter::object();
        notice.show(&mut detail);
        detail.optional_text("campaignName", name);
        self.perform(notice.kind(), &detail.finish());
    }

    /// Reports that some view changed.
    pub(super) fn changed(&self) {
        self.perform("changed", "null");
    }

    /// Reports that the data of the former session is gone.
    pub(super) fn signed_out(&self) {
        self.perform("signedOut", "null");
    }

    /// Requests a token.
    pub(super) fn request_token(&self, ticket: Ticket) {
        self.perform("requestToken", &of_ticket(ticket).finish());
    }

    /// Requests another session.
    pub(super) fn renew_session(&self, ticket: Ticket, attempt: u32) {
        let mut detail = of_ticket(ticket);
        detail.count("attempt", attempt.into());
        self.perform("renewSession", &detail.finish());
    }

    /// Requests a snapshot.
    pub(super) fn fetch_snapshot(&self, ticket: Ticket, campaign_id: &CampaignId) {
        let mut detail = of_ticket(ticket);
        detail.text("campaignId", campaign_id.as_str());
        self.perform("fetchSnapshot", &detail.finish());
    }

    /// Opens a socket.
    pub(super) fn open(&self, connection: ConnectionId) {
        self.perform_number("open", connection.0);
    }

    /// Closes the present socket.
    pub(super) fn close_socket(&self, code: u16) {
        self.perform_number("closeSocket", code.into());
    }

    /// Sends a frame on the present socket.
    pub(super) fn send(&self, frame: &str) {
        let mut detail = JsonWriter::default();
        detail.string(frame);
        self.perform("send", &detail.into_text());
    }

    /// Settles a promise.
    pub(super) fn settle(&self, ticket: Ticket, code: Option<Code>) {
        let mut detail = of_ticket(ticket);
        detail.nullable_text("code", code.map(Code::as_str));
        self.perform("settle", &detail.finish());
    }

    /// Prints a log record.
    pub(super) fn log(&self, record: &LogRecord) {
        self.perform("log", &to_json(record));
    }

    /// Arms the timer.
    pub(super) fn wake_in(&self, delay_ms: Option<u64>) {
        match delay_ms {
            Some(delay_ms) => self.perform_number("wakeIn", delay_ms),
            None => self.perform("wakeIn", "null"),
        }
    }

    fn perform_number(&self, effect: &str, number: u64) {
        let mut detail = JsonWriter::default();
        detail.number(number);
        self.perform(effect, &detail.into_text());
    }

    fn perform(&self, effect: &str, detail: &str) {
        self.js_perform(effect, &to_js(detail));
    }
}

fn of_ticket(ticket: Ticket) -> JsonWriter {
    let mut detail = JsonWriter::object();
    detail.count("ticket", ticket.0);
    detail
}
