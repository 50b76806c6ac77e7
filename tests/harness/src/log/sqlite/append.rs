//! Appending: one transaction, in which the events and all that they change are written.

use std::sync::Arc;

use campaign_sync::protocol::CampaignId;
use rusqlite::{Transaction as Tx, params};

use super::super::compose::Chain;
use super::super::fold::Fold;
use super::super::{Appended, Draft, Event, Head, LogError, Stand, Transaction};
use super::rows::{self, SqlTable};
use super::{SqliteLog, read};

/// Appends drafts.
///
/// # Errors
/// As [`super::super::EventLog::append`].
pub(super) fn append(
    tx: &Tx<'_>,
    log: &SqliteLog,
    campaign: &CampaignId,
    expected: u64,
    drafts: &[Draft],
) -> Result<Appended, LogError> {
    let keys = drafts.iter().filter_map(|draft| draft.filed.as_ref()?.key.as_deref());
    let mut appending = Appending::begin(tx, log, campaign, expected, keys)?;
    for draft in drafts {
        let event = appending.chain.next(campaign, draft, log.keys.as_deref())?;
        appending.add(draft.kind, &draft.data, event.document, draft.filed.as_ref())?;
    }
    appending.end()
}

/// A campaign while events are appended to it.
pub(super) struct Appending<'t> {
    /// Whoever adds an event moves it on to that event before.
    pub(super) chain: Chain,
    fold: Fold<SqlTable<'t>>,
    end_byte: u64,
    events: Vec<Event>,
}

impl<'t> Appending<'t> {
    /// Begins at the campaign's head.
    ///
    /// # Errors
    /// [`LogError::Conflict`] if the head is not the one that is expected, or if something is filed
    /// under one of the keys already.
    pub(super) fn begin<'k>(
        tx: &'t Tx<'t>,
        log: &SqliteLog,
        campaign: &'t CampaignId,
        expected: u64,
        keys: impl Iterator<Item = &'k str>,
    ) -> Result<Self, LogError> {
        let (head, stand) = match read::head(tx, campaign)? {
            Some(head) => (head, read::stand(tx, campaign)?.ok_or(LogError::UnknownCampaign)?),
            None => (Head::default(), Stand::default()),
        };
        let mut is_next = head.number == expected;
        for key in keys {
            is_next = is_next && read::filed(tx, campaign, key)?.is_none();
        }
        if !is_next {
            return Err(LogError::Conflict { head: head.number });
        }
        Ok(Self {
            chain: Chain::after(&log.epoch, &head),
            end_byte: read::end_byte(tx, campaign, head.number)?,
            fold: Fold::from(head, stand, SqlTable { tx, campaign }),
            events: Vec::new(),
        })
    }

    /// Adds the event that the chain stands at, with its entry of the transaction log.
    pub(super) fn add(
        &mut self,
        kind: &str,
        data: &str,
        document: Arc<str>,
        filed: Option<&Transaction>,
    ) -> Result<(), LogError> {
        let SqlTable { tx, campaign } = self.fold.table;
        self.fold.event(campaign, kind, data)?;
        self.end_byte += document.len() as u64;
        insert(tx, campaign, &self.chain, kind, &document, self.end_byte)?;
        if let Some(filed) = filed {
            rows::file(tx, campaign, &filed.complete(campaign, &self.chain, &self.fold.stand))?;
        }
        self.events.push(Event { number: self.chain.number, document });
        Ok(())
    }

    /// Writes the state that the events have led to.
    pub(super) fn end(self) -> Result<Appended, LogError> {
        let Self { chain, fold: Fold { head, stand, table, .. }, events, .. } = self;
        let head = Head { number: chain.number, event_id: chain.event_id, ..head };
        rows::put_campaign(table.tx, table.campaign, &stand, &head)?;
        Ok(Appended { events, head, stand })
    }
}

/// Writes the event that the chain stands at.
pub(super) fn insert(
    tx: &Tx<'_>,
    campaign: &CampaignId,
    chain: &Chain,
    kind: &str,
    document: &str,
    end_byte: u64,
) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
        campaign.as_str(),
        chain.number,
        chain.event_id,
        kind,
        document,
        end_byte,
    ])?;
    Ok(())
}
