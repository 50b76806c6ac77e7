//! Extractors: the arguments of a handler are validated before the handler runs.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, RawPathParams, Request};
use axum::http::request::Parts;
use campaign_sync::protocol::{CampaignId, Code};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::campaign::Refusal;

/// The campaign of the route.
#[derive(Debug)]
pub struct Id(pub CampaignId);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let id = id_of(parts, state).await?;
        id.map(Self).ok_or_else(|| Refusal::new(Code::NotFound, "there is no such route"))
    }
}

/// The campaign of the route, if it has one.
///
/// # Errors
/// [`Code::InvalidCampaignId`].
pub async fn id_of<S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
) -> Result<Option<CampaignId>, Refusal> {
    let Ok(params) = RawPathParams::from_request_parts(parts, state).await else { return Ok(None) };
    let id = params.iter().find(|(name, _)| *name == "id");
    id.map(|(_, id)| campaign_id(id)).transpose()
}

/// Validates a campaign id.
///
/// # Errors
/// [`Code::InvalidCampaignId`].
pub fn campaign_id(text: &str) -> Result<CampaignId, Refusal> {
    CampaignId::new(text).map_err(|code| Refusal::new(code, "campaign ids are [A-Za-z0-9_-]{1,64}"))
}

/// A JSON body of any content type. An empty body counts as an empty object.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let bytes = Bytes::from_request(request, state).await.map_err(|error| Refusal {
            status: Some(error.status().as_u16()),
            ..Refusal::new(Code::InvalidBody, error.body_text())
        })?;
        let bytes: &[u8] = if bytes.trim_ascii().is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(bytes)
            .map(Self)
            .map_err(|error| Refusal::new(Code::InvalidBody, error.to_string()))
    }
}

/// The query parameters of the reading routes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Reading {
    pub(super) min_position: Option<String>,
    pub(super) offset: u64,
    pub(super) limit: Option<u64>,
    pub(super) search: Option<String>,
    #[serde(rename = "dnsStatus")]
    pub(super) dns_status: Option<String>,
    #[serde(rename = "httpStatus")]
    pub(super) http_status: Option<String>,
    /// Include all requests of the audit trail, not only transitions.
    pub(super) all: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Reading {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let query = Query::from_request_parts(parts, state).await;
        query
            .map(|Query(reading)| reading)
            .map_err(|error| Refusal::new(Code::InvalidBody, error.body_text()))
    }
}
