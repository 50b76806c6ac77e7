//! Logs of every release stay readable. `tests/golden/VERSION` holds the database of a server of that
//! release, its mark, and the events that a client received. `CAMPAIGN_SYNC_WRITE_GOLDEN=VERSION` writes
//! the files of this release.

use std::fs;
use std::path::{Path, PathBuf};

use campaign_sync_harness::log::EventLog as _;
use campaign_sync_harness::log::sqlite::SqliteLog;
use serde_json::json;

use super::log::id;
use super::support::{Client, Copy, Server, rows_by_sql};

pub(crate) const RELEASES: &[&str] = &["0.1"];

const DATABASE: &str = "campaigns.db";
const MARK: &str = "campaigns.db.mark";

pub(crate) fn golden(release: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(release)
}

/// Runs a campaign through all phases, and stores the events that a client received.
async fn write(directory: &Path) {
    fs::create_dir_all(directory).unwrap();
    let mut server = Server::start().await;
    server.generated("c1", 30).await;
    for action in ["configure-dns", "rollback", "validate-dns", "validate-http", "analyze"] {
        assert_eq!(server.act("c1", action).await.status, 200, "{action}");
        if action.starts_with("validate") || action == "analyze" {
            server.completed("c1").await;
        }
    }
    let mut client = Client::subscribed(&server.address, "c1").await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0})).await;
    let mut copy = Copy::default();
    while (copy.phase.as_str(), copy.status.as_str()) != ("analysis", "completed") {
        copy.hear(&client.document().await);
    }
    drop(client);
    server.stop().await;
    fs::write(directory.join("events.jsonl"), copy.documents.join("\n")).unwrap();
    fs::copy(server.db.with_file_name(MARK), directory.join(MARK)).unwrap();
    let _none_the_first_time = fs::remove_file(directory.join(DATABASE));
    let connection = rusqlite::Connection::open(&server.db).unwrap();
    connection.execute("VACUUM INTO ?1", [directory.join(DATABASE).to_str().unwrap()]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logs_of_every_release_are_read_replayed_and_continued() {
    if let Ok(release) = std::env::var("CAMPAIGN_SYNC_WRITE_GOLDEN") {
        write(&golden(&release)).await;
    }
    for release in RELEASES {
        let lines = fs::read_to_string(golden(release).join("events.jsonl")).unwrap();
        let lines: Vec<&str> = lines.lines().collect();
        let directory = tempfile::tempdir().unwrap();
        for name in [DATABASE, MARK] {
            fs::copy(golden(release).join(name), directory.path().join(name)).unwrap();
        }
        let log = SqliteLog::open(&directory.path().join(DATABASE), "another", false).unwrap();
        let stored = log.read(&id(), 0, usize::MAX).unwrap();
        assert!(stored.iter().map(|event| &*event.document).eq(lines.iter().copied()), "{release}");
        assert!(log.recount(&id()).unwrap().unwrap().agrees());
        drop(log);

        let server = Server::over(directory, |_| {}).await;
        let mut client = Client::subscribed(&server.address, "c1").await;
        client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0})).await;
        let mut copy = Copy::default();
        client.follow(&mut copy, lines.len() as u64).await;
        assert_eq!(copy.documents, lines, "the bytes of {release}");
        assert_eq!(copy.rows, rows_by_sql(&server.db, "c1"));
        assert_eq!(server.audit_trail("c1").await.len(), 5);
        assert_eq!(server.delete("/campaigns/c1", json!({})).await.status, 200);
        client.follow(&mut copy, lines.len() as u64 + 1).await;
    }
}
