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
    AskingToken,
    Opening,
    Negotiating,
    Open,
    Failed,
    Closed,
}

use State::{AskingToken, Closed, Failed, Idle, Negotiating, Open, Opening, Waiting};

const STATES: [State; 8] = [Idle, Waiting, AskingToken, Opening, Negotiating, Open, Failed, Closed];

inputs! {
    /// An input.
    Connect "`Connect`",
    Pause "`Pause`",
    Close "`Close`",
    Retain "`Retain` of another campaign",
    Release "`Release` of ours",
    Opened "`Opened` of our socket",
    OpenedOld "`Opened` of an old socket",
    AckV1 "`connection_ack` of v1",
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
    TokenOld "`Token` that was not requested",
    SnapshotOld "`Snapshot` that was not requested",
    WaitForPosition "`WaitForPosition` ahead",
    Refresh "`Refresh`",
    Discard "`DiscardUnconfirmed`",
}

/// The effects that the machine requests of its driver, without notices and log records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Does {
    AsksToken,
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
    does: Vec<Does>,
    /// The input came too late, or answers nothing.
    stale: bool,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.stale {
            return f.write_str("ignored");
        }
        write!(f, "{:?}", self.to)?;
        for does in &self.does {
            let text = match does {
                Does::AsksToken => "asks for a token",
                Does::Opens => "opens a socket",
                Does::Sends => "sends",
                Does::ClosesSocket => "closes the socket",
                Does::Fetches => "asks for a snapshot",
                Does::Settles => "settles",
            };
            write!(f, ", {text}")?;
        }
        Ok(())
    }
}

fn to(to: State, does: &[Does]) -> Cell {
    Cell { to, does: does.to_vec(), stale: false }
}

fn stays(state: State) -> Cell {
    to(state, &[])
}

fn ignored(state: State) -> Cell {
    Cell { to: state, does: Vec::new(), stale: true }
}

/// The table. No arm has a catch-all.
fn expected(state: State, input: Happens) -> Cell {
    use Does::{AsksToken, ClosesSocket, Fetches, Opens, Sends, Settles};
    match input {
        Happens::Connect => match state {
            Idle | Waiting | Failed => to(AskingToken, &[AsksToken]),
            AskingToken | Opening | Negotiating | Open | Closed => stays(state),
        },
        Happens::Pause => match state {
            Opening | Negotiating | Open => to(Idle, &[ClosesSocket]),
            Idle | Waiting | AskingToken => stays(Idle),
            Failed | Closed => stays(state),
        },
        Happens::Close => match state {
            Opening | Negotiating | Open => to(Closed, &[ClosesSocket]),
            Idle | Waiting | AskingToken | Failed | Closed => stays(Closed),
        },
        Happens::Retain => match state {
            Open => to(Open, &[Sends]),
            Idle | Waiting | AskingToken | Opening | Negotiating | Failed | Closed => stays(state),
        },
        Happens::Release | Happens::Discard => match state {
            Idle | Waiting | AskingToken | Opening | Negotiating | Open | Failed | Closed => {
                stays(state)
            }
        },
        Happens::Opened => match state {
            Opening => to(Negotiating, &[Sends]),
            Negotiating | Open => stays(state),
            Idle | Waiting | AskingToken | Failed | Closed => ignored(state),
        },
        Happens::AckV1 => match state {
            Negotiating => to(Open, &[Sends]),
            Open => stays(Open),
            Idle | Waiting | AskingToken | Opening | Failed | Closed => ignored(state),
        },
        Happens::AckOther => match state {
            Negotiating => to(Waiting, &[ClosesSocket]),
            Open => stays(state),
            Idle | Waiting | AskingToken | Opening | Failed | Closed => ignored(state),
        },
        Happens::Event | Happens::AckNone => match state {
            Negotiating | Open => stays(state),
            Idle | Waiting | AskingToken | Opening | Failed | Closed => ignored(state),
        },
        Happens::Expired => match state {
            Negotiating | Open => to(Waiting, &[ClosesSocket]),
            Idle | Waiting | AskingToken | Opening | Failed | Closed => ignored(state),
        },
        Happens::Draining | Happens::NotUtf8 => match state {
            Negotiating | Open => stays(state),
            Idle | Waiting | AskingToken | Opening | Failed | Closed => ignored(state),
        },
        Happens::OpenedOld
        | Happens::FrameOld
        | Happens::ClosedOld
        | Happens::TokenOld
        | Happens::SnapshotOld => match state {
            Idle | Waiting | AskingToken | Opening | Negotiating | Open | Failed | Closed => {
                ignored(state)
            }
        },
        Happens::Lost | Happens::Unauthorized | Happens::Forbidden => match state {
            Opening | Negotiating | Open => stays(Waiting),
            Idle | Waiting | AskingToken | Failed | Closed => ignored(state),
        },
        Happens::Timer => match state {
            Waiting => to(AskingToken, &[AsksToken]),
            AskingToken => stays(Waiting),
            Opening | Negotiating => to(Waiting, &[ClosesSocket]),
            Open => to(state, &[Sends]),
            Idle | Failed | Closed => stays(state),
        },
        Happens::Visible | Happens::Online | Happens::PageShow => match state {
            Open => to(state, &[Sends]),
            Idle | Waiting | AskingToken | Opening | Negotiating | Failed | Closed => stays(state),
        },
        Happens::Token => match state {
            AskingToken => to(Opening, &[Opens]),
            Idle | Waiting | Opening | Negotiating | Open | Failed | Closed => ignored(state),
        },
        Happens::NoToken => match state {
            AskingToken => stays(Waiting),
            Idle | Waiting | Opening | Negotiating | Open | Failed | Closed => ignored(state),
        },
        Happens::FinalToken => match state {
            AskingToken => stays(Failed),
            Idle | Waiting | Opening | Negotiating | Open | Failed | Closed => ignored(state),
        },
        Happens::WaitForPosition => match state {
            Closed => to(Closed, &[Settles]),
            Idle | Waiting | AskingToken | Opening | Negotiating | Open | Failed => stays(state),
        },
        // The application's own way to a snapshot is open without a connection, too.
        Happens::Refresh => match state {
            Open => to(Open, &[Sends, Fetches]),
            Idle | Waiting | AskingToken | Opening | Negotiating | Failed | Closed => {
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
    does: Vec<Does>,
}

/// A number that no socket and no ticket has.
const OLD: u64 = 77;

impl Driver {
    fn at(state: State) -> Self {
        let config = Config {
            has_token: true,
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
        let way: &[Happens] = match state {
            Idle => &[],
            AskingToken => &[Happens::Connect],
            Waiting => &[Happens::Connect, Happens::NoToken],
            Opening => &[Happens::Connect, Happens::Token],
            Negotiating => &[Happens::Connect, Happens::Token, Happens::Opened],
            Open => &[Happens::Connect, Happens::Token, Happens::Opened, Happens::AckV1],
            Failed => &[
                Happens::Connect,
                Happens::Token,
                Happens::Forbidden,
                Happens::Timer,
                Happens::Token,
                Happens::Forbidden,
            ],
            Closed => &[Happens::Close],
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
            ConnectionState::AskingToken { .. } => AskingToken,
            ConnectionState::Opening { .. } => Opening,
            ConnectionState::Negotiating { .. } => Negotiating,
            ConnectionState::Open { .. } => Open,
            ConnectionState::Failed(_) => Failed,
            ConnectionState::Closed => Closed,
        }
    }

    fn happen(&mut self, input: Happens) -> bool {
        let (socket, ticket) = (self.socket, self.ticket);
        let text = |text: &str| text.to_owned();
        match input {
            Happens::Connect => self.handle(Input::Connect),
            Happens::Pause => self.handle(Input::Pause),
            Happens::Close => self.handle(Input::Close),
            Happens::Retain => self.handle(Input::Retain(id("another"))),
            Happens::Release => self.handle(Input::Release(id(CAMPAIGN))),
            Happens::Opened => self.handle(Input::Opened(socket)),
            Happens::OpenedOld => self.handle(Input::Opened(ConnectionId(OLD))),
            Happens::AckV1 => self.receive(&wire::ack()),
            Happens::AckOther => self.receive(&wire::ack_of("campaign-sync.v9")),
            Happens::AckNone => {
                self.receive(&wire::message("connection_ack", &json!({"connectionId": "k"})))
            }
            Happens::Event => self.receive(&wire::Log::with_rows(1).document(1)),
            Happens::Expired => self.receive(&wire::message("session_expired", &json!({}))),
            Happens::Draining => {
                self.receive(&wire::message("server_draining", &json!({"retryAfterMs": 5})))
            }
            Happens::NotUtf8 => self.handle(Input::Received(socket, Frame::Binary(&[0xff]))),
            Happens::FrameOld => {
                self.handle(Input::Received(ConnectionId(OLD), Frame::Text(&wire::ack())))
            }
            Happens::Lost => self.handle(Input::Closed(socket, 1006)),
            Happens::Unauthorized => self.handle(Input::Closed(socket, 4401)),
            Happens::Forbidden => self.handle(Input::Closed(socket, 4403)),
            Happens::ClosedOld => self.handle(Input::Closed(ConnectionId(OLD), 1006)),
            Happens::Timer => {
                if let Some(due) = self.machine.poll_timeout() {
                    let wait = due.since(self.now.at);
                    self.now.at = self.now.at + wait;
                    self.now.wall_ms += wait as i64;
                }
                self.handle(Input::Woke(Wake::Timer))
            }
            Happens::Visible => self.handle(Input::Woke(Wake::Visible)),
            Happens::Online => self.handle(Input::Woke(Wake::Online)),
            Happens::PageShow => self.handle(Input::Woke(Wake::PageShow)),
            Happens::Token => self.handle(Input::Token(ticket, Ok(text("secret")))),
            Happens::NoToken => self.handle(Input::Token(ticket, Err(TokenFailure::Failed))),
            Happens::FinalToken => self.handle(Input::Token(ticket, Err(TokenFailure::Final))),
            Happens::TokenOld => self.handle(Input::Token(Ticket(OLD), Ok(text("secret")))),
            Happens::SnapshotOld => self.handle(Input::Snapshot(Ticket(OLD), None)),
            Happens::WaitForPosition => {
                self.handle(Input::WaitForPosition(id(CAMPAIGN), position(EPOCH, 9), Ticket(1)))
            }
            Happens::Refresh => self.handle(Input::Refresh(id(CAMPAIGN))),
            Happens::Discard => self.handle(Input::DiscardUnconfirmed(id(CAMPAIGN))),
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
                    Does::Opens
                }
                Effect::RequestToken(ticket) => {
                    self.ticket = ticket;
                    Does::AsksToken
                }
                Effect::Send(..) => Does::Sends,
                Effect::CloseSocket(..) => Does::ClosesSocket,
                Effect::FetchSnapshot(..) => Does::Fetches,
                Effect::Settle(..) => Does::Settles,
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
        | Input::Close
        | Input::Retain(_)
        | Input::Release(_)
        | Input::Opened(_)
        | Input::Received(..)
        | Input::Closed(..)
        | Input::Woke(Wake::Timer | Wake::Visible | Wake::Online | Wake::PageShow)
        | Input::Token(..)
        | Input::Snapshot(..)
        | Input::WaitForPosition(..)
        | Input::Refresh(_)
        | Input::DiscardUnconfirmed(_) => {}
        // The table is about plain content.
        #[cfg(feature = "encrypted")]
        Input::Seal | Input::AddKey(..) => {}
    }
}

fn happens(state: State, input: Happens) -> Cell {
    let mut driver = Driver::at(state);
    let counted = driver.happen(input);
    Cell { to: driver.state(), does: driver.does, stale: !counted }
}

pub(super) fn document() -> String {
    let table = print(&STATES, INPUTS, |state, input| expected(*state, *input));
    format!(
        "## The connection\n\nA client that holds one campaign, has a token provider and \
         `fetchSnapshot`. `ignored` is what comes too late or answers nothing; notices are left \
         out.\n\n{table}"
    )
}

#[test]
fn the_connection_does_what_its_table_says() {
    compare(&STATES, INPUTS, expected, happens);
}
