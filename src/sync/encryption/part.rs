//! A snapshot part whose content may be sealed.

use crate::protocol::snapshot::SnapshotPart;

/// A snapshot part, as far as it could be opened; `U` says why it could not.
#[derive(Debug)]
pub enum OpenedPart<'a, U> {
    /// It opened.
    Opened(Box<SnapshotPart<'a>>),
    /// It did not.
    Closed {
        /// Which campaign.
        campaign_id: &'a str,
        /// Which request.
        request_id: Option<&'a str>,
        /// Why.
        why: U,
    },
}
