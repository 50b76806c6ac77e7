//! Brings a machine into each state of the connection, and gives it each input.

use campaign_sync::protocol::frame::Frame;
use campaign_sync::sync::connection::{ConnectionState, Step};
use campaign_sync::sync::input::{ConnectionId, Ticket, TokenFailure, Wake};
use campaign_sync::sync::{Config, Effect, Input, Machine, Now, Timestamp};
use serde_json::json;

use super::State::{
    self, Closed, Failed, Idle, Negotiating, Open, Opening, Renewing, Requesting, Waiting,
};
use super::{DriverEffect, TableInput};
use crate::wire::{self, CAMPAIGN, EPOCH};
use crate::world::{id, position};

/// A machine with one campaign held, and what it asked for last.
pub(super) struct Driver {
    machine: Machine,
    now: Now,
    socket: ConnectionId,
    ticket: Ticket,
    pub(super) does: Vec<DriverEffect>,
}

/// A number that no socket and no ticket has.
const OLD: u64 = 77;

impl Driver {
    pub(super) fn at(state: State) -> Self {
        let config = Config {
            has_token: true,
            has_renewal: true,
            has_fetch_snapshot: true,
            auth_attempts_max: 2,
            attempt_gap_ms: 0,
            ..Config::default()
        };
        let mut driver = Self {
            machine: Machine::new(config, 7),
            now: Now { at: Timestamp(1_000), wall_ms: 1_900_000_000_000 },
            socket: ConnectionId(OLD),
            ticket: Ticket(OLD),
            does: Vec::new(),
        };
        driver.handle(Input::Retain(id(CAMPAIGN)));
        let way: &[TableInput] = match state {
            Idle => &[],
            Requesting => &[TableInput::Connect],
            Renewing => &[
                TableInput::Connect,
                TableInput::Token,
                TableInput::Opened,
                TableInput::Unauthorized,
            ],
            Waiting => &[TableInput::Connect, TableInput::NoToken],
            Opening => &[TableInput::Connect, TableInput::Token],
            Negotiating => &[TableInput::Connect, TableInput::Token, TableInput::Opened],
            Open => {
                &[TableInput::Connect, TableInput::Token, TableInput::Opened, TableInput::AckV1]
            }
            Failed => &[
                TableInput::Connect,
                TableInput::Token,
                TableInput::Forbidden,
                TableInput::Timer,
                TableInput::Token,
                TableInput::Forbidden,
            ],
            Closed => &[TableInput::Close],
        };
        for &input in way {
            let _ = driver.happen(input);
        }
        assert_eq!(driver.state(), state, "the way to {state:?} leads elsewhere");
        driver
    }

    pub(super) fn state(&self) -> State {
        match self.machine.connection().state() {
            ConnectionState::Idle => Idle,
            ConnectionState::Attempting { step, .. } => match step {
                Step::Waiting => Waiting,
                Step::RequestingToken(_) => Requesting,
                Step::RenewingSession(_) => Renewing,
                Step::Opening { .. } => Opening,
                Step::Negotiating { .. } => Negotiating,
            },
            ConnectionState::Open(_) => Open,
            ConnectionState::Failed(_) => Failed,
            ConnectionState::Closed => Closed,
        }
    }

    pub(super) fn happen(&mut self, input: TableInput) -> bool {
        let (socket, ticket) = (self.socket, self.ticket);
        let text = |text: &str| text.to_owned();
        match input {
            TableInput::Connect => self.handle(Input::Connect),
            TableInput::Pause => self.handle(Input::Pause),
            TableInput::Reset => self.handle(Input::Reset),
            TableInput::Close => self.handle(Input::Close),
            TableInput::Retain => self.handle(Input::Retain(id("another"))),
            TableInput::Release => self.handle(Input::Release(id(CAMPAIGN))),
            TableInput::Opened => self.handle(Input::Opened(socket)),
            TableInput::OpenedOld => self.handle(Input::Opened(ConnectionId(OLD))),
            TableInput::AckV1 => self.receive(&wire::ack()),
            TableInput::AckSubject => self.receive(&wire::ack_for("s-2")),
            TableInput::AckOther => self.receive(&wire::ack_of("campaign-sync.v9")),
            TableInput::AckNone => {
                self.receive(&wire::message("connection_ack", &json!({"connectionId": "k"})))
            }
            TableInput::Event => self.receive(&wire::Log::with_rows(1).document(1)),
            TableInput::Expired => self.receive(&wire::message("session_expired", &json!({}))),
            TableInput::Draining => {
                self.receive(&wire::message("server_draining", &json!({"retryAfterMs": 5})))
            }
            TableInput::NotUtf8 => self.handle(Input::Received(socket, Frame::Binary(&[0xff]))),
            TableInput::FrameOld => {
                self.handle(Input::Received(ConnectionId(OLD), Frame::Text(&wire::ack())))
            }
            TableInput::Lost => self.handle(Input::Closed(socket, 1006)),
            TableInput::Unauthorized => self.handle(Input::Closed(socket, 4401)),
            TableInput::Forbidden => self.handle(Input::Closed(socket, 4403)),
            TableInput::ClosedOld => self.handle(Input::Closed(ConnectionId(OLD), 1006)),
            TableInput::Timer => {
                if let Some(due) = self.machine.poll_timeout() {
                    let wait = due.since(self.now.at);
                    self.now.at = self.now.at + wait;
                    self.now.wall_ms += wait as i64;
                }
                self.handle(Input::Woke(Wake::Timer))
            }
            TableInput::Visible => self.handle(Input::Woke(Wake::Visible)),
            TableInput::Online => self.handle(Input::Woke(Wake::Online)),
            TableInput::PageShow => self.handle(Input::Woke(Wake::PageShow)),
            TableInput::Token => self.handle(Input::Token(ticket, Ok(text("secret")))),
            TableInput::NoToken => self.handle(Input::Token(ticket, Err(TokenFailure::Failed))),
            TableInput::FinalToken => self.handle(Input::Token(ticket, Err(TokenFailure::Final))),
            TableInput::Renewed => self.handle(Input::Renewed(ticket, Some(true))),
            TableInput::NotRenewed => self.handle(Input::Renewed(ticket, Some(false))),
            TableInput::RenewalFailed => self.handle(Input::Renewed(ticket, None)),
            TableInput::RenewedOld => self.handle(Input::Renewed(Ticket(OLD), Some(true))),
            TableInput::TokenOld => self.handle(Input::Token(Ticket(OLD), Ok(text("secret")))),
            TableInput::SnapshotOld => self.handle(Input::Snapshot(Ticket(OLD), None)),
            TableInput::WaitForPosition => {
                self.handle(Input::WaitForPosition(id(CAMPAIGN), position(EPOCH, 9), Ticket(1)))
            }
            TableInput::Refresh => self.handle(Input::Refresh(id(CAMPAIGN))),
            TableInput::Discard => self.handle(Input::DiscardUnconfirmed(id(CAMPAIGN))),
        }
    }

    fn receive(&mut self, document: &str) -> bool {
        self.handle(Input::Received(self.socket, Frame::Text(document)))
    }

    /// Returns whether the input counted.
    fn handle(&mut self, input: Input<'_>) -> bool {
        named(&input);
        let outcome = self.machine.handle(self.now, input);
        self.does.clear();
        while let Some(effect) = self.machine.poll_effect() {
            let does = match effect {
                Effect::Open(socket) => {
                    self.socket = socket;
                    DriverEffect::Opens
                }
                Effect::RequestToken(ticket) => {
                    self.ticket = ticket;
                    DriverEffect::AsksToken
                }
                Effect::RenewSession(ticket, _) => {
                    self.ticket = ticket;
                    DriverEffect::Renews
                }
                Effect::SignedOut => DriverEffect::SignsOut,
                Effect::Send(..) => DriverEffect::Sends,
                Effect::CloseSocket(..) => DriverEffect::ClosesSocket,
                Effect::FetchSnapshot(..) => DriverEffect::Fetches,
                Effect::Settle(..) => DriverEffect::Settles,
                Effect::Changed => {
                    let _ = self.machine.take_changes();
                    continue;
                }
                Effect::Notify(_) | Effect::Log(_) => continue,
            };
            self.does.push(does);
        }
        self.does.sort_unstable();
        self.does.dedup();
        !outcome.ignored_late
    }
}

/// An input that is added to the machine does not compile here until the table has it.
const fn named(input: &Input<'_>) {
    match input {
        Input::Connect
        | Input::Pause
        | Input::Reset
        | Input::Close
        | Input::Retain(_)
        | Input::Release(_)
        | Input::Opened(_)
        | Input::Received(..)
        | Input::Closed(..)
        | Input::Woke(Wake::Timer | Wake::Visible | Wake::Online | Wake::PageShow)
        | Input::Token(..)
        | Input::Renewed(..)
        | Input::Snapshot(..)
        | Input::WaitForPosition(..)
        | Input::CancelWait(..)
        | Input::Refresh(_)
        | Input::DiscardUnconfirmed(_) => {}
        // They concern no campaign, and `catalogue.rs` has their scenarios.
        Input::RetainCatalogue | Input::ReleaseCatalogue => {}
        // The table is about plain content.
        #[cfg(feature = "encrypted")]
        Input::Seal | Input::AddKey(..) => {}
    }
}
