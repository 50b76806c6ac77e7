//! Small requests with large answers, and text of clients in the log.

use std::io::Read as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use campaign_sync::protocol::CampaignId;
use campaign_sync::protocol::campaign::CampaignRecord;
use campaign_sync::protocol::digest::Buckets;
use campaign_sync_harness::access::Access;
use campaign_sync_harness::campaign::drafts;
use campaign_sync_harness::delegate_event_log;
use campaign_sync_harness::log::{EventLog, Result, Settings};
use campaign_sync_harness::session::message;
use campaign_sync_support::MemoryLog;
use serde_json::json;

use super::core::{CoreFixture, at_zero, kind};
use super::log::NOW;
use super::process::{Process, program};
use super::shutdown::send;
use super::support::{Client, parse};

/// A session that follows `count` campaigns.
fn follower_of(count: usize) -> CoreFixture {
    let mut fixture = CoreFixture::silent(1).greeted();
    for number in 0..count {
        let id = CampaignId::new(&format!("many-{number:03}")).unwrap();
        let record = CampaignRecord { name: "many".into(), ..CampaignRecord::default() };
        let new = drafts::record(NOW, &id, "create", &record, &Settings::default());
        fixture.context.hub.append(&id, 0, &[new]).unwrap();
        fixture.say(json!({"type": "subscribe_campaign", "campaignId": id.as_str()}));
        fixture.recover(json!({"campaignId": id.as_str(), "lastSequenceNumber": 1}));
        assert_eq!(fixture.hear().len(), 2);
    }
    fixture
}

// R12.4
#[test]
fn pings_with_many_heads_are_answered_later_and_in_order() {
    let mut fixture = follower_of(255);
    fixture.recover(at_zero());
    fixture.hear();
    fixture.now_ms += 60_000;
    for timestamp in 0..12 {
        fixture.say(json!({"type": "ping", "payload": {"timestamp": timestamp}}));
    }
    let echoes = |received: &[String]| -> Vec<u64> {
        let pongs = received.iter().map(|it| parse(it)).filter(|it| it["type"] == "pong");
        pongs.filter_map(|it| it["data"]["timestamp"].as_u64()).collect()
    };
    let first = fixture.hear();
    assert_eq!(echoes(&first), (0..8).collect::<Vec<_>>(), "a burst of 2,048 heads");
    fixture.append_to(2);
    assert_eq!(kind(&fixture.hear()[0]), "domains.updated", "events do not wait for pings");
    let due = fixture.session.timeout_ms();
    assert!((fixture.now_ms + 1..=fixture.now_ms + 500).contains(&due));
    fixture.now_ms += 500;
    let second = fixture.hear();
    assert_eq!(echoes(&second), [8]);
    let pong = second.iter().map(|it| parse(it)).find(|it| it["type"] == "pong").unwrap();
    assert_eq!(pong["data"]["heads"].as_array().unwrap().len(), 256);
    fixture.now_ms += 4_000;
    assert_eq!(echoes(&fixture.hear()), [9, 10, 11]);
}

/// A log that counts how often all rows are digested.
#[derive(Debug)]
struct CountingLog {
    log: MemoryLog,
    digested: AtomicU64,
}

impl CountingLog {
    fn log(&self) -> &MemoryLog {
        &self.log
    }
}

impl EventLog for CountingLog {
    delegate_event_log!(log: epoch, secret, keys, campaigns, list, head, append, read, bytes_after, view, recount,
        transactions, record_refusal, audit_entry, truncate, diverge);

    fn buckets(&self, campaign: &CampaignId) -> Result<Option<(u64, Box<Buckets>)>> {
        self.digested.fetch_add(1, Ordering::Relaxed);
        self.log.buckets(campaign)
    }
}

#[test]
fn digests_of_one_head_are_computed_once() {
    let log = Arc::new(CountingLog { log: MemoryLog::new("epoch-1"), digested: AtomicU64::new(0) });
    let mut fixture = CoreFixture::with(log.clone(), Access::open());
    fixture.append_to(5);
    fixture = fixture.greeted();
    fixture.recover(at_zero());
    fixture.hear();
    let digest = |fixture: &mut CoreFixture| {
        fixture.say(json!({"type": "request_campaign_digest",
            "payload": {"campaignId": "c1", "requestId": "q"}}));
        parse(&fixture.hear()[0])["data"].clone()
    };
    let first = digest(&mut fixture);
    assert_eq!((&first["sequenceNumber"], &first["requestId"]), (&json!(5), &json!("q")));
    for _ in 0..5 {
        assert_eq!(digest(&mut fixture), first);
    }
    assert_eq!(log.digested.load(Ordering::Relaxed), 1);
    fixture.append_to(6);
    fixture.hear();
    assert_eq!(digest(&mut fixture)["sequenceNumber"], 6);
    assert_eq!(log.digested.load(Ordering::Relaxed), 2);
}

#[test]
fn waiting_requests_keep_little_of_their_text() {
    let long = "ü".repeat(30_000);
    let recover = json!({"type": "request_event_recovery", "payload": {"campaignId": "c1",
        "lastSequenceNumber": 1, "reason": long, "epoch": long, "resume":
        {"epoch": long, "at": 1, "afterPart": 1}}});
    let message = message::read(&recover.to_string()).unwrap();
    assert!(format!("{message:?}").len() < 2_000);
    let mut fixture = CoreFixture::subscribed(3);
    fixture.say(recover);
    assert_eq!(parse(&fixture.hear()[0])["data"]["outcome"], "snapshot", "of another epoch");
}

#[tokio::test(flavor = "multi_thread")]
async fn text_of_clients_is_cut_and_escaped_in_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = program();
    command
        .args(["--listen", "127.0.0.1:0", "--log-level", "trace", "--db"])
        .arg(directory.path().join("campaigns.db"))
        .stderr(Stdio::piped());
    let mut process = Process::spawn(&mut command);
    process.post("/campaigns", json!({"campaignId": "c1", "name": "one", "count": 5})).await;
    let mut client = Client::subscribed(&process.address, "c1").await;
    let reason = format!("\u{1b}[31m\nforged line\n{}", "x".repeat(60_000));
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0, "reason": reason})).await;
    client.control("event_recovery").await;
    let url = format!("http://{}/api/v2/campaigns/c1/start", process.address);
    let body = json!({"expectedState": "y".repeat(50_000), "reason": "z".repeat(10_000)});
    let refused = reqwest::Client::new().post(url).body(body.to_string()).send().await.unwrap();
    assert!(!refused.status().is_success());
    drop(client);
    // A server that drains writes all lines of the log; a killed one loses some.
    send("TERM", &process.child);
    let mut log = String::new();
    process.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("forged line"), "{log}");
    for line in log.lines() {
        assert!(line.len() < 2_048, "{} bytes: {}", line.len(), &line[..200]);
        assert!(line.starts_with('{') && !line.contains('\u{1b}'), "{line}");
    }
}
