//! Sessions, here and at the other servers of a shared log: what is decided by [`Access`] is told to
//! all of them, and what they tell is told to it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::access::{Access, Entry, Identity, LoginError, SESSIONS_MAX, token_hash};
use crate::clock::Clock;
use crate::log::LogError;
use crate::log::nats::table::SharedKvTable;
use crate::log::place::LogPlace;
use crate::session::Context;

/// What was said of a session is kept for longer than it lasts by this much, more than the clocks of
/// servers may differ.
const CLOCK_SKEW_MAX: Duration = Duration::from_secs(3_600);

/// The pause before a session that nobody was given is ended once more.
const TAKE_BACK_PAUSE: Duration = Duration::from_secs(1);

/// Logins whose password is being checked or waits for that. Each of them holds a thread that readers of
/// the log need, too, and names that are made up cost whoever makes them up nothing.
const CHECKS_MAX: usize = 16;

/// When a login that may not wait may come back.
const CHECKS_FULL_MS: u64 = 1_000;

/// Sessions of users.
#[derive(Debug)]
pub struct Sessions {
    context: Arc<Context>,
    clock: Clock,
    checks: Arc<Semaphore>,
    /// What the servers of a shared log tell each other; none where sessions are ours alone.
    table: Option<Arc<SharedKvTable>>,
}

impl Sessions {
    /// Hears of all the sessions that there are, where they are shared.
    ///
    /// # Errors
    /// [`LogError::Storage`] if the cluster cannot be reached.
    pub async fn open(
        context: Arc<Context>,
        clock: Clock,
        place: &LogPlace,
    ) -> Result<Self, LogError> {
        let mut sessions =
            Self { context, clock, checks: Arc::new(Semaphore::new(CHECKS_MAX)), table: None };
        if let (LogPlace::Nats(servers), true) = (place, sessions.access().is_shared()) {
            let (heard, asking) = (sessions.context.clone(), sessions.context.clone());
            let listener = move |row: Option<(&str, &str)>| match row {
                Some((hash, text)) => {
                    heard.access.apply(clock.now(), hash, read(&heard, hash, text))
                }
                None => heard.access.revoke_all(),
            };
            let keep = Duration::from_secs(sessions.access().session_seconds()) + CLOCK_SKEW_MAX;
            let asked = move || {
                asking.hub.metrics.session_lookups.inc();
            };
            let table = SharedKvTable::open(servers, keep, Box::new(listener), asked).await?;
            sessions.table = Some(Arc::new(table));
        }
        Ok(sessions)
    }

    fn access(&self) -> &Access {
        &self.context.access
    }

    /// Who bears that token, as far as any server has said before this was called.
    ///
    /// # Errors
    /// [`LogError::Storage`] if it is not known here, and what the others know cannot be told.
    pub async fn identify(&self, token: Option<&str>) -> Result<Option<Identity>, LogError> {
        let identify = || self.access().identify(self.clock.now().monotonic_ms, token);
        match identify() {
            None if self.access().may_be_pending(token) => {
                self.ask().await?;
                Ok(identify())
            }
            known => Ok(known),
        }
    }

    /// Waits until everything is known here that any server has said.
    ///
    /// # Errors
    /// [`LogError::Storage`] if the cluster cannot be reached.
    pub async fn ask(&self) -> Result<(), LogError> {
        match &self.table {
            Some(table) => table.ask().await,
            None => Ok(()),
        }
    }

    /// Begins a session, at every server, and tells its token.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn login(&self, user: &str, password: String) -> Result<String, LoginError> {
        let (of, name, now) = (self.context.clone(), user.to_owned(), self.clock.now());
        let turn = self.checks.clone().try_acquire_owned();
        let turn = turn.map_err(|_| LoginError::TooMany(CHECKS_FULL_MS))?;
        let check = move || {
            // Until it is done, whether or not somebody still waits for it.
            let _turn = turn;
            of.access.check(now.monotonic_ms, &name, &password)
        };
        tokio::task::spawn_blocking(check).await.map_err(|_| LoginError::Unavailable)??;
        let now = self.clock.now();
        let oldest = self.access().sessions_of(now.monotonic_ms, user, SESSIONS_MAX - 1);
        let (token, entry) = self.access().issue(now, user);
        let hash = token_hash(&token);
        let begin = async {
            self.tell(&hash, Some(entry)).await?;
            for hash in oldest {
                self.tell(&hash, None).await?;
            }
            Ok::<_, LogError>(())
        };
        if begin.await.is_err() {
            self.take_back(hash);
            return Err(LoginError::Unavailable);
        }
        Ok(token)
    }

    /// A session that nobody was given may have begun all the same, or may yet when the cluster is back:
    /// ends it.
    fn take_back(&self, hash: String) {
        let Some(table) = self.table.as_ref().map(Arc::downgrade) else { return };
        tokio::spawn(async move {
            while let Some(table) = table.upgrade()
                && table.put(&hash, "").await.is_err()
            {
                sleep(TAKE_BACK_PAUSE).await;
            }
        });
    }

    /// Ends the session of that token, at every server.
    ///
    /// # Errors
    /// [`LogError::Storage`] if the others cannot be told.
    pub async fn logout(&self, token: &str) -> Result<(), LogError> {
        if self.access().may_be_pending(Some(token)) {
            self.ask().await?;
        }
        // Nobody writes to the cluster with tokens that are made up.
        if self.access().has_session(token) {
            self.tell(&token_hash(token), None).await?;
        }
        Ok(())
    }

    /// Ends all sessions of a user, at every server; tells how many.
    ///
    /// # Errors
    /// [`LogError::Storage`] if the others cannot be told; some may have ended.
    pub async fn revoke(&self, user: &str) -> Result<usize, LogError> {
        self.ask().await?;
        let all = self.access().sessions_of(self.clock.now().monotonic_ms, user, 0);
        for hash in &all {
            self.tell(hash, None).await?;
        }
        Ok(all.len())
    }

    async fn tell(&self, hash: &str, entry: Option<Entry>) -> Result<(), LogError> {
        let Some(table) = &self.table else {
            self.access().apply(self.clock.now(), hash, entry);
            return Ok(());
        };
        let text = match entry {
            Some(entry) => write(&self.context, hash, &entry)?,
            None => String::new(),
        };
        table.put(hash, &text).await
    }
}

/// Where a sealed session belongs: it opens for no other token.
fn place_of(hash: &str) -> String {
    format!("session {hash}")
}

fn write(context: &Context, hash: &str, entry: &Entry) -> Result<String, LogError> {
    let text =
        serde_json::to_string(entry).map_err(|error| LogError::Storage(error.to_string()))?;
    match context.hub.log().keys() {
        Some(keys) => keys.seal(&place_of(hash), &text),
        None => Ok(text),
    }
}

/// What cannot be read, or is plain where everything is sealed, is no session.
fn read(context: &Context, hash: &str, text: &str) -> Option<Entry> {
    match context.hub.log().keys() {
        Some(keys) => serde_json::from_str(&keys.open(text, &place_of(hash)).ok()?).ok(),
        None => serde_json::from_str(text).ok(),
    }
}
