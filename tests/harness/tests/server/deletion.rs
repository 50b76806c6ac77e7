//! Deletion of a campaign: one event, and then the campaign is gone for every client.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::support::{Client, Copy, Server, parse};

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_is_an_event_and_then_the_campaign_is_gone() {
    let server = Server::start().await;
    let head = server.generated("c1", 10).await;
    server.generated("c2", 1).await;
    let mut client = Client::subscribed(&server.address, "c1").await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0})).await;
    let mut copy = Copy::default();
    client.follow(&mut copy, head).await;

    let deleted = server.delete("/campaigns/c1", json!({})).await;
    assert_eq!(deleted.status, 200);
    assert_eq!(deleted.body["position"]["sequenceNumber"], head + 1);
    let position = format!("{}/{}", copy.epoch, head + 1);
    assert_eq!(deleted.position.as_deref(), Some(position.as_str()));
    client.follow(&mut copy, head + 1).await;
    let event = parse(copy.documents.last().unwrap());
    assert_eq!(event["type"], "campaign.deleted");
    assert_eq!(event["data"], json!({"campaignId": "c1"}));
    assert_eq!(event["sequence"]["eventId"], deleted.body["position"]["eventId"]);

    let gone = (404, "unknown_campaign");
    for route in ["", "/domains", "/snapshot"] {
        assert_eq!(server.get(&format!("/campaigns/c1{route}")).await.code(), gone, "{route}");
    }
    for action in ["start", "pause", "resume", "configure-dns", "validate-dns"] {
        assert_eq!(server.act("c1", action).await.code(), gone, "{action}");
    }
    assert_eq!(server.delete("/campaigns/c1", json!({})).await.code(), gone);
    let list = server.get("/campaigns").await.body;
    let listed: Vec<&Value> =
        list["campaigns"].as_array().unwrap().iter().map(|it| &it["campaignId"]).collect();
    assert_eq!(listed, ["c2"], "the other one stays");
    let again = json!({"campaignId": "c1", "name": "again", "count": 1});
    let refused = server.post("/campaigns", again).await;
    assert_eq!(refused.code(), (409, "expected_state_mismatch"), "its numbers are taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn returning_client_is_notified_of_a_deletion() {
    let server = Server::with(|options| options.faults = true).await;
    let head = server.generated("c1", 10).await;
    assert_eq!(server.delete("/campaigns/c1", json!({})).await.status, 200);
    let mut client = Client::subscribed(&server.address, "c1").await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": head})).await;
    assert_eq!(client.control("event_recovery").await["outcome"], "replay");
    assert_eq!(parse(&client.document().await)["type"], "campaign.deleted");

    // A snapshot would show the campaign as if it still existed.
    let forget = json!({"campaignId": "c1"});
    assert_eq!(server.post("/faults/truncate", forget).await.status, 200);
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": head})).await;
    let ended = client.control("subscription_ended").await;
    assert_eq!(ended, json!({"campaignId": "c1", "reason": "deleted"}));
    client.say(json!({"type": "ping"})).await;
    assert_eq!(client.control("pong").await["heads"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_is_the_last_event_of_a_running_phase() {
    let server = Server::start().await;
    let new = json!({"campaignId": "c1", "name": "one", "count": 100_000, "rate": 1_000});
    assert_eq!(server.post("/campaigns", new).await.status, 201);
    assert_eq!(server.act("c1", "start").await.status, 200);
    let mut client = Client::subscribed(&server.address, "c1").await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0})).await;
    let mut copy = Copy::default();
    client.follow(&mut copy, 20).await;
    let deleted = server.delete("/campaigns/c1", json!({})).await;
    let last = deleted.body["position"]["sequenceNumber"].as_u64().unwrap();
    client.follow(&mut copy, last).await;
    assert_eq!(parse(copy.documents.last().unwrap())["type"], "campaign.deleted");
    tokio::time::sleep(Duration::from_millis(300)).await;
    client.say(json!({"type": "ping"})).await;
    assert_eq!(client.control("pong").await["heads"][0]["logHead"], last);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_concurrent_deletion_wins_and_expected_state_is_checked() {
    let server = Arc::new(Server::start().await);
    server.generated("c1", 5).await;
    let wrong = json!({"expectedState": "analysis"});
    let refused = server.delete("/campaigns/c1", wrong).await;
    assert_eq!(refused.code(), (409, "expected_state_mismatch"));
    let deleting = (0..20).map(|_| {
        let server = server.clone();
        tokio::spawn(async move { server.delete("/campaigns/c1", json!({})).await.status })
    });
    let mut statuses = Vec::new();
    for asked in deleting.collect::<Vec<_>>() {
        statuses.push(asked.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (200, &[404; 19][..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn demo_starts_its_next_campaign_after_a_deletion() {
    let server = Server::with(|options| options.demo = true).await;
    let exists = async |id: &str| {
        let started = async {
            while server.get(&format!("/campaigns/{id}")).await.status != 200 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(15), started).await.expect("it never begins");
    };
    exists("demo").await;
    assert_eq!(server.delete("/campaigns/demo", json!({})).await.status, 200);
    exists("demo-2").await;
}
