//! Checks of every request (host and origin), headers of every response that restrict pages, and headers that
//! permit the pages of other origins (CORS).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use campaign_sync::protocol::Code;
use tower_http::cors::CorsLayer;

use super::headers::{IDEMPOTENCY_KEY, POSITION};
use crate::campaign::Refusal;

/// The headers that a request has at most once. Otherwise a proxy and this server could judge different
/// values.
const ONCE: [HeaderName; 4] =
    [header::HOST, header::ORIGIN, header::AUTHORIZATION, IDEMPOTENCY_KEY];

/// The time for which a browser may keep the answer to a preflight request.
const PREFLIGHT_AGE: Duration = Duration::from_secs(600);

/// The accepted hosts and origins. They are compared as a whole.
#[derive(Clone, Debug)]
pub struct OriginPolicy {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl OriginPolicy {
    /// The policy of a server behind these origins. A server that listens on loopback is reached directly,
    /// too, by its own page and through the proxy of a development server: it accepts loopback hosts with its
    /// port in addition. With authentication and behind TLS it accepts the named origins only.
    pub fn new(origins: &[String], listening: SocketAddr, open: bool) -> Self {
        let mut origins = origins.to_vec();
        let is_behind_tls = !origins.is_empty() && origins.iter().all(|it| is_secure(it));
        if open || origins.is_empty() || listening.ip().is_loopback() && !is_behind_tls {
            let local = ["localhost", "127.0.0.1", "[::1]"];
            origins.extend(local.map(|host| format!("http://{host}:{}", listening.port())));
            origins.push(format!("http://{listening}"));
        }
        let host = |origin: &String| Some(origin.split_once("://")?.1.to_owned());
        Self { hosts: origins.iter().filter_map(host).collect(), origins }
    }

    /// Whether the session cookie is `Secure`: if all origins begin with `https://`.
    pub fn is_secure(&self) -> bool {
        self.origins.iter().all(|origin| is_secure(origin))
    }

    /// The headers that let pages of the accepted origins, and of no other origin, use the REST interface.
    pub fn cors(&self) -> CorsLayer {
        let origins = self.origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
        CorsLayer::new()
            .allow_origin(origins.collect::<Vec<_>>())
            .allow_credentials(true)
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
            .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, IDEMPOTENCY_KEY])
            .expose_headers([POSITION, header::LOCATION, header::RETRY_AFTER])
            .max_age(PREFLIGHT_AGE)
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        for name in ONCE {
            if headers.get_all(&name).iter().count() > 1 {
                let message = format!("the header {name} occurs more than once");
                return Err(Refusal::new(Code::InvalidBody, message));
            }
        }
        let text = |name| headers.get(name).map(|it: &HeaderValue| it.to_str().unwrap_or_default());
        let ours = |list: &[String], given: &str| list.iter().any(|it| it == given);
        if !text(header::HOST).is_some_and(|host| ours(&self.hosts, host)) {
            return Err(Refusal::new(Code::Forbidden, "this server is not that host"));
        }
        if text(header::ORIGIN).is_some_and(|origin| !ours(&self.origins, origin)) {
            let message = "pages of that origin are not admitted, see --origin";
            return Err(Refusal::new(Code::Forbidden, message));
        }
        Ok(())
    }
}

fn is_secure(origin: &str) -> bool {
    origin.starts_with("https://")
}

/// Passes a request on if its host and origin are accepted.
pub async fn check(
    State(origin): State<Arc<OriginPolicy>>,
    request: Request,
    next: Next,
) -> Response {
    match origin.check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Adds security headers to every response. The page sets a separate content security policy; other responses
/// may load nothing.
pub async fn security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(nothing);
    response
}
