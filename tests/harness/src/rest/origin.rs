//! Checks of every request (host and origin), and headers of every response that restrict pages.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use campaign_sync::protocol::Code;

use crate::campaign::Refusal;

/// The accepted hosts and origins. They are compared as a whole.
#[derive(Clone, Debug)]
pub struct OriginPolicy {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl OriginPolicy {
    /// The policy of a server behind these origins. Without origins, loopback hosts with the port of the
    /// server are accepted. A server without authentication accepts these in addition to `origins`, because
    /// the page of a development server has another port.
    pub fn new(origins: &[String], listening: SocketAddr, open: bool) -> Self {
        let mut origins = origins.to_vec();
        if open || origins.is_empty() {
            let local = ["localhost", "127.0.0.1", "[::1]"];
            origins.extend(local.map(|host| format!("http://{host}:{}", listening.port())));
            origins.push(format!("http://{listening}"));
        }
        let host = |origin: &String| Some(origin.split_once("://")?.1.to_owned());
        Self { hosts: origins.iter().filter_map(host).collect(), origins }
    }

    /// Whether the session cookie is `Secure`: if all origins begin with `https://`.
    pub fn is_secure(&self) -> bool {
        self.origins.iter().all(|origin| origin.starts_with("https://"))
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let text = |name| headers.get(name).map(|it: &HeaderValue| it.to_str().unwrap_or_default());
        let ours = |list: &[String], given: &str| list.iter().any(|it| it == given);
        if !text(header::HOST).is_some_and(|host| ours(&self.hosts, host)) {
            return Err(Refusal::new(Code::Forbidden, "this server is not that host"));
        }
        if text(header::ORIGIN).is_some_and(|origin| !ours(&self.origins, origin)) {
            return Err(Refusal::new(Code::Forbidden, "pages of that origin are not admitted"));
        }
        Ok(())
    }
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
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(nothing);
    response
}
