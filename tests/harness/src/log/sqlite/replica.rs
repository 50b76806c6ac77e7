//! A database as the local copy of a shared log: it folds in what it reads from the stream, and all reads are
//! local.
//!
//! The copy stores its position in the stream after folding. Reading a message twice is harmless, because a
//! folded batch is no longer the next one. The copy can always be created again, so it need not survive a
//! crash of the machine.

use std::fs;
use std::path::Path;

use campaign_sync::protocol::envelope::Envelope;
use campaign_sync::protocol::{CampaignId, Code, Digest, EventHash};

use super::super::compose::Chain;
use super::super::fold::{Fold, Table as _};
use super::super::nats::batch::{Batch, Image};
use super::super::{Appended, CampaignState, Draft, Head, LogError, Result, Transaction};
use super::SqliteLog;
use super::append::{Appending, Beside, append};
use super::meta::{number, put_number};
use super::within::{CampaignTx, within};
use crate::keys::{Keyring, open_data};

impl SqliteLog {
    /// Opens the copy of the log with this epoch, and returns its position. Deletes the copy of another log.
    /// Never touches a file that is an independent log.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub(in crate::log) fn open_replica(path: &Path, epoch: &str) -> Result<(Self, u64)> {
        let copy = Self::open_copy(path, epoch)?;
        let position = position(&copy)?;
        let copy = match position {
            None if !copy.is_empty()? => {
                let text = format!("{} is an independent log, not a copy", path.display());
                return Err(LogError::Storage(text));
            }
            Some(_) if copy.epoch != epoch => {
                drop(copy);
                for suffix in ["", "-wal", "-shm"] {
                    let mut file = path.as_os_str().to_owned();
                    file.push(suffix);
                    // The other two files exist only while the database is open.
                    drop(fs::remove_file(file));
                }
                Self::open_copy(path, epoch)?
            }
            _ => copy,
        };
        let at = position_or_start(&copy)?;
        copy.with_writer(|writer| Ok(writer.pragma_update(None, "synchronous", "NORMAL")?))?;
        Ok((copy, at))
    }

    /// Opens the file without a mark. An earlier state of a copy is harmless: it has only read less.
    fn open_copy(path: &Path, epoch: &str) -> Result<Self> {
        let held = super::lock::acquire(path)?;
        let (writer, _) = super::connect(path)?;
        let epoch = super::epoch(&writer, epoch, false)?;
        // The secret of a shared log is in its cluster.
        Self::over(path, writer, (epoch, String::new()), false, held)
    }

    fn is_empty(&self) -> Result<bool> {
        self.reading(|tx| {
            tx.query_row("SELECT NOT EXISTS (SELECT 1 FROM campaigns)", [], |row| row.get(0))
        })
    }

    /// The result that an append would have. Changes nothing.
    ///
    /// # Errors
    /// As [`super::super::EventLog::append`].
    pub(in crate::log) fn preview(
        &self,
        campaign: &CampaignId,
        expected: u64,
        drafts: &[Draft],
    ) -> Result<Appended> {
        self.with_writer(|writer| {
            let tx = writer.transaction()?;
            append(within(&tx, campaign), self.composer(), expected, drafts)
        })
    }

    /// Folds in a batch that was read. Returns `None` if another batch took its number first; this batch is
    /// void then.
    ///
    /// # Errors
    /// [`LogError::Storage`]; [`LogError::Rejected`] for documents that contradict their envelope or hash.
    pub(in crate::log) fn apply(
        &self,
        campaign: &CampaignId,
        batch: &Batch,
    ) -> Result<Option<Appended>> {
        let applied = self.writing(|tx| {
            let keys = batch
                .audit_entries
                .iter()
                .filter_map(|(_, audit_entry)| audit_entry.key.as_deref());
            let mut appending =
                Appending::begin(within(tx, campaign), &self.epoch, batch.expected, keys)?;
            for document in &batch.documents {
                let keys = self.keys.as_deref();
                let (kind, data) = follow(&mut appending.chain, campaign, document, keys)?;
                let number = appending.chain.number;
                let beside =
                    Beside { audit_entry: batch.audit_entry(number), owner: batch.owner(number) };
                appending.add(kind, &data, document.clone(), beside)?;
            }
            appending.end()
        });
        match applied {
            Err(LogError::Conflict { .. }) => Ok(None),
            applied => applied.map(Some),
        }
    }

    /// Records a refusal that was read in message `at`, unless it is recorded already. Returns `false` if
    /// there is no such campaign.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub(in crate::log) fn apply_refusal(
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
            // A refusal has no event number that shows that it was read before. So the last message is
            // stored.
            if number(tx, LAST_REFUSAL_AT)?.is_none_or(|filed_at| filed_at < at) {
                on.insert_audit_entry(refused)?;
                put_number(tx, LAST_REFUSAL_AT, at)?;
            }
            Ok(true)
        })
    }

    /// Applies an image that was read in message `at`, if it is newer than the copy, and deletes the events
    /// that the image does not contain. Returns the present state, and whether the image covers everything in
    /// the copy.
    ///
    /// # Errors
    /// [`LogError::Storage`]; [`LogError::Rejected`] for an image that contradicts itself.
    pub(in crate::log) fn install(
        &self,
        campaign: &CampaignId,
        image: &Image,
        at: u64,
    ) -> Result<(Appended, bool)> {
        self.writing(|tx| {
            let on = within(tx, campaign);
            let known_number = on.head()?.map_or(0, |head| head.number);
            // At the same number, the image may lack a refusal of the copy, or contain one that the copy
            // lacks. The latter is ignored if the image is read again after later messages.
            let is_older = known_number < image.number;
            let is_same = known_number == image.number;
            let known = on.transactions()?;
            let is_known = |it: &Transaction| known.contains(it);
            let is_included = |it: &Transaction| image.transactions.contains(it);
            let is_head = is_older || is_same && known.last().is_none_or(is_included);
            let is_first = number(tx, LAST_REFUSAL_AT)?.is_none_or(|filed_at| filed_at < at);
            let has_more = is_first && !image.transactions.last().is_none_or(is_known);
            if is_older || is_same && has_more {
                replace(on, self, image)?;
                if is_first {
                    put_number(tx, LAST_REFUSAL_AT, at)?;
                }
            }
            on.truncate(image.oldest - 1)?;
            let (head, state) = on.state()?.ok_or(LogError::UnknownCampaign)?;
            Ok((Appended { events: Vec::new(), head, state }, is_head))
        })
    }

    /// Stores that everything up to `position` has been read.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub(in crate::log) fn skip_to(&self, position: u64) -> Result<()> {
        self.writing(|tx| Ok(put_number(tx, POSITION, position)?))
    }
}

/// The last message that has been read, with all before it.
const POSITION: &str = "position";

/// The last message whose refusal was recorded.
const LAST_REFUSAL_AT: &str = "filedAt";

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

/// Advances the chain to a document. The document must be intact and the next one; its epoch may be from
/// before a restore. Returns its type and its data.
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

/// Replaces everything that is stored about the campaign by an image.
fn replace(on: CampaignTx<'_>, log: &SqliteLog, image: &Image) -> Result<()> {
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
        on.insert_audit_entry(it)?;
    }
    if chain.number != image.number || chain.event_id != image.event_id {
        return Err(LogError::Rejected(Code::InvalidMessage));
    }
    Ok(on.put_campaign(&fold.state, &fold.head)?)
}
