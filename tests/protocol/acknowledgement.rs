//! The first documents on a socket: the acknowledgement of v1, of another protocol, a late one, and other
//! documents before it.

use campaign_sync::protocol::{Code, frame::Frame};
use campaign_sync::sync::input::Ticket;
use campaign_sync::sync::{Config, Input, Verdict};
use serde_json::json;

use crate::wire::{self, CAMPAIGN, Log, message};
use crate::world::{World, id};

/// A client with an open socket, before the first message of the server.
fn unacknowledged(config: Config) -> World {
    let mut world = World::new(config);
    world.input(Input::Retain(id(CAMPAIGN)));
    world.input(Input::Connect);
    world.open();
    world
}

fn state(world: &World) -> &'static str {
    world.machine.connection().state().as_str()
}

// R3.6
#[test]
fn third_socket_in_a_row_with_another_protocol_ends_the_client() {
    for protocol in ["campaign-sync.v2", "campaign-sync.v1.sealed"] {
        let mut world = unacknowledged(Config::default());
        for socket in 1..=3 {
            assert_eq!(state(&world), "connecting", "{protocol}");
            assert_eq!(world.receive(&wire::ack_of(protocol)), Verdict::Control, "{protocol}");
            assert_eq!(world.notice("connectionchange")["code"], "unsupported_protocol");
            if socket < 3 {
                world.advance_until(|world| world.opened.len() == socket + 1);
                world.open();
            }
        }
        assert_eq!(world.status(), "failed(unsupported_protocol)", "{protocol}");
        world.advance(600_000);
        assert_eq!((world.opened.len(), world.closed.len()), (3, 3), "{protocol}");
    }
}

#[test]
fn other_protocols_count_only_on_sockets_in_a_row() {
    let mut world = unacknowledged(Config::default());
    for socket in 1..12 {
        if socket % 3 == 0 {
            world.close(1006);
        } else {
            world.receive(&wire::ack_of("campaign-sync.v2"));
        }
        world.advance_until(|world| world.opened.len() == socket + 1);
        world.open();
    }
    world.receive(&wire::ack());
    assert_eq!(state(&world), "open");
}

#[test]
fn other_protocol_never_ends_a_client_that_spoke_v1() {
    let log = Log::with_rows(2);
    let mut world = World::following(&log);
    for attempt in 0..10 {
        if attempt == 0 {
            world.close(1006);
        }
        world.advance_until(|world| world.opened.len() == attempt + 2);
        world.open();
        world.receive(&wire::ack_of("campaign-sync.v2"));
        assert_eq!(world.notice("connectionchange")["code"], "unsupported_protocol");
    }
    world.advance_until(|world| world.opened.len() == 12);
    world.open();
    world.receive(&wire::ack());
    world.answer("current", wire::EPOCH, 4, 3);
    world.pong(3);
    assert_eq!(world.status(), "live");
}

#[test]
fn close_code_4400_counts_as_another_protocol() {
    let mut world = unacknowledged(Config::default());
    for socket in 1..=3 {
        assert_eq!(state(&world), "connecting");
        world.close(4400);
        assert_eq!(world.notice("connectionchange")["lastCloseCode"], 4400);
        if socket < 3 {
            world.advance_until(|world| world.opened.len() == socket + 1);
            world.open();
        }
    }
    assert_eq!(world.status(), "failed(unsupported_protocol)");
}

#[test]
fn damaged_acknowledgement_never_ends_the_client() {
    let damaged = [
        wire::ack_of("sync.w1"),
        wire::ack_of("protobol"),
        wire::ack_of(""),
        message("connection_ack", &json!({})),
        message("connection_ack", &json!({"protocol": 7})),
        wire::ack()[..40].to_owned(),
        "<!doctype html>".to_owned(),
        "{}".to_owned(),
        r#"{"type":"hello"}"#.to_owned(),
    ];
    for document in damaged {
        let mut world = unacknowledged(Config::default());
        for socket in 1..=4 {
            let verdict = world.receive(&document);
            assert!(matches!(verdict, Verdict::Refused(_)), "{document}: {verdict:?}");
            assert_eq!(state(&world), "connecting", "{document}");
            world.advance_until(|world| world.opened.len() == socket + 1);
            assert_eq!(world.notice("connectionchange")["code"], "unexpected_document");
            world.open();
        }
        world.receive(&wire::ack());
        assert_eq!(state(&world), "open", "{document}");
        assert_eq!(world.notice("connectionchange").get("code"), None, "{document}");
    }
}

#[test]
fn slow_acknowledgement_is_waited_for_longer_on_each_socket() {
    let mut world = unacknowledged(Config::default());
    for (socket, seconds) in [(1, 3), (2, 6), (3, 12), (4, 12)] {
        world.advance(seconds * 1_000 - 1);
        assert_eq!(state(&world), "connecting", "socket {socket}");
        world.advance(1);
        assert_eq!(state(&world), "waiting", "socket {socket}");
        assert_eq!(world.notice("connectionchange")["code"], "ack_timeout");
        world.advance_until(|world| world.opened.len() == socket + 1);
        world.open();
    }
    world.receive(&wire::ack());
    world.close(1006);
    world.advance_until(|world| world.opened.len() == 6);
    world.open();
    world.advance(3_000);
    assert_eq!(state(&world), "waiting", "an acknowledgement resets the limit");
}

// R3.10
#[test]
fn later_acknowledgement_of_another_protocol_changes_nothing() {
    let mut log = Log::with_rows(2);
    let mut world = World::following(&log);
    for again in [wire::ack_of("soap"), message("connection_ack", &json!({})), wire::ack()] {
        assert_eq!(world.receive(&again), Verdict::Control);
    }
    assert_eq!((world.sent.len(), state(&world)), (0, "open"));
    assert_eq!(world.receive(&log.generate(2).document()), Verdict::Applied);
    assert_eq!(world.status(), "live");
}

// R3.9
#[test]
fn slow_acknowledgement_is_waited_for_on_the_next_socket() {
    let log = Log::with_rows(2);
    let mut world = unacknowledged(Config::default());
    world.advance(2_999);
    assert_eq!((state(&world), world.closed.len()), ("connecting", 0));
    world.advance(1);
    assert_eq!((state(&world), world.closed.len()), ("waiting", 1));
    let late = world.handle(Input::Received(world.socket(), Frame::Text(&wire::ack())));
    assert!(late.ignored_late, "its socket is given up");
    world.advance_until(|world| world.opened.len() == 2);
    world.open();
    world.advance(2_900);
    world.receive(&wire::ack());
    world.replay(&log, 1, log.head());
    world.pong(log.head());
    assert_eq!((world.position(), &*world.status()), (3, "live"));
}

// R12.3
#[test]
fn wake_before_the_acknowledgement_does_not_drop_the_socket() {
    let mut world = unacknowledged(Config::default());
    world.input(Input::Woke(campaign_sync::sync::input::Wake::Visible));
    world.advance(2_500);
    assert_eq!((world.closed.len(), world.count_sent("ping")), (0, 0), "nothing can be missed yet");
    world.receive(&wire::ack());
    assert_eq!(state(&world), "open");
}

// R3.8
#[test]
fn event_before_the_acknowledgement_is_refused_and_not_applied() {
    let log = Log::with_rows(2);
    let mut world = unacknowledged(Config::default());
    let outcome = world.frame(&log.frame(1, 3));
    assert_eq!((outcome.applied, outcome.verdicts.len()), (0, 3));
    assert!(outcome.verdicts.iter().all(|it| *it == Verdict::Refused(Code::InvalidMessage)));
    assert_eq!((world.position(), world.rows().len()), (0, 0));
    world.receive(&wire::ack());
    world.replay(&log, 1, 3);
    assert_eq!((world.position(), world.rows().len()), (3, 2));
}

// R3.8
#[test]
fn foreign_document_before_the_acknowledgement_is_counted() {
    let foreign = [
        r#"{"id":"","timestamp":"","type":"pong","sequenceNumber":1}"#,
        r#"{"type":"weather","data":{}}"#,
        r#"{"type":"event_recovery","data":7}"#,
        "[]",
        "not json",
    ];
    let mut world = unacknowledged(Config::default());
    for document in foreign {
        let verdict = world.receive(document);
        assert_eq!(verdict, Verdict::Refused(Code::InvalidMessage), "{document}");
        assert_eq!((state(&world), world.sent.len()), ("connecting", 1), "{document}");
    }
    assert_eq!(world.metrics().refused.of(Code::InvalidMessage), foreign.len() as u64);
    world.receive(&wire::ack());
    assert_eq!((state(&world), world.count_sent("subscribe_campaign")), ("open", 1));
}

// R3.9
#[test]
fn foreign_documents_do_not_lengthen_the_wait_for_v1() {
    let mut world = unacknowledged(Config::default());
    for _ in 0..3 {
        world.receive(r#"{"type":"weather","data":{}}"#);
        world.advance(1_000);
    }
    assert_eq!((state(&world), world.closed.len()), ("waiting", 1));
}

// R3.7
#[test]
fn draining_before_the_acknowledgement_delays_the_retry() {
    let mut world = unacknowledged(Config::default());
    let draining = message("server_draining", &json!({"retryAfterMs": 8_000}));
    assert_eq!(world.receive(&draining), Verdict::Control);
    assert_eq!(state(&world), "connecting");
    world.close(1012);
    world.advance(7_999);
    assert_eq!(world.opened.len(), 1);
    world.advance_until(|world| world.opened.len() == 2);
}

// R3.7
#[test]
fn session_expiry_before_the_acknowledgement_requests_a_token() {
    let mut world = World::new(Config { has_token: true, ..Config::default() });
    world.input(Input::Connect);
    world.input(Input::Token(Ticket(1), Ok("old".to_owned())));
    world.open();
    assert_eq!(world.receive(&message("session_expired", &json!({}))), Verdict::Control);
    assert_eq!((state(&world), world.closed.len()), ("waiting", 1));
    world.advance_until(|world| world.tokens.len() == 2);
}
