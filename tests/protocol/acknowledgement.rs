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
fn acknowledgement_of_another_protocol_ends_the_client() {
    for protocol in ["soap", "campaign-sync.v2", "campaign-sync.v1.sealed", "CAMPAIGN-SYNC.V1", ""]
    {
        let mut world = unacknowledged(Config::default());
        assert_eq!(world.receive(&wire::ack_of(protocol)), Verdict::Control, "{protocol}");
        assert_eq!(world.status(), "failed(unsupported_dialect)", "{protocol}");
        assert_eq!(world.notice("connectionchange")["code"], Code::UnsupportedDialect.as_str());
        world.advance(600_000);
        assert_eq!((world.opened.len(), world.closed.len()), (1, 1), "{protocol}");
    }
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
    world.input(Input::Token(Ticket(1), Some("old".to_owned())));
    world.open();
    assert_eq!(world.receive(&message("session_expired", &json!({}))), Verdict::Control);
    assert_eq!((state(&world), world.closed.len()), ("waiting", 1));
    world.advance_until(|world| world.tokens.len() == 2);
}
