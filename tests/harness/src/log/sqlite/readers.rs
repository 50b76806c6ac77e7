//! The connections that read a database: a few, which all readers share.

use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::super::{LogError, Result};
use super::count;
use super::file::BUSY_TIMEOUT;
use crate::lock::lock;

/// The most connections. Searches and snapshots of many rows occupy at most a few of them
/// ([`Limits`](crate::capacity::Limits)), so that short reads find one.
const READERS_MAX: usize = 24;

/// The longest wait for a connection.
const READER_TIMEOUT: Duration = Duration::from_secs(10);

/// A pool of connections.
#[derive(Debug, Default)]
pub(super) struct Readers {
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct Pool {
    idle: Vec<Connection>,
    open: usize,
    closed: bool,
}

/// A connection of the pool. It is closed unless it is given back.
struct Lent<'r> {
    readers: &'r Readers,
    connection: Option<Connection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if self.connection.take().is_some() {
            lock(&self.readers.pool).open -= 1;
            self.readers.returned.notify_one();
        }
    }
}

impl Readers {
    /// Runs `work` on a connection of the pool, or on one that `connect` opens. Waits if all are in use.
    ///
    /// # Errors
    /// Those of `connect` and `work`; [`LogError::Busy`] if the wait takes too long; [`LogError::Storage`] after
    /// the pool was closed.
    pub(super) fn with<T>(
        &self,
        connect: impl FnOnce() -> Result<Connection>,
        work: impl FnOnce(&mut Connection) -> Result<T>,
    ) -> Result<T> {
        let mut lent = Lent { readers: self, connection: None };
        let connection = lent.connection.insert(self.take(connect)?);
        let done = work(connection)?;
        let mut pool = lock(&self.pool);
        if !pool.closed
            && let Some(connection) = lent.connection.take()
        {
            pool.idle.push(connection);
            self.returned.notify_one();
        }
        drop(pool);
        Ok(done)
    }

    /// Closes the idle connections now, and each of the others when its work ends.
    pub(super) fn close(&self) {
        let mut pool = lock(&self.pool);
        pool.closed = true;
        pool.open -= pool.idle.len();
        pool.idle.clear();
        self.returned.notify_all();
    }

    fn take(&self, connect: impl FnOnce() -> Result<Connection>) -> Result<Connection> {
        let all_in_use =
            |pool: &mut Pool| !pool.closed && pool.idle.is_empty() && pool.open >= READERS_MAX;
        let waited = self.returned.wait_timeout_while(lock(&self.pool), READER_TIMEOUT, all_in_use);
        let (mut pool, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if pool.closed {
            return Err(is_closed());
        }
        if let Some(idle) = pool.idle.pop() {
            return Ok(idle);
        }
        if waited.timed_out() {
            return Err(LogError::Busy);
        }
        pool.open += 1;
        drop(pool);
        let opened = connect();
        if opened.is_err() {
            lock(&self.pool).open -= 1;
            self.returned.notify_one();
        }
        opened
    }
}

/// Prepares a new connection, of a reader or of the writer.
pub(super) fn prepare(connection: &Connection) -> Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(count::prepare(connection)?)
}

/// Opens a connection that cannot write.
pub(super) fn open(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let reader = Connection::open_with_flags(path, flags)?;
    prepare(&reader)?;
    Ok(reader)
}

/// The error of every request after the log was closed.
pub(super) fn is_closed() -> LogError {
    LogError::Storage("the log is closed".into())
}
