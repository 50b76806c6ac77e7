//! Why a log did not do what it was asked for.

use campaign_sync::protocol::Code;

/// Why the log did not do it. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The campaign's last number is not the expected one.
    #[error("conflict: the head is {head}")]
    Conflict {
        /// The last number that it really has.
        head: u64,
    },
    /// There is no such campaign.
    #[error("no such campaign")]
    UnknownCampaign,
    /// The event breaks the contract.
    #[error("rejected: {0}")]
    Rejected(Code),
    /// The medium failed.
    #[error("storage: {0}")]
    Storage(String),
}

impl LogError {
    /// The medium failed.
    pub fn storage(error: impl std::fmt::Display) -> Self {
        Self::Storage(error.to_string())
    }
}

impl From<rusqlite::Error> for LogError {
    fn from(error: rusqlite::Error) -> Self {
        Self::storage(error)
    }
}

/// What a log does, or why it did not.
pub type Result<T, E = LogError> = std::result::Result<T, E>;
