//! Checks that the notices of a campaign are complete and in order. A first load announces the phase once. Each
//! later change of phase or status begins with the state in which the previous one ended, and the last one ends
//! with the state that the view shows. A status is reported when it begins, and a listener reads the same one.

use std::collections::BTreeMap;

use campaign_sync::protocol::{Phase, Status as PhaseStatus};
use campaign_sync::sync::notice::{Detail, PhaseTransition};
use campaign_sync::sync::{Effect, Machine, Notice, Now, Status};

use super::invariants::{Check, demand};

/// The phase and the status of each campaign that the listeners of one page were last notified of.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReportedStates {
    /// The phase and its status, of each campaign that was introduced.
    phases: BTreeMap<String, (Phase, PhaseStatus)>,
    /// The status of each campaign, with its reason.
    statuses: BTreeMap<String, (&'static str, Option<&'static str>)>,
}

impl ReportedStates {
    /// Checks the notices of one step, and that none is missing. `held` are the campaigns of the page.
    pub(crate) fn check(
        &mut self,
        machine: &Machine,
        held: &BTreeMap<String, u32>,
        effects: &[Effect],
        now: Now,
    ) -> Check {
        self.phases.retain(|id, _| held.contains_key(id));
        self.statuses.retain(|id, _| machine.subscription(id).is_some());
        for effect in effects {
            let Effect::Notify(notice) = effect else { continue };
            let Some(id) = notice.campaign_id.as_ref().map(|id| id.as_str()) else { continue };
            self.note(machine, id, notice, now)?;
            let for_handles =
                matches!(notice.kind(), "phasetransition" | "phasestatuschange" | "statuschange");
            demand(!for_handles || held.contains_key(id), "notices", || {
                format!("{notice:?} of a campaign without a handle")
            })?;
        }
        held.keys().try_for_each(|id| self.phase_is_known(machine, id, now))
    }

    /// Checks that listeners know the status of each campaign. A status that changes by the clock alone is
    /// reported by the next timer, and not by a frame that comes before it.
    pub(crate) fn check_statuses(
        &self,
        machine: &Machine,
        held: &BTreeMap<String, u32>,
        now: Now,
    ) -> Check {
        held.keys().try_for_each(|id| {
            let Some(status) = machine.status(id, now) else { return Ok(()) };
            let reported = self.statuses.get(id).copied().unwrap_or(("idle", None));
            demand(words(status) == reported, "notices", || {
                format!("{id} is {status:?}, but {reported:?} was reported")
            })
        })
    }

    fn note(&mut self, machine: &Machine, id: &str, notice: &Notice, now: Now) -> Check {
        match &notice.detail {
            Detail::CacheInvalidated(it) if it.reason == "signed_out" => {
                self.phases.remove(id);
            }
            Detail::PhaseTransition(transition) => self.note_phase(id, transition)?,
            Detail::PhaseStatusChange { phase, from, to, .. } => {
                let before = self.phases.insert(id.to_owned(), (*phase, *to));
                demand(before == Some((*phase, *from)), "notices", || {
                    format!("{notice:?} follows {before:?}")
                })?;
            }
            Detail::StatusChange { status, reason, .. } => {
                let before = self.statuses.insert(id.to_owned(), (status, *reason));
                demand(before != Some((status, *reason)), "notices", || {
                    format!("{id} is reported as {status} again")
                })?;
                let read = machine.status(id, now);
                demand(read.map(words) == Some((status, *reason)), "notices", || {
                    format!("{id} is reported as {status} {reason:?}, and {read:?} is read")
                })?;
            }
            _ => {}
        }
        Ok(())
    }

    fn note_phase(&mut self, id: &str, transition: &PhaseTransition) -> Check {
        let entered = (transition.new_phase, transition.new_status);
        let before = self.phases.insert(id.to_owned(), entered).map(|(phase, _)| phase);
        let follows = transition.previous_phase == before;
        demand(follows && transition.initial == before.is_none(), "notices", || {
            format!("{transition:?} follows {before:?}")
        })
    }

    /// Checks that listeners know the phase that a view shows.
    fn phase_is_known(&self, machine: &Machine, id: &str, now: Now) -> Check {
        let Some(subscription) = machine.subscription(id) else { return Ok(()) };
        let shown = subscription.store().record().map(|record| (record.phase, record.status));
        let reported = self.phases.get(id).copied();
        let loads = reported.is_none() && machine.status(id, now) != Some(Status::Live);
        demand(loads || reported == shown, "notices", || {
            format!("{id} is {shown:?}, but {reported:?} was reported")
        })
    }
}

fn words(status: Status) -> (&'static str, Option<&'static str>) {
    (status.as_str(), status.reason())
}
