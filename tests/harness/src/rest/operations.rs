//! The routes for operators: health, readiness, metrics.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use campaign_sync::protocol::Code;
use serde_json::json;

use super::answer::{Answer, plain};
use crate::app::App;
use crate::campaign::Refusal;

/// The routes of the metrics port.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .with_state(app)
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], app.context.hub.metrics.render()).into_response()
}

/// `GET /healthz`: the process answers.
pub async fn health(State(app): State<Arc<App>>) -> Response {
    plain(&json!({"status": "ok", "epoch": app.context.hub.epoch()}))
}

/// `GET /readyz`: the server can take clients: its log can be read and written, and it is not draining.
///
/// # Errors
/// With status 503: [`Code::Behind`] while the server drains, [`Code::Internal`] if the log fails.
pub async fn ready(State(app): State<Arc<App>>) -> Answer {
    if *app.draining.borrow() {
        return Err(Refusal::new(Code::Behind, "the server is draining"));
    }
    match app.readiness.check(&app.context.hub).await {
        Ok(()) => Ok(plain(&json!({"status": "ready"}))),
        Err(reason) => Err(Refusal { status: Some(503), ..Refusal::new(Code::Internal, reason) }),
    }
}

/// Counts and times every request.
pub async fn measure(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let response = next.run(request).await;
    let class = match response.status().as_u16() {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    };
    let metrics = &app.context.hub.metrics;
    metrics.requests.get_or_create(&[("status", class)]).inc();
    metrics.request_seconds.observe(started.elapsed().as_secs_f64());
    response
}
