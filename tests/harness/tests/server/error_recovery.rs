//! `error_recovery`: one transaction rolls a failed phase back and changes no row.

use serde_json::{Value, json};

use super::support::{Client, Copy, Server, parse, rows_by_sql};

/// Starts a long phase with `action`, and pauses it once some of its rows are done.
async fn paused(server: &Server, action: &str) {
    assert_eq!(server.act("c1", action).await.status, 200);
    loop {
        let campaign = server.get("/campaigns/c1").await.body;
        if campaign["processedItems"].as_u64().unwrap() > 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(server.act("c1", "pause").await.status, 200);
}

async fn slow_campaign(server: &Server) {
    let new = json!({"campaignId": "c1", "name": "one", "count": 150, "rate": 100});
    assert_eq!(server.post("/campaigns", new).await.status, 201);
    assert_eq!(server.act("c1", "start").await.status, 200);
    server.completed("c1").await;
}

fn state(campaign: &Value) -> (&str, &str) {
    (campaign["currentPhase"].as_str().unwrap(), campaign["phaseStatus"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn rollback_restores_phase_and_counters_but_no_row() {
    let server = Server::start().await;
    slow_campaign(&server).await;
    let before = server.get("/campaigns/c1").await.body;
    paused(&server, "validate-dns").await;
    let rows = rows_by_sql(&server.db, "c1");
    assert!(rows.values().any(|row| row.contains_key("dnsStatus")));

    let body = json!({"reason": "resolver down"});
    let answer = server.post("/campaigns/c1/rollback", body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let campaign = &answer.body["campaign"];
    assert_eq!(state(campaign), ("domain_generation", "completed"));
    for field in ["totalItems", "processedItems", "successfulItems", "failedItems"] {
        assert_eq!(campaign[field], before[field], "{field}");
    }
    assert_eq!(campaign["totalDomainCount"], 150);
    assert_eq!(rows_by_sql(&server.db, "c1"), rows, "no row is touched");

    let head = answer.body["position"]["sequenceNumber"].as_u64().unwrap();
    let mut client = Client::subscribed(&server.address, "c1").await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0})).await;
    let mut copy = Copy::default();
    client.follow(&mut copy, head).await;
    assert_eq!(copy.rows, rows);
    let transitions: Vec<Value> = copy
        .documents
        .iter()
        .map(|it| parse(it))
        .filter(|it| it["type"] == "campaign.phase.transition")
        .collect();
    let [into, back] = transitions.as_slice() else { panic!("{}", transitions.len()) };
    assert_eq!(back["sequence"]["sequenceNumber"], head);
    assert_eq!(back["sequence"]["checkpointData"], true);
    let data = &back["data"];
    assert_eq!(data["transitionType"], "error_recovery");
    assert_eq!(data["triggerReason"], "resolver down");
    assert_eq!(data["previousPhase"], "dns_validation");
    assert_eq!(data["newPhase"], "domain_generation");
    assert_eq!(data["rollbackData"], into["data"]["rollbackData"], "what the transition kept");
    assert_eq!(data["dataIntegrityCheck"], true);
    assert_eq!(data["domainsCount"], 150);
    let log = server.get("/campaigns/c1/transitions").await.body;
    assert_eq!(log["transitions"][1]["name"], "Error_Recovery_Transition");
    assert_eq!(log["transitions"][1]["eventId"], back["sequence"]["eventId"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rolled_back_phase_resumes_where_it_stopped() {
    let server = Server::start().await;
    slow_campaign(&server).await;
    for (action, to) in [("validate-dns", "domain_generation"), ("validate-http", "dns_validation")]
    {
        paused(&server, action).await;
        let done = server.get("/campaigns/c1").await.body["processedItems"].as_u64().unwrap();
        let back = server.act("c1", "rollback").await;
        assert_eq!(state(&back.body["campaign"]), (to, "completed"));
        assert_eq!(server.act("c1", action).await.status, 200);
        server.completed("c1").await;
        let campaign = server.get("/campaigns/c1").await.body;
        assert_eq!(campaign["processedItems"], campaign["totalItems"]);
        assert!(campaign["processedItems"].as_u64().unwrap() >= done);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn running_phase_stops_on_rollback() {
    let server = Server::start().await;
    slow_campaign(&server).await;
    assert_eq!(server.act("c1", "validate-dns").await.status, 200);
    let back = server.act("c1", "rollback").await;
    assert_eq!(back.status, 200, "{}", back.body);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let after = server.get("/campaigns/c1").await;
    assert_eq!(after.position, back.position);
    assert_eq!(state(&after.body), ("domain_generation", "completed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rollback_is_refused_where_it_does_not_apply() {
    let server = Server::start().await;
    server.generated("c1", 20).await;
    let illegal = (409, "illegal_transition");
    assert_eq!(server.act("c1", "rollback").await.code(), illegal, "there is no phase before");
    server.act("c1", "validate-dns").await;
    server.completed("c1").await;
    assert_eq!(server.act("c1", "rollback").await.code(), illegal, "the phase is completed");
    server.act("c1", "configure-http").await;
    let wrong = json!({"expectedState": "http_keyword_validation/paused"});
    let refused = server.post("/campaigns/c1/rollback", wrong).await;
    assert_eq!(refused.code(), (409, "expected_state_mismatch"));
    assert_eq!(server.act("nobody", "rollback").await.code(), (404, "unknown_campaign"));
    let back = server.act("c1", "rollback").await;
    assert_eq!(state(&back.body["campaign"]), ("dns_validation", "completed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_checks_the_integrity_and_announces_its_refusal() {
    let server = Server::with(|options| options.faults = true).await;
    server.generated("c1", 20).await;
    assert_eq!(server.act("c1", "configure-dns").await.status, 200);
    let broken = json!({"campaignId": "c1", "breakIntegrity": true});
    assert_eq!(server.post("/faults/diverge", broken).await.status, 200);
    let before = server.get("/campaigns/c1").await;
    assert_eq!(server.act("c1", "rollback").await.code(), (409, "integrity_check_failed"));
    let after = server.get("/campaigns/c1").await;
    assert_eq!(after.body, before.body);
    assert_ne!(after.position, before.position, "it is announced");
}
