//! Clients that exceed their limits.

use campaign_sync::protocol::CampaignId;
use campaign_sync::protocol::campaign::CampaignRecord;
use campaign_sync_harness::campaign::drafts;
use campaign_sync_harness::log::Settings;
use campaign_sync_harness::session::Step;
use campaign_sync_harness::session::limits::Delivery;
use serde_json::json;

use super::core::{CoreFixture, at_zero, kind};
use super::log::NOW;
use super::support::parse;

#[test]
fn recovery_requests_beyond_the_rate_get_a_retry_time() {
    let mut fixture = CoreFixture::subscribed(3);
    let burst = 4 * Delivery::default().recoveries_per_second;
    let ask = |fixture: &mut CoreFixture, name: &str| {
        fixture.recover(json!({"campaignId": "c1", "lastSequenceNumber": 3, "requestId": name}));
        parse(&fixture.hear()[0])
    };
    for _ in 0..burst {
        assert_eq!(ask(&mut fixture, "r")["data"]["outcome"], "current");
    }
    let refused = ask(&mut fixture, "too many");
    assert_eq!(refused["type"], "error");
    let data = &refused["data"];
    assert_eq!(
        (&data["code"], &data["requestId"], &data["campaignId"]),
        (&json!("rate_limited"), &json!("too many"), &json!("c1"))
    );
    fixture.now_ms += data["retryAfterMs"].as_u64().unwrap() - 1;
    assert_eq!(ask(&mut fixture, "too early")["type"], "error");
    fixture.now_ms += 1;
    assert_eq!(ask(&mut fixture, "in time")["data"]["outcome"], "current");
}

#[test]
fn digest_and_snapshot_requests_count_as_recovery_requests() {
    let mut fixture = CoreFixture::subscribed(3);
    let questions = [
        json!({"type": "request_campaign_digest", "payload":
            {"campaignId": "c1", "requestId": "q"}}),
        json!({"type": "request_campaign_snapshot", "payload":
            {"campaignId": "c1", "requestId": "q", "buckets": [1]}}),
    ];
    fixture.recover(at_zero());
    fixture.hear();
    for asked in 1..4 * Delivery::default().recoveries_per_second {
        fixture.say(questions[asked as usize % 2].clone());
        assert!(kind(&fixture.hear()[0]).starts_with("campaign."), "{asked}");
    }
    for question in questions {
        fixture.say(question);
        let refused = parse(&fixture.hear()[0])["data"].clone();
        assert_eq!(
            (&refused["code"], &refused["requestId"]),
            (&json!("rate_limited"), &json!("q"))
        );
    }
    fixture.recover(json!({"campaignId": "c1", "lastSequenceNumber": 3}));
    assert_eq!(kind(&fixture.hear()[0]), "error");
}

#[test]
fn rate_limit_applies_across_all_campaigns_of_a_connection() {
    let mut fixture = CoreFixture::subscribed(1);
    let most = 10 * Delivery::default().session_recoveries_per_second;
    let each = 4 * Delivery::default().recoveries_per_second;
    let mut answered = 0;
    for campaign in (1..=most / each + 1).map(|n| format!("c{n}")) {
        let campaign = CampaignId::new(&campaign).unwrap();
        let (record, settings) = (CampaignRecord::default(), Settings::default());
        let created = drafts::record(NOW, &campaign, "create", &record, &settings);
        // One of the campaigns exists already.
        drop(fixture.context.hub.append(&campaign, 0, &[created]));
        fixture.say(json!({"type": "subscribe_campaign", "campaignId": campaign.as_str()}));
        fixture.hear();
        for _ in 0..each {
            fixture.recover(json!({"campaignId": campaign.as_str(), "lastSequenceNumber": 1}));
            answered += u32::from(kind(&fixture.hear()[0]) == "event_recovery");
        }
    }
    assert_eq!(answered, most);
}

#[test]
fn too_many_messages_close_with_4429() {
    let mut fixture = CoreFixture::subscribed(1);
    let burst = 10 * Delivery::default().messages_per_second - 2;
    for sent in 1..=burst {
        fixture.say(json!({"type": "ping"}));
        assert!(matches!(fixture.step(), Step::Frame(_)), "{sent} of {burst}");
    }
    fixture.say(json!({"type": "ping"}));
    assert_eq!(fixture.step(), Step::Close(4429, "too many requests"));
}

#[test]
fn requests_that_wait_for_their_position_are_bounded() {
    let mut fixture = CoreFixture::subscribed(3);
    let closed = (0..3_000).any(|step| {
        for _ in 0..if step < 30 { 60 } else { 0 } {
            fixture.say(json!({"type": "request_campaign_snapshot", "payload":
                {"campaignId": "c1", "requestId": "r", "buckets": [0, 0, 255]}}));
        }
        fixture.step() == Step::Close(4429, "too many requests")
    });
    assert!(closed, "all were kept");
}
