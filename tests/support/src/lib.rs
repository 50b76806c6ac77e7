//! Shared by several kinds of tests: a log in memory, drivers without an application, and a program that
//! queries the server's tables by SQL.
//!
//! The log in memory implements the contract of a log without durability. The other logs are compared with
//! it. The tests of the reference server, the fuzzer and the simulator run sessions over it.

pub mod socket_effects;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use campaign_sync::protocol::digest::{Buckets, EMPTY_BUCKETS, RowHasher, bucket_of, id_hash};
use campaign_sync::protocol::{CampaignId, Digest, Phase};
use campaign_sync_harness::log::compose::Chain;
use campaign_sync_harness::log::divergence::{Kind, changed};
use campaign_sync_harness::log::fold::{Fold, Table};
use campaign_sync_harness::log::{
    ACCEPTED, Appended, CampaignQuery, CampaignState, Divergence, Draft, Event, EventLog, Head,
    LogError, PhaseCounts, REFUSALS_MAX, Recount, Row, RowQuery, Transaction, View,
};

/// A log in memory.
#[derive(Debug)]
pub struct MemoryLog {
    epoch: String,
    campaigns: Mutex<BTreeMap<CampaignId, Campaign>>,
}

type Rows = BTreeMap<String, (Row, u64)>;

#[derive(Clone, Debug, Default)]
struct Campaign {
    head: Head,
    state: CampaignState,
    rows: Rows,
    events: VecDeque<Event>,
    transactions: Vec<Transaction>,
}

/// The changes of rows that an append makes. They are applied only after every event of it has been accepted.
#[derive(Debug)]
struct Staged<'a> {
    rows: &'a Rows,
    changes: BTreeMap<String, Option<(Row, u64)>>,
}

impl Table for Staged<'_> {
    fn get(&mut self, domain_id: &str) -> Result<Option<(Row, u64)>, LogError> {
        let staged = self.changes.get(domain_id).map(Option::as_ref);
        Ok(staged.unwrap_or_else(|| self.rows.get(domain_id)).cloned())
    }

    fn put(&mut self, row: &Row, hash: u64) -> Result<(), LogError> {
        self.changes.insert(row.domain_id.clone(), Some((row.clone(), hash)));
        Ok(())
    }

    fn remove(&mut self, domain_id: &str) -> Result<(), LogError> {
        self.changes.insert(domain_id.to_owned(), None);
        Ok(())
    }
}

impl MemoryLog {
    /// An empty log with this epoch.
    pub fn new(epoch: &str) -> Self {
        Self { epoch: epoch.to_owned(), campaigns: Mutex::default() }
    }

    /// A copy of the log in its present state, to restore later.
    pub fn backup(&self) -> Self {
        let campaigns = self.campaigns_mut().clone();
        Self { epoch: self.epoch.clone(), campaigns: Mutex::new(campaigns) }
    }

    /// The same campaigns under another epoch. Each history begins after the present head, so no event of the
    /// former epoch is replayed.
    #[must_use]
    pub fn renewed(self, epoch: &str) -> Self {
        for it in self.campaigns_mut().values_mut() {
            it.events.clear();
            it.head.oldest = it.head.number + 1;
        }
        Self { epoch: epoch.to_owned(), ..self }
    }

    fn campaigns_mut(&self) -> MutexGuard<'_, BTreeMap<CampaignId, Campaign>> {
        self.campaigns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of<T>(&self, campaign: &CampaignId, read: impl FnOnce(&Campaign) -> T) -> Option<T> {
        self.campaigns_mut().get(campaign).map(read)
    }
}

impl Campaign {
    fn append(
        &mut self,
        epoch: &str,
        campaign: &CampaignId,
        drafts: &[Draft],
    ) -> Result<Appended, LogError> {
        let mut chain = Chain::after(epoch, &self.head);
        let staged = Staged { rows: &self.rows, changes: BTreeMap::new() };
        let mut fold = Fold::from(self.head.clone(), self.state.clone(), staged);
        let mut events = Vec::with_capacity(drafts.len());
        let mut audit_entry = Vec::new();
        for draft in drafts {
            let head = self.head.number;
            if draft.counted.as_ref().is_some_and(|counted| *counted != self.recount()) {
                return Err(LogError::Conflict { head });
            }
            events.push(chain.next(campaign, draft, None)?);
            fold.event(campaign, draft.kind, &draft.data)?;
            if let Some(owner) = &draft.owner {
                fold.set_owner(owner);
            }
            let entry = draft.audit_entry.as_ref();
            audit_entry.extend(
                entry.map(|it| it.complete(campaign, (chain.number, &chain.event_id), &fold.state)),
            );
        }
        let Fold { state, head, table: Staged { changes, .. }, .. } = fold;
        self.head = Head { number: chain.number, event_id: chain.event_id, ..head };
        self.state = state;
        for (id, row) in changes {
            match row {
                Some(row) => self.rows.insert(id, row),
                None => self.rows.remove(&id),
            };
        }
        self.events.extend(events.iter().cloned());
        audit_entry.into_iter().for_each(|entry| self.insert_audit_entry(entry));
        Ok(Appended { events, head: self.head.clone(), state: self.state.clone() })
    }

    fn insert_audit_entry(&mut self, entry: Transaction) {
        self.transactions.push(entry);
        let is_refusal = |it: &Transaction| it.result != ACCEPTED;
        let refusals = self.transactions.iter().filter(|it| is_refusal(it)).count();
        let mut beyond = refusals.saturating_sub(REFUSALS_MAX as usize);
        self.transactions.retain(|it| {
            let goes = beyond > 0 && is_refusal(it);
            beyond -= usize::from(goes);
            !goes
        });
    }

    fn audit_entry(&self, key: &str) -> Option<&Transaction> {
        self.transactions.iter().find(|it| it.key.as_deref() == Some(key))
    }

    fn recount(&self) -> Recount {
        let (mut digest, mut phase_counts, mut hasher) =
            (Digest::default(), PhaseCounts::default(), RowHasher::default());
        for (row, _) in self.rows.values() {
            digest.add(row.hash(&mut hasher));
            phase_counts.add(row);
        }
        Recount { head: self.head.clone(), count: phase_counts.rows, digest, phase_counts }
    }

    fn view(&self, query: &RowQuery) -> View {
        let mut rows: Vec<&Row> =
            self.rows.values().map(|(row, _)| row).filter(|row| matches(row, query)).collect();
        rows.sort_by_key(|row| (row.offset, row.domain_id.clone()));
        let matching = rows.len() as u64;
        let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
        let rows = rows.into_iter().skip(query.skip as usize).take(limit).cloned().collect();
        View { head: self.head.clone(), state: self.state.clone(), rows, matching }
    }
}

fn matches(row: &Row, query: &RowQuery) -> bool {
    let is = |wanted: &Option<String>, value: &Option<String>| wanted.is_none() || wanted == value;
    let awaited = match query.awaiting {
        None => true,
        Some(Phase::DnsValidation) => row.dns_status.is_none(),
        Some(Phase::HttpKeywordValidation) => {
            row.dns_status.as_deref() == Some("resolved") && row.http_status.is_none()
        }
        Some(Phase::Analysis) => {
            row.http_status.as_deref() == Some("success") && row.lead_status.is_none()
        }
        Some(_) => true,
    };
    let bucket = bucket_of(id_hash(&row.domain_id)) as u8;
    awaited
        && is(&query.dns_status, &row.dns_status)
        && is(&query.http_status, &row.http_status)
        && query.buckets.as_ref().is_none_or(|buckets| buckets.contains(&bucket))
        && query.from_offset.is_none_or(|from| row.offset >= Some(from))
        && query
            .search
            .as_ref()
            .is_none_or(|text| row.domain.to_lowercase().contains(&text.to_lowercase()))
}

impl EventLog for MemoryLog {
    fn epoch(&self) -> String {
        self.epoch.clone()
    }

    fn secret(&self) -> String {
        "the secret of a log in memory".to_owned()
    }

    fn campaigns(&self) -> Result<Vec<CampaignId>, LogError> {
        Ok(self.campaigns_mut().keys().cloned().collect())
    }

    fn list(&self, query: &CampaignQuery<'_>) -> Result<Vec<(CampaignId, View)>, LogError> {
        let is_listed = |(id, it): &(&CampaignId, &Campaign)| {
            !it.state.deleted
                && query.owner.is_none_or(|owner| it.state.settings.owner.as_deref() == Some(owner))
                && query.after.is_none_or(|after| *id > after)
        };
        let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
        let campaigns = self.campaigns_mut();
        let listed = campaigns.iter().filter(is_listed).take(limit);
        Ok(listed.map(|(id, it)| (id.clone(), it.view(&RowQuery::NONE))).collect())
    }

    fn head(&self, campaign: &CampaignId) -> Result<Option<Head>, LogError> {
        Ok(self.of(campaign, |it| it.head.clone()))
    }

    fn append(
        &self,
        campaign: &CampaignId,
        expected: u64,
        drafts: &[Draft],
    ) -> Result<Appended, LogError> {
        let mut campaigns = self.campaigns_mut();
        let mut fresh = Campaign::default();
        let it = campaigns.get_mut(campaign).unwrap_or(&mut fresh);
        let keys = drafts.iter().filter_map(|draft| draft.audit_entry.as_ref()?.key.as_deref());
        let has_used_key = keys.into_iter().any(|key| it.audit_entry(key).is_some());
        if it.head.number != expected || has_used_key {
            return Err(LogError::Conflict { head: it.head.number });
        }
        let appended = it.append(&self.epoch, campaign, drafts)?;
        if expected == 0 {
            campaigns.insert(campaign.clone(), fresh);
        }
        Ok(appended)
    }

    fn read(
        &self,
        campaign: &CampaignId,
        after: u64,
        bytes: usize,
    ) -> Result<Vec<Event>, LogError> {
        let page = self.of(campaign, |it| {
            let (mut page, mut size) = (Vec::new(), 0);
            for event in it.events.iter().filter(|event| event.number > after) {
                size += event.document.len() + 1;
                if size > bytes && !page.is_empty() {
                    break;
                }
                page.push(event.clone());
            }
            page
        });
        Ok(page.unwrap_or_default())
    }

    fn bytes_after(&self, campaign: &CampaignId, after: u64) -> Result<u64, LogError> {
        let size = self.of(campaign, |it| {
            let later = it.events.iter().filter(|event| event.number > after);
            later.map(|event| event.document.len() as u64).sum()
        });
        Ok(size.unwrap_or_default())
    }

    fn view(&self, campaign: &CampaignId, rows: &RowQuery) -> Result<Option<View>, LogError> {
        Ok(self.of(campaign, |it| it.view(rows)))
    }

    fn recount(&self, campaign: &CampaignId) -> Result<Option<Recount>, LogError> {
        Ok(self.of(campaign, Campaign::recount))
    }

    fn buckets(&self, campaign: &CampaignId) -> Result<Option<(u64, Box<Buckets>)>, LogError> {
        Ok(self.of(campaign, |it| {
            let mut buckets = Box::new(EMPTY_BUCKETS);
            for (id, (_, hash)) in &it.rows {
                let bucket = &mut buckets[bucket_of(id_hash(id))];
                bucket.count += 1;
                bucket.sum.add(*hash);
            }
            (it.head.number, buckets)
        }))
    }

    fn transactions(&self, campaign: &CampaignId) -> Result<Vec<Transaction>, LogError> {
        Ok(self.of(campaign, |it| it.transactions.clone()).unwrap_or_default())
    }

    fn record_refusal(&self, campaign: &CampaignId, refused: &Transaction) -> Result<(), LogError> {
        let mut campaigns = self.campaigns_mut();
        let Some(it) = campaigns.get_mut(campaign) else { return Ok(()) };
        if refused.key.as_deref().is_none_or(|key| it.audit_entry(key).is_none()) {
            it.insert_audit_entry(refused.clone());
        }
        Ok(())
    }

    fn audit_entry(
        &self,
        campaign: &CampaignId,
        key: &str,
    ) -> Result<Option<Transaction>, LogError> {
        Ok(self.of(campaign, |it| it.audit_entry(key).cloned()).flatten())
    }

    fn truncate(&self, campaign: &CampaignId, to: u64) -> Result<(), LogError> {
        if let Some(it) = self.campaigns_mut().get_mut(campaign) {
            it.events.retain(|event| event.number > to);
            it.head.oldest = it.head.oldest.max(to.min(it.head.number) + 1);
        }
        Ok(())
    }

    fn diverge(&self, campaign: &CampaignId, how: Divergence) -> Result<u64, LogError> {
        let mut campaigns = self.campaigns_mut();
        let it = campaigns.get_mut(campaign).ok_or(LogError::UnknownCampaign)?;
        let mut hasher = RowHasher::default();
        let mut digest = it.head.domains_digest;
        let kept = if how.kind == Kind::Insert { 0 } else { how.rows as usize };
        let changes = it.rows.values().take(kept).map(|(row, _)| changed(row));
        let rows: Vec<Row> = changes.chain(how.inserted_rows(it.rows.len() as u64)).collect();
        for row in &rows {
            let hash = row.hash(&mut hasher);
            digest.add(hash);
            let former = it.rows.insert(row.domain_id.clone(), (row.clone(), hash));
            former.iter().for_each(|(_, hash)| digest.remove(*hash));
        }
        if !how.break_integrity {
            it.head.domains_digest = digest;
            it.head.domains_count = it.rows.len() as u64;
        }
        Ok(rows.len() as u64)
    }
}
