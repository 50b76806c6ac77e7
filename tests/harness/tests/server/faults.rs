//! Fault injection hits events as it says, and the events recover from it.

use serde_json::{Value, json};

use super::support::{Client, Copy, Heard, Server, parse, rows_by_sql};

async fn bad_server() -> (Server, u64) {
    let server = Server::with(|options| options.faults = true).await;
    let head = server.generated("c1", 100).await;
    (server, head)
}

/// The numbers of the events that arrive before the pong that ends them, and all their texts.
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
async fn events_are_lost_and_the_pong_tells_how_far_they_should_have_come() {
    let (server, head) = bad_server().await;
    let (numbers, _) = stormy(&server, json!({"drop": 1.0})).await;
    assert!(numbers.is_empty());
    let (numbers, _) = stormy(&server, json!({"drop": 0.5})).await;
    assert!((1..head as usize).contains(&numbers.len()), "{}", numbers.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_twice() {
    let (server, head) = bad_server().await;
    let (numbers, _) = stormy(&server, json!({"duplicate": 1.0})).await;
    let twice: Vec<u64> = (1..=head).flat_map(|n| [n, n]).collect();
    assert_eq!(numbers, twice);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_change_places_and_none_is_lost() {
    let (server, head) = bad_server().await;
    let (mut numbers, _) = stormy(&server, json!({"reorder": 0.5})).await;
    assert!(numbers.windows(2).any(|pair| pair[0] > pair[1]), "{numbers:?}");
    numbers.sort_unstable();
    assert!(numbers.len() as u64 >= head - 1, "{numbers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_corrupted_and_a_recovery_in_calm_brings_them_as_they_were() {
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
async fn a_cut_ends_every_socket_without_a_close_frame() {
    let (server, _) = bad_server().await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Client::connect(&server.address).await);
    }
    assert_eq!(server.post("/faults/cut", json!({})).await.body, json!({"cut": 3}));
    for client in &mut clients {
        assert!(matches!(client.next().await, Heard::Closed(None)));
    }
    Client::connect(&server.address).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_checked_and_told() {
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
