//! The measured servers: the reference server and its peers.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::http::Http;
use crate::plan::Plan;
use crate::process::Process;

/// The approximate size in bytes to which events are padded, with domain names of the greatest length.
pub(crate) const EVENT_BYTES: usize = 650;

/// The reference server over a new database.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    pub(crate) http: Http,
    directory: PathBuf,
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Server {
    /// Starts the server with these flags in addition to the usual ones.
    pub(crate) async fn start(plan: &Plan, name: &str, flags: &[&str]) -> Result<Self> {
        Self::start_in(plan.work.join(name), plan.server.clone(), flags).await
    }

    /// Starts that program in `directory`, which is created if it does not exist.
    pub(crate) async fn start_in(
        directory: PathBuf,
        program: PathBuf,
        flags: &[&str],
    ) -> Result<Self> {
        fs::create_dir_all(&directory).with_context(|| format!("{}", directory.display()))?;
        let usual = ["--db", "campaigns.db", "--requests-per-second", "1000000"];
        let arguments: Vec<OsString> =
            usual.iter().chain(flags).map(|flag| OsString::from(*flag)).collect();
        let (process, address) = listening(&directory, &program, &arguments, "127.0.0.1:0").await?;
        let http = Http::connect(address).await?;
        Ok(Self { process, address, http, directory, program, arguments })
    }

    /// Kills the server as a crash would, and restarts it over its database at the same address.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        let address = self.address.to_string();
        self.process.kill().await?;
        let started = listening(&self.directory, &self.program, &self.arguments, &address).await?;
        (self.process, self.address) = started;
        self.http = Http::connect(self.address).await?;
        Ok(())
    }

    /// Creates a campaign that generates domains, each in a separate event.
    pub(crate) async fn create(&mut self, id: &str, count: u64, rate: u64) -> Result<()> {
        let pattern = format!("{{word}}-{{n}}-{}.example", "x".repeat(100));
        let new = json!({
            "campaignId": id, "name": id, "count": count, "rate": rate, "batch": 1,
            "pattern": pattern, "seed": 1,
        });
        self.http.ask("POST", "/campaigns", Some(new)).await.map(drop)
    }

    /// Starts its first phase.
    pub(crate) async fn begin(&mut self, id: &str) -> Result<()> {
        self.act(id, "start").await
    }

    /// Requests an action by the last segment of its route.
    pub(crate) async fn act(&mut self, id: &str, action: &str) -> Result<()> {
        let path = format!("/campaigns/{id}/{action}");
        self.http.ask("POST", &path, Some(json!({}))).await.map(drop)
    }

    /// Waits for the end of the phase. Returns the number of the last event.
    pub(crate) async fn completed(&mut self, id: &str) -> Result<u64> {
        loop {
            let campaign = self.http.ask("GET", &format!("/campaigns/{id}"), None).await?;
            if campaign["phaseStatus"] == "completed" {
                return head(&campaign);
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Kills the server, and removes its directory.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.process.kill().await?;
        let _another_time = fs::remove_dir_all(&self.directory);
        Ok(())
    }
}

fn head(campaign: &Value) -> Result<u64> {
    let position = campaign["position"].as_str().context("an answer without a position")?;
    let number = position.rsplit_once('/').context("a position without a number")?.1;
    Ok(number.parse()?)
}

async fn listening(
    directory: &std::path::Path,
    program: &std::path::Path,
    arguments: &[OsString],
    listen: &str,
) -> Result<(Process, SocketAddr)> {
    let mut all = vec!["--listen".into(), listen.into()];
    all.extend_from_slice(arguments);
    let mut process = Process::start(directory, program, &all)?;
    let line = process.line().await?;
    let address = line.rsplit_once("://").context("no address")?.1.parse()?;
    Ok((process, address))
}

/// A Node server that publishes the requested events to every client.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

impl Peer {
    /// Starts the script of that name.
    pub(crate) async fn start(plan: &Plan, script: &str, flags: &[&str]) -> Result<Self> {
        let work = plan.work.join(script);
        fs::create_dir_all(&work).with_context(|| format!("{}", work.display()))?;
        let mut arguments = vec![plan.peers.join(script).into_os_string()];
        arguments.extend(flags.iter().map(OsString::from));
        let mut process = Process::start(&work, "node".as_ref(), &arguments)?;
        let port = process.line().await?;
        let port: u16 = port.strip_prefix("listening ").context("no port")?.parse()?;
        Ok(Self { process, address: SocketAddr::from(([127, 0, 0, 1], port)) })
    }

    /// Makes the peer publish `count` events, `per_tick` every 50 ms, or as fast as it can if `per_tick` is
    /// 0.
    pub(crate) async fn publish(&mut self, count: u64, per_tick: u64) -> Result<()> {
        self.process.send_line(&format!("publish {count} {per_tick} {EVENT_BYTES}")).await
    }
}
