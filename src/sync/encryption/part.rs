//! A snapshot part whose content may be sealed.

use crate::protocol::json::RawStr;
use crate::protocol::snapshot::SnapshotPart;

/// A snapshot part after the attempt to open it. `U` is the reason if it did not open.
#[derive(Debug)]
pub enum OpenedPart<'a, U> {
    /// The content opened.
    Opened(Box<SnapshotPart<'a>>),
    /// The content did not open.
    Closed {
        /// The campaign.
        campaign_id: RawStr<'a>,
        /// The request that the part answers.
        request_id: Option<RawStr<'a>>,
        /// The reason.
        why: U,
    },
}
