//! One campaign of v1: how far its recovery has come, and everything that may arrive.

use std::fmt;

use campaign_sync::sync::input::Wake;
use campaign_sync::sync::{Config, Input, Verdict};
use serde_json::{Value, json};

use super::{compare, print};
use crate::wire::{self, CAMPAIGN, EPOCH, Event, Log, OTHER_EPOCH, Snapshot, rows};
use crate::world::{World, wire_head};

/// How far a recovery has come; the last two are the ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Scheduled,
    AwaitingAnswer,
    Replaying,
    ReceivingSnapshot,
    Ended,
    Failed,
}

use State::{
    AwaitingAnswer as Awaiting, Ended, Failed, Idle, ReceivingSnapshot as Receiving, Replaying,
    Scheduled,
};

const STATES: [State; 7] = [Idle, Scheduled, Awaiting, Replaying, Receiving, Ended, Failed];

inputs! {
    /// An input. The position is 4.
    Next "event 5, the next",
    NextUnknown "event 5, of an unknown type",
    NextInvalid "event 5, of invalid content",
    NextUnchained "event 5, behind another event than ours",
    NextDamaged "event 5, damaged",
    Old "event 3, as applied",
    OldOther "event 3, another one",
    Beyond "event 7",
    Held "event 6",
    HeldOther "event 6, another one",
    Foreign "event 5 of another epoch",
    Replay "answer: `replay` of 5 to 7",
    Current "answer: `current`",
    Snapshotted "answer: `snapshot` at 7",
    Unknown "answer: `unknown_campaign`",
    AnswerOld "answer to an old request",
    Part "the first of two parts of that snapshot",
    PartLast "its second part",
    HeadSame "`pong`: head 4, `logHead` 4",
    HeadAbove "`pong`: head 6",
    HeadBelow "`pong`: head 2",
    LogAhead "`pong`: head 4, `logHead` 6",
    HeadNone "`pong` without a head",
    RateLimited "`error` rate_limited",
    Revoked "`subscription_ended` forbidden",
    Deadline "ten seconds without progress",
    SocketLost "the socket closes",
}

/// A cell of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    to: State,
    /// The position afterwards.
    at: u64,
    /// The verdict on the document, if the input brought one.
    verdict: Option<Verdict>,
    asks: ServerRequest,
}

/// The requests to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ServerRequest {
    Nothing,
    Events,
    Snapshot,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to)?;
        if let Some(verdict) = self.verdict {
            write!(f, ", {verdict:?}")?;
        }
        if self.at != POSITION {
            write!(f, ", at {}", self.at)?;
        }
        f.write_str(match self.asks {
            ServerRequest::Nothing => "",
            ServerRequest::Events => ", asks for events",
            ServerRequest::Snapshot => ", asks for a snapshot",
        })
    }
}

const POSITION: u64 = 4;

const fn cell(to: State, verdict: Verdict) -> Cell {
    Cell { to, at: POSITION, verdict: Some(verdict), asks: ServerRequest::Nothing }
}

impl Cell {
    const fn at(self, at: u64) -> Self {
        Self { at, ..self }
    }

    const fn asks(self, asks: ServerRequest) -> Self {
        Self { asks, ..self }
    }

    const fn silent(self) -> Self {
        Self { verdict: None, ..self }
    }
}

/// The table. A campaign without access is empty.
fn expected(state: State, input: TableInput) -> Cell {
    let cell = reaction(state, input);
    if cell.to == Failed { cell.at(0) } else { cell }
}

/// The table, without the position of a campaign without access. No arm has a catch-all.
#[expect(clippy::too_many_lines, reason = "a table of all states and inputs")]
fn reaction(state: State, input: TableInput) -> Cell {
    match input {
        TableInput::Next => match state {
            Idle => cell(Idle, Verdict::Applied).at(5),
            // A held event becomes next.
            Scheduled | Awaiting | Replaying | Receiving => cell(state, Verdict::Applied).at(6),
            Ended | Failed => cell(state, Verdict::Ignored),
        },
        TableInput::NextUnknown => match state {
            Idle => cell(Idle, Verdict::AppliedUnknown).at(5),
            Scheduled | Awaiting | Replaying | Receiving => {
                cell(state, Verdict::AppliedUnknown).at(6)
            }
            Ended | Failed => cell(state, Verdict::Ignored),
        },
        TableInput::NextInvalid => needs_a_snapshot(state, Verdict::Rejected),
        TableInput::NextUnchained | TableInput::OldOther => {
            needs_a_snapshot(state, Verdict::Divergence)
        }
        TableInput::Foreign => needs_a_snapshot(state, Verdict::ForeignEpoch),
        TableInput::HeldOther => match state {
            // Nothing is held that it could contradict.
            Idle => cell(Awaiting, Verdict::Held).asks(ServerRequest::Events),
            Scheduled | Awaiting | Replaying | Receiving | Ended | Failed => {
                needs_a_snapshot(state, Verdict::Divergence)
            }
        },
        TableInput::NextDamaged => match state {
            Idle | Replaying | Receiving => {
                cell(Awaiting, Verdict::Corrupt).asks(ServerRequest::Events)
            }
            // A request is already in flight or scheduled.
            Scheduled | Awaiting => cell(state, Verdict::Corrupt),
            Ended | Failed => cell(state, Verdict::Ignored),
        },
        TableInput::Old => match state {
            Idle | Scheduled | Awaiting | Replaying | Receiving => cell(state, Verdict::Duplicate),
            Ended | Failed => cell(state, Verdict::Ignored),
        },
        TableInput::Beyond => beyond(state, Verdict::Held),
        TableInput::Held => match state {
            Idle => cell(Awaiting, Verdict::Held).asks(ServerRequest::Events),
            Scheduled | Awaiting | Replaying | Receiving | Ended | Failed => {
                beyond(state, Verdict::Duplicate)
            }
        },
        TableInput::Replay => answer(state, Replaying),
        // The held events are newer than the answer. The server sends the missing ones without a request.
        TableInput::Current => answer(state, Replaying),
        TableInput::Snapshotted => answer(state, Receiving),
        TableInput::Unknown => answer(state, Failed),
        TableInput::AnswerOld => match state {
            Idle | Scheduled | Awaiting | Replaying | Receiving | Ended | Failed => {
                cell(state, Verdict::Ignored)
            }
        },
        TableInput::Part => match state {
            Receiving => cell(Receiving, Verdict::Control),
            Idle | Scheduled | Awaiting | Replaying | Ended | Failed => {
                cell(state, Verdict::Ignored)
            }
        },
        TableInput::PartLast => match state {
            // The first one was lost.
            Receiving => cell(Awaiting, Verdict::Control).asks(ServerRequest::Events),
            Idle | Scheduled | Awaiting | Replaying | Ended | Failed => {
                cell(state, Verdict::Ignored)
            }
        },
        TableInput::HeadSame | TableInput::LogAhead => match state {
            Idle | Scheduled | Awaiting | Replaying | Receiving | Ended | Failed => {
                cell(state, Verdict::Control)
            }
        },
        TableInput::HeadAbove => match state {
            // It has been written, and did not come.
            Idle | Replaying => cell(Awaiting, Verdict::Control).asks(ServerRequest::Events),
            Scheduled | Awaiting | Receiving | Ended | Failed => cell(state, Verdict::Control),
        },
        TableInput::HeadNone => match state {
            Idle => cell(Awaiting, Verdict::Control).asks(ServerRequest::Events),
            Scheduled | Awaiting | Replaying | Receiving | Ended | Failed => {
                cell(state, Verdict::Control)
            }
        },
        TableInput::HeadBelow => match state {
            Idle => cell(Awaiting, Verdict::Control).asks(ServerRequest::Snapshot),
            Scheduled | Awaiting | Replaying | Receiving | Ended | Failed => {
                cell(state, Verdict::Control)
            }
        },
        TableInput::RateLimited => match state {
            Awaiting => cell(Scheduled, Verdict::Control),
            Idle | Scheduled | Replaying | Receiving => cell(state, Verdict::Control),
            Ended | Failed => cell(state, Verdict::Ignored),
        },
        TableInput::Revoked => match state {
            Idle | Scheduled | Awaiting | Replaying | Receiving => cell(Failed, Verdict::Control),
            Ended | Failed => cell(state, Verdict::Ignored),
        },
        TableInput::Deadline => match state {
            Scheduled | Awaiting | Replaying | Receiving => {
                cell(Awaiting, Verdict::Ignored).asks(ServerRequest::Events).silent()
            }
            Idle | Ended | Failed => cell(state, Verdict::Ignored).silent(),
        },
        TableInput::SocketLost => match state {
            Scheduled | Awaiting | Replaying | Receiving => {
                cell(Scheduled, Verdict::Ignored).silent()
            }
            Idle | Ended | Failed => cell(state, Verdict::Ignored).silent(),
        },
    }
}

/// No event that could come next helps: a snapshot is asked for, once the rate allows.
const fn needs_a_snapshot(state: State, verdict: Verdict) -> Cell {
    match state {
        Idle | Awaiting | Replaying | Receiving => {
            cell(Awaiting, verdict).asks(ServerRequest::Snapshot)
        }
        Scheduled => cell(Scheduled, verdict),
        Ended | Failed => cell(state, Verdict::Ignored),
    }
}

/// Something before it is missing. A replay that skips it has lost it.
const fn beyond(state: State, verdict: Verdict) -> Cell {
    match state {
        Idle | Replaying => cell(Awaiting, verdict).asks(ServerRequest::Events),
        Scheduled | Awaiting | Receiving => cell(state, verdict),
        Ended | Failed => cell(state, Verdict::Ignored),
    }
}

/// The answer to what was asked; nobody else listens.
const fn answer(state: State, to: State) -> Cell {
    match state {
        Awaiting => cell(to, Verdict::Control),
        Idle | Scheduled | Replaying | Receiving | Ended | Failed => cell(state, Verdict::Ignored),
    }
}

fn log() -> Log {
    Log::with_rows(6)
}

/// Another event in the place of one of ours, as intact as that.
fn other(number: u64) -> Event {
    let mut event = log().event(number).clone();
    event.data = event.data.replacen('{', "{\"other\":1,", 1);
    event
}

fn at(state: State) -> World {
    let head = Log::with_rows(3);
    let mut world = World::following_with(&head, Config::default());
    if state == Idle {
        return world;
    }
    if state == Failed || state == Ended {
        let reason = if state == Failed { "forbidden" } else { "deleted" };
        let _ = world.receive(&wire::message(
            "subscription_ended",
            &json!({"campaignId": CAMPAIGN, "reason": reason}),
        ));
        world.clear();
        return world;
    }
    let _ = world.receive(&log().document(6));
    match state {
        Scheduled => {
            let _ = happen(&mut world, TableInput::RateLimited);
        }
        Replaying => world.answer("replay", EPOCH, 5, 7),
        Receiving => world.answer("snapshot", EPOCH, 8, 7),
        Idle | Awaiting | Ended | Failed => {}
    }
    assert_eq!(self::state(&world), state, "the way leads elsewhere");
    world
}

fn state(world: &World) -> State {
    let status = world.status();
    if status == "ended" {
        return Ended;
    }
    if status.starts_with("failed") {
        return Failed;
    }
    let subscription = world.machine.subscription(CAMPAIGN).expect("it is held");
    match subscription.recovery().state_name() {
        "idle" => Idle,
        "scheduled" => Scheduled,
        "awaiting_answer" => Awaiting,
        "replaying" => Replaying,
        "receiving_snapshot" => Receiving,
        other => panic!("the table has no state {other}"),
    }
}

/// The id of the last request: it may have been long ago.
fn request(world: &World) -> Value {
    let request = world.last_sent("request_event_recovery");
    request.map_or_else(|| json!("r-none"), |it| it["payload"]["requestId"].clone())
}

fn happen(world: &mut World, input: TableInput) -> Option<Verdict> {
    let request = request(world);
    let id = request.as_str().unwrap_or_default();
    let log = log();
    let answer = |outcome, from, to| wire::recovery(outcome, EPOCH, id, from, to);
    let part = |index: usize| {
        let snapshot = Snapshot { per_part: 3, ..Snapshot::new(EPOCH, 7, id, rows(6)) };
        snapshot.parts()[index].clone()
    };
    let message = |kind: &str, data: Value| wire::message(kind, &data);
    let document = match input {
        TableInput::Next => log.document(5),
        TableInput::NextUnknown => {
            Event { kind: "campaign.weather".to_owned(), ..log.event(5).clone() }.document()
        }
        TableInput::NextInvalid => {
            Event { data: "{\"domainId\":7}".to_owned(), ..log.event(5).clone() }.document()
        }
        TableInput::NextUnchained => {
            let previous = Some("epoch-a-event-none".to_owned());
            Event { previous, ..log.event(5).clone() }.document()
        }
        TableInput::NextDamaged => log.event(5).damaged(),
        TableInput::Old => log.document(3),
        TableInput::OldOther => other(3).document(),
        TableInput::Beyond => log.document(7),
        TableInput::Held => log.document(6),
        TableInput::HeldOther => other(6).document(),
        TableInput::Foreign => {
            Event { epoch: OTHER_EPOCH.to_owned(), ..log.event(5).clone() }.document()
        }
        TableInput::Replay => answer("replay", 5, 7),
        TableInput::Current => answer("current", 5, 4),
        TableInput::Snapshotted => answer("snapshot", 8, 7),
        TableInput::Unknown => answer("unknown_campaign", 0, 0),
        TableInput::AnswerOld => wire::recovery("replay", EPOCH, "r-old", 5, 7),
        TableInput::Part => part(0),
        TableInput::PartLast => part(1),
        TableInput::HeadSame => return Some(pong(world, json!([wire_head(EPOCH, 4, 4)]))),
        TableInput::HeadAbove => return Some(pong(world, json!([wire_head(EPOCH, 6, 6)]))),
        TableInput::HeadBelow => return Some(pong(world, json!([wire_head(EPOCH, 2, 2)]))),
        TableInput::LogAhead => return Some(pong(world, json!([wire_head(EPOCH, 4, 6)]))),
        TableInput::HeadNone => return Some(pong(world, json!([]))),
        TableInput::RateLimited => message(
            "error",
            json!({"code": "rate_limited", "message": "", "campaignId": CAMPAIGN,
                "requestId": request, "retryAfterMs": 3_000}),
        ),
        TableInput::Revoked => {
            message("subscription_ended", json!({"campaignId": CAMPAIGN, "reason": "forbidden"}))
        }
        TableInput::Deadline => {
            // The socket lives: only the recovery makes no progress.
            for _ in 0..3 {
                world.advance(4_000);
                let _ = world.pong(POSITION);
            }
            return None;
        }
        TableInput::SocketLost => {
            world.close(1006);
            return None;
        }
    };
    Some(world.receive(&document))
}

/// A ping, sent now, and its answer.
fn pong(world: &mut World, heads: Value) -> Verdict {
    world.input(Input::Woke(Wake::Visible));
    world.pong_with(heads)
}

fn happens(state: State, input: TableInput) -> Cell {
    let mut world = at(state);
    let before = world.requests();
    let verdict = happen(&mut world, input);
    let asks = match world.requests() - before {
        0 => ServerRequest::Nothing,
        _ if world.request()["prefer"] == "snapshot" => ServerRequest::Snapshot,
        _ => ServerRequest::Events,
    };
    Cell { to: self::state(&world), at: world.position(), verdict, asks }
}

pub(super) fn document() -> String {
    let table = print(&STATES, INPUTS, |state, input| expected(*state, *input));
    format!(
        "## A campaign\n\nThe position is 4; where a recovery is under way, event 6 came before 5 and \
         is held. A cell says how far the recovery then has come, what became of the document, \
         the position where it moved, and what is asked of the server.\n\n{table}"
    )
}

// R7.3, R8.16, R8.17, R8.27, R12.20
#[test]
fn a_campaign_does_what_its_table_says() {
    compare(&STATES, INPUTS, expected, happens);
}
