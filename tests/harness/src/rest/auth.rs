//! `/api/v2/auth`: sessions of users.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use campaign_sync::protocol::Code;

use super::answer::{Answer, plain, unavailable};
use super::answers::{CurrentSession, Done, Ended, ErrorBody, LoggedIn};
use super::bodies::{Credentials, Nothing};
use super::caller::{COOKIE, Caller, given, named_origin};
use super::extract::{Body, Params};
use super::peer::ClientAddress;
use super::queries::NoQuery;
use crate::access::{Identity, LoginError};
use crate::app::App;
use crate::campaign::Refusal;

/// `POST /auth/login`: begins a session. A page receives it as a cookie that scripts cannot read. A client
/// that requests a bearer token receives the token and no cookie.
///
/// # Errors
/// [`Code::Unauthorized`], [`Code::RateLimited`], [`Code::InvalidBody`]; 503 if the cluster of a shared log
/// cannot be reached.
#[utoipa::path(post, path = "/auth/login", tag = "auth", request_body = Credentials, responses(
    (status = 200, body = LoggedIn),
    (status = "default", body = ErrorBody, description = "A refusal"),
))]
pub(super) async fn login(
    State(app): State<Arc<App>>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Body(Credentials { user, password, bearer }): Body<Credentials>,
) -> Answer {
    let login = app.sessions.login(address, &user, password).await;
    let result = match &login {
        Ok(_) => "accepted",
        Err(LoginError::Wrong) => "wrong",
        Err(LoginError::TooMany(_)) => "too_many",
        Err(LoginError::Unavailable) => "unavailable",
    };
    app.context.hub.metrics.logins.get_or_create(&[("result", result)]).inc();
    tracing::info!(event = "login", result);
    let token = login.map_err(|denied| match denied {
        LoginError::Wrong => Refusal::new(Code::Unauthorized, "user or password is wrong"),
        LoginError::TooMany(after_ms) => Refusal::too_many("too many attempts to log in", after_ms),
        LoginError::Unavailable => unavailable(),
    })?;
    let seconds = app.context.access.session_seconds();
    let started = LoggedIn { user, token: None, expires_in_seconds: seconds };
    if bearer == Some(true) {
        return Ok(plain(&LoggedIn { token: Some(token), ..started }));
    }
    end_replaced(&app, &headers, &started.user).await?;
    let mut response = plain(&started);
    response.headers_mut().insert(header::SET_COOKIE, cookie(&app, &token, seconds)?);
    Ok(response)
}

/// Ends the session of another user whose cookie the browser replaces. Its sockets, in all tabs, must not go
/// on for a user who is gone.
async fn end_replaced(app: &App, headers: &HeaderMap, user: &str) -> Result<(), Refusal> {
    let Some((token, true)) = given(headers) else { return Ok(()) };
    let identity = app.sessions.identify(Some(&token)).await.map_err(|_| unavailable())?;
    if identity.is_some_and(|it| it.name() != user) {
        app.sessions.logout(&token).await.map_err(|_| unavailable())?;
    }
    Ok(())
}

/// `GET /auth/session`: the session of the request.
///
/// # Errors
/// [`Code::Unauthorized`], [`Code::InvalidBody`].
#[utoipa::path(get, path = "/auth/session", tag = "auth", responses(
    (status = 200, body = CurrentSession),
    (status = "default", body = ErrorBody, description = "A refusal"),
))]
pub async fn session(
    State(app): State<Arc<App>>,
    Caller { identity, .. }: Caller,
    Params(NoQuery {}): Params<NoQuery>,
) -> Response {
    let now_ms = app.clock.now().monotonic_ms;
    let left = identity.expires_ms().map(|it| it.saturating_sub(now_ms).div_ceil(1_000));
    plain(&CurrentSession {
        user: identity.name().to_owned(),
        subject: identity.subject(),
        expires_in_seconds: left,
    })
}

/// `POST /auth/logout`: ends the session. Its sockets are notified and closed.
///
/// # Errors
/// [`Code::Forbidden`] for a cookie without an origin; 503 if the cluster of a shared log cannot be reached.
#[utoipa::path(post, path = "/auth/logout", tag = "auth", request_body = Nothing, responses(
    (status = 200, body = Done),
    (status = "default", body = ErrorBody, description = "A refusal"),
))]
pub async fn logout(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Body(Nothing {}): Body<Nothing>,
) -> Answer {
    if let Some((token, is_cookie)) = given(&headers) {
        if is_cookie {
            named_origin(&headers)?;
        }
        app.sessions.logout(&token).await.map_err(|_| unavailable())?;
    }
    let mut response = plain(&Done {});
    response.headers_mut().insert(header::SET_COOKIE, cookie(&app, "", 0)?);
    Ok(response)
}

/// `DELETE /auth/sessions/{user}`: ends all sessions of a user; for the operator.
///
/// # Errors
/// [`Code::Forbidden`]; 503 if the cluster of a shared log cannot be reached.
#[utoipa::path(delete, path = "/auth/sessions/{user}", tag = "auth", params(("user" = String, Path, description = "The name of the user")), request_body = Nothing, responses(
    (status = 200, body = Ended),
    (status = "default", body = ErrorBody, description = "A refusal"),
))]
pub async fn revoke(
    State(app): State<Arc<App>>,
    Path(user): Path<String>,
    Caller { identity, .. }: Caller,
    Body(Nothing {}): Body<Nothing>,
) -> Answer {
    if matches!(identity, Identity::User(_)) {
        return Err(Refusal::new(Code::Forbidden, "only the operator ends sessions of others"));
    }
    let ended = app.sessions.revoke(&user).await.map_err(|_| unavailable())?;
    Ok(plain(&Ended { ended }))
}

fn cookie(app: &App, token: &str, seconds: u64) -> Result<HeaderValue, Refusal> {
    let secure = if app.origin.is_secure() { "; Secure" } else { "" };
    let cookie = format!(
        "{COOKIE}={token}; Path=/api/v2; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    );
    let broken = |_| Refusal::new(Code::Internal, "the cookie cannot be written");
    HeaderValue::from_str(&cookie).map_err(broken)
}
