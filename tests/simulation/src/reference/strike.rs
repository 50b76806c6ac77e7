//! Faults of the world, as the reference server meets them.

use super::super::chaos::MUTATIONS_MAX;
use super::super::faults::Fault;
use super::super::invariants::Check;
use super::super::server::Server;
use super::super::server::state::{Change, RowChange};
use super::super::world::World;

impl World {
    /// Executes a fault of the log or of one campaign in it.
    pub(crate) fn strike_core(&mut self, fault: Fault, campaign: &str) -> Check {
        match fault {
            Fault::Truncate => self.forget_history(campaign),
            Fault::Restore => self.restore_backup(),
            Fault::Mutate => self.mutate_core(campaign),
            _ => Ok(()),
        }
    }

    /// Truncates one campaign manually, or all campaigns as retention does.
    fn forget_history(&mut self, id: &str) -> Check {
        let Server { core, storage, .. } = &mut self.server;
        let (Some(core), Some(campaign)) = (core, storage.campaigns.get(id)) else { return Ok(()) };
        let head = campaign.log().head();
        self.totals.fault("truncated");
        if self.rng.chance(500) {
            return core.sweep(self.now_ms, self.rng.between(1, head));
        }
        let oldest = if self.rng.chance(300) { head + 1 } else { self.rng.between(1, head) };
        core.truncate(id, oldest)
    }

    fn restore_backup(&mut self) -> Check {
        self.totals.fault("epoch_changed");
        self.restart("restore")?;
        let Server { core, storage, .. } = &mut self.server;
        core.as_mut().map_or(Ok(()), |core| core.restore(self.now_ms, storage))?;
        storage.note_list(self.now_ms);
        Ok(())
    }

    fn mutate_core(&mut self, id: &str) -> Check {
        let insert = self.rng.chance(400);
        let Server { core, storage, .. } = &mut self.server;
        let (Some(core), Some(campaign)) = (core, storage.campaigns.get_mut(id)) else {
            return Ok(());
        };
        let states = campaign.log().states_at(campaign.log().head()).map_or(0, <[_]>::len);
        if states > MUTATIONS_MAX || campaign.state().deleted {
            return Ok(());
        }
        let change = core.mutate(campaign, insert)?;
        campaign.mutate(&change);
        self.totals.fault("silent_change");
        if let Change::Rows(rows) = change
            && let Some(RowChange { id: row, .. }) = rows.into_iter().next()
            && self.rng.chance(300)
        {
            // An event about a row that possibly only the server has.
            let dns = Some(Some("late".to_owned()));
            let row = RowChange { id: row, dns, ..RowChange::default() };
            self.append(id, &Change::Rows(vec![row]), true)?;
        }
        self.write_all();
        Ok(())
    }
}
