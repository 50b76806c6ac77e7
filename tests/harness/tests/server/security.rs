//! Hosts, origins, headers, limits, and secrets that must never be in the log.

use std::io::Read as _;
use std::process::Stdio;

use serde_json::json;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::process::{Process, program};
use super::sessions::{PASSWORD, asks, bearer, guarded, user};
use super::support::{Client, Server, answer, options};

/// The HTTP status with which the server refuses a socket, or `None` if it accepts the socket.
async fn socket(server: &Server, header: &'static str, value: &str) -> Option<u16> {
    let url = format!("ws://{}/api/v2/ws", server.address);
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert(header, value.parse().unwrap());
    match connect_async(request).await {
        Ok(_) => None,
        Err(Error::Http(response)) => Some(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

async fn get(server: &Server, path: &str, header: &str, value: &str) -> u16 {
    let url = format!("http://{}{path}", server.address);
    let request = reqwest::Client::new().get(url).header(header, value).bearer_auth("secret");
    request.send().await.unwrap().status().as_u16()
}

async fn create(server: &Server, header: &str, value: &str) -> (u16, String) {
    let body = json!({"name": "one", "count": 5}).to_string();
    let request = reqwest::Client::new().post(server.url("/campaigns")).header(header, value);
    let answer = answer(request.bearer_auth("secret").body(body)).await;
    (answer.code().0, answer.code().1.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_and_origins_are_compared_exactly() {
    let server = Server::with(|options| options.token = Some("secret".into())).await;
    let port = server.address.rsplit_once(':').unwrap().1;
    let foreign = [
        "localhost.evil.example".to_owned(),
        format!("localhost.evil.example:{port}"),
        format!("evil-localhost:{port}"),
        format!("127.0.0.1:{port}.evil.example"),
        "localhost".to_owned(),
        "127.0.0.1:1".to_owned(),
    ];
    for host in &foreign {
        let origin = format!("http://{host}");
        for (header, value) in [("host", host), ("origin", &origin)] {
            let refused = create(&server, header, value).await;
            assert_eq!(refused, (403, "forbidden".to_owned()), "{header}: {value}");
            assert_eq!(get(&server, "/api/v2/campaigns", header, value).await, 403, "{value}");
            assert_eq!(socket(&server, header, value).await, Some(403), "{header}: {value}");
        }
    }
    let https = format!("https://127.0.0.1:{port}");
    for origin in ["null", "file://", &https] {
        assert_eq!(create(&server, "origin", origin).await.0, 403, "{origin}");
        assert_eq!(socket(&server, "origin", origin).await, Some(403), "{origin}");
    }
    let list = asks(&server, "secret", "GET", "/campaigns").await.body;
    assert!(list["campaigns"].as_array().unwrap().is_empty());
    for host in ["localhost", "127.0.0.1"] {
        let (host, origin) = (format!("{host}:{port}"), format!("http://{host}:{port}"));
        assert_eq!(create(&server, "host", &host).await.0, 201);
        assert_eq!(create(&server, "origin", &origin).await.0, 201);
        assert_eq!(socket(&server, "origin", &origin).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn open_server_accepts_its_own_port_and_configured_origins() {
    let development = "http://localhost:5173".to_owned();
    let server = Server::with(|options| options.origin = vec![development]).await;
    let port = server.address.rsplit_once(':').unwrap().1;
    for host in [&*format!("localhost:{port}"), &*format!("[::1]:{port}"), "localhost:5173"] {
        let origin = format!("http://{host}");
        assert_eq!(create(&server, "host", host).await.0, 201, "{host}");
        assert_eq!(create(&server, "origin", &origin).await.0, 201, "{origin}");
        assert_eq!(socket(&server, "origin", &origin).await, None, "{origin}");
    }
    for host in [
        "localhost:1",
        "127.0.0.1:5173",
        "127.0.0.1",
        "localhost.evil.example:1",
        &*format!("evil.example:{port}"),
        &*format!("127.0.0.1.evil.example:{port}"),
        &*format!("localhost:{port}:2"),
        "localhost:",
        &*format!("xlocalhost:{port}"),
    ] {
        let origin = format!("http://{host}");
        assert_eq!(create(&server, "host", host).await.0, 403, "{host}");
        assert_eq!(create(&server, "origin", &origin).await.0, 403, "{origin}");
        assert_eq!(socket(&server, "origin", &origin).await, Some(403), "{origin}");
    }
    for origin in ["null", "https://localhost:5173", "http:", "http://"] {
        assert_eq!(create(&server, "origin", origin).await.0, 403, "{origin}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_behind_a_proxy_accepts_only_its_public_origins() {
    let server = Server::with(|options| {
        options.origin = vec!["https://app.example".into(), "https://other.example:8443".into()];
        options.token = Some("secret".into());
    })
    .await;
    for (host, status) in [
        ("app.example", 200),
        ("other.example:8443", 200),
        ("other.example", 403),
        ("app.example:443", 403),
        (&*server.address, 403),
    ] {
        assert_eq!(get(&server, "/api/v2/campaigns", "host", host).await, status, "{host}");
        for path in ["/healthz", "/readyz"] {
            assert_eq!(get(&server, path, "host", host).await, 200, "any monitoring host");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_security_headers_and_page_may_run_wasm() {
    let page = tempfile::tempdir().unwrap();
    std::fs::write(page.path().join("index.html"), "<!doctype html>").unwrap();
    let directory = page.path().to_owned();
    let server = Server::with(|options| options.page = Some(directory)).await;
    for path in ["/", "/api/v2/campaigns", "/api/v2/nothing", "/healthz"] {
        let url = format!("http://{}{path}", server.address);
        let headers = reqwest::get(url).await.unwrap().headers().clone();
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(header("x-frame-options"), "DENY", "{path}");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{path}");
        let policy = header("content-security-policy");
        if path == "/" {
            assert!(policy.contains("script-src 'self' 'wasm-unsafe-eval';"), "{policy}");
            for too_much in ["'unsafe-inline'", "'unsafe-eval'", "*", "http:", "https:"] {
                assert!(!policy.contains(too_much), "{policy}");
            }
        } else {
            assert_eq!(policy, "default-src 'none'; frame-ancestors 'none'", "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_beyond_the_limit_are_refused_until_one_closes() {
    let server = Server::with(|options| options.max_connections = 2).await;
    let (first, second) =
        (Client::connect(&server.address).await, Client::connect(&server.address).await);
    assert_eq!(socket(&server, "x-nothing", "1").await, Some(503));
    drop(first);
    while socket(&server, "x-nothing", "1").await.is_some() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    drop(second);
}

#[tokio::test(flavor = "multi_thread")]
async fn session_limits_its_sockets_subscriptions_and_requests() {
    let server = guarded(|options| {
        options.delivery.max_connections_per_session = 1;
        options.delivery.max_subscriptions = 1;
        options.requests_per_second = 1;
    })
    .await;
    let ada = bearer(&server, "ada-l").await;
    let init = json!({"type": "connection_init", "protocols": ["campaign-sync.v1"], "token": ada});
    let mut first = Client::silent(&server.address).await;
    first.say(init.clone()).await;
    first.control("connection_ack").await;
    let mut second = Client::silent(&server.address).await;
    second.say(init).await;
    assert_eq!(second.control("error").await["code"], "too_many");
    assert_eq!(second.closed().await, Some(4429));

    for id in ["c1", "c2"] {
        let new = json!({"campaignId": id, "name": id, "count": 5}).to_string();
        let request = reqwest::Client::new().post(server.url("/campaigns")).bearer_auth(&ada);
        assert_eq!(answer(request.body(new)).await.status, 201);
        first.say(json!({"type": "subscribe_campaign", "campaignId": id})).await;
    }
    first.control("subscription_confirmed").await;
    assert_eq!(first.control("error").await["code"], "too_many");

    let mut refused = 0;
    for _ in 0..30 {
        let asked = asks(&server, &ada, "GET", "/campaigns/c1").await;
        if asked.status != 200 {
            assert_eq!(asked.code(), (429, "rate_limited"));
            refused += 1;
        }
    }
    assert!(refused > 0);
    let bob = bearer(&server, "bob-m").await;
    assert_eq!(asks(&server, &bob, "GET", "/campaigns").await.status, 200, "others are not hit");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_too_large_are_refused() {
    let server = Server::start().await;
    let large = json!({"name": "x".repeat(70_000), "count": 5});
    assert_eq!(server.post("/campaigns", large.clone()).await.code(), (413, "invalid_body"));
    assert_eq!(server.post("/auth/login", large).await.status, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_ever_logged() {
    let directory = tempfile::tempdir().unwrap();
    let users = directory.path().join("users");
    std::fs::write(&users, user("ada-l")).unwrap();
    let mut command = program();
    command
        .args(["--listen", "127.0.0.1:0", "--log-level", "trace"])
        .env("CAMPAIGN_SYNC_USERS", &users)
        .env("CAMPAIGN_SYNC_TOKEN", "the-operators-secret")
        .env("CAMPAIGN_SYNC_DB", directory.path().join("campaigns.db"))
        .stderr(Stdio::piped());
    let mut process = Process::spawn(&mut command);
    let login = json!({"user": "ada-l", "password": PASSWORD, "bearer": true});
    let token = process.post("/auth/login", login).await.body["token"].clone();
    let token = token.as_str().unwrap();
    for secret in [token, "the-operators-secret", "a-wrong-secret"] {
        let mut client = Client::silent(&process.address).await;
        let init = json!({"type": "connection_init", "protocols": ["campaign-sync.v1"],
            "token": secret});
        client.say(init).await;
        client.document().await;
        let url = format!("http://{}/api/v2/campaigns", process.address);
        answer(reqwest::Client::new().get(url).bearer_auth(secret)).await;
    }
    process.child.kill().unwrap();
    let mut log = String::new();
    process.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("\"event\":\"login\""), "{log}");
    for secret in [token, "the-operators-secret", "a-wrong-secret", PASSWORD, "argon2id"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    let help = program().arg("--help").env("CAMPAIGN_SYNC_TOKEN", "the-operators-secret").output();
    let help = String::from_utf8(help.unwrap().stdout).unwrap();
    assert!(help.contains("CAMPAIGN_SYNC_TOKEN") && !help.contains("the-operators-secret"));
}

#[test]
fn server_reachable_by_others_needs_users_and_origins() {
    let directory = tempfile::tempdir().unwrap();
    let mut open = options(directory.path().join("campaigns.db"));
    assert!(open.problems().is_empty());
    open.listen = "0.0.0.0:0".parse().unwrap();
    let problems = open.problems().join("\n");
    assert!(problems.contains("--users or --token is needed"), "{problems}");
    assert!(problems.contains("--origin is needed"), "{problems}");
    open.token = Some("secret".into());
    open.origin = vec!["https://app.example".into()];
    assert!(open.problems().is_empty());
    for origin in [
        "*",
        "app.example",
        "https://*.app.example",
        "https://app.example/",
        "https://",
        "https://App.example",
        "https://user@app.example",
    ] {
        open.origin = vec![origin.into()];
        assert_eq!(open.problems().len(), 1, "{origin}");
    }
}

#[test]
fn invalid_users_file_is_reported_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let users = directory.path().join("users");
    let db = directory.path().join("campaigns.db");
    for (text, complaint) in [
        (format!("{}bob", user("ada-l")), "line 2 is not name:hash"),
        ("ada:secret".to_owned(), "line 1 is not name:hash"),
        (user("ada-l").replace("argon2id", "argon2d"), "line 1 is not name:hash"),
        (user("ada-l").replace("ada-l:", "ada l:"), "line 1 is not name:hash"),
        ("# nobody\n".to_owned(), "there is no user in it"),
    ] {
        std::fs::write(&users, text).unwrap();
        let output = program()
            .args(["--listen", "127.0.0.1:0", "--users"])
            .arg(&users)
            .arg("--db")
            .arg(&db)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert!(!output.status.success());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(complaint), "{complaint} is not in {stderr}");
    }
}
