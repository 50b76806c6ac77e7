//! A small table that several servers share: one stream with one subject per row. The last message of a
//! subject is the row; an empty message deletes the row.
//!
//! All servers follow the stream (`run`) and receive the rows in its order. A change is complete when the
//! cluster has acknowledged it *and* this server has received it. The stream deletes messages only by their
//! age, so a server that was cut off continues where it stopped and misses nothing that is still relevant.

use std::fmt;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::stream::{Config, Info, StorageType};
use async_nats::jetstream::{Context, Message};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::super::LogError;
use super::bridge::{RETRY, connect, connected, find_stream, replicas};
use super::follow::{POLL_INTERVAL, Reader, end_of, follow};
use super::timing::CLUSTER_TIMEOUT;

/// The name of the stream.
const STREAM: &str = "campaign-sync-sessions";

/// The prefix of its subjects. The row's key follows.
const SUBJECT: &str = "campaign-sync.session.";

/// The timeout of a change, including the election of a new leader.
const PUT_TIMEOUT: Duration = Duration::from_secs(5);

/// The timeout of a query for everything that the cluster has.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

/// The shortest time between two queries to the cluster, regardless of the number of callers.
const ASK_PAUSE: Duration = Duration::from_millis(100);

/// A stream that ends before the last message that was read is a different stream, unless its leader is only
/// behind. A leader catches up within this time.
const LAG_GRACE: Duration = Duration::from_secs(10);

/// Receives the key and the present text of a row. Receives `None` if the stream is a different one; all
/// earlier rows are void then.
pub type Listener = Box<dyn Fn(Option<(&str, &str)>) + Send + Sync>;

/// A table that several servers share. Its tasks run on the runtime that opened it.
pub struct SharedKvTable {
    context: Context,
    /// The last message that was received, with all before it.
    seen: watch::Receiver<u64>,
    requested: watch::Sender<u64>,
    answered: watch::Receiver<(u64, bool)>,
    _tasks: JoinSet<()>,
}

impl fmt::Debug for SharedKvTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedKvTable").finish_non_exhaustive()
    }
}

impl SharedKvTable {
    /// Opens or creates the table on these servers, and reads it to its end. Rows are kept for `keep`. Calls
    /// `asked` at every query to the cluster.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub async fn open(
        servers: &[String],
        keep: Duration,
        listener: Listener,
        asked: impl Fn() + Send + 'static,
    ) -> Result<Self, LogError> {
        let (context, _) = connect(servers).await?;
        let config = Config {
            name: STREAM.into(),
            subjects: vec![format!("{SUBJECT}*")],
            storage: StorageType::File,
            num_replicas: replicas(servers),
            max_messages_per_subject: 1,
            max_age: keep,
            deny_delete: true,
            deny_purge: true,
            ..Config::default()
        };
        let found = async {
            loop {
                match create(&context, config.clone()).await {
                    Ok(()) => return,
                    Err(error) => tracing::warn!(event = "sessions_not_open", %error),
                }
                sleep(RETRY).await;
            }
        };
        timeout(CLUSTER_TIMEOUT, found).await.map_err(LogError::storage)?;
        let (progress, seen) = watch::channel(0);
        let (requested, requests) = watch::channel(0);
        let (answers, answered) = watch::channel((0, false));
        let mut tasks = JoinSet::new();
        tasks.spawn(run(context.clone(), progress, listener));
        caught_up(&context, seen.clone(), CLUSTER_TIMEOUT).await?;
        tasks.spawn(answer(context.clone(), seen.clone(), requests, answers, asked));
        Ok(Self { context, seen, requested, answered, _tasks: tasks })
    }

    /// Changes a row; an empty text deletes it. When the call returns, the cluster has the change and the
    /// listener has received it.
    ///
    /// # Errors
    /// [`LogError::Storage`] after a timeout. The change may still take effect later.
    pub async fn put(&self, key: &str, text: &str) -> Result<(), LogError> {
        // All attempts have the same message id, so a message that was accepted and then replaced is not
        // accepted again.
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, format!("{:032x}", rand::random::<u128>()));
        let put = async {
            loop {
                if let Some(sequence) = self.publish(key, &headers, text).await {
                    break reached(self.seen.clone(), sequence).await;
                }
                sleep(RETRY).await;
            }
        };
        timeout(PUT_TIMEOUT, put).await.map_err(LogError::storage)?
    }

    /// Publishes a message. Returns its sequence if the cluster has it.
    async fn publish(&self, key: &str, headers: &HeaderMap, text: &str) -> Option<u64> {
        connected(&self.context).ok()?;
        let (subject, payload) = (format!("{SUBJECT}{key}"), text.to_owned().into());
        let sent = self.context.publish_with_headers(subject, headers.clone(), payload).await;
        Some(sent.ok()?.await.ok()?.sequence)
    }

    /// Waits until everything is received that the cluster had at the time of the call. Concurrent calls
    /// share one query to the cluster.
    ///
    /// # Errors
    /// [`LogError::Storage`] if the cluster does not answer.
    pub async fn ask(&self) -> Result<(), LogError> {
        let mut ticket = 0;
        self.requested.send_modify(|requested| {
            *requested += 1;
            ticket = *requested;
        });
        let mut answered = self.answered.clone();
        let answered =
            answered.wait_for(|(upto, _)| *upto >= ticket).await.map_err(LogError::storage)?.1;
        answered.then_some(()).ok_or_else(|| LogError::storage("the cluster does not answer"))
    }
}

/// Queries the cluster, once for all calls that wait at that time.
async fn answer(
    context: Context,
    seen: watch::Receiver<u64>,
    mut requests: watch::Receiver<u64>,
    answers: watch::Sender<(u64, bool)>,
    asked: impl Fn(),
) {
    while requests.changed().await.is_ok() {
        let upto = *requests.borrow_and_update();
        asked();
        let done = caught_up(&context, seen.clone(), ASK_TIMEOUT).await;
        answers.send_replace((upto, done.is_ok()));
        sleep(ASK_PAUSE).await;
    }
}

async fn create(context: &Context, config: Config) -> Result<(), LogError> {
    let keep = config.max_age;
    let info = find_stream(context, config).await?;
    if info.config.max_age < keep {
        let longer = Config { max_age: keep, ..info.config };
        context.update_stream(longer).await.map_err(LogError::storage)?;
    }
    Ok(())
}

async fn reached(mut seen: watch::Receiver<u64>, sequence: u64) -> Result<(), LogError> {
    seen.wait_for(|seen| *seen >= sequence).await.map_err(LogError::storage)?;
    Ok(())
}

async fn caught_up(
    context: &Context,
    seen: watch::Receiver<u64>,
    time_limit: Duration,
) -> Result<(), LogError> {
    let caught_up = async {
        loop {
            // A leader that dies mid-request never replies; retry at the next one.
            match timeout(POLL_INTERVAL, context.get_stream(STREAM)).await {
                Ok(Ok(stream)) => break reached(seen, end_of(stream.cached_info())).await,
                Ok(Err(_)) | Err(_) => sleep(RETRY).await,
            }
        }
    };
    timeout(time_limit, caught_up).await.map_err(LogError::storage)?
}

/// The identity of the stream that was read.
#[derive(Debug, Default)]
pub struct StreamIdentity {
    created: Option<i128>,
    behind_since: Option<Instant>,
}

/// The result of comparing a stream with the one that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamIdentityCheck {
    /// The one that was read.
    Same,
    /// The same stream, but for now its leader has less of it than was read.
    Behind,
    /// A different stream.
    Other,
}

impl StreamIdentity {
    /// Compares a stream that was created at `created` and ends with message `end` with the one that was read
    /// up to `seen`.
    pub fn compare(
        &mut self,
        created: i128,
        end: u64,
        seen: u64,
        now: Instant,
    ) -> StreamIdentityCheck {
        let known = *self.created.get_or_insert(created);
        if known == created && end >= seen {
            self.behind_since = None;
            return StreamIdentityCheck::Same;
        }
        let since = *self.behind_since.get_or_insert(now);
        if known == created && now.duration_since(since) < LAG_GRACE {
            return StreamIdentityCheck::Behind;
        }
        *self = Self { created: Some(created), behind_since: None };
        StreamIdentityCheck::Other
    }
}

/// Follows the stream forever, with a pause after each failure.
async fn run(mut context: Context, progress: watch::Sender<u64>, listener: Listener) {
    // A leader that dies mid-request never replies, so retry soon: a revoked session must end on every server
    // within five seconds.
    context.set_timeout(POLL_INTERVAL);
    let mut rows = TableFollower { progress, listener, identity: StreamIdentity::default() };
    loop {
        let Err(error) = follow(&context, STREAM, &mut rows).await;
        tracing::warn!(event = "sessions_interrupted", %error);
        sleep(RETRY).await;
    }
}

struct TableFollower {
    progress: watch::Sender<u64>,
    listener: Listener,
    identity: StreamIdentity,
}

impl Reader for TableFollower {
    type Error = LogError;

    fn check_identity(&mut self, stream: &Info) -> Result<(), LogError> {
        let (created, end) = (stream.created.unix_timestamp_nanos(), stream.state.last_sequence);
        match self.identity.compare(created, end, self.seen(), Instant::now()) {
            StreamIdentityCheck::Same => Ok(()),
            StreamIdentityCheck::Behind => Err(LogError::storage("the leader is behind")),
            StreamIdentityCheck::Other => {
                (self.listener)(None);
                self.progress.send_replace(0);
                Err(LogError::storage("the stream was replaced"))
            }
        }
    }

    fn seen(&self) -> u64 {
        *self.progress.borrow()
    }

    fn take(&mut self, sequence: u64, message: &Message) -> Result<(), LogError> {
        let key = message.subject.strip_prefix(SUBJECT).unwrap_or_default();
        (self.listener)(Some((key, &String::from_utf8_lossy(&message.payload))));
        self.progress.send_replace(sequence);
        Ok(())
    }
}
