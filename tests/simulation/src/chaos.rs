//! Faults of the world: faults of a connection, a campaign, a client or the server, and not of a single
//! message.

use super::faults::{Fault, Levels, PART_ROWS};
use super::invariants::Check;
use super::network::{Direction, LinkId};
use super::rng::Rng;
use super::server::Document;
use super::server::state::{Change, RowChange};
use super::workload::silent;
use super::world::{ScheduledEvent, World};
use serde_json::json;

/// The most silent changes of one campaign. For each of them the oracle keeps the state with it and the
/// state without it.
pub(crate) const MUTATIONS_MAX: usize = 3;

impl World {
    /// Plans the first fault of each kind.
    pub(crate) fn plan_faults(&mut self) {
        for fault in Fault::all().filter(|fault| fault.is_of_the_world()) {
            self.plan_fault(fault);
        }
    }

    fn plan_fault(&mut self, fault: Fault) {
        let period = self.levels.of(fault);
        if period > 0 {
            let at_ms = self.now_ms + self.rng.around(period);
            self.schedule.plan(at_ms, ScheduledEvent::Fault(fault));
        }
    }

    /// Executes a fault, unless faults have stopped, and plans the next one of its kind.
    pub(crate) fn fault(&mut self, fault: Fault) -> Check {
        if self.quiet_since_ms.is_some() {
            return Ok(());
        }
        let link = self.any_session();
        let campaign = self.any_campaign();
        self.strike(fault, link, campaign)?;
        self.plan_fault(fault);
        Ok(())
    }

    /// May follow an answer on `link` with a fault of the world or with more events, in the middle of
    /// the exchange that the answer belongs to.
    pub(crate) fn ambush(&mut self, link: LinkId) -> Check {
        if !self.rng.chance(self.levels.of(Fault::Ambush)) {
            return Ok(());
        }
        self.totals.fault("ambush");
        let possible: Vec<Fault> = Fault::all()
            .filter(|fault| fault.is_of_the_world() && self.levels.of(*fault) > 0)
            .collect();
        let campaign = self.any_campaign();
        if possible.is_empty() || self.rng.chance(300) {
            let Some(campaign) = campaign else { return Ok(()) };
            let burst = self.rng.between(1, 60);
            self.commit(&campaign, burst, true)?;
            self.write_all();
            return Ok(());
        }
        let fault = *self.rng.pick(&possible);
        self.strike(fault, Some(link), campaign)
    }

    fn strike(&mut self, fault: Fault, link: Option<LinkId>, campaign: Option<String>) -> Check {
        self.note(format_args!("fault {}", fault.name()));
        match fault {
            Fault::Truncate | Fault::Restore | Fault::Replace | Fault::Revert | Fault::Mutate => {
                if let Some(campaign) = campaign {
                    self.strike_campaign(fault, &campaign)?;
                }
            }
            Fault::Cut
            | Fault::HalfOpen
            | Fault::OneWay
            | Fault::SlowReader
            | Fault::Forget
            | Fault::EndSession => {
                if let Some(link) = link {
                    self.strike_link(fault, link);
                }
            }
            Fault::Restart => self.restart("restart")?,
            Fault::Crash => {
                if let Some(campaign) = campaign {
                    let burst = self.rng.below(4);
                    self.commit(&campaign, burst, false)?;
                }
                self.restart("crash")?;
            }
            Fault::Recut => {
                self.totals.fault("snapshots_recut");
                self.server.storage.behaviour.part_rows = *self.rng.pick(PART_ROWS) as usize;
            }
            Fault::Sleep => self.fall_asleep(),
            Fault::Throttle => self.throttle(),
            Fault::SetClock => {
                let client = self.any_client();
                let most_ms = *self.rng.pick(&[3_000, 60_000, 7_200_000]);
                let by_ms = self.rng.below(2 * most_ms) as i64 - most_ms as i64;
                self.totals.fault("clock_set");
                self.clients[client].clock.set(by_ms);
            }
            // These faults happen to messages, by chance.
            Fault::Lose
            | Fault::Duplicate
            | Fault::Swap
            | Fault::Corrupt
            | Fault::Reorder
            | Fault::Stall
            | Fault::LoseControl
            | Fault::LoseUp
            | Fault::DuplicateUp
            | Fault::PutOff
            | Fault::Refuse
            | Fault::Expire
            | Fault::Equivocate
            | Fault::Lie
            | Fault::Lag
            | Fault::Ambush
            | Fault::LateGreeting
            | Fault::BareError
            | Fault::LagFetch
            | Fault::NoPosition
            | Fault::GarbleGreeting => {}
        }
        Ok(())
    }

    fn strike_campaign(&mut self, fault: Fault, campaign: &str) -> Check {
        if self.server.core.is_some() {
            return self.strike_core(fault, campaign);
        }
        match fault {
            Fault::Truncate => self.truncate(campaign),
            Fault::Restore => {
                self.restore(campaign, true);
                self.restart("restore")?;
            }
            Fault::Replace => {
                self.totals.fault("replaced");
                self.restore(campaign, true);
                self.write_all();
            }
            Fault::Revert => {
                self.restore(campaign, false);
                self.restart("revert")?;
            }
            _ => self.mutate(campaign),
        }
        Ok(())
    }

    fn strike_link(&mut self, fault: Fault, link: LinkId) {
        let whole = fault == Fault::HalfOpen;
        match fault {
            Fault::Cut => self.cut(link, "cut"),
            Fault::HalfOpen | Fault::OneWay => {
                let direction = *self.rng.pick(&[Direction::Down, Direction::Up]);
                if let Some(wire) = self.links.get_mut(&link) {
                    self.totals.fault(if whole { "half_open" } else { "one_way" });
                    wire.dead[direction as usize] = true;
                    wire.dead[1 - direction as usize] |= whole;
                }
            }
            Fault::SlowReader => {
                let for_ms = self.rng.between(1_000, 60_000);
                if let Some(session) = self.server.sessions.get_mut(&link) {
                    self.totals.fault("slow_reader");
                    session.slow_until_ms = self.now_ms + for_ms;
                }
            }
            Fault::Forget => {
                let index = self.rng.below(8);
                let session = self.server.sessions.get_mut(&link);
                if session.is_some_and(|session| session.forget(index)) {
                    self.totals.fault("subscription_forgotten");
                }
            }
            _ => {
                self.totals.fault("session_ended");
                if self.rng.chance(500) {
                    let notice = Document::control(self.now_ms, "session_expired", &json!({}));
                    self.send_down(link, vec![notice]);
                }
                let code = *self.rng.pick(&[1001, 1011, 4401, 4403, 4408, 4429]);
                self.hang_up(link, code);
            }
        }
    }

    fn any_session(&mut self) -> Option<LinkId> {
        let index = self.rng.below(self.server.sessions.len() as u64) as usize;
        self.server.sessions.keys().nth(index).copied()
    }

    fn any_client(&mut self) -> usize {
        self.rng.below(self.clients.len() as u64) as usize
    }

    fn any_campaign(&mut self) -> Option<String> {
        let index = self.rng.below(self.server.storage.campaigns.len() as u64) as usize;
        self.server.storage.campaigns.keys().nth(index).cloned()
    }

    pub(crate) fn restart(&mut self, why: &'static str) -> Check {
        let links: Vec<LinkId> = self.server.sessions.keys().copied().collect();
        let announced = self.rng.chance(400);
        for link in links {
            let left = announced && self.drain_session(link)?;
            if announced && !left {
                self.drain(link);
            }
            if !left {
                self.cut(link, why);
            }
        }
        let down_ms = *self.rng.pick(&[0, 300, 4_000, 15_000]);
        self.server.kill(self.now_ms + down_ms);
        Ok(())
    }

    fn truncate(&mut self, id: &str) {
        let rng: &mut Rng = &mut self.rng;
        if let Some(campaign) = self.server.storage.campaigns.get_mut(id) {
            let head = campaign.log().head();
            let oldest = if rng.chance(300) { head + 1 } else { rng.between(1, head) };
            self.totals.fault("truncated");
            campaign.truncate(oldest);
        }
    }

    /// Replaces a log by an earlier state of itself, under a new epoch or under the same one.
    fn restore(&mut self, id: &str, new_epoch: bool) {
        let Some(campaign) = self.server.storage.campaigns.get_mut(id) else { return };
        if campaign.state().deleted {
            return;
        }
        let head = campaign.log().head();
        let least = campaign.log().base().max(1);
        let back = self.rng.below(30);
        let number = head.saturating_sub(back).max(least);
        self.totals.fault(if new_epoch { "epoch_changed" } else { "reverted" });
        campaign.restore(self.now_ms, number, new_epoch);
        self.server.storage.forget(id);
        self.server.storage.note_list(self.now_ms);
    }

    fn mutate(&mut self, id: &str) {
        let Some(campaign) = self.server.storage.campaigns.get_mut(id) else { return };
        let head = campaign.log().head();
        let states = campaign.log().states_at(head).map_or(0, <[_]>::len);
        if states > MUTATIONS_MAX || campaign.state().deleted {
            return;
        }
        let change = silent(&mut self.rng, &campaign.state().clone());
        campaign.mutate(&change);
        if let Change::Rows(rows) = change
            && let Some(RowChange { id, .. }) = rows.into_iter().next()
            && self.rng.chance(300)
        {
            // An event about a row that possibly only the server has.
            let dns = Some(Some("late".to_owned()));
            let row = RowChange { id, dns, ..RowChange::default() };
            campaign.append(self.now_ms, &Change::Rows(vec![row]));
        }
        self.server.storage.forget(id);
        self.totals.fault("silent_change");
        self.write_all();
    }

    fn fall_asleep(&mut self) {
        let client = self.any_client();
        if self.clients[client].asleep_since_ms.is_some() {
            return;
        }
        let most = *self.rng.pick(&[3_000, 20_000, 60_000, 600_000]);
        let sleep_ms = self.rng.between(500, most);
        self.totals.fault("sleep");
        self.clients[client].asleep_since_ms = Some(self.now_ms);
        self.schedule.plan(self.now_ms + sleep_ms, ScheduledEvent::Wake(client));
    }

    fn throttle(&mut self) {
        let client = self.any_client();
        let for_ms = self.rng.between(5_000, 90_000);
        self.totals.fault("throttled");
        self.clients[client].throttle_ms = *self.rng.pick(&[1_000, 60_000]);
        self.schedule.plan(self.now_ms + for_ms, ScheduledEvent::Unthrottle(client));
    }

    /// Commits events beyond all numbers that the server has ever stated, for each campaign whose server
    /// contradicted itself or went back within an epoch. Only such an event exposes this to a client.
    fn expose_contradictions(&mut self) -> Check {
        let ids: Vec<String> = self.server.storage.campaigns.keys().cloned().collect();
        for id in ids {
            let Some(campaign) = self.server.storage.campaigns.get(&id) else { continue };
            if campaign.has_contradicted() {
                let more = campaign.top() + 1 - campaign.log().head();
                self.commit(&id, more, true)?;
            }
        }
        self.write_all();
        Ok(())
    }

    /// Stops the faults and repairs everything that was broken on purpose. Half-open sockets stay
    /// half-open, because nothing repairs them in reality.
    pub(crate) fn quiet(&mut self) -> Check {
        self.note(format_args!("quiet"));
        self.quiet_since_ms = Some(self.now_ms);
        self.levels = Levels::NONE;
        self.server.down_until_ms = self.now_ms;
        for connection in self.server.sessions.values_mut() {
            connection.slow_until_ms = self.now_ms;
        }
        self.expose_contradictions()?;
        for client in 0..self.clients.len() {
            self.clients[client].throttle_ms = 0;
            self.clients[client].unblock();
            self.wake(client)?;
            self.settle_down(client)?;
        }
        self.schedule.plan(self.now_ms + 500, ScheduledEvent::Verify);
        Ok(())
    }
}
