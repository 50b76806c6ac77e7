//! Recovery over real sockets.

use serde_json::json;

use super::support::{Client, Copy, Server, rows_by_sql};

async fn outcome(client: &mut Client) -> (String, String) {
    let data = client.control("event_recovery").await;
    let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
    (text("outcome"), text("reason"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_client_replays_a_short_log_and_stays_live() {
    let server = Server::start().await;
    let head = server.generated("c1", 40).await;
    let mut client = Client::subscribed(&server.address, "c1").await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0, "requestId": "r1"})).await;
    let mut copy = Copy::default();
    client.follow(&mut copy, head).await;
    let done = server.act("c1", "validate-dns").await;
    let number = done.body["position"]["sequenceNumber"].as_u64().unwrap();
    client.follow(&mut copy, number).await;
    assert_eq!((copy.phase.as_str(), copy.status.as_str()), ("dns_validation", "in_progress"));
    while copy.status != "completed" {
        let document = client.document().await;
        copy.hear(&document);
    }
    assert_eq!(copy.rows, rows_by_sql(&server.db, "c1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn reconnected_client_gets_exactly_the_missed_events() {
    let server = Server::start().await;
    server.generated("c1", 30).await;
    let mut copy = Copy::default();
    let mut client = Client::subscribed(&server.address, "c1").await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0})).await;
    client.follow(&mut copy, 10).await;
    drop(client);
    // Events beyond 10 that the first socket still delivered are in the copy.
    let before = copy.number;
    server.act("c1", "validate-dns").await;
    server.completed("c1").await;
    let mut client = Client::subscribed(&server.address, "c1").await;
    client.recover(copy.payload("c1")).await;
    let data = client.control("event_recovery").await;
    assert_eq!((&data["outcome"], &data["requestId"]), (&json!("replay"), &json!("r1")));
    assert_eq!(data["fromSequenceNumber"], before + 1);
    client.follow(&mut copy, data["toSequenceNumber"].as_u64().unwrap()).await;
    assert_eq!(copy.rows, rows_by_sql(&server.db, "c1"));
    client.recover(copy.payload("c1")).await;
    assert_eq!(outcome(&mut client).await.0, "current");
}

// R8.4
#[tokio::test(flavor = "multi_thread")]
async fn other_epoch_truncation_and_preference_get_snapshots() {
    let server = Server::with(|options| options.faults = true).await;
    server.generated("c1", 30).await;
    let mut client = Client::subscribed(&server.address, "c1").await;
    let cases = [
        (
            json!({"campaignId": "c1", "lastSequenceNumber": 5, "epoch": "elsewhere"}),
            "epoch_changed",
        ),
        (json!({"campaignId": "c1", "lastSequenceNumber": 5, "prefer": "snapshot"}), "preferred"),
    ];
    for (request, reason) in cases {
        client.recover(request).await;
        assert_eq!(outcome(&mut client).await, ("snapshot".into(), reason.into()));
        let part = client.control("campaign.snapshot").await;
        assert_eq!(part["domainsCount"], 30);
    }
    server.post("/faults/truncate", json!({"campaignId": "c1", "keep": 3})).await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 5})).await;
    assert_eq!(outcome(&mut client).await, ("snapshot".into(), "truncated".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_log_is_not_replayed_from_the_beginning() {
    let server = Server::start().await;
    let head = server.generated("c1", 3_000).await;
    let mut client = Client::subscribed(&server.address, "c1").await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0})).await;
    assert_eq!(outcome(&mut client).await, ("snapshot".into(), "replay_too_large".into()));
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0, "prefer": "replay"})).await;
    let mut copy = Copy::default();
    while copy.epoch.is_empty() {
        // Parts of the first answer may still arrive after the second request.
        let document = client.document().await;
        if document.contains("\"event_recovery\"") {
            copy.hear(&document);
        }
    }
    client.follow(&mut copy, head).await;
    assert_eq!(copy.rows, rows_by_sql(&server.db, "c1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_campaign_is_unknown() {
    let server = Server::start().await;
    let mut client = Client::connect(&server.address).await;
    client.say(json!({"type": "subscribe_campaign", "campaignId": "nobody"})).await;
    assert_eq!(client.control("error").await["code"], "unknown_campaign");
    client.recover(json!({"campaignId": "nobody", "lastSequenceNumber": 3})).await;
    let data = client.control("event_recovery").await;
    assert_eq!(data["outcome"], "unknown_campaign");
    assert!(data.get("epoch").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn unsubscribing_ends_the_stream_and_nothing_else() {
    let server = Server::start().await;
    server.generated("c1", 5).await;
    let mut client = Client::subscribed(&server.address, "c1").await;
    client.say(json!({"type": "unsubscribe_campaign", "campaignId": "c1"})).await;
    let ended = client.control("subscription_ended").await;
    assert_eq!((&ended["campaignId"], &ended["reason"]), (&json!("c1"), &json!("unsubscribed")));
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0})).await;
    assert_eq!(client.control("error").await["code"], "invalid_message");
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_are_binary_on_request() {
    let server = Server::start().await;
    let head = server.generated("c1", 5).await;
    let mut client = Client::silent(&server.address).await;
    client
        .say(json!({"type": "connection_init", "protocols": ["campaign-sync.v1"], "binary": true}))
        .await;
    client.control("connection_ack").await;
    client.say(json!({"type": "subscribe_campaign", "campaignId": "c1"})).await;
    client.control("subscription_confirmed").await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0})).await;
    let mut copy = Copy::default();
    client.follow(&mut copy, head).await;
    assert_eq!(copy.rows.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stops_reading_blocks_nobody_and_loses_nothing() {
    let server = Server::start().await;
    server.generated("c1", 4_000).await;
    let mut slow = Client::subscribed(&server.address, "c1").await;
    slow.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0, "prefer": "replay"})).await;
    // The slow client reads nothing while the campaign continues and another client follows all of it.
    let mut quick = Client::subscribed(&server.address, "c1").await;
    quick.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0, "prefer": "replay"})).await;
    server.act("c1", "validate-dns").await;
    let mut quick_copy = Copy::default();
    while (quick_copy.phase.as_str(), quick_copy.status.as_str()) != ("dns_validation", "completed")
    {
        let document = quick.document().await;
        quick_copy.hear(&document);
    }
    let mut slow_copy = Copy::default();
    slow.follow(&mut slow_copy, quick_copy.number).await;
    assert_eq!(slow_copy, quick_copy);
}
