//! The memory that stalled readers cost the server.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::delivery::{MANY, lazy};
use super::process::{Process, program};
use super::support::answer;

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
