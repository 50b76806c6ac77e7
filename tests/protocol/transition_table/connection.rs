//! The connection: its states, and everything a driver or a server can say.

mod driver;

use std::fmt;

use super::{compare, print};
use driver::Driver;

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
#[expect(clippy::too_many_lines, reason = "a table of all states and inputs")]
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
