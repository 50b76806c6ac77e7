//! Sessions of a shared log that must not begin or must end, regardless of failures in the cluster.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream;
use campaign_sync_harness::access::{Access, SESSIONS_MAX, token_hash};
use campaign_sync_harness::log::nats::table::{StreamIdentity, StreamIdentityCheck};
use campaign_sync_harness::log::place::LogPlace;
use campaign_sync_support::MemoryLog;
use serde_json::json;

use super::core::CoreFixture;
use super::nats::{Nats, WAIT_TIMEOUT};
use super::sessions::{asks, bearer, connects, guarded, user};
use super::shared_sessions::{Line, guarded_at, logs_in, nats, revokes, session_revocation};
use super::support::Server;

/// The operator revokes the sessions of bob-m.
async fn revoke_bob(server: &Server) -> serde_json::Value {
    asks(server, "operator-token", "DELETE", "/auth/sessions/bob-m").await.body
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_works_on_a_server_without_that_user() {
    let nats = nats().await;
    let place: LogPlace = nats.place().parse().unwrap();
    let users = nats.file("users");
    std::fs::write(&users, user("ada-l")).unwrap();
    let without = guarded(|options| {
        (options.log, options.users) = (Some(place), Some(users));
    })
    .await;
    let with = guarded_at(&nats.place()).await;
    let (first, second) = (bearer(&with, "bob-m").await, bearer(&with, "bob-m").await);
    let (mut one, mut other) = (connects(&with, &first).await, connects(&with, &second).await);
    assert_eq!(asks(&without, &first, "GET", "/campaigns").await.code(), (401, "unauthorized"));
    assert_eq!(asks(&without, &first, "POST", "/auth/logout").await.status, 200);
    session_revocation(&mut one).await;
    assert_eq!(revoke_bob(&without).await, json!({"ended": 1}));
    session_revocation(&mut other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn login_refused_during_an_outage_creates_no_session() {
    let nats = nats().await;
    let line = Line::to(nats.addresses()[0].clone()).await;
    let (one, other) =
        (guarded_at(&nats.place()).await, guarded_at(&format!("nats://{}", line.address)).await);
    let ada = bearer(&one, "ada-l").await;
    line.is_cut.send_replace(true);
    assert_eq!(logs_in(&other).await.code(), (503, "internal"));
    line.is_cut.send_replace(false);
    let until = Instant::now() + WAIT_TIMEOUT;
    while logs_in(&other).await.status != 200 {
        assert!(Instant::now() < until, "the line is never up again");
    }
    // An entry of the first login would have arrived over the same line before this one.
    assert_eq!(asks(&one, &ada, "GET", "/campaigns").await.status, 200);
    assert_eq!(revokes(&one).await.body, json!({"ended": 2}));
}

/// Publishes a session as a server does. The session expires in `seconds`.
async fn begins(context: &jetstream::Context, token: &str, seconds: u64) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let expires_ms = (now.as_secs() + seconds) * 1_000;
    let entry = json!({"user": "ada-l", "expiresMs": expires_ms}).to_string();
    let subject = format!("campaign-sync.session.{}", token_hash(token));
    context.publish(subject, entry.into()).await.unwrap().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn session_beyond_the_limit_ends_the_oldest_on_every_server() {
    let nats: Nats = nats().await;
    let (one, other) = (guarded_at(&nats.place()).await, guarded_at(&nats.place()).await);
    let context = jetstream::new(async_nats::connect(nats.addresses()).await.unwrap());
    let token = |number: usize| format!("{number:064x}");
    for number in 0..SESSIONS_MAX {
        begins(&context, &token(number), 600 + number as u64).await;
    }
    let mut oldest = connects(&other, &token(0)).await;
    let mut next = connects(&other, &token(1)).await;
    bearer(&one, "ada-l").await;
    session_revocation(&mut oldest).await;
    next.say(json!({"type": "ping"})).await;
    next.control("pong").await;
}

#[test]
fn lagging_leader_ends_no_session_unless_it_stays_behind() {
    let began = Instant::now();
    let at = |seconds| began + Duration::from_secs(seconds);
    let mut stream = StreamIdentity::default();
    assert_eq!(stream.compare(1, 5, 0, at(0)), StreamIdentityCheck::Same);
    assert_eq!(stream.compare(1, 4, 5, at(1)), StreamIdentityCheck::Behind);
    assert_eq!(stream.compare(1, 4, 5, at(10)), StreamIdentityCheck::Behind);
    assert_eq!(stream.compare(1, 6, 5, at(11)), StreamIdentityCheck::Same, "it has caught up");
    assert_eq!(
        stream.compare(1, 4, 6, at(20)),
        StreamIdentityCheck::Behind,
        "and this is another time"
    );
    assert_eq!(stream.compare(1, 4, 6, at(30)), StreamIdentityCheck::Other, "it was cut back");
    assert_eq!(stream.compare(2, 9, 4, at(31)), StreamIdentityCheck::Other, "it was recreated");
    assert_eq!(stream.compare(2, 9, 0, at(32)), StreamIdentityCheck::Same);
}

#[test]
fn token_appears_in_no_debug_text() {
    let token = "5ecret-".repeat(9);
    let mut fixture = CoreFixture::with(
        Arc::new(MemoryLog::new("epoch-1")),
        Access::with(Some("another".into()), None, 60),
    );
    fixture.session.present(token.clone());
    fixture
        .say(json!({"type": "connection_init", "protocols": ["campaign-sync.v1"], "token": token}));
    let shown = format!("{:?}", fixture.session);
    assert!(shown.contains("Greet") && !shown.contains("5ecret"), "{shown}");
}
