//! SIGKILL at any moment: what was acknowledged is there, and the log has no hole.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use campaign_sync::protocol::CampaignId;
use campaign_sync_harness::log::EventLog as _;
use campaign_sync_harness::log::sqlite::SqliteLog;
use serde_json::json;

use super::process::Process;
use super::support::{Client, Copy, Heard, rows_by_sql};

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_writing_the_server_goes_on_where_it_was() {
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
        // Whatever had reached the socket had been committed before.
        while let Heard::Document(document) = client.next().await {
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

/// The log on disk: contiguous, chained, hashed, in step with the rows, and nothing is missing that
/// a client has heard.
fn certify(db: &Path, heard: &Copy) {
    let log = SqliteLog::open(db, "unused", false).unwrap();
    let campaign = CampaignId::new("c1").unwrap();
    let mut copy = Copy { epoch: log.epoch(), ..Copy::default() };
    for event in log.read(&campaign, 0, usize::MAX).unwrap() {
        copy.hear(&event.document);
    }
    let recount = log.recount(&campaign).unwrap().unwrap();
    assert!(recount.agrees());
    assert_eq!(recount.head.number, copy.number);
    assert!(copy.number >= heard.number, "{} < {}", copy.number, heard.number);
    assert_eq!(copy.documents[..heard.documents.len()], heard.documents[..]);
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
async fn asked_to_end_the_server_drains_its_sockets_and_exits_cleanly() {
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
