//! The JavaScript side: what performs the effects.

use wasm_bindgen::prelude::*;

use crate::protocol::write::{JsonWriter, ToJson as _, to_json};
use crate::protocol::{CampaignId, Code};
use crate::sync::Notice;
use crate::sync::input::{ConnectionId, Ticket};
use crate::sync::log::LogRecord;

#[wasm_bindgen]
extern "C" {
    /// The interface of the JavaScript side: `hosts.perform(host, effect, detail)`, with the detail as JSON.
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
    /// | `answer` | the answer to the present call |
    /// | `refuse` | the code with which the present call failed |
    ///
    /// The package's JavaScript catches and reports its exceptions, as those of every import.
    #[wasm_bindgen(js_namespace = hosts, js_name = perform)]
    fn js_perform(host: u32, effect: &str, detail: &str);
}

/// The number under which JavaScript performs the effects of one client.
#[derive(Debug)]
pub(super) struct Host(u32);

impl Host {
    /// The host with this number.
    pub(super) const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Passes on the answer to a call, as JSON.
    pub(super) fn answer(&self, json: &str) {
        self.perform("answer", json);
    }

    /// Reports the code with which a call failed.
    pub(super) fn refuse(&self, code: Code) {
        self.perform_text("refuse", code.as_str());
    }

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
        self.perform_text("send", frame);
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

    fn perform_text(&self, effect: &str, text: &str) {
        let mut detail = JsonWriter::default();
        detail.string(text);
        self.perform(effect, &detail.into_text());
    }

    fn perform(&self, effect: &str, detail: &str) {
        js_perform(self.0, effect, detail);
    }
}

fn of_ticket(ticket: Ticket) -> JsonWriter {
    let mut detail = JsonWriter::object();
    detail.count("ticket", ticket.0);
    detail
}
