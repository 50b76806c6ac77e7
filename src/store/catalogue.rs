//! The list of campaigns that the session may see, and the change to it that is arriving.

use std::cmp::Ordering;
use std::sync::Arc;

use super::StagingFault;
use crate::protocol::catalogue::{CataloguePart, Summary};
use crate::protocol::limits::CATALOGUE_CAMPAIGNS_MAX;
use crate::protocol::write::{JsonWriter, ToJson};
use crate::protocol::{CampaignId, Code, Epoch, SequenceNumber};

/// The list, its position in the feed, and what the application has not read of it.
#[derive(Clone, Debug, Default)]
pub struct CatalogueStore {
    position: Option<(Epoch, SequenceNumber)>,
    is_loaded: bool,
    /// In ascending order of the ids.
    list: Vec<Listed>,
    /// The campaigns that left since the last read. Some may have come back, and are unread then.
    removed: Vec<CampaignId>,
    /// The parts that have arrived, joined.
    staged: Option<Box<CataloguePart>>,
}

/// One campaign of the list.
#[derive(Clone, Debug)]
struct Listed {
    summary: Arc<Summary>,
    /// Whether the application has not read this summary.
    is_unread: bool,
}

/// The changes of the list since the last read.
#[derive(Debug)]
pub struct CatalogueChanges {
    /// The number of campaigns in the list.
    pub total: usize,
    changed: Vec<Arc<Summary>>,
    removed: Vec<CampaignId>,
}

impl CatalogueStore {
    /// The epoch and the number of the list; `None` if only a snapshot helps.
    pub fn position(&self) -> Option<(&Epoch, SequenceNumber)> {
        self.position.as_ref().map(|(epoch, number)| (epoch, *number))
    }

    /// Whether there is a list, which may be empty.
    pub const fn is_loaded(&self) -> bool {
        self.is_loaded
    }

    /// Whether a part is missing of what is arriving.
    pub const fn is_staging(&self) -> bool {
        self.staged.is_some()
    }

    /// The list, in ascending order of the ids.
    pub fn summaries(&self) -> impl Iterator<Item = &Summary> {
        self.list.iter().map(|listed| &*listed.summary)
    }

    /// Takes a part. Returns whether the change is complete, and so in the list.
    ///
    /// # Errors
    /// [`StagingFault`]. The list is unchanged then.
    pub fn add(&mut self, part: Box<CataloguePart>, is_answer: bool) -> Result<bool, StagingFault> {
        self.check_position(&part, is_answer)?;
        let whole = self.stage(part)?;
        // So the staged parts are never larger than the largest list.
        let sorted = whole.campaigns.is_sorted_by(|one, next| one.campaign_id < next.campaign_id);
        let length = whole.campaigns.len().max(whole.removed.len());
        if !sorted || length > CATALOGUE_CAMPAIGNS_MAX {
            return Err(StagingFault::Invalid(Code::InvalidContent));
        }
        let is_complete = whole.part == whole.parts;
        if is_complete {
            self.apply(&whole).map_err(StagingFault::Invalid)?;
        } else {
            self.staged = Some(whole);
        }
        Ok(is_complete)
    }

    /// Joins a part to the parts before it, which are not staged any more.
    fn stage(&mut self, mut part: Box<CataloguePart>) -> Result<Box<CataloguePart>, StagingFault> {
        let staged = self.staged.take();
        if part.part == 1 {
            return Ok(part);
        }
        let staged = staged.filter(|it| it.part + 1 == part.part && is_same(it, &part));
        let mut staged = staged.ok_or(StagingFault::Gap)?;
        staged.part = part.part;
        staged.campaigns.append(&mut part.campaigns);
        staged.removed.append(&mut part.removed);
        Ok(staged)
    }

    /// Drops the parts that have arrived.
    pub fn drop_staged(&mut self) {
        self.staged = None;
    }

    /// Keeps the list, but requests a snapshot next, because the feed contradicts it.
    pub fn distrust(&mut self) {
        self.drop_staged();
        self.position = None;
    }

    /// Empties the list.
    pub fn clear(&mut self) {
        for listed in &self.list {
            self.removed.push(listed.summary.campaign_id.clone());
        }
        self.list.clear();
        self.is_loaded = false;
        self.distrust();
    }

    /// Returns what changed since the last read, or the `whole` list.
    pub fn take_changes(&mut self, whole: bool) -> CatalogueChanges {
        let mut changed = Vec::new();
        for listed in &mut self.list {
            if core::mem::take(&mut listed.is_unread) || whole {
                changed.push(listed.summary.clone());
            }
        }
        let removed = core::mem::take(&mut self.removed);
        CatalogueChanges { total: self.list.len(), changed, removed }
    }

    /// Checks that the part continues the list, or replaces it. A change names campaigns and not differences,
    /// so it may begin at an earlier number than that of the list.
    fn check_position(&self, part: &CataloguePart, is_answer: bool) -> Result<(), StagingFault> {
        let own = self.position().filter(|(epoch, _)| **epoch == part.epoch);
        let (base, number) = (part.base, part.sequence_number);
        match own {
            Some((_, own)) if base.is_some() && !is_answer && number <= own => {
                Err(StagingFault::Repeated)
            }
            // The numbers of an epoch never go back.
            Some((_, own)) if number < own => Err(StagingFault::Invalid(Code::Divergence)),
            Some((_, own)) if base.is_none_or(|base| base <= own) => Ok(()),
            None if base.is_none() => Ok(()),
            Some(_) | None => Err(StagingFault::Gap),
        }
    }

    /// Replaces the list by the list after the change. Both are in the order of the ids.
    fn apply(&mut self, change: &CataloguePart) -> Result<(), Code> {
        let mut left = Vec::new();
        let mut list = Vec::with_capacity(change.campaigns.len());
        let (mut old_at, mut new_at) = (0, 0);
        loop {
            let (old, new) = (self.list.get(old_at), change.campaigns.get(new_at));
            let order = match (old, new) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(old), Some(new)) => old.summary.campaign_id.cmp(&new.campaign_id),
            };
            old_at += usize::from(order != Ordering::Greater);
            new_at += usize::from(order != Ordering::Less);
            match (old, new) {
                (Some(old), _) if order == Ordering::Less => {
                    let id = &old.summary.campaign_id;
                    if change.base.is_none() || change.removed.binary_search(id).is_ok() {
                        left.push(id.clone());
                    } else {
                        list.push(old.clone());
                    }
                }
                (Some(old), Some(new))
                    if order == Ordering::Equal && is_older(new, &old.summary) =>
                {
                    list.push(old.clone());
                }
                (_, Some(new)) => list.push(Listed { summary: new.clone(), is_unread: true }),
                (_, None) => {}
            }
        }
        if list.len() as u64 != change.total {
            return Err(Code::InvalidSnapshot);
        }
        self.removed.append(&mut left);
        // An application that reads too rarely misses some, finds another total, and reads the whole list.
        self.removed.truncate(CATALOGUE_CAMPAIGNS_MAX);
        self.list = list;
        self.is_loaded = true;
        self.position = Some((change.epoch.clone(), change.sequence_number));
        Ok(())
    }
}

/// Whether two parts belong together.
fn is_same(one: &CataloguePart, other: &CataloguePart) -> bool {
    let of = |it: &CataloguePart| (it.base, it.sequence_number, it.parts, it.total);
    one.epoch == other.epoch && of(one) == of(other)
}

/// Whether `new` is the same state as `old`, or an earlier one of the same log: a server that lags must not
/// move a campaign back.
fn is_older(new: &Summary, old: &Summary) -> bool {
    new.epoch == old.epoch && new.sequence_number <= old.sequence_number
}

impl ToJson for CatalogueChanges {
    fn show(&self, to: &mut JsonWriter) {
        to.count("total", self.total as u64);
        to.member("changed", "[");
        for summary in &self.changed {
            to.open("{");
            to.text("campaignId", summary.campaign_id.as_str());
            to.member("position", "{");
            to.text("epoch", summary.epoch.as_str());
            to.count("sequenceNumber", summary.sequence_number.get());
            to.close("}");
            to.record("campaign", &summary.record);
            to.count("totalDomainCount", summary.record.total_domain_count);
            to.close("}");
        }
        to.close("]");
        to.member("removed", "[");
        for id in &self.removed {
            to.string(id.as_str());
        }
        to.close("]");
    }
}
