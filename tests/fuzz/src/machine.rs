//! Any inputs of a client, in any order.

use std::collections::BTreeMap;

use campaign_sync::protocol::digest::RowHasher;
use campaign_sync::protocol::frame::Frame;
use campaign_sync::protocol::write::to_json;
use campaign_sync::protocol::{CampaignId, Digest, Epoch, Position, SequenceNumber};
use campaign_sync::store::DomainTable;
use campaign_sync::sync::connection::ConnectionState;
use campaign_sync::sync::input::{Ticket, TokenFailure, Wake};
use campaign_sync::sync::{Config, Input, Machine, Now, Status, Timestamp};

use crate::document::honest;
use crate::reported::Reported;

/// Lines beyond this number are ignored.
const LINES_MAX: usize = 400;
/// The campaign of an input that names none.
const CAMPAIGN: &str = "c1";
/// Separates the documents of one frame. A line feed separates inputs.
const SEPARATOR: char = '\u{1e}';
/// Timers that may fire one after the other without any time passing.
const TIMERS_MAX: u32 = 8;
/// Tables up to this many rows are recounted after every input.
const ROWS_RECOUNTED: usize = 64;

/// Each line is an input: its first byte is the kind, the rest is the content.
///
/// | byte | input | rest |
/// | --- | --- | --- |
/// | `#` | no input: the flags of the first line | a digit: 1 tokens, 2 snapshots from outside, 4 logs |
/// | `+` `-` | retain, release a campaign | its id |
/// | `C` `X` | connect, close permanently | |
/// | `O` `D` | the socket opened, closed | the close code |
/// | `T` | the timer fires when it is due | |
/// | `P` `J` | time passes; the wall clock jumps | milliseconds |
/// | `V` `N` | the page is visible; the network is back | |
/// | `K` `F` | a token, a snapshot from outside; none if empty | the text |
/// | `A` | wait for a position | `epoch/number` |
/// | `R` `U` | refresh, discard unconfirmed rows | the campaign's id |
/// | `=` | a frame whose events get correct hashes | documents |
/// | `!` | a frame as it is, binary if it is not UTF-8 | documents |
///
/// In documents `$r` is the last request's id and `$p` the last ping's timestamp.
///
/// # Panics
/// If a promise is broken.
pub fn run(input: &[u8]) {
    let _ = after(input);
}

fn after(input: &[u8]) -> Client {
    let mut lines = input.split(|&byte| byte == b'\n').take(LINES_MAX).peekable();
    let flags = match lines.peek() {
        Some([b'#', digit, ..]) => digit & 7,
        _ => 0,
    };
    let mut client = Client::new(flags);
    for line in lines {
        if let Some((&kind, rest)) = line.split_first() {
            client.happen(kind, rest);
            client.check();
        }
    }
    client
}

#[derive(Debug)]
struct Client {
    machine: Machine,
    config: Config,
    now: Now,
    reported: Reported,
    positions: BTreeMap<String, Position>,
    idle_timers: u32,
}

impl Client {
    fn new(flags: u8) -> Self {
        let config = Config {
            has_token: flags & 1 > 0,
            has_fetch_snapshot: flags & 2 > 0,
            log: flags & 4 > 0,
            ..Config::default()
        };
        Self {
            machine: Machine::new(config.clone(), 1),
            config,
            now: Now { at: Timestamp(1_000), wall_ms: 1_900_000_000_000 },
            reported: Reported::default(),
            positions: BTreeMap::new(),
            idle_timers: 0,
        }
    }

    fn happen(&mut self, kind: u8, rest: &[u8]) {
        let text = core::str::from_utf8(rest).ok();
        let number = || text.and_then(|text| text.trim().parse::<u64>().ok());
        let campaign = || {
            text.and_then(|text| CampaignId::new(text.trim()).ok())
                .unwrap_or_else(|| CampaignId::new(CAMPAIGN).expect("the id is valid"))
        };
        let socket = self.reported.socket.unwrap_or_default();
        match kind {
            b'+' => self.handle(Input::Retain(campaign())),
            b'-' => self.handle(Input::Release(campaign())),
            b'C' => self.handle(Input::Connect),
            b'X' => self.handle(Input::Close),
            b'O' => self.handle(Input::Opened(socket)),
            b'D' => {
                let code = number().and_then(|code| u16::try_from(code).ok()).unwrap_or(1006);
                self.reported.socket = None;
                self.handle(Input::Closed(socket, code));
            }
            b'T' => self.fire(),
            b'P' => self.pass(number().unwrap_or(10).min(100_000)),
            b'J' => self.now.wall_ms += number().unwrap_or(60_000).min(10_000_000) as i64,
            b'V' => self.handle(Input::Woke(Wake::Visible)),
            b'N' => self.handle(Input::Woke(Wake::Online)),
            b'K' => {
                let token = text.filter(|text| !text.is_empty()).map(str::to_owned);
                let ticket = self.reported.token.take().unwrap_or_default();
                self.handle(Input::Token(ticket, token.ok_or(TokenFailure::Failed)));
            }
            b'F' => {
                let json = text.filter(|text| !text.is_empty());
                let ticket = self.reported.fetch.take().unwrap_or_default();
                self.handle(Input::Snapshot(ticket, json));
            }
            b'A' => {
                if let Some(position) = text.and_then(position) {
                    self.handle(Input::WaitForPosition(campaign(), position, Ticket(1)));
                }
            }
            b'R' => self.handle(Input::Refresh(campaign())),
            b'U' => self.handle(Input::DiscardUnconfirmed(campaign())),
            b'=' => self.receive(text, rest, true),
            b'!' => self.receive(text, rest, false),
            _ => {}
        }
    }

    fn receive(&mut self, text: Option<&str>, bytes: &[u8], mend: bool) {
        let socket = self.reported.socket.unwrap_or_default();
        let Some(text) = text else {
            return self.handle(Input::Received(socket, Frame::Binary(bytes)));
        };
        let text = text.replace("$r", &self.reported.request);
        let text = text.replace("$p", &self.reported.ping.to_string());
        let mended = |document: &str| if mend { honest(document) } else { document.to_owned() };
        let documents: Vec<String> = text.split(SEPARATOR).map(mended).collect();
        self.handle(Input::Received(socket, Frame::Text(&documents.join("\n"))));
    }

    fn fire(&mut self) {
        let Some(due) = self.machine.poll_timeout() else { return };
        let wait = due.since(self.now.at);
        self.idle_timers = if wait == 0 { self.idle_timers + 1 } else { 0 };
        assert!(self.idle_timers <= TIMERS_MAX, "the timer never rests");
        self.pass(wait);
        self.handle(Input::Woke(Wake::Timer));
    }

    fn pass(&mut self, ms: u64) {
        self.now.at = self.now.at + ms;
        self.now.wall_ms += ms as i64;
    }

    fn handle(&mut self, input: Input<'_>) {
        let outcome = self.machine.handle(self.now, input);
        assert!(outcome.applied == 0 || !outcome.ignored_late, "an old socket changed something");
        self.reported.drain(&mut self.machine, self.now.at);
    }

    /// Everything that must hold between two inputs.
    fn check(&mut self) {
        let held: Vec<CampaignId> = self.machine.campaigns().cloned().collect();
        self.positions.retain(|id, _| held.iter().any(|it| it.as_str() == id));
        self.reported.forget(&self.machine);
        for id in held {
            let live = self.machine.status(id.as_str(), self.now) == Some(Status::Live);
            let open = matches!(self.machine.connection().state(), ConnectionState::Open(_));
            assert!(!live || open, "G4: live without anybody to prove it");
            let view = self.machine.view(id.as_str(), self.now).expect("it is held");
            serde_json::from_str::<serde_json::Value>(&to_json(&view)).expect("a view is JSON");
            let subscription = self.machine.subscription(id.as_str()).expect("it is held");
            let (events, bytes) = subscription.held();
            let bounded =
                events <= self.config.held_events_max && bytes <= self.config.held_bytes_max;
            assert!(bounded, "G7: {events} events and {bytes} bytes are held");
            if subscription.store().table().len() <= ROWS_RECOUNTED {
                recount(subscription.store().table());
            }
            let Some(position) = subscription.store().position().cloned() else { continue };
            if let Some(before) = self.positions.insert(id.to_string(), position.clone()) {
                let back = before.epoch == position.epoch
                    && before.sequence_number > position.sequence_number;
                assert!(!back, "G3: the position went from {before} back to {position}");
            }
        }
    }
}

/// Checks that the running digest is that of the rows.
fn recount(table: &DomainTable) {
    let (mut hasher, mut digest) = (RowHasher::default(), Digest::default());
    for row in 0..table.len() {
        digest.add(hasher.hash(&table.fields(row)));
        assert_eq!(table.find(table.id(row)), Some(row), "a row is not found by its id");
    }
    assert_eq!(digest, table.digest(), "the running digest is not that of the rows");
}

fn position(text: &str) -> Option<Position> {
    let (epoch, number) = text.trim().split_once('/')?;
    let sequence_number = SequenceNumber::new(number.parse().ok()?).ok()?;
    Some(Position { epoch: Epoch::new(epoch).ok()?, sequence_number, event_id: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_written_seed_gets_to_its_end() {
        let numbers: Vec<u64> = crate::seeds::written()
            .iter()
            .map(|seed| after(seed).positions[CAMPAIGN].sequence_number.get())
            .collect();
        assert_eq!(numbers, [6; 5]);
    }

    #[test]
    fn recorded_seeds_show_rows() {
        let rows = |seed: &Vec<u8>| {
            let client = after(seed);
            let held = client.machine.campaigns().map(|id| id.as_str());
            held.filter_map(|id| client.machine.subscription(id))
                .map(|subscription| subscription.store().table().len())
                .sum::<usize>()
        };
        let recorded = crate::seeds::of("machine").len() - crate::seeds::written().len();
        let shown: Vec<usize> = crate::seeds::of("machine")[..recorded].iter().map(rows).collect();
        assert!(shown.iter().any(|rows| *rows > 10), "{shown:?}");
    }
}
