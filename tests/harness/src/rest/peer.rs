//! The address of a client.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderName;
use axum::http::request::Parts;

use crate::app::App;
use crate::campaign::Refusal;

/// The header in which a proxy names the client. Each proxy appends the address of its peer.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client: of the peer, or of the client that a trusted proxy names.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientAddress(pub(super) IpAddr);

impl FromRequestParts<Arc<App>> for ClientAddress {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        // Without the peer's address all clients share one limit.
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(it)| it.ip());
        if !app.trusted_proxies.contains(&peer.to_canonical()) {
            return Ok(Self(peer));
        }
        let last = parts.headers.get_all(FORWARDED_FOR).iter().next_back();
        let last = last.and_then(|it| it.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
        Ok(Self(last.unwrap_or(peer)))
    }
}
