//! Clients that exceed their limits.

use campaign_sync::protocol::CampaignId;
use campaign_sync::protocol::campaign::CampaignRecord;
use campaign_sync_harness::campaign::drafts;
use campaign_sync_harness::log::Settings;
use campaign_sync_harness::session::Step;
use campaign_sync_harness::session::limits::Delivery;
use serde_json::json;

use super::core::{Room, at_zero, kind};
use super::log::NOW;
use super::support::parse;

#[test]
fn recovery_requests_beyond_the_rate_get_a_retry_time() {
    let mut room = Room::subscribed(3);
    let burst = 4 * Delivery::default().recoveries_per_second;
    let ask = |room: &mut Room, name: &str| {
        room.recover(json!({"campaignId": "c1", "lastSequenceNumber": 3, "requestId": name}));
        parse(&room.hear()[0])
    };
    for _ in 0..burst {
        assert_eq!(ask(&mut room, "r")["data"]["outcome"], "current");
    }
    let refused = ask(&mut room, "too many");
    assert_eq!(refused["type"], "error");
    let data = &refused["data"];
    assert_eq!(
        (&data["code"], &data["requestId"], &data["campaignId"]),
        (&json!("rate_limited"), &json!("too many"), &json!("c1"))
    );
    room.now_ms += data["retryAfterMs"].as_u64().unwrap() - 1;
    assert_eq!(ask(&mut room, "too early")["type"], "error");
    room.now_ms += 1;
    assert_eq!(ask(&mut room, "in time")["data"]["outcome"], "current");
}

#[test]
fn digest_and_snapshot_requests_count_as_recovery_requests() {
    let mut room = Room::subscribed(3);
    let questions = [
        json!({"type": "request_campaign_digest", "payload":
            {"campaignId": "c1", "requestId": "q"}}),
        json!({"type": "request_campaign_snapshot", "payload":
            {"campaignId": "c1", "requestId": "q", "buckets": [1]}}),
    ];
    room.recover(at_zero());
    room.hear();
    for asked in 1..4 * Delivery::default().recoveries_per_second {
        room.say(questions[asked as usize % 2].clone());
        assert!(kind(&room.hear()[0]).starts_with("campaign."), "{asked}");
    }
    for question in questions {
        room.say(question);
        let refused = parse(&room.hear()[0])["data"].clone();
        assert_eq!(
            (&refused["code"], &refused["requestId"]),
            (&json!("rate_limited"), &json!("q"))
        );
    }
    room.recover(json!({"campaignId": "c1", "lastSequenceNumber": 3}));
    assert_eq!(kind(&room.hear()[0]), "error");
}

#[test]
fn rate_limit_applies_across_all_campaigns_of_a_connection() {
    let mut room = Room::subscribed(1);
    let most = 10 * Delivery::default().session_recoveries_per_second;
    let each = 4 * Delivery::default().recoveries_per_second;
    let mut answered = 0;
    for campaign in (1..=most / each + 1).map(|n| format!("c{n}")) {
        let campaign = CampaignId::new(&campaign).unwrap();
        let (record, settings) = (CampaignRecord::default(), Settings::default());
        let created = drafts::record(NOW, &campaign, "create", &record, &settings);
        // One of the campaigns exists already.
        drop(room.context.hub.append(&campaign, 0, &[created]));
        room.say(json!({"type": "subscribe_campaign", "campaignId": campaign.as_str()}));
        room.hear();
        for _ in 0..each {
            room.recover(json!({"campaignId": campaign.as_str(), "lastSequenceNumber": 1}));
            answered += u32::from(kind(&room.hear()[0]) == "event_recovery");
        }
    }
    assert_eq!(answered, most);
}

#[test]
fn too_many_messages_close_with_4429() {
    let mut room = Room::subscribed(1);
    let burst = 10 * Delivery::default().messages_per_second - 2;
    for sent in 1..=burst {
        room.say(json!({"type": "ping"}));
        assert!(matches!(room.step(), Step::Frame(_)), "{sent} of {burst}");
    }
    room.say(json!({"type": "ping"}));
    assert_eq!(room.step(), Step::Close(4429, "too many requests"));
}

#[test]
fn requests_that_wait_for_their_position_are_bounded() {
    let mut room = Room::subscribed(3);
    let closed = (0..3_000).any(|step| {
        for _ in 0..if step < 30 { 60 } else { 0 } {
            room.say(json!({"type": "request_campaign_snapshot", "payload":
                {"campaignId": "c1", "requestId": "r", "buckets": [0, 0, 255]}}));
        }
        room.step() == Step::Close(4429, "too many requests")
    });
    assert!(closed, "all were kept");
}
