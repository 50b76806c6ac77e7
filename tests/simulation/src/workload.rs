//! The workload: random changes of campaigns, as a server could make them.

use campaign_sync::protocol::{Phase, Status};

use super::rng::Rng;
use super::server::state::{Change, Counts, Record, Rollback, RowChange, State, Transition};
use super::server::wire::timestamp;

/// Phases that campaigns go through.
const PHASES: &[Phase] = &[
    Phase::Setup,
    Phase::DomainGeneration,
    Phase::DnsValidation,
    Phase::HttpKeywordValidation,
    Phase::Analysis,
];

const STATUSES: &[&str] = &["resolved", "failed", "timeout", "pending", "größe"];

const INFORMATIONAL: &[&str] = &[
    "system.notification",
    "proxy.status",
    "phase.state.changed",
    "phase.configuration.required",
    "campaign.weather",
    "domains.painted",
];

/// Generates the changes of one campaign.
#[derive(Debug)]
pub(crate) struct Workload {
    /// The number of rows so far. It is part of each name, so that no name is given twice.
    rows: u64,
}

impl Workload {
    /// The workload of a campaign without any change so far.
    pub(crate) const fn new() -> Self {
        Self { rows: 0 }
    }

    /// The record that a campaign is created with.
    pub(crate) fn record(rng: &mut Rng, now_ms: u64) -> Record {
        Record {
            name: (*rng.pick(&["spring", "Über \"uns\"", "back\\slash", "漢字\tx"])).to_owned(),
            phase: Phase::Setup,
            status: Status::NotStarted,
            counts: [0; 4],
            percent: 0.0,
            total: 0,
            created: timestamp(now_ms),
            updated: timestamp(now_ms),
            error: None,
        }
    }

    /// The next change of a campaign in `state`.
    pub(crate) fn next(&mut self, rng: &mut Rng, now_ms: u64, state: &State) -> Change {
        match rng.below(1_000) {
            0..400 => self.result(rng, state),
            400..500 => progress(rng, state),
            500..560 => status(rng, state),
            560..660 => Change::Transition(Box::new(transition(rng, now_ms, state))),
            660..760 => {
                let count = rng.between(1, 12);
                self.many(rng, state, count)
            }
            760..820 => removal(rng, state),
            820..860 => {
                let record =
                    Record { total: rng.below(9), ..any_record(rng, now_ms, &state.record) };
                Change::Record { action: "update", record }
            }
            860..998 => {
                let kind: &&str = rng.pick(INFORMATIONAL);
                Change::Nothing { kind }
            }
            _ => Change::Deleted { listed: rng.chance(500) },
        }
    }

    /// A change of `count` rows at once.
    pub(crate) fn many(&mut self, rng: &mut Rng, state: &State, count: u64) -> Change {
        let mut rows = Vec::new();
        for _ in 0..count {
            let row = match rng.below(3) {
                0 if !state.rows.is_empty() => {
                    let id = known_id(rng, state);
                    patch(rng, id)
                }
                1 if !rows.is_empty() => {
                    // The same row again, which this same event may have created.
                    let again: &RowChange = rng.pick(&rows);
                    patch(rng, again.id.clone())
                }
                _ => self.new_row(rng),
            };
            rows.push(row);
        }
        Change::Rows(rows)
    }

    /// A change that only adds rows.
    pub(crate) fn fill(&mut self, rng: &mut Rng, count: u64) -> Change {
        Change::Rows((0..count).map(|_| self.new_row(rng)).collect())
    }

    fn new_row(&mut self, rng: &mut Rng) -> RowChange {
        self.rows += 1;
        let mut row = patch(rng, format!("d{}", self.rows));
        // Searches fold letters beyond ASCII.
        let name = if self.rows.is_multiple_of(5) { "Näme" } else { "name" };
        row.domain = Some(format!("{name}-{}.example", self.rows));
        row.offset = Some(Some(self.rows as i64));
        row
    }

    fn result(&mut self, rng: &mut Rng, state: &State) -> Change {
        if state.rows.is_empty() || rng.chance(200) {
            let RowChange { id, domain, offset, .. } = self.new_row(rng);
            return Change::Generated(RowChange { id, domain, offset, ..RowChange::default() });
        }
        let id = known_id(rng, state);
        let domain = state.rows.get(&id).map(|row| row.domain.clone());
        let status = Some(Some((*rng.pick(STATUSES)).to_owned()));
        if rng.chance(500) {
            return Change::Dns(RowChange { id, domain, dns: status, ..RowChange::default() });
        }
        let code = *rng.pick(&[None, Some(None), Some(Some(200)), Some(Some(404))]);
        Change::Http(RowChange { id, domain, http: status, code, ..RowChange::default() })
    }
}

/// A change of the server's rows without an event.
pub(crate) fn silent(rng: &mut Rng, state: &State) -> Change {
    match rng.below(3) {
        0 if !state.rows.is_empty() => Change::Removed(vec![known_id(rng, state)]),
        1 if !state.rows.is_empty() => {
            let dns = Some(Some(format!("silent-{}", rng.below(1_000))));
            Change::Rows(vec![RowChange { id: known_id(rng, state), dns, ..RowChange::default() }])
        }
        _ => {
            let id = format!("silent-{}", rng.below(1_000));
            let domain = Some("silent.example".to_owned());
            Change::Rows(vec![RowChange { id, domain, ..RowChange::default() }])
        }
    }
}

fn known_id(rng: &mut Rng, state: &State) -> String {
    let index = rng.below(state.rows.len() as u64) as usize;
    state.rows.id_at(index).map(|id| id.to_string()).unwrap_or_default()
}

fn patch(rng: &mut Rng, id: String) -> RowChange {
    fn column<T>(rng: &mut Rng, value: impl FnOnce(&mut Rng) -> T) -> Option<Option<T>> {
        match rng.below(4) {
            0 => Some(None),
            1 => Some(Some(value(rng))),
            _ => None,
        }
    }
    let status = |rng: &mut Rng| (*rng.pick(STATUSES)).to_owned();
    RowChange {
        id,
        domain: None,
        offset: column(rng, |rng| rng.below(1_000) as i64 - 500),
        dns: column(rng, status),
        http: column(rng, status),
        code: column(rng, |rng| rng.between(100, 599) as i64),
        lead: column(rng, status),
        score: column(rng, |rng| rng.below(2_000) as f64 / 16.0 - 1.0),
    }
}

fn counts(rng: &mut Rng) -> Counts {
    let total = rng.below(500);
    let processed = rng.below(total + 1);
    let successful = rng.below(processed + 1);
    [total, processed, successful, processed - successful]
}

fn any_record(rng: &mut Rng, now_ms: u64, before: &Record) -> Record {
    Record {
        phase: *rng.pick(PHASES),
        status: *rng.pick(Status::ALL),
        counts: counts(rng),
        percent: rng.below(401) as f64 / 4.0,
        updated: timestamp(now_ms),
        error: rng.chance(100).then(|| "it broke".to_owned()),
        ..before.clone()
    }
}

fn progress(rng: &mut Rng, state: &State) -> Change {
    let phase = if rng.chance(200) { *rng.pick(PHASES) } else { state.record.phase };
    let status = *rng.pick(&[Status::InProgress, Status::Completed, Status::Paused]);
    Change::Progress { phase, status, counts: counts(rng), percent: rng.below(401) as f64 / 4.0 }
}

fn status(rng: &mut Rng, state: &State) -> Change {
    let phase = *rng.pick(&[None, Some(state.record.phase), Some(Phase::Analysis)]);
    let message = rng.chance(500).then(|| "no route\nto host".to_owned());
    Change::Status { phase, status: *rng.pick(Status::ALL), message }
}

fn removal(rng: &mut Rng, state: &State) -> Change {
    let most = if rng.chance(100) { state.rows.len() as u64 } else { 4 };
    let count = rng.between(1, most.clamp(1, 1_000));
    let mut ids: Vec<String> = vec!["never-there".to_owned()];
    if !state.rows.is_empty() {
        ids.extend((1..count).map(|_| known_id(rng, state)));
    }
    Change::Removed(ids)
}

fn transition(rng: &mut Rng, now_ms: u64, state: &State) -> Transition {
    let before = &state.record;
    let refused = rng.chance(200);
    let kind = *rng.pick(&["manual", "automatic", "error_recovery"]);
    let rollback = (kind == "error_recovery" && rng.chance(800)).then(|| Rollback {
        phase: *rng.pick(PHASES),
        status: *rng.pick(Status::ALL),
        counts: counts(rng),
        total: rng.below(20),
    });
    let mut record = any_record(rng, now_ms, before);
    record.total = rng.below(10);
    let integrity_check = !(refused && rng.chance(500));
    Transition {
        previous: before.phase,
        kind,
        prerequisites_met: !(refused && integrity_check),
        integrity_check,
        record,
        rollback,
    }
}
