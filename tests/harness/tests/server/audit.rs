//! The audit trail, and requests that take effect once even if they are repeated.

use std::sync::Arc;

use serde_json::json;

use super::support::{Server, answer};

#[tokio::test(flavor = "multi_thread")]
async fn audit_entry_holds_user_time_states_type_reason_and_result() {
    let server = Server::start().await;
    server.generated("c1", 20).await;
    assert_eq!(server.act("c1", "configure-http").await.status, 409);
    let body = json!({"reason": "the names are complete"});
    let done = server.post("/campaigns/c1/configure-dns", body).await;
    assert_eq!(server.act("c1", "rollback").await.status, 200);
    let audit_trail = server.audit_trail("c1").await;
    let short: Vec<_> = audit_trail
        .iter()
        .map(|it| ["name", "from", "to", "type", "result"].map(|key| it[key].as_str().unwrap()))
        .collect();
    let [refused, dns, back] = short.as_slice() else { panic!("{short:?}") };
    let generated = "domain_generation/completed";
    assert_eq!(
        *refused,
        [
            "HTTP_Phase_Transition",
            generated,
            "http_keyword_validation/configured",
            "manual",
            "illegal_transition"
        ]
    );
    assert_eq!(
        *dns,
        ["DNS_Phase_Transition", generated, "dns_validation/configured", "manual", "accepted"]
    );
    assert_eq!(
        *back,
        [
            "Error_Recovery_Transition",
            "dns_validation/configured",
            generated,
            "error_recovery",
            "accepted"
        ]
    );
    assert_eq!(audit_trail[1]["reason"], "the names are complete");
    assert_eq!(audit_trail[1]["sequenceNumber"], done.body["position"]["sequenceNumber"]);
    assert_eq!(audit_trail[1]["eventId"], done.body["position"]["eventId"]);
    assert_eq!(audit_trail[1]["timestamp"], done.body["campaign"]["updatedAt"]);
    assert!(audit_trail[0]["message"].as_str().unwrap().contains("does not lead to"));
    assert!(audit_trail.iter().all(|it| it["who"] == "anonymous"));
    assert_eq!(server.get("/campaigns/nobody/transitions").await.code(), (404, "unknown_campaign"));
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_trail_outlives_its_campaign_and_lists_every_request() {
    let server = Server::start().await;
    server.generated("c1", 20).await;
    assert_eq!(server.act("c1", "configure-dns").await.status, 200);
    assert_eq!(server.act("c1", "pause").await.status, 409);
    let url = server.url("/campaigns/c1/owner");
    let owner = reqwest::Client::new().put(url).body(json!({"owner": "ada"}).to_string());
    assert_eq!(answer(owner).await.status, 200);
    let body = json!({"reason": "over"});
    assert_eq!(server.delete("/campaigns/c1", body).await.status, 200);
    assert_eq!(server.get("/campaigns/c1").await.code(), (404, "unknown_campaign"));
    assert_eq!(
        server.audit_trail("c1").await.len(),
        1,
        "transitions alone, unless all is asked for"
    );
    let all = server.get("/campaigns/c1/transitions?all=true").await.body;
    let short: Vec<_> = all["transitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| ["type", "from", "to", "result"].map(|key| it[key].as_str().unwrap()))
        .collect();
    let (ready, generated) = ("domain_generation/ready", "domain_generation/completed");
    let configured = "dns_validation/configured";
    assert_eq!(
        short,
        [
            ["creation", "setup/not_started", ready, "accepted"],
            ["status", ready, "domain_generation/in_progress", "accepted"],
            ["manual", generated, configured, "accepted"],
            ["status", configured, "dns_validation/paused", "illegal_transition"],
            ["owner", configured, configured, "accepted"],
            ["deletion", configured, configured, "accepted"],
        ]
    );
    assert_eq!(all["transitions"][5]["reason"], "over");
}

#[tokio::test(flavor = "multi_thread")]
async fn transition_by_the_server_is_recorded_as_automatic() {
    let server = Server::with(|options| {
        options.demo = true;
        options.rate = 20_000;
    })
    .await;
    let moved = async {
        while server.get("/campaigns/demo").await.status != 200
            || server.audit_trail("demo").await.is_empty()
        {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), moved).await.expect("nothing moves");
    let audit_trail = server.audit_trail("demo").await;
    let fields = ["name", "who", "type", "reason", "result"].map(|key| &audit_trail[0][key]);
    assert_eq!(fields, ["DNS_Phase_Transition", "server", "automatic", "demo", "accepted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_key_gets_the_same_answer_without_a_second_effect() {
    let server = Server::start().await;
    server.generated("c1", 20).await;
    let body = json!({"reason": "once"});
    let first = server.keyed("/campaigns/c1/validate-dns", "k1", body.clone()).await;
    assert_eq!(first.status, 200, "{}", first.body);
    server.completed("c1").await;
    let head = server.get("/campaigns/c1").await.position;
    let again = server.keyed("/campaigns/c1/validate-dns", "k1", body).await;
    assert_eq!((again.status, again.body, again.position), (200, first.body, first.position));
    assert_eq!(server.get("/campaigns/c1").await.position, head);
    assert_eq!(server.audit_trail("c1").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_key_is_refused_again_even_if_acceptable_now() {
    let server = Server::start().await;
    let new = json!({"campaignId": "c1", "name": "one", "count": 5, "rate": 20_000});
    server.post("/campaigns", new).await;
    let refused = server.keyed("/campaigns/c1/configure-dns", "k1", json!({})).await;
    assert_eq!(refused.code(), (409, "prerequisites_not_met"));
    server.act("c1", "start").await;
    server.completed("c1").await;
    let again = server.keyed("/campaigns/c1/configure-dns", "k1", json!({})).await;
    assert_eq!((again.status, &again.body), (409, &refused.body));
    assert_eq!(server.keyed("/campaigns/c1/configure-dns", "k2", json!({})).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn key_reused_for_another_request_is_refused() {
    let server = Server::start().await;
    server.generated("c1", 20).await;
    assert_eq!(server.keyed("/campaigns/c1/configure-dns", "k1", json!({})).await.status, 200);
    let head = server.get("/campaigns/c1").await.position;
    let other = json!({"reason": "another"});
    let refused = server.keyed("/campaigns/c1/configure-dns", "k1", other).await;
    assert_eq!(refused.code(), (422, "invalid_body"));
    let refused = server.keyed("/campaigns/c1/rollback", "k1", json!({})).await;
    assert_eq!(refused.code(), (422, "invalid_body"));
    assert_eq!(server.get("/campaigns/c1").await.position, head);
    for key in ["", &"k".repeat(129)] {
        let refused = server.keyed("/campaigns/c1/rollback", key, json!({})).await;
        assert_eq!(refused.code(), (400, "invalid_body"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_with_one_key_get_one_answer() {
    let server = Arc::new(Server::start().await);
    server.generated("c1", 20).await;
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let server = server.clone();
            tokio::spawn(async move {
                let asked = server.keyed("/campaigns/c1/configure-dns", "k1", json!({})).await;
                (asked.status, asked.position, asked.body)
            })
        })
        .collect();
    let mut answers = Vec::new();
    for asked in asking {
        answers.push(asked.await.unwrap());
    }
    assert_eq!(answers[0].0, 200);
    assert!(answers.iter().all(|it| *it == answers[0]));
    assert_eq!(server.audit_trail("c1").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn creation_and_deletion_take_effect_once_per_key() {
    let server = Server::start().await;
    let new = json!({"name": "one", "count": 5});
    let first = server.keyed("/campaigns", "k1", new.clone()).await;
    let again = server.keyed("/campaigns", "k1", new).await;
    assert_eq!((first.status, &first.body), (201, &again.body));
    assert_eq!(server.get("/campaigns").await.body["campaigns"].as_array().unwrap().len(), 1);
    let id = first.body["campaign"]["campaignId"].as_str().unwrap();
    let delete = async || {
        let request = reqwest::Client::new().delete(server.url(&format!("/campaigns/{id}")));
        answer(request.header("idempotency-key", "k2")).await
    };
    let (first, again) = (delete().await, delete().await);
    assert_eq!((first.status, again.status), (200, 200));
    assert_eq!((first.position, first.body), (again.position, again.body));
}
