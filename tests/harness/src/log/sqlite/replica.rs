//! The database as the copy of a log that is kept elsewhere: what has been read there is folded in
//! here, and all reading is local.
//!
//! The copy remembers how far it has read, after it has folded that in: reading something again is
//! harmless, for it is not the next any more. It can always be made anew, so it need not survive the
//! machine.

use std::fs;
use std::path::Path;

use campaign_sync::protocol::envelope::Envelope;
use campaign_sync::protocol::{CampaignId, Code, Digest, EventHash};

use super::super::compose::Chain;
use super::super::fold::{Fold, Table as _};
use super::super::nats::batch::{Batch, Image};
use super::super::{Appended, CampaignState, Draft, Head, LogError, Result, Transaction};
use super::SqliteLog;
use super::append::{Appending, append};
use super::meta::{number, put_number};
use super::within::{Within, within};
use crate::keys::{Keyring, open_data};
use crate::lock::lock;

impl SqliteLog {
    /// Opens the copy of the log of that identity, and tells how far it has read. The copy of another
    /// log is thrown away; a file that is a log of its own is not touched.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub(in crate::log) fn open_replica(path: &Path, epoch: &str) -> Result<(Self, u64)> {
        let copy = Self::open_copy(path, epoch)?;
        let position = position(&copy)?;
        let copy = match position {
            None if !copy.is_empty()? => {
                let text = format!("{} is a log of its own, not a copy", path.display());
                return Err(LogError::Storage(text));
            }
            Some(_) if copy.epoch != epoch => {
                drop(copy);
                for suffix in ["", "-wal", "-shm"] {
                    let mut file = path.as_os_str().to_owned();
                    file.push(suffix);
                    // The two others exist only while the database is open.
                    drop(fs::remove_file(file));
                }
                Self::open_copy(path, epoch)?
            }
            _ => copy,
        };
        let at = position_or_start(&copy)?;
        lock(&copy.writer).pragma_update(None, "synchronous", "NORMAL")?;
        Ok((copy, at))
    }

    /// Unlike a log of its own, a copy needs no mark: an earlier state of it is one that has read less.
    fn open_copy(path: &Path, epoch: &str) -> Result<Self> {
        let held = super::lock::acquire(path)?;
        let writer = super::connect(path)?;
        let epoch = super::epoch(&writer, epoch, false)?;
        Ok(Self::over(path, writer, epoch, false, held))
    }

    fn is_empty(&self) -> Result<bool> {
        self.reading(|tx| {
            tx.query_row("SELECT NOT EXISTS (SELECT 1 FROM campaigns)", [], |row| row.get(0))
        })
    }

    /// What an append would lead to. Changes nothing.
    ///
    /// # Errors
    /// As [`super::super::EventLog::append`].
    pub(in crate::log) fn preview(
        &self,
        campaign: &CampaignId,
        expected: u64,
        drafts: &[Draft],
    ) -> Result<Appended> {
        let mut writer = lock(&self.writer);
        let tx = writer.transaction()?;
        append(within(&tx, campaign), self.composer(), expected, drafts)
    }

    /// Folds in a batch that was read. None if another one took its number before: it never happened.
    ///
    /// # Errors
    /// [`LogError::Storage`]; [`LogError::Rejected`] for documents that are not what they say.
    pub(in crate::log) fn apply(
        &self,
        campaign: &CampaignId,
        batch: &Batch,
    ) -> Result<Option<Appended>> {
        let applied = self.writing(|tx| {
            let keys =
                batch.audit_entry.iter().filter_map(|(_, audit_entry)| audit_entry.key.as_deref());
            let mut appending =
                Appending::begin(within(tx, campaign), &self.epoch, batch.expected, keys)?;
            for document in &batch.documents {
                let keys = self.keys.as_deref();
                let (kind, data) = follow(&mut appending.chain, campaign, document, keys)?;
                let audit_entry = batch.audit_entry(appending.chain.number);
                appending.add(kind, &data, document.clone(), audit_entry)?;
            }
            appending.end()
        });
        match applied {
            Err(LogError::Conflict { .. }) => Ok(None),
            applied => applied.map(Some),
        }
    }

    /// Files a refusal that was read in message `at`, unless it is filed already. `false` if there is no
    /// such campaign.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub(in crate::log) fn apply_filed(
        &self,
        campaign: &CampaignId,
        refused: &Transaction,
        at: u64,
    ) -> Result<bool> {
        self.writing(|tx| {
            let on = within(tx, campaign);
            if on.head()?.is_none() {
                return Ok(false);
            }
            // Unlike an event a refusal has no number by which it is known when it is read again.
            if number(tx, FILED_AT)?.is_none_or(|filed_at| filed_at < at) {
                on.file(refused)?;
                put_number(tx, FILED_AT, at)?;
            }
            Ok(true)
        })
    }

    /// Takes the state of an image that was read in message `at`, if it is news here, and forgets the
    /// events that it does not hold. Tells what is so now, and whether the image holds all there is.
    ///
    /// # Errors
    /// [`LogError::Storage`]; [`LogError::Rejected`] for an image that is not what it says.
    pub(in crate::log) fn install(
        &self,
        campaign: &CampaignId,
        image: &Image,
        at: u64,
    ) -> Result<(Appended, bool)> {
        self.writing(|tx| {
            let on = within(tx, campaign);
            let known_number = on.head()?.map_or(0, |head| head.number);
            // As old as what is known here, it may still lack a refusal, or tell of one that is not:
            // unless it is read again, after what came later.
            let is_older = known_number < image.number;
            let is_same = known_number == image.number;
            let known = on.transactions()?;
            let is_known = |it: &Transaction| known.contains(it);
            let is_told = |it: &Transaction| image.transactions.contains(it);
            let is_head = is_older || is_same && known.last().is_none_or(is_told);
            let is_first = number(tx, FILED_AT)?.is_none_or(|filed_at| filed_at < at);
            let tells_more = is_first && !image.transactions.last().is_none_or(is_known);
            if is_older || is_same && tells_more {
                replace(on, self, image)?;
                if is_first {
                    put_number(tx, FILED_AT, at)?;
                }
            }
            on.truncate(image.oldest - 1)?;
            let (head, state) = on.state()?.ok_or(LogError::UnknownCampaign)?;
            Ok((Appended { events: Vec::new(), head, state }, is_head))
        })
    }

    /// Remembers that everything up to `position` has been read.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub(in crate::log) fn skip_to(&self, position: u64) -> Result<()> {
        Ok(put_number(&lock(&self.writer), POSITION, position)?)
    }
}

/// Everything up to this message has been read.
const POSITION: &str = "position";

/// The last message whose refusal was filed.
const FILED_AT: &str = "filedAt";

fn position(copy: &SqliteLog) -> Result<Option<u64>> {
    copy.reading(|tx| number(tx, POSITION))
}

fn position_or_start(copy: &SqliteLog) -> Result<u64> {
    if let Some(at) = position(copy)? {
        return Ok(at);
    }
    copy.skip_to(0)?;
    Ok(0)
}

/// Moves the chain on to a document, which must be the next one, whole. Its epoch may be one that the
/// log had before a restore. Tells its type and its data.
fn follow<'d>(
    chain: &mut Chain,
    campaign: &CampaignId,
    document: &'d str,
    keys: Option<&Keyring>,
) -> Result<(&'d str, String)> {
    let envelope = Envelope::parse(document).map_err(LogError::Rejected)?;
    let sequence = envelope.sequence.as_ref().ok_or(LogError::Rejected(Code::InvalidMessage))?;
    let hash = EventHash::of_v1(
        envelope.kind_raw,
        envelope.timestamp_raw,
        envelope.data,
        sequence.hashed(),
    );
    let follows = sequence.campaign_id() == campaign.as_str()
        && sequence.number().get() == chain.number + 1
        && sequence.previous_event_id().unwrap_or_default() == chain.event_id;
    if hash != sequence.hash || !follows {
        return Err(LogError::Rejected(Code::InvalidMessage));
    }
    let data = open_data(keys, &envelope, sequence)?;
    chain.number += 1;
    chain.event_id = sequence.event_id().to_owned();
    Ok((envelope.kind, data))
}

/// Puts an image in the place of whatever was known of the campaign.
fn replace(on: Within<'_>, log: &SqliteLog, image: &Image) -> Result<()> {
    for table in ["campaigns", "domains", "events", "transaction_log"] {
        let sql = format!("DELETE FROM {table} WHERE campaign_id = ?1");
        on.on.execute(&sql, [on.id.as_str()])?;
    }
    let head = Head {
        number: image.number,
        event_id: image.event_id.clone(),
        oldest: image.oldest,
        domains_count: image.rows.len() as u64,
        domains_digest: Digest::default(),
    };
    let mut fold = Fold::from(head, CampaignState::default(), on);
    for row in &image.rows {
        let hash = row.hash(&mut fold.hasher);
        fold.head.domains_digest.add(hash);
        fold.table.put(row, hash)?;
    }
    fold.event(on.id, "campaign.list.update", &image.record.to_string())?;
    fold.state.deleted = image.deleted;
    let number = image.number - image.documents.len() as u64;
    let event_id = image.previous_event_id.clone();
    let mut chain = Chain { epoch: log.epoch.clone(), number, event_id };
    let mut end_byte = 0;
    for document in &image.documents {
        let (kind, _) = follow(&mut chain, on.id, document, log.keys.as_deref())?;
        end_byte += document.len() as u64;
        on.insert(&chain, kind, document, end_byte)?;
    }
    for it in &image.transactions {
        on.file(it)?;
    }
    if chain.number != image.number || chain.event_id != image.event_id {
        return Err(LogError::Rejected(Code::InvalidMessage));
    }
    Ok(on.put_campaign(&fold.state, &fold.head)?)
}
