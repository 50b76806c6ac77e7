//! Backup and restore of the database, in every order of events: a clean stop or a kill, the write-ahead log of
//! the replaced database there or gone, its mark there or gone.

use std::fs;
use std::path::{Path, PathBuf};

use campaign_sync_harness::log::sqlite::SqliteLog;
use campaign_sync_harness::log::{EventLog as _, LogError, RowQuery};
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::log::{created, id, row};

const DB: &str = "log.db";
const LOG: &str = "log.db-wal";
const INDEX: &str = "log.db-shm";
const MARK: &str = "log.db.mark";

/// A directory with a database.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self, epoch: &str) -> Result<SqliteLog, LogError> {
        SqliteLog::open(&self.path(DB), epoch, false)
    }

    /// The files as a kill at this moment would leave them.
    fn killed(&self) -> Self {
        let image = Self::new();
        for name in [DB, LOG, INDEX, MARK] {
            if self.path(name).exists() {
                fs::copy(self.path(name), image.path(name)).unwrap();
            }
        }
        image
    }

    fn remove(&self, name: &str) {
        let _not_there = fs::remove_file(self.path(name));
    }

    /// The write-ahead logs that were set aside.
    fn kept_logs(&self) -> usize {
        let names = fs::read_dir(self.0.path()).unwrap().map(|it| it.unwrap().file_name());
        names.filter(|it| it.to_string_lossy().starts_with("log.db-wal.")).count()
    }
}

/// The rows and the head of the only campaign, after a check of the structure of all pages.
fn content(log: &SqliteLog, place: &Place) -> (u64, Vec<String>) {
    let view = log.view(&id(), &RowQuery::default()).unwrap().unwrap();
    assert!(log.recount(&id()).unwrap().unwrap().agrees());
    let connection = Connection::open(place.path(DB)).unwrap();
    let check: String = connection.query_row("PRAGMA quick_check", [], |it| it.get(0)).unwrap();
    assert_eq!(check, "ok");
    (view.head.number, view.rows.into_iter().map(|row| row.domain_id).collect())
}

/// The number of events in the database file alone, as a copy of only this file contains them.
fn events_in_file(db: &Path) -> i64 {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let alone = format!("file:{}?immutable=1", db.display());
    let connection = Connection::open_with_flags(alone, flags).unwrap();
    connection.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap()
}

/// The ways of making a backup.
#[derive(Clone, Copy, Debug)]
enum Backup {
    /// The file is copied after a clean stop.
    Copied,
    /// `VACUUM INTO` while the server runs.
    Vacuumed,
    /// SQLite's online backup while the server runs. It copies page by page.
    Online,
}

impl Backup {
    /// A place with two events in the backup and more events after it, in a log that is still open.
    fn make(self, place: &Place) -> (PathBuf, SqliteLog) {
        let mut log = place.open("first").unwrap();
        log.append(&id(), 0, &[created(), row(0)]).unwrap();
        let backup = place.path("backup.db");
        match self {
            Self::Copied => {
                drop(log);
                fs::copy(place.path(DB), &backup).unwrap();
                log = place.open("first").unwrap();
            }
            Self::Vacuumed => {
                let connection = Connection::open(place.path(DB)).unwrap();
                connection.execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
            }
            Self::Online => {
                let connection = Connection::open(place.path(DB)).unwrap();
                connection.backup("main", &backup, None::<fn(_)>).unwrap();
            }
        }
        // Pages are added and split, so that a mixture of both states is damaged.
        for number in 2..120 {
            log.append(&id(), number, &[row(number - 1)]).unwrap();
            if number % 40 == 0 {
                // The server calls this every few seconds.
                log.tick().unwrap();
            }
        }
        (backup, log)
    }
}

// R5.2, R15.6
#[test]
fn every_restored_backup_is_its_own_state_under_a_new_epoch() {
    for made in [Backup::Copied, Backup::Vacuumed, Backup::Online] {
        for (killed, has_log, has_mark) in orders() {
            let order = format!("{made:?}, killed {killed}, log {has_log}, mark {has_mark}");
            let place = Place::new();
            let (backup, log) = made.make(&place);
            let image = place.killed();
            drop(log);
            // After a clean stop there is no log. The server of an earlier release left one.
            fs::copy(image.path(LOG), place.path(LOG)).unwrap();
            let place = if killed { image } else { place };
            if !has_log {
                place.remove(LOG);
                place.remove(INDEX);
            }
            if !has_mark {
                place.remove(MARK);
            }
            fs::copy(backup, place.path(DB)).unwrap();

            let log = place.open("second").unwrap();
            assert_eq!(log.epoch(), "second", "{order}");
            assert_eq!(content(&log, &place), (2, vec!["d0".to_owned()]), "{order}");
            assert_eq!(place.kept_logs(), usize::from(has_log), "{order}");
            log.append(&id(), 2, &[row(7)]).unwrap();
            drop(log);
            assert_eq!(place.open("third").unwrap().epoch(), "second", "changed once: {order}");
        }
    }
}

/// Killed or not, with the write-ahead log or without, with the mark or without.
fn orders() -> impl Iterator<Item = (bool, bool, bool)> {
    (0..8).map(|bits| (bits & 1 == 1, bits & 2 == 2, bits & 4 == 4))
}

#[test]
fn database_file_alone_is_complete_after_a_clean_stop() {
    let place = Place::new();
    let log = place.open("first").unwrap();
    log.append(&id(), 0, &[created(), row(0)]).unwrap();
    log.view(&id(), &RowQuery::default()).unwrap();
    assert_ne!(fs::metadata(place.path(LOG)).unwrap().len(), 0, "it is not complete before");
    log.close().unwrap();
    assert!(!place.path(LOG).exists() && !place.path(INDEX).exists());
    assert_eq!(events_in_file(&place.path(DB)), 2);
    assert!(log.head(&id()).is_err() && log.append(&id(), 2, &[row(1)]).is_err());
    // The next server need not wait for the end of this process.
    let next = place.open("second").unwrap();
    assert_eq!((next.epoch().as_str(), content(&next, &place).0), ("first", 2));
}

#[test]
fn reader_that_is_reading_does_not_keep_the_log_from_closing() {
    let place = Place::new();
    let log = place.open("first").unwrap();
    log.append(&id(), 0, &[created(), row(0)]).unwrap();
    let other = Connection::open(place.path(DB)).unwrap();
    other.execute_batch("BEGIN; SELECT * FROM events").unwrap();
    log.append(&id(), 2, &[row(1)]).unwrap();
    let Err(LogError::Storage(reason)) = log.close() else { panic!("the reader had the log") };
    assert!(reason.contains("write-ahead log"), "{reason}");
    drop(other);
    let log = place.open("second").unwrap();
    assert_eq!((log.epoch().as_str(), content(&log, &place).0), ("first", 3));
}

/// Without a restore, after a kill or a stop: nothing is lost, and the epoch changes only if something is
/// missing.
#[test]
fn epoch_stays_only_if_nothing_can_be_missing() {
    for (killed, has_log, has_mark) in orders() {
        let order = format!("killed {killed}, log {has_log}, mark {has_mark}");
        let place = Place::new();
        let log = place.open("first").unwrap();
        log.append(&id(), 0, &[created(), row(0)]).unwrap();
        log.tick().unwrap();
        log.append(&id(), 2, &[row(1)]).unwrap();
        let image = place.killed();
        drop(log);
        let place = if killed { image } else { place };
        if !has_log {
            place.remove(LOG);
            place.remove(INDEX);
        }
        if !has_mark {
            place.remove(MARK);
        }
        let log = place.open("second").unwrap();
        let is_complete = !killed || has_log;
        let expected = if is_complete && has_mark { "first" } else { "second" };
        assert_eq!(log.epoch(), expected, "{order}");
        assert_eq!(content(&log, &place).0, if is_complete { 3 } else { 2 }, "{order}");
        assert_eq!(place.kept_logs(), 0, "{order}");
    }
}

#[test]
fn log_that_belongs_is_replayed_at_any_moment_of_a_kill() {
    let place = Place::new();
    let log = place.open("first").unwrap();
    log.append(&id(), 0, &[created()]).unwrap();
    let reader = Connection::open(place.path(DB)).unwrap();
    for number in 1..60 {
        log.append(&id(), number, &[row(number)]).unwrap();
        match number % 10 {
            3 => log.tick().unwrap(),
            // A reader keeps the log, so that a checkpoint copies only a part of it.
            5 => reader.execute_batch("BEGIN; SELECT count(*) FROM events").unwrap(),
            7 => reader.execute_batch("COMMIT").unwrap(),
            // Operators do this before they copy the file.
            9 => reader.query_row("PRAGMA wal_checkpoint", [], |_| Ok(())).unwrap(),
            _ => {}
        }
        let image = place.killed();
        let log = image.open("second").unwrap();
        assert_eq!((log.epoch().as_str(), content(&log, &image).0), ("first", number + 1));
    }
}

#[test]
fn killed_server_of_an_earlier_release_keeps_its_events() {
    let place = Place::new();
    let log = place.open("first").unwrap();
    log.append(&id(), 0, &[created(), row(0)]).unwrap();
    drop(log);
    // An earlier release numbers no transactions and marks only the generation.
    let earlier = Connection::open(place.path(DB)).unwrap();
    earlier.pragma_update(None, "application_id", 0).unwrap();
    earlier.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let sql = "UPDATE events SET type = 'changed' WHERE sequence_number = 2";
    assert_eq!(earlier.execute(sql, []).unwrap(), 1);
    let mark = fs::read_to_string(place.path(MARK)).unwrap();
    fs::write(place.path(MARK), mark.split(' ').next().unwrap()).unwrap();
    let image = place.killed();
    let log = image.open("second").unwrap();
    assert_eq!(log.epoch(), "first");
    assert_eq!(image.kept_logs(), 0);
    let replayed = Connection::open(image.path(DB)).unwrap();
    let sql = "SELECT count(*) FROM events WHERE type = 'changed'";
    assert_eq!(replayed.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
}

#[test]
fn damaged_backup_is_refused_with_the_reason() {
    let place = Place::new();
    let (backup, log) = Backup::Vacuumed.make(&place);
    drop(log);
    fs::copy(place.path(DB), &backup).unwrap();
    let mut bytes = fs::read(&backup).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8_192].fill(0x5a);
    fs::write(place.path(DB), bytes).unwrap();
    place.remove(MARK);
    let Err(LogError::Storage(reason)) = place.open("second") else { panic!("it was opened") };
    assert!(reason.contains("log.db") && reason.contains("damaged"), "{reason}");
}

#[test]
fn sqlite_contains_the_fix_of_the_log_reset() {
    // https://sqlite.org/wal.html, "The WAL-Reset Bug": fixed in 3.51.3.
    assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
}
