//! Starting and stopping a server.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Parser;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::App;
use crate::campaign::{demo, runner};
use crate::clock::Clock;
use crate::hub::Hub;
use crate::log::sqlite::SqliteLog;
use crate::retention::{self, Limits};
use crate::session::Context;
use crate::snapshots::Snapshots;
use crate::{journal, rest};

/// How long connections may take to end when the server goes away.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// The reference server of campaign-sync.
#[derive(Clone, Debug, Parser)]
#[command(name = "campaign-sync-server", version)]
pub struct Options {
    /// Where to listen; port 0 takes any free one, which is printed.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// The database file.
    #[arg(long, default_value = "campaigns.db")]
    pub db: PathBuf,
    /// Give the log a new identity, as after restoring a backup.
    #[arg(long)]
    pub new_epoch: bool,
    /// Serve the page in this directory.
    #[arg(long = "static", value_name = "DIR")]
    pub page: Option<PathBuf>,
    /// The secret that every client must know.
    #[arg(long)]
    pub token: Option<String>,
    /// Rows per second of campaigns that do not say.
    #[arg(long, default_value_t = 200)]
    pub rate: u64,
    /// Silence after which a socket is sent a pong, in milliseconds.
    #[arg(long, default_value_t = 5_000)]
    pub heartbeat_ms: u64,
    /// Drive one campaign after the other through its phases.
    #[arg(long)]
    pub demo: bool,
    /// How much history is kept.
    #[command(flatten)]
    pub history: Limits,
    /// Offer fault injection; refused unless listening on loopback.
    #[arg(long)]
    pub faults: bool,
}

/// Runs a server until `stop` is done; `ready` hears the address it listens on.
///
/// # Errors
/// What the medium or the network fails with; [`io::ErrorKind::PermissionDenied`] for faults beyond
/// loopback.
pub async fn run(
    options: Options,
    ready: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    if options.faults && !options.listen.ip().is_loopback() {
        let message = "--faults is refused unless listening on a loopback address";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    let new_epoch = format!("{:032x}", rand::random::<u128>());
    let log = SqliteLog::open(&options.db, &new_epoch, options.new_epoch);
    let hub = Arc::new(Hub::new(Arc::new(log.map_err(io::Error::other)?)));
    let listener = TcpListener::bind(options.listen).await?;
    let address = listener.local_addr()?;
    let clock = Clock::start();
    let kick = runner::spawn(hub.clone(), clock);
    retention::spawn(&hub, clock, options.history);
    if options.demo {
        demo::spawn(hub.clone(), clock, kick.clone(), options.rate);
    }
    let app = Arc::new(App {
        context: Arc::new(Context {
            hub: hub.clone(),
            snapshots: Snapshots::default(),
            token: options.token,
            heartbeat_ms: options.heartbeat_ms,
            one_event_per_frame: AtomicBool::new(false),
        }),
        clock,
        kick,
        faults: options.faults.then(Arc::default),
        rate: options.rate,
        draining: watch::Sender::new(false),
    });
    let router = rest::router(app.clone(), options.page.as_deref());
    let fields = json!({"address": address.to_string(), "epoch": hub.epoch()});
    journal::line("listening", &fields);
    ready(address);
    let (stopped, mut stopping) = watch::channel(false);
    let leaving = app.clone();
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
        stop.await;
        journal::line("draining", &json!({}));
        leaving.draining.send_replace(true);
        stopped.send_replace(true);
    });
    tokio::select! {
        // Sockets live on after their upgrade: they are gone when nobody listens any more.
        served = async {
            let served = serving.await;
            app.draining.closed().await;
            served
        } => served,
        () = async {
            drop(stopping.wait_for(|stopped| *stopped).await);
            tokio::time::sleep(DRAIN_LIMIT).await;
        } => Ok(()),
    }
}

/// A server on a free port of loopback, for tests in the same process.
#[must_use]
pub fn options(db: PathBuf) -> Options {
    Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        db,
        new_epoch: false,
        page: None,
        token: None,
        rate: 200,
        heartbeat_ms: 5_000,
        demo: false,
        history: Limits::NONE,
        faults: false,
    }
}
