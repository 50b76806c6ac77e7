//! Login, access to the user's campaigns only, and revocation.

use std::time::Duration;

use argon2::password_hash::PasswordHasher as _;
use argon2::{Algorithm, Argon2, Params, Version};
use campaign_sync_harness::log::place::LogPlace;
use campaign_sync_harness::options::Options;
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::delivery::{MANY, lazy_as, wait_for_metric};
use super::nats::Nats;
use super::support::{Answer, Client, Server, answer, parse};

pub(crate) const PASSWORD: &str = "correct horse";

/// The line of a user in the users file, with a hash that is fast to check.
pub(crate) fn user(name: &str) -> String {
    let params = Params::new(8, 1, 1, None).unwrap();
    let salt = format!("salt of {name}");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password_with_salt(PASSWORD.as_bytes(), salt.as_bytes());
    format!("{name}:{}\n", hash.unwrap())
}

/// A server that `ada-l` and `bob-m` may log in to.
pub(crate) async fn guarded(change: impl FnOnce(&mut Options)) -> Server {
    let directory = tempfile::tempdir().unwrap();
    let users = directory.path().join("users");
    std::fs::write(&users, format!("# users\n{}{}", user("ada-l"), user("bob-m"))).unwrap();
    Server::over(directory, |options| {
        options.users = Some(users);
        options.token = Some("operator-token".into());
        change(options);
    })
    .await
}

pub(crate) async fn bearer(server: &Server, user: &str) -> String {
    let body = json!({"user": user, "password": PASSWORD, "bearer": true});
    let answer = server.post("/auth/login", body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["token"].as_str().unwrap().to_owned()
}

pub(crate) async fn asks(server: &Server, token: &str, method: &str, path: &str) -> Answer {
    asks_with(server, token, method, path, json!({})).await
}

pub(crate) async fn asks_with(
    server: &Server,
    token: &str,
    method: &str,
    path: &str,
    body: Value,
) -> Answer {
    let method = method.parse().unwrap();
    let request = reqwest::Client::new().request(method, server.url(path)).bearer_auth(token);
    answer(request.body(body.to_string())).await
}

pub(crate) async fn creates(server: &Server, token: &str, id: &str) {
    let new = json!({"campaignId": id, "name": id, "count": 20, "rate": 20_000});
    assert_eq!(asks_with(server, token, "POST", "/campaigns", new).await.status, 201);
}

pub(crate) async fn connects(server: &Server, token: &str) -> Client {
    let mut client = Client::silent(&server.address).await;
    let init = json!({"type": "connection_init", "protocols": ["campaign-sync.v1"],
        "token": token});
    client.say(init).await;
    client.control("connection_ack").await;
    client
}

pub(crate) async fn follows(server: &Server, token: &str, id: &str) -> Client {
    let mut client = connects(server, token).await;
    client.say(json!({"type": "subscribe_campaign", "campaignId": id})).await;
    client.control("subscription_confirmed").await;
    client.recover(json!({"campaignId": id, "lastSequenceNumber": 0})).await;
    client.control("event_recovery").await;
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_logs_in_with_a_cookie_that_scripts_cannot_read() {
    let server = guarded(|_| {}).await;
    let login = json!({"user": "ada-l", "password": PASSWORD}).to_string();
    let request = reqwest::Client::new().post(server.url("/auth/login")).body(login);
    let response = request.send().await.unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/api/v2", "Max-Age=3600"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let body = parse(&response.text().await.unwrap());
    assert_eq!(body, json!({"user": "ada-l", "expiresInSeconds": 3_600}), "no token for scripts");
    let cookie = cookie.split(';').next().unwrap();
    let get = reqwest::Client::new().get(server.url("/campaigns")).header("cookie", cookie);
    assert_eq!(answer(get).await.status, 200);

    let url = format!("ws://{}/api/v2/ws", server.address);
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("cookie", cookie.parse().unwrap());
    let mut client = Client::of(connect_async(request).await.unwrap().0);
    client.greet().await;

    let new = json!({"campaignId": "c1", "name": "one", "count": 5}).to_string();
    let post = || reqwest::Client::new().post(server.url("/campaigns")).header("cookie", cookie);
    let refused = answer(post().body(new.clone())).await;
    assert_eq!(refused.code(), (403, "forbidden"), "a change by cookie says where it comes from");
    let origin = format!("http://{}", server.address);
    let done = answer(post().header("origin", origin).body(new)).await;
    assert_eq!(done.status, 201, "{}", done.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_sockets_of_a_session_share_its_rate_limit() {
    let server = guarded(|options| options.delivery.session_recoveries_per_second = 1).await;
    let token = bearer(&server, "ada-l").await;
    creates(&server, &token, "c1").await;
    // Each socket has sent one request already.
    let mut sockets = [follows(&server, &token, "c1").await, follows(&server, &token, "c1").await];
    let digest = json!({"type": "request_campaign_digest",
        "payload": {"campaignId": "c1", "requestId": "q"}});
    let mut refused = 0;
    for asked in 0..20 {
        let socket = &mut sockets[asked % 2];
        socket.say(digest.clone()).await;
        refused += loop {
            let received = parse(&socket.document().await);
            match received["type"].as_str().unwrap() {
                "campaign.digest" => break 0,
                "error" => {
                    assert_eq!(received["data"]["code"], "rate_limited");
                    break 1;
                }
                _ => {}
            }
        };
    }
    // The limit is ten requests in a row and one per second, and less than ten seconds pass in the loop.
    assert!((3..=12).contains(&refused), "{refused}");
    let other = bearer(&server, "ada-l").await;
    let mut unhindered = follows(&server, &other, "c1").await;
    unhindered.say(digest).await;
    while parse(&unhindered.document().await)["type"] != "campaign.digest" {}
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_are_refused_and_then_rate_limited() {
    let server = guarded(|_| {}).await;
    for (name, password) in [("ada-l", "wrong"), ("ada-l", ""), ("nobody", PASSWORD), ("", "")] {
        let body = json!({"user": name, "password": password});
        assert_eq!(server.post("/auth/login", body).await.code(), (401, "unauthorized"));
    }
    assert_eq!(server.post("/auth/login", json!({})).await.code(), (400, "invalid_body"));
    let wrong = json!({"user": "bob-m", "password": "wrong"});
    for _ in 0..10 {
        assert_eq!(server.post("/auth/login", wrong.clone()).await.status, 401);
    }
    let right = json!({"user": "bob-m", "password": PASSWORD});
    assert_eq!(server.post("/auth/login", right).await.code(), (429, "rate_limited"));
    // Unknown names are counted separately too. Otherwise the answer would reveal which names exist.
    for attempt in 0..11 {
        let made_up = json!({"user": format!("made-up-{attempt}"), "password": "wrong"});
        assert_eq!(server.post("/auth/login", made_up).await.status, 401, "{attempt}");
    }
    let nobody = json!({"user": "nobody", "password": "wrong"});
    for _ in 0..10 {
        server.post("/auth/login", nobody.clone()).await;
    }
    assert_eq!(server.post("/auth/login", nobody).await.code(), (429, "rate_limited"));
    bearer(&server, "ada-l").await;
}

/// Every attempt has another name, so the limit per name does not apply. But passwords are checked one at a
/// time, and each waiting login holds a thread.
#[tokio::test(flavor = "multi_thread")]
async fn too_many_concurrent_logins_are_rate_limited() {
    let server = guarded(|_| {}).await;
    let mut attempts = tokio::task::JoinSet::new();
    for attempt in 0..200 {
        let body = json!({"user": format!("made-up-{attempt}"), "password": "wrong"});
        let request = reqwest::Client::new().post(server.url("/auth/login"));
        attempts.spawn(answer(request.body(body.to_string())));
    }
    let answers = attempts.join_all().await;
    let of = |code| answers.iter().filter(|answer| answer.code() == code).count();
    let (wrong, busy) = (of((401, "unauthorized")), of((429, "rate_limited")));
    assert_eq!(wrong + busy, 200);
    // One address has four checks at a time, and sixty attempts.
    assert!((4..=60).contains(&wrong), "{wrong} were checked, {busy} were not");
}

// R15.11
#[tokio::test(flavor = "multi_thread")]
async fn routes_show_a_campaign_only_to_its_owner_and_the_operator() {
    let server = guarded(|_| {}).await;
    let (ada, bob) = (bearer(&server, "ada-l").await, bearer(&server, "bob-m").await);
    creates(&server, &ada, "c1").await;
    let routes = [
        ("GET", "/campaigns/c1"),
        ("GET", "/campaigns/c1/domains"),
        ("GET", "/campaigns/c1/snapshot"),
        ("GET", "/campaigns/c1/transitions"),
        ("POST", "/campaigns/c1/start"),
        ("POST", "/campaigns/c1/configure-dns"),
        ("POST", "/campaigns/c1/pause"),
        ("POST", "/campaigns/c1/rollback"),
        ("PUT", "/campaigns/c1/owner"),
        ("DELETE", "/campaigns/c1"),
    ];
    let before = asks(&server, &ada, "GET", "/campaigns/c1").await;
    for (method, path) in routes {
        let refused = asks(&server, &bob, method, path).await;
        assert_eq!(refused.code(), (404, "unknown_campaign"), "{method} {path}");
        let refused = asks(&server, "made up", method, path).await;
        assert_eq!(refused.code(), (401, "unauthorized"), "{method} {path}");
    }
    assert_eq!(server.get("/campaigns").await.code(), (401, "unauthorized"));
    let after = asks(&server, &ada, "GET", "/campaigns/c1").await;
    assert_eq!((before.body, before.position), (after.body, after.position));
    for (token, count) in [(&*ada, 1), (&*bob, 0), ("operator-token", 1)] {
        let list = asks(&server, token, "GET", "/campaigns").await.body;
        assert_eq!(list["campaigns"].as_array().unwrap().len(), count);
    }
    let audit_entry = asks(&server, &ada, "POST", "/campaigns/c1/configure-dns").await;
    assert_eq!(audit_entry.status, 409);
    let trail = asks(&server, "operator-token", "GET", "/campaigns/c1/transitions").await.body;
    assert_eq!(trail["transitions"][0]["who"], "ada-l");
}

// R15.11
#[tokio::test(flavor = "multi_thread")]
async fn messages_show_a_campaign_only_to_its_owner() {
    let server = guarded(|_| {}).await;
    let (ada, bob) = (bearer(&server, "ada-l").await, bearer(&server, "bob-m").await);
    creates(&server, &ada, "c1").await;
    let mut client = connects(&server, &bob).await;
    client.say(json!({"type": "subscribe_campaign", "campaignId": "c1"})).await;
    assert_eq!(client.control("error").await["code"], "unknown_campaign");
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0})).await;
    assert_eq!(client.control("event_recovery").await["outcome"], "unknown_campaign");
    for kind in ["request_campaign_digest", "request_campaign_snapshot"] {
        client.say(json!({"type": kind, "payload": {"campaignId": "c1", "buckets": [1]}})).await;
        assert_eq!(client.control("error").await["code"], "invalid_message", "{kind}");
    }
    client.say(json!({"type": "ping"})).await;
    assert_eq!(client.control("pong").await["heads"], json!([]));
}

// R15.11
#[tokio::test(flavor = "multi_thread")]
async fn former_owner_stops_receiving_a_transferred_campaign() {
    let server = guarded(|_| {}).await;
    let (ada, bob) = (bearer(&server, "ada-l").await, bearer(&server, "bob-m").await);
    creates(&server, &ada, "c1").await;
    let mut client = follows(&server, &ada, "c1").await;
    client.document().await;
    let given = json!({"owner": "bob-m"});
    assert_eq!(asks_with(&server, &ada, "PUT", "/campaigns/c1/owner", given).await.status, 200);
    let ended = client.control("subscription_ended").await;
    assert_eq!(ended, json!({"campaignId": "c1", "reason": "revoked"}), "not even that event");
    assert_eq!(asks(&server, &ada, "GET", "/campaigns/c1").await.status, 404);
    let mut client = follows(&server, &bob, "c1").await;
    client.document().await;
    let given = parse(&client.document().await);
    assert_eq!(given["data"]["action"], "update");
    assert_eq!(asks(&server, &bob, "POST", "/campaigns/c1/start").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn logout_and_revocation_close_every_socket_of_the_session() {
    let server = guarded(|_| {}).await;
    let (first, second) = (bearer(&server, "ada-l").await, bearer(&server, "ada-l").await);
    creates(&server, &first, "c1").await;
    let mut one = follows(&server, &first, "c1").await;
    let mut other = follows(&server, &second, "c1").await;
    for client in [&mut one, &mut other] {
        client.document().await;
    }
    assert_eq!(asks(&server, &first, "POST", "/auth/logout").await.status, 200);
    one.control("session_expired").await;
    assert_eq!(one.closed().await, Some(4401));
    assert_eq!(asks(&server, &first, "GET", "/campaigns").await.status, 401);
    other.say(json!({"type": "ping"})).await;
    other.control("pong").await;

    let path = "/auth/sessions/ada-l";
    assert_eq!(asks(&server, &second, "DELETE", path).await.code(), (403, "forbidden"));
    let ended = asks(&server, "operator-token", "DELETE", path).await.body;
    assert_eq!(ended, json!({"ended": 1}));
    other.control("session_expired").await;
    assert_eq!(other.closed().await, Some(4401));
}

/// The client cannot be notified, because it reads nothing. But the server keeps nothing for it and sends
/// nothing more to it.
#[tokio::test(flavor = "multi_thread")]
async fn revoked_session_closes_even_if_client_stops_reading() {
    let server = guarded(|options| {
        options.metrics = Some("127.0.0.1:0".parse().unwrap());
        options.delivery.retry_backoff_ms = 20_000;
        options.delivery.idle_timeout_ms = 600_000;
        options.rate = 20_000;
    })
    .await;
    let token = bearer(&server, "ada-l").await;
    let new = json!({"campaignId": "c1", "name": "one", "count": MANY, "batch": 1});
    assert_eq!(asks_with(&server, &token, "POST", "/campaigns", new).await.status, 201);
    assert_eq!(asks(&server, &token, "POST", "/campaigns/c1/start").await.status, 200);
    while asks(&server, &token, "GET", "/campaigns/c1").await.body["phaseStatus"] != "completed" {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let _unread = lazy_as(&server.address, "c1", Some(&token)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(server.metrics().await.contains("campaign_sync_connections 1\n"));
    asks(&server, "operator-token", "DELETE", "/auth/sessions/ada-l").await;
    wait_for_metric(&server, "campaign_sync_connections 0\n").await;
    let metrics = server.metrics().await;
    assert!(metrics.contains("campaign_sync_closes_total{code=\"1006\"} 1\n"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_session_closes_its_open_socket() {
    let server = guarded(|options| options.session_seconds = 1).await;
    let ada = bearer(&server, "ada-l").await;
    let mut client = connects(&server, &ada).await;
    client.control("session_expired").await;
    assert_eq!(client.closed().await, Some(4401));
    assert_eq!(asks(&server, &ada, "GET", "/campaigns").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn idempotency_keys_of_two_users_are_independent() {
    let server = guarded(|_| {}).await;
    let mut ids = Vec::new();
    for user in ["ada-l", "bob-m"] {
        let token = bearer(&server, user).await;
        let request = reqwest::Client::new().post(server.url("/campaigns")).bearer_auth(token);
        let request = request.header("idempotency-key", "k1");
        let done = answer(request.body(json!({"name": "one", "count": 5}).to_string())).await;
        assert_eq!(done.status, 201, "{}", done.body);
        ids.push(done.body["campaign"]["campaignId"].clone());
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn former_owner_stops_receiving_on_every_server() {
    let nats = tokio::task::spawn_blocking(Nats::start).await.unwrap();
    let place: LogPlace = nats.place().parse().unwrap();
    let (one, other) = (
        guarded(|options| options.log = Some(place.clone())).await,
        guarded(|options| options.log = Some(place.clone())).await,
    );
    let (here, there) = (bearer(&one, "ada-l").await, bearer(&other, "ada-l").await);
    creates(&one, &here, "c1").await;
    let mut client = follows(&other, &there, "c1").await;
    client.document().await;
    let given = json!({"owner": "bob-m"});
    assert_eq!(asks_with(&one, &here, "PUT", "/campaigns/c1/owner", given).await.status, 200);
    let ended = tokio::time::timeout(Duration::from_secs(5), client.control("subscription_ended"));
    let ended = ended.await.expect("within five seconds");
    assert_eq!(ended, json!({"campaignId": "c1", "reason": "revoked"}));
}
