//! The names of headers that the contract and the reference server define.

use axum::http::HeaderName;

/// The header with the position that a body describes.
pub const POSITION: HeaderName = HeaderName::from_static("campaign-position");

/// The header with the idempotency key.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
