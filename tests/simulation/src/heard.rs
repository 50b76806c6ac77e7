//! The notices of a campaign are one story without a hole. A first load announces the phase once; each later
//! change of phase or status begins where the one before ended; the last one is what the view shows. Each
//! status is reported when it begins, and is then the one that a listener reads.

use std::collections::BTreeMap;

use campaign_sync::protocol::{Phase, Status as PhaseStatus};
use campaign_sync::sync::notice::PhaseTransition;
use campaign_sync::sync::{Effect, Machine, Notice, Now, Status};

use super::invariants::{Check, demand};

/// The last notices of each campaign to the listeners of one page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// The phase and its status, of each campaign that was introduced.
    phases: BTreeMap<String, (Phase, PhaseStatus)>,
    /// The status of each campaign, with its reason.
    statuses: BTreeMap<String, (&'static str, Option<&'static str>)>,
}

impl Heard {
    /// Checks the notices of one step, and what they leave unsaid. `held` are the campaigns of the page.
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
            let Some(id) = notice.campaign_id().map(|id| id.as_str()) else { continue };
            self.hear(machine, id, notice, now)?;
            let for_handles =
                matches!(notice.kind(), "phasetransition" | "phasestatuschange" | "statuschange");
            demand(!for_handles || held.contains_key(id), "heard", || {
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
            demand(words(status) == reported, "heard", || {
                format!("{id} is {status:?}, and listeners heard {reported:?}")
            })
        })
    }

    fn hear(&mut self, machine: &Machine, id: &str, notice: &Notice, now: Now) -> Check {
        match notice {
            Notice::CacheInvalidated(it) if it.reason == "signed_out" => {
                self.phases.remove(id);
            }
            Notice::PhaseTransition(transition) => self.hear_phase(id, transition)?,
            Notice::PhaseStatusChange { phase, from, to, .. } => {
                let before = self.phases.insert(id.to_owned(), (*phase, *to));
                demand(before == Some((*phase, *from)), "heard", || {
                    format!("{notice:?} follows {before:?}")
                })?;
            }
            Notice::StatusChange { status, reason, .. } => {
                let before = self.statuses.insert(id.to_owned(), (status, *reason));
                demand(before != Some((status, *reason)), "heard", || {
                    format!("{id} is reported as {status} again")
                })?;
                let read = machine.status(id, now);
                demand(read.map(words) == Some((status, *reason)), "heard", || {
                    format!("{id} is reported as {status} {reason:?}, and {read:?} is read")
                })?;
            }
            _ => {}
        }
        Ok(())
    }

    fn hear_phase(&mut self, id: &str, transition: &PhaseTransition) -> Check {
        let entered = (transition.new_phase, transition.new_status);
        let before = self.phases.insert(id.to_owned(), entered).map(|(phase, _)| phase);
        let follows = transition.previous_phase == before;
        demand(follows && transition.initial == before.is_none(), "heard", || {
            format!("{transition:?} follows {before:?}")
        })
    }

    /// Checks that listeners know the phase that a view shows.
    fn phase_is_known(&self, machine: &Machine, id: &str, now: Now) -> Check {
        let Some(subscription) = machine.subscription(id) else { return Ok(()) };
        let shown = subscription.store().record().map(|record| (record.phase, record.status));
        let heard = self.phases.get(id).copied();
        let loads = heard.is_none() && machine.status(id, now) != Some(Status::Live);
        demand(loads || heard == shown, "heard", || {
            format!("{id} is {shown:?}, and listeners heard {heard:?}")
        })
    }
}

const fn words(status: Status) -> (&'static str, Option<&'static str>) {
    (status.as_str(), status.reason())
}
