//! Campaign ids. They are validated once on input, so that other code can use them in paths and
//! subjects.

use core::borrow::Borrow;
use core::fmt;
use std::sync::Arc;

use super::Code;

/// The id of a campaign: `[A-Za-z0-9_-]{1,64}`. Cheap to clone.
// The box makes the reference as wide as one value of WebAssembly, which the module returns without memory.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CampaignId(Arc<Box<str>>);

impl CampaignId {
    /// Validates `text` and copies it.
    ///
    /// # Errors
    /// [`Code::InvalidCampaignId`] for anything that is not `[A-Za-z0-9_-]{1,64}`.
    pub fn new(text: &str) -> Result<Self, Code> {
        if is_campaign_id(text) {
            Ok(Self(Arc::new(text.into())))
        } else {
            Err(Code::InvalidCampaignId)
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Clone for CampaignId {
    // Not inline, because the module clones ids in forty places.
    #[inline(never)]
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Whether `text` is a valid campaign id.
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
