//! The oracle compares the state that every page shows with the history of the server.

use std::rc::Rc;

use campaign_sync::protocol::Position;
use campaign_sync::protocol::campaign::CampaignRecord;
use campaign_sync::protocol::digest::RowFields;
use campaign_sync::protocol::frame::Frame;
use campaign_sync::store::table::DNS;
use campaign_sync::store::{CampaignStore, DomainTable};
use campaign_sync::sync::context::ViewChange;
use campaign_sync::sync::{Effect, Now, Status, Verdict};

use super::cached::CachedContent;
use super::client::Client;
use super::evidence::{Proof, sequence_of};
use super::invariants::{Check, Requests, Violation, demand};
use super::retry_after::RetryAfterCheck;
use super::server::Storage;
use super::server::log::{Campaign, Log};
use super::server::state::{Record, Row, State};
use super::users::User;

/// While a campaign is `live`, nothing that was committed longer ago than this may be missing.
const FRESH_MS: u64 = 10_000;

/// The number of left epochs that a client remembers.
const EPOCHS_MAX: usize = 8;

/// All rows are compared one by one at every multiple of this many changes. Their digest is compared at
/// every change.
const ROWS_EVERY: u64 = 12;

/// The oracle's record of one campaign on one page.
#[derive(Clone, Debug, Default)]
pub(crate) struct CampaignTrace {
    /// The times of the recovery requests.
    pub(crate) requests: Requests,
    /// Whether the page was notified that rows differ, and not yet that they agree again.
    pub(crate) reported_difference: bool,
    /// The proofs from this socket since the state was last replaced.
    pub(crate) proofs: Vec<Proof>,
    /// The content that caches may hold.
    cached: CachedContent,
    /// Whether the state was replaced in this step.
    pub(crate) replaced: bool,
    /// The time for which the server has postponed the next request.
    pub(crate) retry_after: RetryAfterCheck,
    /// The hashes of this number and of later ones must be remembered, within the window.
    remembered: u64,
    /// The era of the log, and the number in it.
    place: Option<(usize, u64)>,
    position: Option<Position>,
    /// The eras that the client has left.
    left: Vec<usize>,
    /// Whether a repair brought the state of this number, from whichever log the server showed at that
    /// time.
    repaired: bool,
    shown: Option<Rc<State>>,
    compared: u64,
    /// The user whose session brought the state.
    pub(crate) source: Option<User>,
    /// Whether the state was dropped in this step.
    dropped: bool,
}

/// The work of a machine in one step, by its own counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Events applied.
    pub(crate) applied: u64,
    /// Snapshots swapped in.
    pub(crate) snapshots: u64,
    /// Repairs completed.
    pub(crate) repairs: u64,
    /// Whether the input was a single document.
    pub(crate) alone: bool,
}

impl Progress {
    /// The counters of a machine so far.
    pub(crate) fn of(client: &Client) -> Self {
        let metrics = client.machine.metrics();
        let (applied, snapshots, repairs) = (metrics.applied, metrics.snapshots, metrics.repairs);
        Self { applied, snapshots, repairs, alone: false }
    }

    /// The work since `before`.
    pub(crate) const fn since(self, before: Self) -> Self {
        Self {
            applied: self.applied - before.applied,
            snapshots: self.snapshots - before.snapshots,
            repairs: self.repairs - before.repairs,
            alone: false,
        }
    }
}

/// Checks everything that a step of a client may have changed.
pub(crate) fn check(
    client: &mut Client,
    storage: &Storage,
    step: Progress,
    (changes, effects): (&[ViewChange], &[Effect]),
) -> Check {
    let Client { machine, watches, held_events_max, page_user, .. } = client;
    let source = page_user.and_then(|page_user| page_user.source);
    let watched = watches.len();
    watches.retain(|id, _| machine.subscription(id).is_some());
    // A campaign that was released in this step may have moved before, which is no longer visible.
    let mut released = watches.len() < watched;
    let mut advanced = 0;
    for id in machine.campaigns() {
        let Some(subscription) = machine.subscription(id.as_str()) else { continue };
        let watch = watches.entry(id.to_string()).or_default();
        let (events, bytes) = subscription.held();
        demand(events <= *held_events_max && bytes <= 1 << 20, "G7", || {
            format!("{events} events, {bytes} bytes of {id} are held")
        })?;
        // The same holds for one that was dropped.
        released |= std::mem::take(&mut watch.dropped);
        if watch.place.is_none() {
            watch.source = source;
        }
        let campaign = storage.campaigns.get(id.as_str());
        let reported = changes.iter().any(|change| change.campaign_id == *id);
        watch.cached.follow(subscription.store(), changes, effects, id.as_str())?;
        let passed = watch.step(subscription.store(), campaign, step, reported);
        advanced += passed.map_err(|violation| Violation {
            detail: format!("{id}: {}", violation.detail),
            ..violation
        })?;
    }
    let accounted = advanced == step.applied || (released && advanced < step.applied);
    demand(step.snapshots > 0 || accounted, "G2", || {
        format!("{} events were applied, the positions moved by {advanced}", step.applied)
    })
}

/// G2: the hash of an event that was applied within the window is known. The check runs before the step
/// is recorded, so that each watch still holds the state before the step.
pub(crate) fn check_memory(client: &Client, frame: Frame<'_>, verdicts: &[Verdict]) -> Check {
    if !verdicts.contains(&Verdict::OutOfOrder) {
        return Ok(());
    }
    for (document, verdict) in frame.documents().into_iter().flatten().zip(verdicts) {
        if *verdict != Verdict::OutOfOrder {
            continue;
        }
        let Some((id, epoch, number)) = sequence_of(document) else { continue };
        let Some(watch) = client.watches.get(&id) else { continue };
        let Some(held) = client.machine.subscription(&id) else { continue };
        let Some(position) = held.store().position() else { continue };
        let (Some((_, before)), false) = (watch.place, watch.replaced) else { continue };
        let age = position.sequence_number.get().saturating_sub(number);
        let known = epoch == position.epoch.as_str()
            && (watch.remembered..=before).contains(&number)
            && age < client.dedupe_window as u64;
        demand(!known, "G2", || {
            format!("#{number} of {id} was applied, and is forgotten at {position}")
        })?;
    }
    Ok(())
}

/// G4, and the correctness of `live`: checked whenever time passes, whichever part of the world acted. A
/// client cannot promise more than its replica knew up to `lag_ms` ago.
pub(crate) fn check_live(client: &Client, storage: &Storage, lag_ms: u64, true_ms: u64) -> Check {
    let now = client.clock.now(true_ms);
    for (id, watch) in &client.watches {
        if client.machine.status(id, now) != Some(Status::Live) {
            continue;
        }
        demand(!watch.reported_difference, "G10", || {
            format!("{id} is live although its rows are known to differ")
        })?;
        let position = client.machine.subscription(id).and_then(|it| it.store().position());
        let proven =
            |proof: &Proof| proof.is_fresh(now) && position.is_some_and(|it| proof.is_of(it));
        demand(watch.proofs.iter().any(proven), "G4", || {
            format!("{id} is live at {position:?}, and this socket proves only {:?}", watch.proofs)
        })?;
        let Some(then_ms) = true_ms.checked_sub(FRESH_MS + lag_ms) else { continue };
        let campaign = storage.campaigns.get(id);
        let fresh = campaign
            .zip(watch.place)
            .is_some_and(|(campaign, (era, number))| campaign.includes(era, number, then_ms));
        demand(fresh, "G4", || {
            let heads: Vec<_> = campaign
                .map(|it| it.logs().iter().map(|log| (log.since_ms, log.head())).collect())
                .unwrap_or_default();
            format!("{id} is live at {:?}, the logs (since, head) are {heads:?}", watch.place)
        })?;
    }
    Ok(())
}

/// Checks that a page shows everything that the server has, with the right status. The error says what
/// is missing.
pub(crate) fn converged(client: &Client, storage: &Storage, now: Now) -> Result<(), String> {
    for id in client.held.keys() {
        let status = client.machine.status(id, now);
        let Some(campaign) = storage.campaigns.get(id) else {
            match status {
                Some(Status::Failed(_)) => continue,
                _ => return Err(format!("{id} does not exist and is {status:?}")),
            }
        };
        if !storage.owners.show(id, client.cookie()) {
            match status {
                // An ended campaign is asked for no more, and nothing says that it was given away.
                Some(Status::Failed(_) | Status::Ended) => continue,
                _ => return Err(format!("{id} belongs to another user and is {status:?}")),
            }
        }
        let log = campaign.log();
        let place = client.watches.get(id).and_then(|watch| watch.place);
        if log.state().deleted && status == Some(Status::Ended) {
            continue;
        }
        let head = (log.era, log.head());
        if status != Some(Status::Live) || place != Some(head) {
            return Err(format!("{id} is {status:?} at {place:?}, the head is {head:?}"));
        }
        let store = client.machine.subscription(id).map(|subscription| subscription.store());
        // No digest covers the record. After silent changes that were undone, it may be the record of a
        // server without them.
        let states = log.states_at(log.head()).unwrap_or_default();
        let equal = store.is_some_and(|store| {
            same_rows(store, log.state(), true)
                && states.iter().any(|state| same_record(store, &state.record))
        });
        if !equal {
            return Err(format!("{id} is live at the head and differs from the server"));
        }
    }
    Ok(())
}

impl CampaignTrace {
    /// The page dropped the state, because the session may no longer see it.
    pub(crate) fn forget(&mut self) {
        (self.place, self.position, self.shown) = (None, None, None);
        (self.repaired, self.replaced, self.reported_difference) = (false, false, false);
        self.proofs.clear();
        self.remembered = 0;
        self.dropped = true;
    }

    /// The era of the log, and the number in it.
    pub(crate) const fn place(&self) -> Option<(usize, u64)> {
        self.place
    }

    /// Checks one campaign. Returns the number of events by which its position moved.
    fn step(
        &mut self,
        store: &CampaignStore,
        campaign: Option<&Campaign>,
        step: Progress,
        reported: bool,
    ) -> Result<u64, Violation> {
        let Some(position) = store.position() else {
            let empty = self.place.is_none() && store.record().is_none();
            demand(empty && store.table().is_empty(), "G1", || {
                "there is a state without a position".to_owned()
            })?;
            return Ok(0);
        };
        let (epoch, number) = (position.epoch.as_str(), position.sequence_number.get());
        let logs: Vec<&Log> = campaign
            .into_iter()
            .flat_map(|it| it.logs_with(epoch, number, &position.event_id))
            .collect();
        let Some(era) = logs.first().map(|log| log.era) else {
            let detail = format!("the server never was at {position} ({})", position.event_id);
            return Err(Violation { guarantee: "G1", detail });
        };
        let before = self.place;
        let back = before.is_some_and(|(former, before)| former == era && before > number);
        demand(!back && !self.left.contains(&era), "G6", || {
            format!(
                "the position went from {before:?} to {:?}, after {:?}",
                (era, number),
                self.left
            )
        })?;
        if let Some((former, _)) = before.filter(|(former, _)| *former != era) {
            self.left.push(former);
            if self.left.len() > EPOCHS_MAX {
                self.left.remove(0);
            }
        }
        self.place = Some((era, number));
        self.position = Some(position.clone());
        let replaced = std::mem::take(&mut self.replaced);
        if replaced || before.is_none_or(|(former, _)| former != era) {
            self.remembered = number + 1;
        }
        let moved = before != self.place;
        if moved {
            self.requests.progress();
        }
        let unchanged = self.shown.as_ref().is_some_and(|shown| {
            shown.rows.len() == store.table().len() && shown.digest == store.table().digest()
        });
        if moved || !unchanged || reported {
            self.repaired = step.repairs > 0 || (self.repaired && !moved);
            let states = logs.iter().flat_map(|log| log.states_at(number).unwrap_or_default());
            let mut states: Vec<Rc<State>> = states.cloned().collect();
            if let Some(campaign) = campaign.filter(|_| self.repaired) {
                let all = campaign.logs_of(era).filter_map(|log| log.states_at(number));
                states.extend(all.flatten().cloned());
            }
            let refuses = moved && logs.iter().any(|log| log.refuses_at(number));
            self.compare(store, &states, step, refuses)?;
        }
        demand(reported || (!moved && unchanged), "changes", || {
            format!("no notification that the view changed, from {before:?} to {position}")
        })?;
        let from = before.filter(|(former, _)| *former == era).map_or(0, |(_, number)| number);
        Ok(number - from)
    }

    /// G1, G3: the state is one that the server had at exactly this number.
    fn compare(
        &mut self,
        store: &CampaignStore,
        states: &[Rc<State>],
        step: Progress,
        refuses: bool,
    ) -> Check {
        self.compared += 1;
        let swapped = step.snapshots + step.repairs > 0;
        let rows = swapped || self.compared.is_multiple_of(ROWS_EVERY);
        if store.position().is_some_and(|position| position.sequence_number.get() == 0) {
            let empty = store.record().is_none() && store.table().is_empty();
            self.shown = states.last().cloned();
            return demand(empty, "G3", || "there is a state before the first event".to_owned());
        }
        let found = states.iter().rev().find(|state| shows(store, state, rows));
        let Some(state) = found else {
            let detail = difference(store, states);
            let guarantee = if refuses { "G11" } else { "G1" };
            return Err(Violation { guarantee, detail });
        };
        if refuses && step.applied == 1 && step.alone {
            demand(store.error().is_some(), "G11", || "the refusal is not shown".to_owned())?;
        }
        match self.shown.replace(state.clone()) {
            Some(before) if swapped && step.applied == 0 => keeps_rows(&before, store),
            _ => Ok(()),
        }
    }
}

/// G5: checks that the rows that a snapshot or a repair lacks are kept as unconfirmed, if they are many.
fn keeps_rows(before: &State, store: &CampaignStore) -> Check {
    let (table, aside) = (store.table(), store.unconfirmed());
    let lost = |id: &&Rc<str>| table.find(id).is_none() && aside.find(id).is_none();
    let lost = before.rows.iter().map(|(id, _)| id).filter(lost).count();
    let most = (before.rows.len() / 100).max(100);
    demand(lost <= most, "G5", || format!("{lost} of {} rows are gone", before.rows.len()))?;
    let both = (0..aside.len()).find(|&row| table.find(aside.id(row)).is_some());
    demand(both.is_none(), "G5", || "a row is both confirmed and unconfirmed".to_owned())
}

/// Whether a store shows exactly this state. Without `rows`, only the number of rows and their digest
/// are compared.
fn shows(store: &CampaignStore, state: &State, rows: bool) -> bool {
    same_record(store, &state.record) && same_rows(store, state, rows)
}

fn same_rows(store: &CampaignStore, state: &State, rows: bool) -> bool {
    let table = store.table();
    table.len() == state.rows.len()
        && table.digest() == state.digest
        && (!rows || (0..table.len()).all(|row| same_row(&table.fields(row), state)))
        && (!rows || status_counts_match(table))
}

/// Whether a store shows this record.
pub(crate) fn same_record(store: &CampaignStore, record: &Record) -> bool {
    store.record().is_some_and(|ours| is_record(ours, record))
}

/// Whether the two records are equal.
pub(crate) fn is_record(ours: &CampaignRecord, record: &Record) -> bool {
    let counters = &ours.counters;
    let counts = [
        counters.total_items,
        counters.processed_items,
        counters.successful_items,
        counters.failed_items,
    ];
    (ours.phase, ours.status, counts) == (record.phase, record.status, record.counts)
        && counters.progress_percentage == record.percent
        && ours.total_domain_count == record.total
        && (&ours.name, &ours.error_message) == (&record.name, &record.error)
        && (&ours.created_at, &ours.updated_at) == (&record.created, &record.updated)
}

fn same_row(fields: &RowFields<'_>, state: &State) -> bool {
    let theirs = state.rows.get(fields.domain_id);
    theirs.is_some_and(|row: &Rc<Row>| *fields == row.fields(fields.domain_id))
}

/// Whether the counts by DNS status add up to the number of rows that have one.
pub(crate) fn status_counts_match(table: &DomainTable) -> bool {
    let statuses = |row: usize| table.fields(row).dns_status;
    let named = (0..table.len()).filter(|&row| statuses(row).is_some()).count() as u64;
    let counted: u64 = table.statuses(DNS).counts().map(|(_, count)| u64::from(count)).sum();
    named == counted
}

/// Describes how a store differs from the last of these states.
pub(crate) fn difference(store: &CampaignStore, states: &[Rc<State>]) -> String {
    let Some(state) = states.last() else { return "there is no such number".to_owned() };
    let table = store.table();
    if !same_record(store, &state.record) {
        return format!("the record is {:?}, and was {:?}", store.record(), state.record);
    }
    let ours = (0..table.len()).map(|row| table.fields(row));
    let wrong: Vec<_> = ours.filter(|row| !same_row(row, state)).take(3).collect();
    let lacking: Vec<_> =
        state.rows.iter().map(|(id, _)| id).filter(|id| table.find(id).is_none()).take(3).collect();
    format!(
        "{} rows, and the server had {}; not as on the server: {wrong:?}; lacking: {lacking:?}",
        table.len(),
        state.rows.len()
    )
}
