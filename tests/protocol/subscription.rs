//! The subscription on the server: if it is lost, the client subscribes again.

use campaign_sync::sync::Config;
use campaign_sync::sync::input::ConnectionId;
use serde_json::json;

use crate::wire::{CAMPAIGN, Log, message};
use crate::world::World;

/// The server's answer to a request about a campaign without a subscription.
fn not_subscribed(request_id: &str) -> String {
    let data = json!({"code": "invalid_message", "message": "not subscribed",
        "campaignId": CAMPAIGN, "requestId": request_id});
    message("error", &data)
}

// R8.25
#[test]
fn request_refused_as_unsubscribed_subscribes_again() {
    let mut world = World::connected(Config::default());
    world.receive(&not_subscribed(&world.request_id()));
    assert_eq!(world.count_sent("subscribe_campaign"), 2);
    world.advance_until(|world| world.requests() == 2);
    let log = Log::with_rows(2);
    world.replay(&log, 1, 3);
    world.pong(3);
    assert_eq!((world.position(), &*world.status()), (3, "live"));
}

#[test]
fn the_refusal_of_another_request_does_not_subscribe_again() {
    let mut world = World::connected(Config::default());
    world.receive(&not_subscribed("not-ours"));
    assert_eq!((world.count_sent("subscribe_campaign"), world.requests()), (1, 1));
}

// R12.19
#[test]
fn pong_without_a_head_of_the_campaign_subscribes_again() {
    let log = Log::with_rows(2);
    let mut world = World::following(&log);
    world.advance(5_000);
    world.pong_with(json!([]));
    assert_eq!(world.count_sent("subscribe_campaign"), 1);
    assert_eq!((world.requests(), &world.request()["reason"]), (1, &"tail".into()));
    assert_eq!(world.status(), "recovering");
    world.answer("current", crate::wire::EPOCH, 4, 3);
    assert_eq!((world.status(), world.socket()), ("live".into(), ConnectionId(1)));
}

// R12.19
#[test]
fn missing_head_in_an_early_or_unsolicited_pong_is_ignored() {
    let log = Log::with_rows(2);
    let mut world = World::connected(Config::default());
    // The ping was in transit before the server set the cursor.
    world.replay(&log, 1, 3);
    world.pong_with(json!([]));
    // An unsolicited pong does not show when the server wrote it.
    world.receive(&message("pong", &json!({"heads": []})));
    assert_eq!((world.count_sent("subscribe_campaign"), world.requests()), (1, 1));
}
