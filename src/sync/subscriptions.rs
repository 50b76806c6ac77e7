//! Subscriptions by campaign id. There are few of them, and every event needs a lookup. A sorted list
//! suffices, and its iteration order is deterministic.

use super::context::Context;
use super::subscription::Subscription;
use crate::protocol::CampaignId;

/// Subscriptions, sorted by campaign id.
#[derive(Clone, Debug, Default)]
pub struct Subscriptions(Vec<Subscription>);

impl Subscriptions {
    /// The subscription of a campaign.
    pub fn get(&self, campaign_id: &str) -> Option<&Subscription> {
        let at = self.place(campaign_id).ok()?;
        self.0.get(at)
    }

    /// The subscription of a campaign.
    pub fn get_mut(&mut self, campaign_id: &str) -> Option<&mut Subscription> {
        let at = self.place(campaign_id).ok()?;
        self.0.get_mut(at)
    }

    /// The subscription of a campaign. If the campaign has no subscription, `new` creates it.
    pub fn get_or_insert(
        &mut self,
        campaign_id: &CampaignId,
        new: impl FnOnce() -> Subscription,
    ) -> &mut Subscription {
        let at = self.place(campaign_id.as_str()).unwrap_or_else(|at| {
            self.0.insert(at, new());
            at
        });
        &mut self.0[at]
    }

    /// Removes and returns the first subscription that `unwanted` selects.
    pub fn remove(&mut self, unwanted: impl Fn(&Subscription) -> bool) -> Option<Subscription> {
        let at = self.0.iter().position(unwanted)?;
        Some(self.0.remove(at))
    }

    /// All subscriptions, in the order of their campaign ids.
    pub fn values(&self) -> impl Iterator<Item = &Subscription> {
        self.0.iter()
    }

    /// All subscriptions, in the order of their campaign ids.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Subscription> {
        self.0.iter_mut()
    }

    /// A place at the server became free: a campaign that waits for one subscribes again.
    pub(super) fn take_place(&mut self, cx: &mut Context) {
        if let Some(waiting) = self.values_mut().find(|it| it.replica().lacks_place()) {
            waiting.replica_mut().retry_place(cx);
        }
    }

    fn place(&self, campaign_id: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|it| it.id().as_str().cmp(campaign_id))
    }
}
