//! Every flipped byte of a v1 event is caught, or leaves the decoded event equal.

use campaign_sync::protocol::frame::Frame;
use campaign_sync::sync::rng::Rng;
use campaign_sync::sync::{Input, Verdict};
use serde_json::{Value, json};

use crate::wire::{CAMPAIGN, Event, Log, rows, transition};
use crate::world::World;

/// Events of different types, each the next one of its log.
fn events() -> Vec<(Log, Event)> {
    let log = Log::with_rows(3);
    let update = json!({"campaignId": CAMPAIGN, "domains": [{"domainId": "d-1", "dnsStatus": "ok",
        "httpStatusCode": 200, "leadScore": -0.5}, {"domainId": "ü", "domain": "ü.example"}]});
    let progress = json!({"campaignId": CAMPAIGN, "currentPhase": "domain_generation",
        "phaseStatus": "in_progress", "totalItems": 900, "processedItems": 71, "successfulItems": 70,
        "failedItems": 1, "progressPercent": 7.9});
    let to_dns = transition("domain_generation", "dns_validation", "not_started", &rows(3));
    let kinds = [
        ("domains.updated", update),
        ("campaign.progress", progress),
        ("campaign.phase.transition", to_dns),
        ("domains.removed", json!({"campaignId": CAMPAIGN, "domainIds": ["d-1", "d-2"]})),
    ];
    kinds.into_iter().map(|(kind, data)| (log.clone(), log.next(kind, &data))).collect()
}

/// The view and all rows.
fn state(world: &mut World) -> (Value, Vec<Value>) {
    (world.view(), world.rows())
}

/// Delivers the bytes to a machine that follows `log`.
fn deliver(log: &Log, bytes: &[u8]) -> (World, Vec<Verdict>) {
    let mut world = World::following(log);
    let outcome = world.handle(Input::Received(world.socket(), Frame::Binary(bytes)));
    (world, outcome.verdicts)
}

/// The state before the event, and the state after the intact event.
struct States {
    before: (Value, Vec<Value>),
    after: (Value, Vec<Value>),
}

impl States {
    fn of(log: &Log, event: &Event) -> Self {
        let before = state(&mut World::following(log));
        let (mut world, verdicts) = deliver(log, event.document().as_bytes());
        assert_eq!(verdicts, [Verdict::Applied]);
        Self { before, after: state(&mut world) }
    }
}

fn assert_caught_or_equal(log: &Log, bytes: &[u8], states: &States, what: &str) {
    let (mut world, verdicts) = deliver(log, bytes);
    let (after, before) = (state(&mut world), &states.before);
    if verdicts.contains(&Verdict::Applied) {
        assert_eq!(after, states.after, "{what} was applied as another event");
    } else {
        assert_eq!(after.1, before.1, "{what} changed rows");
        assert_eq!(after.0["campaign"], before.0["campaign"], "{what} changed the record");
        assert_eq!(after.0["position"], before.0["position"], "{what} moved the position");
    }
}

#[test]
fn any_flipped_bit_of_any_event_is_caught_or_leaves_it_equal() {
    for (log, event) in events() {
        let document = event.document().into_bytes();
        let states = States::of(&log, &event);
        for at in 0..document.len() {
            for bit in 0..8 {
                let mut flipped = document.clone();
                flipped[at] ^= 1 << bit;
                let what = format!("{}, byte {at}, bit {bit}", event.kind);
                assert_caught_or_equal(&log, &flipped, &states, &what);
            }
        }
    }
}

// R4.13
#[test]
fn any_flipped_byte_of_hashed_text_is_caught() {
    let (log, event) = events().remove(0);
    let document = event.document();
    // The hash covers the text from the type to the end of the data. The hash itself is flipped as well.
    let hash = event.hash();
    let covered = (1..document.find(",\"sequence\"").expect("sequenced"))
        .chain(document.find(&hash).map(|at| at..at + hash.len()).expect("hashed"));
    for at in covered {
        for mask in [0x01, 0x20, 0x80, 0xff] {
            let mut flipped = document.clone().into_bytes();
            flipped[at] ^= mask;
            let (_, verdicts) = deliver(&log, &flipped);
            assert!(!verdicts.contains(&Verdict::Applied), "byte {at} ^ {mask:#x}");
        }
    }
}

#[test]
fn several_flipped_bytes_are_caught_too() {
    let mut rng = Rng::new(11);
    let (log, event) = events().remove(2);
    let document = event.document().into_bytes();
    let states = States::of(&log, &event);
    for round in 0..2_000 {
        let mut flipped = document.clone();
        for _ in 0..2 + rng.up_to(6) {
            let at = rng.up_to(flipped.len() as u64 - 1) as usize;
            flipped[at] = rng.up_to(255) as u8;
        }
        assert_caught_or_equal(&log, &flipped, &states, &format!("round {round}"));
    }
}
