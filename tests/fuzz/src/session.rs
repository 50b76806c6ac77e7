//! Any messages of a client to the reference server, and any events in between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use campaign_sync::protocol::CampaignId;
use campaign_sync::protocol::campaign::CampaignRecord;
use campaign_sync_harness::access::Access;
use campaign_sync_harness::campaign::drafts;
use campaign_sync_harness::clock::Moment;
use campaign_sync_harness::hub::Hub;
use campaign_sync_harness::log::{Draft, Settings};
use campaign_sync_harness::session::limits::Delivery;
use campaign_sync_harness::session::{Context, Session, Step};
use campaign_sync_harness::snapshots::Snapshots;
use campaign_sync_support::MemoryLog;
use serde_json::{Value, json};

/// Lines beyond this number are ignored.
const LINES_MAX: usize = 200;
/// A session that takes more steps than this at one moment counts as endless.
const STEPS_MAX: usize = 20_000;
/// The most bytes of a server's document, except the last row of a snapshot (docs/PROTOCOL.md, limits).
const DOCUMENT_BYTES_MAX: usize = 300 * 1024;

/// Each line is an action: its first byte is the kind, the rest is the content.
///
/// | byte | action | rest |
/// | --- | --- | --- |
/// | `>` | the client sends a message | a frame |
/// | `B` | the client sends bytes that are not text | |
/// | `G` | an event is appended | |
/// | `E` | history up to the head is truncated | |
/// | `T` | time passes until the session is due | |
/// | `P` | time passes | milliseconds |
/// | `L` | the server begins to drain | |
///
/// # Panics
/// If a promise is broken.
pub fn run(input: &[u8]) {
    let _ = after(input);
}

fn after(input: &[u8]) -> CoreFixture {
    let mut fixture = CoreFixture::new();
    for line in input.split(|&byte| byte == b'\n').take(LINES_MAX) {
        if let Some((&kind, rest)) = line.split_first() {
            fixture.happen(kind, rest);
            if !fixture.listen() {
                break;
            }
        }
    }
    fixture
}

#[derive(Debug)]
struct CoreFixture {
    context: Arc<Context>,
    session: Session,
    now_ms: u64,
    events: u64,
    /// The number that must come next, by campaign.
    next: BTreeMap<String, u64>,
}

fn moment(ms: u64) -> Moment {
    Moment { monotonic_ms: ms, wall_ms: 1_900_000_000_000 + ms }
}

fn campaign() -> CampaignId {
    CampaignId::new("c1").expect("the id is valid")
}

fn draft(now: Moment, number: u64) -> Draft {
    if number == 1 {
        let record = CampaignRecord::default();
        return drafts::record(now, &campaign(), "create", &record, &Settings::default());
    }
    let row = json!({"domainId": format!("d{number}"), "domain": format!("a{number}.example")});
    drafts::draft(now, "domains.updated", &json!({"campaignId": "c1", "domains": [row]}))
}

impl CoreFixture {
    fn new() -> Self {
        let context = Arc::new(Context {
            hub: Arc::new(Hub::new(Arc::new(MemoryLog::new("epoch-1")))),
            snapshots: Snapshots::default(),
            access: Access::open(),
            heartbeat_ms: 5_000,
            delivery: Delivery::default(),
            drain_spread_ms: 4_000,
            one_event_per_frame: AtomicBool::new(false),
        });
        let session = Session::open(moment(0), context.clone(), "s1".into(), Arc::default());
        let mut fixture = Self { context, session, now_ms: 0, events: 0, next: BTreeMap::new() };
        (0..3).for_each(|_| fixture.append());
        fixture
    }

    fn append(&mut self) {
        let draft = draft(moment(self.now_ms), self.events + 1);
        let appended = self.context.hub.append(&campaign(), self.events, &[draft]);
        appended.expect("the number is right and the event is sound");
        self.events += 1;
    }

    fn happen(&mut self, kind: u8, rest: &[u8]) {
        let now = moment(self.now_ms);
        let text = core::str::from_utf8(rest).ok();
        match kind {
            b'>' => match text {
                Some(text) => self.session.receive(now, text),
                None => self.session.receive_invalid_utf8(now),
            },
            b'B' => self.session.receive_invalid_utf8(now),
            b'G' => self.append(),
            b'E' => {
                self.context.hub.log().truncate(&campaign(), self.events).expect("it can forget");
                self.context.hub.reread(&campaign()).expect("it can be read");
            }
            b'T' => self.now_ms = self.now_ms.max(self.session.timeout_ms().min(1 << 40)),
            b'P' => {
                let ms = text.and_then(|text| text.trim().parse().ok()).unwrap_or(10);
                self.now_ms += 100_000.min(ms);
            }
            b'L' => self.session.drain(now),
            _ => {}
        }
    }

    /// Checks all documents that the session sends now. Returns whether the session continues.
    fn listen(&mut self) -> bool {
        for _ in 0..STEPS_MAX {
            match self.session.poll(moment(self.now_ms), true) {
                Step::Frame(frame) => {
                    frame.text.to_string().split('\n').for_each(|it| self.hear(it))
                }
                Step::Close(code, _) => {
                    assert!((4_000..5_000).contains(&code) || code == 1012, "close code {code}");
                    return false;
                }
                Step::Ping => {}
                Step::Blocking => panic!("it may block, and says that it may not"),
                Step::LookUpSession => {
                    panic!("everybody is known, and others are asked for somebody")
                }
                Step::Idle => return true,
            }
        }
        panic!("the session never rests");
    }

    fn hear(&mut self, document: &str) {
        assert!(document.len() <= DOCUMENT_BYTES_MAX, "{} bytes", document.len());
        let document: Value = serde_json::from_str(document).expect("only JSON is sent");
        let kind = document["type"].as_str().expect("documents have a type");
        let data = &document["data"];
        let id = data["campaignId"].as_str().unwrap_or_default().to_owned();
        if kind == "event_recovery" {
            match data["outcome"].as_str().expect("recoveries have an outcome") {
                "unknown_campaign" => self.next.remove(&id),
                _ => self.next.insert(id, data["fromSequenceNumber"].as_u64().expect("a number")),
            };
        } else if kind == "subscription_ended" {
            self.next.remove(&id);
        } else if let Some(number) = document["sequence"]["sequenceNumber"].as_u64() {
            let campaign = document["sequence"]["campaignId"].as_str().expect("a campaign");
            let next = self.next.get_mut(campaign).expect("events come after a recovery");
            assert_eq!(*next, number, "the numbers have a hole");
            *next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_gets_the_answer_it_requested() {
        for seed in crate::seeds::of("session") {
            // A seed ends with an unsubscription and a drain. Without them the campaign is still followed
            // at the end.
            let text = String::from_utf8(seed).unwrap();
            let still: Vec<&str> =
                text.lines().filter(|it| !it.contains("unsubscribe") && *it != "L").collect();
            let fixture = after(still.join("\n").as_bytes());
            assert_eq!(fixture.next.get("c1"), Some(&(fixture.events + 1)), "{text}");
        }
    }
}
