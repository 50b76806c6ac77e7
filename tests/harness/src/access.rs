//! Identities, and the campaigns that each of them may see.
//!
//! A server runs in one of three ways: *open*, where every client may do everything (refused unless the
//! server listens on loopback); with one *token*, whose bearer is the operator; with *users*, who log in and
//! see the campaigns that they own.
//!
//! Sessions are kept in memory. After a restart of a server with SQLite, all users log in again. Servers of a
//! shared log exchange their sessions (`sessions`); this module then holds the sessions that this server
//! received.

mod attempts;
pub mod users;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;

use crate::capacity::{Limits, Quota};
use crate::clock::Moment;
use crate::followers::Followers;
use crate::lock::lock;
use crate::session::limits::Bucket;
use attempts::Attempts;
use users::Users;

/// The most sessions of one user at a time, over all servers. One more session ends the oldest.
pub const SESSIONS_MAX: usize = 32;

/// A session as servers exchange it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The user's name.
    pub user: String,
    /// When it expires, in milliseconds since 1970.
    pub expires_ms: u64,
}

/// The hash of a session's token that is stored: SHA-256 as 64 lower-case hex digits.
pub fn token_hash(token: &str) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A token that a client presents. Its `Debug` output does not contain it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Wraps a token as it was presented.
    pub const fn new(token: String) -> Self {
        Self(token)
    }

    /// The token itself.
    pub const fn expose(&self) -> &str {
        self.0.as_str()
    }
}

/// The identity of a client.
#[derive(Clone, Debug)]
pub enum Identity {
    /// Any client of an open server.
    Anyone,
    /// The bearer of the server's token.
    Operator,
    /// A user.
    User(Arc<Login>),
}

/// One session of a user.
#[derive(Debug)]
pub struct Login {
    /// The user's name.
    pub user: String,
    expires_ms: u64,
    revoked: AtomicBool,
    sockets: AtomicUsize,
    requests: Mutex<Bucket>,
    /// Limits the queries of the log and of the state by all sockets of the session.
    query_bucket: Mutex<Bucket>,
    followers: Mutex<Followers>,
    /// The quota that all sessions of the user share.
    quota: Arc<Quota>,
}

impl Identity {
    /// The name for the audit trail.
    pub fn name(&self) -> &str {
        match self {
            Self::Anyone => "anonymous",
            Self::Operator => "operator",
            Self::User(login) => &login.user,
        }
    }

    /// The prefix of the identity's idempotency keys. No other identity has the same one, because the name of
    /// a user contains no colon and no slash.
    pub fn key_space(&self) -> String {
        match self {
            Self::Anyone => ":anonymous".to_owned(),
            Self::Operator => ":operator".to_owned(),
            Self::User(login) => login.user.clone(),
        }
    }

    /// The subject of the sessions, the same for all sessions of a user on every server. It is a hash, so that
    /// it reveals no name.
    pub fn subject(&self) -> Option<String> {
        let named = !matches!(self, Self::Anyone);
        named.then(|| token_hash(&format!("subject {}", self.key_space()))[..32].to_owned())
    }

    /// The session of a user.
    fn login(&self) -> Option<&Login> {
        match self {
            Self::Anyone | Self::Operator => None,
            Self::User(login) => Some(login),
        }
    }

    /// Whether the identity may see a campaign of this owner. A campaign that it may not see does not exist
    /// for it.
    pub fn may_see(&self, owner: Option<&str>) -> bool {
        self.login().is_none_or(|login| owner == Some(&login.user))
    }

    /// The owner of the campaigns that this identity creates.
    pub fn owner_name(&self) -> Option<String> {
        Some(self.login()?.user.clone())
    }

    /// Whether the session has expired or was revoked.
    pub fn has_ended(&self, now_ms: u64) -> bool {
        self.login().is_some_and(|login| login.has_ended(now_ms))
    }

    /// When the session expires.
    pub fn expires_ms(&self) -> Option<u64> {
        Some(self.login()?.expires_ms)
    }

    /// Wakes the socket when the session is revoked.
    pub fn follow(&self, wake: &Arc<Notify>) {
        if let Self::User(login) = self {
            let mut followers = lock(&login.followers);
            followers.prune();
            followers.add(wake);
        }
    }

    /// Counts one more socket. Returns false if the session already has `most` sockets.
    pub fn acquire_socket(&self, most: usize) -> bool {
        let Self::User(login) = self else { return true };
        login.sockets.fetch_add(1, Ordering::Relaxed) < most
    }

    /// Counts one socket less. Call it once for each call of [`Identity::acquire_socket`].
    pub fn release_socket(&self) {
        if let Self::User(login) = self {
            login.sockets.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The quota of a user.
    pub fn quota(&self) -> Option<&Arc<Quota>> {
        Some(&self.login()?.quota)
    }

    /// Counts one more request.
    ///
    /// # Errors
    /// The milliseconds to wait, if there are too many requests.
    pub fn requests(&self, now_ms: u64, per_second: u32) -> Result<(), u64> {
        let Self::User(login) = self else { return Ok(()) };
        lock(&login.requests).take(now_ms, per_second, 10)
    }

    /// Counts one more query of the log or of the state. It counts for all sockets of the session, or in
    /// `own` if the identity has no session.
    ///
    /// # Errors
    /// As [`Identity::requests`].
    pub fn try_query(&self, now_ms: u64, per_second: u32, own: &mut Bucket) -> Result<(), u64> {
        match self.login() {
            Some(login) => lock(&login.query_bucket).take(now_ms, per_second, 10),
            None => own.take(now_ms, per_second, 10),
        }
    }
}

impl Login {
    fn has_ended(&self, now_ms: u64) -> bool {
        now_ms >= self.expires_ms || self.revoked.load(Ordering::Relaxed)
    }

    fn revoke(&self) {
        self.revoked.store(true, Ordering::Relaxed);
        lock(&self.followers).wake();
    }
}

/// The users, the sessions and the token of a server.
pub struct Access {
    token: Option<String>,
    users: Option<Users>,
    session_ms: u64,
    is_shared: bool,
    /// The sessions, by the hash of their tokens.
    sessions: Mutex<HashMap<String, Arc<Login>>>,
    limits: Limits,
    /// The quotas of users with sessions.
    quotas: Mutex<HashMap<String, Weak<Quota>>>,
    attempts: Arc<Mutex<Attempts>>,
    /// Held while a password is checked. A check takes 19 MiB, so one runs at a time.
    checking: Mutex<()>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

/// An attempt of an address to log in.
#[derive(Debug)]
pub struct Attempt {
    attempts: Arc<Mutex<Attempts>>,
    address: IpAddr,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        lock(&self.attempts).end(self.address);
    }
}

/// Why a login failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// The user is unknown, or the password is wrong.
    Wrong,
    /// Too many attempts; the client must wait so many milliseconds.
    TooMany(u64),
    /// The session cannot be sent to the other servers.
    Unavailable,
}

impl Access {
    /// An open server: every client may do everything.
    pub fn open() -> Self {
        Self::with(None, None, 0)
    }

    /// Accepts the bearer of the token, and the users while their sessions last.
    pub fn with(
        token: Option<String>,
        users: Option<BTreeMap<String, String>>,
        session_seconds: u64,
    ) -> Self {
        Self {
            token,
            users: users.map(Users::new),
            session_ms: session_seconds.saturating_mul(1_000),
            is_shared: false,
            sessions: Mutex::default(),
            limits: Limits::default(),
            quotas: Mutex::default(),
            attempts: Arc::default(),
            checking: Mutex::default(),
        }
    }

    /// The identity of the bearer of a token. The comparison with the operator's token takes the same time
    /// for every wrong token of the same length.
    pub fn identify(&self, now_ms: u64, given: Option<&str>) -> Option<Identity> {
        if self.token.is_none() && self.users.is_none() {
            return Some(Identity::Anyone);
        }
        let given = given?;
        if self.token.as_ref().is_some_and(|token| constant_time_eq(token, given)) {
            return Some(Identity::Operator);
        }
        let login = lock(&self.sessions).get(&token_hash(given)).cloned()?;
        let is_known = self.users.as_ref().is_some_and(|all| all.contains(&login.user));
        (is_known && !login.has_ended(now_ms)).then_some(Identity::User(login))
    }

    /// Limits what one user may take.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The quota of a user.
    fn quota(&self, user: &str) -> Arc<Quota> {
        let mut quotas = lock(&self.quotas);
        if let Some(quota) = quotas.get(user).and_then(Weak::upgrade) {
            return quota;
        }
        if quotas.len() == quotas.capacity() {
            quotas.retain(|_, quota| quota.strong_count() > 0);
        }
        let quota = Arc::new(Quota::new(&self.limits));
        quotas.insert(user.to_owned(), Arc::downgrade(&quota));
        quota
    }

    /// Shares the sessions with other servers, if there are users.
    pub fn shared(self) -> Self {
        Self { is_shared: self.users.is_some(), ..self }
    }

    /// Whether the sessions are shared with other servers.
    pub const fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Whether an unknown token may belong to a session that another server has just started.
    pub fn may_be_pending(&self, token: Option<&str>) -> bool {
        let digit = |it: u8| matches!(it, b'0'..=b'9' | b'a'..=b'f');
        let is_token = |it: &&str| it.len() == 64 && it.bytes().all(digit);
        self.is_shared && token.filter(is_token).is_some_and(|it| !self.has_session(it))
    }

    /// Whether a session has this token, even if it has expired or its user is unknown here.
    pub fn has_session(&self, token: &str) -> bool {
        lock(&self.sessions).contains_key(&token_hash(token))
    }

    /// Begins an attempt of this address to log in. It ends when the returned value is dropped.
    ///
    /// # Errors
    /// [`LoginError::TooMany`].
    pub fn attempt(&self, now_ms: u64, address: IpAddr) -> Result<Attempt, LoginError> {
        lock(&self.attempts).begin(now_ms, address).map_err(LoginError::TooMany)?;
        Ok(Attempt { attempts: self.attempts.clone(), address })
    }

    /// Checks a user's password. Blocks, because the check takes time.
    ///
    /// # Errors
    /// [`LoginError::TooMany`] and [`LoginError::Wrong`].
    pub fn check(&self, now_ms: u64, user: &str, password: &str) -> Result<(), LoginError> {
        let Some(users) = &self.users else { return Err(LoginError::Wrong) };
        lock(&self.attempts)
            .of_name(now_ms, user, users.contains(user))
            .map_err(LoginError::TooMany)?;
        let _one_at_a_time = lock(&self.checking);
        users.matches(user, password).then_some(()).ok_or(LoginError::Wrong)
    }

    /// A new session of the user, and its token. The session begins with [`Access::apply`].
    pub fn issue(&self, now: Moment, user: &str) -> (String, Entry) {
        let token = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
        let expires_ms = now.wall_ms.saturating_add(self.session_ms);
        (token, Entry { user: user.to_owned(), expires_ms })
    }

    /// Begins the session with this hash of its token, or ends it if there is no entry. A session whose user
    /// is unknown here identifies nobody, but can be ended here.
    pub fn apply(&self, now: Moment, hash: &str, entry: Option<Entry>) {
        let left_ms = |it: &Entry| it.expires_ms.saturating_sub(now.wall_ms);
        let mut sessions = lock(&self.sessions);
        if sessions.len() == sessions.capacity() {
            // Prune only before the map grows: pruning at every call is too slow while many sessions are
            // loaded.
            sessions.retain(|_, login| !login.has_ended(now.monotonic_ms));
        }
        let Some(entry) = entry.filter(|it| left_ms(it) > 0) else {
            if let Some(login) = sessions.remove(hash) {
                login.revoke();
            }
            return;
        };
        sessions.entry(hash.to_owned()).or_insert_with(|| {
            Arc::new(Login {
                expires_ms: now.monotonic_ms.saturating_add(left_ms(&entry)),
                quota: self.quota(&entry.user),
                user: entry.user,
                revoked: AtomicBool::new(false),
                sockets: AtomicUsize::new(0),
                requests: Mutex::default(),
                query_bucket: Mutex::default(),
                followers: Mutex::default(),
            })
        });
    }

    /// The hashes of a user's sessions, except the `but` newest ones.
    pub fn sessions_of(&self, now_ms: u64, user: &str, but: usize) -> Vec<String> {
        let sessions = lock(&self.sessions);
        let own = sessions.iter().filter(|(_, it)| it.user == user && !it.has_ended(now_ms));
        let mut own: Vec<_> = own.map(|(hash, it)| (Reverse(it.expires_ms), hash)).collect();
        own.sort_unstable();
        own.into_iter().skip(but).map(|(_, hash)| hash.clone()).collect()
    }

    /// Ends every session. Used when the server cannot know which sessions are still valid.
    pub fn revoke_all(&self) {
        lock(&self.sessions).drain().for_each(|(_, login)| login.revoke());
    }

    /// The life of a session, in seconds.
    pub const fn session_seconds(&self) -> u64 {
        self.session_ms / 1_000
    }
}

fn constant_time_eq(a: &str, b: &str) -> bool {
    let differences = a.bytes().zip(b.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && differences == 0
}
