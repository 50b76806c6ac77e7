//! The machine on standard input and output, for the comparison with the reader of the contract that
//! was written from the document alone (`tests/conformance/test/histories.test.mjs`).
//!
//! A line is a JSON list: a command, the number of a history, and what the command needs.
//!
//! | command | needs | answer |
//! | --- | --- | --- |
//! | `new` | a seed, campaign ids | what the machine did |
//! | `frame` | text | what the machine did |
//! | `advance` | milliseconds at most; it stops where the machine does something | the effects of the machine |
//! | `close` | a close code | the effects of the machine |
//! | `shown` | a campaign id | its view, its rows, and the metrics |
//! | `end` | | nothing more of this history |
//!
//! Each line is answered by one. The effects are a list of `["open"]`, `["send", text]` and
//! `["close"]`. A socket that the machine wants is open at once.

use std::collections::HashMap;
use std::io::{self, BufRead as _, Write as _};

use campaign_sync::protocol::CampaignId;
use campaign_sync::protocol::frame::Frame;
use campaign_sync::protocol::write::{ToJson, to_json};
use campaign_sync::store::DomainQuery;
use campaign_sync::sync::input::{ConnectionId, Wake};
use campaign_sync::sync::{Config, Input, Machine, Now, Timestamp};
use campaign_sync_support::socket_effects::{SocketEffect, next_socket_effect};
use serde_json::{Value, json};

/// More timers than this in one stretch of time is a busy loop.
const TIMERS_MAX: usize = 10_000;
/// More rows than any history has; one page is what a query answers at most.
const PAGE: usize = 1_000;

struct History {
    machine: Machine,
    now: Now,
    socket: Option<ConnectionId>,
    did: Vec<Value>,
}

impl History {
    fn new(seed: u64) -> Self {
        Self {
            machine: Machine::new(Config::default(), seed),
            now: Now { at: Timestamp(1_000), wall_ms: 1_900_000_000_000 },
            socket: None,
            did: Vec::new(),
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        let _ = self.machine.handle(self.now, input);
        let mut wanted = None;
        while let Some(effect) = next_socket_effect(&mut self.machine) {
            match effect {
                SocketEffect::Open(socket) => wanted = Some(socket),
                SocketEffect::Send(text) => self.did.push(json!(["send", text])),
                SocketEffect::Close => {
                    self.socket = None;
                    self.did.push(json!(["close"]));
                }
            }
        }
        if let Some(socket) = wanted {
            self.socket = Some(socket);
            self.did.push(json!(["open"]));
            self.handle(Input::Opened(socket));
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now.at = self.now.at + ms;
        self.now.wall_ms += ms as i64;
    }

    /// Time passes until the machine does something, or for that long.
    fn advance(&mut self, ms: u64) {
        let end = self.now.at + ms;
        for _ in 0..TIMERS_MAX {
            match self.machine.poll_timeout() {
                Some(due) if due <= end => {
                    self.pass(due.since(self.now.at));
                    self.handle(Input::Woke(Wake::Timer));
                }
                _ => return self.pass(end.since(self.now.at)),
            }
            if !self.did.is_empty() {
                return;
            }
        }
        panic!("the timer never rests");
    }

    fn shown(&mut self, campaign: &str) -> Value {
        let view = self.machine.view(campaign, self.now);
        let view = view.map_or(Value::Null, |it| plain(&it));
        let mut rows = Vec::new();
        loop {
            let query = DomainQuery { offset: rows.len(), limit: PAGE, ..DomainQuery::default() };
            let page = self.machine.domains(campaign, &query);
            let page = page.map_or(Value::Null, |it| plain(&it));
            let more = page["rows"].as_array().expect("the campaign is held").clone();
            rows.extend(more);
            if rows.len() as u64 >= page["total"].as_u64().unwrap_or(0) {
                break;
            }
        }
        let metrics = plain(self.machine.metrics());
        json!({"view": view, "rows": rows, "metrics": metrics})
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a count")
}

/// Carries one line out and says what to answer.
fn command(histories: &mut HashMap<u64, History>, line: &Value) -> Value {
    let id = number(&line[1]);
    match text(&line[0]) {
        "new" => {
            let mut history = History::new(number(&line[2]));
            for campaign in line[3].as_array().expect("a list") {
                let campaign = CampaignId::new(text(campaign)).expect("histories use valid ids");
                history.handle(Input::Retain(campaign));
            }
            history.handle(Input::Connect);
            histories.insert(id, history);
        }
        "end" => {
            histories.remove(&id);
            return Value::Null;
        }
        verb => {
            let history = histories.get_mut(&id).expect("the history has begun");
            match (verb, history.socket) {
                ("shown", _) => return history.shown(text(&line[2])),
                ("advance", _) => history.advance(number(&line[2])),
                ("frame", Some(socket)) => {
                    history.handle(Input::Received(socket, Frame::Text(text(&line[2]))));
                }
                ("close", Some(socket)) => {
                    history.socket = None;
                    history.handle(Input::Closed(socket, number(&line[2]) as u16));
                }
                ("frame" | "close", None) => {}
                _ => panic!("there is no command {verb}"),
            }
        }
    }
    let history = histories.get_mut(&id).expect("the history has begun");
    Value::Array(std::mem::take(&mut history.did))
}

fn main() {
    let mut histories = HashMap::new();
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = serde_json::from_str(&line.expect("input is text")).expect("a line is JSON");
        let answer = command(&mut histories, &line);
        writeln!(output, "{answer}").expect("somebody reads");
    }
}

/// A value as the page receives it.
fn plain(value: &dyn ToJson) -> Value {
    serde_json::from_str(&to_json(value)).expect("it is JSON")
}
