//! The parameters of paths and headers, for the description of the interface. The router and [`Caller`] read
//! them.
//!
//! [`Caller`]: super::caller::Caller

use utoipa::{IntoParams, ToSchema};

/// The campaign of a route.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only the description of the interface uses it")]
pub struct CampaignPath {
    /// The id of the campaign.
    #[param(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    id: String,
}

/// The action of a route.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only the description of the interface uses it")]
pub struct ActionPath {
    /// The action.
    #[param(inline)]
    action: Action,
}

/// The actions on a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Starts the generation of the rows.
    Start,
    /// Makes the transition into DNS validation.
    ConfigureDns,
    /// Makes the transition into HTTP validation.
    ConfigureHttp,
    /// Makes the transition into the analysis.
    ConfigureAnalysis,
    /// Starts DNS validation.
    ValidateDns,
    /// Starts HTTP validation.
    ValidateHttp,
    /// Starts the analysis.
    Analyze,
    /// Pauses the running phase.
    Pause,
    /// Resumes the paused phase.
    Resume,
    /// Takes the phase back to the end of the phase before.
    Rollback,
}

/// The key that makes a repeated request harmless.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only the description of the interface uses it")]
pub struct IdempotencyKey {
    /// 1 to 128 visible ASCII characters, unique for its user and campaign.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 128, pattern = "^[!-~]+$")]
    idempotency_key: Option<String>,
}
