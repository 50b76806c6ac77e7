//! The form of REST answers: JSON with the position that it describes, or one coded error.

use axum::Json;
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use campaign_sync::protocol::{CampaignId, Code};
use serde::Serialize;
use serde_json::Value;

use super::answers::{ErrorBody, ErrorReason};
use super::headers::POSITION;
use crate::campaign::Refusal;
use crate::hub::Hub;

/// The result of a handler.
pub type Answer = Result<Response, Refusal>;

/// A body that describes no single position.
pub fn plain(body: &impl Serialize) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// Marks an answer that is streamed from a shared text, and counted with it.
#[derive(Clone, Copy, Debug)]
pub struct Streamed;

/// A body that is sent piece by piece, with the position that it describes.
pub fn streamed(position: &str, body: Body) -> Response {
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_TYPE, "application/json"),
        (POSITION, position),
    ];
    let mut response = (headers, body).into_response();
    response.extensions_mut().insert(Streamed);
    response
}

/// A body that describes a campaign after exactly the event with this number and id. It is sealed if the
/// server has keys. `route` names the route in the seal.
///
/// # Errors
/// [`Code::Internal`] if the body must be sealed and sealing fails.
pub fn positioned(
    hub: &Hub,
    id: &CampaignId,
    at: (u64, &str),
    route: &str,
    body: &impl Serialize,
) -> Answer {
    let position = format!("{}/{}", hub.epoch(), at.0);
    let body = sealed(hub, id, at, route, body)?.map_or_else(|| plain(body), |it| plain(&it));
    Ok(([(POSITION, position)], body).into_response())
}

/// The sealed body, or `None` if the server has no keys.
///
/// # Errors
/// As [`positioned`].
pub fn sealed(
    hub: &Hub,
    campaign: &CampaignId,
    (number, event_id): (u64, &str),
    route: &str,
    body: &impl Serialize,
) -> Result<Option<Value>, Refusal> {
    let Some(keys) = hub.log().keys() else { return Ok(None) };
    let place = [campaign.as_str(), hub.epoch(), event_id];
    let body = serde_json::to_string(body)?;
    Ok(Some(keys.seal_answer(place, number, route, &body)?))
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self.code {
            Code::InvalidCampaignId | Code::InvalidBody => StatusCode::BAD_REQUEST,
            Code::Unauthorized => StatusCode::UNAUTHORIZED,
            Code::Forbidden => StatusCode::FORBIDDEN,
            Code::UnknownCampaign | Code::NotFound => StatusCode::NOT_FOUND,
            Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Code::Behind | Code::TooMany => StatusCode::SERVICE_UNAVAILABLE,
            Code::IllegalTransition
            | Code::PrerequisitesNotMet
            | Code::ExpectedStateMismatch
            | Code::IntegrityCheckFailed => StatusCode::CONFLICT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let own = self.status.and_then(|status| StatusCode::from_u16(status).ok());
        let status = own.unwrap_or(status);
        let error = ErrorReason { code: self.code.as_str(), message: self.message };
        let body = ErrorBody { error };
        let mut response = (status, plain(&body)).into_response();
        let unavailable = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1_000);
        if let Some(after_ms) = self.retry_after_ms.or(unavailable) {
            let seconds = header::HeaderValue::from(after_ms.div_ceil(1_000));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

/// The refusal for session requests while the cluster of a shared log cannot be reached.
pub(super) fn unavailable() -> Refusal {
    let message = "the servers that share the log cannot be reached";
    Refusal { status: Some(503), ..Refusal::new(Code::Internal, message) }
}
