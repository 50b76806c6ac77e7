//! The log that servers run: SQLite, embedded.
//!
//! One writer, and a pool of readers that never wait for it (write-ahead log). `synchronous = FULL`:
//! an append that has returned survives the death of the process and of the machine. The events and
//! everything they change are one transaction.

mod holder;
mod instance;
mod read;
pub(super) mod replica;
mod rows;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use campaign_sync::protocol::digest::{Buckets, RowHasher};
use campaign_sync::protocol::{CampaignId, Digest};
use rusqlite::{Connection, OpenFlags, Transaction as Tx, params};

use super::compose::Chain;
use super::fold::Fold;
use super::{
    Appended, Divergence, Draft, EventLog, Head, LogError, Recount, RowQuery, Stand, Transaction,
    View,
};
use crate::keys::Keyring;
use rows::SqlTable;

/// The form of the tables. Databases of every released form can be opened.
const FORM: i64 = 1;

/// The log in one database file.
#[derive(Debug)]
pub struct SqliteLog {
    path: PathBuf,
    epoch: String,
    keys: Option<Arc<Keyring>>,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    /// Whether there is a mark beside it that a restored backup is noticed by.
    marked: bool,
    /// Whether something was written since the last tick.
    written: AtomicBool,
    /// Nobody else has the database open as a server of its own.
    _held: File,
}

impl Drop for SqliteLog {
    /// So that a backup of any moment before is behind.
    fn drop(&mut self) {
        if self.marked {
            let _noticed_less_well = instance::advance(&lock(&self.writer), &self.path);
        }
    }
}

impl SqliteLog {
    /// Opens the database, creating it if need be. `new_epoch` is the identity that a new database
    /// gets; with `renew` an existing one gets it too, and so does one that is seen to be a backup
    /// put in place again.
    ///
    /// # Errors
    /// [`LogError::Storage`], also for a database of an unknown form, and for one that another
    /// process has open.
    pub fn open(path: &Path, new_epoch: &str, renew: bool) -> Result<Self, LogError> {
        let held = holder::hold(path)?;
        let writer = connect(path)?;
        let foreign = instance::is_foreign(&writer, path).map_err(storage)?;
        if foreign {
            tracing::warn!(event = "backup_restored", database = %path.display());
        }
        let epoch = epoch(&writer, new_epoch, renew || foreign).map_err(storage)?;
        instance::advance(&writer, path).map_err(storage)?;
        Ok(Self::over(path, writer, epoch, true, held))
    }

    fn over(path: &Path, writer: Connection, epoch: String, marked: bool, held: File) -> Self {
        Self {
            path: path.to_owned(),
            epoch,
            keys: None,
            writer: Mutex::new(writer),
            readers: Mutex::default(),
            marked,
            written: AtomicBool::new(false),
            _held: held,
        }
    }

    /// The same log, whose events are sealed from here on.
    #[must_use]
    pub fn sealed_by(mut self, keys: Option<Arc<Keyring>>) -> Self {
        self.keys = keys;
        self
    }

    /// Runs `work` in one read transaction, on a connection of the pool.
    fn reading<T>(&self, work: impl FnOnce(&Tx<'_>) -> rusqlite::Result<T>) -> Result<T, LogError> {
        let pooled = lock(&self.readers).pop();
        let mut reader = match pooled {
            Some(reader) => reader,
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let reader = Connection::open_with_flags(&self.path, flags).map_err(storage)?;
                prepare(&reader)?;
                reader
            }
        };
        let result = reader.transaction().and_then(|tx| work(&tx)).map_err(storage)?;
        lock(&self.readers).push(reader);
        Ok(result)
    }
}

fn connect(path: &Path) -> Result<Connection, LogError> {
    let writer = Connection::open(path).map_err(storage)?;
    prepare(&writer)?;
    writer.pragma_update(None, "journal_mode", "WAL").map_err(storage)?;
    writer.pragma_update(None, "synchronous", "FULL").map_err(storage)?;
    create(&writer)?;
    Ok(writer)
}

fn create(on: &Connection) -> Result<(), LogError> {
    let form = |name: &str| on.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let fresh = form("schema_version").map_err(storage)? == 0;
    let found = form("user_version").map_err(storage)?;
    if !fresh && found != FORM {
        let message = format!("the database has form {found}, this server reads form {FORM}");
        return Err(LogError::Storage(message));
    }
    on.execute_batch(include_str!("schema.sql")).map_err(storage)?;
    on.pragma_update(None, "user_version", FORM).map_err(storage)
}

/// The identity of the log. A renewed log begins after what is there: the events of the former one
/// carry the former epoch, and are replayed to nobody.
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

fn prepare(connection: &Connection) -> Result<(), LogError> {
    connection.busy_timeout(Duration::from_secs(10)).map_err(storage)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

impl EventLog for SqliteLog {
    fn epoch(&self) -> String {
        self.epoch.clone()
    }

    fn keys(&self) -> Option<&Keyring> {
        self.keys.as_deref()
    }

    fn campaigns(&self) -> Result<Vec<CampaignId>, LogError> {
        self.reading(read::campaigns)
    }

    fn head(&self, campaign: &CampaignId) -> Result<Option<Head>, LogError> {
        self.reading(|tx| read::head(tx, campaign))
    }

    fn append(
        &self,
        campaign: &CampaignId,
        expected: u64,
        drafts: &[Draft],
    ) -> Result<Appended, LogError> {
        let mut writer = lock(&self.writer);
        let tx = writer
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .map_err(storage)?;
        let appended = append(&tx, self, campaign, expected, drafts)?;
        tx.commit().map_err(storage)?;
        self.written.store(true, Ordering::Relaxed);
        Ok(appended)
    }

    fn read(
        &self,
        campaign: &CampaignId,
        after: u64,
        bytes: usize,
    ) -> Result<Vec<super::Event>, LogError> {
        self.reading(|tx| read::events(tx, campaign, after, bytes))
    }

    fn bytes_after(&self, campaign: &CampaignId, after: u64) -> Result<u64, LogError> {
        self.reading(|tx| read::bytes_after(tx, campaign, after))
    }

    fn view(&self, campaign: &CampaignId, rows: &RowQuery) -> Result<Option<View>, LogError> {
        self.reading(|tx| read::view(tx, campaign, rows))
    }

    fn recount(&self, campaign: &CampaignId) -> Result<Option<Recount>, LogError> {
        self.reading(|tx| read::recount(tx, campaign))
    }

    fn buckets(&self, campaign: &CampaignId) -> Result<Option<(u64, Box<Buckets>)>, LogError> {
        self.reading(|tx| read::buckets(tx, campaign))
    }

    fn transactions(&self, campaign: &CampaignId) -> Result<Vec<Transaction>, LogError> {
        self.reading(|tx| read::transactions(tx, campaign))
    }

    fn file(&self, campaign: &CampaignId, refused: &Transaction) -> Result<(), LogError> {
        rows::file(&lock(&self.writer), campaign, refused).map_err(storage)
    }

    fn filed(&self, campaign: &CampaignId, key: &str) -> Result<Option<Transaction>, LogError> {
        self.reading(|tx| read::filed(tx, campaign, key))
    }

    fn truncate(&self, campaign: &CampaignId, to: u64) -> Result<(), LogError> {
        let mut writer = lock(&self.writer);
        let tx = writer.transaction().map_err(storage)?;
        truncate(&tx, campaign, to).map_err(storage)?;
        tx.commit().map_err(storage)
    }

    fn tick(&self) -> Result<(), LogError> {
        if self.written.swap(false, Ordering::Relaxed) {
            instance::advance(&lock(&self.writer), &self.path).map_err(storage)?;
        }
        Ok(())
    }

    fn diverge(&self, campaign: &CampaignId, how: Divergence) -> Result<u64, LogError> {
        let mut writer = lock(&self.writer);
        let tx = writer.transaction().map_err(storage)?;
        let changed = rows::diverge(&tx, campaign, how)?;
        tx.commit().map_err(storage)?;
        Ok(changed)
    }
}

fn append(
    tx: &Tx<'_>,
    log: &SqliteLog,
    campaign: &CampaignId,
    expected: u64,
    drafts: &[Draft],
) -> Result<Appended, LogError> {
    let before = read::head(tx, campaign).map_err(storage)?;
    let head = before.as_ref().map_or(0, |head| head.number);
    if head != expected || filed_already(tx, campaign, drafts)? {
        return Err(LogError::Conflict { head });
    }
    let stand = match before {
        Some(_) => read::stand(tx, campaign).map_err(storage)?.ok_or(LogError::UnknownCampaign)?,
        None => Stand::default(),
    };
    let before = before.unwrap_or_else(|| Head {
        number: 0,
        event_id: String::new(),
        oldest: 1,
        domains_count: 0,
        domains_digest: Digest::default(),
    });
    let mut chain = Chain { epoch: log.epoch.clone(), number: head, event_id: before.event_id };
    let mut table = SqlTable { tx, campaign };
    let mut fold = Fold {
        stand,
        count: before.domains_count,
        digest: before.domains_digest,
        table: &mut table,
        hasher: RowHasher::default(),
    };
    let mut end_byte = read::end_byte(tx, campaign, head).map_err(storage)?;
    let mut events = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let event = chain.next(campaign, draft, log.keys.as_deref())?;
        fold.event(campaign, draft)?;
        end_byte += event.document.len() as u64;
        insert(tx, campaign, &chain, draft.kind, &event.document, end_byte).map_err(storage)?;
        if let Some(filed) = &draft.filed {
            let filed = filed.complete(campaign, &chain, &fold.stand);
            rows::file(tx, campaign, &filed).map_err(storage)?;
        }
        events.push(event);
    }
    let head = Head {
        number: chain.number,
        event_id: chain.event_id,
        oldest: before.oldest,
        domains_count: fold.count,
        domains_digest: fold.digest,
    };
    rows::put_campaign(tx, campaign, &fold.stand, &head).map_err(storage)?;
    Ok(Appended { events, head, stand: fold.stand })
}

fn filed_already(tx: &Tx<'_>, campaign: &CampaignId, drafts: &[Draft]) -> Result<bool, LogError> {
    for key in drafts.iter().filter_map(|draft| draft.filed.as_ref()?.key.as_deref()) {
        if read::filed(tx, campaign, key).map_err(storage)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn truncate(tx: &Tx<'_>, campaign: &CampaignId, to: u64) -> rusqlite::Result<()> {
    tx.execute(
        "DELETE FROM events WHERE campaign_id = ?1 AND sequence_number <= ?2",
        params![campaign.as_str(), to as i64],
    )?;
    tx.execute(
        "UPDATE campaigns SET oldest_sequence_number =
             max(oldest_sequence_number, min(?2, last_sequence_number) + 1)
         WHERE campaign_id = ?1",
        params![campaign.as_str(), to as i64],
    )?;
    Ok(())
}

fn insert(
    tx: &Tx<'_>,
    campaign: &CampaignId,
    chain: &Chain,
    kind: &str,
    document: &str,
    end_byte: u64,
) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
        campaign.as_str(),
        chain.number as i64,
        chain.event_id,
        kind,
        document,
        end_byte as i64,
    ])?;
    Ok(())
}

/// A lock that is still good after a panic elsewhere: every change under it is a transaction.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn storage(error: rusqlite::Error) -> LogError {
    LogError::Storage(error.to_string())
}
