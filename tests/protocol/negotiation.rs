//! Negotiation before the acknowledgement: servers that the client gives up on, and servers that it retries.

use campaign_sync::protocol::Code;
use campaign_sync::sync::input::Wake;
use campaign_sync::sync::notice::Detail;
use campaign_sync::sync::{Config, Input, Verdict};
use serde_json::json;

use crate::wire::{self, Log, message};
use crate::world::World;

/// The status, and the code of the last `connectionchange`.
fn failure(world: &World) -> (String, Option<Code>) {
    let code = world.notices.iter().rev().find_map(|notice| match &notice.detail {
        Detail::ConnectionChange { code, .. } => Some(*code),
        _ => None,
    });
    (world.status(), code.flatten())
}

/// Three sockets in a row whose server speaks another version.
fn refused_by_version() -> World {
    let mut world = World::negotiating(Config::default());
    for socket in 1..=3 {
        world.receive(&wire::ack_of("campaign-sync.v9"));
        if socket < 3 {
            world.advance_until(|world| world.opened.len() == socket + 1);
            world.open();
        }
    }
    world
}

// R3.6
#[test]
fn server_of_another_version_fails_with_a_code() {
    let mut world = refused_by_version();
    let expected = ("failed(unsupported_protocol)".into(), Some(Code::UnsupportedProtocol));
    assert_eq!(failure(&world), expected);
    assert_eq!(world.closed.len(), 3, "the sockets are given back");
    world.advance(600_000);
    assert_eq!(world.opened.len(), 3, "trying again would not help");
}

// R3.5
#[test]
fn a_server_that_was_upgraded_is_followed_after_connect() {
    let mut world = refused_by_version();
    world.advance(500);
    world.input(Input::Connect);
    world.open();
    world.receive(&wire::ack());
    let log = Log::with_rows(2);
    world.replay(&log, 1, 3);
    world.pong(3);
    assert_eq!(world.status(), "live");
}

// R3.8
#[test]
fn acknowledgement_is_awaited_after_a_damaged_first_document() {
    let event = Log::with_rows(1).document(1);
    let foreign = r#"{"id":"","type":"connection","sequenceNumber":17}"#.to_owned();
    let pong = message("pong", &json!({}));
    for first in [event, pong, foreign, "not json".to_owned()] {
        let mut world = World::negotiating(Config::default());
        assert!(matches!(world.receive(&first), Verdict::Refused(_)), "{first}");
        assert_eq!(world.machine.connection().state().as_str(), "connecting", "{first}");
        world.receive(&wire::ack());
        assert_eq!(world.machine.connection().state().as_str(), "open", "{first}");
    }
}

// R3.9
#[test]
fn server_without_an_acknowledgement_is_retried() {
    let mut world = World::negotiating(Config::default());
    world.input(Input::Woke(Wake::Visible));
    world.advance(3_000);
    assert_eq!(world.closed.len(), 1);
    world.advance_until(|world| world.opened.len() == 2);
}

// R3.7
#[test]
fn error_before_the_acknowledgement_does_not_end_the_wait() {
    let mut world = World::negotiating(Config::default());
    world.receive(&message("error", &json!({"code": "rate_limited", "message": "slow down"})));
    assert_eq!(world.machine.connection().state().as_str(), "connecting");
    world.receive(&wire::ack());
    assert_eq!(world.machine.connection().state().as_str(), "open");
}
