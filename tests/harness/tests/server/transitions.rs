//! A phase transition is one transaction and one event, published after the commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use campaign_sync::protocol::Digest;
use campaign_sync::protocol::digest::RowHasher;
use campaign_sync_harness::log::Row;
use serde_json::{Value, json};

use super::support::{Client, Copy, Server, parse, rows_by_sql};

#[tokio::test(flavor = "multi_thread")]
async fn full_campaign_is_three_transactions_with_all_fields() {
    let server = Server::start().await;
    server.generated("c1", 60).await;
    let mut client = Client::subscribed(&server.address, "c1").await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0})).await;
    for action in ["configure-dns", "validate-dns", "configure-http", "validate-http", "analyze"] {
        assert_eq!(server.act("c1", action).await.status, 200, "{action}");
        if !action.starts_with("configure") {
            server.completed("c1").await;
        }
    }
    let mut copy = Copy::default();
    while (copy.phase.as_str(), copy.status.as_str()) != ("analysis", "completed") {
        let document = client.document().await;
        copy.hear(&document);
    }
    assert_eq!(copy.rows, rows_by_sql(&server.db, "c1"));
    let log = server.get("/campaigns/c1/transitions").await.body;
    let names: Vec<_> =
        log["transitions"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(
        names,
        ["DNS_Phase_Transition", "HTTP_Phase_Transition", "Analysis_Phase_Transition"]
    );

    let events: Vec<Value> = copy.documents.iter().map(|it| parse(it)).collect();
    let transitions: Vec<&Value> =
        events.iter().filter(|it| it["type"] == "campaign.phase.transition").collect();
    assert_eq!(transitions.len(), 3);
    let dns = transitions[0];
    assert_eq!(dns["sequence"]["checkpointData"], true);
    assert_eq!(dns["sequence"]["eventId"], log["transitions"][0]["eventId"]);
    let fields = [
        "campaignId",
        "previousPhase",
        "newPhase",
        "newStatus",
        "transitionType",
        "triggerReason",
        "prerequisitesMet",
        "dataIntegrityCheck",
        "domainsCount",
        "processedCount",
        "successfulCount",
        "failedItems",
        "estimatedDuration",
        "transitionMetadata",
        "rollbackData",
    ];
    assert!(fields.iter().all(|field| !dns["data"][field].is_null()), "{dns}");
    assert_eq!(dns["data"]["rollbackData"]["counters"]["successfulItems"], 60);
    let record = &dns["data"]["campaign"];
    assert_eq!(
        (&record["currentPhase"], &record["totalDomainCount"]),
        (&json!("dns_validation"), &json!(60))
    );
    assert_eq!((&record["totalItems"], &record["processedItems"]), (&json!(60), &json!(0)));
    assert_eq!(dns["data"]["domainsCount"], 60);
    // The checkpoint counts the rows that the copy has folded up to this event.
    let mut until = Copy { epoch: copy.epoch.clone(), ..Copy::default() };
    let at = dns["sequence"]["sequenceNumber"].as_u64().unwrap();
    copy.documents.iter().take(at as usize).for_each(|document| until.hear(document));
    assert_eq!(dns["data"]["domainsDigest"], digest(&until));
    let others = events.iter().filter(|it| it["type"] != "campaign.phase.transition");
    assert!(others.into_iter().all(|it| it["sequence"]["checkpointData"] == false));
}

/// The digest of a copy's rows, computed as the contract says.
fn digest(copy: &Copy) -> String {
    let rows = copy.rows.values().map(|row| serde_json::from_value::<Row>(json!(row)).unwrap());
    let (mut digest, mut hasher) = (Digest::default(), RowHasher::default());
    rows.for_each(|row| digest.add(row.hash(&mut hasher)));
    digest.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn prerequisites_are_checked_and_a_refusal_changes_nothing() {
    let server = Server::start().await;
    let new = json!({"campaignId": "c1", "name": "one", "count": 5});
    assert_eq!(server.post("/campaigns", new).await.status, 201);
    let before = server.get("/campaigns/c1").await;
    let refused = server.act("c1", "configure-dns").await;
    assert_eq!(refused.code(), (409, "prerequisites_not_met"));
    for action in ["configure-http", "configure-analysis", "validate-http", "analyze"] {
        assert_eq!(server.act("c1", action).await.code(), (409, "illegal_transition"), "{action}");
    }
    let after = server.get("/campaigns/c1").await;
    assert_eq!((before.body, before.position), (after.body, after.position));
    let audit_trail = server.audit_trail("c1").await;
    let results: Vec<_> = audit_trail.iter().map(|it| it["result"].as_str().unwrap()).collect();
    assert_eq!(results[0], "prerequisites_not_met");
    assert_eq!(results[1..], ["illegal_transition"; 4]);
    assert!(audit_trail.iter().all(|it| it["sequenceNumber"].is_null()));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_concurrent_requests_makes_the_transition() {
    let server = Arc::new(Server::start().await);
    server.generated("c1", 20).await;
    let asking = (0..20).map(|_| {
        let server = server.clone();
        tokio::spawn(async move { server.act("c1", "configure-dns").await.status })
    });
    let asking: Vec<_> = asking.collect();
    let mut accepted = 0;
    for asked in asking {
        match asked.await.unwrap() {
            200 => accepted += 1,
            status => assert_eq!(status, 409),
        }
    }
    assert_eq!(accepted, 1);
    let audit_trail = server.audit_trail("c1").await;
    assert_eq!(audit_trail.iter().filter(|it| it["result"] == "accepted").count(), 1);
    assert_eq!(audit_trail.len(), 20, "who came too late is on record as well");
}

// R15.7
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_integrity_check_is_announced_and_changes_nothing() {
    let server = Server::with(|options| options.faults = true).await;
    let head = server.generated("c1", 20).await;
    let mut client = Client::subscribed(&server.address, "c1").await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": head})).await;
    client.control("event_recovery").await;
    let broken = json!({"campaignId": "c1", "breakIntegrity": true});
    assert_eq!(server.post("/faults/diverge", broken).await.status, 200);
    let refused = server.act("c1", "configure-dns").await;
    assert_eq!(refused.code(), (409, "integrity_check_failed"));
    let announced = parse(&client.document().await);
    assert_eq!(announced["type"], "campaign.phase.transition");
    assert_eq!(announced["data"]["dataIntegrityCheck"], false);
    let campaign = server.get("/campaigns/c1").await.body;
    assert_eq!(
        (&campaign["currentPhase"], &campaign["phaseStatus"]),
        (&json!("domain_generation"), &json!("completed"))
    );
    let audit_trail = server.audit_trail("c1").await;
    assert_eq!(audit_trail[0]["result"], "integrity_check_failed");
    assert_eq!(audit_trail[0]["eventId"], announced["sequence"]["eventId"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_that_differ_from_the_rows_fail_integrity_check() {
    let server = Server::with(|options| options.faults = true).await;
    let head = server.generated("c1", 20).await;
    // One row more than the phase counters counted. The row count and the digest include it.
    let stray = json!({"campaignId": "c1", "kind": "insert"});
    assert_eq!(server.post("/faults/diverge", stray).await.status, 200);
    assert_eq!(server.act("c1", "configure-dns").await.code(), (409, "integrity_check_failed"));
    let mut client = Client::subscribed(&server.address, "c1").await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": head})).await;
    client.control("event_recovery").await;
    let announced = parse(&client.document().await);
    assert_eq!(announced["data"]["dataIntegrityCheck"], false);
    assert_eq!(server.get("/campaigns/c1").await.body["currentPhase"], "domain_generation");
}

#[tokio::test(flavor = "multi_thread")]
async fn effect_of_a_received_event_is_visible_over_rest() {
    let server = Server::start().await;
    let head = server.generated("c1", 200).await;
    let mut client = Client::subscribed(&server.address, "c1").await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": head})).await;
    client.control("event_recovery").await;
    server.act("c1", "validate-dns").await;
    let mut received = head;
    while received < head + 100 {
        let event = parse(&client.document().await);
        received = event["sequence"]["sequenceNumber"].as_u64().unwrap();
        if received % 10 == 0 {
            let position = server.get("/campaigns/c1").await.position.unwrap();
            let number: u64 = position.split_once('/').unwrap().1.parse().unwrap();
            assert!(number >= received, "published before the commit: {number} < {received}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_never_shows_phase_and_status_mixed() {
    let server = Arc::new(Server::start().await);
    let campaigns: Vec<String> = (0..34).map(|n| format!("c{n}")).collect();
    for id in &campaigns {
        server.generated(id, 4).await;
    }
    let over = Arc::new(AtomicBool::new(false));
    let (polled, ids, done) = (server.clone(), campaigns.clone(), over.clone());
    let polling = tokio::spawn(async move {
        let client = reqwest::Client::new();
        let mut seen = std::collections::BTreeSet::new();
        while !done.load(Ordering::Relaxed) {
            for id in &ids {
                let url = polled.url(&format!("/campaigns/{id}"));
                let text = client.get(url).send().await.unwrap().text().await.unwrap();
                let campaign = parse(&text);
                let state = |key: &str| campaign[key].as_str().unwrap().to_owned();
                seen.insert((
                    state("currentPhase"),
                    state("phaseStatus"),
                    campaign["processedItems"] == 0,
                ));
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        }
        seen
    });
    let mut transitions = 0;
    for id in &campaigns {
        for (configure, start) in [
            ("configure-dns", "validate-dns"),
            ("configure-http", "validate-http"),
            ("configure-analysis", "analyze"),
        ] {
            // In a campaign of four rows possibly none resolves. Then the transition is refused; that is
            // not a mixed state.
            if server.act(id, configure).await.status != 200 {
                break;
            }
            transitions += 1;
            assert_eq!(server.act(id, start).await.status, 200);
            server.completed(id).await;
        }
    }
    over.store(true, Ordering::Relaxed);
    assert!(transitions >= 90, "{transitions}");
    for (phase, status, untouched) in polling.await.unwrap() {
        match (phase.as_str(), status.as_str()) {
            ("domain_generation", "completed") | (_, "in_progress") => {}
            (_, "configured") => assert!(untouched, "{phase} is configured and has progress"),
            ("dns_validation" | "http_keyword_validation" | "analysis", "completed") => {}
            mixed => panic!("{mixed:?}"),
        }
    }
}
