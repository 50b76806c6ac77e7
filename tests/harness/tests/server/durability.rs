//! SIGKILL at any moment: every acknowledged event is in the log, and the log has no gap.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use campaign_sync::protocol::CampaignId;
use campaign_sync_harness::log::EventLog as _;
use campaign_sync_harness::log::sqlite::SqliteLog;
use serde_json::json;

use super::process::Process;
use super::support::{Client, Copy, Received, rows_by_sql};

#[tokio::test(flavor = "multi_thread")]
async fn server_killed_during_writes_continues_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let db = directory.path().join("campaigns.db");
    let mut process = Process::start(&db);
    let new = json!({"campaignId": "c1", "name": "one", "count": 3_000});
    process.post("/campaigns", new).await;
    process.post("/campaigns/c1/start", json!({})).await;
    let mut copy = Copy::default();
    for kill in 1..=5u64 {
        let mut client = Client::subscribed(&process.address, "c1").await;
        let mut payload = copy.payload("c1");
        payload["prefer"] = json!("replay");
        if copy.epoch.is_empty() {
            payload.as_object_mut().unwrap().remove("epoch");
        }
        client.recover(payload).await;
        client.follow(&mut copy, kill * 300).await;
        process.kill();
        // Every event that reached the socket had been committed before.
        while let Received::Document(document) = client.next().await {
            copy.hear(&document);
        }
        certify(&db, &copy);
        process = Process::start(&db);
    }
    let mut client = Client::subscribed(&process.address, "c1").await;
    let mut payload = copy.payload("c1");
    payload["prefer"] = json!("replay");
    client.recover(payload).await;
    while copy.status != "completed" {
        let document = client.document().await;
        copy.hear(&document);
    }
    assert_eq!(copy.rows.len(), 3_000);
    assert_eq!(copy.rows, rows_by_sql(&db, "c1"));
}

/// Checks the log on disk: contiguous, chained, hashed, consistent with the rows, and complete up to the
/// last event that the client received.
fn certify(db: &Path, received: &Copy) {
    let log = SqliteLog::open(db, "unused", false).unwrap();
    let campaign = CampaignId::new("c1").unwrap();
    let mut copy = Copy { epoch: log.epoch(), ..Copy::default() };
    for event in log.read(&campaign, 0, usize::MAX).unwrap() {
        copy.hear(&event.document);
    }
    let recount = log.recount(&campaign).unwrap().unwrap();
    assert!(recount.agrees());
    assert_eq!(recount.head.number, copy.number);
    assert!(copy.number >= received.number, "{} < {}", copy.number, received.number);
    assert_eq!(copy.documents[..received.documents.len()], received.documents[..]);
    assert_eq!(copy.rows, rows_by_sql(db, "c1"));
}

#[test]
fn faults_are_refused_beyond_loopback() {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_campaign-sync-server"))
        .args(["--faults", "--listen", "0.0.0.0:0", "--db"])
        .arg(directory.path().join("campaigns.db"))
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("loopback"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_drains_the_sockets_and_exits_cleanly() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = Process::start(&directory.path().join("campaigns.db"));
    let mut client = Client::connect(&process.address).await;
    let pid = process.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    client.control("server_draining").await;
    assert_eq!(client.closed().await, Some(1012));
    drop(client);
    let exited = tokio::task::spawn_blocking(move || process.child.wait().unwrap().success());
    let exited = tokio::time::timeout(Duration::from_secs(30), exited).await.unwrap();
    assert!(exited.unwrap());
}
