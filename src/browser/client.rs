//! The class that the package's JavaScript uses. It is not a public API: the public API is `pkg/`.

use wasm_bindgen::prelude::*;

use super::call::{Arguments, CALLS, Call, Command, Query};
use super::clock;
use super::driver::Driver;
use super::host::Host;
use crate::protocol::Code;
use crate::protocol::frame::Frame;
use crate::protocol::write::{JsonWriter, push_decimal, to_json};
use crate::sync::input::ConnectionId;
use crate::sync::{Config, Machine, Now, Status};

/// One machine with its connection. Only numbers and text cross the boundary: a method that has an answer passes
/// it on by the effect `answer`, and a method that fails by the effect `refuse` (`docs/decisions/0037`).
#[wasm_bindgen]
#[derive(Debug)]
pub struct Client {
    pub(super) driver: Driver,
}

#[wasm_bindgen]
impl Client {
    /// Creates a client that is not connected. `linger_ms` is 0 or more, or infinite; NaN (`undefined` in
    /// JavaScript) for the default. The flags say whether the application provides tokens, renews sessions,
    /// fetches snapshots and receives log records. `host` is the number under which effects are performed.
    #[wasm_bindgen(constructor)]
    pub fn new(
        linger_ms: f64,
        has_token: bool,
        has_renewal: bool,
        has_fetch_snapshot: bool,
        log: bool,
        host: u32,
    ) -> Self {
        let mut config =
            Config { has_token, has_renewal, has_fetch_snapshot, log, ..Config::default() };
        if !linger_ms.is_nan() {
            config.linger_ms = linger_ms as u64;
        }
        Self { driver: Driver::new(config, Host::new(host)) }
    }

    /// Processes a frame, in UTF-8, that arrived on a connection. Invalid input is refused and counted.
    /// Returns the number of applied events.
    ///
    /// # Errors
    /// `closed`.
    pub fn receive(&self, connection: f64, frame: &[u8]) -> u32 {
        self.take(connection, Frame::Binary(frame))
    }

    /// Like `receive`, for a frame that arrived as text.
    ///
    /// # Errors
    /// `closed`.
    #[wasm_bindgen(js_name = receiveText)]
    pub fn receive_text(&self, connection: f64, frame: &str) -> u32 {
        self.take(connection, Frame::Text(frame))
    }

    /// Executes a command or answers a query: the call with this number in `CALLS`. `id` is the number of a connection
    /// or a ticket, and the other arguments are those that the call names. A command has no answer.
    ///
    /// * `connect` opens the connection, also after the client gave it up. `pause` closes it. `close` ends everything.
    /// * `reset` drops the data of the session, and closes the connection.
    /// * `opened` and `closed` (the close code is `number`) report the state of the socket of a connection.
    /// * `timer` reports that the time of the effect `wakeIn` has passed. `online`, `visible` and `pageShow` report that
    ///   time may have passed unnoticed: the network or a transport came back, the page became visible, or it returned
    ///   from the back-forward cache.
    /// * `retain`, `release`, `refresh` and `discardUnconfirmed` apply to one campaign.
    /// * `retainCatalogue` and `releaseCatalogue` apply to the list of all campaigns.
    /// * `reached` requests the effect `settle` when the position of `text`, its epoch, and `number` is reached.
    ///   `cancelWait` gives it up.
    /// * `token` answers the effect `requestToken` with `text`. `number` is 0, or else there is no token: 1 if the
    ///   provider failed, 2 if it gave something else, 3 if asking again would not help.
    /// * `renewed` answers the effect `renewSession`: `number` is 0 if the renewal failed, 1 for no, 2 for yes.
    /// * `snapshot` answers the effect `fetchSnapshot` with `text`; `number` is 1 if the fetch failed.
    ///
    /// Queries:
    ///
    /// * `view`: a campaign in its present state; no answer if the client does not hold it.
    /// * `status`: the members of the view that the clock or a proof changes without an event, as one text:
    ///   the name of its present status, and when it was last proven current.
    /// * `domains`: one page of its rows. `text` is JSON with the members `offset?`, `limit?`, `search?`, `dnsStatus?`,
    ///   `httpStatus?`, `leadStatus?`, `sortBy?` and `sortOrder?`. Before a search, `unfolded` lists the names whose
    ///   upper and lower case only JavaScript can tell; the command `fold` brings the answer as `text`. With an `id`
    ///   other than 0, the next slice of all confirmed rows for this reader; an empty one says that it has them all.
    /// * `changes`: the campaigns whose view has changed since the last query for `changes`, as pairs
    ///   with the content that changed: 1 for the record, 2 for the rows, 3 for both, 0 for neither. An empty
    ///   text stands for the catalogue.
    /// * `catalogue`: its status, and what has changed in its list since the last query for `catalogue`.
    ///   `wholeCatalogue`: the same with the whole list.
    /// * `catalogueStatus`: the same of it as `status` of a campaign.
    /// * `metrics`: the counters.
    /// * `diagnostics`: all data that is useful in a bug report; no rows, no token, no address.
    ///
    /// # Errors
    /// `closed`; `invalid_campaign_id`, `invalid_content` and `integer_out_of_range` for invalid arguments;
    /// `unknown_campaign` for rows of a campaign that the client does not hold.
    pub fn call(&self, call: usize, campaign_id: &str, text: &str, id: f64, number: f64) {
        let arguments = Arguments { campaign_id, text, id, number };
        self.driver.reply(self.answer(call, &arguments));
    }
}

/// The name of a status, with the time of the last proof, as one text.
fn write_status(to: &mut JsonWriter, status: Status, proven_at: Option<i64>) {
    let mut key = status.as_str().to_owned();
    push_decimal(&mut key, proven_at.unwrap_or_default().unsigned_abs());
    to.string(&key);
}

impl Client {
    fn take(&self, connection: f64, frame: Frame<'_>) -> u32 {
        match self.driver.ensure_open() {
            Ok(()) => self.driver.receive(ConnectionId(connection as u64), frame),
            Err(code) => {
                self.driver.reply(Err(code));
                0
            }
        }
    }

    fn answer(&self, call: usize, arguments: &Arguments<'_>) -> Result<Option<String>, Code> {
        let action = match CALLS.get(call).ok_or(Code::InvalidContent)? {
            Call::Do(action) => *action,
            Call::Ask(query) => return self.read(*query, arguments),
        };
        self.driver.ensure_open()?;
        match arguments.command(action)? {
            Command::Input(input) => self.driver.submit(input),
            Command::Wake(wake) => self.driver.wake(wake),
            Command::Close => self.driver.close(),
            Command::Fold => {
                self.driver.read(|it| it.fold(arguments.campaign_id, arguments.text))?;
            }
        }
        Ok(None)
    }

    fn read(&self, query: Query, arguments: &Arguments<'_>) -> Result<Option<String>, Code> {
        let campaign_id = arguments.campaign_id;
        let now = clock::now();
        self.driver.read(|machine| {
            let mut answer = JsonWriter::default();
            match query {
                Query::View => match machine.view(campaign_id, now) {
                    Some(view) => answer.raw(&to_json(&view)),
                    None => return Ok(None),
                },
                Query::Status => {
                    let status = machine.status(campaign_id, now).unwrap_or(Status::Idle);
                    let held = machine.subscription(campaign_id);
                    write_status(&mut answer, status, held.and_then(|it| it.proven_at()));
                }
                Query::Domains => {
                    let page = match arguments.id as u64 {
                        0 => machine.domains(campaign_id, &arguments.query()?),
                        reader => machine.slice(campaign_id, reader),
                    };
                    answer.raw(&to_json(&page.ok_or(Code::UnknownCampaign)?));
                }
                Query::Unfolded => {
                    answer.open("[");
                    for name in machine.unfolded(campaign_id) {
                        answer.string(name);
                    }
                    answer.close("]");
                }
                Query::Changes => show_changes(machine, &mut answer),
                Query::Catalogue => answer.raw(&to_json(&machine.catalogue_view(now, false))),
                Query::WholeCatalogue => answer.raw(&to_json(&machine.catalogue_view(now, true))),
                Query::CatalogueStatus => {
                    let proven_at = machine.catalogue().proven_at();
                    write_status(&mut answer, machine.catalogue_status(now), proven_at);
                }
                Query::Metrics => answer.raw(&to_json(machine.metrics())),
                Query::Diagnostics => self.diagnostics(machine, now, &mut answer),
            }
            Ok(Some(answer.into_text()))
        })?
    }

    fn diagnostics(&self, machine: &Machine, now: Now, to: &mut JsonWriter) {
        let wake_in_ms = self.driver.deadline().map(|deadline| deadline.since(now.at));
        to.open("{");
        to.text("version", env!("CARGO_PKG_VERSION"));
        to.text("connection", machine.connection().state().as_str());
        to.nullable_number("wakeInMs", wake_in_ms.map(|ms| ms as f64));
        to.member("campaigns", "[");
        for id in machine.campaigns() {
            if let Some(view) = machine.view(id.as_str(), now) {
                to.raw(&to_json(&view));
            }
        }
        to.close("]");
        to.record("metrics", machine.metrics());
        to.close("}");
    }
}

fn show_changes(machine: &mut Machine, to: &mut JsonWriter) {
    to.open("[");
    for change in &machine.take_changes() {
        show_change(to, change.campaign_id.as_str(), change.content);
    }
    if machine.take_catalogue_change() {
        show_change(to, "", 0);
    }
    to.close("]");
}

fn show_change(to: &mut JsonWriter, id: &str, content: u8) {
    to.open("[");
    to.string(id);
    to.number(content.into());
    to.close("]");
}

impl Drop for Client {
    /// Implements `free()`.
    fn drop(&mut self) {
        self.driver.shutdown();
    }
}
