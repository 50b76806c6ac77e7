//! The real core of the reference server, over its log in memory. All that it does is mirrored in the
//! model's campaigns. They are the truth for the oracle, and the core must agree with them.
//!
//! A kill discards everything but the log. Behaviour that breaks the contract is left to the model
//! server. The core has one log for all campaigns, with one epoch at a time.

mod agreement;
mod driver;
mod faulty;
mod strike;

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use campaign_sync::protocol::CampaignId;
use campaign_sync_harness::access::Access;
use campaign_sync_harness::clock::Moment;
use campaign_sync_harness::hub::Hub;
use campaign_sync_harness::log::divergence::Kind;
use campaign_sync_harness::log::{Divergence, Draft, EventLog as _, LogError, RowQuery};
use campaign_sync_harness::retention::{Limits, sweep};
use campaign_sync_harness::session::Context;
use campaign_sync_harness::session::limits::Delivery;
use campaign_sync_harness::snapshots::Snapshots;
use campaign_sync_support::MemoryLog;

use super::invariants::{Check, Violation, demand};
use super::server::log::Campaign;
use super::server::session::HEARTBEAT_MS;
use super::server::state::{Change, RowChange};
use super::server::{Storage, wire};
pub(crate) use driver::ServerSocket;
pub(crate) use faulty::Defect;
use faulty::Faulty;

/// The prefix of all epochs.
pub(crate) const EPOCH_PREFIX: &str = "core";
/// The number of events between two backups.
const BACKUP_EVERY: u64 = 16;
/// The number of events between two comparisons of all rows.
const ROWS_EVERY: u64 = 32;

/// The configuration of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    /// Whether a frame holds only one event.
    pub(crate) single: bool,
    /// The allowed recovery requests per second and campaign.
    pub(crate) recoveries_per_second: u32,
    /// Whether backups are made.
    pub(crate) backs_up: bool,
    /// The deliberate defect of its log.
    pub(crate) defect: Option<Defect>,
}

/// The log, and the server that runs over it.
#[derive(Debug)]
pub(crate) struct Core {
    log: Arc<MemoryLog>,
    context: Arc<Context>,
    setup: Setup,
    /// How often the server was started again.
    starts: u64,
    epochs: u64,
    appended: u64,
    backup: MemoryLog,
}

/// The current time in the form that the server takes.
fn moment(now_ms: u64) -> Moment {
    Moment { monotonic_ms: now_ms, wall_ms: wire::BEGAN_MS + now_ms }
}

fn id(campaign: &str) -> CampaignId {
    CampaignId::new(campaign).unwrap_or_else(|_| unreachable!("names of campaigns are made here"))
}

fn violation(detail: impl Display) -> Violation {
    Violation { guarantee: "core", detail: detail.to_string() }
}

fn failed(error: LogError) -> Violation {
    violation(format_args!("the log says: {error}"))
}

fn context(log: &Arc<MemoryLog>, setup: &Setup, starts: u64) -> Arc<Context> {
    let delivery =
        Delivery { recoveries_per_second: setup.recoveries_per_second, ..Delivery::default() };
    let hub = match setup.defect {
        Some(defect) => Hub::new(Arc::new(Faulty::new(log.clone(), defect))),
        None => Hub::new(log.clone()),
    };
    Arc::new(Context {
        hub: Arc::new(hub.with_feeds(format!("feed-{starts}"))),
        snapshots: Snapshots::default(),
        access: Access::open(),
        heartbeat_ms: HEARTBEAT_MS,
        delivery,
        drain_spread_ms: 4_000,
        one_event_per_frame: AtomicBool::new(setup.single),
    })
}

impl Core {
    /// A server with an empty log.
    pub(crate) fn new(setup: Setup) -> Self {
        let log = Arc::new(MemoryLog::new(&format!("{EPOCH_PREFIX}-epoch-1")));
        let (context, backup) = (context(&log, &setup, 0), log.backup());
        Self { log, context, setup, starts: 0, epochs: 1, appended: 0, backup }
    }

    /// Kills the server and starts it again over the same log.
    pub(crate) fn kill(&mut self) {
        self.starts += 1;
        self.context = context(&self.log, &self.setup, self.starts);
    }

    /// Commits an event. Publishes it, unless the server dies first.
    pub(crate) fn append(
        &mut self,
        now_ms: u64,
        campaign: &mut Campaign,
        change: &Change,
        published: bool,
    ) -> Check {
        let id = id(&campaign.id);
        let Some(after) = campaign.state().after(change) else {
            return Err(violation("the workload made a change that the state does not allow"));
        };
        let draft = Draft {
            kind: wire::kind(change),
            timestamp: wire::timestamp(now_ms),
            data: wire::data(&campaign.id, change, &after).to_string(),
            audit_entry: None,
            counted: None,
            owner: None,
        };
        let head = campaign.log().head();
        let appended = if published {
            self.context.hub.append(&id, head, &[draft])
        } else {
            self.log.append(&id, head, &[draft])
        };
        let appended = appended.map_err(failed)?;
        let [event] = &*appended.events else {
            return Err(violation(format_args!("one draft made {} events", appended.events.len())));
        };
        campaign.mirror(now_ms, change, &appended.head.event_id, &event.document);
        agreement::of_append(&appended, campaign)?;
        self.appended += 1;
        if self.appended.is_multiple_of(ROWS_EVERY) {
            self.compare_rows(campaign)?;
        }
        // A backup contains every campaign, and a deleted campaign stays deleted after a restore.
        let must = campaign.log().head() == 1 || campaign.state().deleted;
        if self.setup.backs_up && (must || self.appended.is_multiple_of(BACKUP_EVERY)) {
            self.backup = self.log.backup();
        }
        Ok(())
    }

    fn compare_rows(&self, campaign: &Campaign) -> Check {
        let id = id(&campaign.id);
        let view = self.log.view(&id, &RowQuery::default()).map_err(failed)?;
        let recount = self.log.recount(&id).map_err(failed)?;
        agreement::of_rows(view.as_ref(), recount.as_ref(), campaign.state())
    }

    /// Replaces the log by the backup under a new epoch, and starts the server over it.
    pub(crate) fn restore(&mut self, now_ms: u64, storage: &mut Storage) -> Check {
        self.epochs += 1;
        let log = self.backup.backup().renewed(&format!("{EPOCH_PREFIX}-epoch-{}", self.epochs));
        for campaign in storage.campaigns.values_mut() {
            let head = log.head(&id(&campaign.id)).map_err(failed)?.unwrap_or_default();
            campaign.restore(now_ms, head.number, true);
            let log = campaign.log();
            let same =
                *log.epoch == *self.epoch() && log.event_id(head.number).as_ref() == head.event_id;
            demand(same, "core", || format!("{} was restored as {head:?}", campaign.id))?;
        }
        (self.log, self.backup) = (Arc::new(log.backup()), log);
        self.kill();
        Ok(())
    }

    fn epoch(&self) -> String {
        format!("{EPOCH_PREFIX}-epoch-{}", self.epochs)
    }

    /// Removes the events before `oldest` from history.
    pub(crate) fn truncate(&self, campaign: &str, oldest: u64) -> Check {
        let id = id(campaign);
        self.context.hub.log().truncate(&id, oldest - 1).map_err(failed)?;
        self.context.hub.reread(&id).map_err(failed)
    }

    /// Limits the history of all campaigns to this many events.
    pub(crate) fn sweep(&self, now_ms: u64, events: u64) -> Check {
        let limits = Limits { history_events: events, ..Limits::NONE };
        sweep(&self.context.hub, moment(now_ms), &limits).map_err(failed)
    }

    /// Changes or adds a row without an event. Returns the change as an event would state it.
    pub(crate) fn mutate(
        &mut self,
        campaign: &Campaign,
        insert: bool,
    ) -> Result<Change, Violation> {
        let (id, hub) = (id(&campaign.id), &self.context.hub);
        let kind = if insert { Kind::Insert } else { Kind::Change };
        let how = Divergence { rows: 1, kind, break_integrity: false };
        hub.log().diverge(&id, how).map_err(failed)?;
        hub.reread(&id).map_err(failed)?;
        self.context.snapshots.forget(&id);
        self.backup = self.log.backup();
        let view = self.log.view(&id, &RowQuery::default()).map_err(failed)?;
        let rows = view.map(|view| view.rows).unwrap_or_default();
        let state = campaign.state();
        let changed = rows.into_iter().filter(|row| !agreement::has(state, row));
        // The patch has every column, because the row may replace another one with the same id.
        let patch = |row: campaign_sync_harness::log::Row| RowChange {
            id: row.domain_id,
            domain: Some(row.domain),
            offset: Some(row.offset),
            dns: Some(row.dns_status),
            http: Some(row.http_status),
            code: Some(row.http_status_code.map(i64::from)),
            lead: Some(row.lead_status),
            score: Some(row.lead_score),
        };
        Ok(Change::Rows(changed.map(patch).collect()))
    }
}
