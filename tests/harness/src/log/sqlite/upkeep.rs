//! Checkpoints, closing, and the health of the database.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use super::backup_detection::{self, State};
use super::file::{check_pages, checkpoint};
use super::meta::put_number;
use super::{LogError, Result, SqliteLog};
use crate::lock::lock;

/// The longest wait for readers when the log is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// The key of the number that a check writes.
const CHECKED: &str = "checked";

impl SqliteLog {
    /// Advances the generation and truncates the write-ahead log, if there was a write since the last call.
    /// So a log that a kill leaves behind is short, and a backup is soon recognised by its number.
    pub(super) fn checkpoint_written(&self) -> Result<()> {
        if !self.written.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        self.with_writer(|writer| {
            if self.marked {
                backup_detection::advance(writer, &self.path, State::Open)?;
            }
            let _readers_may_need_it = checkpoint(writer, Duration::ZERO)?;
            Ok(())
        })
    }

    /// Closes the readers first: the last connection to close copies the write-ahead log into the database
    /// and deletes it, and a reader cannot do that.
    pub(super) fn close_connections(&self) -> Result<()> {
        self.readers.close();
        let Some(writer) = lock(&self.writer).take() else { return Ok(()) };
        let closed = self.close_writer(writer);
        lock(&self.held).take();
        closed
    }

    fn close_writer(&self, writer: Connection) -> Result<()> {
        if self.marked {
            backup_detection::advance(&writer, &self.path, State::Open)?;
        }
        let generation = backup_detection::generation(&writer)?;
        let is_complete = checkpoint(&writer, CLOSE_TIMEOUT)?;
        writer.close().map_err(|(_, error)| error)?;
        if self.marked {
            // If the log stays, the database without it is behind this number.
            backup_detection::mark_closed(&self.path, generation).map_err(LogError::storage)?;
        }
        if is_complete {
            return Ok(());
        }
        Err(LogError::Storage("a reader kept the write-ahead log, which stays in its file".into()))
    }

    /// Remembers that SQLite found the database damaged.
    pub(super) fn note_damage<T>(&self, result: rusqlite::Result<T>) -> Result<T> {
        if let Err(error) = &result
            && let Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) =
                error.sqlite_error_code()
        {
            *lock(&self.damage) = Some(error.to_string());
        }
        Ok(result?)
    }

    /// Reads the file through a new connection, which has nothing cached, and writes a number.
    pub(super) fn check_storage(&self) -> Result<()> {
        let damaged = |error: LogError| {
            LogError::Storage(format!("the database file {}: {error}", self.path.display()))
        };
        let reader = match self.connect_reader() {
            Ok(reader) => reader,
            Err(error) => return self.file.check(&self.path).and_then(|()| Err(damaged(error))),
        };
        let read = reader.query_row("SELECT count(*) FROM meta", [], |row| row.get::<_, i64>(0));
        self.note_damage(read).map_err(damaged)?;
        // Reading everything takes long, so it happens only after a report.
        let is_reported = lock(&self.damage).is_some();
        if is_reported {
            check_pages(&reader, &self.path)?;
            lock(&self.damage).take();
        }
        drop(reader);
        self.transact(|tx| Ok(put_number(tx, CHECKED, rand::random::<u64>() >> 1)?))
            .map_err(damaged)
    }
}
