//! Why something is not done.

use campaign_sync::protocol::Code;

use crate::log::LogError;

/// Why an operation was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// From the closed list.
    pub code: Code,
    /// For people.
    pub message: String,
    /// The HTTP status, where it is not the one of the code.
    pub status: Option<u16>,
    /// When to come back.
    pub retry_after_ms: Option<u64>,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), status: None, retry_after_ms: None }
    }

    /// A refusal for a time.
    pub fn too_many(message: &str, retry_after_ms: u64) -> Self {
        let retry_after_ms = Some(retry_after_ms);
        Self { retry_after_ms, ..Self::new(Code::RateLimited, message) }
    }
}

impl From<LogError> for Refusal {
    fn from(error: LogError) -> Self {
        let code = match &error {
            LogError::Conflict { .. } => Code::ExpectedStateMismatch,
            LogError::UnknownCampaign => Code::UnknownCampaign,
            LogError::Rejected(_) | LogError::Storage(_) => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

impl From<serde_json::Error> for Refusal {
    /// For what we write ourselves; what others write is judged where it is read.
    fn from(error: serde_json::Error) -> Self {
        Self::new(Code::Internal, error.to_string())
    }
}
