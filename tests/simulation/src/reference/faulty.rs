//! A log that breaks its contract on purpose, to show that the simulator finds out.

use std::fmt;
use std::sync::Arc;

use campaign_sync::protocol::CampaignId;
use campaign_sync::protocol::digest::Buckets;
use campaign_sync_harness::log::memory::MemoryLog;
use campaign_sync_harness::log::{
    Appended, Divergence, Draft, Event, EventLog, Head, LogError, Recount, RowQuery, Transaction,
    View,
};

/// Every so many numbers something is wrong.
const EVERY: u64 = 7;

/// What is wrong with a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// An event is left out wherever events are read or published.
    Skip,
    /// An event is told twice, the second time with the number after it.
    Double,
    /// Two events change places and numbers.
    Swap,
    /// A state lacks its last row.
    LoseRow,
    /// A state is told as that of the number before.
    Stale,
    /// What was appended is not published.
    Mute,
}

impl Defect {
    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 6] =
        [Self::Skip, Self::Double, Self::Swap, Self::LoseRow, Self::Stale, Self::Mute];
}

/// The log.
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

    /// The events as this log tells them: their numbers always follow each other.
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
    fn epoch(&self) -> String {
        self.log.epoch()
    }

    fn campaigns(&self) -> Result<Vec<CampaignId>, LogError> {
        self.log.campaigns()
    }

    fn head(&self, campaign: &CampaignId) -> Result<Option<Head>, LogError> {
        self.log.head(campaign)
    }

    fn append(
        &self,
        campaign: &CampaignId,
        expected: u64,
        drafts: &[Draft],
    ) -> Result<Appended, LogError> {
        self.log.append(campaign, expected, drafts)
    }

    fn read(
        &self,
        campaign: &CampaignId,
        after: u64,
        bytes: usize,
    ) -> Result<Vec<Event>, LogError> {
        Ok(self.spoil(self.log.read(campaign, after, bytes)?))
    }

    fn bytes_after(&self, campaign: &CampaignId, after: u64) -> Result<u64, LogError> {
        self.log.bytes_after(campaign, after)
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

    fn recount(&self, campaign: &CampaignId) -> Result<Option<Recount>, LogError> {
        self.log.recount(campaign)
    }

    fn buckets(&self, campaign: &CampaignId) -> Result<Option<(u64, Box<Buckets>)>, LogError> {
        self.log.buckets(campaign)
    }

    fn transactions(&self, campaign: &CampaignId) -> Result<Vec<Transaction>, LogError> {
        self.log.transactions(campaign)
    }

    fn file(&self, campaign: &CampaignId, refused: &Transaction) -> Result<(), LogError> {
        self.log.file(campaign, refused)
    }

    fn filed(&self, campaign: &CampaignId, key: &str) -> Result<Option<Transaction>, LogError> {
        self.log.filed(campaign, key)
    }

    fn truncate(&self, campaign: &CampaignId, to: u64) -> Result<(), LogError> {
        self.log.truncate(campaign, to)
    }

    fn diverge(&self, campaign: &CampaignId, how: Divergence) -> Result<u64, LogError> {
        self.log.diverge(campaign, how)
    }
}
