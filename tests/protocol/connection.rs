//! The connection: the handshake, tokens, refusals, backoff, old sockets.

use campaign_sync::protocol::Code;
use campaign_sync::protocol::frame::Frame;
use campaign_sync::sync::connection::ConnectionState;
use campaign_sync::sync::input::{ConnectionId, Ticket, TokenFailure};
use campaign_sync::sync::{Config, Input, Verdict};
use serde_json::{Value, json};

use crate::wire::{self, CAMPAIGN, EPOCH, Log, message};
use crate::world::{World, id};
use crate::writing::plain;

/// The last `connectionchange`.
fn change(world: &World) -> Value {
    world.notice("connectionchange")
}

fn with_token() -> Config {
    Config { has_token: true, ..Config::default() }
}

fn state(world: &World) -> &'static str {
    world.machine.connection().state().as_str()
}

/// Milliseconds from a lost connection to the next attempt.
fn delay_after_close(world: &mut World, code: u16) -> u64 {
    let (before, opened) = (world.now.at, world.opened.len());
    world.close(code);
    world.advance_until(|world| world.opened.len() > opened);
    world.now.at.since(before)
}

// R3.1, R3.5
#[test]
fn an_acknowledgement_of_v1_opens_the_connection() {
    let mut world = World::negotiating(Config::default());
    let init = &world.sent[0];
    assert_eq!(init["type"], "connection_init");
    assert_eq!(init["protocols"], json!(["campaign-sync.v1"]));
    assert_eq!(world.sent.len(), 1, "nothing else before the acknowledgement");
    world.receive(&wire::ack());
    assert_eq!(state(&world), "open");
}

// R3.1
#[test]
fn token_is_requested_before_every_attempt_and_sent_first() {
    let mut world = World::new(with_token());
    world.input(Input::Connect);
    for attempt in 0..3 {
        let ticket = *world.tokens.last().expect("a token is asked for");
        let token = format!("token-{attempt}");
        world.input(Input::Token(ticket, Ok(token.clone())));
        world.open();
        assert_eq!(world.last_sent("connection_init").expect("said")["token"], *token);
        world.close(1006);
        world.advance_until(|world| world.tokens.len() == attempt + 2);
    }
}

#[test]
fn failing_or_silent_token_provider_is_called_again_later() {
    let mut world = World::new(with_token());
    world.input(Input::Connect);
    world.input(Input::Token(world.tokens[0], Err(TokenFailure::Failed)));
    assert_eq!(state(&world), "waiting");
    world.advance_until(|world| world.tokens.len() == 2);
    world.advance_until(|world| world.tokens.len() == 3);
    let late = world.handle(Input::Token(world.tokens[1], Ok("late".to_owned())));
    assert!(late.ignored_late, "the answer to an old question");
    assert!(world.opened.is_empty());
}

// R3.2
#[test]
fn token_of_sixteen_kibibytes_is_sent_and_a_longer_one_is_not() {
    for (bytes, sent) in [(391, true), (16 * 1024, true), (16 * 1024 + 1, false)] {
        let mut world = World::new(with_token());
        world.input(Input::Connect);
        world.input(Input::Token(world.tokens[0], Ok("x".repeat(bytes))));
        assert_eq!(world.opened.len(), usize::from(sent), "{bytes}");
        if !sent {
            assert_eq!(change(&world)["code"], "invalid_token", "before any socket opens");
            world.advance_until(|world| world.tokens.len() == 2);
            continue;
        }
        world.open();
        let init = world.last_sent("connection_init").expect("it is sent");
        assert_eq!(init["token"].as_str().map(str::len), Some(bytes));
    }
}

#[test]
fn token_failure_is_visible_and_a_final_one_ends_the_attempts() {
    let shown = [(TokenFailure::Failed, "token_failed"), (TokenFailure::Invalid, "invalid_token")];
    for (failure, code) in shown {
        let mut world = World::new(with_token());
        world.input(Input::Connect);
        world.input(Input::Token(world.tokens[0], Err(failure)));
        assert_eq!(
            (change(&world)["state"].clone(), change(&world)["code"].clone()),
            (json!("waiting"), json!(code))
        );
        world.advance_until(|world| world.tokens.len() == 2);
    }
    let mut world = World::new(with_token());
    world.input(Input::Connect);
    world.input(Input::Token(world.tokens[0], Err(TokenFailure::Final)));
    assert_eq!((state(&world), change(&world)["code"].clone()), ("failed", json!("token_failed")));
    world.advance(600_000);
    assert_eq!((world.tokens.len(), world.opened.len()), (1, 0));
    world.input(Input::Connect);
    assert_eq!(world.tokens.len(), 2, "the application may connect again");
}

#[test]
fn token_provider_that_never_answers_is_given_fifteen_seconds() {
    let mut world = World::new(with_token());
    world.input(Input::Connect);
    world.advance(14_999);
    assert_eq!(state(&world), "connecting");
    world.advance(1);
    assert_eq!(
        (state(&world), change(&world)["code"].clone()),
        ("waiting", json!("token_timeout"))
    );
}

#[test]
fn empty_token_leaves_the_session_to_the_cookie() {
    let mut world = World::new(with_token());
    world.input(Input::Connect);
    world.input(Input::Token(world.tokens[0], Ok(String::new())));
    world.open();
    assert_eq!(world.last_sent("connection_init").expect("it is sent").get("token"), None);
}

// R14.11
#[test]
fn a_refused_session_is_final_without_a_token_provider() {
    // The view stays until another session takes over. A forbidden session sees nothing.
    for (close, code, rows) in [(4401, "unauthorized", 2), (4403, "forbidden", 0)] {
        let mut world = World::following(&Log::with_rows(2));
        world.close(close);
        assert_eq!((state(&world), world.status()), ("failed", format!("failed({code})")));
        world.advance(600_000);
        assert_eq!(world.opened.len(), 1, "it does not try again");
        assert_eq!(world.rows().len(), rows, "{code}");
        world.connect();
        assert_eq!(state(&world), "open", "the application may connect again");
    }
}

// R14.11
#[test]
fn a_refused_session_is_tried_with_three_fresh_tokens() {
    let mut world = World::new(with_token());
    world.input(Input::Connect);
    for attempt in 0..3 {
        assert_eq!((world.tokens.len(), world.opened.len()), (attempt + 1, attempt));
        world.input(Input::Token(world.tokens[attempt], Ok("t".to_owned())));
        world.open();
        world.close(4401);
        if attempt < 2 {
            world.advance_until(|world| world.tokens.len() == attempt + 2);
        }
    }
    assert!(matches!(
        world.machine.connection().state(),
        ConnectionState::Failed(Code::Unauthorized)
    ));
}

// R7.4
#[test]
fn expired_session_reconnects_with_a_fresh_token() {
    let mut world = World::new(with_token());
    world.input(Input::Connect);
    world.input(Input::Token(world.tokens[0], Ok("t".to_owned())));
    world.open();
    world.receive(&wire::ack());
    world.receive(&message("session_expired", &json!({})));
    assert_eq!((world.closed.len(), state(&world)), (1, "waiting"));
    world.advance_until(|world| world.tokens.len() == 2);
}

// R14.12
#[test]
fn the_delay_is_full_jitter_below_a_doubling_cap() {
    let mut longest = [0; 9];
    let mut shortest = [u64::MAX; 9];
    for seed in 0..400 {
        let mut world = World::seeded(Config::default(), seed);
        world.input(Input::Connect);
        for attempt in 0..9 {
            let delay = delay_after_close(&mut world, 1006);
            longest[attempt] = longest[attempt].max(delay);
            shortest[attempt] = shortest[attempt].min(delay);
        }
    }
    for attempt in 0..9 {
        let cap = (500_u64 << attempt).min(20_000);
        assert!(longest[attempt] <= cap, "{longest:?}");
        assert!(longest[attempt] > cap * 9 / 10, "up to the cap: {longest:?}");
        assert!(shortest[attempt] < cap / 10, "the first retry included: {shortest:?}");
    }
}

// R14.13
#[test]
fn connection_open_for_five_seconds_resets_the_backoff() {
    let mut caps = [0, 0];
    for seed in 0..200 {
        for (index, lasts) in [4_900, 5_000].into_iter().enumerate() {
            let mut world = World::seeded(Config::default(), seed);
            world.input(Input::Connect);
            for _ in 0..6 {
                delay_after_close(&mut world, 1006);
            }
            world.open();
            world.receive(&wire::ack());
            world.advance(lasts);
            caps[index] = caps[index].max(delay_after_close(&mut world, 1006));
        }
    }
    assert!(caps[0] > 15_000, "a flapping server is not hammered: {caps:?}");
    assert!(caps[1] <= 500, "{caps:?}");
}

// R7.5
#[test]
fn draining_server_delays_the_retry_with_jitter() {
    let delays: Vec<u64> = (0..50)
        .map(|seed| {
            let mut world = World::seeded(Config::default(), seed);
            world.connect();
            world.receive(&message("server_draining", &json!({"retryAfterMs": 8_000})));
            delay_after_close(&mut world, 1012)
        })
        .collect();
    assert!(delays.iter().all(|delay| (8_000..=12_500).contains(delay)), "{delays:?}");
    assert!(delays.iter().any(|delay| *delay < 9_000), "{delays:?}");
    assert!(delays.iter().any(|delay| *delay > 11_000), "{delays:?}");
}

// R7.6
#[test]
fn draining_delay_is_capped_at_five_minutes_plus_jitter() {
    for seed in 0..50 {
        let mut world = World::seeded(Config::default(), seed);
        world.connect();
        world.receive(&message("server_draining", &json!({"retryAfterMs": (1_u64 << 53) - 1})));
        let delay = delay_after_close(&mut world, 1012);
        assert!((300_000..=450_000).contains(&delay), "{delay}");
    }
}

// R14.10
#[test]
fn every_close_code_but_the_final_ones_is_retried() {
    for code in [1000, 1001, 1005, 1006, 1009, 1011, 1012, 1013, 4408, 4409, 4429] {
        let mut world = World::following(&Log::with_rows(1));
        world.close(code);
        world.advance_until(|world| world.opened.len() == 2);
    }
}

#[test]
fn attempt_that_never_opens_is_dropped_after_ten_seconds() {
    let mut world = World::new(Config::default());
    world.input(Input::Connect);
    world.advance(9_999);
    assert_eq!(world.closed.len(), 0);
    world.advance(1);
    assert_eq!(world.closed[0].0, ConnectionId(1));
    world.advance_until(|world| world.opened.len() == 2);
}

#[test]
fn callbacks_of_an_old_socket_are_ignored() {
    let mut log = Log::with_rows(2);
    let mut world = World::following(&log);
    let old = world.socket();
    world.reconnect();
    world.replay(&log, 4, 3);
    world.pong(3);
    world.clear();
    let before = world.view();
    let event = log.generate(2).document();
    assert!(world.handle(Input::Received(old, Frame::Text(&event))).ignored_late);
    assert!(world.handle(Input::Closed(old, 4401)).ignored_late);
    assert!(world.handle(Input::Opened(old)).ignored_late);
    assert_eq!((world.view(), state(&world)), (before, "open"));
    assert!(world.sent.is_empty() && world.notices.is_empty());
}

#[test]
fn rest_of_a_frame_that_closed_its_socket_is_ignored() {
    let mut log = Log::with_rows(2);
    let config = with_token();
    let mut world = World::new(config);
    world.input(Input::Retain(id(CAMPAIGN)));
    world.input(Input::Connect);
    world.input(Input::Token(Ticket(1), Ok("t".to_owned())));
    world.open();
    world.receive(&wire::ack());
    world.replay(&log, 1, 3);
    let event = log.generate(2).document();
    let expired = message("session_expired", &json!({}));
    let outcome = world.frame(&format!("{expired}\n{event}"));
    assert_eq!(outcome.verdicts, [Verdict::Control]);
    assert_eq!(world.position(), 3);
}

#[test]
fn a_closed_machine_does_nothing_more() {
    let mut world = World::following(&Log::with_rows(2));
    world.input(Input::WaitForPosition(id(CAMPAIGN), crate::world::position(EPOCH, 9), Ticket(91)));
    world.input(Input::Close);
    assert_eq!((world.closed.len(), state(&world)), (1, "closed"));
    assert_eq!(world.settled, [(Ticket(91), Some(Code::Closed))]);
    world.clear();
    world.input(Input::Connect);
    world.input(Input::WaitForPosition(id(CAMPAIGN), crate::world::position(EPOCH, 9), Ticket(92)));
    world.advance(600_000);
    assert_eq!((world.opened.len(), world.sent.len(), state(&world)), (1, 0, "closed"));
    assert_eq!(world.settled, [(Ticket(92), Some(Code::Closed))]);
    assert_eq!(world.status(), "stale(disconnected)");
}

#[test]
fn every_connection_change_is_notified() {
    let mut world = World::new(Config::default());
    world.connect();
    world.close(1006);
    let states: Vec<Value> = world
        .notices
        .iter()
        .filter(|notice| notice.kind() == "connectionchange")
        .map(|notice| plain(notice)["state"].clone())
        .collect();
    assert_eq!(states, ["connecting", "open", "waiting"]);
    assert_eq!(world.notice("connectionchange")["attempt"], 1);
}

#[test]
fn close_code_of_the_last_socket_is_shown() {
    let mut world = World::connected(Config::default());
    assert_eq!(change(&world).get("lastCloseCode"), None);
    world.close(4429);
    assert_eq!(change(&world)["lastCloseCode"], 4429);
    world.advance_until(|world| world.opened.len() == 2);
    world.open();
    world.receive(&wire::ack());
    assert_eq!(change(&world)["lastCloseCode"], 4429, "until another socket closes");
}
