//! A server that lies about the catalogue, or a network that damages it: coded, bounded, and it recovers.

use campaign_sync::protocol::Code;
use campaign_sync::sync::Verdict;
use serde_json::json;

use crate::catalogue::{change, summary};
use crate::wire::message;
use crate::world::World;

impl World {
    pub(crate) fn reconnect_catalogue(&mut self) {
        let before = self.opened.len();
        self.close(1006);
        self.advance_until(|world| world.opened.len() > before);
        self.open();
        self.acknowledge_catalogue();
    }
}

// R20.17
#[test]
fn repeated_change_of_the_catalogue_is_dropped() {
    let mut world = World::listing(1);
    let first = change(Some(1), 2, &[summary("c1", 5)], 1);
    assert_eq!(world.part(&first), Verdict::Control);
    assert_eq!(world.part(&first), Verdict::Duplicate);
    assert_eq!(world.part(&change(Some(0), 1, &[summary("c9", 5)], 2)), Verdict::Duplicate);
    assert_eq!((world.list().len(), world.catalogue_requests()), (1, 0));
}

// R20.18
#[test]
fn gap_in_the_catalogue_is_recovered_by_number() {
    let mut world = World::listing(1);
    assert_eq!(world.part(&change(Some(2), 3, &[summary("c1", 7)], 1)), Verdict::Control);
    assert_eq!(world.catalogue_request()["lastSequenceNumber"], 1);
    assert_eq!((world.list()[0].1, &*world.catalogue_status()), (1, "recovering"));
    world.answer_catalogue(change(Some(1), 3, &[summary("c1", 7)], 1));
    assert_eq!((world.list()[0].1, &*world.catalogue_status()), (7, "live"));
}

// R20.18
#[test]
fn change_of_a_foreign_feed_is_not_applied() {
    let mut world = World::listing(1);
    let mut part = change(Some(1), 2, &[], 0);
    part["epoch"] = json!("feed-b");
    part["removed"] = json!(["c1"]);
    world.part(&part);
    assert_eq!((world.list().len(), world.catalogue_requests()), (1, 1));
}

// R20.16
#[test]
fn list_with_a_wrong_total_is_refused() {
    let mut world = World::listing(2);
    let verdict = world.part(&change(Some(1), 2, &[summary("c3", 1)], 4));
    assert_eq!(verdict, Verdict::Refused(Code::InvalidSnapshot));
    assert_eq!((world.list().len(), &*world.catalogue_status()), (2, "recovering"));
    // Only a snapshot helps.
    assert_eq!(*world.catalogue_request(), json!({"requestId": "r2"}));
    assert_eq!(world.metrics().refused.of(Code::InvalidSnapshot), 1);
    let snapshot = change(None, 2, &[summary("c1", 1), summary("c3", 1)], 2);
    assert_eq!(world.answer_catalogue(snapshot), Verdict::Control);
    assert_eq!(world.list()[1].0, "c3");
}

// R20.16
#[test]
fn missing_part_of_the_catalogue_is_requested_again() {
    let mut world = World::with_catalogue();
    let mut part = change(None, 1, &[summary("c1", 1)], 3);
    part["parts"] = json!(3);
    world.answer_catalogue(part.clone());
    (part["part"], part["campaigns"]) = (json!(3), json!([summary("c3", 1)]));
    world.answer_catalogue(part);
    assert_eq!((world.catalogue_requests(), world.list().len()), (2, 0));
}

// R20.8
#[test]
fn campaigns_out_of_order_are_refused() {
    for ids in [["c2", "c1"], ["c1", "c1"]] {
        let mut world = World::with_catalogue();
        let part = change(None, 1, &ids.map(|id| summary(id, 1)), 2);
        assert_eq!(world.answer_catalogue(part), Verdict::Refused(Code::InvalidContent));
        assert_eq!(world.list(), []);
    }
}

// R20.19
#[test]
fn numbers_of_a_feed_that_go_back_lead_to_a_snapshot() {
    let mut world = World::listing(1);
    world.part(&change(Some(1), 9, &[], 1));
    world.reconnect_catalogue();
    let verdict = world.answer_catalogue(change(Some(5), 5, &[], 1));
    assert_eq!(verdict, Verdict::Refused(Code::Divergence));
    assert_eq!(world.catalogue_request()["lastSequenceNumber"], json!(null));
    world.answer_catalogue(change(None, 5, &[summary("c7", 1)], 1));
    assert_eq!(world.list()[0].0, "c7");
}

// R20.20
#[test]
fn late_answer_about_the_catalogue_is_ignored() {
    let mut world = World::with_catalogue();
    world.keep_alive_until(|world| world.catalogue_requests() == 2);
    let mut late = change(None, 1, &[summary("c1", 1)], 1);
    late["requestId"] = json!("r1");
    assert_eq!(world.part(&late), Verdict::Ignored);
    assert_eq!(world.part(&change(Some(0), 1, &[], 0)), Verdict::Ignored, "a change");
    assert_eq!(world.list(), []);
}

// R20.21
#[test]
fn catalogue_without_progress_is_requested_again() {
    let mut world = World::with_catalogue();
    for requests in 2..5 {
        world.keep_alive_until(|world| world.catalogue_requests() == requests);
        assert_eq!(world.catalogue_status(), "loading");
    }
}

// R20.21
#[test]
fn change_whose_last_part_never_comes_is_requested_again() {
    let mut world = World::listing(1);
    let mut part = change(Some(1), 2, &[summary("c1", 2)], 2);
    part["parts"] = json!(2);
    world.part(&part);
    world.keep_alive_until(|world| world.catalogue_requests() == 1);
    assert_eq!(world.list()[0].1, 1);
}

// R20.21
#[test]
fn server_that_always_lies_is_asked_ever_more_rarely() {
    let mut world = World::listing(1);
    world.part(&change(Some(1), 2, &[], 7));
    for _ in 0..40 {
        world.answer_catalogue(change(None, 2, &[], 7));
        let before = world.catalogue_requests();
        world.keep_alive_until(|world| world.catalogue_requests() > before);
    }
    // 40 requests with full jitter up to 20 s need minutes.
    assert!(world.now.wall_ms > 1_900_000_000_000 + 120_000, "{}", world.now.wall_ms);
    assert_eq!(world.list().len(), 1, "the shown list stays");
}

// R20.23
#[test]
fn head_beyond_the_list_is_recovered() {
    let mut world = World::listing(1);
    world.advance(5_000);
    world.pong_catalogue(2, 0);
    assert_eq!(world.catalogue_request()["lastSequenceNumber"], 1);
}

// R20.23
#[test]
fn pong_without_the_catalogue_leads_to_a_new_subscription() {
    let mut world = World::listing(1);
    // The server has one more change than it can write at once.
    let mut part = change(Some(1), 2, &[summary("c1", 2)], 1);
    part["parts"] = json!(2);
    world.part(&part);
    world.advance(5_000);
    world.pong_with_catalogue(&json!(null));
    assert_eq!(world.catalogue_requests(), 0, "parts of a change are arriving");
    (part["part"], part["campaigns"]) = (json!(2), json!([]));
    world.part(&part);
    world.advance(5_000);
    world.pong_with_catalogue(&json!(null));
    assert_eq!(world.catalogue_requests(), 1);
}

#[test]
fn bad_parts_of_the_catalogue_are_refused_with_a_code() {
    let cases = [
        ("part", json!(0), Code::InvalidContent),
        ("part", json!(2), Code::InvalidContent),
        ("parts", json!(100_001), Code::InvalidContent),
        ("total", json!(100_001), Code::InvalidContent),
        ("total", json!(-1), Code::InvalidContent),
        ("campaigns", json!({}), Code::InvalidContent),
        ("campaigns", json!([{}]), Code::InvalidContent),
        (
            "campaigns",
            json!([{"campaignId": "../x", "epoch": "e", "sequenceNumber": 1, "campaign": {}}]),
            Code::InvalidCampaignId,
        ),
        ("removed", json!(["a b"]), Code::InvalidCampaignId),
        ("epoch", json!("a/b"), Code::InvalidContent),
        ("sequenceNumber", json!(9_007_199_254_740_992_u64), Code::IntegerOutOfRange),
    ];
    for (member, value, code) in cases {
        let mut world = World::listing(1);
        let mut part = change(Some(1), 2, &[], 1);
        part[member] = value.clone();
        let verdict = world.receive(&message("catalogue", &part));
        assert_eq!(verdict, Verdict::Refused(code), "{member} {value}");
        assert_eq!((world.list().len(), &*world.catalogue_status()), (1, "live"));
    }
}
