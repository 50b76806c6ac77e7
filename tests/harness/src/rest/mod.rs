//! The routes.

pub mod answer;
pub mod answers;
pub mod auth;
mod blocking;
pub mod bodies;
pub mod caller;
pub mod campaigns;
pub mod extract;
pub mod faults;
pub mod headers;
pub mod openapi;
pub mod operations;
pub mod origin;
pub mod parameters;
mod peer;
pub mod queries;

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get, post, put};
use campaign_sync::protocol::Code;
use tower_http::services::{ServeDir, ServeFile};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::app::App;
use crate::campaign::Refusal;
use crate::socket;

/// The content security policy of the page: it may run its own scripts and WebAssembly and connect to this
/// server, and nothing else.
const PAGE_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
     img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; \
     frame-ancestors 'none'";

/// The router of everything below `/api`, of health, and of the page if there is one.
pub fn router(app: Arc<App>, page: Option<&Path>) -> Router {
    let rest = Router::new()
        .route("/campaigns", get(campaigns::list).post(campaigns::create))
        .route("/campaigns/{id}", get(campaigns::one).delete(campaigns::delete))
        .route("/campaigns/{id}/owner", put(campaigns::set_owner))
        .route("/campaigns/{id}/domains", get(campaigns::domains))
        .route("/campaigns/{id}/snapshot", get(campaigns::snapshot))
        .route("/campaigns/{id}/transitions", get(campaigns::transitions))
        .route("/campaigns/{id}/{action}", post(campaigns::act))
        .route("/faults", get(faults::get).post(faults::set))
        .route("/faults/cut", post(faults::cut))
        .route("/faults/kill", post(faults::kill))
        .route("/faults/truncate", post(faults::truncate))
        .route("/faults/diverge", post(faults::diverge))
        .route("/auth/session", get(auth::session))
        .route("/auth/sessions/{user}", delete(auth::revoke))
        .layer(from_fn_with_state(app.clone(), caller::identify));
    // A socket is authorised by its cookie, or by its first message.
    let api = rest
        .route("/ws", get(socket::upgrade))
        .route("/auth/login", post(auth::login))
        .route("/auth/logout", post(auth::logout))
        .layer(DefaultBodyLimit::max(caller::BODY_BYTES_MAX))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed);
    let origin = app.origin.clone();
    let router = Router::new()
        .nest("/api/v2", api)
        .route("/api/{*rest}", get(not_found).fallback(not_found))
        .layer(from_fn(caller::refuse_incomplete))
        .layer(from_fn_with_state(app.clone(), operations::measure))
        .layer(origin.cors());
    let router = match page {
        None => router.fallback(not_found),
        Some(directory) => router.merge(page_of(directory)),
    };
    // Monitoring queries a server by its address, so these routes accept any host.
    router
        .layer(from_fn_with_state(origin, origin::check))
        .route("/healthz", get(operations::health))
        .route("/readyz", get(operations::ready))
        .layer(from_fn(origin::security_headers))
        .with_state(app)
}

/// The files of the page. Any other path serves `index.html`, so that the page can route it.
fn page_of(directory: &Path) -> Router<Arc<App>> {
    let index = ServeFile::new(directory.join("index.html"));
    let header =
        |name, value| SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value));
    Router::new()
        .fallback_service(ServeDir::new(directory).fallback(index))
        .layer(header(header::CONTENT_SECURITY_POLICY, PAGE_POLICY))
        .layer(header(header::CACHE_CONTROL, "no-cache"))
}

async fn not_found() -> Refusal {
    Refusal::new(Code::NotFound, "there is no such route")
}

async fn method_not_allowed() -> Refusal {
    Refusal::new(Code::MethodNotAllowed, "this route does not take that method")
}
