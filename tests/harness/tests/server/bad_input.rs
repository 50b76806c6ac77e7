//! Invalid input of clients: coded refusals, the documented policy, and a server that keeps running.

use serde_json::json;

use super::support::{Client, Received, Server, parse};

async fn error(client: &mut Client) -> String {
    client.control("error").await["code"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_messages_get_codes_and_good_ones_still_work() {
    let server = Server::start().await;
    server.generated("c1", 3).await;
    let cases = [
        ("not json", "invalid_message"),
        ("", "invalid_message"),
        ("[]", "invalid_message"),
        (r#"{"type":5}"#, "invalid_message"),
        (r#"{"type":"subscribe_campaign"}"#, "invalid_message"),
        (r#"{"type":"subscribe_campaign","campaignId":null}"#, "invalid_message"),
        (r#"{"type":"subscribe_campaign","campaignId":"*"}"#, "invalid_campaign_id"),
        (r#"{"type":"subscribe_campaign","campaignId":"../x"}"#, "invalid_campaign_id"),
        (r#"{"type":"subscribe_campaign","campaignId":"a.>"}"#, "invalid_campaign_id"),
        (
            r#"{"type":"request_event_recovery","payload":{"campaignId":"c1","lastSequenceNumber":-1}}"#,
            "invalid_message",
        ),
        (
            r#"{"type":"request_event_recovery","payload":{"campaignId":"c1","lastSequenceNumber":9007199254740992}}"#,
            "integer_out_of_range",
        ),
        (
            r#"{"type":"request_campaign_snapshot","payload":{"campaignId":"c1","buckets":[256]}}"#,
            "invalid_message",
        ),
        (r#"{"type":"ping","payload":{"payload":{}}}"#, "invalid_message"),
        (r#"{"type":"a","type":"b"}"#, "ambiguous_envelope"),
        (r#"{"type":"connection_init","protocols":["campaign-sync.v1"]}"#, "invalid_message"),
        (r#"{"type":"subscribe_campaign","campaignId":"\ud800"}"#, "invalid_message"),
    ];
    for (message, code) in cases {
        let mut client = Client::connect(&server.address).await;
        client.say_text(message).await;
        assert_eq!(error(&mut client).await, code, "{message}");
        client.say(json!({"type": "subscribe_campaign", "campaignId": "c1"})).await;
        client.control("subscription_confirmed").await;
    }
    let mut client = Client::connect(&server.address).await;
    client.say_text(&format!("{{\"type\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000))).await;
    assert_eq!(error(&mut client).await, "invalid_message");
    client.say_bytes(&[0xff, 0xfe]).await;
    assert_eq!(error(&mut client).await, "invalid_utf8");
}

// R6.11, R11.12
#[tokio::test(flavor = "multi_thread")]
async fn refusal_of_a_malformed_message_names_campaign_and_request() {
    let server = Server::start().await;
    server.generated("c1", 3).await;
    for (message, code) in [
        (
            json!({"type": "request_campaign_snapshot",
                "payload": {"campaignId": "c1", "requestId": "r", "buckets": [256]}}),
            "invalid_message",
        ),
        (
            json!({"type": "request_campaign_snapshot",
                "payload": {"campaignId": "c1", "requestId": "r", "buckets": [-1]}}),
            "invalid_message",
        ),
        (
            json!({"type": "request_campaign_snapshot",
                "campaignId": "c1", "requestId": "r", "buckets": "all"}),
            "invalid_message",
        ),
        (
            json!({"type": "request_event_recovery", "payload": {"campaignId": "c1", "requestId": "r",
                "lastSequenceNumber": 9_007_199_254_740_992_u64}}),
            "integer_out_of_range",
        ),
        (
            json!({"type": "of_a_later_version", "payload": {"campaignId": "c1", "requestId": "r"}}),
            "unknown_type",
        ),
    ] {
        let mut client = Client::connect(&server.address).await;
        client.say(message.clone()).await;
        let error = client.control("error").await;
        assert_eq!(error["code"], code, "{message}");
        assert_eq!((&error["campaignId"], &error["requestId"]), (&json!("c1"), &json!("r")));
    }
    let mut client = Client::connect(&server.address).await;
    let nameless = json!({"type": "request_campaign_digest",
        "payload": {"campaignId": "*", "requestId": "r".repeat(129)}});
    client.say(nameless).await;
    let error = client.control("error").await;
    assert!(error.get("campaignId").is_none() && error.get("requestId").is_none(), "{error}");
}

// R6.10
#[tokio::test(flavor = "multi_thread")]
async fn escaped_or_repeated_members_are_ambiguous_at_any_depth() {
    let server = Server::start().await;
    server.generated("c1", 3).await;
    let refused = [
        r#"{"typ\u0065":"ping","timestamp":1}"#,
        r#"{"type":"ping","type":"ping","timestamp":1}"#,
        r#"{"type":"ping","type":"subscribe_campaign","campaignId":"c1"}"#,
        r#"{"type":"subscribe_campaign","campaignId":"c1","campaignId":"c2"}"#,
        r#"{"type":"subscribe_campaign","c\u0061mpaignId":"c1"}"#,
        r#"{"type":"ping","payload":{"timestamp":1,"timestamp":2}}"#,
        r#"{"type":"ping","payload":{"timest\u0061mp":1}}"#,
        r#"{"type":"ping","payload":{},"payload":{"timestamp":1}}"#,
        r#"{"type":"ping","timestamp":1,"unknown":[{"a":{"b":1,"b":1}}]}"#,
        r#"{"type":"ping","timestamp":1,"unkn\u006fwn":1}"#,
    ];
    for message in refused {
        let mut client = Client::connect(&server.address).await;
        client.say_text(message).await;
        assert_eq!(error(&mut client).await, "ambiguous_envelope", "{message}");
        client.say_text(r#"{"type":"ping","payload":{"timestamp":7}}"#).await;
        assert_eq!(client.control("pong").await["timestamp"], 7);
    }
    let mut client = Client::connect(&server.address).await;
    // Values may have escapes, and different objects the same members.
    let good = r#"{"type":"subscr\u0069be_campaign","campaignId":"c\u0031","unknown":{"type":{"type":1}}}"#;
    client.say_text(good).await;
    assert_eq!(client.control("subscription_confirmed").await["campaignId"], "c1");
}

#[tokio::test(flavor = "multi_thread")]
async fn valid_documents_of_a_frame_are_handled_beside_invalid_ones() {
    let server = Server::start().await;
    let mut client = Client::connect(&server.address).await;
    client.say_text("{\"type\":\"ping\"}\nnonsense\n{\"type\":\"ping\"}").await;
    client.control("pong").await;
    assert_eq!(error(&mut client).await, "invalid_message");
    client.control("pong").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tenth_malformed_message_closes_and_unknown_types_never_do() {
    let server = Server::start().await;
    let mut client = Client::connect(&server.address).await;
    for _ in 0..30 {
        client.say(json!({"type": "of_a_later_version", "payload": 7})).await;
        assert_eq!(error(&mut client).await, "unknown_type");
    }
    for _ in 0..10 {
        client.say_text("nonsense").await;
        assert_eq!(error(&mut client).await, "invalid_message");
    }
    assert_eq!(client.closed().await, Some(4400));
}

#[tokio::test(flavor = "multi_thread")]
async fn oversize_message_closes_with_1009_and_server_keeps_running() {
    let server = Server::start().await;
    let mut client = Client::connect(&server.address).await;
    client.say_text(&"x".repeat(70 * 1024)).await;
    assert_eq!(client.closed().await, Some(1009));
    Client::connect(&server.address).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_answered_before_connection_init() {
    let server = Server::start().await;
    let mut client = Client::silent(&server.address).await;
    client.say(json!({"type": "subscribe_campaign", "campaignId": "c1"})).await;
    assert_eq!(error(&mut client).await, "invalid_message");
    client.say(json!({"type": "connection_init", "protocols": ["something.else"]})).await;
    assert_eq!(error(&mut client).await, "invalid_message");
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_or_wrong_token_is_unauthorized() {
    let server = Server::with(|options| options.token = Some("s3cret".into())).await;
    for token in [json!(null), json!("s3creT"), json!("s3cret2"), json!("")] {
        let mut client = Client::silent(&server.address).await;
        let init = json!({"type": "connection_init", "protocols": ["campaign-sync.v1"],
            "token": token});
        client.say(init).await;
        assert_eq!(error(&mut client).await, "unauthorized");
        assert_eq!(client.closed().await, Some(4401));
    }
    let mut client = Client::silent(&server.address).await;
    let init = json!({"type": "connection_init", "protocols": ["campaign-sync.v1"],
        "token": "s3cret"});
    client.say(init).await;
    client.control("connection_ack").await;
    assert_eq!(server.get("/campaigns").await.code(), (401, "unauthorized"));
    let request = reqwest::Client::new().get(server.url("/campaigns"));
    let request = request.header("authorization", "Bearer s3cret");
    assert_eq!(super::support::answer(request).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_requests_is_answered_in_order() {
    let server = Server::start().await;
    let mut client = Client::connect(&server.address).await;
    for n in 0..900 {
        client.say(json!({"type": "ping", "payload": {"timestamp": n}})).await;
    }
    for n in 0..900 {
        let Received::Document(document) = client.next().await else { panic!("closed at {n}") };
        assert_eq!(parse(&document)["data"]["timestamp"], n);
    }
}
