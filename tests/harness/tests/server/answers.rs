//! Digests, bucket snapshots and heads over real sockets.

use campaign_sync::protocol::digest::{bucket_of, id_hash};
use serde_json::{Value, json};

use super::support::{Client, Copy, Server};

async fn at_head(server: &Server, count: u64) -> (Client, Copy) {
    let head = server.generated("c1", count).await;
    let mut client = Client::subscribed(&server.address, "c1").await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0})).await;
    let mut copy = Copy::default();
    client.follow(&mut copy, head).await;
    (client, copy)
}

fn occupied(data: &Value) -> Vec<(usize, u64)> {
    let buckets = data["buckets"].as_array().unwrap();
    assert_eq!(buckets.len(), 256);
    let counts = buckets.iter().map(|bucket| bucket[0].as_u64().unwrap()).enumerate();
    counts.filter(|(_, count)| *count > 0).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_divergence_shows_in_the_pong_and_is_found_in_its_bucket() {
    let server = Server::with(|options| options.faults = true).await;
    let (mut client, copy) = at_head(&server, 50).await;
    let ping = json!({"type": "ping", "payload": {"timestamp": 1}});
    client.say(ping.clone()).await;
    let before = client.control("pong").await["heads"][0].clone();
    assert_eq!(
        (&before["lastSequenceNumber"], &before["domainsCount"]),
        (&json!(copy.number), &json!(50))
    );
    let ask = json!({"type": "request_campaign_digest",
        "payload": {"campaignId": "c1", "requestId": "d1"}});
    client.say(ask.clone()).await;
    let digest = client.control("campaign.digest").await;
    assert_eq!(occupied(&digest).iter().map(|(_, count)| count).sum::<u64>(), 50);

    let changed = server.post("/faults/diverge", json!({"campaignId": "c1", "rows": 1})).await;
    assert_eq!(changed.body, json!({"changed": 1}));
    client.say(ping).await;
    let after = client.control("pong").await["heads"][0].clone();
    assert_eq!(after["lastSequenceNumber"], before["lastSequenceNumber"]);
    assert_ne!(after["domainsDigest"], before["domainsDigest"]);
    client.say(ask).await;
    let other = client.control("campaign.digest").await;
    let differing: Vec<usize> =
        (0..256).filter(|&bucket| digest["buckets"][bucket] != other["buckets"][bucket]).collect();
    assert_eq!(differing.len(), 1);

    let request = json!({"type": "request_campaign_snapshot",
        "payload": {"campaignId": "c1", "requestId": "b1", "buckets": differing}});
    client.say(request).await;
    let part = client.control("campaign.snapshot").await;
    assert_eq!((&part["requestId"], &part["sequenceNumber"]), (&json!("b1"), &json!(copy.number)));
    assert_eq!(
        (&part["domainsCount"], &part["domainsDigest"]),
        (&json!(50), &after["domainsDigest"])
    );
    let rows = part["domains"].as_array().unwrap();
    let bucket = |row: &Value| bucket_of(id_hash(row["domainId"].as_str().unwrap()));
    assert!(rows.iter().all(|row| bucket(row) == differing[0]));
    assert_eq!(rows.iter().filter(|row| row.get("dnsStatus").is_some()).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_snapshot_on_request_seeks() {
    let server = Server::start().await;
    let (mut client, copy) = at_head(&server, 20).await;
    client
        .say(json!({"type": "request_campaign_snapshot",
        "payload": {"campaignId": "c1", "requestId": "s1"}}))
        .await;
    let recovery = client.control("event_recovery").await;
    assert_eq!((&recovery["outcome"], &recovery["requestId"]), (&json!("snapshot"), &json!("s1")));
    let part = client.control("campaign.snapshot").await;
    assert_eq!((&part["parts"], &part["requestId"]), (&json!(1), &json!("s1")));
    assert_eq!(part["sequenceNumber"], copy.number);
    assert_eq!(part["campaign"]["totalDomainCount"], 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_is_announced_and_closes_with_1012() {
    let mut server = Server::start().await;
    let mut client = Client::connect(&server.address).await;
    let stopping = tokio::spawn(async move { server.stop().await });
    assert!(client.control("server_draining").await["retryAfterMs"].is_u64());
    assert_eq!(client.closed().await, Some(1012));
    drop(client);
    stopping.await.unwrap();
}
