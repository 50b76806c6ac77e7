//! The fold: applies an event to a campaign. Nothing else changes the state.

use std::sync::Arc;

use campaign_sync::protocol::body::{Body, Progress, StatusChange};
use campaign_sync::protocol::digest::RowHasher;
use campaign_sync::protocol::domain::{Patch, RowPatch};
use campaign_sync::protocol::event::EventKind;
use campaign_sync::protocol::transition::Transition;
use campaign_sync::protocol::{CampaignId, Code, Status};
use serde::Deserialize;

use super::{CampaignState, Head, LogError, Owner, Result, Row, Settings};

/// The rows of one campaign in some storage.
pub trait Table {
    /// The row with this id, with its stored hash.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn get(&mut self, domain_id: &str) -> Result<Option<(Row, u64)>>;

    /// Inserts a row, or replaces the row with the same id.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn put(&mut self, row: &Row, hash: u64) -> Result<()>;

    /// Removes a row.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn remove(&mut self, domain_id: &str) -> Result<()>;
}

/// A campaign while events are folded into it.
#[derive(Debug)]
pub struct Fold<T> {
    /// The campaign without its rows.
    pub state: CampaignState,
    /// Its head. The fold updates the count and the digest; the caller updates the event numbers.
    pub head: Head,
    /// The rows.
    pub table: T,
    /// Computes the row hashes.
    pub hasher: RowHasher,
}

impl<T: Table> Fold<T> {
    /// Continues from this head and state.
    pub fn from(head: Head, state: CampaignState, table: T) -> Self {
        Self { head, state, table, hasher: RowHasher::default() }
    }

    /// Folds one event into the campaign.
    ///
    /// # Errors
    /// [`LogError::Rejected`] for content that breaks the contract; the caller must then discard everything
    /// it has folded so far. [`LogError::Storage`].
    pub fn event(&mut self, campaign: &CampaignId, kind: &str, data: &str) -> Result<()> {
        let Some(kind) = EventKind::parse(kind) else { return Ok(()) };
        let body = Body::decode(kind, data, campaign.as_str()).map_err(LogError::Rejected)?;
        match body {
            Body::Progress(progress) => self.progress(progress),
            Body::Status(change) => self.status(change),
            Body::Transition(transition) => self.transition(Arc::unwrap_or_clone(transition))?,
            Body::Row(row) => self.rows(&[row])?,
            Body::Rows(rows) => self.rows(&rows)?,
            Body::Removed(ids) => {
                for id in ids {
                    self.remove(&id)?;
                }
            }
            Body::Record(record) => {
                self.state.record = *record;
                self.settings(data);
            }
            Body::Deleted => self.state.deleted = true,
            Body::Notification { .. } | Body::Nothing => {}
        }
        Ok(())
    }

    fn progress(&mut self, progress: Progress) {
        let record = &mut self.state.record;
        if progress.phase == record.phase {
            record.status = progress.status;
            record.counters = progress.counters;
        }
    }

    fn status(&mut self, change: StatusChange) {
        let record = &mut self.state.record;
        if change.phase.is_none_or(|phase| phase == record.phase) {
            record.status = change.status;
            record.error_message =
                if change.status == Status::Failed { change.message } else { None };
        }
    }

    fn transition(&mut self, transition: Transition) -> Result<()> {
        if transition.refusal().is_some() {
            return Ok(());
        }
        let rejected = LogError::Rejected(Code::InvalidContent);
        let Some(mut record) = transition.campaign else { return Err(rejected) };
        if (record.phase, record.status) != (transition.new_phase, transition.new_status) {
            return Err(rejected);
        }
        let before = self.state.record.total_domain_count;
        record.total_domain_count = record.total_domain_count.max(before);
        if let ("error_recovery", Some(back)) =
            (transition.transition_type.as_str(), transition.rollback)
        {
            record.phase = back.phase;
            record.status = back.status;
            record.counters = back.counters;
            record.total_domain_count = back.total_domain_count;
        }
        self.state.record = record;
        Ok(())
    }

    fn rows(&mut self, patches: &[RowPatch<'_>]) -> Result<()> {
        for patch in patches {
            self.patch(patch)?;
        }
        self.state.record.total_domain_count = self.head.domains_count;
        Ok(())
    }

    fn patch(&mut self, patch: &RowPatch<'_>) -> Result<()> {
        let mut row = match (self.table.get(&patch.domain_id)?, patch.domain.value()) {
            (Some((row, hash)), _) => {
                self.head.domains_digest.remove(hash);
                row
            }
            (None, Some(_)) => {
                self.head.domains_count += 1;
                Row { domain_id: patch.domain_id.to_string(), ..Row::default() }
            }
            (None, None) => return Err(LogError::Rejected(Code::InvalidContent)),
        };
        if let Some(domain) = patch.domain.value() {
            row.domain = domain.to_string();
        }
        set(&mut row.offset, &patch.offset, |it| *it);
        set(&mut row.dns_status, &patch.dns_status, ToString::to_string);
        set(&mut row.http_status, &patch.http_status, ToString::to_string);
        set(&mut row.http_status_code, &patch.http_status_code, |it| *it);
        set(&mut row.lead_status, &patch.lead_status, ToString::to_string);
        set(&mut row.lead_score, &patch.lead_score, |it| *it);
        let hash = row.hash(&mut self.hasher);
        self.head.domains_digest.add(hash);
        self.table.put(&row, hash)
    }

    fn remove(&mut self, domain_id: &str) -> Result<()> {
        if let Some((_, hash)) = self.table.get(domain_id)? {
            self.head.domains_digest.remove(hash);
            self.head.domains_count -= 1;
            self.table.remove(domain_id)?;
        }
        self.state.record.total_domain_count = self.head.domains_count;
        Ok(())
    }

    /// Sets the owner that was stored beside an event.
    pub fn set_owner(&mut self, owner: &Owner) {
        self.state.settings.owner.clone_from(owner);
    }

    /// Reads the settings from the event that creates the campaign. Clients ignore this member. Events of
    /// former releases and images contain the owner, too.
    fn settings(&mut self, data: &str) {
        #[derive(Deserialize)]
        struct SettingsOnly {
            settings: Option<Settings>,
        }
        if let Ok(SettingsOnly { settings: Some(settings) }) = serde_json::from_str(data) {
            self.state.settings = settings;
        }
    }
}

fn set<V, T>(column: &mut Option<T>, patch: &Patch<V>, value: impl FnOnce(&V) -> T) {
    match patch {
        Patch::Absent => {}
        Patch::Null => *column = None,
        Patch::Value(it) => *column = Some(value(it)),
    }
}
