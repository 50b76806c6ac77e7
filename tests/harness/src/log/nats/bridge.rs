//! Bridges calls that block and an asynchronous client: callers wait for a dedicated runtime.

use std::fmt;
use std::future::Future;
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{Config, Info, LastRawMessageErrorKind, StorageType};
use async_nats::jetstream::{self, Context, ErrorCode};
use async_nats::{ConnectOptions, ServerAddr};
use tokio::runtime::{Builder, Handle, Runtime};

use super::super::LogError;
use super::timing::CLUSTER_TIMEOUT;
use crate::lock::lock;

/// The name of the stream.
pub(super) const STREAM: &str = "campaign-sync";

/// The name of the stream whose description is the secret of the log.
const SECRET_STREAM: &str = "campaign-sync-secret";

/// The prefix of its subjects. The campaign's id follows.
pub(super) const SUBJECT: &str = "campaign-sync.log.";

/// The timeout of one request to the stream's leader.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// The pause before the next request to the cluster.
pub(super) const RETRY: Duration = Duration::from_millis(200);

/// The number of copies of the stream, in a cluster of at least this many servers.
const REPLICAS: usize = 3;

/// The epoch and the secret of the stream, and its last message when it was opened.
#[derive(Debug)]
pub(super) struct StreamEnd {
    pub(super) epoch: String,
    pub(super) secret: String,
    pub(super) last_sequence: u64,
}

/// The client and its runtime.
pub(super) struct Bridge {
    /// `None` after the bridge was closed.
    runtime: Mutex<Option<Runtime>>,
    context: Context,
    payload_max: usize,
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge").finish_non_exhaustive()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.close();
    }
}

impl Bridge {
    /// Connects, and opens or creates the stream.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub(super) fn open(
        servers: &[String],
        new_epoch: &str,
        renew: bool,
    ) -> Result<(Self, StreamEnd), LogError> {
        let servers = servers.to_owned();
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("nats")
            .enable_all()
            .build()
            .map_err(LogError::storage)?;
        let new_epoch = new_epoch.to_owned();
        let opened = wait(runtime.handle(), async move {
            let (context, payload_max) = connect(&servers).await?;
            let until = Instant::now() + CLUSTER_TIMEOUT;
            loop {
                // A cluster that has just been started has no leader yet.
                match open_stream(&context, &new_epoch, renew, replicas(&servers)).await {
                    Ok(end) => return Ok((context, payload_max, end)),
                    Err(error) if Instant::now() > until => return Err(error),
                    Err(_) => tokio::time::sleep(RETRY).await,
                }
            }
        });
        match opened {
            Ok((context, payload_max, end)) => {
                let runtime = Mutex::new(Some(runtime));
                Ok((Self { runtime, context, payload_max }, end))
            }
            Err(error) => {
                // See `drop`.
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    pub(super) fn context(&self) -> Context {
        self.context.clone()
    }

    /// The most bytes of one message, including its headers.
    pub(super) const fn payload_max(&self) -> usize {
        self.payload_max
    }

    /// Starts a task that runs until the bridge is closed.
    pub(super) fn start(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &*lock(&self.runtime) {
            drop(runtime.spawn(task));
        }
    }

    /// Ends all tasks. Calls that wait for the runtime end with an error.
    pub(super) fn close(&self) {
        // The bridge may be closed on a thread of another runtime, which must not wait for this one.
        if let Some(runtime) = lock(&self.runtime).take() {
            runtime.shutdown_background();
        }
    }

    /// Whether the bridge is closed. Then nothing that failed succeeds later.
    pub(super) fn is_closed(&self) -> bool {
        lock(&self.runtime).is_none()
    }

    /// Executes `work` on the runtime and waits for it. Blocks.
    ///
    /// # Errors
    /// Those of `work`.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, LogError>> + Send + 'static,
    ) -> Result<T, LogError> {
        let handle = lock(&self.runtime).as_ref().map(|runtime| runtime.handle().clone());
        match handle {
            Some(handle) => wait(&handle, work),
            None => Err(LogError::Storage("the log is closed".into())),
        }
    }
}

/// Executes `work` on the runtime. Waits through a channel, because callers may be threads of another
/// runtime.
fn wait<T: Send + 'static>(
    runtime: &Handle,
    work: impl Future<Output = Result<T, LogError>> + Send + 'static,
) -> Result<T, LogError> {
    let (done, result) = mpsc::sync_channel(1);
    runtime.spawn(async move {
        // The send fails only if the caller is gone.
        drop(done.send(work.await));
    });
    result.recv().map_err(LogError::storage)?
}

/// The number of copies of a stream on these servers.
pub(super) const fn replicas(servers: &[String]) -> usize {
    if servers.len() < REPLICAS { 1 } else { REPLICAS }
}

/// Connects to the cluster. Returns the client, and the most bytes of a message.
pub(super) async fn connect(servers: &[String]) -> Result<(Context, usize), LogError> {
    let addresses = servers.iter().map(|it| it.parse::<ServerAddr>());
    let addresses: Vec<_> = addresses.collect::<Result<_, _>>().map_err(LogError::storage)?;
    let options = ConnectOptions::new()
        .name("campaign-sync-server")
        .reconnect_delay_callback(|attempt| RETRY.min(Duration::from_millis(10 * attempt as u64)));
    let client = options.connect(addresses).await.map_err(LogError::storage)?;
    let payload_max = client.server_info().max_payload;
    let mut context = jetstream::new(client);
    context.set_timeout(REQUEST_TIMEOUT);
    Ok((context, payload_max))
}

/// Checks that there is a connection. Nothing is published without one: the client would buffer the message
/// and send it after the caller has stopped waiting.
///
/// # Errors
/// [`LogError::Storage`].
pub(super) fn connected(context: &Context) -> Result<(), LogError> {
    let is_connected = context.client().connection_state() == State::Connected;
    is_connected
        .then_some(())
        .ok_or_else(|| LogError::storage("there is no connection to the cluster"))
}

/// Finds the stream with this name, or creates it.
pub(super) async fn find_stream(context: &Context, config: Config) -> Result<Info, LogError> {
    let name = config.name.clone();
    let stream = match context.get_stream(&name).await {
        Ok(stream) => stream,
        Err(error) => match error.kind() {
            // If several servers create the stream at the same time, one succeeds and the others find its
            // stream.
            GetStreamErrorKind::JetStream(it) if it.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                match context.create_stream(config).await {
                    Ok(stream) => stream,
                    Err(_) => context.get_stream(&name).await.map_err(LogError::storage)?,
                }
            }
            _ => return Err(LogError::storage(error)),
        },
    };
    Ok(stream.cached_info().clone())
}

/// The last message of a subject, as the stream's leader reports it; 0 for an empty subject.
///
/// # Errors
/// [`LogError::Storage`].
pub(super) async fn last_of_subject(context: &Context, subject: &str) -> Result<u64, LogError> {
    let stream = context.get_stream_no_info(STREAM).await.map_err(LogError::storage)?;
    match stream.get_last_raw_message_by_subject(subject).await {
        Ok(message) => Ok(message.sequence),
        Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(0),
        Err(error) => Err(LogError::storage(error)),
    }
}

/// Opens or creates the stream. The epoch is the stream's description, which is set when the stream is
/// created.
async fn open_stream(
    context: &Context,
    new_epoch: &str,
    renew: bool,
    replicas: usize,
) -> Result<StreamEnd, LogError> {
    let config = Config {
        name: STREAM.into(),
        description: Some(new_epoch.into()),
        subjects: vec![format!("{SUBJECT}*")],
        storage: StorageType::File,
        num_replicas: replicas,
        deny_delete: true,
        ..Config::default()
    };
    let mut info = find_stream(context, config).await?;
    if renew && info.config.description.as_deref() != Some(new_epoch) {
        let renewed = Config { description: Some(new_epoch.into()), ..info.config };
        info = context.update_stream(renewed).await.map_err(LogError::storage)?;
    }
    let epoch = info.config.description.filter(|epoch| !epoch.is_empty());
    let epoch = epoch.ok_or_else(|| LogError::Storage("the stream has no epoch".into()))?;
    let secret = secret(context, replicas).await?;
    Ok(StreamEnd { epoch, secret, last_sequence: info.state.last_sequence })
}

/// The secret of the log: the description of another stream, which stays empty. The first server that opens
/// the log makes it.
async fn secret(context: &Context, replicas: usize) -> Result<String, LogError> {
    let config = Config {
        name: SECRET_STREAM.into(),
        description: Some(super::super::new_secret()),
        subjects: vec![SECRET_STREAM.into()],
        storage: StorageType::File,
        num_replicas: replicas,
        max_messages: 1,
        ..Config::default()
    };
    let found = find_stream(context, config).await?.config.description;
    found.ok_or_else(|| LogError::Storage("the stream of the secret has no description".into()))
}
