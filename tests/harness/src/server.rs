//! Starting and stopping a server.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;

use crate::accept::Timeouts;
use crate::access::{self, Access};
use crate::app::App;
use crate::campaign::{demo, runner};
use crate::clock::Clock;
use crate::hub::Hub;
use crate::keys::{self, Keyring};
use crate::log::place::LogPlace;
use crate::options::Options;
use crate::readiness::Readiness;
use crate::rest::origin::OriginPolicy;
use crate::session::Context;
use crate::sessions::Sessions;
use crate::snapshots::Snapshots;
use crate::{accept, rest, retention};

/// The longest time that connections may take to end while the server drains. With the time for closing the
/// log, the process ends within five seconds.
const DRAIN_LIMIT: Duration = Duration::from_millis(3_500);

/// The longest wait until the log is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(750);

/// The most requests that change campaigns at one time. Each occupies one of 512 blocking threads, which reads
/// need, too, until a disk or a cluster has answered.
const WRITES_MAX: usize = 128;

/// Connections to the port of the metrics.
const METRICS_CONNECTIONS_MAX: usize = 64;

/// The addresses of a running server.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    /// The address for clients.
    pub address: SocketAddr,
    /// The address of the metrics, if they are served.
    pub metrics: Option<SocketAddr>,
}

/// Runs a server until `stop` completes. Calls `ready` with its addresses when it listens.
///
/// # Errors
/// Errors of the storage or of the network; [`io::ErrorKind::InvalidInput`] with all problems if options are
/// invalid.
pub async fn run(
    options: Options,
    ready: impl FnOnce(Ready),
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let problems = options.problems();
    if !problems.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, problems.join("\n")));
    }
    let invalid = |complaint| io::Error::new(io::ErrorKind::InvalidInput, complaint);
    let users = options.users.as_deref().map(access::users::read).transpose().map_err(invalid)?;
    let open = options.token.is_none() && users.is_none();
    let keys = options.encrypt_keys.as_deref().map(Keyring::read).transpose().map_err(invalid)?;
    let new_epoch = keys::new_epoch(keys.as_ref());
    let place = options.log.unwrap_or_else(|| LogPlace::Sqlite(options.db.clone()));
    let access = Access::with(options.token, users, options.session_seconds);
    let access = access.within(options.capacity);
    let access = if matches!(place, LogPlace::Nats(_)) { access.shared() } else { access };
    let log = place.open(&options.cache, &new_epoch, options.new_epoch, keys.map(Arc::new));
    let hub = Arc::new(Hub::new(log.map_err(io::Error::other)?).within(&options.capacity));
    hub.attach();
    let listener = TcpListener::bind(options.listen).await?;
    let address = listener.local_addr()?;
    let clock = Clock::start();
    let runner = runner::spawn(hub.clone(), clock);
    if options.demo {
        demo::spawn(hub.clone(), clock, runner.clone(), options.rate);
    }
    let context = Arc::new(Context {
        hub: hub.clone(),
        snapshots: Snapshots::within(options.capacity),
        access,
        heartbeat_ms: options.heartbeat_ms,
        delivery: options.delivery,
        drain_spread_ms: options.drain_spread_ms,
        one_event_per_frame: AtomicBool::new(false),
    });
    retention::spawn(&context, clock, options.history);
    let sessions = Sessions::open(context.clone(), clock, &place).await;
    let app = Arc::new(App {
        context,
        sessions: sessions.map_err(io::Error::other)?,
        clock,
        runner,
        faults: options.faults.then(Arc::default),
        rate: options.rate,
        origin: Arc::new(OriginPolicy::new(&options.origin, address, open)),
        requests_per_second: options.requests_per_second,
        reads: Arc::new(Semaphore::new(options.capacity.max_reads)),
        trusted_proxies: options.trusted_proxy,
        sockets: (options.max_connections, AtomicUsize::new(0)),
        writes: Arc::new(Semaphore::new(WRITES_MAX)),
        readiness: Readiness::default(),
        draining: watch::Sender::new(false),
    });
    let mut metrics_tasks = JoinSet::new();
    let metrics = match options.metrics {
        Some(address) => Some(serve_metrics(&mut metrics_tasks, app.clone(), address).await?),
        None => None,
    };
    let router = rest::router(app.clone(), options.page.as_deref());
    let metrics_address = metrics.map(tracing::field::display);
    tracing::info!(event = "listening", %address, metrics = metrics_address, epoch = hub.epoch());
    ready(Ready { address, metrics });
    let (stopped, mut stopping) = watch::channel(false);
    let draining_app = app.clone();
    let (most, timeouts) = (options.capacity.max_http_connections, Timeouts::default());
    let serving = accept::serve(listener, router, most, timeouts, async move {
        stop.await;
        tracing::info!(event = "draining");
        draining_app.draining.send_replace(true);
        stopped.send_replace(true);
    });
    let served = tokio::select! {
        // Sockets outlive their upgrade request. All of them are gone when `draining` has no receiver left.
        () = async {
            serving.await;
            app.draining.closed().await;
        } => Ok(()),
        () = async {
            drop(stopping.wait_for(|stopped| *stopped).await);
            tokio::time::sleep(DRAIN_LIMIT).await;
        } => Ok(()),
    };
    close(hub).await;
    served
}

/// Closes the log. Waits only for a moment: the storage may be the reason for which the server is stopped.
async fn close(hub: Arc<Hub>) {
    let closed = match timeout(CLOSE_TIMEOUT, spawn_blocking(move || hub.close())).await {
        Ok(Ok(closed)) => closed.map_err(|error| error.to_string()),
        Ok(Err(_)) | Err(_) => Err("the storage does not answer".to_owned()),
    };
    if let Err(error) = closed {
        tracing::error!(event = "log_not_closed", error);
    }
}

/// Serves the metrics until the tasks are dropped, so also while the server drains.
async fn serve_metrics(
    tasks: &mut JoinSet<()>,
    app: Arc<App>,
    address: SocketAddr,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let router = rest::operations::router(app);
    let (most, timeouts) = (METRICS_CONNECTIONS_MAX, Timeouts::default());
    tasks.spawn(accept::serve(listener, router, most, timeouts, std::future::pending()));
    Ok(address)
}
