//! G12: every change of a record or of rows makes invalid what a cache holds of it.

use campaign_sync::protocol::Digest;
use campaign_sync::protocol::campaign::CampaignRecord;
use campaign_sync::store::CampaignStore;
use campaign_sync::sync::Effect;
use campaign_sync::sync::context::{RECORD, ROWS, ViewChange};
use campaign_sync::sync::notice::Detail;

use super::invariants::{Check, demand};

/// The content that a cache could hold of one campaign.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CachedContent {
    /// Without the number of domains, which belongs to the rows. The first row makes an empty record.
    record: CampaignRecord,
    rows: (usize, Digest),
}

impl CachedContent {
    /// Checks that what this step changed was announced, and takes over the present content.
    pub(crate) fn follow(
        &mut self,
        store: &CampaignStore,
        changes: &[ViewChange],
        effects: &[Effect],
        id: &str,
    ) -> Check {
        let record = store.record().cloned().unwrap_or_default();
        let table = store.table();
        let now = Self {
            record: CampaignRecord { total_domain_count: 0, ..record },
            rows: (table.len(), table.digest()),
        };
        let mut changed = 0;
        if now.record != self.record {
            changed |= RECORD;
        }
        if now.rows != self.rows {
            changed |= ROWS;
        }
        *self = now;
        let announced = changes.iter().filter(|it| it.campaign_id.as_str() == id);
        let announced = announced.fold(0, |content, it| content | it.content);
        let voids = |effect: &Effect| {
            matches!(effect, Effect::Notify(it) if matches!(it.detail, Detail::CacheInvalidated(_))
                && it.campaign_id.as_ref().is_some_and(|it| it.as_str() == id))
        };
        demand(changed & !announced == 0 || effects.iter().any(voids), "G12", || {
            format!("content {changed} changed, and {announced} was announced to caches")
        })
    }
}
