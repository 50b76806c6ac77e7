//! What holds at a server of the original dialect, and what holds in the end.

use campaign_sync::sync::{StaleReason, Status};

use super::super::invariants::{Check, Violation, demand};
use super::campaign::{PHASES, WORDS};
use super::{CAMPAIGNS, Happening, World};

/// Everything must be shown this long after faults stop: dead link, reconnect, negotiation, and a
/// fetch that was put off.
const CONVERGE_MS: u64 = 90_000;
/// And for this long.
const STAY_MS: u64 = 4_000;

impl World {
    /// What holds without any proof.
    pub(super) fn check(&mut self, status: Option<Status>) -> Check {
        demand(status != Some(Status::Live), "G4", || "live without a proof".to_owned())?;
        let foreign = self.machine.subscription(CAMPAIGNS[1]).is_none();
        demand(foreign, "G1", || "a campaign that nobody holds is kept".to_owned())?;
        let Some(held) = self.machine.subscription(CAMPAIGNS[0]) else { return Ok(()) };
        let (store, campaign) = (&held.store, &self.campaigns[0]);
        let table = store.table();
        for row in (0..table.len()).map(|row| table.fields(row)) {
            let outcome = row.dns_status.and_then(|it| WORDS.iter().find(|word| **word == it));
            let known = (row.domain_id.to_owned(), outcome.copied());
            let genuine =
                campaign.outcomes.contains(&known) && outcome.is_some() == row.dns_status.is_some();
            demand(genuine, "G1", || format!("the server never had {row:?}"))?;
            if !self.seen.contains(row.domain_id) {
                self.seen.insert(row.domain_id.to_owned());
            }
        }
        demand(table.len() == self.seen.len(), "G5", || {
            format!("{} rows were there, {} are", self.seen.len(), table.len())
        })?;
        let Some(record) = store.record() else { return Ok(()) };
        let was = |index: &usize| PHASES[*index] == record.phase.as_str();
        // Before anything told of a phase the record has the first one of all.
        let genuine = campaign.phases.iter().any(was) || record.phase.as_str() == "setup";
        demand(genuine, "G3", || format!("the server never was in {:?}", record.phase))
    }

    /// Whether everything is as on the server at last.
    pub(super) fn verify(&mut self) -> Result<bool, Violation> {
        let since_ms = self.now_ms - self.quiet_since_ms.unwrap_or_default();
        let status = self.machine.status(CAMPAIGNS[0], self.now());
        let campaign = &self.campaigns[0];
        let store = self.machine.subscription(CAMPAIGNS[0]).map(|it| &it.store);
        let same = store.is_some_and(|store| {
            let (table, rows) = (store.table(), &campaign.rows);
            let fields = |row| table.fields(row);
            store.record().is_some_and(|record| {
                record.phase.as_str() == PHASES[campaign.phase]
                    && record.status.as_str() == campaign.status
                    && record.total_domain_count == rows.len() as u64
            }) && table.len() == rows.len()
                && (0..table.len())
                    .map(fields)
                    .all(|row| rows.get(row.domain_id).is_some_and(|dns| *dns == row.dns_status))
        });
        // What was asked for before may still arrive, and must not be kept. Somebody who asks for fresh
        // data again and again makes nothing worse, but the end is when no answer is awaited.
        let is_shown = status == Some(Status::Stale(StaleReason::Unproven));
        let well = same && (is_shown || status == Some(Status::Recovering));
        self.well_since_ms = well.then(|| self.well_since_ms.unwrap_or(self.now_ms));
        if is_shown && self.well_since_ms.is_some_and(|since| self.now_ms >= since + STAY_MS) {
            return Ok(true);
        }
        demand(since_ms <= CONVERGE_MS, "G9", || {
            format!("{status:?}, {since_ms} ms after the faults, and not as on the server")
        })?;
        self.schedule.plan(self.now_ms + 1_000, Happening::Verify);
        Ok(false)
    }
}
