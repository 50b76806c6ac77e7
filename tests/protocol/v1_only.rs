//! The module without the original dialect: it tells such a server from a broken one of v1.

use campaign_sync::protocol::Code;
use campaign_sync::sync::input::Wake;
use campaign_sync::sync::{Config, Input, Notice, Verdict};
use serde_json::json;

use crate::wire::{self, CAMPAIGN, Log, message};
use crate::world::{World, id};

fn negotiating(config: Config) -> World {
    let mut world = World::new(config);
    world.input(Input::Retain(id(CAMPAIGN)));
    world.input(Input::Connect);
    world.open();
    world
}

/// What the application is told of a connection that will not be tried again.
fn failure(world: &World) -> (String, Option<Code>) {
    let code = world.notices.iter().rev().find_map(|notice| match notice {
        Notice::ConnectionChange { code, .. } => Some(*code),
        _ => None,
    });
    (world.status(), code.flatten())
}

fn unsupported() -> (String, Option<Code>) {
    ("failed(unsupported_dialect)".into(), Some(Code::UnsupportedDialect))
}

#[test]
fn an_acknowledgement_without_v1_fails_with_a_code_that_says_what_to_do() {
    let mut world = negotiating(Config::default());
    world.receive(&message("connection_ack", &json!({"connectionId": "k"})));
    assert_eq!(failure(&world), unsupported());
    assert_eq!(world.closed.len(), 1, "the socket is given back");
    world.advance(600_000);
    assert_eq!(world.opened.len(), 1, "trying again would not help");
}

#[test]
fn a_server_that_was_upgraded_is_followed_after_connect() {
    let mut world = negotiating(Config::default());
    world.receive(&message("connection_ack", &json!({"connectionId": "k"})));
    world.input(Input::Connect);
    world.open();
    world.receive(&wire::ack());
    let log = Log::with_rows(2);
    world.replay(&log, 1, 3);
    world.pong(3);
    assert_eq!(world.status(), "live");
}

#[test]
fn a_damaged_first_document_is_counted_and_the_acknowledgement_still_awaited() {
    let event = Log::with_rows(1).document(1);
    let foreign = r#"{"id":"","type":"connection","sequenceNumber":17}"#.to_owned();
    for first in [event, foreign, "not json".to_owned()] {
        let mut world = negotiating(Config::default());
        assert!(matches!(world.receive(&first), Verdict::Refused(_)), "{first}");
        assert_eq!(world.view()["dialect"], json!(null));
        world.receive(&wire::ack());
        assert_eq!(world.view()["dialect"], "v1");
    }
}

#[test]
fn a_server_that_does_not_acknowledge_is_tried_again() {
    let mut world = negotiating(Config::default());
    world.input(Input::Woke(Wake::Visible));
    world.advance(3_000);
    assert_eq!(world.closed.len(), 1);
    world.advance_until(|world| world.opened.len() == 2);
}

#[test]
fn an_application_that_asks_for_the_original_dialect_is_told_at_once() {
    let mut world = negotiating(Config { negotiation_ms: 0, ..Config::default() });
    world.advance(0);
    assert_eq!(failure(&world), unsupported());
}
