//! A restored backup is a different log: the server detects it and assigns a new epoch.

use std::fs;
use std::path::{Path, PathBuf};

use campaign_sync_harness::log::sqlite::SqliteLog;
use campaign_sync_harness::log::{EventLog as _, LogError};
use serde_json::json;
use tempfile::TempDir;

use super::log::{created, id, row};
use super::support::{Client, Copy, Server};

const MARK: &str = "log.db.mark";

struct Place {
    directory: TempDir,
    db: PathBuf,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let db = directory.path().join("log.db");
        Self { directory, db }
    }

    fn open(&self, epoch: &str) -> SqliteLog {
        SqliteLog::open(&self.db, epoch, false).unwrap()
    }

    /// Copies the database as it is now, even while a server has it open.
    fn backup(&self) -> PathBuf {
        let copy = self.directory.path().join("backup.db");
        let connection = rusqlite::Connection::open(&self.db).unwrap();
        connection.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
        copy
    }

    fn restore(&self, backup: &Path) {
        for ending in ["-wal", "-shm"] {
            let mut name = self.db.clone().into_os_string();
            name.push(ending);
            let _none_after_a_clean_end = fs::remove_file(name);
        }
        fs::copy(backup, &self.db).unwrap();
    }
}

// R5.2, R15.6
#[test]
fn restored_backup_gets_a_new_epoch_and_replays_no_old_events() {
    let place = Place::new();
    let log = place.open("first");
    log.append(&id(), 0, &[created(), row(0)]).unwrap();
    let backup = place.backup();
    log.append(&id(), 2, &[row(1)]).unwrap();
    drop(log);
    place.restore(&backup);
    let log = place.open("second");
    assert_eq!(log.epoch(), "second");
    let head = log.head(&id()).unwrap().unwrap();
    assert_eq!((head.number, head.oldest), (2, 3));
    assert!(log.read(&id(), 0, usize::MAX).unwrap().is_empty(), "they carry the former epoch");
    log.append(&id(), 2, &[row(7)]).unwrap();
    let mut copy = Copy { epoch: "second".into(), number: 2, ..Copy::default() };
    copy.event_id = head.event_id;
    for event in log.read(&id(), 2, usize::MAX).unwrap() {
        copy.hear(&event.document);
    }
    assert_eq!(copy.number, 3);
    drop(log);
    assert_eq!(place.open("third").epoch(), "second", "it is changed once");
}

#[test]
fn restored_backup_is_detected_even_after_a_kill() {
    let place = Place::new();
    let log = place.open("first");
    log.append(&id(), 0, &[created()]).unwrap();
    let backup = place.backup();
    log.append(&id(), 1, &[row(0)]).unwrap();
    // The server calls this every few seconds. A killed server runs nothing at its end.
    log.tick().unwrap();
    let later = Place::new();
    later.restore(&backup);
    fs::copy(place.directory.path().join(MARK), later.directory.path().join(MARK)).unwrap();
    assert_eq!(later.open("second").epoch(), "second");
}

#[test]
fn database_without_its_mark_counts_as_restored() {
    let place = Place::new();
    place.open("first").append(&id(), 0, &[created()]).unwrap();
    let elsewhere = Place::new();
    fs::copy(&place.db, &elsewhere.db).unwrap();
    assert_eq!(elsewhere.open("second").epoch(), "second");
    assert_eq!(place.open("third").epoch(), "first");
}

#[test]
fn crash_between_database_and_mark_keeps_the_epoch() {
    let place = Place::new();
    drop(place.open("first"));
    let mark = place.directory.path().join(MARK);
    let present = fs::read_to_string(&mark).unwrap();
    let (number, state) = present.trim().split_once(' ').unwrap();
    let number: i64 = number.parse().unwrap();
    fs::write(&mark, format!("{} {state}", number - 1)).unwrap();
    assert_eq!(place.open("second").epoch(), "first");
}

#[test]
fn database_of_an_unknown_format_is_refused() {
    let place = Place::new();
    drop(place.open("first"));
    let connection = rusqlite::Connection::open(&place.db).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    let Err(LogError::Storage(message)) = SqliteLog::open(&place.db, "second", false) else {
        panic!("it was opened");
    };
    assert!(message.contains("form 99"), "{message}");
}

// R5.2, R15.6
#[tokio::test(flavor = "multi_thread")]
async fn old_and_new_clients_get_a_snapshot_after_a_new_epoch() {
    let mut server = Server::start().await;
    let head = server.generated("c1", 20).await;
    let epoch = server.get("/campaigns/c1/snapshot").await.body["epoch"].clone();
    server.stop().await;
    server.restart(|options| options.new_epoch = true).await;
    let old = json!({"campaignId": "c1", "lastSequenceNumber": head, "epoch": epoch});
    let new = json!({"campaignId": "c1", "lastSequenceNumber": 0});
    for (request, reason) in [(old, "epoch_changed"), (new, "truncated")] {
        let mut client = Client::subscribed(&server.address, "c1").await;
        client.recover(request).await;
        let data = client.control("event_recovery").await;
        assert_eq!((&data["outcome"], &data["reason"]), (&json!("snapshot"), &json!(reason)));
        assert_ne!(data["epoch"], epoch);
        assert_eq!(client.control("campaign.snapshot").await["domainsCount"], 20);
    }
}
