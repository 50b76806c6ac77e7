//! The reasons for which an operation is refused.

use campaign_sync::protocol::Code;

use crate::log::LogError;

/// A refused operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One of the closed list of codes.
    pub code: Code,
    /// The reason, for people.
    pub message: String,
    /// The HTTP status, if it differs from that of the code.
    pub status: Option<u16>,
    /// The time after which the client may try again, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), status: None, retry_after_ms: None }
    }

    /// A refusal because of a rate limit.
    pub fn too_many(message: &str, retry_after_ms: u64) -> Self {
        let retry_after_ms = Some(retry_after_ms);
        Self { retry_after_ms, ..Self::new(Code::RateLimited, message) }
    }
}

/// The time after which a busy server may answer, in milliseconds.
pub const BUSY_RETRY_MS: u64 = 2_000;

impl From<LogError> for Refusal {
    fn from(error: LogError) -> Self {
        let code = match &error {
            LogError::Busy => {
                let refusal = Self::too_many(&error.to_string(), BUSY_RETRY_MS);
                return Self { status: Some(503), ..refusal };
            }
            LogError::QuotaExceeded => return Self::too_many(&error.to_string(), BUSY_RETRY_MS),
            LogError::Conflict { .. } => Code::ExpectedStateMismatch,
            LogError::UnknownCampaign => Code::UnknownCampaign,
            // The storage may be full, or the cluster away. Nothing changed, so the request can be repeated.
            LogError::Storage(_) => {
                return Self { status: Some(503), ..Self::new(Code::Internal, error.to_string()) };
            }
            LogError::Rejected(_) => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

impl From<serde_json::Error> for Refusal {
    /// An error of this server's own JSON. Requests are validated where they are parsed.
    fn from(error: serde_json::Error) -> Self {
        Self::new(Code::Internal, error.to_string())
    }
}
