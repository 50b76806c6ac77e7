//! Whose session this is: the subject of an acknowledgement and of a snapshot, `GET /auth/session`, and a login
//! that takes the place of another user's session.

use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::sessions::{PASSWORD, asks, bearer, creates, guarded};
use super::shared_sessions::{nats, session_revocation, two};
use super::support::{Answer, Client, Server, answer, parse};

fn init(token: Option<&str>) -> Value {
    let mut init = json!({"type": "connection_init", "protocols": ["campaign-sync.v1"]});
    if let Some(token) = token {
        init["token"] = token.into();
    }
    init
}

/// The `data` of the acknowledgement for the bearer of this token.
async fn acknowledged(server: &Server, token: &str) -> Value {
    let mut client = Client::silent(&server.address).await;
    client.say(init(Some(token))).await;
    client.control("connection_ack").await
}

/// A socket with this cookie, before its first message.
async fn socket_with(server: &Server, cookie: &str) -> Client {
    let url = format!("ws://{}/api/v2/ws", server.address);
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("cookie", cookie.parse().unwrap());
    Client::of(connect_async(request).await.unwrap().0)
}

/// Logs in as a page does, with the cookie that its browser has. Returns the new cookie.
async fn logs_in(server: &Server, user: &str, cookie: Option<&str>) -> String {
    let body = json!({"user": user, "password": PASSWORD}).to_string();
    let mut request = reqwest::Client::new().post(server.url("/auth/login")).body(body);
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let set = response.headers()["set-cookie"].to_str().unwrap();
    set.split(';').next().unwrap().to_owned()
}

async fn session_of(server: &Server, cookie: &str) -> Answer {
    let get = reqwest::Client::new().get(server.url("/auth/session"));
    answer(get.header("cookie", cookie)).await
}

// R3.15
#[tokio::test(flavor = "multi_thread")]
async fn subject_is_stable_for_a_user_and_names_nobody() {
    let server = guarded(|_| {}).await;
    let subject = async |token: &str| acknowledged(&server, token).await["subject"].clone();
    let ada = subject(&bearer(&server, "ada-l").await).await;
    assert_eq!(ada, subject(&bearer(&server, "ada-l").await).await, "of another session");
    let bob = subject(&bearer(&server, "bob-m").await).await;
    let operator = subject("operator-token").await;
    assert!(ada != bob && ada != operator && bob != operator);
    for subject in [&ada, &bob, &operator] {
        let text = subject.as_str().unwrap();
        assert!((1..=128).contains(&text.len()), "{text}");
        assert!(!["ada", "bob", "operator"].iter().any(|name| text.contains(name)), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn open_server_names_no_subject() {
    let server = Server::start().await;
    let mut client = Client::silent(&server.address).await;
    client.say(init(None)).await;
    assert_eq!(client.control("connection_ack").await.get("subject"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn subject_is_the_same_on_all_servers() {
    let nats = nats().await;
    let (one, two) = two(&nats).await;
    let token = bearer(&one, "ada-l").await;
    let subject = acknowledged(&one, &token).await["subject"].clone();
    assert!(subject.is_string());
    assert_eq!(acknowledged(&two, &token).await["subject"], subject);
}

#[tokio::test(flavor = "multi_thread")]
async fn session_route_says_who_asks_and_for_how_long() {
    let server = guarded(|_| {}).await;
    let cookie = logs_in(&server, "ada-l", None).await;
    let session = session_of(&server, &cookie).await;
    assert_eq!((session.status, &session.body["user"]), (200, &json!("ada-l")));
    let left = session.body["expiresInSeconds"].as_u64().unwrap();
    assert!((3_500..=3_600).contains(&left), "{left}");
    let token = bearer(&server, "ada-l").await;
    assert_eq!(session.body["subject"], acknowledged(&server, &token).await["subject"]);
    let operator = asks(&server, "operator-token", "GET", "/auth/session").await;
    assert_eq!(operator.body["user"], "operator");
    assert_eq!(operator.body.get("expiresInSeconds"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn session_route_refuses_without_a_session() {
    let server = guarded(|_| {}).await;
    assert_eq!(server.get("/auth/session").await.code(), (401, "unauthorized"));
    let unknown = format!("campaign-sync-session={}", "0".repeat(64));
    assert_eq!(session_of(&server, &unknown).await.code(), (401, "unauthorized"));
    let cookie = logs_in(&server, "ada-l", None).await;
    let origin = format!("http://{}", server.address);
    let logout = reqwest::Client::new().post(server.url("/auth/logout")).header("cookie", &cookie);
    assert_eq!(answer(logout.header("origin", origin)).await.status, 200);
    assert_eq!(session_of(&server, &cookie).await.code(), (401, "unauthorized"));
}

#[tokio::test(flavor = "multi_thread")]
async fn session_route_of_an_open_server_names_anybody() {
    let session = Server::start().await.get("/auth/session").await;
    assert_eq!((session.status, session.body), (200, json!({"user": "anonymous"})));
}

#[tokio::test(flavor = "multi_thread")]
async fn login_as_another_user_closes_the_sockets_of_the_former_one() {
    let server = guarded(|_| {}).await;
    let ada = logs_in(&server, "ada-l", None).await;
    let mut tab = socket_with(&server, &ada).await;
    tab.say(init(None)).await;
    tab.control("connection_ack").await;
    let bob = logs_in(&server, "bob-m", Some(&ada)).await;
    session_revocation(&mut tab).await;
    assert_eq!(session_of(&server, &ada).await.status, 401);
    assert_eq!(session_of(&server, &bob).await.body["user"], "bob-m");
}

#[tokio::test(flavor = "multi_thread")]
async fn login_as_another_user_closes_sockets_on_all_servers() {
    let nats = nats().await;
    let (one, two) = two(&nats).await;
    let ada = logs_in(&one, "ada-l", None).await;
    let mut tab = socket_with(&two, &ada).await;
    tab.say(init(None)).await;
    tab.control("connection_ack").await;
    logs_in(&one, "bob-m", Some(&ada)).await;
    session_revocation(&mut tab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn login_as_the_same_user_keeps_the_other_tabs() {
    let server = guarded(|_| {}).await;
    let first = logs_in(&server, "ada-l", None).await;
    let mut tab = socket_with(&server, &first).await;
    tab.say(init(None)).await;
    tab.control("connection_ack").await;
    logs_in(&server, "ada-l", Some(&first)).await;
    assert_eq!(session_of(&server, &first).await.status, 200);
    tab.say(json!({"type": "ping", "payload": {"timestamp": 1}})).await;
    tab.control("pong").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_or_bearer_login_ends_no_session() {
    let server = guarded(|_| {}).await;
    let ada = logs_in(&server, "ada-l", None).await;
    for body in [
        json!({"user": "bob-m", "password": "wrong"}),
        json!({"user": "bob-m", "password": PASSWORD, "bearer": true}),
    ] {
        let login = reqwest::Client::new().post(server.url("/auth/login")).body(body.to_string());
        answer(login.header("cookie", &ada)).await;
        assert_eq!(session_of(&server, &ada).await.status, 200, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_token_does_not_beat_a_good_cookie() {
    let server = guarded(|_| {}).await;
    let ada = logs_in(&server, "ada-l", None).await;
    let mut tab = socket_with(&server, &ada).await;
    tab.say(init(Some(""))).await;
    let ack = tab.control("connection_ack").await;
    assert_eq!(ack["subject"], session_of(&server, &ada).await.body["subject"]);
    let get = reqwest::Client::new().get(server.url("/auth/session")).header("cookie", &ada);
    assert_eq!(answer(get.header("authorization", "Bearer ")).await.status, 200);
    let mut tab = socket_with(&server, &ada).await;
    tab.say(init(Some("wrong"))).await;
    assert_eq!(tab.control("error").await["code"], "unauthorized");
}

// R16.17
#[tokio::test(flavor = "multi_thread")]
async fn fetched_snapshot_names_the_subject_of_its_session() {
    let server = guarded(|_| {}).await;
    let token = bearer(&server, "ada-l").await;
    creates(&server, &token, "c1").await;
    let snapshot = asks(&server, &token, "GET", "/campaigns/c1/snapshot").await;
    assert_eq!(snapshot.status, 200);
    assert_eq!(snapshot.body["campaignId"], "c1");
    assert_eq!(snapshot.body["subject"], acknowledged(&server, &token).await["subject"]);
    let get = reqwest::Client::new().get(server.url("/campaigns/c1/snapshot")).bearer_auth(&token);
    let response = get.send().await.unwrap();
    let stated = response.content_length();
    let text = response.text().await.unwrap();
    assert_eq!(stated, Some(text.len() as u64));
    assert_eq!(parse(&text)["subject"], snapshot.body["subject"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn fetched_snapshot_of_an_open_server_names_no_subject() {
    let server = Server::start().await;
    server.generated("c1", 5).await;
    let snapshot = server.get("/campaigns/c1/snapshot").await;
    assert_eq!((snapshot.status, snapshot.body.get("subject")), (200, None));
}
