//! The log of a single server: embedded SQLite.
//!
//! One writer, and a pool of readers that never wait for it (write-ahead log). With `synchronous = FULL`, an
//! append that has returned survives a crash of the process and of the machine. The events and all their
//! changes are one transaction. After [`EventLog::close`], the database file alone contains everything.

mod append;
mod backup_detection;
mod count;
mod file;
pub(in crate::log) mod list;
mod lock;
mod meta;
mod read;
mod readers;
pub(super) mod replica;
mod rows;
mod upkeep;
mod within;
mod write_ahead_log;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use campaign_sync::protocol::CampaignId;
use campaign_sync::protocol::digest::Buckets;
use rusqlite::{Connection, Transaction as Tx, TransactionBehavior};

use super::{
    Appended, CampaignQuery, Divergence, Draft, EventLog, Head, LogError, Recount, Result,
    RowQuery, Transaction, View,
};
use crate::keys::{Keyring, check_epoch, is_sealed};
use crate::lock::lock;
use append::Composer;
use backup_detection::State;
use file::{BUSY_TIMEOUT, FileId, check_pages, checkpoint};
use readers::{Readers, is_closed, prepare};
use within::within;
use write_ahead_log::Beside;

/// The version of the tables. Databases of every released version can be opened.
const SCHEMA_VERSION: i64 = 1;

/// A log in one database file.
#[derive(Debug)]
pub struct SqliteLog {
    path: PathBuf,
    epoch: String,
    secret: String,
    keys: Option<Arc<Keyring>>,
    /// `None` after the log was closed.
    writer: Mutex<Option<Connection>>,
    readers: Readers,
    /// Whether a mark file lies beside the database, which reveals a restored backup.
    marked: bool,
    /// Whether there was a write since the last tick.
    written: AtomicBool,
    /// The database file that is open, whatever lies at its path.
    file: FileId,
    /// The last report of SQLite that the database is damaged.
    damage: Mutex<Option<String>>,
    /// The lock file. No other server has the database open while this file is open.
    held: Mutex<Option<File>>,
}

impl Drop for SqliteLog {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(event = "log_not_closed", database = %self.path.display(), %error);
        }
    }
}

impl SqliteLog {
    /// Opens the database, and creates it if necessary. A new database gets the epoch `new_epoch`. An
    /// existing one gets it with `renew`, or if it is detected as a restored backup.
    ///
    /// # Errors
    /// [`LogError::Storage`], also for a database of an unknown version, and for one that another process has
    /// open, and for a restored backup that is damaged.
    pub fn open(path: &Path, new_epoch: &str, renew: bool) -> Result<Self> {
        let held = lock::acquire(path)?;
        let (writer, beside) = connect(path)?;
        let foreign = beside.displaced_to.is_some()
            || backup_detection::is_restored_backup(&writer, path, beside.has_log)?;
        if foreign {
            tracing::warn!(event = "backup_restored", database = %path.display());
            check_pages(&writer, path)?;
        }
        if !renew && foreign {
            // A restored backup gets another epoch, but the restore must not begin or end sealing.
            let present = epoch(&writer, new_epoch, false)?;
            check_epoch(&present, is_sealed(new_epoch))?;
        }
        let epoch = epoch(&writer, new_epoch, renew || foreign)?;
        let secret = secret(&writer)?;
        backup_detection::advance(&writer, path, State::Open)?;
        Self::over(path, writer, (epoch, secret), true, held)
    }

    fn over(
        path: &Path,
        writer: Connection,
        (epoch, secret): (String, String),
        marked: bool,
        held: File,
    ) -> Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            epoch,
            secret,
            keys: None,
            writer: Mutex::new(Some(writer)),
            readers: Readers::default(),
            marked,
            written: AtomicBool::new(false),
            file: FileId::of(path).map_err(LogError::storage)?,
            damage: Mutex::default(),
            held: Mutex::new(Some(held)),
        })
    }

    /// The same log. Events are sealed with these keys from now on.
    #[must_use]
    pub fn sealed_by(mut self, keys: Option<Arc<Keyring>>) -> Self {
        self.keys = keys;
        self
    }

    /// The composer of this log's events.
    fn composer(&self) -> Composer<'_> {
        Composer { epoch: &self.epoch, keys: self.keys.as_deref() }
    }

    /// Runs `work` in one read transaction, on a connection of the pool.
    fn reading<T>(&self, work: impl FnOnce(&Tx<'_>) -> rusqlite::Result<T>) -> Result<T> {
        let work = |reader: &mut Connection| {
            self.note_damage(reader.transaction().and_then(|tx| work(&tx)))
        };
        self.readers.with(|| self.connect_reader(), work)
    }

    fn connect_reader(&self) -> Result<Connection> {
        self.file.check(&self.path)?;
        readers::open(&self.path)
    }

    /// Runs `work` in one write transaction. Commits unless `work` fails.
    fn writing<T>(&self, work: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        let written = self.transact(work)?;
        self.written.store(true, Ordering::Relaxed);
        Ok(written)
    }

    /// The same, for a change that a backup need not contain.
    fn transact<T>(&self, work: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        self.with_writer(|writer| {
            let tx = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            write_ahead_log::number_transaction(&tx)?;
            let done = work(&tx)?;
            self.note_damage(tx.commit())?;
            Ok(done)
        })
    }

    /// Runs `work` with the only connection that may write. Writing to a file that was deleted or replaced
    /// would lose what it acknowledges, so it is an error.
    fn with_writer<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        let mut writer = lock(&self.writer);
        let writer = writer.as_mut().ok_or_else(is_closed)?;
        self.file.check(&self.path)?;
        work(writer)
    }
}

/// Connects to the database after the logs that do not belong to it were set aside.
fn connect(path: &Path) -> Result<(Connection, Beside)> {
    let named = |error: LogError| LogError::Storage(format!("{}: {error}", path.display()));
    let beside = write_ahead_log::inspect(path).map_err(LogError::storage).map_err(named)?;
    if let Some(kept) = &beside.displaced_to {
        tracing::warn!(event = "foreign_log_set_aside", kept = %kept.display());
    }
    let writer = connect_writer(path).map_err(named)?;
    Ok((writer, beside))
}

fn connect_writer(path: &Path) -> Result<Connection> {
    let writer = Connection::open(path)?;
    prepare(&writer)?;
    writer.pragma_update(None, "journal_mode", "WAL")?;
    writer.pragma_update(None, "synchronous", "FULL")?;
    create(&writer)?;
    // The database now contains its tables, so the log begins with a numbered transaction.
    checkpoint(&writer, BUSY_TIMEOUT)?;
    write_ahead_log::renumber(&writer)?;
    Ok(writer)
}

fn create(on: &Connection) -> Result<()> {
    let form = |name: &str| on.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let fresh = form("schema_version")? == 0;
    let found = form("user_version")?;
    if !fresh && found != SCHEMA_VERSION {
        let message =
            format!("the database has form {found}, this server reads form {SCHEMA_VERSION}");
        return Err(LogError::Storage(message));
    }
    on.execute_batch(include_str!("schema.sql"))?;
    Ok(on.pragma_update(None, "user_version", SCHEMA_VERSION)?)
}

/// The epoch of the log. A renewed log begins after the present events: they carry the former epoch and are
/// never replayed.
fn epoch(on: &Connection, new: &str, renew: bool) -> rusqlite::Result<String> {
    let tx = on.unchecked_transaction()?;
    let verb = if renew { "REPLACE" } else { "IGNORE" };
    let sql = format!("INSERT OR {verb} INTO meta (key, value) VALUES ('epoch', ?1)");
    tx.execute(&sql, [new])?;
    if renew {
        tx.execute("UPDATE campaigns SET oldest_sequence_number = last_sequence_number + 1", [])?;
    }
    let epoch = tx.query_row("SELECT value FROM meta WHERE key = 'epoch'", [], |row| row.get(0))?;
    tx.commit()?;
    Ok(epoch)
}

/// The secret of the log. The first server that opens the log makes it.
fn secret(on: &Connection) -> rusqlite::Result<String> {
    let tx = on.unchecked_transaction()?;
    write_ahead_log::number_transaction(&tx)?;
    let secret = meta::secret(&tx)?;
    tx.commit()?;
    Ok(secret)
}

impl EventLog for SqliteLog {
    fn epoch(&self) -> String {
        self.epoch.clone()
    }

    fn keys(&self) -> Option<&Keyring> {
        self.keys.as_deref()
    }

    fn secret(&self) -> String {
        self.secret.clone()
    }

    fn campaigns(&self) -> Result<Vec<CampaignId>> {
        self.reading(|tx| read::campaigns(tx))
    }

    fn list(&self, query: &CampaignQuery<'_>) -> Result<Vec<(CampaignId, View)>> {
        self.reading(|tx| list::list(tx, query))
    }

    fn head(&self, campaign: &CampaignId) -> Result<Option<Head>> {
        self.reading(|tx| within(tx, campaign).head())
    }

    fn append(&self, campaign: &CampaignId, expected: u64, drafts: &[Draft]) -> Result<Appended> {
        self.writing(|tx| append::append(within(tx, campaign), self.composer(), expected, drafts))
    }

    fn read(&self, campaign: &CampaignId, after: u64, bytes: usize) -> Result<Vec<super::Event>> {
        self.reading(|tx| within(tx, campaign).events(after, bytes))
    }

    fn bytes_after(&self, campaign: &CampaignId, after: u64) -> Result<u64> {
        self.reading(|tx| within(tx, campaign).bytes_after(after))
    }

    fn view(&self, campaign: &CampaignId, rows: &RowQuery) -> Result<Option<View>> {
        self.reading(|tx| within(tx, campaign).view(rows))
    }

    fn recount(&self, campaign: &CampaignId) -> Result<Option<Recount>> {
        self.reading(|tx| within(tx, campaign).recount())
    }

    fn buckets(&self, campaign: &CampaignId) -> Result<Option<(u64, Box<Buckets>)>> {
        self.reading(|tx| within(tx, campaign).buckets())
    }

    fn transactions(&self, campaign: &CampaignId) -> Result<Vec<Transaction>> {
        self.reading(|tx| within(tx, campaign).transactions())
    }

    fn record_refusal(&self, campaign: &CampaignId, refused: &Transaction) -> Result<()> {
        self.writing(|tx| Ok(within(tx, campaign).insert_audit_entry(refused)?))
    }

    fn audit_entry(&self, campaign: &CampaignId, key: &str) -> Result<Option<Transaction>> {
        self.reading(|tx| within(tx, campaign).audit_entry(key))
    }

    fn truncate(&self, campaign: &CampaignId, to: u64) -> Result<()> {
        self.writing(|tx| Ok(within(tx, campaign).truncate(to)?))
    }

    fn tick(&self) -> Result<()> {
        self.checkpoint_written()
    }

    fn check(&self) -> Result<()> {
        self.check_storage()
    }

    fn close(&self) -> Result<()> {
        self.close_connections()
    }

    fn diverge(&self, campaign: &CampaignId, how: Divergence) -> Result<u64> {
        self.writing(|tx| within(tx, campaign).diverge(how))
    }
}
