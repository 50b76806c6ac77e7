//! Subscriptions by campaign id. There are few of them, and every event needs a lookup. A sorted list
//! suffices, and its iteration order is deterministic.

use super::context::Context;
use super::subscription::Subscription;

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

    /// Adds a subscription. It replaces an existing one of the same campaign.
    pub fn insert(&mut self, subscription: Subscription) {
        match self.place(subscription.id().as_str()) {
            Ok(at) => self.0[at] = subscription,
            Err(at) => self.0.insert(at, subscription),
        }
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
