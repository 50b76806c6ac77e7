//! The operator's view of the server: metrics, readiness, logs, and the report of invalid options.

use std::io::{self, BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use campaign_sync_harness::session::Step;
use serde_json::{Value, json};

use super::core::{CoreFixture, at_zero};
use super::log::id;
use super::process::{Process, program};
use super::shutdown::send;
use super::support::{Client, Server, answer, parse};

async fn watched(faults: bool) -> Server {
    Server::with(|options| {
        options.metrics = Some("127.0.0.1:0".parse().unwrap());
        options.faults = faults;
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_activity_and_name_no_campaign() {
    let server = watched(true).await;
    let head = server.generated("secret-name", 20).await;
    let mut client = Client::subscribed(&server.address, "secret-name").await;
    let asked = json!({"campaignId": "secret-name", "lastSequenceNumber": 3, "reason": "gap"});
    client.recover(asked).await;
    client.control("event_recovery").await;
    for _ in 3..head {
        client.document().await;
    }
    client
        .recover(json!({"campaignId": "secret-name", "lastSequenceNumber": head,
        "reason": "of a client that makes words up"}))
        .await;
    client.control("event_recovery").await;
    server.act("secret-name", "configure-dns").await;
    assert_eq!(parse(&client.document().await)["type"], "campaign.phase.transition");
    let broken = json!({"campaignId": "secret-name", "breakIntegrity": true});
    server.post("/faults/diverge", broken).await;
    assert_eq!(server.act("secret-name", "rollback").await.status, 409);
    assert_eq!(parse(&client.document().await)["type"], "campaign.phase.transition");
    client.say(json!({"type": "ping", "payload": {"timestamp": 1}})).await;
    client.control("pong").await;
    let metrics = server.metrics().await;
    for measured in ["lag_events", "request_seconds"] {
        let none = format!("campaign_sync_{measured}_count 0");
        assert!(metrics.contains(&format!("campaign_sync_{measured}_count ")), "{metrics}");
        assert!(metrics.lines().all(|it| it != none), "{metrics}");
    }
    for line in [
        "campaign_sync_connections 1",
        "campaign_sync_subscriptions 1",
        "campaign_sync_sequence_gaps_total 1",
        "campaign_sync_recoveries_total{reason=\"gap\",outcome=\"replay\"} 1",
        "campaign_sync_recoveries_total{reason=\"other\",outcome=\"current\"} 1",
        "campaign_sync_integrity_checks_total{result=\"passed\"} 1",
        "campaign_sync_integrity_checks_total{result=\"failed\"} 1",
        "campaign_sync_transactions_total{name=\"DNS_Phase_Transition\",result=\"accepted\"} 1",
        "campaign_sync_transactions_total{name=\"Error_Recovery_Transition\",\
         result=\"integrity_check_failed\"} 1",
        &format!("campaign_sync_events_appended_total {}", head + 2),
        &format!("campaign_sync_append_seconds_count {}", appends(&metrics)),
        // The events that were committed while the client was subscribed.
        "campaign_sync_delivery_seconds_count 2",
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line} is not in\n{metrics}");
    }
    assert!(!metrics.contains("secret-name"));
    drop(client);
    while !server.metrics().await.contains("campaign_sync_subscriptions 0\n") {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// The number of timed appends. Each has at least one event.
fn appends(metrics: &str) -> u64 {
    let value = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().parse::<u64>().unwrap()
    };
    let appends = value("campaign_sync_append_seconds_count");
    assert!((1..=value("campaign_sync_events_appended_total")).contains(&appends));
    appends
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_a_separate_port_and_drain_ends_readiness() {
    let mut server = watched(false).await;
    let own = reqwest::get(format!("http://{}/metrics", server.address)).await.unwrap();
    assert_eq!(own.status().as_u16(), 404);
    let ready = reqwest::get(format!("http://{}/readyz", server.address)).await.unwrap();
    assert_eq!(ready.status().as_u16(), 200);
    assert_eq!(server.operations("/readyz").await.0, 200);
    let mut client = Client::connect(&server.address).await;
    server.ask_to_stop();
    client.control("server_draining").await;
    let (status, body) = server.operations("/readyz").await;
    assert_eq!((status, &parse(&body)["error"]["code"]), (503, &json!("behind")));
    assert_eq!(server.operations("/healthz").await.0, 200);
    assert_eq!(client.closed().await, Some(1012));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn options_come_from_the_environment_and_the_log_is_json() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = program();
    command
        .env("CAMPAIGN_SYNC_LISTEN", "127.0.0.1:0")
        .env("CAMPAIGN_SYNC_DB", directory.path().join("campaigns.db"))
        .env("CAMPAIGN_SYNC_RATE", "20000")
        .stderr(Stdio::piped());
    let mut process = Process::spawn(&mut command);
    process.post("/campaigns", json!({"campaignId": "c1", "name": "one", "count": 20})).await;
    process.post("/campaigns/c1/start", json!({})).await;
    let url = format!("http://{}/api/v2/campaigns/c1", process.address);
    while answer(reqwest::Client::new().get(&url)).await.body["phaseStatus"] != "completed" {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let configure = || reqwest::Client::new().post(format!("{url}/configure-dns"));
    let moved = answer(configure().header("idempotency-key", "k")).await.body;
    assert_eq!(answer(configure().header("idempotency-key", "k")).await.body, moved);
    let mut client = Client::subscribed(&process.address, "c1").await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0, "reason": "gap"})).await;
    client.control("event_recovery").await;
    drop(client);
    // The log is written by another thread. A kill would lose the last lines.
    send("TERM", &process.child);
    let log = BufReader::new(process.child.stderr.take().unwrap());
    let lines: Vec<Value> = log.lines().map(|line| parse(&line.unwrap())).collect();
    let of = |event: &str| lines.iter().find(|line| line["event"] == event).unwrap();
    assert!(of("listening")["address"].is_string());
    let is_dns = |line: &&Value| line["name"] == "DNS_Phase_Transition";
    let transitions: Vec<&Value> = lines.iter().filter(is_dns).collect();
    let [transition] = transitions[..] else {
        panic!("one line for one transaction: {transitions:?}")
    };
    let recovery = of("recovery");
    assert_eq!(transition["event"], "transaction");
    for line in [transition, recovery] {
        assert_eq!(line["campaignId"], "c1");
        assert_eq!(line["eventId"], moved["position"]["eventId"]);
        let number = if line == transition { "sequenceNumber" } else { "toSequenceNumber" };
        assert_eq!(line[number], moved["position"]["sequenceNumber"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn integrity_log_lines_hold_campaign_number_and_event() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = program();
    command
        .args(["--listen", "127.0.0.1:0", "--rate", "20000", "--faults", "--history-events", "2"])
        .args(["--log-level", "debug"])
        .arg("--db")
        .arg(directory.path().join("campaigns.db"))
        .stderr(Stdio::piped());
    let mut process = Process::spawn(&mut command);
    process.post("/campaigns", json!({"campaignId": "c1", "name": "one", "count": 20})).await;
    process.post("/campaigns/c1/start", json!({})).await;
    let url = |action: &str| format!("http://{}/api/v2/campaigns/c1{action}", process.address);
    let act = async |action| answer(reqwest::Client::new().post(url(action))).await;
    while answer(reqwest::Client::new().get(url(""))).await.body["phaseStatus"] != "completed" {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(act("/configure-http").await.code(), (409, "illegal_transition"));
    assert_eq!(act("/configure-dns").await.status, 200);
    process.post("/faults/diverge", json!({"campaignId": "c1", "breakIntegrity": true})).await;
    assert_eq!(act("/rollback").await.code(), (409, "integrity_check_failed"));
    let head = answer(reqwest::Client::new().get(url(""))).await.position.unwrap();
    let head: u64 = head.split_once('/').unwrap().1.parse().unwrap();
    let mut log = BufReader::new(process.child.stderr.take().unwrap()).lines();
    // The server checks history every five seconds.
    let lines = tokio::task::spawn_blocking(move || {
        let mut lines: Vec<Value> = Vec::new();
        let is_last = |line: &Value| {
            line["event"] == "history_truncated" && line["sequenceNumber"] == head - 2
        };
        while !lines.iter().any(is_last) {
            lines.push(parse(&log.next().unwrap().unwrap()));
        }
        lines
    });
    let lines = lines.await.unwrap();
    for (event, number) in [
        ("refused", head - 2),
        ("transaction", head - 1),
        ("integrity_check_failed", head),
        ("published", head),
        ("history_truncated", head - 2),
    ] {
        let is_it = |line: &&Value| line["event"] == event && line["sequenceNumber"] == number;
        let line =
            lines.iter().find(is_it).unwrap_or_else(|| panic!("{event} {number}: {lines:?}"));
        assert_eq!(line["campaignId"], "c1");
        assert_eq!(line["eventId"].as_str().unwrap().len(), 24, "{line}");
    }
}

#[test]
fn lagging_log_line_holds_campaign_number_and_event() {
    let lines = LogCapture::default();
    let written = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(move || written.clone())
        .finish();
    let mut fixture = CoreFixture::subscribed(3);
    fixture.recover(at_zero());
    fixture.hear();
    fixture.append_to(9);
    let hub = fixture.context.hub.clone();
    hub.log().truncate(&id(), 6).unwrap();
    hub.reread(&id()).unwrap();
    let closed = tracing::subscriber::with_default(subscriber, || fixture.step());
    assert!(matches!(closed, Step::Close(4409, _)));
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let line = parse(text.trim());
    assert_eq!(
        ["event", "campaignId", "sequenceNumber", "eventId"].map(|key| &line[key]),
        [
            &json!("lagging"),
            &json!("c1"),
            &json!(3),
            &json!(hub.head(&id()).unwrap().unwrap().event_id)
        ]
    );
}

/// A log writer that keeps all lines in memory.
#[derive(Clone, Default)]
struct LogCapture(Arc<Mutex<Vec<u8>>>);

impl io::Write for LogCapture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn invalid_options_are_all_reported_and_nothing_is_served() {
    let output = program()
        .args(["--rate", "0", "--metrics", "0.0.0.0:9464", "--static", "nowhere"])
        .args(["--db", "nowhere/campaigns.db", "--idle-timeout-ms", "5", "--faults"])
        .args(["--listen", "0.0.0.0:0", "--users", "u"])
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(output.stdout.is_empty());
    let stderr = String::from_utf8(output.stderr).unwrap();
    for complaint in [
        "--rate must be 1 to 1000000, not 0",
        "--metrics must be a loopback address",
        "--static nowhere has no index.html",
        "--db nowhere/campaigns.db: there is no such directory",
        "--idle-timeout-ms must be 15000 to",
        "--faults is refused unless --listen is a loopback address",
        "--faults is refused together with --users",
    ] {
        assert!(stderr.contains(complaint), "{complaint} is not in\n{stderr}");
    }
    for (arguments, complaint) in [
        (["--log", "sqlite:nowhere/a.db"], "--log sqlite:nowhere/a.db: there is no such directory"),
        (["--log", "nats://127.0.0.1:1"], "--cache nowhere/c.db: there is no such directory"),
        (["--log", "campaigns.db"], "neither sqlite:PATH nor nats://HOST:PORT"),
    ] {
        let mut command = program();
        command.env("CAMPAIGN_SYNC_CACHE", "nowhere/c.db").args(arguments).stderr(Stdio::piped());
        let stderr = String::from_utf8(command.output().unwrap().stderr).unwrap();
        assert!(stderr.contains(complaint), "{complaint} is not in\n{stderr}");
    }
    let output =
        program().env("CAMPAIGN_SYNC_RATE", "many").stderr(Stdio::piped()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("invalid value 'many' for '--rate"), "{stderr}");
}
