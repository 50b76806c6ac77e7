//! A log that breaks its contract on purpose, to show that the simulator detects it.

use std::fmt;
use std::sync::Arc;

use campaign_sync::protocol::CampaignId;
use campaign_sync_harness::delegate_event_log;
use campaign_sync_harness::log::{Event, EventLog, LogError, RowQuery, View};
use campaign_sync_support::MemoryLog;

/// Defects of single events affect every number that is a multiple of this one.
const EVERY: u64 = 7;

/// The defect of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// An event is read as a document that is not an event.
    Skip,
    /// An event is read twice, the second time in place of the one after it.
    Double,
    /// Two events change places when they are read.
    Swap,
    /// A read begins one event late.
    Late,
    /// A state lacks its last row.
    LoseRow,
    /// A state is read with the number before its own.
    Stale,
}

impl Defect {
    /// All defects.
    pub(crate) const ALL: [Self; 6] =
        [Self::Skip, Self::Double, Self::Swap, Self::Late, Self::LoseRow, Self::Stale];

    /// The defect with that name, as it is written here.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|defect| format!("{defect:?}") == name)
    }
}

/// The log with a defect.
pub(super) struct Faulty {
    log: Arc<MemoryLog>,
    defect: Defect,
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.defect.fmt(f)
    }
}

impl Faulty {
    pub(super) const fn new(log: Arc<MemoryLog>, defect: Defect) -> Self {
        Self { log, defect }
    }

    fn inner(&self) -> &MemoryLog {
        &self.log
    }

    /// Applies the defect to the events of a read. Their numbers stay consecutive.
    fn spoil(&self, mut events: Vec<Event>) -> Vec<Event> {
        for at in 0..events.len() {
            if !events[at].number.is_multiple_of(EVERY) {
                continue;
            }
            match self.defect {
                Defect::Skip => events[at].document = Arc::from("{\"type\":\"nothing\"}"),
                Defect::Double if at > 0 => events[at].document = events[at - 1].document.clone(),
                Defect::Swap if at > 0 => {
                    let (former, latter) = (events[at - 1].document.clone(), &mut events[at]);
                    events[at - 1].document = std::mem::replace(&mut latter.document, former);
                }
                _ => {}
            }
        }
        events
    }
}

impl EventLog for Faulty {
    delegate_event_log!(
        inner: epoch, secret, campaigns, list, head, append, bytes_after, recount, buckets, transactions,
        record_refusal, audit_entry, truncate, diverge,
    );

    fn read(
        &self,
        campaign: &CampaignId,
        after: u64,
        bytes: usize,
    ) -> Result<Vec<Event>, LogError> {
        let late = u64::from(self.defect == Defect::Late);
        Ok(self.spoil(self.log.read(campaign, after + late, bytes)?))
    }

    fn view(&self, campaign: &CampaignId, rows: &RowQuery) -> Result<Option<View>, LogError> {
        let mut view = self.log.view(campaign, rows)?;
        if let Some(view) = &mut view {
            match self.defect {
                Defect::LoseRow => drop(view.rows.pop()),
                Defect::Stale if *rows != RowQuery::NONE => view.head.number -= 1,
                _ => {}
            }
        }
        Ok(view)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::JournalMode;
    use crate::kinds::Kind;
    use crate::reduction::Reduction;
    use crate::survive;

    /// Each defect is found within this many worlds of the reference server.
    const WORLDS: usize = 60;

    fn violation(seed: u64, defect: Option<Defect>) -> Option<String> {
        let reduction = Reduction { defect, ..Reduction::default() };
        let end = survive(seed, &reduction, JournalMode::Nothing);
        end.map_or_else(Some, |end| end.violation).map(|it| it.to_string())
    }

    #[test]
    fn simulator_detects_every_defect_of_a_log() {
        for defect in Defect::ALL {
            let mut seeds = (1..).filter(|seed| Kind::of(*seed) == Kind::Core).take(WORLDS);
            let found = seeds.find(|seed| violation(*seed, Some(defect)).is_some());
            let seed = found.unwrap_or_else(|| panic!("{defect:?} was not found"));
            assert_eq!(violation(seed, None), None, "seed {seed} fails without {defect:?}");
            println!("{defect:?}: seed {seed}, {:?}", violation(seed, Some(defect)));
        }
    }
}
