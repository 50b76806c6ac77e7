//! A small table that several servers share: one stream, a subject per row, of which the last message
//! counts. An empty one takes the row away.
//!
//! Everyone follows the stream (`run`), and hears of each row in the order of the stream; a change
//! counts when the cluster has acknowledged it *and* it has been heard of here. The stream forgets
//! messages by their age alone, so whoever was cut off reads on where it stopped and misses nothing
//! that still matters.

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

/// The stream.
const STREAM: &str = "campaign-sync-sessions";

/// What its subjects begin with; the row's key follows.
const SUBJECT: &str = "campaign-sync.session.";

/// How long a change may take, a new leader included.
const PUT_PATIENCE: Duration = Duration::from_secs(5);

/// How long it may take to hear of everything that there is.
const ASK_PATIENCE: Duration = Duration::from_secs(2);

/// The least time between two questions to the cluster, however many ask.
const ASK_PAUSE: Duration = Duration::from_millis(100);

/// A stream that ends before what was read of it is another one, unless its leader is only behind: that
/// passes within this.
const LAG_GRACE: Duration = Duration::from_secs(10);

/// Hears of a row, by its key, and what it says now; or of nothing, when the stream is another one and
/// all that was heard before is void.
pub type Listener = Box<dyn Fn(Option<(&str, &str)>) + Send + Sync>;

/// The table. Of the runtime that it was opened on.
pub struct SharedKvTable {
    context: Context,
    /// Everything up to this message has been heard.
    seen: watch::Receiver<u64>,
    wanted: watch::Sender<u64>,
    answered: watch::Receiver<(u64, bool)>,
    _tasks: JoinSet<()>,
}

impl fmt::Debug for SharedKvTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedKvTable").finish_non_exhaustive()
    }
}

impl SharedKvTable {
    /// Opens or creates it on these servers, and reads it to its end. Rows are kept that long. Calls
    /// `asked` whenever the cluster is asked what there is.
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
        let (told, seen) = watch::channel(0);
        let (wanted, wishes) = watch::channel(0);
        let (answers, answered) = watch::channel((0, false));
        let mut tasks = JoinSet::new();
        tasks.spawn(run(context.clone(), told, listener));
        caught_up(&context, seen.clone(), CLUSTER_TIMEOUT).await?;
        tasks.spawn(answer(context.clone(), seen.clone(), wishes, answers, asked));
        Ok(Self { context, seen, wanted, answered, _tasks: tasks })
    }

    /// Changes a row; an empty text takes it away. When this returns, the cluster has it, and the
    /// listener has heard of it.
    ///
    /// # Errors
    /// [`LogError::Storage`] if that took too long. It may still happen then.
    pub async fn put(&self, key: &str, text: &str) -> Result<(), LogError> {
        // One name for all attempts: what was taken once, and changed since, is not taken again.
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, format!("{:032x}", rand::random::<u128>()));
        let put = async {
            loop {
                if let Some(sequence) = self.publish(key, &headers, text).await {
                    break heard(self.seen.clone(), sequence).await;
                }
                sleep(RETRY).await;
            }
        };
        timeout(PUT_PATIENCE, put).await.map_err(LogError::storage)?
    }

    /// The message's sequence, if the cluster has it.
    async fn publish(&self, key: &str, headers: &HeaderMap, text: &str) -> Option<u64> {
        connected(&self.context).ok()?;
        let (subject, payload) = (format!("{SUBJECT}{key}"), text.to_owned().into());
        let sent = self.context.publish_with_headers(subject, headers.clone(), payload).await;
        Some(sent.ok()?.await.ok()?.sequence)
    }

    /// Waits until everything has been heard that there was when this was called. All who ask at one
    /// time share one question to the cluster.
    ///
    /// # Errors
    /// [`LogError::Storage`] if the cluster does not answer.
    pub async fn ask(&self) -> Result<(), LogError> {
        let mut ticket = 0;
        self.wanted.send_modify(|wanted| {
            *wanted += 1;
            ticket = *wanted;
        });
        let mut answered = self.answered.clone();
        let answered =
            answered.wait_for(|(upto, _)| *upto >= ticket).await.map_err(LogError::storage)?.1;
        answered.then_some(()).ok_or_else(|| LogError::storage("the cluster does not answer"))
    }
}

/// Asks the cluster, for all who wish so by then.
async fn answer(
    context: Context,
    seen: watch::Receiver<u64>,
    mut wishes: watch::Receiver<u64>,
    answers: watch::Sender<(u64, bool)>,
    asked: impl Fn(),
) {
    while wishes.changed().await.is_ok() {
        let upto = *wishes.borrow_and_update();
        asked();
        let done = caught_up(&context, seen.clone(), ASK_PATIENCE).await;
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

async fn heard(mut seen: watch::Receiver<u64>, sequence: u64) -> Result<(), LogError> {
    seen.wait_for(|seen| *seen >= sequence).await.map_err(LogError::storage)?;
    Ok(())
}

async fn caught_up(
    context: &Context,
    seen: watch::Receiver<u64>,
    patience: Duration,
) -> Result<(), LogError> {
    let caught_up = async {
        loop {
            // Who died with the question on its way answers nothing; the next leader does.
            match timeout(POLL_INTERVAL, context.get_stream(STREAM)).await {
                Ok(Ok(stream)) => break heard(seen, end_of(stream.cached_info())).await,
                Ok(Err(_)) | Err(_) => sleep(RETRY).await,
            }
        }
    };
    timeout(patience, caught_up).await.map_err(LogError::storage)?
}

/// Which stream it is that was read.
#[derive(Debug, Default)]
pub struct StreamIdentity {
    created: Option<i128>,
    behind_since: Option<Instant>,
}

/// What a stream is to whoever has read one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamIdentityCheck {
    /// The one that was read.
    Same,
    /// The same, as told by a leader that has less of it than was read; for now.
    Behind,
    /// Another one.
    Other,
}

impl StreamIdentity {
    /// What the stream is that was created at `created` and ends with message `end`, to whoever has read
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

/// Follows the stream for ever, again and again.
async fn run(mut context: Context, told: watch::Sender<u64>, listener: Listener) {
    // A question that a leader took along when it died is soon asked again: there are five seconds in
    // all to show somebody out.
    context.set_timeout(POLL_INTERVAL);
    let mut rows = TableFollower { told, listener, identity: StreamIdentity::default() };
    loop {
        let Err(error) = follow(&context, STREAM, &mut rows).await;
        tracing::warn!(event = "sessions_interrupted", %error);
        sleep(RETRY).await;
    }
}

struct TableFollower {
    told: watch::Sender<u64>,
    listener: Listener,
    identity: StreamIdentity,
}

impl Reader for TableFollower {
    type Error = LogError;

    fn meet(&mut self, stream: &Info) -> Result<(), LogError> {
        let (created, end) = (stream.created.unix_timestamp_nanos(), stream.state.last_sequence);
        match self.identity.compare(created, end, self.seen(), Instant::now()) {
            StreamIdentityCheck::Same => Ok(()),
            StreamIdentityCheck::Behind => Err(LogError::storage("the leader is behind")),
            StreamIdentityCheck::Other => {
                (self.listener)(None);
                self.told.send_replace(0);
                Err(LogError::storage("the stream is another one"))
            }
        }
    }

    fn seen(&self) -> u64 {
        *self.told.borrow()
    }

    fn take(&mut self, sequence: u64, message: &Message) -> Result<(), LogError> {
        let key = message.subject.strip_prefix(SUBJECT).unwrap_or_default();
        (self.listener)(Some((key, &String::from_utf8_lossy(&message.payload))));
        self.told.send_replace(sequence);
        Ok(())
    }
}
