//! History is limited by count, bytes and age. State is kept permanently.

use std::sync::Arc;

use campaign_sync_harness::campaign::drafts;
use campaign_sync_harness::clock::Moment;
use campaign_sync_harness::hub::Hub;
use campaign_sync_harness::log::sqlite::SqliteLog;
use campaign_sync_harness::log::{Draft, EventLog};
use campaign_sync_harness::retention::{Limits, sweep};
use campaign_sync_support::MemoryLog;
use serde_json::json;

use super::log::{NOW, created, id, row};
use super::nats::Nats;
use super::support::{Client, Server};

const EVENTS: u64 = 50;

/// Hubs over every log implementation. Each log has 50 events, one second apart.
fn hubs() -> ((tempfile::TempDir, Nats), Vec<Arc<Hub>>) {
    let directory = tempfile::tempdir().unwrap();
    let sqlite = SqliteLog::open(&directory.path().join("log.db"), "epoch-1", false).unwrap();
    let nats = Nats::start();
    let shared = nats.log(&nats.file("cache.db"), "epoch-1");
    let memory = MemoryLog::new("epoch-1");
    let logs: [Arc<dyn EventLog>; 3] = [Arc::new(sqlite), Arc::new(memory), Arc::new(shared)];
    for log in &logs {
        let at = |seconds: u64| Moment { wall_ms: NOW.wall_ms + seconds * 1_000, ..NOW };
        let aged = |draft: Draft, n| Draft { timestamp: at(n).timestamp(), ..draft };
        let drafts: Vec<_> =
            (0..EVENTS).map(|n| aged(if n == 0 { created() } else { row(n) }, n)).collect();
        log.append(&id(), 0, &drafts).unwrap();
    }
    let hubs: Vec<_> = logs.into_iter().map(|log| Arc::new(Hub::new(log))).collect();
    hubs.iter().for_each(Hub::attach);
    ((directory, nats), hubs)
}

/// Sweeps history `seconds` after the first event. Returns the number of the oldest event left.
fn oldest(hub: &Hub, seconds: u64, limits: Limits) -> u64 {
    let before = hub.log().recount(&id()).unwrap().unwrap();
    let now = Moment { wall_ms: NOW.wall_ms + seconds * 1_000, ..NOW };
    sweep(hub, now, &limits).unwrap();
    let after = hub.log().recount(&id()).unwrap().unwrap();
    assert_eq!((after.count, after.digest), (before.count, before.digest), "no row is forgotten");
    let head = hub.head(&id()).unwrap().unwrap();
    assert_eq!((head.number, head.oldest), (EVENTS, after.head.oldest), "the hub knows");
    let left = hub.log().read(&id(), 0, usize::MAX).unwrap();
    assert_eq!(left.len() as u64, EVENTS + 1 - head.oldest);
    assert!(left.first().is_none_or(|event| event.number == head.oldest));
    head.oldest
}

#[test]
fn the_newest_events_up_to_a_count_are_kept() {
    let (_alive, hubs) = hubs();
    for hub in &hubs {
        let limits = |history_events| Limits { history_events, ..Limits::NONE };
        assert_eq!(oldest(hub, 0, limits(EVENTS)), 1);
        assert_eq!(oldest(hub, 0, limits(20)), 31);
        assert_eq!(oldest(hub, 0, limits(40)), 31, "what is gone is gone");
        assert_eq!(oldest(hub, 0, limits(1)), 50);
    }
}

#[test]
fn the_newest_events_up_to_a_size_are_kept() {
    let (_alive, hubs) = hubs();
    for hub in &hubs {
        let limits = |history_bytes| Limits { history_bytes, ..Limits::NONE };
        let size = hub.log().bytes_after(&id(), 35).unwrap();
        assert_eq!(oldest(hub, 0, limits(hub.log().bytes_after(&id(), 0).unwrap())), 1);
        assert_eq!(oldest(hub, 0, limits(size)), 36);
        let ripe = if hub.is_shared() { 36 } else { 37 };
        assert_eq!(
            oldest(hub, 0, limits(size - 1)),
            ripe,
            "an image is not published for one event"
        );
        assert_eq!(oldest(hub, 0, limits(1)), 51, "not even one event fits");
    }
}

#[test]
fn events_are_kept_for_a_time() {
    let (_alive, hubs) = hubs();
    for hub in &hubs {
        let limits = Limits { history_seconds: 100, ..Limits::NONE };
        assert_eq!(oldest(hub, 100, limits), 1);
        assert_eq!(oldest(hub, 110, limits), 11, "the eleventh is exactly as old as allowed");
        assert_eq!(oldest(hub, 1_000, limits), 51);
        assert_eq!(oldest(hub, 1_000_000, Limits::NONE), 51);
    }
}

#[test]
fn shared_log_truncates_at_a_quarter_over_the_limit() {
    let nats = Nats::start();
    let hub = Arc::new(Hub::new(Arc::new(nats.log(&nats.file("cache.db"), "epoch-1"))));
    hub.attach();
    hub.log().append(&id(), 0, &[created()]).unwrap();
    let limits = Limits { history_events: 20, ..Limits::NONE };
    let mut images = Vec::new();
    for number in 1..60 {
        hub.log().append(&id(), number, &[row(number)]).unwrap();
        let before = hub.log().head(&id()).unwrap().unwrap().oldest;
        sweep(&hub, NOW, &limits).unwrap();
        let head = hub.log().head(&id()).unwrap().unwrap();
        if head.oldest > before {
            images.push(head.number);
        }
    }
    // The server publishes an image at every fifth event, not at every event.
    assert_eq!(images, [25, 30, 35, 40, 45, 50, 55, 60]);
}

// R8.4, R15.8
#[tokio::test(flavor = "multi_thread")]
async fn client_behind_truncated_history_gets_a_snapshot() {
    let server = Server::with(|options| options.history.history_events = 10).await;
    let head = server.generated("c1", 60).await;
    let mut client = Client::subscribed(&server.address, "c1").await;
    loop {
        client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 30})).await;
        let data = client.control("event_recovery").await;
        if data["outcome"] == "snapshot" {
            assert_eq!(data["reason"], "truncated");
            break;
        }
        for _ in 30..head {
            client.document().await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(client.control("campaign.snapshot").await["domainsCount"], 60);
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": head - 5})).await;
    assert_eq!(client.control("event_recovery").await["outcome"], "replay");
}

#[test]
fn history_of_a_deleted_campaign_is_truncated_too() {
    let (_kept, hubs) = hubs();
    for hub in hubs {
        hub.append(&id(), EVENTS, &[drafts::deleted(NOW, &id())]).unwrap();
        assert_eq!(hub.log().campaigns().unwrap(), [id()]);
        sweep(&hub, NOW, &Limits { history_events: 10, ..Limits::NONE }).unwrap();
        assert_eq!(hub.log().head(&id()).unwrap().unwrap().oldest, EVENTS + 1 - 9);
    }
}
