//! `/api/v2/auth`: sessions.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use campaign_sync::protocol::Code;
use serde::Deserialize;
use serde_json::json;

use super::answer::{Answer, plain};
use super::caller::{Caller, given};
use super::extract::Body;
use crate::access::{Denied, Identity};
use crate::app::App;
use crate::campaign::Refusal;

/// The cookie of a session.
pub const COOKIE: &str = "campaign-sync-session";

/// What a login takes.
#[derive(Deserialize)]
pub(super) struct Credentials {
    user: String,
    password: String,
    /// Wants a token to send in `connection_init` and `Authorization`, instead of a cookie.
    #[serde(default)]
    bearer: bool,
}

/// `POST /auth/login`: begins a session. A page gets it as a cookie that scripts cannot read; whoever
/// asks for a bearer token gets that, and no cookie.
///
/// # Errors
/// [`Code::Unauthorized`], [`Code::RateLimited`], [`Code::InvalidBody`].
pub(super) async fn login(
    State(app): State<Arc<App>>,
    Body(Credentials { user, password, bearer }): Body<Credentials>,
) -> Answer {
    let (of, now_ms) = (app.clone(), app.clock.now().monotonic_ms);
    let name = user.clone();
    let login =
        tokio::task::spawn_blocking(move || of.context.access.login(now_ms, &name, &password));
    let login = login.await.map_err(|_| Refusal::new(Code::Internal, "the login failed"))?;
    let result = match &login {
        Ok(_) => "accepted",
        Err(Denied::Wrong) => "wrong",
        Err(Denied::TooMany(_)) => "too_many",
    };
    app.context.hub.metrics.logins.get_or_create(&[("result", result)]).inc();
    tracing::info!(event = "login", result);
    let token = login.map_err(|denied| match denied {
        Denied::Wrong => Refusal::new(Code::Unauthorized, "user or password is wrong"),
        Denied::TooMany(after_ms) => Refusal::too_many("too many attempts to log in", after_ms),
    })?;
    let seconds = app.context.access.session_seconds();
    if bearer {
        return Ok(plain(&json!({"user": user, "token": token, "expiresInSeconds": seconds})));
    }
    let mut response = plain(&json!({"user": user, "expiresInSeconds": seconds}));
    response.headers_mut().insert(header::SET_COOKIE, cookie(&app, &token, seconds)?);
    Ok(response)
}

/// `POST /auth/logout`: ends the session; its sockets are told and closed.
///
/// # Errors
/// None of its own.
pub async fn logout(State(app): State<Arc<App>>, headers: HeaderMap) -> Answer {
    if let Some((token, _)) = given(&headers) {
        app.context.access.logout(&token);
    }
    let mut response = plain(&json!({}));
    response.headers_mut().insert(header::SET_COOKIE, cookie(&app, "", 0)?);
    Ok(response)
}

/// `DELETE /auth/sessions/{user}`: ends all sessions of a user; for the operator.
///
/// # Errors
/// [`Code::Forbidden`].
pub async fn revoke(
    State(app): State<Arc<App>>,
    Path(user): Path<String>,
    Caller { identity, .. }: Caller,
) -> Answer {
    if matches!(identity, Identity::User(_)) {
        return Err(Refusal::new(Code::Forbidden, "only the operator ends sessions of others"));
    }
    Ok(plain(&json!({"ended": app.context.access.revoke(&user)})))
}

fn cookie(app: &App, token: &str, seconds: u64) -> Result<HeaderValue, Refusal> {
    let secure = if app.gate.is_secure() { "; Secure" } else { "" };
    let cookie = format!(
        "{COOKIE}={token}; Path=/api/v2; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    );
    let broken = |_| Refusal::new(Code::Internal, "the cookie cannot be written");
    HeaderValue::from_str(&cookie).map_err(broken)
}
