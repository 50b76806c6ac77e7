//! Sessions of a shared log that must not begin, or must not go on, whatever the cluster does meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream;
use campaign_sync_harness::access::{Access, SESSIONS_MAX, token_hash};
use campaign_sync_harness::log::nats::table::{StreamIdentity, StreamIdentityCheck};
use campaign_sync_harness::log::place::LogPlace;
use campaign_sync_support::MemoryLog;
use serde_json::json;

use super::core::Room;
use super::nats::{NEVER, Nats};
use super::sessions::{asks, bearer, connects, guarded, user};
use super::shared_sessions::{Line, guarded_at, logs_in, nats, revokes, session_revocation};
use super::support::Server;

/// The operator ends the sessions of bob-m.
async fn shows_bob_out(server: &Server) -> serde_json::Value {
    asks(server, "operator-token", "DELETE", "/auth/sessions/bob-m").await.body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_whom_a_server_does_not_know_is_shown_out_there_all_the_same() {
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
    assert_eq!(shows_bob_out(&without).await, json!({"ended": 1}));
    session_revocation(&mut other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_was_refused_while_the_cluster_was_away_never_begins() {
    let nats = nats().await;
    let line = Line::to(nats.addresses()[0].clone()).await;
    let (one, other) =
        (guarded_at(&nats.place()).await, guarded_at(&format!("nats://{}", line.address)).await);
    let ada = bearer(&one, "ada-l").await;
    line.is_cut.send_replace(true);
    assert_eq!(logs_in(&other).await.code(), (503, "internal"));
    line.is_cut.send_replace(false);
    let until = Instant::now() + NEVER;
    while logs_in(&other).await.status != 200 {
        assert!(Instant::now() < until, "the line is never up again");
    }
    // What the first login left behind would have come over the same line before this one.
    assert_eq!(asks(&one, &ada, "GET", "/campaigns").await.status, 200);
    assert_eq!(revokes(&one).await.body, json!({"ended": 2}));
}

/// Begins a session as a server would, which ends so many seconds from now.
async fn begins(context: &jetstream::Context, token: &str, seconds: u64) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let expires_ms = (now.as_secs() + seconds) * 1_000;
    let entry = json!({"user": "ada-l", "expiresMs": expires_ms}).to_string();
    let subject = format!("campaign-sync.session.{}", token_hash(token));
    context.publish(subject, entry.into()).await.unwrap().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_more_than_a_user_may_have_ends_the_oldest_at_every_server() {
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
fn a_leader_that_is_behind_ends_nobodys_session_unless_it_stays_so() {
    let began = Instant::now();
    let at = |seconds| began + Duration::from_secs(seconds);
    let mut lineage = StreamIdentity::default();
    assert_eq!(lineage.compare(1, 5, 0, at(0)), StreamIdentityCheck::Same);
    assert_eq!(lineage.compare(1, 4, 5, at(1)), StreamIdentityCheck::Behind);
    assert_eq!(lineage.compare(1, 4, 5, at(10)), StreamIdentityCheck::Behind);
    assert_eq!(lineage.compare(1, 6, 5, at(11)), StreamIdentityCheck::Same, "it has caught up");
    assert_eq!(
        lineage.compare(1, 4, 6, at(20)),
        StreamIdentityCheck::Behind,
        "and this is another time"
    );
    assert_eq!(lineage.compare(1, 4, 6, at(30)), StreamIdentityCheck::Other, "it was cut back");
    assert_eq!(lineage.compare(2, 9, 4, at(31)), StreamIdentityCheck::Other, "it was created anew");
    assert_eq!(lineage.compare(2, 9, 0, at(32)), StreamIdentityCheck::Same);
}

#[test]
fn a_token_is_in_no_debug_text() {
    let token = "5ecret-".repeat(9);
    let mut room = Room::with(
        Arc::new(MemoryLog::new("epoch-1")),
        Access::with(Some("another".into()), None, 60),
    );
    room.session.present(token.clone());
    room.say(json!({"type": "connection_init", "protocols": ["campaign-sync.v1"], "token": token}));
    let shown = format!("{:?}", room.session);
    assert!(shown.contains("Greet") && !shown.contains("5ecret"), "{shown}");
}
