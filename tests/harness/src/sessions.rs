//! The sessions of users, on this server and on the other servers of a shared log. Decisions of [`Access`]
//! are sent to all servers, and those of the other servers are applied to it.

use std::net::IpAddr;
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

/// Rows of the session table are kept for this much longer than the session lasts. The clocks of the servers
/// must differ by less.
const CLOCK_SKEW_MAX: Duration = Duration::from_secs(3_600);

/// The pause between two attempts to end a session whose login failed.
const UNDO_LOGIN_PAUSE: Duration = Duration::from_secs(1);

/// The most logins whose password is being checked or waits for that. Each holds a blocking thread, which
/// readers of the log need, too, and attempts with invented names cost the client nothing.
const CHECKS_MAX: usize = 16;

/// The delay for a login that finds no free check, in milliseconds.
const CHECKS_FULL_MS: u64 = 1_000;

/// Sessions of users.
#[derive(Debug)]
pub struct Sessions {
    context: Arc<Context>,
    clock: Clock,
    checks: Arc<Semaphore>,
    /// The table that the servers of a shared log share; `None` if sessions are not shared.
    table: Option<Arc<SharedKvTable>>,
}

impl Sessions {
    /// Opens the table and loads all sessions, if sessions are shared.
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
            let (receiver, asking) = (sessions.context.clone(), sessions.context.clone());
            let listener = move |row: Option<(&str, &str)>| match row {
                Some((hash, text)) => {
                    receiver.access.apply(clock.now(), hash, read(&receiver, hash, text))
                }
                None => receiver.access.revoke_all(),
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

    /// The identity of the bearer of a token. Covers all sessions that any server has published before the
    /// call.
    ///
    /// # Errors
    /// [`LogError::Storage`] if the token is unknown here and the cluster cannot be reached.
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

    /// Waits until this server has received everything that any server has published.
    ///
    /// # Errors
    /// [`LogError::Storage`] if the cluster cannot be reached.
    pub async fn ask(&self) -> Result<(), LogError> {
        match &self.table {
            Some(table) => table.ask().await,
            None => Ok(()),
        }
    }

    /// Begins a session on every server, and returns its token.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn login(
        &self,
        address: IpAddr,
        user: &str,
        password: String,
    ) -> Result<String, LoginError> {
        let (of, name, now) = (self.context.clone(), user.to_owned(), self.clock.now());
        let attempt = self.access().attempt(now.monotonic_ms, address)?;
        let turn = self.checks.clone().try_acquire_owned();
        let turn = turn.map_err(|_| LoginError::TooMany(CHECKS_FULL_MS))?;
        let check = move || {
            // Held until the check ends, even if the client no longer waits for it.
            let _held = (turn, attempt);
            of.access.check(now.monotonic_ms, &name, &password)
        };
        tokio::task::spawn_blocking(check).await.map_err(|_| LoginError::Unavailable)??;
        let now = self.clock.now();
        let oldest = self.access().sessions_of(now.monotonic_ms, user, SESSIONS_MAX - 1);
        let (token, entry) = self.access().issue(now, user);
        let hash = token_hash(&token);
        let begin = async {
            self.publish(&hash, Some(entry)).await?;
            for hash in oldest {
                self.publish(&hash, None).await?;
            }
            Ok::<_, LogError>(())
        };
        if begin.await.is_err() {
            self.undo_login(hash);
            return Err(LoginError::Unavailable);
        }
        Ok(token)
    }

    /// Ends a session whose login failed. It may exist nevertheless, or appear once the cluster is back.
    fn undo_login(&self, hash: String) {
        let Some(table) = self.table.as_ref().map(Arc::downgrade) else { return };
        tokio::spawn(async move {
            while let Some(table) = table.upgrade()
                && table.put(&hash, "").await.is_err()
            {
                sleep(UNDO_LOGIN_PAUSE).await;
            }
        });
    }

    /// Ends the session with this token on every server.
    ///
    /// # Errors
    /// [`LogError::Storage`] if the cluster cannot be reached.
    pub async fn logout(&self, token: &str) -> Result<(), LogError> {
        if self.access().may_be_pending(Some(token)) {
            self.ask().await?;
        }
        // Invented tokens cause no write to the cluster.
        if self.access().has_session(token) {
            self.publish(&token_hash(token), None).await?;
        }
        Ok(())
    }

    /// Ends all sessions of a user on every server. Returns their number.
    ///
    /// # Errors
    /// [`LogError::Storage`] if the cluster cannot be reached; some sessions may have ended already.
    pub async fn revoke(&self, user: &str) -> Result<usize, LogError> {
        self.ask().await?;
        let all = self.access().sessions_of(self.clock.now().monotonic_ms, user, 0);
        for hash in &all {
            self.publish(hash, None).await?;
        }
        Ok(all.len())
    }

    async fn publish(&self, hash: &str, entry: Option<Entry>) -> Result<(), LogError> {
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

/// The place to which a session is sealed. Sealed content of one session does not open for another.
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

/// Parses the row of a session; `None` for a row that cannot be read, or that is plain although the log is
/// sealed.
fn read(context: &Context, hash: &str, text: &str) -> Option<Entry> {
    match context.hub.log().keys() {
        Some(keys) => serde_json::from_str(&keys.open(text, &place_of(hash)).ok()?).ok(),
        None => serde_json::from_str(text).ok(),
    }
}
