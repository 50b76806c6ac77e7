//! Repeated SIGKILL while several clients write, with backups made meanwhile and restored in between: after a
//! kill every acknowledged event is there, after a restore exactly the backup is there, under a new epoch.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use campaign_sync_harness::log::EventLog;
use campaign_sync_harness::log::nats::NatsLog;
use campaign_sync_harness::log::sqlite::SqliteLog;
use rand::RngExt as _;
use rusqlite::Connection;
use tokio::task::spawn_blocking;

use super::crash::{Acknowledged, MOVED, WRITERS, rounds, set_up, writer};
use super::nats::Nats;
use super::process::{Process, program};
use super::support::{Copy, parse};

/// The default number of rounds.
const ROUNDS: u32 = 9;

/// The number and the id of the last event of each campaign.
type Heads = BTreeMap<String, (u64, String)>;

/// The results of all rounds.
#[derive(Debug, Default)]
struct Tally {
    kills: u32,
    stops: u32,
    restores: u32,
    acknowledged: usize,
}

impl Tally {
    fn print(&self, log: &str) {
        let Self { kills, stops, restores, acknowledged } = self;
        println!(
            "{log}: {kills} kills, {stops} clean stops, {restores} restores, {acknowledged} \
             acknowledged events"
        );
    }
}

/// Lets clients write for a random time. Calls `meanwhile` in the middle, and then ends the server, mostly by
/// a kill.
async fn write(
    mut process: Process,
    tally: &mut Tally,
    meanwhile: impl FnOnce() + Send + 'static,
) -> Acknowledged {
    let acknowledged = Acknowledged::default();
    let tasks: Vec<_> = (0..WRITERS)
        .map(|n| (format!("w{n}"), ["pause", "resume"]))
        .chain([(MOVED.to_owned(), ["configure-dns", "rollback"])])
        .map(|(campaign, actions)| {
            writer(&process.address, campaign, actions, acknowledged.clone())
        })
        .collect();
    while !acknowledged.lock().unwrap().iter().any(|(campaign, ..)| campaign == MOVED) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    spawn_blocking(meanwhile).await.unwrap();
    let moment = rand::rng().random_range(0..120_000);
    tokio::time::sleep(Duration::from_micros(moment)).await;
    if rand::rng().random_bool(0.25) {
        tally.stops += 1;
        let pid = process.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
        let ended = spawn_blocking(move || process.child.wait().unwrap().success());
        assert!(ended.await.unwrap());
    } else {
        tally.kills += 1;
        process.kill();
    }
    for task in tasks {
        task.await.unwrap();
    }
    tally.acknowledged += acknowledged.lock().unwrap().len();
    acknowledged
}

/// Checks that every log is chained, hashed and consistent with its rows, and that it contains what was
/// acknowledged. Returns the heads.
fn certify(log: &dyn EventLog, acknowledged: &Acknowledged) -> Heads {
    let mut heads = Heads::new();
    let mut written = BTreeMap::new();
    for campaign in log.campaigns().unwrap() {
        let head = log.head(&campaign).unwrap().unwrap();
        let events = log.read(&campaign, head.oldest - 1, usize::MAX).unwrap();
        let first = events.first().map(|event| parse(&event.document)["sequence"].clone());
        let mut copy = Copy { number: head.oldest - 1, ..Copy::default() };
        if let Some(first) = first {
            copy.epoch = first["epoch"].as_str().unwrap().to_owned();
            copy.event_id = first["previousEventId"].as_str().unwrap_or_default().to_owned();
        }
        for event in &events {
            let document = parse(&event.document);
            copy.follow_links(&event.document);
            let id = document["sequence"]["eventId"].as_str().unwrap().to_owned();
            written.insert((campaign.to_string(), event.number), id);
        }
        assert_eq!(copy.number, head.number);
        assert!(log.recount(&campaign).unwrap().unwrap().agrees());
        heads.insert(campaign.to_string(), (head.number, head.event_id));
    }
    for (campaign, number, id) in acknowledged.lock().unwrap().drain(..) {
        let key = (campaign, number);
        assert_eq!(written.get(&key), Some(&id), "{key:?}");
    }
    heads
}

/// The heads in a database file that no server has open.
fn heads_by_sql(db: &Path) -> Heads {
    let connection = Connection::open(db).unwrap();
    let check: String = connection.query_row("PRAGMA quick_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let sql = "SELECT campaign_id, last_sequence_number, last_event_id FROM campaigns";
    let mut statement = connection.prepare(sql).unwrap();
    let heads = statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))));
    heads.unwrap().collect::<Result<_, _>>().unwrap()
}

/// Makes a backup of a database while its server writes.
fn back_up(db: &Path, backup: &Path) {
    let _earlier = fs::remove_file(backup);
    let connection = Connection::open(db).unwrap();
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    if rand::random() {
        connection.execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    } else {
        connection.backup("main", backup, None::<fn(_)>).unwrap();
    }
}

fn beside(db: &Path, suffix: &str) -> PathBuf {
    let mut name = db.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Puts the backup in the place of the database. The files beside it stay or go.
fn restore(backup: &Path, db: &Path) {
    if rand::random() {
        let _after_a_clean_stop = fs::remove_file(beside(db, "-wal"));
        let _never_alone = fs::remove_file(beside(db, "-shm"));
    }
    if rand::random() {
        fs::remove_file(beside(db, ".mark")).unwrap();
    }
    if rand::random() {
        // Another file at the same path, instead of other bytes in the same file.
        fs::remove_file(db).unwrap();
    }
    fs::copy(backup, db).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn restored_databases_between_kills_are_the_only_loss() {
    let directory = tempfile::tempdir().unwrap();
    let (db, backup) = (directory.path().join("campaigns.db"), directory.path().join("backup.db"));
    let (mut tally, mut epoch) = (Tally::default(), None);
    for round in 0..rounds(ROUNDS) {
        let process = Process::start(&db);
        if round == 0 {
            set_up(&process).await;
        }
        let (from, to) = (db.clone(), backup.clone());
        let is_backup_due = round % 3 == 0;
        let meanwhile = move || {
            if is_backup_due {
                back_up(&from, &to);
            }
        };
        let acknowledged = write(process, &mut tally, meanwhile).await;
        let log = SqliteLog::open(&db, "lost", false).unwrap();
        certify(&log, &acknowledged);
        let present = log.epoch();
        assert_eq!(epoch.get_or_insert_with(|| present.clone()), &present, "nothing was restored");
        drop(log);
        if round % 3 == 2 {
            // The server runs once more, so that a kill leaves its log beside the backup.
            let acknowledged = write(Process::start(&db), &mut tally, || ()).await;
            drop(acknowledged);
            let heads = heads_by_sql(&backup);
            restore(&backup, &db);
            let renewed = format!("restored-{round}");
            let log = SqliteLog::open(&db, &renewed, false).unwrap();
            assert_eq!(log.epoch(), renewed);
            assert_eq!(certify(&log, &Acknowledged::default()), heads);
            epoch = Some(renewed);
            tally.restores += 1;
        }
    }
    tally.print("sqlite");
}

/// Copies a directory with everything in it.
fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_directory(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A server of the shared log.
fn shared(nats: &Nats) -> Command {
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0", "--rate", "2000", "--log", &nats.place(), "--cache"]);
    command.arg(nats.file("cache.db"));
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn restored_streams_between_kills_are_the_only_loss() {
    let mut nats = spawn_blocking(Nats::start).await.unwrap();
    let (store, backup) = (nats.file("n0"), nats.file("backup"));
    let (mut tally, mut epoch, mut heads) = (Tally::default(), None, Heads::new());
    for round in 0..rounds(ROUNDS) {
        let process = Process::spawn(&mut shared(&nats));
        if round == 0 {
            set_up(&process).await;
        }
        let acknowledged = write(process, &mut tally, || ()).await;
        if rand::random() {
            // The cluster dies, too, but keeps its files.
            nats.kill(0);
            nats.run(0);
        }
        // A copy that reads the whole stream.
        let log = nats.log(&nats.file(&format!("certify-{round}.db")), "lost");
        let present = log.epoch();
        assert_eq!(epoch.get_or_insert_with(|| present.clone()), &present, "nothing was restored");
        let found = certify(&log, &acknowledged);
        drop(log);
        if round % 3 == 0 {
            nats.kill(0);
            let _earlier = fs::remove_dir_all(&backup);
            copy_directory(&store, &backup);
            nats.run(0);
            heads = found;
        } else if round % 3 == 2 {
            nats.kill(0);
            fs::remove_dir_all(&store).unwrap();
            copy_directory(&backup, &store);
            nats.run(0);
            // The copy of the server has read more than the stream contains.
            let refused = shared(&nats).stderr(Stdio::piped()).output().unwrap();
            let reason = String::from_utf8_lossy(&refused.stderr);
            assert!(!refused.status.success() && reason.contains("restored backup"), "{reason}");
            // As a server with `--new-epoch` opens it.
            let (servers, cache) = (nats.addresses(), nats.file("cache.db"));
            let renewed = format!("restored-{round}");
            let log = NatsLog::open(&servers, &cache, &renewed, true, None).unwrap();
            assert_eq!(log.epoch(), renewed);
            assert_eq!(certify(&log, &Acknowledged::default()), heads);
            epoch = Some(renewed);
            tally.restores += 1;
        }
    }
    tally.print("jetstream");
}
