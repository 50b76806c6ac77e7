//! Sequencing of events: one scenario for each row of the decision table, in the order of the table.

use campaign_sync::protocol::{Code, Epoch, EventHash, SequenceNumber};
use campaign_sync::sync::subscription::dedupe::DedupeWindow;
use campaign_sync::sync::subscription::gap::{GapBuffer, HoldOutcome};
use campaign_sync::sync::{Config, Input, Verdict};
use serde_json::json;

use crate::wire::{CAMPAIGN, EPOCH, Log, OTHER_EPOCH, message, rows};
use crate::world::{World, text};

// R13.1
#[test]
fn event_of_an_unsubscribed_campaign_is_ignored_and_counted() {
    let mut world = World::following(&Log::with_rows(2));
    let before = world.view();
    let foreign = Log::with_rows(1).of_campaign("campaign-2").document(1);
    assert_eq!(world.receive(&foreign), Verdict::Unsubscribed);
    assert_eq!(world.metrics().unsubscribed, 1);
    assert_eq!(world.view(), before);
    assert!(world.notices.is_empty() && world.sent.is_empty());
}

// R13.2
#[test]
fn duplicate_is_dropped_and_not_delivered() {
    let log = Log::with_rows(3);
    let mut world = World::following(&log);
    let before = (world.view(), world.rows());
    assert_eq!(world.receive(&log.document(3)), Verdict::Duplicate);
    assert_eq!(world.metrics().duplicates, 1);
    assert_eq!((world.view(), world.rows()), before);
    assert_eq!(world.kinds(), ["duplicate"]);
    assert_eq!(world.notice("duplicate")["sequenceNumber"], 3);
    assert!(world.sent.is_empty());
}

// R13.2, R13.15
#[test]
fn duplicate_is_recognised_by_its_claimed_hash_without_hashing() {
    let log = Log::with_rows(3);
    let mut world = World::following(&log);
    assert_eq!(world.receive(&log.event(3).damaged()), Verdict::Duplicate);
    assert_eq!((world.metrics().duplicates, world.metrics().corrupt), (1, 0));
}

// R13.2
#[test]
fn a_duplicate_within_a_replay_is_redelivered() {
    let mut log = Log::with_rows(2);
    let mut world = World::following(&log);
    log.generate(2);
    log.generate(3);
    world.reconnect();
    world.answer("replay", EPOCH, 2, 5);
    let outcome = world.frame(&log.frame(2, 5));
    let again = Verdict::Redelivered;
    assert_eq!(outcome.verdicts, [again, again, Verdict::Applied, Verdict::Applied]);
    assert_eq!((world.metrics().redelivered, world.metrics().duplicates), (2, 0));
    assert!(!world.kinds().contains(&"duplicate"));
}

// R13.3
#[test]
fn an_old_event_that_is_no_longer_remembered_is_out_of_order() {
    let log = Log::with_rows(9);
    let config = Config { dedupe_window: 4, ..Config::default() };
    let mut world = World::following_with(&log, config);
    let before = world.view();
    assert_eq!(world.receive(&log.document(7)), Verdict::Duplicate);
    assert_eq!(world.receive(&log.document(6)), Verdict::OutOfOrder);
    assert_eq!((world.metrics().duplicates, world.metrics().out_of_order), (1, 1));
    assert_eq!(world.view(), before);
}

// R13.16
#[test]
fn a_window_remembers_the_last_contiguous_numbers_only() {
    let mut window = DedupeWindow::new(4);
    let number = |number| SequenceNumber::new(number).expect("in range");
    let hash = |number: u64| EventHash::of_v1("", "", &number.to_string(), [""; 6]);
    for remembered in [1, 2, 3, 10, 11] {
        window.remember(number(remembered), hash(remembered));
    }
    for (asked, remembered) in [(2, false), (3, false), (9, false), (10, true), (11, true)] {
        assert_eq!(window.hash_of(number(asked)), remembered.then(|| hash(asked)), "{asked}");
    }
    assert_eq!(window.hash_of(number(12)), None);
}

// R6.2, R13.4
#[test]
fn event_that_fails_its_hash_is_corrupt_and_requested_again() {
    let mut log = Log::with_rows(2);
    let mut world = World::following(&log);
    let before = world.rows();
    let event = log.generate(2);
    assert_eq!(world.receive(&event.damaged()), Verdict::Corrupt);
    assert_eq!(world.metrics().corrupt, 1);
    assert_eq!((world.position(), world.rows()), (3, before));
    let request = world.request();
    assert_eq!(
        (text(&request["reason"]), &request["lastSequenceNumber"]),
        ("hash".into(), &3.into())
    );
    assert_eq!(request.get("prefer"), None);
    world.replay(&log, 4, 4);
    assert_eq!((world.position(), world.rows().len()), (4, 3));
}

// R13.4, R13.15
#[test]
fn a_corrupt_event_is_evidence_of_nothing_else() {
    let mut log = Log::with_rows(2);
    let mut world = World::following(&log);
    let mut event = log.generate(2);
    let hash = event.hash();
    event.epoch = OTHER_EPOCH.to_owned();
    event.number = 900;
    assert_eq!(world.receive(&event.document_with_hash(&hash)), Verdict::Corrupt);
    assert_eq!(world.metrics().foreign_epoch, 0);
    assert_eq!(
        (world.metrics().gaps, world.metrics().held, world.metrics().divergences),
        (0, 0, 0)
    );
    assert_eq!(world.kinds(), ["corrupt", "recoveryrequested", "statuschange"]);
}

// R5.6, R13.5
#[test]
fn event_of_a_superseded_epoch_is_dropped() {
    let log = Log::with_rows(3);
    let mut world = World::following(&log);
    world.receive(&Log::new(OTHER_EPOCH).next("system.notification", &json!({})).document());
    world.answer_snapshot(OTHER_EPOCH, 9, rows(3));
    world.clear();
    let before = world.view();
    let late = log.next("campaign.deleted", &json!({"campaignId": CAMPAIGN})).document();
    assert_eq!(world.receive(&late), Verdict::SupersededEpoch);
    assert_eq!(world.metrics().retired_epoch, 1);
    assert_eq!(world.view(), before);
    assert!(world.sent.is_empty() && world.notices.is_empty());
}

// R13.7
#[test]
fn event_of_another_epoch_requests_a_snapshot_unapplied() {
    let log = Log::with_rows(3);
    let mut world = World::following(&log);
    let before = world.rows();
    let foreign = Log::new(OTHER_EPOCH).next("campaign.deleted", &json!({"campaignId": CAMPAIGN}));
    assert_eq!(world.receive(&foreign.document()), Verdict::ForeignEpoch);
    assert_eq!(world.metrics().foreign_epoch, 1);
    assert_eq!((world.position(), world.rows()), (4, before));
    assert_eq!(world.request()["prefer"], "snapshot");
    assert_eq!(world.status(), "recovering");
    world.answer_snapshot(OTHER_EPOCH, 2, rows(1));
    assert_eq!(world.view()["position"]["epoch"], OTHER_EPOCH);
    assert_eq!(world.notice("cacheinvalidated")["reason"], "epoch");
}

// R8.23, R13.8, R16.13
#[test]
fn an_applied_number_with_another_hash_is_divergence() {
    let log = Log::with_rows(3);
    let mut world = World::following(&log);
    let before = world.rows();
    let mut other = log.event(3).clone();
    other.data = other.data.replace("name1", "other");
    assert_eq!(world.receive(&other.document()), Verdict::Divergence);
    assert_eq!(world.metrics().divergences, 1);
    assert_eq!(world.rows(), before);
    let divergence = world.notice("divergence");
    assert_eq!((&divergence["kind"], &divergence["sequenceNumber"]), (&"hash".into(), &3.into()));
    assert_eq!(world.request()["prefer"], "snapshot");
    assert_eq!(world.request()["reason"], "divergence");
    let kinds = world.kinds();
    assert_eq!(kinds[..2], ["cacheinvalidated", "divergence"], "caches first");
}

// R13.10
#[test]
fn next_event_with_another_predecessor_is_divergence() {
    let mut log = Log::with_rows(3);
    let mut world = World::following(&log);
    let before = world.rows();
    let mut event = log.generate(3);
    event.previous = Some("somebody-elses".to_owned());
    assert_eq!(world.receive(&event.document()), Verdict::Divergence);
    assert_eq!(world.notice("divergence")["kind"], "previous_event");
    assert_eq!((world.position(), world.rows()), (4, before));
    assert_eq!(world.request()["prefer"], "snapshot");
    event.previous = None;
    assert_eq!(world.receive(&event.document()), Verdict::Divergence, "no claim is a wrong claim");
}

// R2.11, R13.11
#[test]
fn a_next_event_of_an_unknown_type_advances_the_position() {
    let mut log = Log::with_rows(3);
    let mut world = World::following(&log);
    let before = world.rows();
    let event = log.push("domains.coloured", &json!({"colour": [1, 2]}));
    assert_eq!(world.receive(&event.document()), Verdict::AppliedUnknown);
    assert_eq!(world.metrics().unknown_types, 1);
    assert_eq!((world.position(), world.rows()), (5, before));
    assert_eq!(world.receive(&log.generate(3).document()), Verdict::Applied);
    assert_eq!(world.status(), "live");
}

// R8.23, R10.2, R13.12
#[test]
fn next_event_with_invalid_content_requests_a_snapshot() {
    let mut log = Log::with_rows(3);
    let mut world = World::following(&log);
    let before = world.rows();
    // The first row alone is valid, but an event applies as a whole or not at all.
    let bad = log.update(json!([{"domainId": "d-0", "dnsStatus": "ok"}, {"domainId": "nobody"}]));
    assert_eq!(world.receive(&bad.document()), Verdict::Rejected);
    assert_eq!(world.metrics().refused.of(Code::InvalidContent), 1);
    assert_eq!((world.position(), world.rows()), (4, before));
    let request = world.request();
    assert_eq!((&request["reason"], &request["prefer"]), (&"rejected".into(), &"snapshot".into()));
    world.answer_snapshot(EPOCH, 5, rows(3));
    assert_eq!(world.receive(&log.generate(3).document()), Verdict::Applied);
}

// R13.14
#[test]
fn next_event_changes_the_store_before_listeners_run() {
    let mut log = Log::with_rows(3);
    let mut world = World::following(&log);
    let event = log.push(
        "campaign.phase.transition",
        &crate::wire::transition("domain_generation", "dns_validation", "not_started", &rows(3)),
    );
    let socket = world.socket();
    let frame = event.document();
    let frame = campaign_sync::protocol::frame::Frame::Text(&frame);
    let outcome = world.machine.handle(world.now, Input::Received(socket, frame));
    assert_eq!((outcome.applied, &*outcome.verdicts), (1, &[Verdict::Applied][..]));
    // The driver has performed no effect yet, but the state is already complete.
    let view = world.view();
    assert_eq!(view["campaign"]["currentPhase"], "dns_validation");
    assert_eq!(view["position"]["sequenceNumber"], 5);
    assert!(world.machine.poll_effect().is_some());
}

// R13.9, R13.18
#[test]
fn event_beyond_the_next_is_held_and_recovery_requested() {
    let mut log = Log::with_rows(2);
    let mut world = World::following(&log);
    for offset in 2..6 {
        log.generate(offset);
    }
    assert_eq!(world.receive(&log.document(6)), Verdict::Held);
    assert_eq!(world.receive(&log.document(5)), Verdict::Held);
    assert_eq!(world.receive(&log.document(6)), Verdict::Duplicate, "it is held already");
    let metrics = world.metrics();
    assert_eq!((metrics.gaps, metrics.held, metrics.duplicates), (1, 2, 1));
    let gap = world.notice("gap");
    assert_eq!((&gap["expected"], &gap["received"]), (&4.into(), &6.into()));
    assert_eq!((world.requests(), &world.request()["reason"]), (1, &"gap".into()));
    assert_eq!((world.position(), &*world.status()), (3, "recovering"));
    // The machine applies the held events together with the missing one.
    assert_eq!(world.receive(&log.document(4)), Verdict::Applied);
    assert_eq!((world.position(), world.rows().len()), (6, 5));
    assert_eq!(world.metrics().recovery_requests.total(), 2, "connect, and one for the gap");
}

#[test]
fn events_beyond_a_requested_recovery_are_not_a_gap() {
    let mut log = Log::with_rows(2);
    let mut world = World::following(&log);
    (2..5).for_each(|offset| drop(log.generate(offset)));
    world.reconnect();
    assert_eq!(world.receive(&log.document(6)), Verdict::Held);
    assert_eq!((world.metrics().gaps, world.requests()), (0, 1));
    world.replay(&log, 4, 5);
    assert_eq!((world.position(), world.metrics().gaps), (6, 0));
}

// R13.17
#[test]
fn overflow_drops_the_farthest_event_and_a_replay_restores_it() {
    let mut log = Log::with_rows(1);
    let config = Config { held_events_max: 2, ..Config::default() };
    let mut world = World::following_with(&log, config);
    for offset in 1..6 {
        log.generate(offset);
    }
    assert_eq!(world.receive(&log.document(5)), Verdict::Held);
    assert_eq!(world.receive(&log.document(7)), Verdict::Held);
    assert_eq!(world.receive(&log.document(4)), Verdict::Held, "nearer ones displace the far end");
    assert_eq!(world.receive(&log.document(6)), Verdict::Overflow);
    assert_eq!(world.metrics().held_overflows, 1);
    world.replay(&log, 3, 7);
    assert_eq!((world.position(), world.rows().len()), (7, 6));
    world.pong(7);
    assert_eq!(world.status(), "live");
}

// R13.17
#[test]
fn overflow_by_bytes_drops_the_farthest_event() {
    let mut log = Log::with_rows(1);
    for offset in 1..6 {
        log.generate(offset);
    }
    let size = log.document(4).len() + log.document(5).len();
    let config = Config { held_bytes_max: size, ..Config::default() };
    let mut world = World::following_with(&log.clone_to(2), config);
    assert_eq!(world.receive(&log.document(4)), Verdict::Held);
    assert_eq!(world.receive(&log.document(5)), Verdict::Held, "exactly as many as may be");
    assert_eq!(world.receive(&log.document(6)), Verdict::Overflow);
}

// R13.18
#[test]
fn held_count_and_bytes_shrink_when_events_are_taken() {
    let mut log = Log::with_rows(1);
    let mut world = World::following(&log);
    (1..6).for_each(|offset| drop(log.generate(offset)));
    let held = |world: &World| world.machine.subscription(CAMPAIGN).expect("it is followed").held();
    let bytes = |number: u64| log.document(number).len();
    assert_eq!(held(&world), (0, 0));
    for number in [4, 5, 7] {
        assert_eq!(world.receive(&log.document(number)), Verdict::Held);
    }
    assert_eq!(held(&world), (3, bytes(4) + bytes(5) + bytes(7)));
    assert_eq!(world.receive(&log.document(3)), Verdict::Applied);
    assert_eq!((world.position(), held(&world)), (5, (1, bytes(7))));
}

// R13.17
#[test]
fn only_events_of_one_log_are_held() {
    let [here, there] = [EPOCH, OTHER_EPOCH].map(|epoch| Epoch::new(epoch).expect("a token"));
    let number = |number| SequenceNumber::new(number).expect("in range");
    let hash = EventHash::of_v1("", "", "", [""; 6]);
    let mut held = GapBuffer::new(8, 1_000);
    for at in [5, 6] {
        assert_eq!(held.hold(&here, number(at), "document", hash), HoldOutcome::Held);
    }
    assert_eq!(held.hold(&there, number(6), "other", hash), HoldOutcome::Held);
    assert_eq!((held.len(), held.bytes()), (1, "other".len()));
    assert!(held.take_next(&here, number(5)).is_none());
    assert_eq!((held.len(), held.bytes()), (0, 0), "what is read now is another log");
}

// R13.9
#[test]
fn two_hashes_for_one_held_number_are_divergence() {
    let mut log = Log::with_rows(1);
    let mut world = World::following(&log);
    log.generate(1);
    let held = log.generate(2);
    let mut other = held.clone();
    other.data = other.data.replace("name2", "other");
    assert_eq!(world.receive(&held.document()), Verdict::Held);
    assert_eq!(world.receive(&other.document()), Verdict::Divergence);
    assert_eq!(world.metrics().divergences, 1);
    assert_eq!(world.request()["prefer"], "snapshot");
    assert_eq!(world.position(), 2);
}

// R4.12
#[test]
fn an_event_of_v1_without_a_sequence_is_refused() {
    let mut world = World::following(&Log::with_rows(1));
    let bare =
        message("campaign.status", &json!({"campaignId": CAMPAIGN, "phaseStatus": "failed"}));
    assert_eq!(world.receive(&bare), Verdict::Refused(Code::MissingSequence));
    assert_eq!(world.view()["campaign"]["phaseStatus"], "in_progress");
}

#[test]
fn the_last_number_of_the_range_has_no_successor() {
    let last = SequenceNumber::new((1 << 53) - 1).expect("the end of the range");
    assert_eq!(last.next(), last);
    let before = SequenceNumber::new((1 << 53) - 2).expect("within the range");
    assert_eq!(before.next(), last);
}
