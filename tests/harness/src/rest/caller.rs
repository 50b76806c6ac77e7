//! The identity and the idempotency key of a request.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use campaign_sync::protocol::Code;
use campaign_sync::protocol::digest::id_hash;
use http_body::Body as _;

use super::answer::{Streamed, unavailable};
use super::blocking::blocking;
use super::extract::id_of;
use super::headers::IDEMPOTENCY_KEY;
use crate::access::Identity;
use crate::app::App;
use crate::campaign::{self, Key, Refusal};
use crate::capacity::{Quota, counted};
use crate::log::LogError;

/// The longest idempotency key, in bytes.
const KEY_BYTES_MAX: usize = 128;

/// The largest body of a request, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Answers up to this size are not counted in the bytes in flight.
const SMALL_ANSWER_BYTES: u64 = 16 * 1024;

/// The name of the session cookie.
pub const COOKIE: &str = "campaign-sync-session";

/// The caller of a request, as [`identify`] determined it.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The caller's identity.
    pub identity: Identity,
    /// The caller as the audit trail records it.
    pub by: campaign::Caller,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let unidentified = || Refusal::new(Code::Internal, "the caller is not identified");
        parts.extensions.get::<Self>().cloned().ok_or_else(unidentified)
    }
}

/// Answers a request whose body was refused when it was received ([`accept`](crate::accept)).
pub async fn refuse_incomplete(request: Request, next: Next) -> Response {
    match request.extensions().get::<Refusal>().cloned() {
        Some(refusal) => refusal.into_response(),
        None => next.run(request).await,
    }
}

/// Identifies the caller, checks whether the request is allowed, and checks whether the campaign of the route
/// exists for the caller. Reads the whole body, because an idempotency key belongs to one request with its
/// body.
pub async fn identify(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (request, identity) = match identified(&app, request).await {
        Ok(identified) => identified,
        Err(refusal) => return refusal.into_response(),
    };
    let Some(quota) = identity.quota() else {
        return counted_answer(&app, None, next.run(request).await).await;
    };
    if !request.method().is_safe() {
        return counted_answer(&app, Some(quota), next.run(request).await).await;
    }
    match quota.request().await {
        Ok(_turn) => counted_answer(&app, Some(quota), next.run(request).await).await,
        Err(error) => {
            app.context.hub.metrics.rate_limited.get_or_create(&[("what", "reads")]).inc();
            Refusal::from(error).into_response()
        }
    }
}

/// Counts the bytes of an answer until the peer has taken them, or refuses it if too many wait already. A
/// streamed answer counts its own.
async fn counted_answer(app: &App, quota: Option<&Arc<Quota>>, response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let Some(bytes) = body.size_hint().exact().filter(|bytes| *bytes > SMALL_ANSWER_BYTES) else {
        return Response::from_parts(parts, body);
    };
    if parts.extensions.get::<Streamed>().is_some() {
        return Response::from_parts(parts, body);
    }
    let hub = &app.context.hub;
    let refused = |error: LogError| {
        hub.metrics.rate_limited.get_or_create(&[("what", "bytes")]).inc();
        Refusal::from(error).into_response()
    };
    let Some(charge) = app.context.snapshots.charge(hub, bytes) else {
        return refused(LogError::Busy);
    };
    let of_user = match quota.map(|quota| quota.try_charge(bytes)) {
        Some(None) => return refused(LogError::QuotaExceeded),
        Some(Some(of_user)) => Some(of_user),
        None => None,
    };
    match to_bytes(body, usize::MAX).await {
        Ok(bytes) => Response::from_parts(parts, counted(bytes, (charge, of_user)).into()),
        Err(error) => Refusal::new(Code::Internal, error.to_string()).into_response(),
    }
}

async fn identified(app: &Arc<App>, request: Request) -> Result<(Request, Identity), Refusal> {
    let (mut parts, body) = request.into_parts();
    let identity = authenticated(app, &parts.method, &parts.headers).await?;
    if let Some(id) = id_of(&mut parts, app).await? {
        let who = identity.clone();
        let visible = blocking(app, move |hub| Ok(hub.is_visible(&id, &who)?)).await?;
        if !visible {
            return Err(LogError::UnknownCampaign.into());
        }
    }
    let too_large = |_| Refusal {
        status: Some(413),
        ..Refusal::new(Code::InvalidBody, "the body has more than 65,536 bytes")
    };
    let body = to_bytes(body, BODY_BYTES_MAX).await.map_err(too_large)?;
    let spec = format!("{} {}\n{}", parts.method, parts.uri, String::from_utf8_lossy(&body));
    let user = identity.name().to_owned();
    let key = key(&parts.headers, &identity.key_space(), &spec)?;
    let by = campaign::Caller { user: Some(user), owner_name: identity.owner_name(), key };
    parts.extensions.insert(Caller { identity: identity.clone(), by });
    Ok((Request::from_parts(parts, Body::from(body)), identity))
}

async fn authenticated(
    app: &App,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Identity, Refusal> {
    let given = given(headers);
    let token = given.as_ref().map(|(token, _)| token.as_str());
    let unknown = || Refusal::new(Code::Unauthorized, "the session or token is missing or wrong");
    let identity = app.sessions.identify(token).await.map_err(|_| unavailable())?;
    let identity = identity.ok_or_else(unknown)?;
    let cookie = matches!((&given, &identity), (Some((_, true)), Identity::User(_)));
    if cookie && !method.is_safe() {
        named_origin(headers)?;
    }
    let now_ms = app.clock.now().monotonic_ms;
    identity.requests(now_ms, app.requests_per_second).map_err(|after_ms| {
        app.context.hub.metrics.rate_limited.get_or_create(&[("what", "requests")]).inc();
        Refusal::too_many("too many requests", after_ms)
    })?;
    Ok(identity)
}

/// Refuses a change by cookie that does not name its origin: a browser sends cookies with requests of any
/// page.
///
/// # Errors
/// [`Code::Forbidden`].
pub(super) fn named_origin(headers: &HeaderMap) -> Result<(), Refusal> {
    let is_named = headers.contains_key(header::ORIGIN);
    let nameless = || Refusal::new(Code::Forbidden, "a change by cookie must name its origin");
    is_named.then_some(()).ok_or_else(nameless)
}

/// The token of a request, and whether it came in a cookie.
pub fn given(headers: &HeaderMap) -> Option<(String, bool)> {
    let text = |name| headers.get(name).and_then(|it| it.to_str().ok());
    if let Some(token) = text(header::AUTHORIZATION).and_then(bearer) {
        return Some((token.to_owned(), false));
    }
    let cookies = text(header::COOKIE)?.split(';').filter_map(|it| it.trim().split_once('='));
    let token = cookies.filter(|(name, _)| *name == COOKIE).map(|(_, token)| token).next()?;
    Some((token.to_owned(), true))
}

/// The token of an `Authorization` header. The name of the scheme is case-insensitive (RFC 9110, 11.1).
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    let token = Some(token.trim_start_matches(' ')).filter(|it| !it.is_empty());
    token.filter(|_| scheme.eq_ignore_ascii_case("bearer"))
}

fn key(headers: &HeaderMap, key_space: &str, spec: &str) -> Result<Option<Key>, Refusal> {
    let Some(name) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let name = name.to_str().unwrap_or_default();
    let is_key =
        (1..=KEY_BYTES_MAX).contains(&name.len()) && name.bytes().all(|it| it.is_ascii_graphic());
    if !is_key {
        let message = "an idempotency key has 1 to 128 visible ASCII characters";
        return Err(Refusal::new(Code::InvalidBody, message));
    }
    let fingerprint = format!("{:016x}", id_hash(spec));
    // The key includes the identity, so nobody gets the answer to the request of another identity.
    Ok(Some(Key { name: format!("{key_space}/{name}"), fingerprint }))
}
