//! The catalogue (docs/PROTOCOL.md, chapter 20): snapshot, changes, recovery, freshness.

use campaign_sync::protocol::catalogue::Summary;
use campaign_sync::sync::{Config, Input, Verdict};
use serde_json::{Value, json};

use crate::wire::{EPOCH, message, record};
use crate::world::World;
use crate::writing::plain;

pub(crate) const FEED: &str = "feed-a";

/// A summary as a server writes it, at this number of its campaign's log.
pub(crate) fn summary(id: &str, number: u64) -> Value {
    let mut campaign = record("dns_validation", "in_progress", number);
    campaign["name"] = json!(format!("{id} at {number}"));
    json!({"campaignId": id, "epoch": EPOCH, "sequenceNumber": number, "campaign": campaign})
}

/// `base` is `None` in a snapshot; `total` is the number of campaigns afterwards.
pub(crate) fn change(base: Option<u64>, number: u64, campaigns: &[Value], total: u64) -> Value {
    json!({"epoch": FEED, "previousSequenceNumber": base, "sequenceNumber": number, "part": 1,
        "parts": 1, "total": total, "campaigns": campaigns, "removed": []})
}

impl World {
    /// A world that retains the catalogue on an open socket.
    pub(crate) fn with_catalogue() -> Self {
        let mut world = Self::new(Config::default());
        world.input(Input::RetainCatalogue);
        world.input(Input::Connect);
        world.open();
        world.acknowledge_catalogue();
        world
    }

    pub(crate) fn acknowledge_catalogue(&mut self) {
        let ack = json!({"protocol": "campaign-sync.v1", "profiles": ["later", "catalogue"]});
        assert_eq!(self.receive(&message("connection_ack", &ack)), Verdict::Control);
    }

    /// A world whose list has the campaigns `c1` to `cN`, each at number 1, and is proven.
    pub(crate) fn listing(campaigns: u64) -> Self {
        let mut world = Self::with_catalogue();
        let list: Vec<Value> = (1..=campaigns).map(|n| summary(&format!("c{n}"), 1)).collect();
        assert_eq!(world.answer_catalogue(change(None, 1, &list, campaigns)), Verdict::Control);
        world.pong_catalogue(1, 0);
        assert_eq!(world.catalogue_status(), "live");
        world.clear();
        world
    }

    /// Answers the last request for the catalogue.
    pub(crate) fn answer_catalogue(&mut self, mut part: Value) -> Verdict {
        part["requestId"] = self.catalogue_request()["requestId"].clone();
        self.part(&part)
    }

    pub(crate) fn part(&mut self, part: &Value) -> Verdict {
        self.receive(&message("catalogue", part))
    }

    /// The payload of the last request for the catalogue.
    pub(crate) fn catalogue_request(&self) -> &Value {
        &self.last_sent("subscribe_catalogue").expect("it was asked for")["payload"]
    }

    pub(crate) fn catalogue_requests(&self) -> usize {
        self.count_sent("subscribe_catalogue")
    }

    /// Answers the last ping with this head of the feed.
    pub(crate) fn pong_catalogue(&mut self, number: u64, lag_ms: u64) {
        let head = json!({"epoch": FEED, "lastSequenceNumber": number, "lagMs": lag_ms});
        self.pong_with_catalogue(&head);
    }

    pub(crate) fn pong_with_catalogue(&mut self, head: &Value) {
        let echo = self.last_sent("ping").map(|ping| ping["payload"]["timestamp"].clone());
        let data = json!({"timestamp": echo, "heads": [], "catalogue": head});
        assert_eq!(self.receive(&message("pong", &data)), Verdict::Control);
    }

    pub(crate) fn catalogue_status(&self) -> String {
        self.machine.catalogue_status(self.now).to_string()
    }

    /// The shown campaigns with their numbers.
    pub(crate) fn list(&self) -> Vec<(String, u64)> {
        let shown = |it: &Summary| (it.campaign_id.to_string(), it.sequence_number.get());
        self.machine.catalogue().store().summaries().map(shown).collect()
    }

    pub(crate) fn catalogue_view(&mut self) -> Value {
        plain(&self.machine.catalogue_view(self.now, false))
    }
}

fn listed(of: &[(&str, u64)]) -> Vec<(String, u64)> {
    of.iter().map(|(id, number)| ((*id).to_owned(), *number)).collect()
}

// R20.4
#[test]
fn catalogue_is_requested_when_the_socket_opens() {
    let world = World::with_catalogue();
    assert_eq!(*world.catalogue_request(), json!({"requestId": "r1"}));
    assert_eq!(world.catalogue_status(), "loading");
}

// R20.2
#[test]
fn catalogue_fails_with_a_code_if_the_server_lacks_it() {
    let mut world = World::new(Config::default());
    world.input(Input::RetainCatalogue);
    assert_eq!(world.catalogue_status(), "idle");
    world.connect();
    assert_eq!(world.catalogue_status(), "failed(unknown_type)");
    assert_eq!(world.catalogue_requests(), 0);
    assert_eq!(world.catalogue_view()["code"], "unknown_type");
    // The next server has it.
    world.close(1006);
    assert_eq!(world.catalogue_status(), "connecting");
    world.advance_until(|world| world.opened.len() == 2);
    world.open();
    world.acknowledge_catalogue();
    assert_eq!((world.catalogue_requests(), &*world.catalogue_status()), (1, "loading"));
}

// R20.25
#[test]
fn refused_catalogue_shows_the_code_until_the_next_socket() {
    for code in ["unknown_type", "too_many", "forbidden", "unauthorized"] {
        let mut world = World::with_catalogue();
        let error = json!({"code": code, "message": "no", "requestId": "r1"});
        world.receive(&message("error", &error));
        assert_eq!(world.catalogue_status(), format!("failed({code})"));
        world.clear();
        world.advance(9_000);
        assert_eq!(world.catalogue_requests(), 0, "{code}");
    }
}

// R20.25
#[test]
fn busy_server_is_asked_again_after_the_pause_that_it_requests() {
    let mut world = World::with_catalogue();
    let error = json!({"code": "rate_limited", "requestId": "r1", "retryAfterMs": 4_000});
    world.receive(&message("error", &error));
    world.clear();
    world.advance(3_999);
    assert_eq!(world.catalogue_requests(), 0);
    world.advance(2_001);
    assert_eq!(world.catalogue_requests(), 1);
}

// R20.16
#[test]
fn snapshot_in_parts_appears_whole() {
    let mut world = World::with_catalogue();
    for part in 1..=3_u64 {
        let mut data = change(None, 7, &[summary(&format!("c{part}"), part)], 3);
        (data["part"], data["parts"]) = (part.into(), 3.into());
        assert_eq!(world.list(), [], "before part {part}");
        assert_eq!(world.answer_catalogue(data), Verdict::Control);
    }
    assert_eq!(world.list(), listed(&[("c1", 1), ("c2", 2), ("c3", 3)]));
    assert_eq!(world.metrics().catalogue_snapshots, 1);
}

// R20.24
#[test]
fn answer_proves_the_list_at_the_time_of_the_request() {
    let mut world = World::with_catalogue();
    world.advance(4_000);
    world.answer_catalogue(change(None, 1, &[], 0));
    assert_eq!(world.catalogue_status(), "live", "an empty list is a list");
    world.pass(5_999);
    assert_eq!(world.catalogue_status(), "live");
    world.pass(1);
    assert_eq!(world.catalogue_status(), "stale(unproven)");
}

// R20.24
#[test]
fn pong_proves_the_list_up_to_the_lag_that_it_states() {
    let mut world = World::listing(1);
    world.advance(5_000);
    let sent = world.now;
    world.pass(1_000);
    world.pong_catalogue(1, 900);
    assert_eq!(world.catalogue_view()["provenAt"], sent.wall_ms - 900);
    world.pass(8_099);
    assert_eq!(world.catalogue_status(), "live");
    world.pass(1);
    assert_eq!(world.catalogue_status(), "stale(unproven)");
}

// R20.9
#[test]
fn changes_update_add_and_remove_campaigns() {
    let mut world = World::listing(3);
    let mut part = change(Some(1), 2, &[summary("c2", 5), summary("c4", 1)], 3);
    part["removed"] = json!(["c1"]);
    assert_eq!(world.part(&part), Verdict::Control);
    assert_eq!(world.list(), listed(&[("c2", 5), ("c3", 1), ("c4", 1)]));
    assert_eq!(world.catalogue_status(), "live");
    assert_eq!((world.metrics().catalogue_changes, world.catalogue_requests()), (1, 0));
}

// R20.5, R20.18
#[test]
fn reconnect_recovers_by_number() {
    let mut world = World::listing(2);
    world.close(1006);
    assert_eq!(world.catalogue_status(), "stale(disconnected)");
    assert_eq!(world.list().len(), 2, "the list stays");
    world.advance_until(|world| world.opened.len() == 2);
    world.open();
    world.acknowledge_catalogue();
    let expected = json!({"requestId": "r2", "epoch": FEED, "lastSequenceNumber": 1});
    assert_eq!(*world.catalogue_request(), expected);
    assert_eq!(world.catalogue_status(), "recovering");
    world.answer_catalogue(change(Some(1), 4, &[summary("c2", 9)], 2));
    assert_eq!(world.list(), listed(&[("c1", 1), ("c2", 9)]));
    assert_eq!(world.catalogue_status(), "live");
}

// R20.5
#[test]
fn answer_without_a_change_confirms_the_list() {
    let mut world = World::listing(2);
    world.reconnect_catalogue();
    assert_eq!(world.answer_catalogue(change(Some(1), 1, &[], 2)), Verdict::Control);
    assert_eq!((world.list().len(), &*world.catalogue_status()), (2, "live"));
}

// R20.5
#[test]
fn snapshot_of_another_feed_replaces_the_list() {
    let mut world = World::listing(3);
    world.reconnect_catalogue();
    let mut part = change(None, 1, &[summary("c2", 1)], 1);
    part["epoch"] = json!("feed-b");
    world.answer_catalogue(part);
    assert_eq!(world.list(), listed(&[("c2", 1)]));
}

// R20.22
#[test]
fn lagging_server_does_not_move_a_campaign_back() {
    let mut world = World::listing(2);
    world.part(&change(Some(1), 2, &[summary("c1", 8)], 2));
    world.reconnect_catalogue();
    world.answer_catalogue(change(None, 5, &[summary("c1", 6), summary("c2", 2)], 2));
    assert_eq!(world.list(), listed(&[("c1", 8), ("c2", 2)]));
    // Another log of the campaign begins again.
    let mut other = summary("c1", 3);
    other["epoch"] = json!("epoch-b");
    world.part(&change(Some(5), 6, &[other], 2));
    assert_eq!(world.list(), listed(&[("c1", 3), ("c2", 2)]));
}

#[test]
fn view_brings_what_changed_since_the_last_view() {
    let mut world = World::listing(2);
    let view = world.catalogue_view();
    assert_eq!((&view["total"], view["changed"].as_array().map(Vec::len)), (&json!(2), Some(2)));
    assert_eq!(view["changed"][0]["position"], json!({"epoch": EPOCH, "sequenceNumber": 1}));
    assert_eq!(view["changed"][0]["campaign"]["name"], "c1 at 1");
    assert!(
        !world.machine.take_catalogue_change() || world.catalogue_view()["changed"] == json!([])
    );
    let mut part = change(Some(1), 2, &[summary("c2", 2)], 1);
    part["removed"] = json!(["c1"]);
    world.part(&part);
    assert!(world.machine.take_catalogue_change());
    let view = world.catalogue_view();
    assert_eq!(
        (&view["changed"][0]["campaignId"], &view["removed"]),
        (&json!("c2"), &json!(["c1"]))
    );
    assert_eq!(world.catalogue_view()["removed"], json!([]));
    let whole = world.machine.catalogue_view(world.now, true);
    let whole = plain(&whole);
    assert_eq!(whole["changed"].as_array().map(Vec::len), Some(1));
}

#[test]
fn catalogue_is_kept_five_seconds_after_the_last_release() {
    let mut world = World::listing(2);
    world.input(Input::RetainCatalogue);
    world.input(Input::ReleaseCatalogue);
    world.input(Input::ReleaseCatalogue);
    assert!(world.handle(Input::ReleaseCatalogue).ignored_late);
    world.advance(4_999);
    assert_eq!((world.list().len(), world.count_sent("unsubscribe_catalogue")), (2, 0));
    world.advance(1);
    assert_eq!((world.list().len(), world.count_sent("unsubscribe_catalogue")), (0, 1));
    assert_eq!(world.part(&change(Some(1), 2, &[], 2)), Verdict::Ignored, "it was on its way");
    world.input(Input::RetainCatalogue);
    assert_eq!((world.catalogue_requests(), &*world.catalogue_status()), (1, "loading"));
}

#[test]
fn page_is_called_when_the_list_goes_stale() {
    let mut world = World::listing(1);
    world.machine.take_catalogue_change();
    world.advance_until(|world| world.catalogue_status() != "live");
    assert!(world.machine.take_catalogue_change());
}

#[test]
fn closed_client_has_no_deadline_for_the_list() {
    let mut world = World::with_catalogue();
    assert!(world.machine.poll_timeout().is_some());
    world.input(Input::Close);
    assert_eq!(world.machine.poll_timeout(), None);
}

// R20.25
#[test]
fn forbidden_catalogue_is_emptied() {
    let mut world = World::listing(2);
    world.reconnect_catalogue();
    let request_id = world.catalogue_request()["requestId"].clone();
    world.receive(&message("error", &json!({"code": "forbidden", "requestId": request_id})));
    assert_eq!((world.list(), &*world.catalogue_status()), (vec![], "failed(forbidden)"));
    assert_eq!(world.catalogue_view()["removed"], json!(["c1", "c2"]));
}

// R7.7
#[test]
fn list_is_emptied_when_the_connection_is_forbidden() {
    let mut world = World::listing(2);
    world.close(4403);
    assert_eq!((world.list(), &*world.catalogue_status()), (vec![], "failed(forbidden)"));
}

// R20.26
#[test]
fn list_of_another_user_is_emptied_at_once() {
    let mut world = World::listing(2);
    world.catalogue_view();
    world.close(1006);
    world.advance_until(|world| world.opened.len() == 2);
    world.open();
    assert_eq!(world.list().len(), 2, "the list stays for the same user");
    let ack = json!({"protocol": "campaign-sync.v1", "profiles": ["catalogue"], "subject": "bob"});
    world.receive(&message("connection_ack", &ack));
    assert_eq!((world.list(), &*world.catalogue_status()), (vec![], "loading"));
    let request_id = world.catalogue_request()["requestId"].clone();
    assert_eq!(*world.catalogue_request(), json!({"requestId": request_id}), "from nothing");
    let view = world.catalogue_view();
    assert_eq!((&view["removed"], &view["provenAt"]), (&json!(["c1", "c2"]), &json!(null)));
}

// R20.26
#[test]
fn reset_empties_the_list() {
    let mut world = World::listing(2);
    world.input(Input::Reset);
    assert_eq!(world.list(), []);
    assert_eq!(world.catalogue_requests(), 0, "not on the socket of the former session");
}

// R20.3
#[cfg(feature = "encrypted")]
#[test]
fn client_of_sealed_content_requests_no_catalogue() {
    let mut world = World::new(Config::default());
    world.input(Input::Seal);
    world.input(Input::RetainCatalogue);
    world.input(Input::Connect);
    world.open();
    let ack = json!({"protocol": "campaign-sync.v1.sealed", "profiles": ["catalogue"]});
    world.receive(&message("connection_ack", &ack));
    assert_eq!(
        (world.catalogue_requests(), &*world.catalogue_status()),
        (0, "failed(unknown_type)")
    );
}
