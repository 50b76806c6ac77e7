//! Faults of the world: what goes wrong beside the network's single messages.

use super::invariants::Check;
use super::network::LinkId;
use super::rng::Rng;
use super::workload::silent;
use super::world::{Happening, World};

/// A fault of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A socket is cut.
    Cut,
    /// A socket goes dead without a word.
    HalfOpen,
    /// The server is killed and comes back.
    Restart,
    /// History is truncated.
    Truncate,
    /// An older log is restored under a new epoch, with a restart.
    Restore,
    /// The same, but the sockets live on.
    Replace,
    /// The server's rows change without an event.
    Mutate,
    /// A client sleeps.
    Sleep,
    /// A client's timers are throttled for a while.
    Throttle,
    /// A client's wall clock is set.
    SetClock,
}

impl Fault {
    const ALL: [Self; 10] = [
        Self::Cut,
        Self::HalfOpen,
        Self::Restart,
        Self::Truncate,
        Self::Restore,
        Self::Replace,
        Self::Mutate,
        Self::Sleep,
        Self::Throttle,
        Self::SetClock,
    ];
}

/// Silent changes of one campaign: the oracle keeps the state with and without each.
const MUTATIONS_MAX: usize = 3;

impl World {
    /// Plans the first fault of each kind.
    pub(crate) fn plan_faults(&mut self) {
        for fault in Fault::ALL {
            self.plan_fault(fault);
        }
    }

    fn plan_fault(&mut self, fault: Fault) {
        let periods = &self.plan.periods;
        let period = match fault {
            Fault::Cut => periods.cut,
            Fault::HalfOpen => periods.half_open,
            Fault::Restart => periods.restart,
            Fault::Truncate => periods.truncate,
            Fault::Restore => periods.restore,
            Fault::Replace => periods.replace,
            Fault::Mutate => periods.mutate,
            Fault::Sleep => periods.sleep,
            Fault::Throttle => periods.throttle,
            Fault::SetClock => periods.set_clock,
        };
        if period > 0 {
            let at_ms = self.now_ms + self.rng.around(period);
            self.schedule.plan(at_ms, Happening::Fault(fault));
        }
    }

    /// Lets a fault happen, unless faults have stopped, and plans the next of its kind.
    pub(crate) fn fault(&mut self, fault: Fault) -> Check {
        if self.quiet_since_ms.is_some() {
            return Ok(());
        }
        self.note(format_args!("fault {fault:?}"));
        match fault {
            Fault::Cut => {
                if let Some(link) = self.any_session() {
                    self.cut(link, "cut");
                }
            }
            Fault::HalfOpen => {
                if let Some(link) = self.any_session()
                    && let Some(wire) = self.links.get_mut(&link)
                {
                    self.tally.fault("half_open");
                    wire.half_open = true;
                }
            }
            Fault::Restart => self.restart("restart"),
            Fault::Truncate => self.truncate(),
            Fault::Restore => {
                self.replace_log();
                self.restart("restore");
            }
            Fault::Replace => self.replace_live(),
            Fault::Mutate => self.mutate(),
            Fault::Sleep => self.fall_asleep(),
            Fault::Throttle => self.throttle(),
            Fault::SetClock => {
                let client = self.any_client();
                let by_ms = self.rng.below(120_000) as i64 - 60_000;
                self.tally.fault("clock_set");
                self.clients[client].clock.set(by_ms);
            }
        }
        self.plan_fault(fault);
        Ok(())
    }

    fn any_session(&mut self) -> Option<LinkId> {
        let index = self.rng.below(self.server.sessions.len() as u64) as usize;
        self.server.sessions.keys().nth(index).copied()
    }

    fn any_client(&mut self) -> usize {
        self.rng.below(self.clients.len() as u64) as usize
    }

    fn any_campaign(&mut self) -> Option<String> {
        let index = self.rng.below(self.server.shelf.campaigns.len() as u64) as usize;
        self.server.shelf.campaigns.keys().nth(index).cloned()
    }

    fn restart(&mut self, why: &'static str) {
        let links: Vec<LinkId> = self.server.sessions.keys().copied().collect();
        let announced = self.rng.chance(400);
        for link in links {
            if announced {
                self.drain(link);
            }
            self.cut(link, why);
        }
        let down_ms = *self.rng.pick(&[0, 300, 4_000, 15_000]);
        self.server.kill(self.now_ms + down_ms);
    }

    fn truncate(&mut self) {
        let Some(id) = self.any_campaign() else { return };
        let rng: &mut Rng = &mut self.rng;
        if let Some(campaign) = self.server.shelf.campaigns.get_mut(&id) {
            let head = campaign.log().head();
            let oldest = if rng.chance(300) { head + 1 } else { rng.between(1, head) };
            self.tally.fault("truncated");
            campaign.truncate(oldest);
        }
    }

    /// A log is replaced by an older one of itself, under a new epoch.
    fn replace_log(&mut self) -> Option<String> {
        let id = self.any_campaign()?;
        let campaign = self.server.shelf.campaigns.get_mut(&id)?;
        if campaign.state().deleted {
            return None;
        }
        let head = campaign.log().head();
        let least = campaign.log().base().max(1);
        let back = self.rng.below(30);
        let number = head.saturating_sub(back).max(least);
        self.tally.fault("epoch_changed");
        campaign.restore(self.now_ms, number);
        self.server.shelf.forget(&id);
        Some(id)
    }

    fn replace_live(&mut self) {
        let Some(id) = self.replace_log() else { return };
        let Some(campaign) = self.server.shelf.campaigns.get(&id) else { return };
        for session in self.server.sessions.values_mut() {
            session.follow(campaign);
        }
        self.write_all();
    }

    fn mutate(&mut self) {
        let Some(id) = self.any_campaign() else { return };
        let Some(campaign) = self.server.shelf.campaigns.get_mut(&id) else { return };
        let head = campaign.log().head();
        let states = campaign.log().states_at(head).map_or(0, <[_]>::len);
        if states > MUTATIONS_MAX || campaign.state().deleted {
            return;
        }
        let change = silent(&mut self.rng, &campaign.state().clone());
        campaign.mutate(&change);
        self.server.shelf.forget(&id);
        self.tally.fault("silent_change");
    }

    fn fall_asleep(&mut self) {
        let client = self.any_client();
        if self.clients[client].asleep_since_ms.is_some() {
            return;
        }
        let most = *self.rng.pick(&[3_000, 20_000, 60_000, 600_000]);
        let sleep_ms = self.rng.between(500, most);
        self.tally.fault("sleep");
        self.clients[client].asleep_since_ms = Some(self.now_ms);
        self.schedule.plan(self.now_ms + sleep_ms, Happening::Wake(client));
    }

    fn throttle(&mut self) {
        let client = self.any_client();
        let for_ms = self.rng.between(5_000, 90_000);
        self.tally.fault("throttled");
        self.clients[client].throttle_ms = *self.rng.pick(&[1_000, 60_000]);
        self.schedule.plan(self.now_ms + for_ms, Happening::Unthrottle(client));
    }

    /// Faults stop: everything that was broken on purpose is whole again. Half-open sockets stay
    /// what they are, for nobody repairs those.
    pub(crate) fn quiet(&mut self) -> Check {
        self.note(format_args!("quiet"));
        self.quiet_since_ms = Some(self.now_ms);
        self.rates = Default::default();
        self.server.down_until_ms = self.now_ms;
        for client in 0..self.clients.len() {
            self.clients[client].throttle_ms = 0;
            self.wake(client)?;
            self.settle_down(client)?;
        }
        self.schedule.plan(self.now_ms + 500, Happening::Verify);
        Ok(())
    }
}
