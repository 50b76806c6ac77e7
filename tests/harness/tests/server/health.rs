//! `/readyz` says what is wrong with the disk and with the database file, and recovers by itself.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use campaign_sync_harness::delegate_event_log;
use campaign_sync_harness::hub::Hub;
use campaign_sync_harness::log::{EventLog, LogError};
use campaign_sync_harness::readiness::Readiness;
use campaign_sync_support::MemoryLog;
use serde_json::json;
use tokio::task::JoinSet;

use super::process::Process;
use super::support::{Server, answer};

/// A wait that takes longer than this has failed.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// Waits for a status of `/readyz`, and returns its message.
async fn readiness(address: &str, expected: u16) -> String {
    let url = format!("http://{address}/readyz");
    let reached = async {
        loop {
            let answer = answer(reqwest::Client::new().get(&url)).await;
            if answer.status == expected {
                let message = answer.body["error"]["message"].as_str();
                return message.unwrap_or_default().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(WAIT_TIMEOUT, reached).await.expect("the status never changes")
}

async fn creates(address: &str, id: &str) -> u16 {
    let url = format!("http://{address}/api/v2/campaigns");
    let body = json!({"campaignId": id, "name": id, "count": 1}).to_string();
    answer(reqwest::Client::new().post(url).body(body)).await.status
}

async fn reads(address: &str, id: &str) -> u16 {
    answer(reqwest::Client::new().get(format!("http://{address}/api/v2/campaigns/{id}")))
        .await
        .status
}

fn moved(db: &Path) -> PathBuf {
    db.with_extension("moved")
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_database_file_refuses_writes_until_it_is_back() {
    let server = Server::start().await;
    assert_eq!(creates(&server.address, "c1").await, 201);
    readiness(&server.address, 200).await;
    // Deleted, or moved: both leave no file at the path.
    fs::rename(&server.db, moved(&server.db)).unwrap();
    let reason = readiness(&server.address, 503).await;
    assert!(reason.contains("campaigns.db was deleted or moved"), "{reason}");
    assert_eq!(creates(&server.address, "c2").await, 503, "it would be lost");
    fs::rename(moved(&server.db), &server.db).unwrap();
    readiness(&server.address, 200).await;
    assert_eq!(creates(&server.address, "c2").await, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_database_file_is_reported_until_the_restart() {
    let mut server = Server::start().await;
    assert_eq!(creates(&server.address, "c1").await, 201);
    server.stop().await;
    let backup = moved(&server.db);
    fs::copy(&server.db, &backup).unwrap();
    server.restart(|_| {}).await;
    assert_eq!(creates(&server.address, "c2").await, 201);
    fs::rename(&backup, &server.db).unwrap();
    let reason = readiness(&server.address, 503).await;
    assert!(reason.contains("was replaced"), "{reason}");
    assert_eq!(creates(&server.address, "c3").await, 503);
    server.stop().await;
    server.restart(|_| {}).await;
    readiness(&server.address, 200).await;
    assert_eq!(
        [reads(&server.address, "c1").await, reads(&server.address, "c2").await],
        [200, 404]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_database_file_is_reported_until_it_is_repaired() {
    let mut server = Server::start().await;
    server.generated("c1", 2_000).await;
    server.stop().await;
    server.restart(|_| {}).await;
    // The header, the inner pages, the end: all of the file, or half of it.
    let whole = fs::read(&server.db).unwrap();
    let file = fs::File::options().write(true).open(&server.db).unwrap();
    for from in [0, 4_096, 100] {
        file.write_all_at(&vec![0xa5; whole.len() - from], from as u64).unwrap();
        let reason = readiness(&server.address, 503).await;
        assert!(reason.contains("campaigns.db"), "{reason}");
        file.write_all_at(&whole, 0).unwrap();
        readiness(&server.address, 200).await;
    }
    file.set_len(0).unwrap();
    let reason = readiness(&server.address, 503).await;
    assert!(reason.contains("campaigns.db"), "{reason}");
    file.write_all_at(&whole, 0).unwrap();
    readiness(&server.address, 200).await;
    assert_eq!(creates(&server.address, "c2").await, 201);
    assert_eq!(reads(&server.address, "c1").await, 200);
}

/// A server whose database is on a file system of 2 MiB, in a separate mount namespace.
fn on_small_disk(directory: &Path) -> Process {
    let script = "mount -t tmpfs -o size=2m small \"$1\" && exec \"$2\" --listen 127.0.0.1:0 \
                  --db \"$1/campaigns.db\" --rate 1";
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    command.arg(directory).arg(env!("CARGO_BIN_EXE_campaign-sync-server"));
    Process::spawn(command.stderr(Stdio::null()))
}

#[tokio::test(flavor = "multi_thread")]
async fn full_disk_is_reported_until_there_is_space() {
    let directory = tempfile::tempdir().unwrap();
    let process = on_small_disk(directory.path());
    readiness(&process.address, 200).await;
    assert_eq!(creates(&process.address, "c1").await, 201);
    // The server's own view of the file system.
    let root = format!("/proc/{}/root{}", process.child.id(), directory.path().display());
    let filler = Path::new(&root).join("filler");
    let full = fs::write(&filler, vec![0; 4 << 20]).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    let reason = readiness(&process.address, 503).await;
    assert!(reason.contains("full"), "{reason}");
    assert_eq!(reads(&process.address, "c1").await, 200);
    fs::remove_file(&filler).unwrap();
    readiness(&process.address, 200).await;
    assert_eq!(creates(&process.address, "c2").await, 201);
}

/// A log whose check waits as long as this lock is held.
#[derive(Debug)]
struct SlowLog {
    inner: MemoryLog,
    checks: AtomicUsize,
    gate: Mutex<()>,
}

impl SlowLog {
    fn inner(&self) -> &MemoryLog {
        &self.inner
    }
}

impl EventLog for SlowLog {
    delegate_event_log!(
        inner: epoch, secret, campaigns, list, head, append, read, bytes_after, view, recount, buckets,
        transactions, record_refusal, audit_entry, truncate, diverge
    );

    fn check(&self) -> Result<(), LogError> {
        self.checks.fetch_add(1, Ordering::SeqCst);
        drop(self.gate.lock().unwrap());
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_that_hangs_occupies_one_thread_for_all_probes() {
    let inner = MemoryLog::new("epoch-1");
    let log = Arc::new(SlowLog { inner, checks: AtomicUsize::new(0), gate: Mutex::default() });
    let hub = Arc::new(Hub::new(log.clone()));
    let readiness = Arc::new(Readiness::default());
    let probe = || {
        let (readiness, hub) = (readiness.clone(), hub.clone());
        async move { readiness.check(&hub).await }
    };
    let (hang, released) = std::sync::mpsc::channel::<()>();
    let (hung, hangs) = std::sync::mpsc::channel();
    let holder = {
        let log = log.clone();
        std::thread::spawn(move || {
            let _gate = log.gate.lock().unwrap();
            hung.send(()).unwrap();
            let _sender_dropped = released.recv();
        })
    };
    hangs.recv().unwrap();
    // Three rounds, each later than the time for which a result is kept.
    for _ in 0..3 {
        let probes: JoinSet<_> = (0..100).map(|_| probe()).collect();
        let results = probes.join_all().await;
        assert!(results.iter().all(|it| it == &Err("the log does not answer".to_owned())));
        tokio::time::sleep(Duration::from_millis(1_200)).await;
    }
    assert_eq!(log.checks.load(Ordering::SeqCst), 1);
    drop(hang);
    holder.join().unwrap();
    let recovered = async {
        while probe().await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(WAIT_TIMEOUT, recovered).await.expect("it recovers by itself");
    assert_eq!(log.checks.load(Ordering::SeqCst), 2);
}
