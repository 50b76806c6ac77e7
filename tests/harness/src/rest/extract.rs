//! Extractors: the arguments of a handler are validated before the handler runs.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, RawPathParams, Request};
use axum::http::request::Parts;
use campaign_sync::protocol::{CampaignId, Code};

use super::bodies::Checked;
use crate::campaign::Refusal;

/// The longest message about a member that cannot be read, in characters.
const MESSAGE_CHARS_MAX: usize = 300;

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

/// A JSON body of any content type. An empty body counts as an empty object. A route with a body takes no
/// query.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: Checked, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        if request.uri().query().is_some_and(|query| !query.is_empty()) {
            return Err(Refusal::new(Code::InvalidBody, "this route takes no query"));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|error| Refusal {
            status: Some(error.status().as_u16()),
            ..Refusal::new(Code::InvalidBody, error.body_text())
        })?;
        let text: &[u8] = if bytes.trim_ascii().is_empty() { b"{}" } else { bytes.trim_ascii() };
        // A list would be read as the values of the members, in order.
        if !text.starts_with(b"{") {
            return Err(Refusal::new(Code::InvalidBody, "the body is not a JSON object"));
        }
        let mut json = serde_json::Deserializer::from_slice(text);
        let body = serde_path_to_error::deserialize(&mut json).map_err(|error| named(&error))?;
        json.end().map_err(|error| unreadable(&error.to_string()))?;
        checked(body).map(Self)
    }
}

/// The parameters of a query.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<T: Checked, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let Query(query) =
            Query::try_from_uri(&parts.uri).map_err(|error| unreadable(&error.body_text()))?;
        checked(query).map(Self)
    }
}

/// Reports a member that cannot be read, by its name.
fn named(error: &serde_path_to_error::Error<serde_json::Error>) -> Refusal {
    let (path, reason) = (error.path().to_string(), error.inner().to_string());
    let is_named = path == "." || reason.contains(&format!("`{path}`"));
    unreadable(&if is_named { reason } else { format!("{path}: {reason}") })
}

/// Reports what cannot be read. The reason may contain text of the client, so it is cut.
fn unreadable(reason: &str) -> Refusal {
    let message: String = reason.chars().take(MESSAGE_CHARS_MAX).collect();
    Refusal::new(Code::InvalidBody, message)
}

fn checked<T: Checked>(value: T) -> Result<T, Refusal> {
    match value.problem() {
        Some(problem) => Err(Refusal::new(Code::InvalidBody, problem)),
        None => Ok(value),
    }
}
