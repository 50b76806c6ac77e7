//! The log of a single server: embedded SQLite.
//!
//! One writer, and a pool of readers that never wait for it (write-ahead log). With `synchronous = FULL`, an
//! append that has returned survives a crash of the process and of the machine. The events and all their
//! changes are one transaction.

mod append;
mod backup_detection;
mod count;
pub(in crate::log) mod list;
mod lock;
mod meta;
mod read;
pub(super) mod replica;
mod rows;
mod within;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use campaign_sync::protocol::CampaignId;
use campaign_sync::protocol::digest::Buckets;
use rusqlite::{Connection, OpenFlags, Transaction as Tx, TransactionBehavior};

use super::{
    Appended, CampaignQuery, Divergence, Draft, EventLog, Head, LogError, Recount, Result,
    RowQuery, Transaction, View,
};
use crate::keys::{Keyring, check_epoch, is_sealed};
use crate::lock::lock;
use append::Composer;
use within::within;

/// The version of the tables. Databases of every released version can be opened.
const SCHEMA_VERSION: i64 = 1;

/// A log in one database file.
#[derive(Debug)]
pub struct SqliteLog {
    path: PathBuf,
    epoch: String,
    secret: String,
    keys: Option<Arc<Keyring>>,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    /// Whether a mark file lies beside the database, which reveals a restored backup.
    marked: bool,
    /// Whether there was a write since the last tick.
    written: AtomicBool,
    /// The lock file. No other server has the database open while this file is open.
    _held: File,
}

impl Drop for SqliteLog {
    /// Advances the generation, so that every earlier backup is behind.
    fn drop(&mut self) {
        if self.marked {
            let _noticed_less_well = backup_detection::advance(&lock(&self.writer), &self.path);
        }
    }
}

impl SqliteLog {
    /// Opens the database, and creates it if necessary. A new database gets the epoch `new_epoch`. An
    /// existing one gets it with `renew`, or if it is detected as a restored backup.
    ///
    /// # Errors
    /// [`LogError::Storage`], also for a database of an unknown version, and for one that another process has
    /// open.
    pub fn open(path: &Path, new_epoch: &str, renew: bool) -> Result<Self> {
        let held = lock::acquire(path)?;
        let writer = connect(path)?;
        let foreign = backup_detection::is_restored_backup(&writer, path)?;
        if foreign {
            tracing::warn!(event = "backup_restored", database = %path.display());
        }
        if !renew && foreign {
            // A restored backup gets another epoch, but the restore must not begin or end sealing.
            let present = epoch(&writer, new_epoch, false)?;
            check_epoch(&present, is_sealed(new_epoch))?;
        }
        let epoch = epoch(&writer, new_epoch, renew || foreign)?;
        backup_detection::advance(&writer, path)?;
        let secret = meta::secret(&writer)?;
        Ok(Self::over(path, writer, (epoch, secret), true, held))
    }

    fn over(
        path: &Path,
        writer: Connection,
        (epoch, secret): (String, String),
        marked: bool,
        held: File,
    ) -> Self {
        Self {
            path: path.to_owned(),
            epoch,
            secret,
            keys: None,
            writer: Mutex::new(writer),
            readers: Mutex::default(),
            marked,
            written: AtomicBool::new(false),
            _held: held,
        }
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
        let pooled = lock(&self.readers).pop();
        let mut reader = match pooled {
            Some(reader) => reader,
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let reader = Connection::open_with_flags(&self.path, flags)?;
                prepare(&reader)?;
                reader
            }
        };
        let result = reader.transaction().and_then(|tx| work(&tx))?;
        lock(&self.readers).push(reader);
        Ok(result)
    }

    /// Runs `work` in one write transaction. Commits unless `work` fails.
    fn writing<T>(&self, work: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        let mut writer = lock(&self.writer);
        let tx = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&tx)?;
        tx.commit()?;
        self.written.store(true, Ordering::Relaxed);
        Ok(done)
    }
}

fn connect(path: &Path) -> Result<Connection> {
    let writer = Connection::open(path)?;
    prepare(&writer)?;
    writer.pragma_update(None, "journal_mode", "WAL")?;
    writer.pragma_update(None, "synchronous", "FULL")?;
    create(&writer)?;
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

fn prepare(connection: &Connection) -> Result<()> {
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(count::prepare(connection)?)
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
        if self.written.swap(false, Ordering::Relaxed) {
            backup_detection::advance(&lock(&self.writer), &self.path)?;
        }
        Ok(())
    }

    fn diverge(&self, campaign: &CampaignId, how: Divergence) -> Result<u64> {
        self.writing(|tx| within(tx, campaign).diverge(how))
    }
}
