//! The memory that readers cost the server, above all those that take nothing.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use campaign_sync_harness::session::Step;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::core::{CoreFixture, kind};
use super::delivery::{MANY, lazy, lazy_at, lazy_from};
use super::process::{Process, program};
use super::sessions::{asks, bearer, guarded};
use super::support::{Client, Copy, Server, answer, parse};

/// The number of readers. Each lacks megabytes of events.
const READERS: u64 = 60;

/// The memory of a process, in bytes.
fn resident(process: &Process) -> u64 {
    let status = Path::new("/proc").join(process.child.id().to_string()).join("status");
    let text = std::fs::read_to_string(status).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() * 1_024
}

async fn head(process: &Process) -> (String, u64) {
    let url = format!("http://{}/api/v2/campaigns/c1", process.address);
    let got = answer(reqwest::Client::new().get(url)).await;
    let number = got.position.unwrap().split_once('/').unwrap().1.parse().unwrap();
    (got.body["phaseStatus"].as_str().unwrap().to_owned(), number)
}

async fn completed(process: &Process) -> u64 {
    loop {
        match head(process).await {
            (status, number) if status == "completed" => return number,
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pending_events_of_slow_readers_stay_out_of_memory() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = program();
    command
        .args(["--listen", "127.0.0.1:0", "--retry-backoff-ms", "20000"])
        .args(["--idle-timeout-ms", "600000", "--db"])
        .arg(directory.path().join("campaigns.db"));
    let process = Process::spawn(&mut command);
    let new = json!({"campaignId": "c1", "name": "one", "count": MANY, "rate": 20_000, "batch": 1});
    process.post("/campaigns", new).await;
    process.post("/campaigns/c1/start", json!({})).await;
    let first = completed(&process).await;
    let mut readers = Vec::new();
    for _ in 0..READERS {
        readers.push(lazy(&process.address, "c1").await);
    }
    // Each reader has received as much as its buffers hold, and the server tries to send one more page.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = resident(&process);
    process.post("/campaigns/c1/validate-dns", json!({})).await;
    let owed = (completed(&process).await - first) * 400;
    let grown = resident(&process).saturating_sub(before);
    // All readers lack the same events, and no reader has a separate copy of them.
    assert!(owed > 5_000_000, "{owed}");
    assert!(grown < READERS * owed / 8, "{grown} bytes more, {owed} owed to each of {READERS}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stalled_sockets_beyond_the_budget_are_dropped() {
    let server = Server::with(|options| {
        options.delivery.retry_backoff_ms = 20_000;
        options.delivery.idle_timeout_ms = 600_000;
        options.capacity.max_bytes_in_flight = 1024 * 1024;
        options.metrics = Some("127.0.0.1:0".parse().unwrap());
    })
    .await;
    let head = server.generated("c1", MANY).await;
    let mut stalled = Vec::new();
    for number in 0..16 {
        // Each is at another number, so none of them shares its page with another.
        stalled.push(lazy_at(&server.address, "c1", number * 7).await);
    }
    let dropped = async {
        while !server.metrics().await.contains("campaign_sync_closes_total{code=\"1006\"}") {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), dropped).await.expect("all are kept");
    let mut quick = Client::subscribed(&server.address, "c1").await;
    let all = json!({"campaignId": "c1", "lastSequenceNumber": 0, "prefer": "replay"});
    quick.recover(all).await;
    let mut copy = Copy::default();
    quick.follow(&mut copy, head).await;
}

/// Rows whose snapshot is larger than the buffers between two ends of a connection: about 5 MB.
const ROWS: u64 = 40_000;

pub(crate) fn large(name: &str) -> Value {
    json!({"campaignId": name, "name": name, "count": ROWS, "rate": 1_000_000, "batch": 1_000,
        "pattern": format!("{{word}}-{{n}}-{}.example", "x".repeat(40))})
}

pub(crate) async fn generate(server: &Server, token: &str, name: &str) {
    let request = reqwest::Client::new().post(server.url("/campaigns")).bearer_auth(token);
    let created = request.body(large(name).to_string()).send().await.unwrap();
    assert!(created.status().is_success());
    assert_eq!(asks(server, token, "POST", &format!("/campaigns/{name}/start")).await.status, 200);
    while asks(server, token, "GET", &format!("/campaigns/{name}")).await.body["phaseStatus"]
        != "completed"
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Requests a snapshot over REST, and reads nothing but the beginning of the answer.
pub(crate) async fn unread(address: &str, path: &str, token: Option<&str>) -> (TcpStream, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let mut stream = socket.connect(address.parse::<SocketAddr>().unwrap()).await.unwrap();
    let token = token.map(|it| format!("Authorization: Bearer {it}\r\n")).unwrap_or_default();
    let request = format!("GET /api/v2{path} HTTP/1.1\r\nHost: {address}\r\n{token}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = vec![0; 1_024];
    let length = stream.read(&mut head).await.unwrap();
    let head = String::from_utf8_lossy(&head[..length]).into_owned();
    (stream, head)
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_rest_snapshots_share_their_rows() {
    const READERS: usize = 60;
    let directory = tempfile::tempdir().unwrap();
    let db = directory.path().join("campaigns.db");
    let process = Process::spawn(program().args(["--listen", "127.0.0.1:0", "--db"]).arg(db));
    process.post("/campaigns", large("c1")).await;
    process.post("/campaigns/c1/start", json!({})).await;
    process.completed("c1").await;
    let mut readers = vec![unread(&process.address, "/campaigns/c1/snapshot", None).await];
    let before = resident(&process);
    for _ in 1..READERS {
        readers.push(unread(&process.address, "/campaigns/c1/snapshot", None).await);
    }
    let grown = resident(&process).saturating_sub(before);
    assert!(readers.iter().all(|(_, head)| head.starts_with("HTTP/1.1 200 OK\r\n")));
    assert!(readers[0].1.contains("content-length: "), "{}", readers[0].1);
    // Together they are owed 300 MB.
    assert!(grown < 60_000_000, "{grown} bytes more for {READERS} readers");
}

/// Requests the rows of all buckets but one, and reads until the answer begins. Returns its `data`.
async fn begins_repair(client: &mut Client, campaign: &str, left_out: u8) -> Value {
    let buckets: Vec<u8> = (0..=255).filter(|it| *it != left_out).collect();
    let payload = json!({"campaignId": campaign, "requestId": "q", "buckets": buckets});
    client.say(json!({"type": "request_campaign_snapshot", "payload": payload})).await;
    loop {
        let document = parse(&client.document().await);
        if document["data"]["requestId"] == "q" {
            return document["data"].clone();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_that_one_user_leaves_unread_are_bounded() {
    let server = guarded(|options| {
        options.capacity.max_bytes_in_flight_per_user = 12_000_000;
        options.metrics = Some("127.0.0.1:0".parse().unwrap());
    })
    .await;
    let ada = bearer(&server, "ada-l").await;
    generate(&server, &ada, "c1").await;
    let position = asks(&server, &ada, "GET", "/campaigns/c1").await.position.unwrap();
    let head: u64 = position.split_once('/').unwrap().1.parse().unwrap();
    let (mut sockets, mut refused) = (Vec::new(), 0);
    for left_out in 0..16 {
        let mut client = lazy_from(&server.address, "c1", Some(&ada), head).await;
        let data = begins_repair(&mut client, "c1", left_out).await;
        if data["code"] == "rate_limited" {
            assert!(data["retryAfterMs"].as_u64().unwrap() > 0);
            refused += 1;
        } else {
            assert_eq!(data["part"], 1);
        }
        sockets.push(client);
    }
    assert!((12..16).contains(&refused), "{refused}");
    let (_, head) = unread(&server.address, "/campaigns/c1/snapshot", Some(&ada)).await;
    assert!(head.starts_with("HTTP/1.1 429 ") && head.contains("retry-after: "), "{head}");

    generate(&server, &bearer(&server, "bob-m").await, "c2").await;
    let bob = bearer(&server, "bob-m").await;
    assert_eq!(asks(&server, &bob, "GET", "/campaigns/c2/snapshot").await.status, 200);

    // The sockets of the ended session still take nothing, but no longer hold anything.
    assert_eq!(asks(&server, &ada, "POST", "/auth/logout").await.status, 200);
    let again = bearer(&server, "ada-l").await;
    let snapshot = async {
        while asks(&server, &again, "GET", "/campaigns/c1/snapshot").await.status != 200 {}
    };
    let soon = Duration::from_secs(10);
    tokio::time::timeout(soon, snapshot).await.expect("an ended session holds its snapshots");
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_session_frees_its_unread_rest_snapshot() {
    let server = guarded(|options| options.capacity.max_bytes_in_flight_per_user = 6_000_000).await;
    let ada = bearer(&server, "ada-l").await;
    generate(&server, &ada, "c1").await;
    generate(&server, &ada, "c2").await;
    let (_first, head) = unread(&server.address, "/campaigns/c1/snapshot", Some(&ada)).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let again = bearer(&server, "ada-l").await;
    let refused = asks(&server, &again, "GET", "/campaigns/c2/snapshot").await;
    assert_eq!(refused.code(), (429, "rate_limited"));
    assert_eq!(asks(&server, &ada, "POST", "/auth/logout").await.status, 200);
    let answered = async {
        while asks(&server, &again, "GET", "/campaigns/c2/snapshot").await.status != 200 {}
    };
    let soon = Duration::from_secs(10);
    tokio::time::timeout(soon, answered).await.expect("an ended session holds its snapshot");
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshot_beyond_the_budget_of_all_is_503() {
    let server = Server::with(|options| {
        options.capacity.max_bytes_in_flight = 1024 * 1024;
        options.metrics = Some("127.0.0.1:0".parse().unwrap());
    })
    .await;
    for name in ["c1", "c2"] {
        generate(&server, "", name).await;
    }
    let (first, head) = unread(&server.address, "/campaigns/c1/snapshot", None).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "a single one may be larger: {head}");
    let (_, head) = unread(&server.address, "/campaigns/c2/snapshot", None).await;
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after: "), "{head}");
    let page = server.get("/campaigns/c2/domains?limit=10000").await;
    assert_eq!(page.code(), (503, "rate_limited"));
    assert_eq!(server.get("/campaigns/c2").await.status, 200, "small answers pass");
    drop(first);
    let answered = async { while server.get("/campaigns/c2/snapshot").await.status != 200 {} };
    let soon = Duration::from_secs(20);
    tokio::time::timeout(soon, answered).await.expect("the bytes stay counted");
    assert_eq!(server.get("/campaigns/c2/domains?limit=5000").await.status, 200);
}

#[test]
fn session_that_waits_for_a_snapshot_is_refused_after_a_while() {
    let fixture = CoreFixture::silent(3);
    // Another client holds the only place: the snapshot of a budget of one byte.
    let held = fixture.context.hub.in_flight().charge(1 << 40);
    let mut fixture = fixture.greeted();
    fixture.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0, "prefer": "snapshot",
        "requestId": "q"}));
    assert_eq!(fixture.step(), Step::Idle);
    let mut waited = 0;
    let refused = loop {
        let due = fixture.session.timeout_ms();
        waited += due - fixture.now_ms;
        fixture.now_ms = due;
        match fixture.step() {
            Step::Frame(frame) if kind(&frame.text.to_string()) == "error" => {
                break parse(&frame.text.to_string());
            }
            Step::Frame(_) | Step::Idle => {}
            step => panic!("{step:?}"),
        }
    };
    assert_eq!(refused["data"]["code"], "rate_limited");
    assert_eq!(refused["data"]["requestId"], "q");
    assert!(waited >= 5_000, "{waited}");
    drop(held);
    fixture.now_ms += 2_000;
    fixture.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0, "prefer": "snapshot"}));
    assert_eq!(kind(&fixture.hear()[0]), "event_recovery");
}
