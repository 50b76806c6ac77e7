//! The model server's simple fold: the effect of every event on a campaign, in plain maps.
//!
//! It uses nothing of `campaign_sync::store`, so that a mistake there is not repeated here.

use std::rc::Rc;

use campaign_sync::protocol::digest::{Digest, RowFields, RowHasher};
use campaign_sync::protocol::{Phase, Status};

use super::rows::Rows;
use super::wire;

/// A campaign at one number of its log.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// Everything but the rows.
    pub(crate) record: Record,
    /// The rows, by id.
    pub(crate) rows: Rows,
    /// Whether the campaign was deleted.
    pub(crate) deleted: bool,
    /// The digest of all rows.
    pub(crate) digest: Digest,
}

/// A campaign record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) name: String,
    pub(crate) phase: Phase,
    pub(crate) status: Status,
    pub(crate) counts: Counts,
    pub(crate) percent: f64,
    pub(crate) total: u64,
    pub(crate) created: String,
    pub(crate) updated: String,
    pub(crate) error: Option<String>,
}

/// Counters of a phase: items in all, processed, successful, failed.
pub(crate) type Counts = [u64; 4];

/// A domain row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) domain: String,
    pub(crate) offset: Option<i64>,
    pub(crate) dns: Option<String>,
    pub(crate) http: Option<String>,
    pub(crate) code: Option<i64>,
    pub(crate) lead: Option<String>,
    pub(crate) score: Option<f64>,
    /// The hash of all columns above, with the id.
    pub(crate) hash: u64,
    /// The row as snapshots state it.
    pub(crate) text: Rc<str>,
}

/// A column of a change: `None` leaves the column unchanged, `Some(None)` clears it.
pub(crate) type Column<T> = Option<Option<T>>;

/// A change to one row.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowChange {
    pub(crate) id: String,
    pub(crate) domain: Option<String>,
    pub(crate) offset: Column<i64>,
    pub(crate) dns: Column<String>,
    pub(crate) http: Column<String>,
    pub(crate) code: Column<i64>,
    pub(crate) lead: Column<String>,
    pub(crate) score: Column<f64>,
}

/// The content of an event.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// `campaign.list.update`, create or update.
    Record { action: &'static str, record: Record },
    /// `campaign.progress`
    Progress { phase: Phase, status: Status, counts: Counts, percent: f64 },
    /// `campaign.status`
    Status { phase: Option<Phase>, status: Status, message: Option<String> },
    /// `campaign.phase.transition`
    Transition(Box<Transition>),
    /// `domain.generated`
    Generated(RowChange),
    /// `dns.validation.result`
    Dns(RowChange),
    /// `http.validation.result`
    Http(RowChange),
    /// `domains.updated`
    Rows(Vec<RowChange>),
    /// `domains.removed`
    Removed(Vec<String>),
    /// An informational event, or one of an unknown type.
    Nothing { kind: &'static str },
    /// `campaign.deleted`, or the same as a `campaign.list.update`.
    Deleted { listed: bool },
}

/// A transition, accepted or refused.
#[derive(Clone, Debug)]
pub(crate) struct Transition {
    pub(crate) previous: Phase,
    pub(crate) kind: &'static str,
    pub(crate) prerequisites_met: bool,
    pub(crate) integrity_check: bool,
    pub(crate) record: Record,
    pub(crate) rollback: Option<Rollback>,
}

/// The state that an `error_recovery` returns to.
#[derive(Clone, Debug)]
pub(crate) struct Rollback {
    pub(crate) phase: Phase,
    pub(crate) status: Status,
    pub(crate) counts: Counts,
    pub(crate) total: u64,
}

impl Transition {
    /// Whether it only announces that nothing happened.
    pub(crate) const fn is_refused(&self) -> bool {
        !self.prerequisites_met || !self.integrity_check
    }
}

impl State {
    /// A campaign without rows.
    pub(crate) fn new(record: Record) -> Self {
        Self { record, rows: Rows::default(), deleted: false, digest: Digest(0) }
    }

    /// The state after `change`; `None` if the change cannot be applied.
    pub(crate) fn after(&self, change: &Change) -> Option<Self> {
        let mut next = self.clone();
        match change {
            Change::Record { record, .. } => next.record = record.clone(),
            Change::Progress { phase, status, counts, percent } => {
                if *phase == next.record.phase {
                    (next.record.status, next.record.counts) = (*status, *counts);
                    next.record.percent = *percent;
                }
            }
            Change::Status { phase, status, message } => {
                if phase.is_none() || *phase == Some(next.record.phase) {
                    next.record.status = *status;
                    let failed = *status == Status::Failed;
                    next.record.error = message.clone().filter(|_| failed);
                }
            }
            Change::Transition(transition) => next.go(transition),
            Change::Generated(row) | Change::Dns(row) | Change::Http(row) => next.put(row)?,
            Change::Rows(rows) => {
                for row in rows {
                    next.put(row)?;
                }
                next.recount();
            }
            Change::Removed(ids) => {
                for id in ids {
                    next.rows.remove(id);
                }
                next.recount();
            }
            Change::Nothing { .. } => {}
            Change::Deleted { .. } => next.deleted = true,
        }
        next.digest = Digest(next.rows.sum());
        Some(next)
    }

    fn go(&mut self, transition: &Transition) {
        if transition.is_refused() {
            return;
        }
        let known = self.record.total;
        self.record = transition.record.clone();
        self.record.total = self.record.total.max(known);
        if let (Some(back), "error_recovery") = (&transition.rollback, transition.kind) {
            self.record.phase = back.phase;
            self.record.status = back.status;
            self.record.counts = back.counts;
            self.record.percent = percent(back.counts);
            self.record.total = back.total;
        }
    }

    fn put(&mut self, change: &RowChange) -> Option<()> {
        let known = self.rows.get(&change.id);
        let mut row = match (known, &change.domain) {
            (Some(row), _) => Row::clone(row),
            (None, Some(_)) => Row::empty(),
            (None, None) => return None,
        };
        if let Some(domain) = &change.domain {
            row.domain.clone_from(domain);
        }
        set(&mut row.offset, &change.offset);
        set(&mut row.dns, &change.dns);
        set(&mut row.http, &change.http);
        set(&mut row.code, &change.code);
        set(&mut row.lead, &change.lead);
        set(&mut row.score, &change.score);
        row.hash = RowHasher::default().hash(&row.fields(&change.id));
        row.text = wire::complete(&change.id, &row).into();
        self.rows.insert(&change.id, row);
        self.recount();
        Some(())
    }

    fn recount(&mut self) {
        self.record.total = self.rows.len() as u64;
    }
}

impl Row {
    fn empty() -> Self {
        Self {
            domain: String::new(),
            offset: None,
            dns: None,
            http: None,
            code: None,
            lead: None,
            score: None,
            hash: 0,
            text: "".into(),
        }
    }

    /// The columns, as both ends hash them.
    pub(crate) fn fields<'a>(&'a self, id: &'a str) -> RowFields<'a> {
        RowFields {
            domain_id: id,
            domain: Some(&self.domain),
            offset: self.offset,
            dns_status: self.dns.as_deref(),
            http_status: self.http.as_deref(),
            http_status_code: self.code,
            lead_status: self.lead.as_deref(),
            lead_score: self.score,
        }
    }
}

/// The percentage that follows from the counters.
pub(crate) fn percent([total, processed, ..]: Counts) -> f64 {
    if total == 0 { 0.0 } else { (processed as f64 / total as f64 * 100.0).min(100.0) }
}

fn set<T: Clone>(slot: &mut Option<T>, column: &Column<T>) {
    if let Some(value) = column {
        slot.clone_from(value);
    }
}
