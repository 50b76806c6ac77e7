//! More campaigns than the server has places for on one connection.

use campaign_sync::protocol::Code;
use campaign_sync::sync::input::Ticket;
use campaign_sync::sync::{Config, Input};
use serde_json::json;

use crate::wire::{CAMPAIGN, EPOCH, Log, message};
use crate::world::{World, id, position};
use crate::writing::plain;

const OTHER: &str = "campaign-2";

/// A world that follows one campaign and has no place for another.
fn full() -> World {
    let mut world = World::following_with(&Log::with_rows(1), Config::default());
    world.input(Input::Retain(id(OTHER)));
    world.receive(&refusal());
    world.clear();
    world
}

fn refusal() -> String {
    message("error", &json!({"code": "too_many", "message": "no", "campaignId": OTHER}))
}

fn confirmation() -> String {
    let data = json!({"campaignId": OTHER, "epoch": EPOCH, "lastSequenceNumber": 2,
        "oldestSequenceNumber": 1});
    message("subscription_confirmed", &data)
}

// R14.16
#[test]
fn campaign_without_a_place_shows_too_many() {
    let mut world = full();
    assert_eq!(world.status_of(OTHER), "failed(too_many)");
    let view = world.machine.view(OTHER, world.now).expect("it is held");
    assert_eq!(plain(&view)["code"], "too_many");
    assert_eq!(world.status(), "live", "the others go on");
    // The request that was sent with the subscription is refused, too.
    let error = json!({"code": "invalid_message", "campaignId": OTHER, "requestId": "r2"});
    world.receive(&message("error", &error));
    assert_eq!((world.status_of(OTHER), world.requests()), ("failed(too_many)".into(), 0));
}

// R14.16
#[test]
fn wait_without_a_place_fails_with_its_code() {
    let mut world = World::following_with(&Log::with_rows(1), Config::default());
    world.input(Input::Retain(id(OTHER)));
    world.input(Input::WaitForPosition(id(OTHER), position(EPOCH, 1), Ticket(70)));
    world.receive(&refusal());
    assert_eq!(world.settled, [(Ticket(70), Some(Code::TooMany))]);
}

// R14.16
#[test]
fn campaign_takes_the_place_of_a_released_one() {
    let mut world = full();
    world.input(Input::Release(id(CAMPAIGN)));
    world.advance(5_000);
    assert_eq!((world.count_sent("subscribe_campaign"), world.requests()), (1, 0));
    assert_eq!(world.status_of(OTHER), "failed(too_many)", "not yet confirmed");
    world.receive(&confirmation());
    assert_eq!((world.requests(), &*world.status_of(OTHER)), (1, "loading"));
    assert_eq!(world.request()["campaignId"], OTHER);
}

// R14.16
#[test]
fn campaign_takes_the_place_of_an_ended_one() {
    let mut world = full();
    let ended = json!({"campaignId": CAMPAIGN, "reason": "revoked"});
    world.receive(&message("subscription_ended", &ended));
    assert_eq!(world.count_sent("subscribe_campaign"), 1);
}

// R14.16
#[test]
fn place_is_requested_again_from_time_to_time() {
    let mut world = full();
    world.keep_alive_until(|world| world.count_sent("subscribe_campaign") == 1);
    let waited = world.now.wall_ms;
    world.receive(&refusal());
    world.keep_alive_until(|world| world.count_sent("subscribe_campaign") == 2);
    assert!((30_000..=45_000).contains(&(world.now.wall_ms - waited)));
    assert_eq!((world.requests(), &*world.status_of(OTHER)), (0, "failed(too_many)"));
}

// R14.16
#[test]
fn next_socket_may_have_a_place() {
    let mut world = full();
    world.reconnect();
    assert_eq!((world.count_sent("subscribe_campaign"), world.requests()), (2, 2));
    assert_eq!(world.status_of(OTHER), "loading");
}
