//! Slow readers, failed sends, and clients that are gone.

use std::sync::Arc;
use std::time::Duration;

use campaign_sync_harness::hub::{Next, ReadLimits};
use campaign_sync_harness::log::sqlite::SqliteLog;
use campaign_sync_harness::session::limits::Delivery;
use campaign_sync_harness::session::{Session, Step};
use rusqlite::Connection;
use serde_json::json;
use tokio::net::TcpSocket;
use tokio_tungstenite::client_async;

use super::core::{CoreFixture, at, at_zero, kind, number};
use super::log::{id, row};
use super::support::{Client, Copy, Received, Server, parse};

#[test]
fn unresponsive_client_is_pinged_and_then_closed() {
    let mut fixture = CoreFixture::subscribed(1);
    let mut steps = Vec::new();
    loop {
        fixture.now_ms = fixture.session.timeout_ms();
        match fixture.step() {
            Step::Frame(_) => {}
            Step::Ping => steps.push(fixture.now_ms),
            step => {
                assert_eq!(step, Step::Close(4408, "nothing heard"));
                break;
            }
        }
    }
    let idle = Delivery::default().idle_timeout_ms;
    assert_eq!(steps, [idle / 3, 2 * idle / 3]);
    assert_eq!(fixture.now_ms, idle);
}

#[test]
fn answered_ping_keeps_a_silent_client_connected() {
    let mut fixture = CoreFixture::subscribed(1);
    let idle = Delivery::default().idle_timeout_ms;
    while fixture.now_ms < 10 * idle {
        fixture.now_ms = fixture.session.timeout_ms();
        match fixture.step() {
            Step::Ping => fixture.session.note_activity(at(fixture.now_ms + 20)),
            step => assert!(matches!(step, Step::Frame(_)), "{step:?}"),
        }
    }
}

/// A session over a database whose events can be made unreadable.
fn breakable() -> (tempfile::TempDir, CoreFixture, impl Fn(bool)) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log.db");
    let log = SqliteLog::open(&path, "epoch-1", false).unwrap();
    let fixture = CoreFixture::over(Arc::new(log), 6).greeted();
    let breaks = move |broken| {
        let (from, to) = if broken { ("events", "away") } else { ("away", "events") };
        let statement = format!("ALTER TABLE {from} RENAME TO {to}");
        Connection::open(&path).unwrap().execute_batch(&statement).unwrap();
    };
    (directory, fixture, breaks)
}

#[test]
fn unreadable_events_are_sent_once_when_readable_again() {
    let (_directory, mut fixture, breaks) = breakable();
    // After a reread the hub has nothing in memory: all events must come from the log.
    fixture.context.hub.reread(&id()).unwrap();
    breaks(true);
    fixture.recover(at_zero());
    let (mut waits, backoff) = (Vec::new(), Delivery::default().retry_backoff_ms);
    for _ in 0..3 {
        assert_eq!(fixture.step(), Step::Idle);
        let due = fixture.session.timeout_ms();
        waits.push(due - fixture.now_ms);
        fixture.now_ms = due;
    }
    for (attempt, wait) in waits.iter().enumerate() {
        let whole = backoff << attempt;
        assert!((whole / 2..=whole / 2 + whole).contains(wait), "{waits:?}");
    }
    breaks(false);
    let received = fixture.hear();
    assert_eq!(kind(&received[0]), "event_recovery");
    let numbers: Vec<u64> = received[1..].iter().map(|it| number(it)).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
    let retries = &fixture.context.hub.metrics.retries;
    assert_eq!(retries.get_or_create(&[("what", "read")]).get(), 3);
}

#[test]
fn connection_closes_after_the_last_retry() {
    let (_directory, mut fixture, breaks) = breakable();
    breaks(true);
    fixture.recover(at_zero());
    let (mut heartbeats, backoff) = (0, Delivery::default());
    let closed = loop {
        match fixture.step() {
            Step::Frame(frame) => {
                assert_eq!(kind(&frame.text.to_string()), "pong", "it is alive meanwhile");
                heartbeats += 1;
            }
            // The client answers pings, so the idle timeout does not close the connection.
            Step::Ping => fixture.session.note_activity(at(fixture.now_ms)),
            Step::Idle => {
                let due = fixture.session.timeout_ms();
                assert!(due > fixture.now_ms);
                fixture.now_ms = due;
            }
            step => break step,
        }
    };
    assert_eq!(closed, Step::Close(1011, "internal"));
    assert!(heartbeats > 0);
    let retries = &fixture.context.hub.metrics.retries;
    let attempts = retries.get_or_create(&[("what", "read")]).get();
    assert_eq!(attempts, u64::from(backoff.max_retry_attempts));
}

#[test]
fn campaign_without_followers_is_not_kept_in_memory() {
    let fixture = CoreFixture::silent(3);
    let (hub, follower) = (&fixture.context.hub, Arc::default());
    let want = ReadLimits { single: false, until: u64::MAX };
    let is_kept = || matches!(hub.next(&id(), 3, want, false).unwrap(), Next::EventBatch(_));
    fixture.append_to(5);
    assert!(!is_kept(), "it is in the log");
    hub.follow(&id(), &follower).unwrap();
    hub.append(&id(), 5, &[row(5)]).unwrap();
    assert!(matches!(hub.next(&id(), 5, want, false).unwrap(), Next::EventBatch(_)));
    hub.unfollow(&id(), &follower);
    assert!(matches!(hub.next(&id(), 5, want, false).unwrap(), Next::InLog));
}

#[test]
fn drain_spreads_the_reconnects_of_clients() {
    let fixture = CoreFixture::silent(1);
    let times: Vec<u64> = (0..50)
        .map(|n| {
            let id = format!("s{n}");
            let mut session = Session::open(at(0), fixture.context.clone(), id, Arc::default());
            session.drain(at(0));
            let Step::Frame(frame) = session.poll(at(0), false) else { panic!("nothing said") };
            assert_eq!(session.poll(at(0), false), Step::Close(1012, "draining"));
            parse(&frame.text.to_string())["data"]["retryAfterMs"].as_u64().unwrap()
        })
        .collect();
    let spread = fixture.context.drain_spread_ms;
    assert!(times.iter().all(|time| (1_000..1_000 + spread).contains(time)), "{times:?}");
    let early = times.iter().filter(|time| **time < 1_000 + spread / 2).count();
    assert!((10..=40).contains(&early), "{times:?}");
}

/// A client with a small receive buffer that does not read.
pub(crate) async fn lazy(address: &str, campaign: &str) -> Client {
    lazy_as(address, campaign, None).await
}

/// Like `lazy`, with that token.
pub(crate) async fn lazy_as(address: &str, campaign: &str, token: Option<&str>) -> Client {
    lazy_from(address, campaign, token, 0).await
}

/// Like `lazy`, behind that number.
pub(crate) async fn lazy_at(address: &str, campaign: &str, last: u64) -> Client {
    lazy_from(address, campaign, None, last).await
}

/// Like `lazy`, with that token, and behind that number.
pub(crate) async fn lazy_from(
    address: &str,
    campaign: &str,
    token: Option<&str>,
    last: u64,
) -> Client {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let stream = socket.connect(address.parse().unwrap()).await.unwrap();
    let url = format!("ws://{address}/api/v2/ws");
    let stream = tokio_tungstenite::MaybeTlsStream::Plain(stream);
    let (socket, _) = client_async(url, stream).await.unwrap();
    let mut client = Client::of(socket);
    let init =
        json!({"type": "connection_init", "protocols": ["campaign-sync.v1"], "token": token});
    client.say(init).await;
    client.control("connection_ack").await;
    client.say(json!({"type": "subscribe_campaign", "campaignId": campaign})).await;
    client.control("subscription_confirmed").await;
    let all = json!({"campaignId": campaign, "lastSequenceNumber": last, "prefer": "replay"});
    client.recover(all).await;
    client
}

/// More events than the buffers between two ends of a connection hold.
pub(crate) const MANY: u64 = 14_000;

/// Waits until the metrics contain this line.
pub(crate) async fn wait_for_metric(server: &Server, line: &str) {
    let reported = async {
        while !server.metrics().await.contains(line) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), reported).await.expect(line);
}

const STALLED: &str = "campaign_sync_retries_total{what=\"send\"} 1\n";

// R15.9
#[tokio::test(flavor = "multi_thread")]
async fn stalled_reader_delays_nobody_and_catches_up() {
    let server = Server::with(|options| {
        options.metrics = Some("127.0.0.1:0".parse().unwrap());
    })
    .await;
    let head = server.generated("c1", MANY).await;
    let mut slow = lazy(&server.address, "c1").await;
    wait_for_metric(&server, STALLED).await;
    let mut quick = Client::subscribed(&server.address, "c1").await;
    let all = json!({"campaignId": "c1", "lastSequenceNumber": 0, "prefer": "replay"});
    quick.recover(all).await;
    let (mut first, mut second) = (Copy::default(), Copy::default());
    quick.follow(&mut first, head).await;
    slow.follow(&mut second, head).await;
    assert_eq!(first, second);
}

// R15.9
#[tokio::test(flavor = "multi_thread")]
async fn reader_behind_history_is_closed_with_4409_and_recovers() {
    let server = Server::with(|options| {
        options.delivery.retry_backoff_ms = 20_000;
        options.delivery.idle_timeout_ms = 600_000;
        options.history.history_events = MANY + 100;
    })
    .await;
    let head = server.generated("c1", MANY).await;
    let (mut copy, mut slow) = (Copy::default(), lazy(&server.address, "c1").await);
    // This phase adds as many events again. Meanwhile the next event of the slow reader is truncated.
    assert_eq!(server.act("c1", "validate-dns").await.status, 200);
    server.completed("c1").await;
    let forgotten = async {
        let connection = Connection::open(&server.db).unwrap();
        let oldest = "SELECT min(sequence_number) FROM events";
        while connection.query_row(oldest, [], |row| row.get::<_, u64>(0)).unwrap() < MANY / 2 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), forgotten).await.expect("history is kept");
    let closed = loop {
        match slow.next().await {
            Received::Document(document) => copy.hear(&document),
            Received::Closed(code) => break code,
        }
    };
    assert_eq!((closed, copy.number < head), (Some(4409), true), "{}", copy.number);
    let mut again = Client::subscribed(&server.address, "c1").await;
    again.recover(json!({"campaignId": "c1", "lastSequenceNumber": copy.number})).await;
    let position = server.get("/campaigns/c1").await.position.unwrap();
    let newest = position.split_once('/').unwrap().1.parse().unwrap();
    again.follow(&mut copy, newest).await;
    assert_eq!(copy.rows.len() as u64, MANY);
}

#[tokio::test(flavor = "multi_thread")]
async fn stalled_peer_is_disconnected_after_its_retries() {
    let server = Server::with(|options| {
        options.metrics = Some("127.0.0.1:0".parse().unwrap());
        options.delivery.max_retry_attempts = 2;
        options.delivery.retry_backoff_ms = 20;
    })
    .await;
    server.generated("c1", MANY).await;
    let _unread = lazy(&server.address, "c1").await;
    let gone = async {
        loop {
            let metrics = server.metrics().await;
            if metrics.contains("campaign_sync_retries_total{what=\"send\"} 3\n")
                && metrics.contains("campaign_sync_connections 0\n")
                && metrics.contains("campaign_sync_closes_total{code=\"1006\"} 1\n")
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await.expect("it is never given up");
    Client::subscribed(&server.address, "c1").await;
}
