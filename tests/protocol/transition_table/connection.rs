//! The connection: its states, and everything a driver or a server can say.

use std::fmt;

use campaign_sync::protocol::frame::Frame;
use campaign_sync::sync::connection::ConnectionState;
use campaign_sync::sync::input::{ConnectionId, Ticket, TokenFailure, Wake};
use campaign_sync::sync::{Config, Effect, Input, Machine, Now, Timestamp};
use serde_json::json;

use super::{compare, print};
use crate::wire::{self, CAMPAIGN, EPOCH};
use crate::world::{id, position};

/// The states of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Waiting,
    Requesting,
    Renewing,
    Opening,
    Negotiating,
    Open,
    Failed,
    Closed,
}

use State::{Closed, Failed, Idle, Negotiating, Open, Opening, Renewing, Requesting, Waiting};

const STATES: [State; 9] =
    [Idle, Waiting, Requesting, Renewing, Opening, Negotiating, Open, Failed, Closed];

inputs! {
    /// An input.
    Connect "`Connect`",
    Pause "`Pause`",
    Reset "`Reset`",
    Close "`Close`",
    Retain "`Retain` of another campaign",
    Release "`Release` of ours",
    Opened "`Opened` of our socket",
    OpenedOld "`Opened` of an old socket",
    AckV1 "`connection_ack` of v1",
    AckSubject "`connection_ack` of v1 with another subject",
    AckOther "`connection_ack` of another version",
    AckNone "`connection_ack` without a protocol",
    Event "an event of ours of v1",
    Expired "`session_expired`",
    Draining "`server_draining`",
    NotUtf8 "a frame that is not UTF-8",
    FrameOld "a frame of an old socket",
    Lost "`Closed` of our socket, 1006",
    Unauthorized "`Closed` of our socket, 4401",
    Forbidden "`Closed` of our socket, 4403",
    ClosedOld "`Closed` of an old socket",
    Timer "`Woke`: the timer, when it is due",
    Visible "`Woke`: visible",
    Online "`Woke`: online",
    PageShow "`Woke`: shown again",
    Token "`Token` that was requested",
    NoToken "`Token` that failed",
    FinalToken "`Token` that failed finally",
    Renewed "`Renewed`: try again",
    NotRenewed "`Renewed`: final",
    RenewalFailed "`Renewed`: failed",
    RenewedOld "`Renewed` that was not requested",
    TokenOld "`Token` that was not requested",
    SnapshotOld "`Snapshot` that was not requested",
    WaitForPosition "`WaitForPosition` ahead",
    Refresh "`Refresh`",
    Discard "`DiscardUnconfirmed`",
}

/// The effects that the machine requests of its driver, without notices and log records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum DriverEffect {
    AsksToken,
    Renews,
    SignsOut,
    Opens,
    Sends,
    ClosesSocket,
    Fetches,
    Settles,
}

/// A cell of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cell {
    to: State,
    does: Vec<DriverEffect>,
    /// The input came too late, or answers nothing.
    ignored_late: bool,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ignored_late {
            return f.write_str("ignored");
        }
        write!(f, "{:?}", self.to)?;
        for does in &self.does {
            let text = match does {
                DriverEffect::AsksToken => "asks for a token",
                DriverEffect::Renews => "asks for another session",
                DriverEffect::SignsOut => "drops the data",
                DriverEffect::Opens => "opens a socket",
                DriverEffect::Sends => "sends",
                DriverEffect::ClosesSocket => "closes the socket",
                DriverEffect::Fetches => "asks for a snapshot",
                DriverEffect::Settles => "settles",
            };
            write!(f, ", {text}")?;
        }
        Ok(())
    }
}

fn to(to: State, does: &[DriverEffect]) -> Cell {
    Cell { to, does: does.to_vec(), ignored_late: false }
}

fn stays(state: State) -> Cell {
    to(state, &[])
}

fn ignored(state: State) -> Cell {
    Cell { to: state, does: Vec::new(), ignored_late: true }
}

/// The table. No arm has a catch-all.
fn expected(state: State, input: TableInput) -> Cell {
    use DriverEffect::{AsksToken, ClosesSocket, Fetches, Opens, Renews, Sends, Settles, SignsOut};
    match input {
        TableInput::Connect => match state {
            Idle | Waiting | Failed => to(Requesting, &[AsksToken]),
            Requesting | Renewing | Opening | Negotiating | Open | Closed => stays(state),
        },
        TableInput::Pause => match state {
            Opening | Negotiating | Open => to(Idle, &[ClosesSocket]),
            Idle | Waiting | Requesting | Renewing => stays(Idle),
            Failed | Closed => stays(state),
        },
        TableInput::Reset => match state {
            Opening | Negotiating | Open => to(Idle, &[SignsOut, ClosesSocket]),
            Idle | Waiting | Requesting | Renewing | Failed => to(Idle, &[SignsOut]),
            Closed => to(state, &[SignsOut]),
        },
        TableInput::Close => match state {
            Opening | Negotiating | Open => to(Closed, &[ClosesSocket]),
            Idle | Waiting | Requesting | Renewing | Failed | Closed => stays(Closed),
        },
        TableInput::Retain => match state {
            Open => to(Open, &[Sends]),
            Idle | Waiting | Requesting | Renewing | Opening | Negotiating | Failed | Closed => {
                stays(state)
            }
        },
        TableInput::Release | TableInput::Discard => match state {
            Idle | Waiting | Requesting | Renewing | Opening | Negotiating | Open | Failed
            | Closed => stays(state),
        },
        TableInput::Opened => match state {
            Opening => to(Negotiating, &[Sends]),
            Negotiating | Open => stays(state),
            Idle | Waiting | Requesting | Renewing | Failed | Closed => ignored(state),
        },
        TableInput::AckV1 => match state {
            Negotiating => to(Open, &[Sends]),
            Open => stays(Open),
            Idle | Waiting | Requesting | Renewing | Opening | Failed | Closed => ignored(state),
        },
        TableInput::AckSubject => match state {
            Negotiating => to(Open, &[Sends]),
            Open => to(Waiting, &[ClosesSocket]),
            Idle | Waiting | Requesting | Renewing | Opening | Failed | Closed => ignored(state),
        },
        TableInput::AckOther => match state {
            Negotiating => to(Waiting, &[ClosesSocket]),
            Open => stays(state),
            Idle | Waiting | Requesting | Renewing | Opening | Failed | Closed => ignored(state),
        },
        TableInput::Event | TableInput::AckNone => match state {
            Negotiating | Open => stays(state),
            Idle | Waiting | Requesting | Renewing | Opening | Failed | Closed => ignored(state),
        },
        TableInput::Expired => match state {
            Negotiating | Open => to(Renewing, &[Renews, ClosesSocket]),
            Idle | Waiting | Requesting | Renewing | Opening | Failed | Closed => ignored(state),
        },
        TableInput::Draining | TableInput::NotUtf8 => match state {
            Negotiating | Open => stays(state),
            Idle | Waiting | Requesting | Renewing | Opening | Failed | Closed => ignored(state),
        },
        TableInput::OpenedOld
        | TableInput::FrameOld
        | TableInput::ClosedOld
        | TableInput::TokenOld
        | TableInput::RenewedOld
        | TableInput::SnapshotOld => match state {
            Idle | Waiting | Requesting | Renewing | Opening | Negotiating | Open | Failed
            | Closed => ignored(state),
        },
        TableInput::Unauthorized => match state {
            Opening | Negotiating | Open => to(Renewing, &[Renews]),
            Idle | Waiting | Requesting | Renewing | Failed | Closed => ignored(state),
        },
        TableInput::Lost | TableInput::Forbidden => match state {
            Opening | Negotiating | Open => stays(Waiting),
            Idle | Waiting | Requesting | Renewing | Failed | Closed => ignored(state),
        },
        TableInput::Timer => match state {
            Waiting => to(Requesting, &[AsksToken]),
            Requesting | Renewing => stays(Waiting),
            Opening | Negotiating => to(Waiting, &[ClosesSocket]),
            Open => to(state, &[Sends]),
            Idle | Failed | Closed => stays(state),
        },
        TableInput::Visible | TableInput::Online | TableInput::PageShow => match state {
            Open => to(state, &[Sends]),
            Idle | Waiting | Requesting | Renewing | Opening | Negotiating | Failed | Closed => {
                stays(state)
            }
        },
        TableInput::Token => match state {
            Requesting => to(Opening, &[Opens]),
            Idle | Waiting | Renewing | Opening | Negotiating | Open | Failed | Closed => {
                ignored(state)
            }
        },
        TableInput::NoToken => match state {
            Requesting => stays(Waiting),
            Idle | Waiting | Renewing | Opening | Negotiating | Open | Failed | Closed => {
                ignored(state)
            }
        },
        TableInput::FinalToken => match state {
            Requesting => stays(Failed),
            Idle | Waiting | Renewing | Opening | Negotiating | Open | Failed | Closed => {
                ignored(state)
            }
        },
        TableInput::Renewed => match state {
            Renewing => to(Requesting, &[AsksToken]),
            Idle | Waiting | Requesting | Opening | Negotiating | Open | Failed | Closed => {
                ignored(state)
            }
        },
        TableInput::NotRenewed => match state {
            Renewing => stays(Failed),
            Idle | Waiting | Requesting | Opening | Negotiating | Open | Failed | Closed => {
                ignored(state)
            }
        },
        TableInput::RenewalFailed => match state {
            Renewing => stays(Waiting),
            Idle | Waiting | Requesting | Opening | Negotiating | Open | Failed | Closed => {
                ignored(state)
            }
        },
        TableInput::WaitForPosition => match state {
            Closed | Failed => to(state, &[Settles]),
            Idle | Waiting | Requesting | Renewing | Opening | Negotiating | Open => stays(state),
        },
        // The application's own way to a snapshot is open without a connection, too.
        TableInput::Refresh => match state {
            Open => to(Open, &[Sends, Fetches]),
            Idle | Waiting | Requesting | Renewing | Opening | Negotiating | Failed | Closed => {
                to(state, &[Fetches])
            }
        },
    }
}

/// A machine with one campaign held, and what it asked for last.
struct Driver {
    machine: Machine,
    now: Now,
    socket: ConnectionId,
    ticket: Ticket,
    does: Vec<DriverEffect>,
}

/// A number that no socket and no ticket has.
const OLD: u64 = 77;

impl Driver {
    fn at(state: State) -> Self {
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

    fn state(&self) -> State {
        match self.machine.connection().state() {
            ConnectionState::Idle => Idle,
            ConnectionState::Waiting { .. } => Waiting,
            ConnectionState::RequestingToken { .. } => Requesting,
            ConnectionState::RenewingSession { .. } => Renewing,
            ConnectionState::Opening { .. } => Opening,
            ConnectionState::Negotiating { .. } => Negotiating,
            ConnectionState::Open { .. } => Open,
            ConnectionState::Failed(_) => Failed,
            ConnectionState::Closed => Closed,
        }
    }

    fn happen(&mut self, input: TableInput) -> bool {
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
        // The table is about plain content.
        #[cfg(feature = "encrypted")]
        Input::Seal | Input::AddKey(..) => {}
    }
}

fn happens(state: State, input: TableInput) -> Cell {
    let mut driver = Driver::at(state);
    let counted = driver.happen(input);
    Cell { to: driver.state(), does: driver.does, ignored_late: !counted }
}

pub(super) fn document() -> String {
    let table = print(&STATES, INPUTS, |state, input| expected(*state, *input));
    format!(
        "## The connection\n\nA client that holds one campaign, has a token provider, \
         `onUnauthorized` and `fetchSnapshot`. `ignored` is what comes too late or answers nothing; notices are left \
         out.\n\n{table}"
    )
}

#[test]
fn the_connection_does_what_its_table_says() {
    compare(&STATES, INPUTS, expected, happens);
}
