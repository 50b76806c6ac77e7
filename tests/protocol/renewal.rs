//! Sessions that the application renews: when it is asked, its answers, and the bounds of asking.

use campaign_sync::sync::input::{Ticket, TokenFailure};
use campaign_sync::sync::{Config, Input};
use serde_json::json;

use crate::wire::{self, Log, message};
use crate::world::World;

fn renewing() -> Config {
    Config { has_renewal: true, ..Config::default() }
}

fn state(world: &World) -> &'static str {
    world.machine.connection().state().as_str()
}

fn code(world: &World) -> serde_json::Value {
    world.notice("connectionchange")["code"].clone()
}

/// The client asks the application to renew its session.
fn refused(config: Config) -> World {
    let mut world = World::following_with(&Log::with_rows(2), config);
    world.pass(500);
    world.close(4401);
    assert_eq!(world.renewals.len(), 1);
    world
}

fn answer(world: &mut World, answer: Option<bool>) {
    let (ticket, _) = *world.renewals.last().expect("the application was asked");
    world.input(Input::Renewed(ticket, answer));
}

// R14.14
#[test]
fn refused_session_asks_the_application_to_renew_it() {
    let mut world = refused(renewing());
    assert_eq!((state(&world), world.renewals[0].1), ("connecting", 1));
    assert_eq!(code(&world), "unauthorized");
    answer(&mut world, Some(true));
    assert_eq!(world.opened.len(), 2, "the next attempt starts at once");
    world.open();
    world.receive(&wire::ack());
    assert_eq!(world.request()["lastSequenceNumber"], 3, "nothing was lost");
}

// R14.14
#[test]
fn expired_session_is_renewed_before_the_server_closes() {
    let mut world = World::following_with(&Log::with_rows(2), renewing());
    world.pass(500);
    world.receive(&message("session_expired", &json!({})));
    assert_eq!((world.closed.len(), world.renewals.len()), (1, 1));
    answer(&mut world, Some(true));
    assert_eq!(world.opened.len(), 2);
}

#[test]
fn declined_renewal_is_final() {
    let mut world = refused(renewing());
    answer(&mut world, Some(false));
    assert_eq!((state(&world), world.status()), ("failed", "failed(unauthorized)".to_owned()));
    world.advance(600_000);
    assert_eq!((world.opened.len(), world.renewals.len()), (1, 1));
    world.input(Input::Connect);
    assert_eq!(world.opened.len(), 2, "the application may connect after a login");
}

#[test]
fn failed_renewal_is_tried_again_later() {
    let mut world = refused(renewing());
    answer(&mut world, None);
    assert_eq!((state(&world), code(&world)), ("waiting", json!("token_failed")));
    world.advance_until(|world| world.opened.len() == 2);
}

#[test]
fn renewal_that_hangs_is_given_up_after_15_seconds() {
    let mut world = refused(renewing());
    world.advance(14_999);
    assert_eq!(state(&world), "connecting");
    world.advance(1);
    assert_eq!((state(&world), code(&world)), ("waiting", json!("token_timeout")));
    let (ticket, _) = world.renewals[0];
    assert!(world.handle(Input::Renewed(ticket, Some(true))).ignored_late);
}

// R14.11
#[test]
fn third_refusal_in_a_row_is_final() {
    let mut world = refused(renewing());
    for attempt in 1..3 {
        assert_eq!(world.renewals.last().map(|it| it.1), Some(attempt));
        answer(&mut world, Some(true));
        world.advance_until(|world| world.opened.len() == attempt as usize + 1);
        world.close(4401);
    }
    assert_eq!((world.renewals.len(), state(&world)), (2, "failed"));
    world.advance(600_000);
    assert_eq!(world.opened.len(), 3);
}

// R14.11
#[test]
fn acknowledged_sockets_that_expire_at_once_do_not_loop() {
    let mut world = refused(renewing());
    for attempt in 1..3 {
        answer(&mut world, Some(true));
        world.advance_until(|world| world.opened.len() == attempt + 1);
        world.open();
        world.receive(&wire::ack());
        world.receive(&message("session_expired", &json!({})));
    }
    assert_eq!((world.renewals.len(), state(&world)), (2, "failed"));
}

#[test]
fn session_that_lasted_starts_the_count_again() {
    let mut world = refused(renewing());
    for _ in 0..10 {
        answer(&mut world, Some(true));
        world.open();
        world.receive(&wire::ack());
        world.pass(5_000);
        world.close(4401);
        assert_eq!(world.renewals.last().map(|it| it.1), Some(1));
    }
}

#[test]
fn forbidden_session_is_not_renewed() {
    let mut world = World::following_with(&Log::with_rows(2), renewing());
    world.close(4403);
    assert_eq!((world.renewals.len(), state(&world)), (0, "failed"));
}

#[test]
fn renewed_session_needs_a_fresh_token_too() {
    let config = Config { has_token: true, ..renewing() };
    let mut world = World::new(config);
    world.input(Input::Connect);
    world.input(Input::Token(world.tokens[0], Ok("t".to_owned())));
    world.open();
    world.close(4401);
    assert_eq!((world.renewals.len(), world.tokens.len()), (1, 1));
    world.pass(500);
    answer(&mut world, Some(true));
    assert_eq!(world.tokens.len(), 2);
}

#[test]
fn pause_reset_and_close_end_the_renewal() {
    for input in [Input::Pause, Input::Reset, Input::Close] {
        let mut world = refused(renewing());
        world.input(input);
        let (ticket, _) = world.renewals[0];
        assert!(world.handle(Input::Renewed(ticket, Some(true))).ignored_late);
        assert_eq!(world.opened.len(), 1);
    }
}

#[test]
fn renewal_that_was_not_requested_is_ignored() {
    let mut world = World::new(Config { has_token: true, ..renewing() });
    assert!(world.handle(Input::Renewed(Ticket(1), Some(true))).ignored_late);
    world.input(Input::Connect);
    let ticket = world.tokens[0];
    assert!(world.handle(Input::Renewed(ticket, Some(true))).ignored_late);
    world.input(Input::Token(ticket, Err(TokenFailure::Failed)));
}

// R14.11
#[test]
fn acknowledged_sockets_with_tokens_that_expire_do_not_loop() {
    let mut world = World::new(Config { has_token: true, ..Config::default() });
    world.input(Input::Connect);
    for socket in 0..3 {
        world.advance_until(|world| world.tokens.len() == socket + 1);
        world.input(Input::Token(world.tokens[socket], Ok("t".to_owned())));
        world.open();
        world.receive(&wire::ack());
        world.receive(&message("session_expired", &json!({})));
    }
    assert_eq!(state(&world), "failed");
}

#[test]
fn empty_token_is_not_sent() {
    let mut world = World::new(Config { has_token: true, ..Config::default() });
    world.input(Input::Connect);
    world.input(Input::Token(world.tokens[0], Ok(String::new())));
    world.open();
    let init = world.last_sent("connection_init").expect("the client speaks first");
    assert_eq!(init.get("token"), None);
}
