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
    asks: Asks,
}

/// The requests to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
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
            Asks::Nothing => "",
            Asks::Events => ", asks for events",
            Asks::Snapshot => ", asks for a snapshot",
        })
    }
}

const POSITION: u64 = 4;

const fn cell(to: State, verdict: Verdict) -> Cell {
    Cell { to, at: POSITION, verdict: Some(verdict), asks: Asks::Nothing }
}

impl Cell {
    const fn at(self, at: u64) -> Self {
        Self { at, ..self }
    }

    const fn asks(self, asks: Asks) -> Self {
        Self { asks, ..self }
    }

    const fn silent(self) -> Self {
        Self { verdict: None, ..self }
    }
}

/// The table. No arm has a catch-all.
#[expect(clippy::too_many_lines, reason = "a table of all states and inputs")]
fn expected(state: State, input: Happens) -> Cell {
    match input {
        Happens::Next => match state {
            Idle => cell(Idle, Verdict::Applied).at(5),
            // A held event becomes next.
            Scheduled | Awaiting | Replaying | Receiving => cell(state, Verdict::Applied).at(6),
            Ended | Failed => cell(state, Verdict::Ignored),
        },
        Happens::NextUnknown => match state {
            Idle => cell(Idle, Verdict::AppliedUnknown).at(5),
            Scheduled | Awaiting | Replaying | Receiving => {
                cell(state, Verdict::AppliedUnknown).at(6)
            }
            Ended | Failed => cell(state, Verdict::Ignored),
        },
        Happens::NextInvalid => needs_a_snapshot(state, Verdict::Rejected),
        Happens::NextUnchained | Happens::OldOther => needs_a_snapshot(state, Verdict::Divergence),
        Happens::Foreign => needs_a_snapshot(state, Verdict::ForeignEpoch),
        Happens::HeldOther => match state {
            // Nothing is held that it could contradict.
            Idle => cell(Awaiting, Verdict::Held).asks(Asks::Events),
            Scheduled | Awaiting | Replaying | Receiving | Ended | Failed => {
                needs_a_snapshot(state, Verdict::Divergence)
            }
        },
        Happens::NextDamaged => match state {
            Idle | Replaying | Receiving => cell(Awaiting, Verdict::Corrupt).asks(Asks::Events),
            // Has been asked for, or will be.
            Scheduled | Awaiting => cell(state, Verdict::Corrupt),
            Ended | Failed => cell(state, Verdict::Ignored),
        },
        Happens::Old => match state {
            Idle | Scheduled | Awaiting | Replaying | Receiving => cell(state, Verdict::Duplicate),
            Ended | Failed => cell(state, Verdict::Ignored),
        },
        Happens::Beyond => beyond(state, Verdict::Held),
        Happens::Held => match state {
            Idle => cell(Awaiting, Verdict::Held).asks(Asks::Events),
            Scheduled | Awaiting | Replaying | Receiving | Ended | Failed => {
                beyond(state, Verdict::Duplicate)
            }
        },
        Happens::Replay => answer(state, Replaying),
        // The server had less than is held: the rest comes by itself.
        Happens::Current => answer(state, Replaying),
        Happens::Snapshotted => answer(state, Receiving),
        Happens::Unknown => answer(state, Failed),
        Happens::AnswerOld => match state {
            Idle | Scheduled | Awaiting | Replaying | Receiving | Ended | Failed => {
                cell(state, Verdict::Ignored)
            }
        },
        Happens::Part => match state {
            Receiving => cell(Receiving, Verdict::Control),
            Idle | Scheduled | Awaiting | Replaying | Ended | Failed => {
                cell(state, Verdict::Ignored)
            }
        },
        Happens::PartLast => match state {
            // The first one was lost.
            Receiving => cell(Awaiting, Verdict::Control).asks(Asks::Events),
            Idle | Scheduled | Awaiting | Replaying | Ended | Failed => {
                cell(state, Verdict::Ignored)
            }
        },
        Happens::HeadSame | Happens::LogAhead => match state {
            Idle | Scheduled | Awaiting | Replaying | Receiving | Ended | Failed => {
                cell(state, Verdict::Control)
            }
        },
        Happens::HeadAbove => match state {
            // It has been written, and did not come.
            Idle | Replaying => cell(Awaiting, Verdict::Control).asks(Asks::Events),
            Scheduled | Awaiting | Receiving | Ended | Failed => cell(state, Verdict::Control),
        },
        Happens::HeadNone => match state {
            Idle => cell(Awaiting, Verdict::Control).asks(Asks::Events),
            Scheduled | Awaiting | Replaying | Receiving | Ended | Failed => {
                cell(state, Verdict::Control)
            }
        },
        Happens::HeadBelow => match state {
            Idle => cell(Awaiting, Verdict::Control).asks(Asks::Snapshot),
            Scheduled | Awaiting | Replaying | Receiving | Ended | Failed => {
                cell(state, Verdict::Control)
            }
        },
        Happens::RateLimited => match state {
            Awaiting => cell(Scheduled, Verdict::Control),
            Idle | Scheduled | Replaying | Receiving => cell(state, Verdict::Control),
            Ended | Failed => cell(state, Verdict::Ignored),
        },
        Happens::Revoked => match state {
            Idle | Scheduled | Awaiting | Replaying | Receiving => cell(Failed, Verdict::Control),
            Ended | Failed => cell(state, Verdict::Ignored),
        },
        Happens::Deadline => match state {
            Scheduled | Awaiting | Replaying | Receiving => {
                cell(Awaiting, Verdict::Ignored).asks(Asks::Events).silent()
            }
            Idle | Ended | Failed => cell(state, Verdict::Ignored).silent(),
        },
        Happens::SocketLost => match state {
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
        Idle | Awaiting | Replaying | Receiving => cell(Awaiting, verdict).asks(Asks::Snapshot),
        Scheduled => cell(Scheduled, verdict),
        Ended | Failed => cell(state, Verdict::Ignored),
    }
}

/// Something before it is missing. A replay that skips it has lost it.
const fn beyond(state: State, verdict: Verdict) -> Cell {
    match state {
        Idle | Replaying => cell(Awaiting, verdict).asks(Asks::Events),
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
            let _ = happen(&mut world, Happens::RateLimited);
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

fn happen(world: &mut World, input: Happens) -> Option<Verdict> {
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
        Happens::Next => log.document(5),
        Happens::NextUnknown => {
            Event { kind: "campaign.weather".to_owned(), ..log.event(5).clone() }.document()
        }
        Happens::NextInvalid => {
            Event { data: "{\"domainId\":7}".to_owned(), ..log.event(5).clone() }.document()
        }
        Happens::NextUnchained => {
            let previous = Some("epoch-a-event-none".to_owned());
            Event { previous, ..log.event(5).clone() }.document()
        }
        Happens::NextDamaged => log.event(5).damaged(),
        Happens::Old => log.document(3),
        Happens::OldOther => other(3).document(),
        Happens::Beyond => log.document(7),
        Happens::Held => log.document(6),
        Happens::HeldOther => other(6).document(),
        Happens::Foreign => {
            Event { epoch: OTHER_EPOCH.to_owned(), ..log.event(5).clone() }.document()
        }
        Happens::Replay => answer("replay", 5, 7),
        Happens::Current => answer("current", 5, 4),
        Happens::Snapshotted => answer("snapshot", 8, 7),
        Happens::Unknown => answer("unknown_campaign", 0, 0),
        Happens::AnswerOld => wire::recovery("replay", EPOCH, "r-old", 5, 7),
        Happens::Part => part(0),
        Happens::PartLast => part(1),
        Happens::HeadSame => return Some(pong(world, json!([wire_head(EPOCH, 4, 4)]))),
        Happens::HeadAbove => return Some(pong(world, json!([wire_head(EPOCH, 6, 6)]))),
        Happens::HeadBelow => return Some(pong(world, json!([wire_head(EPOCH, 2, 2)]))),
        Happens::LogAhead => return Some(pong(world, json!([wire_head(EPOCH, 4, 6)]))),
        Happens::HeadNone => return Some(pong(world, json!([]))),
        Happens::RateLimited => message(
            "error",
            json!({"code": "rate_limited", "message": "", "campaignId": CAMPAIGN,
                "requestId": request, "retryAfterMs": 3_000}),
        ),
        Happens::Revoked => {
            message("subscription_ended", json!({"campaignId": CAMPAIGN, "reason": "forbidden"}))
        }
        Happens::Deadline => {
            // The socket lives: only the recovery makes no progress.
            for _ in 0..3 {
                world.advance(4_000);
                let _ = world.pong(POSITION);
            }
            return None;
        }
        Happens::SocketLost => {
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

fn happens(state: State, input: Happens) -> Cell {
    let mut world = at(state);
    let before = world.requests();
    let verdict = happen(&mut world, input);
    let asks = match world.requests() - before {
        0 => Asks::Nothing,
        _ if world.request()["prefer"] == "snapshot" => Asks::Snapshot,
        _ => Asks::Events,
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
