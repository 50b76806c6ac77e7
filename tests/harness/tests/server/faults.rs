//! Fault injection affects events as configured, and clients recover the events.

use std::time::{Duration, Instant};

use campaign_sync_harness::faults::{Link, Settings};
use campaign_sync_harness::session::Frame;
use serde_json::{Value, json};

use super::support::{Client, Copy, Server, parse, rows_by_sql};

async fn bad_server() -> (Server, u64) {
    let server = Server::with(|options| options.faults = true).await;
    let head = server.generated("c1", 100).await;
    (server, head)
}

/// The numbers and the texts of the events that arrive until a pong reports that all events are written.
async fn stormy(server: &Server, faults: Value) -> (Vec<u64>, Vec<String>) {
    assert_eq!(server.post("/faults", faults).await.status, 200);
    let mut client = Client::subscribed(&server.address, "c1").await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0})).await;
    client.control("event_recovery").await;
    let (mut numbers, mut documents) = (Vec::new(), Vec::new());
    loop {
        client.say(json!({"type": "ping"})).await;
        loop {
            let document = client.document().await;
            let Ok(value) = serde_json::from_str::<Value>(&document) else {
                documents.push(document);
                continue;
            };
            if value["type"] == "pong" {
                let written = &value["data"]["heads"][0];
                if written["lastSequenceNumber"] == written["logHead"] {
                    return (numbers, documents);
                }
                break;
            }
            numbers.extend(value["sequence"]["sequenceNumber"].as_u64());
            documents.push(document);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pong_reports_the_head_even_if_events_are_dropped() {
    let (server, head) = bad_server().await;
    let (numbers, _) = stormy(&server, json!({"drop": 1.0})).await;
    assert!(numbers.is_empty());
    let (numbers, _) = stormy(&server, json!({"drop": 0.5})).await;
    assert!((1..head as usize).contains(&numbers.len()), "{}", numbers.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicate_fault_sends_each_event_twice() {
    let (server, head) = bad_server().await;
    let (numbers, _) = stormy(&server, json!({"duplicate": 1.0})).await;
    let twice: Vec<u64> = (1..=head).flat_map(|n| [n, n]).collect();
    assert_eq!(numbers, twice);
}

#[tokio::test(flavor = "multi_thread")]
async fn reorder_fault_swaps_events_and_loses_none() {
    let (server, head) = bad_server().await;
    let (mut numbers, _) = stormy(&server, json!({"reorder": 0.5})).await;
    assert!(numbers.windows(2).any(|pair| pair[0] > pair[1]), "{numbers:?}");
    numbers.sort_unstable();
    assert!(numbers.len() as u64 >= head - 1, "{numbers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_without_faults_restores_corrupted_events() {
    let (server, head) = bad_server().await;
    let (_, corrupted) = stormy(&server, json!({"corrupt": 1.0})).await;
    server.post("/faults", json!({})).await;
    let mut client = Client::subscribed(&server.address, "c1").await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0})).await;
    let mut copy = Copy::default();
    client.follow(&mut copy, head).await;
    assert_eq!(corrupted.len() as u64, head);
    assert!(corrupted.iter().zip(&copy.documents).all(|(a, b)| a != b));
    assert_eq!(copy.rows, rows_by_sql(&server.db, "c1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn delay_fault_adds_latency_without_accumulating() {
    let (server, head) = bad_server().await;
    for control in [false, true] {
        let began = Instant::now();
        let (numbers, _) = stormy(&server, json!({"delayMs": 500, "control": control})).await;
        let took = began.elapsed();
        assert_eq!(numbers, (1..=head).collect::<Vec<_>>(), "in order, and before the pong");
        assert!(took >= Duration::from_millis(500), "{took:?}");
        // If delays accumulated, the duration would be the delay times the number of events.
        assert!(took < Duration::from_millis(500) * (head as u32 / 2), "{took:?} for {head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn delayed_close_arrives_after_earlier_frames() {
    let (mut server, head) = bad_server().await;
    server.post("/faults", json!({"delayMs": 2_000})).await;
    let mut client = Client::subscribed(&server.address, "c1").await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": head - 5})).await;
    client.control("event_recovery").await;
    // By now the events are under way, and none has arrived.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let stopped = tokio::spawn(async move { server.stop().await });
    for number in head - 4..=head {
        let event = parse(&client.document().await);
        assert_eq!(event["sequence"]["sequenceNumber"], number);
    }
    client.control("server_draining").await;
    assert_eq!(client.closed().await, Some(1012));
    stopped.await.unwrap();
}

#[test]
fn full_link_stays_full_until_a_frame_arrives() {
    let (mut link, now) = (Link::default(), Instant::now());
    let faults = Settings { delay_ms: 1_000, ..Settings::default() };
    let mut frames = 0;
    while !link.is_full() {
        let frame = Frame { text: "x".repeat(64 * 1024).into(), control: false, committed: None };
        link.pass(now.into(), &faults, frame);
        frames += 1;
    }
    assert!((2..=1_024).contains(&frames), "{frames}");
    assert_eq!(link.arrived((now + Duration::from_millis(999)).into()), None);
    assert!(link.arrived((now + Duration::from_secs(1)).into()).is_some());
    assert!(!link.is_full());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_ends_every_socket_without_a_close_frame() {
    let (server, _) = bad_server().await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Client::connect(&server.address).await);
    }
    assert_eq!(server.post("/faults/cut", json!({})).await.body, json!({"cut": 3}));
    for client in &mut clients {
        // On a slow machine a heartbeat may have come before the cut.
        assert_eq!(client.closed().await, None);
    }
    Client::connect(&server.address).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_checked_and_reported() {
    let (server, _) = bad_server().await;
    for wrong in [
        json!({"drop": 1.5}),
        json!({"drop": -0.1}),
        json!({"delayMs": 90_000}),
        json!({"rain": 1}),
    ] {
        assert_eq!(server.post("/faults", wrong).await.code(), (400, "invalid_body"));
    }
    let set = server.post("/faults", json!({"delayMs": 5, "control": true})).await.body;
    assert_eq!(set, server.get("/faults").await.body);
    assert_eq!(set["delayMs"], 5);
    let mut client = Client::connect(&server.address).await;
    client.say(json!({"type": "ping", "payload": {"timestamp": 3}})).await;
    assert_eq!(parse(&client.document().await)["data"]["timestamp"], 3);
}
