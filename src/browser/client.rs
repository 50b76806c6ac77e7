//! The class that the package's JavaScript uses. It is no public API: `pkg/` is.

use std::rc::Rc;

use wasm_bindgen::prelude::*;

use super::driver::{Driver, Transport};
use super::host::Host;
use super::{clock, convert};
use crate::plain::{Plain, Record, ToPlain};
use crate::protocol::frame::Frame;
use crate::protocol::{CampaignId, Code};
use crate::store::CampaignView;
use crate::sync::{Input, Machine, Now, Status};

/// One machine with its connection. What is thrown is a code from the closed list.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Client {
    driver: Rc<Driver>,
}

#[wasm_bindgen]
impl Client {
    /// A client at rest. Options: `url` or `manualTransport`, `hasToken`, `hasFetchSnapshot`,
    /// `lingerMs?`, `dialect?`, `log?`.
    ///
    /// # Errors
    /// `invalid_content` for options of the wrong type, or without a transport.
    #[wasm_bindgen(constructor)]
    pub fn new(options: &JsValue, host: Host) -> Result<Self, Code> {
        let (config, transport) = convert::settings(options)?;
        Ok(Self { driver: Driver::new(config, transport, host) })
    }

    /// Opens the connection, or opens it again after it was given up.
    ///
    /// # Errors
    /// `closed`.
    pub fn connect(&self) -> Result<(), Code> {
        self.ask(Input::Connect)
    }

    /// Closes for good.
    ///
    /// # Errors
    /// `closed`, if it is already.
    pub fn close(&self) -> Result<(), Code> {
        self.driver.may_ask()?;
        self.driver.close();
        Ok(())
    }

    /// Holds a campaign, once more.
    ///
    /// # Errors
    /// `invalid_campaign_id`, `closed`.
    pub fn retain(&self, campaign_id: &str) -> Result<(), Code> {
        self.ask(Input::Retain(CampaignId::new(campaign_id)?))
    }

    /// Lets go of a campaign, once.
    ///
    /// # Errors
    /// `invalid_campaign_id`, `closed`.
    pub fn release(&self, campaign_id: &str) -> Result<(), Code> {
        self.ask(Input::Release(CampaignId::new(campaign_id)?))
    }

    /// Takes a frame that another transport received, as UTF-8. Bad input is refused and counted,
    /// never thrown. Returns how many events were applied.
    ///
    /// # Errors
    /// `closed`.
    pub fn receive(&self, frame: &[u8]) -> Result<u32, Code> {
        self.driver.may_ask()?;
        Ok(self.driver.receive_by_hand(Frame::Binary(frame)))
    }

    /// The application's own transport is open. While nothing is said of it, it is so always.
    ///
    /// # Errors
    /// `closed`.
    pub fn opened(&self) -> Result<(), Code> {
        self.driver.may_ask()?;
        self.driver.opened_by_hand();
        Ok(())
    }

    /// The application's own transport closed, or could not be opened; nothing is sent before it is
    /// open again. The code is that of a WebSocket.
    ///
    /// # Errors
    /// `closed`.
    pub fn closed(&self, code: u16) -> Result<(), Code> {
        self.driver.may_ask()?;
        self.driver.closed_by_hand(code);
        Ok(())
    }

    /// The campaigns whose view changed since this was last asked.
    ///
    /// # Errors
    /// `closed`.
    #[wasm_bindgen(js_name = takeChanges)]
    pub fn take_changes(&self) -> Result<JsValue, Code> {
        let changes = self.driver.read(|machine| machine.take_changes())?;
        let list = changes.iter().map(|id| Plain::Text(id.as_str())).collect();
        Ok(convert::to_js(&Plain::List(list)))
    }

    /// A campaign as it is now, as a fresh object; `undefined` if nobody holds it.
    ///
    /// # Errors
    /// `closed`.
    pub fn view(&self, campaign_id: &str) -> Result<JsValue, Code> {
        let now = clock::now();
        self.driver.read(|machine| {
            let view = machine.view(campaign_id, now);
            view.map_or(JsValue::UNDEFINED, |view| convert::to_js(&view))
        })
    }

    /// The word of a campaign's status now; `idle` if nobody holds it.
    ///
    /// # Errors
    /// `closed`.
    pub fn status(&self, campaign_id: &str) -> Result<JsValue, Code> {
        let now = clock::now();
        let status = self.driver.read(|machine| machine.status(campaign_id, now))?;
        Ok(status.unwrap_or(Status::Idle).as_str().into())
    }

    /// One page of a campaign's rows. Query: `offset?`, `limit?`, `search?`, `dnsStatus?`,
    /// `httpStatus?`, `leadStatus?`, `sortBy?`, `sortOrder?`.
    ///
    /// # Errors
    /// `unknown_campaign` if nobody holds it; `invalid_content` or `integer_out_of_range` for a
    /// query that is none; `closed`.
    pub fn domains(&self, campaign_id: &str, query: &JsValue) -> Result<JsValue, Code> {
        // Before the machine is borrowed: the query's members may be accessors.
        let query = convert::query(query)?;
        self.driver.read(|machine| {
            let page = machine.domains(campaign_id, &query).ok_or(Code::UnknownCampaign)?;
            Ok(convert::to_js(&page))
        })?
    }

    /// Wants to know when a position is reached: `host.settle(ticket, code)` says it.
    ///
    /// # Errors
    /// `invalid_campaign_id`, `invalid_content`, `integer_out_of_range`, `closed`.
    pub fn reached(
        &self,
        campaign_id: &str,
        epoch: &str,
        sequence_number: f64,
        ticket: f64,
    ) -> Result<(), Code> {
        let position = convert::position(epoch, sequence_number)?;
        let ticket = convert::ticket(ticket)?;
        self.ask(Input::Await(CampaignId::new(campaign_id)?, position, ticket))
    }

    /// Drops the rows that the last snapshot did not bring.
    ///
    /// # Errors
    /// `invalid_campaign_id`, `closed`.
    #[wasm_bindgen(js_name = discardUnconfirmed)]
    pub fn discard_unconfirmed(&self, campaign_id: &str) -> Result<(), Code> {
        self.ask(Input::DiscardUnconfirmed(CampaignId::new(campaign_id)?))
    }

    /// Wants fresh data.
    ///
    /// # Errors
    /// `invalid_campaign_id`, `closed`.
    pub fn refresh(&self, campaign_id: &str) -> Result<(), Code> {
        self.ask(Input::Refresh(CampaignId::new(campaign_id)?))
    }

    /// Answers `host.requestToken(ticket)`; `undefined` if there is no token.
    ///
    /// # Errors
    /// `integer_out_of_range` for a ticket that is none; `closed`.
    #[wasm_bindgen(js_name = provideToken)]
    pub fn provide_token(&self, ticket: f64, token: Option<String>) -> Result<(), Code> {
        self.ask(Input::Token(convert::ticket(ticket)?, token))
    }

    /// Answers `host.fetchSnapshot(ticket, campaignId)`; `undefined` if the fetch failed.
    ///
    /// # Errors
    /// `integer_out_of_range` for a ticket that is none; `closed`.
    #[wasm_bindgen(js_name = provideSnapshot)]
    pub fn provide_snapshot(&self, ticket: f64, json: Option<String>) -> Result<(), Code> {
        self.ask(Input::Snapshot(convert::ticket(ticket)?, json.as_deref()))
    }

    /// The counters, as a fresh object.
    ///
    /// # Errors
    /// `closed`.
    pub fn metrics(&self) -> Result<JsValue, Code> {
        self.driver.read(|machine| convert::to_js(machine.metrics()))
    }

    /// Everything worth attaching to a bug report: no rows, no token, no address.
    ///
    /// # Errors
    /// `closed`.
    pub fn diagnostics(&self) -> Result<JsValue, Code> {
        let now = clock::now();
        let transport = match self.driver.transport() {
            Transport::Socket(_) => "socket",
            Transport::Manual(_) => "manual",
        };
        let wake_in_ms = self.driver.deadline().map(|deadline| deadline.since(now.at));
        self.driver
            .read(|machine| convert::to_js(&Diagnostics { machine, now, transport, wake_in_ms }))
    }

    /// A command: everything that changes something.
    fn ask(&self, input: Input<'_>) -> Result<(), Code> {
        self.driver.may_ask()?;
        self.driver.feed(input);
        Ok(())
    }
}

impl Drop for Client {
    /// `free()`. The driver may be what is calling us just now, so it is taken apart, not dropped.
    fn drop(&mut self) {
        self.driver.dismantle();
    }
}

struct Diagnostics<'a> {
    machine: &'a Machine,
    now: Now,
    transport: &'static str,
    wake_in_ms: Option<u64>,
}

impl ToPlain for Diagnostics<'_> {
    fn to_plain(&self) -> Plain<'_> {
        let mut campaigns = Vec::new();
        for id in self.machine.campaigns() {
            campaigns
                .extend(self.machine.view(id.as_str(), self.now).map(CampaignView::into_plain));
        }
        let mut report = Record::default();
        report.text("version", env!("CARGO_PKG_VERSION"));
        report.text("transport", self.transport);
        report.text("connection", self.machine.connection().as_str());
        let wake_in_ms = self.wake_in_ms.map(|ms| Plain::Integer(ms as i64));
        report.add("wakeInMs", wake_in_ms.unwrap_or(Plain::Null));
        report.add("campaigns", Plain::List(campaigns));
        report.add("metrics", self.machine.metrics().to_plain());
        report.into()
    }
}
