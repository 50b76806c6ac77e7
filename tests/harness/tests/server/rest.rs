//! REST: codes, positions, pages.

use serde_json::json;

use super::support::Server;

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_has_its_status_and_code() {
    let server = Server::start().await;
    server.generated("c1", 5).await;
    let get = [
        ("/campaigns/nobody", (404, "unknown_campaign")),
        ("/campaigns/nobody/transitions", (404, "unknown_campaign")),
        ("/campaigns/a.%3E", (400, "invalid_campaign_id")),
        ("/campaigns/..%2Fx/domains", (400, "invalid_campaign_id")),
        ("/campaigns/c1?min_position=7", (400, "invalid_body")),
        ("/campaigns/c1/domains?limit=many", (400, "invalid_body")),
        ("/campaigns/c1/start", (405, "method_not_allowed")),
        ("/nothing", (404, "not_found")),
        ("/faults", (404, "not_found")),
    ];
    for (path, expected) in get {
        assert_eq!(server.get(path).await.code(), expected, "{path}");
    }
    let post = [
        ("/campaigns", json!({"name": "x"}), (400, "invalid_body")),
        ("/campaigns", json!({"name": "x", "count": 0}), (400, "invalid_body")),
        ("/campaigns", json!({"name": "x", "count": "5"}), (400, "invalid_body")),
        ("/campaigns", json!({"name": "x", "count": 5, "pattern": "a"}), (400, "invalid_body")),
        (
            "/campaigns",
            json!({"name": "x", "count": 5, "campaignId": "*"}),
            (400, "invalid_campaign_id"),
        ),
        (
            "/campaigns",
            json!({"name": "x", "count": 5, "campaignId": "c1"}),
            (409, "expected_state_mismatch"),
        ),
        ("/campaigns/c1/dance", json!({}), (404, "not_found")),
        ("/campaigns/nobody/start", json!({}), (404, "unknown_campaign")),
        ("/campaigns/c1/start", json!([]), (400, "invalid_body")),
        ("/campaigns/c1/configure-http", json!({}), (409, "illegal_transition")),
        ("/campaigns/c1/start", json!({}), (409, "illegal_transition")),
        ("/campaigns/c1/pause", json!({}), (409, "illegal_transition")),
        (
            "/campaigns/c1/configure-dns",
            json!({"expectedState": "dns_validation"}),
            (409, "expected_state_mismatch"),
        ),
        (
            "/campaigns/c1/configure-dns",
            json!({"expected_state": "dns_validation"}),
            (409, "expected_state_mismatch"),
        ),
    ];
    for (path, body, expected) in post {
        assert_eq!(server.post(path, body).await.code(), expected, "{path}");
    }
    let put = reqwest::Client::new().put(server.url("/campaigns"));
    assert_eq!(super::support::answer(put).await.code(), (405, "method_not_allowed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_has_its_position_and_waits_for_min_position() {
    let server = Server::start().await;
    server.generated("c1", 5).await;
    let snapshot = server.get("/campaigns/c1/snapshot").await;
    let position = snapshot.position.unwrap();
    let (epoch, number) = position.split_once('/').unwrap();
    assert_eq!(snapshot.body["epoch"], epoch);
    assert_eq!(snapshot.body["sequenceNumber"].to_string(), number);
    assert_eq!(snapshot.body["domains"].as_array().unwrap().len(), 5);
    let reached = server.get(&format!("/campaigns/c1?min_position={position}")).await;
    assert_eq!((reached.status, reached.position.as_deref()), (200, Some(position.as_str())));
    let ahead = format!("/campaigns/c1?min_position={epoch}/{}", 1_000);
    assert_eq!(server.get(&ahead).await.code(), (503, "behind"));
    let next = number.parse::<u64>().unwrap() + 1;
    let soon = format!("/campaigns/c1?min_position={epoch}/{next}");
    let (waited, _) = tokio::join!(server.get(&soon), async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        server.act("c1", "configure-dns").await
    });
    assert_eq!((waited.status, &waited.body["currentPhase"]), (200, &json!("dns_validation")));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_filters_report_the_total() {
    let server = Server::start().await;
    server.generated("c1", 120).await;
    server.act("c1", "validate-dns").await;
    server.completed("c1").await;
    let page = server.get("/campaigns/c1/domains?offset=10&limit=3").await.body;
    assert_eq!((&page["total"], &page["domainsCount"]), (&json!(120), &json!(120)));
    let offsets: Vec<_> =
        page["domains"].as_array().unwrap().iter().map(|row| &row["offset"]).collect();
    assert_eq!(offsets, [&json!(10), &json!(11), &json!(12)]);
    let campaign = server.get("/campaigns/c1").await.body;
    let resolved = server.get("/campaigns/c1/domains?dnsStatus=resolved&limit=1").await.body;
    assert_eq!(resolved["total"], campaign["successfulItems"]);
    assert_eq!(resolved["domains"].as_array().unwrap().len(), 1);
    assert_eq!(server.get("/campaigns").await.body["campaigns"][0]["campaignId"], "c1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_served_with_its_policy_and_the_api_stays_json() {
    let page = tempfile::tempdir().unwrap();
    std::fs::write(page.path().join("index.html"), "<!doctype html>").unwrap();
    std::fs::write(page.path().join("core.wasm"), b"\0asm").unwrap();
    let directory = page.path().to_owned();
    let server = Server::with(|options| options.page = Some(directory)).await;
    let get = async |path: &str| {
        let response = reqwest::get(format!("http://{}{path}", server.address)).await.unwrap();
        let header = |name: &str| {
            response.headers().get(name).map_or("", |it| it.to_str().unwrap()).to_owned()
        };
        (response.status().as_u16(), header("content-type"), header("content-security-policy"))
    };
    let (status, kind, policy) = get("/").await;
    assert_eq!((status, kind.as_str()), (200, "text/html"));
    assert!(policy.contains("script-src 'self' 'wasm-unsafe-eval'"), "{policy}");
    assert_eq!(get("/core.wasm").await.1, "application/wasm");
    assert_eq!(get("/campaigns/c1").await.0, 200, "an address of the page's own");
    for path in ["/api/nothing", "/api/v2/nothing", "/api/v1/campaigns"] {
        let (status, kind, _) = get(path).await;
        assert_eq!((status, kind.as_str()), (404, "application/json"), "{path}");
    }
    assert_eq!(get("/healthz").await.0, 200);
}
