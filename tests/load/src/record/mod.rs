//! `campaign-sync-load record`: records sessions of the real client with a running reference server,
//! frame by frame, for the tests that replay them. `cargo xtask record` builds both and starts it.
//!
//! Beside each recording is an expectation: the state in the server's REST snapshot at the end, so that a
//! test compares the client with the server. Seeds are fixed: rows, outcomes and the requests of the client
//! are the same in every run. The epoch, times, and the hashes over them differ.

pub(crate) mod recording;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use campaign_sync::protocol::CampaignId;
use pico_args::Arguments;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::client::{Client, Line};
use crate::scenarios::anycable::until;
use crate::server::Server;

/// The seed of the client's machine. A test that replays a recording seeds its machine with the same.
const MACHINE_SEED: u64 = 1;

/// The seed of the campaigns' rows and outcomes.
const CAMPAIGN_SEED: u64 = 1;

/// Rows per second: a phase takes a second or two.
const RATE: u64 = 200;

/// Results that a client misses before its network is back.
const MISSED_RESULTS: u64 = 60;

/// The timeout of a session.
const SESSION_TIMEOUT: Duration = Duration::from_secs(60);

const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The options of a recording run.
#[derive(Debug)]
pub(crate) struct Options {
    /// The server's program.
    server: PathBuf,
    /// The directory of the recordings.
    into: PathBuf,
}

impl Options {
    /// Reads the arguments.
    pub(crate) fn parse(mut from: Arguments) -> Result<Self> {
        let path = |text: &str| std::path::absolute(text);
        let options = Self {
            server: from.value_from_fn("--server", path)?,
            into: from.value_from_fn("--into", path)?,
        };
        let rest = from.finish();
        ensure!(rest.is_empty(), "unexpected arguments: {rest:?}");
        Ok(options)
    }
}

/// Records both sessions, each with a separate server.
pub(crate) async fn run(options: &Options) -> Result<()> {
    ensure!(options.into.is_dir(), "{} is not a directory", options.into.display());
    let work = std::env::temp_dir().join(format!("campaign-sync-record-{}", std::process::id()));
    let recorded = record_all(options, &work).await;
    let _not_made_yet = fs::remove_dir_all(&work);
    recorded
}

async fn record_all(options: &Options, work: &Path) -> Result<()> {
    let session = Session::start(options, work, "generation-to-http", (250, 5)).await?;
    generation_to_http(session).await?.write(options)?;
    let session =
        Session::start(options, work, "disconnect-during-dns-transition", (240, 1)).await?;
    disconnect_during_dns_transition(session).await?.write(options)
}

/// A client that follows a campaign from its creation through three phases.
async fn generation_to_http(mut session: Session) -> Result<Recorded> {
    session.perform(&["start"]).await?;
    session.completed().await?;
    session.perform(&["configure-dns", "validate-dns"]).await?;
    session.completed().await?;
    session.perform(&["configure-http", "validate-http"]).await?;
    session.finish().await
}

/// A client whose network fails when generation is complete, and returns in the middle of DNS validation.
async fn disconnect_during_dns_transition(mut session: Session) -> Result<Recorded> {
    session.perform(&["start"]).await?;
    let head = session.completed().await?;
    session.until_live_at(head).await?;
    session.line.stall();
    session.perform(&["configure-dns", "validate-dns"]).await?;
    session.processed(MISSED_RESULTS).await?;
    session.line.mend();
    session.finish().await
}

/// A server, its one campaign, and the client that is recorded.
struct Session {
    name: &'static str,
    server: Server,
    campaign: CampaignId,
    line: Rc<Line>,
}

impl Session {
    /// Starts the server, creates a campaign of `count` rows with `batch` rows per event, and waits until
    /// the client follows it.
    async fn start(
        options: &Options,
        work: &Path,
        name: &'static str,
        (count, batch): (u64, u64),
    ) -> Result<Self> {
        let mut server = Server::start_in(work.join(name), options.server.clone(), &[]).await?;
        let campaign = CampaignId::new("recorded").ok().context("a valid id")?;
        let new = json!({
            "campaignId": campaign.as_str(), "name": "Recorded", "count": count, "rate": RATE,
            "batch": batch, "seed": CAMPAIGN_SEED,
        });
        server.http.ask("POST", "/campaigns", Some(new)).await?;
        let line = Rc::new(Line::recorded());
        Client::spawn(MACHINE_SEED, server.address, &campaign, line.clone());
        let session = Self { name, server, campaign, line };
        session.until_live_at(1).await?;
        Ok(session)
    }

    /// Requests these actions from the server, one after the other.
    async fn perform(&mut self, actions: &[&str]) -> Result<()> {
        for action in actions {
            self.server.act(self.campaign.as_str(), action).await?;
        }
        Ok(())
    }

    /// Waits for the end of the phase. Returns the head.
    async fn completed(&mut self) -> Result<u64> {
        self.server.completed(self.campaign.as_str()).await
    }

    /// Waits until that many rows of the phase have an outcome.
    async fn processed(&mut self, rows: u64) -> Result<()> {
        loop {
            let campaign = self.get("").await?;
            if campaign["processedItems"].as_u64() >= Some(rows) {
                return Ok(());
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    async fn get(&mut self, below: &str) -> Result<Value> {
        let path = format!("/campaigns/{}{below}", self.campaign);
        self.server.http.ask("GET", &path, None).await
    }

    async fn until_live_at(&self, head: u64) -> Result<()> {
        let lines = std::slice::from_ref(&self.line);
        until(lines, |seen| seen.is_live && seen.position == head).await
    }

    /// Waits until the client has the whole campaign, and a heartbeat has proven it.
    async fn finish(mut self) -> Result<Recorded> {
        let head = self.completed().await?;
        let deadline = Instant::now() + SESSION_TIMEOUT;
        let is_proven = || {
            let recording = self.line.recording();
            recording.is_some_and(|it| it.ends_with_head(&self.campaign, head))
        };
        while !is_proven() {
            ensure!(Instant::now() < deadline, "{}: no heartbeat proves {head}", self.name);
            sleep(POLL_INTERVAL).await;
        }
        self.until_live_at(head).await?;
        let expected = expectation(&self.get("/snapshot").await?)?;
        let recording = self.line.recording().context("the line records")?.to_json_lines();
        self.server.stop().await?;
        Ok(Recorded { name: self.name, recording, expected })
    }
}

/// A recorded session, ready to be written.
struct Recorded {
    name: &'static str,
    recording: String,
    expected: Value,
}

impl Recorded {
    fn write(&self, options: &Options) -> Result<()> {
        let mut expected = serde_json::to_string_pretty(&self.expected)?;
        expected.push('\n');
        for (ending, text) in [("jsonl", &self.recording), ("expected.json", &expected)] {
            let file = options.into.join(format!("{}.{ending}", self.name));
            fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
            println!("{} {} bytes", file.display(), text.len());
        }
        Ok(())
    }
}

/// The state that a client must have at the end, from the server's REST snapshot.
fn expectation(snapshot: &Value) -> Result<Value> {
    let rows = snapshot["domains"].as_array().context("a snapshot without rows")?;
    let count = |column: &str| {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for status in rows.iter().filter_map(|row| row[column].as_str()) {
            *counts.entry(status).or_default() += 1;
        }
        counts
    };
    Ok(json!({
        "campaignId": snapshot["campaignId"],
        "machineSeed": MACHINE_SEED,
        "position": {
            "epoch": snapshot["epoch"],
            "sequenceNumber": snapshot["sequenceNumber"],
            "eventId": snapshot["eventId"],
        },
        "currentPhase": snapshot["campaign"]["currentPhase"],
        "phaseStatus": snapshot["campaign"]["phaseStatus"],
        "domainsCount": snapshot["domainsCount"],
        "domainsDigest": snapshot["domainsDigest"],
        "counts": {"dns": count("dnsStatus"), "http": count("httpStatus")},
    }))
}
