//! Campaign ids, checked once at the edge so that they may become paths and subjects inside.

use core::borrow::Borrow;
use core::fmt;
use std::sync::Arc;

use super::Code;

/// The id of a campaign: `[A-Za-z0-9_-]{1,64}`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CampaignId(Arc<str>);

impl CampaignId {
    /// Checks `text` and takes a copy of it.
    ///
    /// # Errors
    /// [`Code::InvalidCampaignId`] for anything that is not `[A-Za-z0-9_-]{1,64}`.
    pub fn new(text: &str) -> Result<Self, Code> {
        if is_campaign_id(text) { Ok(Self(text.into())) } else { Err(Code::InvalidCampaignId) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `text` may be a campaign id.
pub fn is_campaign_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

impl Borrow<str> for CampaignId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CampaignId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for CampaignId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
