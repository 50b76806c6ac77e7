//! The errors of a log.

use campaign_sync::protocol::Code;

/// The reason for which a log operation failed. A failed operation changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The campaign's last number is not the expected one.
    #[error("conflict: the head is {head}")]
    Conflict {
        /// The campaign's actual last number.
        head: u64,
    },
    /// There is no such campaign.
    #[error("no such campaign")]
    UnknownCampaign,
    /// The event breaks the contract.
    #[error("rejected: {0}")]
    Rejected(Code),
    /// The server is busy with other requests. The same request may succeed a moment later.
    #[error("the server is busy")]
    Busy,
    /// The user has too many requests in progress, or too many bytes wait for the user.
    #[error("too many requests in progress, or too many answers that nobody reads")]
    QuotaExceeded,
    /// The storage failed.
    #[error("storage: {0}")]
    Storage(String),
}

impl LogError {
    /// A storage error with the text of `error`.
    pub fn storage(error: impl std::fmt::Display) -> Self {
        Self::Storage(error.to_string())
    }
}

impl From<rusqlite::Error> for LogError {
    fn from(error: rusqlite::Error) -> Self {
        Self::storage(error)
    }
}

/// The result of a log operation.
pub type Result<T, E = LogError> = std::result::Result<T, E>;
