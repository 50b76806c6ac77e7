//! Whose data the client shows: the subject of the session, another one than before, the end of access, and
//! the reset by the application.

use campaign_sync::protocol::Code;
use campaign_sync::protocol::frame::Frame;
use campaign_sync::sync::input::Ticket;
use campaign_sync::sync::{Config, Input, Verdict};
use serde_json::{Value, json};

use crate::polling::polling;
use crate::rest_snapshot::{answer_text, document};
use crate::wire::{self, CAMPAIGN, EPOCH, Log, message};
use crate::world::{World, id, position};
use crate::writing::plain;

/// A client that follows all of `log` for the subject `s-1`.
fn following_for(log: &Log, config: Config) -> World {
    let mut world = World::negotiating(config);
    world.receive(&wire::ack_for("s-1"));
    world.replay(log, 1, log.head());
    world.pong(log.head());
    assert_eq!(world.status(), "live");
    world.clear();
    world
}

/// Closes the socket, and opens the next one up to the acknowledgement.
fn next_socket(world: &mut World, code: u16) {
    let before = world.opened.len();
    world.close(code);
    world.advance_until(|world| world.opened.len() > before);
    world.open();
    world.clear();
}

/// The view has nothing of the campaign.
fn assert_empty(world: &mut World) {
    let view = world.view();
    let members = ["position", "campaign", "lastTransition", "error", "loading", "domainsCount"];
    assert_eq!(
        members.map(|name| view[name].clone()),
        [Value::Null, Value::Null, Value::Null, Value::Null, Value::Null, json!(0),]
    );
    assert_eq!(view["counts"], json!({"dns": {}, "http": {}, "lead": {}}));
    assert_eq!(world.rows(), Vec::<Value>::new());
    assert_eq!(world.machine.unfolded(CAMPAIGN), Vec::<&str>::new());
}

fn is_loaded(world: &mut World) -> bool {
    !world.rows().is_empty() && world.view()["position"] != Value::Null
}

// R3.12, G14
#[test]
fn page_after_a_reset_has_no_row_of_the_order_before_it() {
    let mut world = following_for(&Log::with_rows(5), Config::default());
    for names in ["Ä.example\0ä.example", "Ö.example\0ö.example"] {
        world.machine.fold(CAMPAIGN, names);
    }
    assert_eq!(world.rows().len(), 5);
    world.input(Input::Reset);
    assert_eq!(world.rows(), Vec::<Value>::new());
}

// R3.12, G14
#[test]
fn another_subject_empties_everything_before_any_notice() {
    let log = Log::with_rows(5);
    let mut world = following_for(&log, Config::default());
    world.input(Input::WaitForPosition(id(CAMPAIGN), position(EPOCH, 99), Ticket(900)));
    next_socket(&mut world, 1006);
    assert!(is_loaded(&mut world), "the same session may see it again");
    world.receive(&wire::ack_for("s-2"));
    assert_eq!(world.signed_out, 1);
    assert_empty(&mut world);
    assert_eq!(world.settled, [(Ticket(900), Some(Code::SignedOut))]);
    assert_eq!(world.notices[0].kind(), "cacheinvalidated");
    let first = plain(&world.notices[0]);
    assert_eq!(first, json!({"campaignId": CAMPAIGN, "reason": "signed_out", "sequenceNumber": 0}));
    assert_eq!(world.status(), "loading");
}

// R3.12
#[test]
fn held_campaigns_are_loaded_for_the_new_subject() {
    let log = Log::with_rows(5);
    let mut world = following_for(&log, Config::default());
    next_socket(&mut world, 1006);
    world.receive(&wire::ack_for("s-2"));
    assert_eq!(world.count_sent("subscribe_campaign"), 1);
    assert_eq!(world.request()["lastSequenceNumber"], 0);
    assert_eq!(world.request()["epoch"], Value::Null);
    assert_eq!(world.request()["reason"], "connect");
    world.replay(&log, 1, 3);
    world.pong(3);
    assert_eq!((world.status().as_str(), world.position()), ("live", 3));
}

#[test]
fn same_subject_resumes_at_its_position() {
    let log = Log::with_rows(5);
    let mut world = following_for(&log, Config::default());
    next_socket(&mut world, 1006);
    world.receive(&wire::ack_for("s-1"));
    assert_eq!((world.signed_out, world.position()), (0, log.head()));
    assert_eq!(world.request()["lastSequenceNumber"], log.head());
}

// R3.12
#[test]
fn absent_subject_differs_from_every_subject() {
    for (first, second) in
        [(wire::ack(), wire::ack_for("s-1")), (wire::ack_for("s-1"), wire::ack())]
    {
        let log = Log::with_rows(5);
        let mut world = World::negotiating(Config::default());
        world.receive(&first);
        world.replay(&log, 1, log.head());
        next_socket(&mut world, 1006);
        world.receive(&second);
        assert_eq!(world.signed_out, 1);
        assert_empty(&mut world);
    }
}

#[test]
fn null_subject_is_an_absent_one() {
    let log = Log::with_rows(5);
    let mut world = World::following(&log);
    next_socket(&mut world, 1006);
    let data = json!({"connectionId": "k", "protocol": "campaign-sync.v1", "subject": null});
    world.receive(&message("connection_ack", &data));
    assert_eq!((world.signed_out, world.position()), (0, log.head()));
}

#[test]
fn first_subject_keeps_waits_that_began_before_it() {
    let mut world = World::negotiating(Config::default());
    world.input(Input::WaitForPosition(id(CAMPAIGN), position(EPOCH, 3), Ticket(900)));
    world.receive(&wire::ack_for("s-1"));
    assert_eq!((world.signed_out, world.settled.len()), (0, 0));
    world.replay(&Log::with_rows(5), 1, 3);
    assert_eq!(world.settled, [(Ticket(900), None)]);
}

// R3.13
#[test]
fn subject_of_another_form_ends_no_client() {
    let long = "s".repeat(129);
    for subject in [json!(7), json!(true), json!({}), json!([]), json!(long), json!("ü".repeat(65))]
    {
        let mut world = World::negotiating(Config::default());
        let data = json!({"connectionId": "k", "protocol": "campaign-sync.v1", "subject": subject});
        let verdict = world.receive(&message("connection_ack", &data));
        assert_eq!(verdict, Verdict::Refused(Code::InvalidMessage), "{subject}");
        assert_eq!(world.machine.connection().state().as_str(), "connecting");
        world.receive(&wire::ack_for(&"s".repeat(128)));
        assert_eq!(world.machine.connection().state().as_str(), "open");
    }
}

// R3.14
#[test]
fn another_subject_in_mid_connection_drops_the_socket() {
    let log = Log::with_rows(5);
    let mut world = following_for(&log, Config::default());
    let verdict = world.receive(&wire::ack_for("s-2"));
    assert_eq!(verdict, Verdict::Refused(Code::InvalidMessage));
    assert_eq!(world.closed.len(), 1);
    assert_eq!(world.machine.connection().state().as_str(), "waiting");
    assert!(is_loaded(&mut world), "one contradiction proves no other session");
    let before = world.opened.len();
    world.advance_until(|world| world.opened.len() > before);
    world.open();
    world.receive(&wire::ack_for("s-1"));
    assert_eq!((world.signed_out, world.position()), (0, log.head()));
}

// R3.10
#[test]
fn same_subject_in_mid_connection_is_ignored() {
    let log = Log::with_rows(5);
    let mut world = following_for(&log, Config::default());
    assert_eq!(world.receive(&wire::ack_for("s-1")), Verdict::Control);
    assert_eq!((world.closed.len(), world.status().as_str()), (0, "live"));
}

#[test]
fn frames_behind_another_subject_belong_to_it() {
    let log = Log::with_rows(5);
    let mut world = following_for(&log, Config::default());
    next_socket(&mut world, 1006);
    // The events of the former session, and a late answer, arrive behind the acknowledgement.
    let frame = format!("{}\n{}", wire::ack_for("s-2"), log.frame(4, 5));
    assert_eq!(world.frame(&frame).applied, 0);
    assert_eq!(world.rows(), Vec::<Value>::new());
    assert_eq!(world.view()["campaign"], Value::Null);
}

// R7.7
#[test]
fn end_of_access_empties_the_campaign_at_once() {
    let ended = |reason: &str| {
        message("subscription_ended", &json!({"campaignId": CAMPAIGN, "reason": reason}))
    };
    let error = |code: &str| message("error", &json!({"campaignId": CAMPAIGN, "code": code}));
    for (document, code) in [
        (ended("revoked"), Code::Forbidden),
        (ended("forbidden"), Code::Forbidden),
        (error("forbidden"), Code::Forbidden),
        (error("unknown_campaign"), Code::UnknownCampaign),
    ] {
        let log = Log::with_rows(5);
        let mut world = following_for(&log, Config::default());
        world.input(Input::WaitForPosition(id(CAMPAIGN), position(EPOCH, 99), Ticket(900)));
        world.receive(&document);
        assert_empty(&mut world);
        assert_eq!(world.status(), format!("failed({code})"));
        assert_eq!(world.settled, [(Ticket(900), Some(code))]);
        assert_eq!(world.notice("cacheinvalidated")["reason"], "signed_out");
        let kinds = world.kinds();
        let at = |kind| kinds.iter().position(|it| *it == kind).expect("it was dispatched");
        assert!(at("cacheinvalidated") < at("statuschange"), "{kinds:?}");
    }
}

// R7.7
#[test]
fn unknown_campaign_in_a_recovery_empties_the_campaign() {
    let log = Log::with_rows(5);
    let mut world = following_for(&log, Config::default());
    next_socket(&mut world, 1006);
    world.receive(&wire::ack_for("s-1"));
    let data = json!({"campaignId": CAMPAIGN, "requestId": world.request_id(),
        "outcome": "unknown_campaign"});
    world.receive(&message("event_recovery", &data));
    assert_eq!(world.status(), "failed(unknown_campaign)");
    assert_empty(&mut world);
}

// R7.7
#[test]
fn forbidden_connection_empties_all_campaigns() {
    let log = Log::with_rows(5);
    let mut world = following_for(&log, Config::default());
    world.close(4403);
    assert_eq!(world.status(), "failed(forbidden)");
    assert_empty(&mut world);
}

#[test]
fn expired_session_keeps_what_it_showed() {
    let log = Log::with_rows(5);
    let mut world = following_for(&log, Config::default());
    world.close(4401);
    assert_eq!(world.status(), "failed(unauthorized)");
    assert!(is_loaded(&mut world));
}

#[test]
fn campaign_without_access_is_loaded_on_the_next_socket() {
    let log = Log::with_rows(5);
    let mut world = following_for(&log, Config::default());
    world.receive(&message("error", &json!({"campaignId": CAMPAIGN, "code": "forbidden"})));
    next_socket(&mut world, 1006);
    world.receive(&wire::ack_for("s-1"));
    assert_eq!(world.request()["lastSequenceNumber"], 0);
    world.replay(&log, 1, log.head());
    world.pong(log.head());
    assert_eq!(world.status(), "live");
}

// R3.12
#[test]
fn ended_campaign_is_asked_for_again_by_the_new_subject() {
    let log = Log::with_rows(5);
    let mut world = following_for(&log, Config::default());
    let data = json!({"campaignId": CAMPAIGN, "reason": "archived"});
    world.receive(&message("subscription_ended", &data));
    assert_eq!(world.status(), "ended");
    next_socket(&mut world, 1006);
    world.receive(&wire::ack_for("s-2"));
    assert_eq!((world.status().as_str(), world.requests()), ("loading", 1));
}

#[test]
fn reset_empties_everything_and_keeps_the_handles() {
    let log = Log::with_rows(5);
    let mut world = following_for(&log, Config::default());
    world.input(Input::WaitForPosition(id(CAMPAIGN), position(EPOCH, 99), Ticket(900)));
    world.input(Input::Reset);
    assert_empty(&mut world);
    assert_eq!((world.signed_out, world.status().as_str()), (1, "idle"));
    assert_eq!(world.settled, [(Ticket(900), Some(Code::SignedOut))]);
    assert_eq!(world.closed.len(), 1);
    world.advance(600_000);
    assert_eq!(world.opened.len(), 1, "nothing connects before the application asks for it");
    world.input(Input::Connect);
    world.open();
    world.receive(&wire::ack_for("s-2"));
    assert_eq!(world.signed_out, 1, "a reset client has no subject");
    world.replay(&log, 1, log.head());
    world.pong(log.head());
    assert_eq!(world.status(), "live");
}

#[test]
fn reset_after_a_final_failure_leaves_an_idle_client() {
    let log = Log::with_rows(5);
    let mut world = following_for(&log, Config::default());
    world.close(4401);
    world.input(Input::Reset);
    assert_empty(&mut world);
    assert_eq!(world.status(), "idle");
    assert_eq!(world.notice("connectionchange")["state"], "idle");
}

#[test]
fn queued_notices_of_the_former_session_are_dropped() {
    let log = Log::with_rows(5);
    let mut world = following_for(&log, Config::default());
    let mut more = log.clone();
    more.generate(90);
    let skipped = more.generate(91).document();
    let socket = world.socket();
    let received = Input::Received(socket, Frame::Text(&skipped));
    let outcome = world.machine.handle(world.now, received);
    assert_eq!(outcome.verdicts, [Verdict::Held]);
    // The driver has performed none of the effects when the application resets the client.
    world.input(Input::Reset);
    assert!(!world.kinds().contains(&"gap"), "{:?}", world.kinds());
    assert!(!world.kinds().contains(&"recoveryrequested"), "{:?}", world.kinds());
}

// R16.18
#[test]
fn fetch_of_the_former_session_is_ignored() {
    let log = Log::with_rows(2);
    let mut world = polling(&log);
    world.input(Input::Reset);
    let ticket = *world.fetches.last().expect("a snapshot was asked for");
    let text = document().to_string();
    assert!(world.handle(Input::Snapshot(ticket, Some(&text))).ignored_late);
    assert_empty(&mut world);
    world.input(Input::Refresh(id(CAMPAIGN)));
    assert_eq!(answer_text(&mut world, &text), None);
    assert!(is_loaded(&mut world), "a fetch of the new session counts");
}

// R7.7
#[test]
fn fetch_brings_nothing_back_after_the_session_was_refused() {
    for connects in [false, true] {
        let mut world = polling(&Log::with_rows(2));
        let opened = world.opened.len();
        world.advance_until(|world| world.opened.len() > opened);
        world.open();
        world.close(4403);
        assert_eq!(world.status(), "failed(forbidden)");
        if connects {
            world.input(Input::Connect);
        }
        let text = document().to_string();
        assert_eq!(answer_text(&mut world, &text), None);
        assert_empty(&mut world);
        // The user requests the state again.
        world.input(Input::Refresh(id(CAMPAIGN)));
        assert_eq!(answer_text(&mut world, &text), None);
        assert_eq!(is_loaded(&mut world), connects, "the status still says that it was refused");
    }
}

#[test]
fn unconfirmed_rows_and_sort_orders_go_with_the_subject() {
    let rows = wire::rows(400);
    let mut world = World::negotiating(Config::default());
    world.receive(&wire::ack_for("s-1"));
    world.answer_snapshot(EPOCH, 10, rows);
    next_socket(&mut world, 1006);
    world.receive(&wire::ack_for("s-1"));
    world.answer_snapshot(EPOCH, 20, wire::rows(1));
    assert_ne!(world.view()["unconfirmedCount"], 0);
    let before = world.rows().len();
    assert!(before > 1);
    next_socket(&mut world, 1006);
    world.receive(&wire::ack_for("s-2"));
    assert_eq!(world.view()["unconfirmedCount"], 0);
    assert_empty(&mut world);
}

/// The document of a fetch by a session of this subject.
fn fetched_by(subject: &str) -> String {
    let mut fetched = document();
    fetched["subject"] = subject.into();
    fetched.to_string()
}

/// A client that polls for the subject `s-1`, because it gets no socket.
fn polling_for_s1() -> World {
    let log = Log::with_rows(2);
    let mut world = polling(&log);
    assert_eq!(answer_text(&mut world, &fetched_by("s-1")), None);
    world
}

// R16.17
#[test]
fn fetched_document_of_another_subject_empties_the_rest() {
    let mut world = polling_for_s1();
    world.clear();
    world.advance_until(|world| !world.fetches.is_empty());
    world.notices.clear();
    assert_eq!(answer_text(&mut world, &fetched_by("s-2")), None);
    assert_eq!(world.signed_out, 1);
    assert_eq!(world.notices[0].kind(), "cacheinvalidated");
    assert!(is_loaded(&mut world), "the document belongs to the new subject");
}

// R16.17
#[test]
fn acknowledgement_drops_what_another_subject_fetched() {
    let mut world = polling_for_s1();
    let before = world.opened.len();
    world.advance_until(|world| world.opened.len() > before);
    world.open();
    world.clear();
    world.receive(&wire::ack_for("s-2"));
    assert_eq!(world.signed_out, 1);
    assert_empty(&mut world);
}

// R16.17
#[test]
fn fetched_document_with_a_long_subject_is_refused() {
    let log = Log::with_rows(2);
    let mut world = polling(&log);
    let refused = answer_text(&mut world, &fetched_by(&"s".repeat(129)));
    assert_eq!((refused, world.signed_out), (Some(Code::InvalidContent), 0));
}
