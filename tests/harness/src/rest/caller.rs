//! Who asks, and under which idempotency key.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use campaign_sync::protocol::Code;
use campaign_sync::protocol::digest::id_hash;

use crate::app::App;
use crate::campaign::{self, Key, Refusal};

/// The header that names a request.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The longest name.
const KEY_BYTES_MAX: usize = 128;

/// The largest body of a request.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Who asks, taken from what [`identify`] found.
#[derive(Clone, Debug)]
pub struct Caller(pub campaign::Caller);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let unidentified = || Refusal::new(Code::Internal, "the caller is not identified");
        parts.extensions.get::<Self>().cloned().ok_or_else(unidentified)
    }
}

/// Finds out who asks, and reads the whole body, for the key names what is asked.
pub async fn identify(State(_app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match identified(request).await {
        Ok(request) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

async fn identified(request: Request) -> Result<Request, Refusal> {
    let (mut parts, body) = request.into_parts();
    let too_large = |_| Refusal {
        status: Some(413),
        ..Refusal::new(Code::InvalidBody, "the body has more than 65,536 bytes")
    };
    let body = to_bytes(body, BODY_BYTES_MAX).await.map_err(too_large)?;
    let asked = format!("{} {}\n{}", parts.method, parts.uri, String::from_utf8_lossy(&body));
    let key = key(&parts.headers, &asked)?;
    let user = Some("anonymous".to_owned());
    parts.extensions.insert(Caller(campaign::Caller { user, key }));
    Ok(Request::from_parts(parts, Body::from(body)))
}

fn key(headers: &HeaderMap, asked: &str) -> Result<Option<Key>, Refusal> {
    let Some(name) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let name = name.to_str().unwrap_or_default();
    if name.is_empty() || name.len() > KEY_BYTES_MAX {
        let message = "an idempotency key has 1 to 128 visible ASCII characters";
        return Err(Refusal::new(Code::InvalidBody, message));
    }
    let fingerprint = format!("{:016x}", id_hash(asked));
    Ok(Some(Key { name: name.to_owned(), fingerprint }))
}
