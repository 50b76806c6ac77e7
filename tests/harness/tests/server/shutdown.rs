//! Signals, and outputs that nobody reads: the server always ends, and says so to its clients first.

use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::{JoinSet, spawn_blocking};

use super::nats::Nats;
use super::process::{Process, program};
use super::support::{Client, Server, answer};

/// An end that takes longer than this has failed. The server promises five seconds on an idle machine.
const END_TIMEOUT: Duration = Duration::from_secs(20);

/// The bytes that a pipe holds, with a margin.
const PIPE_BYTES: usize = 1024 * 1024;

pub(crate) fn send(signal: &str, child: &Child) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
}

/// Waits for the end of the process.
async fn ended(child: &mut Child) -> ExitStatus {
    let until = Instant::now() + END_TIMEOUT;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < until, "the server never ends");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A server on a free port, with these arguments.
fn server(db: &Path) -> Command {
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0", "--drain-spread-ms", "0", "--db"]).arg(db);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn every_signal_that_ends_a_program_drains_the_server() {
    for signal in ["TERM", "INT", "QUIT", "HUP"] {
        let directory = tempfile::tempdir().unwrap();
        let db = directory.path().join("campaigns.db");
        let mut process = Process::spawn(&mut server(&db));
        process.post("/campaigns", json!({"campaignId": "c1", "name": "one", "count": 1})).await;
        let mut client = Client::connect(&process.address).await;
        send(signal, &process.child);
        client.control("server_draining").await;
        assert_eq!(client.closed().await, Some(1012), "{signal}");
        assert!(ended(&mut process.child).await.success(), "{signal}");
        assert!(!directory.path().join("campaigns.db-wal").exists(), "{signal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hangup_that_the_parent_ignores_stays_ignored() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new("nohup");
    command.arg(env!("CARGO_BIN_EXE_campaign-sync-server")).stderr(Stdio::null());
    command.args(["--listen", "127.0.0.1:0", "--db"]).arg(directory.path().join("campaigns.db"));
    let mut process = Process::spawn(&mut command);
    send("HUP", &process.child);
    process.post("/campaigns", json!({"campaignId": "c1", "name": "one", "count": 1})).await;
    send("TERM", &process.child);
    assert!(ended(&mut process.child).await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn log_that_nobody_reads_stops_nothing_and_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = server(&directory.path().join("campaigns.db"));
    command.args(["--log-level", "trace", "--requests-per-second", "1000000"]);
    command.args(["--metrics", "127.0.0.1:0"]).stderr(Stdio::piped());
    let mut process = Process::spawn(&mut command);
    let dropped = "campaign_sync_log_lines_dropped_total";
    let mut log = process.child.stderr.take().unwrap();
    let metrics = format!("http://{}/metrics", listening(&mut log)["metrics"].as_str().unwrap());
    // More lines than the pipe and the queue hold.
    let flood = async {
        while metric(&metrics, dropped).await == 0 {
            let mut requests = JoinSet::new();
            for _ in 0..64 {
                let url = format!("http://{}/api/v2/campaigns", process.address);
                requests.spawn(async move {
                    let body = json!({"name": "one", "count": 1}).to_string();
                    assert_eq!(
                        answer(reqwest::Client::new().post(url).body(body)).await.status,
                        201
                    );
                });
            }
            requests.join_all().await;
        }
    };
    tokio::time::timeout(6 * END_TIMEOUT, flood).await.expect("no line is ever dropped");
    let url = format!("http://{}/readyz", process.address);
    assert_eq!(answer(reqwest::Client::new().get(url)).await.status, 200);
    let mut client = Client::connect(&process.address).await;
    send("TERM", &process.child);
    assert_eq!(client.closed().await, Some(1012));
    assert!(ended(&mut process.child).await.success());
    let mut written = Vec::new();
    log.read_to_end(&mut written).unwrap();
    assert!(written.len() < PIPE_BYTES, "nothing blocked: {} bytes", written.len());
}

/// The log line `listening`. Reads nothing after it.
fn listening(log: &mut ChildStderr) -> Value {
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let mut byte = [0];
            log.read_exact(&mut byte).unwrap();
            line.extend(byte);
        }
        let line: Value = serde_json::from_slice(&line).unwrap();
        if line["event"] == "listening" {
            return line;
        }
    }
}

async fn metric(url: &str, name: &str) -> u64 {
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("there is no {name}")).trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_outputs_do_not_end_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let db = directory.path().join("campaigns.db");
    let mut command = Command::new(env!("CARGO_BIN_EXE_campaign-sync-server"));
    command.args(["--listen", "127.0.0.1:0", "--log-level", "trace", "--db"]).arg(&db);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The address is printed to a closed pipe. It is also in the log, which is closed after that.
    drop(child.stdout.take());
    let mut log = child.stderr.take().unwrap();
    let address = listening(&mut log)["address"].as_str().unwrap().to_owned();
    drop(log);
    let mut process = Process { child, address };
    process.post("/campaigns", json!({"campaignId": "c1", "name": "one", "count": 1})).await;
    send("TERM", &process.child);
    assert!(ended(&mut process.child).await.success());
}

#[tokio::test]
async fn error_at_the_start_needs_no_reader() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_campaign-sync-server"));
    command.args(["--listen", "127.0.0.1:0", "--rate", "0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    let status = ended(&mut child).await;
    assert_eq!((status.code(), status.signal()), (Some(1), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn server_ends_in_time_while_its_cluster_is_away() {
    let mut nats = spawn_blocking(Nats::start).await.unwrap();
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0", "--log", &nats.place(), "--cache"]);
    let mut process = Process::spawn(command.arg(nats.file("1.db")));
    process.post("/campaigns", json!({"campaignId": "c1", "name": "one", "count": 1})).await;
    nats.kill(0);
    let writes = waiting_writes(&process.address, 20);
    let mut client = Client::connect(&process.address).await;
    send("TERM", &process.child);
    assert_eq!(client.closed().await, Some(1012));
    // Each write alone would wait for half a minute.
    assert!(ended(&mut process.child).await.success());
    drop(writes);
}

/// Requests that change the campaign, and wait for the storage.
fn waiting_writes(address: &str, count: usize) -> JoinSet<(u16, Option<String>)> {
    let url = format!("http://{address}/api/v2/campaigns/c1/start");
    let mut writes = JoinSet::new();
    for _ in 0..count {
        let request = reqwest::Client::new().post(&url);
        writes.spawn(async move {
            let Ok(response) = request.send().await else { return (0, None) };
            let after = response.headers().get("retry-after");
            let after = after.map(|after| after.to_str().unwrap().to_owned());
            (response.status().as_u16(), after)
        });
    }
    writes
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_wait_for_the_cluster_hold_up_no_read() {
    let mut nats = spawn_blocking(Nats::start).await.unwrap();
    let mut command = program();
    command.args(["--listen", "127.0.0.1:0", "--log", &nats.place(), "--cache"]);
    let process = Process::spawn(command.arg(nats.file("1.db")));
    process.post("/campaigns", json!({"campaignId": "c1", "name": "one", "count": 1})).await;
    nats.kill(0);
    // More than the server has threads for all that blocks.
    let (count, most) = (560, 128);
    let mut writes = waiting_writes(&process.address, count);
    for _ in 0..count - most {
        let (status, after) = writes.join_next().await.unwrap().unwrap();
        assert_eq!((status, after.as_deref()), (503, Some("2")));
    }
    assert!(writes.try_join_next().is_none(), "the others wait");
    // Invented campaigns, about which only the cluster knows.
    let url = |path: &str| format!("http://{}{path}", process.address);
    let mut lookups = JoinSet::new();
    for number in 0..200 {
        let url = url(&format!("/api/v2/campaigns/invented-{number}"));
        lookups.spawn(async move { answer(reqwest::Client::new().get(url)).await.status });
    }
    let read = reqwest::get(url("/api/v2/campaigns/c1/domains")).await.unwrap();
    assert_eq!(read.status().as_u16(), 200);
    let (status, reason) = probe(&process.address).await;
    assert_eq!(status, 503);
    assert!(reason.contains("no connection to the cluster"), "{reason}");
    assert!(writes.try_join_next().is_none(), "they still wait");
    let statuses = lookups.join_all().await;
    assert!(statuses.iter().all(|status| [500, 503].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&503), "{statuses:?}");
}

/// The status and the text of `/readyz`.
async fn probe(address: &str) -> (u16, String) {
    let url = format!("http://{address}/readyz");
    let response = reqwest::get(url).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_that_come_together_share_one_check() {
    let mut nats = spawn_blocking(Nats::start).await.unwrap();
    let place = nats.place();
    let server = Server::with(|options| options.log = Some(place.parse().unwrap())).await;
    nats.kill(0);
    let mut probes = JoinSet::new();
    for _ in 0..600 {
        let url = format!("http://{}/readyz", server.address);
        probes.spawn(async move { reqwest::get(url).await.unwrap().status().as_u16() });
    }
    assert_eq!(server.get("/campaigns").await.status, 200);
    assert!(probes.join_all().await.iter().all(|status| *status == 503));
    nats.run(0);
    let ready = async {
        while probe(&server.address).await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(2 * END_TIMEOUT, ready).await.expect("it recovers by itself");
}
