//! Random actions of users on a page.

use campaign_sync::protocol::{CampaignId, Code, Epoch, Position, SequenceNumber};
use campaign_sync::sync::Input;
use campaign_sync::sync::connection::ConnectionState;
use campaign_sync::sync::input::{Ticket, Wake};

use super::invariants::{Check, Violation};
use super::sealed;
use super::world::{ScheduledEvent, World};

/// A campaign that does not exist.
const GHOST: &str = "ghost";

impl World {
    /// Executes a user action on a page and plans the next one.
    pub(crate) fn act(&mut self, number: usize) -> Check {
        if self.quiet_since_ms.is_some() {
            return Ok(());
        }
        if self.clients[number].lacks_key && !self.rng.chance(200) {
            self.find_key(number)?;
        }
        if !self.clients[number].machine.connection().state().is_wanted() {
            self.feed(number, Input::Connect)?;
        }
        if self.clients[number].held.is_empty() {
            self.retain(number)?;
        }
        self.act_as_user(number)?;
        self.act_on_list(number)?;
        if let Some(name) = self.clients[number].held.keys().next() {
            self.read_page(number, &id(name))?;
        }
        match self.rng.below(100) {
            0..25 => self.retain(number)?,
            25..40 => self.release(number)?,
            40..55 => self.promise(number)?,
            55..65 => self.look(number)?,
            65..72 => self.refresh(number)?,
            72..80 => self.discard(number)?,
            80..85 => self.feed(number, Input::Woke(Wake::Visible))?,
            85..88 => self.reload(number)?,
            88..91 => self.reconnect(number)?,
            91..94 => self.break_promise(number)?,
            _ => {}
        }
        let at_ms = self.now_ms + self.rng.around(self.plan.app_ms);
        self.schedule.plan(at_ms, ScheduledEvent::Act(number));
        Ok(())
    }

    /// Prepares a page for the time after the faults: it has its key, a connection and a campaign.
    pub(crate) fn settle_down(&mut self, number: usize) -> Check {
        self.find_key(number)?;
        self.refuse_accidental_end(number)?;
        if self.clients[number].cookie().is_some() {
            // A campaign without access fails for the rest of the socket, even if access returns.
            self.feed(number, Input::Pause)?;
        }
        self.feed(number, Input::Connect)?;
        if self.clients[number].held.is_empty() {
            self.retain(number)?;
        }
        self.settle_list(number)?;
        let held: Vec<CampaignId> = self.clients[number].held.keys().map(|name| id(name)).collect();
        for id in held {
            self.feed(number, Input::DiscardUnconfirmed(id))?;
        }
        Ok(())
    }

    /// Checks that a client which gave up was refused by its server. No fault of the network ends a client.
    pub(crate) fn refuse_accidental_end(&self, number: usize) -> Check {
        match self.clients[number].machine.connection().state() {
            ConnectionState::Failed(code)
                if !matches!(code, Code::Unauthorized | Code::Forbidden) =>
            {
                let detail = format!("client {number} gave up by accident: {}", code.as_str());
                Err(Violation { guarantee: "G9", detail })
            }
            _ => Ok(()),
        }
    }

    /// Gives the page the key of sealed content, possibly late.
    fn find_key(&mut self, number: usize) -> Check {
        match sealed::key().filter(|_| self.clients[number].lacks_key) {
            Some(key) => {
                self.clients[number].lacks_key = false;
                self.feed(number, key)
            }
            None => Ok(()),
        }
    }

    fn retain(&mut self, number: usize) -> Check {
        let chosen = self.rng.between(1, self.plan.campaigns);
        let name = if self.rng.chance(20) { GHOST.to_owned() } else { format!("c{chosen}") };
        let id = id(&name);
        *self.clients[number].held.entry(name).or_default() += 1;
        self.feed(number, Input::Retain(id))
    }

    fn any_held(&mut self, number: usize) -> Option<CampaignId> {
        let held = &self.clients[number].held;
        let index = self.rng.below(held.len() as u64) as usize;
        held.keys().nth(index).map(|name| id(name))
    }

    fn release(&mut self, number: usize) -> Check {
        let Some(id) = self.any_held(number) else { return Ok(()) };
        let held = &mut self.clients[number].held;
        if let Some(count) = held.get_mut(id.as_str()) {
            *count -= 1;
            if *count == 0 {
                held.remove(id.as_str());
            }
        }
        self.feed(number, Input::Release(id))
    }

    /// Waits for the server's head, or for a number slightly beyond it.
    fn promise(&mut self, number: usize) -> Check {
        let Some(id) = self.any_held(number) else { return Ok(()) };
        let Some(campaign) = self.server.storage.campaigns.get(id.as_str()) else { return Ok(()) };
        let (epoch, head) = (campaign.log().epoch.clone(), campaign.log().head());
        let wanted = head + self.rng.below(3);
        let (Ok(epoch), Ok(sequence_number)) = (Epoch::new(&epoch), SequenceNumber::new(wanted))
        else {
            return Ok(());
        };
        let client = &mut self.clients[number];
        client.tickets += 1;
        let ticket = Ticket(client.tickets);
        client.promises.insert(ticket, (id.to_string(), epoch.to_string(), wanted));
        let position = Position { epoch, sequence_number, event_id: String::new() };
        self.feed(number, Input::WaitForPosition(id, position, ticket))
    }

    /// Gives up a wait for a position. The machine must not settle it afterwards.
    fn break_promise(&mut self, number: usize) -> Check {
        let client = &mut self.clients[number];
        let Some((ticket, (campaign, ..))) = client.promises.pop_first() else { return Ok(()) };
        self.totals.fault("promise_broken");
        self.feed(number, Input::CancelWait(id(&campaign), ticket))
    }

    fn look(&mut self, number: usize) -> Check {
        let Some(id) = self.any_held(number) else { return Ok(()) };
        self.read_page(number, &id)
    }

    fn refresh(&mut self, number: usize) -> Check {
        let Some(id) = self.any_held(number) else { return Ok(()) };
        self.feed(number, Input::Refresh(id))
    }

    fn discard(&mut self, number: usize) -> Check {
        let Some(id) = self.any_held(number) else { return Ok(()) };
        self.feed(number, Input::DiscardUnconfirmed(id))
    }

    /// Presses the button that replaces the socket several times.
    fn reconnect(&mut self, number: usize) -> Check {
        self.totals.fault("reconnect");
        for _ in 0..=self.rng.below(3) {
            self.feed(number, Input::Pause)?;
            self.feed(number, Input::Connect)?;
        }
        Ok(())
    }

    fn reload(&mut self, number: usize) -> Check {
        self.totals.fault("reload");
        self.feed(number, Input::Close)?;
        self.clients[number].reload(&mut self.rng, self.server.storage.behaviour.seals);
        self.feed(number, Input::Connect)?;
        self.retain(number)
    }
}

fn id(name: &str) -> CampaignId {
    CampaignId::new(name).unwrap_or_else(|_| unreachable!("names of campaigns are made here"))
}
