//! Appending: one transaction writes the events and all their changes.

use std::sync::Arc;

use super::super::compose::Chain;
use super::super::fold::Fold;
use super::super::{Appended, Draft, Event, Head, LogError, Owner, Result, Transaction};
use super::within::CampaignTx;
use crate::keys::Keyring;

/// The inputs for composing events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Composer<'a> {
    /// The epoch of the log.
    pub(super) epoch: &'a str,
    /// The keys that seal the events, if the log is sealed.
    pub(super) keys: Option<&'a Keyring>,
}

/// Appends drafts.
///
/// # Errors
/// As [`super::super::EventLog::append`].
pub(super) fn append(
    on: CampaignTx<'_>,
    composer: Composer<'_>,
    expected: u64,
    drafts: &[Draft],
) -> Result<Appended> {
    let keys = drafts.iter().filter_map(|draft| draft.audit_entry.as_ref()?.key.as_deref());
    let mut appending = Appending::begin(on, composer.epoch, expected, keys)?;
    for draft in drafts {
        if let Some(counted) = &draft.counted
            && on.recount()?.as_ref() != Some(counted)
        {
            return Err(LogError::Conflict { head: counted.head.number });
        }
        let event = appending.chain.next(on.id, draft, composer.keys)?;
        let beside =
            Beside { audit_entry: draft.audit_entry.as_ref(), owner: draft.owner.as_ref() };
        appending.add(draft.kind, &draft.data, event.document, beside)?;
    }
    appending.end()
}

/// Values that are stored beside an event and not published.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beside<'a> {
    /// The entry of the audit trail.
    pub(super) audit_entry: Option<&'a Transaction>,
    /// The owner after the event.
    pub(super) owner: Option<&'a Owner>,
}

/// A campaign while events are appended to it.
pub(super) struct Appending<'t> {
    /// The position of the next event. The caller advances it before adding an event.
    pub(super) chain: Chain,
    fold: Fold<CampaignTx<'t>>,
    end_byte: u64,
    events: Vec<Event>,
}

impl<'t> Appending<'t> {
    /// Begins at the campaign's head.
    ///
    /// # Errors
    /// [`LogError::Conflict`] if the head is not the expected one, or if an audit entry has one of the keys.
    pub(super) fn begin<'k>(
        on: CampaignTx<'t>,
        epoch: &str,
        expected: u64,
        keys: impl Iterator<Item = &'k str>,
    ) -> Result<Self> {
        let (head, state) = on.state()?.unwrap_or_default();
        let mut is_next = head.number == expected;
        for key in keys {
            is_next = is_next && on.audit_entry(key)?.is_none();
        }
        if !is_next {
            return Err(LogError::Conflict { head: head.number });
        }
        Ok(Self {
            chain: Chain::after(epoch, &head),
            end_byte: on.end_byte(head.number)?,
            fold: Fold::from(head, state, on),
            events: Vec::new(),
        })
    }

    /// Adds the event at the chain's position, with what is stored beside it.
    pub(super) fn add(
        &mut self,
        kind: &str,
        data: &str,
        document: Arc<str>,
        Beside { audit_entry, owner }: Beside<'_>,
    ) -> Result<()> {
        let on = self.fold.table;
        self.fold.event(on.id, kind, data)?;
        if let Some(owner) = owner {
            self.fold.set_owner(owner);
        }
        self.end_byte += document.len() as u64;
        on.insert(&self.chain, kind, &document, self.end_byte)?;
        if let Some(audit_entry) = audit_entry {
            on.insert_audit_entry(&audit_entry.complete(
                on.id,
                (self.chain.number, &self.chain.event_id),
                &self.fold.state,
            ))?;
        }
        self.events.push(Event { number: self.chain.number, document });
        Ok(())
    }

    /// Writes the state after the events.
    pub(super) fn end(self) -> Result<Appended> {
        let Self { chain, fold: Fold { head, state, table, .. }, events, .. } = self;
        let head = Head { number: chain.number, event_id: chain.event_id, ..head };
        table.put_campaign(&state, &head)?;
        Ok(Appended { events, head, state })
    }
}
