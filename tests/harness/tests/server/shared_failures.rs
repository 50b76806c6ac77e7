//! Transitions on a shared log whose stream or copy fails during the transition.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::atomicity::{STEPS, sql, with_orphans};
use super::log::id;
use super::nats::Nats;
use super::process::{Process, program};
use super::support::{Client, Server, answer, parse};

/// A generated campaign, and a client that follows it.
async fn followed(nats: &Nats) -> (Server, u64, Client) {
    let server = Server::with(|options| {
        options.log = Some(nats.place().parse().unwrap());
        // Longer than any of these tests takes.
        options.delivery.idle_timeout_ms = 600_000;
    })
    .await;
    let head = server.generated("c1", 20).await;
    let mut client = Client::subscribed(&server.address, "c1").await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": head})).await;
    client.control("event_recovery").await;
    (server, head, client)
}

/// The next event. Skips heartbeats.
async fn next_event(client: &mut Client) -> Value {
    loop {
        let document = parse(&client.document().await);
        if document.get("sequence").is_some() {
            return document;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transition_refused_by_the_cluster_never_happens() {
    let mut nats = tokio::task::spawn_blocking(Nats::start).await.unwrap();
    let (server, head, mut client) = followed(&nats).await;
    let before = server.get("/campaigns/c1/snapshot").await;
    let published = nats.last_message().await;
    nats.kill(0);
    let url = format!("http://{}/readyz", server.address);
    assert_eq!(reqwest::get(url).await.unwrap().status().as_u16(), 503);
    // The server retries for half a minute.
    assert_eq!(server.act("c1", "configure-dns").await.code(), (503, "internal"));
    let after = server.get("/campaigns/c1/snapshot").await;
    assert_eq!((&after.body, &after.position), (&before.body, &before.position));
    nats.run(0);
    // A publication that the NATS client had buffered would arrive within this time.
    sleep(Duration::from_secs(2)).await;
    assert_eq!(nats.last_message().await, published);
    let done = server.act("c1", "configure-dns").await;
    assert_eq!(done.body["position"]["sequenceNumber"], head + 1, "{}", done.body);
    assert_eq!(next_event(&mut client).await["sequence"]["sequenceNumber"], head + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn transition_is_answered_once_its_copy_can_be_written() {
    let nats = tokio::task::spawn_blocking(Nats::start).await.unwrap();
    let (server, head, mut client) = followed(&nats).await;
    with_orphans(&server);
    let published = nats.last_message().await;
    sql(&server, STEPS[3].1);
    let url = server.url("/campaigns/c1/configure-dns");
    let asked = tokio::spawn(async { answer(reqwest::Client::new().post(url)).await });
    while nats.last_message().await == published {
        sleep(Duration::from_millis(20)).await;
    }
    sleep(Duration::from_secs(1)).await;
    assert!(!asked.is_finished(), "nothing is known here of what happened");
    let phase = server.get("/campaigns/c1").await.body["currentPhase"].clone();
    assert_eq!(phase, "domain_generation");
    sql(&server, "DROP TRIGGER broken");
    let done = asked.await.unwrap();
    assert_eq!(done.body["position"]["sequenceNumber"], head + 1, "{}", done.body);
    assert_eq!(next_event(&mut client).await["sequence"]["sequenceNumber"], head + 1);
    assert_eq!(server.audit_trail("c1").await.len(), 1);
    assert_eq!(nats.last_message().await, published + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_stream_message_is_skipped_and_logged() {
    let nats = tokio::task::spawn_blocking(Nats::start).await.unwrap();
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0", "--log", &nats.place(), "--cache"]);
    let mut process = Process::spawn(command.arg(nats.file("1.db")).stderr(Stdio::piped()));
    let new = json!({"campaignId": "c1", "name": "one", "count": 20});
    process.post("/campaigns", new).await;
    let client = async_nats::connect(nats.addresses()).await.unwrap();
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Campaign-Part", "stray.0 0 1");
    let subject = format!("campaign-sync.log.{}", id());
    let context = async_nats::jetstream::new(client);
    let sent = context.publish_with_headers(subject, headers, "none of ours".into());
    let sequence = sent.await.unwrap().await.unwrap().sequence;
    let mut log = BufReader::new(process.child.stderr.take().unwrap()).lines();
    let line = tokio::task::spawn_blocking(move || {
        loop {
            let line = parse(&log.next().unwrap().unwrap());
            if line["event"] == "log_message_rejected" {
                return line;
            }
        }
    });
    let line = line.await.unwrap();
    let fields = ["campaignId", "sequence", "eventId", "code"].map(|key| line[key].clone());
    assert_eq!(fields, [json!("c1"), json!(sequence), json!("stray.0"), json!("invalid_message")]);
    // Nothing reads the server's log output any more. The server keeps working.
    process.post("/campaigns/c1/start", json!({})).await;
}
