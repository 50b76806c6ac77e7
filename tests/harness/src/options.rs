//! The options of the server, from flags or from the environment. They are checked before anything else
//! happens.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Parser;
use tracing::level_filters::LevelFilter;

use crate::capacity;
use crate::log::place::LogPlace;
use crate::retention::Limits;
use crate::session::limits::Delivery;

/// The reference server of campaign-sync.
///
/// Every flag that shows a variable in its help can be set in the environment instead. Invalid options are
/// all reported at start-up, and the server exits.
#[derive(Clone, Debug, Parser)]
#[command(name = "campaign-sync-server", version)]
pub struct Options {
    /// The address to listen on; port 0 takes any free port, which is printed.
    #[arg(long, env = "CAMPAIGN_SYNC_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// The database file, if `--log` is not given.
    #[arg(long, env = "CAMPAIGN_SYNC_DB", default_value = "campaigns.db")]
    pub db: PathBuf,
    /// The place of the log: `sqlite:PATH`, or `nats://HOST:PORT[,HOST:PORT...]`, which several servers may
    /// share.
    #[arg(long, env = "CAMPAIGN_SYNC_LOG", value_name = "PLACE")]
    pub log: Option<LogPlace>,
    /// The file of this server's copy of a shared log; the server creates it again if it is missing.
    #[arg(long, env = "CAMPAIGN_SYNC_CACHE", default_value = "campaigns-cache.db")]
    pub cache: PathBuf,
    /// Give the log a new epoch, for example after restoring a backup.
    #[arg(long)]
    pub new_epoch: bool,
    /// Serve the page in this directory.
    #[arg(long = "static", env = "CAMPAIGN_SYNC_STATIC", value_name = "DIR")]
    pub page: Option<PathBuf>,
    /// The operator's secret. Without it and without users there is no authentication.
    #[arg(long, env = "CAMPAIGN_SYNC_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// A file of users, one `name:hash` per line, with hashes as `argon2 SALT -id -e` prints them.
    #[arg(long, env = "CAMPAIGN_SYNC_USERS", value_name = "FILE")]
    pub users: Option<PathBuf>,
    /// A file of keys, one `kid:key` per line, with keys as `openssl rand -base64 32` prints them. The first
    /// key seals what clients get; all keys open what was sealed before.
    #[arg(long, env = "CAMPAIGN_SYNC_ENCRYPT_KEYS", value_name = "FILE")]
    pub encrypt_keys: Option<PathBuf>,
    /// Origins of the pages, as browsers send them, such as `https://app.example`; required unless `--listen`
    /// is a loopback address. Their hosts are accepted, too. A server without authentication also accepts its
    /// own loopback hosts and port.
    #[arg(long, env = "CAMPAIGN_SYNC_ORIGINS", value_name = "ORIGIN", value_delimiter = ',')]
    pub origin: Vec<String>,
    /// Addresses of proxies. A request from such an address comes from the last address of its header
    /// `X-Forwarded-For`. The login limits count by this address.
    #[arg(
        long,
        env = "CAMPAIGN_SYNC_TRUSTED_PROXIES",
        value_name = "ADDRESS",
        value_delimiter = ','
    )]
    pub trusted_proxy: Vec<IpAddr>,
    /// Seconds until a session expires.
    #[arg(long, env = "CAMPAIGN_SYNC_SESSION_SECONDS", default_value_t = 8 * 3_600)]
    pub session_seconds: u64,
    /// REST requests per second and session, after a burst of ten seconds' worth.
    #[arg(long, env = "CAMPAIGN_SYNC_REQUESTS_PER_SECOND", default_value_t = 50)]
    pub requests_per_second: u32,
    /// Open sockets at a time.
    #[arg(long, env = "CAMPAIGN_SYNC_MAX_CONNECTIONS", default_value_t = 20_000)]
    pub max_connections: usize,
    /// Rows per second of a campaign that does not state a rate.
    #[arg(long, env = "CAMPAIGN_SYNC_RATE", default_value_t = 200)]
    pub rate: u64,
    /// Silence on a socket after which the server sends a pong, in milliseconds.
    #[arg(long, env = "CAMPAIGN_SYNC_HEARTBEAT_MS", default_value_t = 5_000)]
    pub heartbeat_ms: u64,
    /// The spread of reconnects after a drain, in milliseconds: each socket gets a different time to return
    /// within it.
    #[arg(long, env = "CAMPAIGN_SYNC_DRAIN_SPREAD_MS", default_value_t = 5_000)]
    pub drain_spread_ms: u64,
    /// Serve Prometheus metrics, health and readiness on this address; it must be a loopback address.
    #[arg(long, env = "CAMPAIGN_SYNC_METRICS", value_name = "ADDRESS")]
    pub metrics: Option<SocketAddr>,
    /// The log level: off, error, warn, info, debug or trace.
    #[arg(long, env = "CAMPAIGN_SYNC_LOG_LEVEL", default_value = "info")]
    pub log_level: LevelFilter,
    /// Run one campaign after the other through its phases.
    #[arg(long)]
    pub demo: bool,
    /// Delivery, and the limits of one client.
    #[command(flatten)]
    pub delivery: Delivery,
    /// The capacity of all clients together, and of one user.
    #[command(flatten)]
    pub capacity: capacity::Limits,
    /// The history that is kept.
    #[command(flatten)]
    pub history: Limits,
    /// Offer fault injection; refused unless `--listen` is a loopback address.
    #[arg(long)]
    pub faults: bool,
}

impl Options {
    /// The problems of the options, one line each; empty if the options are valid.
    pub fn problems(&self) -> Vec<String> {
        let delivery = &self.delivery;
        let mut problems = Vec::new();
        let mut within = |flag: &str, value: u64, (least, most): (u64, u64)| {
            if !(least..=most).contains(&value) {
                problems.push(format!("--{flag} must be {least} to {most}, not {value}"));
            }
        };
        within("rate", self.rate, (1, 1_000_000));
        within("heartbeat-ms", self.heartbeat_ms, (50, 10_000));
        within("drain-spread-ms", self.drain_spread_ms, (0, 300_000));
        within("max-retry-attempts", delivery.max_retry_attempts.into(), (0, 20));
        within("retry-backoff-ms", delivery.retry_backoff_ms, (1, 20_000));
        within("idle-timeout-ms", delivery.idle_timeout_ms, (3 * self.heartbeat_ms, 3_600_000));
        within("recoveries-per-second", delivery.recoveries_per_second.into(), (1, 10_000));
        within(
            "session-recoveries-per-second",
            delivery.session_recoveries_per_second.into(),
            (1, 1_000_000),
        );
        within("messages-per-second", delivery.messages_per_second.into(), (10, 1_000_000));
        within("max-subscriptions", delivery.max_subscriptions as u64, (1, 100_000));
        within("session-seconds", self.session_seconds, (1, 30 * 24 * 3_600));
        within("requests-per-second", self.requests_per_second.into(), (1, 1_000_000));
        within("max-connections", self.max_connections as u64, (1, 1_000_000));
        within(
            "max-connections-per-session",
            delivery.max_connections_per_session as u64,
            (1, 100_000),
        );
        for (flag, value, range) in self.capacity.ranges() {
            within(flag, value, range);
        }
        let public = !self.listen.ip().is_loopback();
        let open = self.token.is_none() && self.users.is_none();
        let remote_metrics = self.metrics.is_some_and(|address| !address.ip().is_loopback());
        problems.extend(applying([
            (public && open, "--users or --token is needed unless --listen is a loopback address"),
            (
                public && self.origin.is_empty(),
                "--origin is needed unless --listen is a loopback address",
            ),
            (self.token.as_deref() == Some(""), "--token must not be empty"),
            (public && self.faults, "--faults is refused unless --listen is a loopback address"),
            (self.faults && self.users.is_some(), "--faults is refused together with --users"),
            (remote_metrics, "--metrics must be a loopback address"),
        ]));
        for origin in &self.origin {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            let plain = |host: &&str| !host.is_empty() && !host.contains(['/', '@', '*', '?']);
            if host.filter(plain).is_none_or(|host| host.to_lowercase() != host) {
                let message = "is not an origin, scheme://host or scheme://host:port";
                problems.push(format!("--origin {origin} {message}"));
            }
        }
        if let Some(page) = self.page.as_ref().filter(|page| !page.join("index.html").is_file()) {
            problems.push(format!("--static {} has no index.html", page.display()));
        }
        let (flag, file) = match &self.log {
            None => ("--db ", &self.db),
            Some(LogPlace::Sqlite(file)) => ("--log sqlite:", file),
            Some(LogPlace::Nats(_)) => ("--cache ", &self.cache),
        };
        let directory = file.parent().filter(|it| !it.as_os_str().is_empty());
        if directory.is_some_and(|directory| !directory.is_dir()) {
            problems.push(format!("{flag}{}: there is no such directory", file.display()));
        }
        problems
    }
}

/// The messages of the problems that apply.
fn applying<const N: usize>(problems: [(bool, &str); N]) -> impl Iterator<Item = String> {
    let applying = problems.into_iter().filter(|(applies, _)| *applies);
    applying.map(|(_, complaint)| complaint.to_owned())
}
