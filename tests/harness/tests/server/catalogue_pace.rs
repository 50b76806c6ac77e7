//! The pace of the changes of the catalogue (docs/PROTOCOL.md, chapter 20).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;

use super::catalogue::List;
use super::sessions::{asks, asks_with, bearer, connects, creates, guarded};
use super::support::parse;

// R20.10
#[tokio::test(flavor = "multi_thread")]
async fn busy_campaign_is_sent_once_a_second_with_its_last_state() {
    let server = guarded(|_| {}).await;
    let ada = bearer(&server, "ada-l").await;
    let new = json!({"campaignId": "c1", "name": "one", "count": 600, "rate": 300, "batch": 1});
    assert_eq!(asks_with(&server, &ada, "POST", "/campaigns", new).await.status, 201);
    let (mut list, mut client) = (List::default(), connects(&server, &ada).await);
    list.subscribe(&mut client).await;
    let began = Instant::now();
    asks(&server, &ada, "POST", "/campaigns/c1/start").await;
    list.until(&mut client, |list| list.campaigns["c1"]["campaign"]["phaseStatus"] == "completed")
        .await;
    // The server waits a second after each change, so a slow machine only makes them fewer.
    assert!(list.changes <= began.elapsed().as_secs() + 2, "{} changes", list.changes);
    assert_eq!(list.campaigns["c1"]["campaign"]["totalDomainCount"], 600);
}

// R20.10
#[tokio::test(flavor = "multi_thread")]
async fn busy_campaign_waits_its_second_while_others_leave() {
    let server = guarded(|_| {}).await;
    let ada = bearer(&server, "ada-l").await;
    let new = json!({"campaignId": "c1", "name": "one", "count": 900, "rate": 300, "batch": 1});
    assert_eq!(asks_with(&server, &ada, "POST", "/campaigns", new).await.status, 201);
    for number in 0..6 {
        creates(&server, &ada, &format!("d{number}")).await;
    }
    let (mut list, mut client) = (List::default(), connects(&server, &ada).await);
    list.subscribe(&mut client).await;
    asks(&server, &ada, "POST", "/campaigns/c1/start").await;
    let mut sent = BTreeMap::new();
    let mut leaving = 0..6;
    while list.campaigns["c1"]["campaign"]["phaseStatus"] != "completed" || list.ids() != ["c1"] {
        // A request of another socket numbers what has changed so far.
        List::default().subscribe(&mut connects(&server, &ada).await).await;
        if let Some(number) = leaving.next() {
            asks(&server, &ada, "DELETE", &format!("/campaigns/d{number}")).await;
        }
        let document = parse(&client.document().await);
        if document["type"] != "catalogue" {
            continue;
        }
        let at = document["timestamp"].as_str().unwrap();
        let at = humantime::parse_rfc3339(at).unwrap();
        for summary in document["data"]["campaigns"].as_array().unwrap() {
            let id = summary["campaignId"].as_str().unwrap().to_owned();
            // The server counts by another clock, in whole milliseconds.
            let second = Duration::from_millis(990);
            let before = sent.insert(id.clone(), at);
            assert!(before.is_none_or(|before| at >= before + second), "{id} {before:?} {at:?}");
        }
        list.take(document["data"].clone());
    }
}
