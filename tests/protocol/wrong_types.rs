//! Wrong types in every field of every message and event.

use campaign_sync::sync::Verdict;
use serde_json::{Value, json};

use crate::bad_input::Steady;
use crate::wire::{self, CAMPAIGN, EPOCH, Log, message, rows};
use crate::world::wire_head;

/// Collects the path of every place in a value.
fn places(value: &Value, path: &str, found: &mut Vec<String>) {
    found.push(path.to_owned());
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| places(value, &format!("{path}/{key}"), found));
        }
        Value::Array(list) => {
            let list = list.iter().take(2).enumerate();
            list.for_each(|(index, value)| places(value, &format!("{path}/{index}"), found));
        }
        _ => {}
    }
}

fn wrong_types() -> [Value; 9] {
    [
        Value::Null,
        json!(true),
        json!(-1),
        json!(0.5),
        json!(1e300),
        json!(""),
        json!("x"),
        json!([[]]),
        json!({"a": {}}),
    ]
}

#[test]
fn wrong_type_in_any_control_message_field_changes_nothing() {
    let snapshot = wire::Snapshot::new(EPOCH, 4, "r", rows(2));
    let digest = json!({"campaignId": CAMPAIGN, "requestId": "r", "epoch": EPOCH,
        "sequenceNumber": 4, "buckets": wire::buckets(&rows(3))});
    let parse = |text: String| serde_json::from_str::<Value>(&text).expect("JSON");
    let messages = [
        parse(wire::ack()),
        parse(wire::recovery("current", EPOCH, "r", 5, 4)),
        parse(snapshot.parts().remove(0)),
        parse(message("campaign.digest", &digest)),
        parse(message("pong", &json!({"timestamp": 1, "heads": [wire_head(EPOCH, 4, 4)]}))),
        parse(message("error", &json!({"code": "internal", "message": "", "requestId": "r"}))),
    ];
    for original in messages {
        let mut found = Vec::new();
        places(&original, "", &mut found);
        for place in found {
            let mut steady = Steady::new();
            for wrong in wrong_types() {
                let mut spoiled = original.clone();
                *spoiled.pointer_mut(&place).expect("the place is there") = wrong;
                let verdict = steady.world.receive(&spoiled.to_string());
                match verdict {
                    Verdict::Refused(_) | Verdict::Ignored | Verdict::Control => {}
                    Verdict::Unsubscribed => assert!(place.ends_with("campaignId"), "{spoiled}"),
                    other => panic!("{other:?}: {spoiled}"),
                }
            }
            steady.stands();
        }
    }
}

// R10.2, R10.6
#[test]
fn wrong_type_in_any_event_field_is_rejected_or_harmless() {
    let mut checkpoint = wire::transition("domain_generation", "dns_validation", "ready", &rows(3));
    checkpoint["rollbackData"] = json!({"phase": "setup", "status": "ready", "totalDomainCount": 1,
        "counters": {"totalItems": 1, "processedItems": 1, "successfulItems": 1, "failedItems": 0}});
    let record = wire::record("analysis", "ready", 3);
    let events = [
        ("campaign.phase.transition", checkpoint),
        (
            "campaign.list.update",
            json!({"campaignId": CAMPAIGN, "action": "update", "campaign": record}),
        ),
        (
            "campaign.progress",
            json!({"campaignId": CAMPAIGN, "currentPhase": "setup",
            "phaseStatus": "ready", "totalItems": 1, "processedItems": 1, "successfulItems": 1,
            "failedItems": 0, "progressPercent": 5}),
        ),
        (
            "campaign.status",
            json!({"campaignId": CAMPAIGN, "phaseStatus": "ready", "message": "m"}),
        ),
        (
            "domain.generated",
            json!({"campaignId": CAMPAIGN, "domainId": "d-9", "domain": "n",
            "offset": 9, "batchSize": 1, "totalGenerated": 1}),
        ),
        (
            "http.validation.result",
            json!({"campaignId": CAMPAIGN, "domainId": "d-1", "domain": "n",
            "validationStatus": "ok", "httpStatus": 200, "attempts": 1}),
        ),
        (
            "domains.updated",
            json!({"campaignId": CAMPAIGN, "domains": [{"domainId": "d-1",
            "dnsStatus": "ok", "httpStatusCode": 200, "leadStatus": "m", "leadScore": 1}]}),
        ),
        ("domains.removed", json!({"campaignId": CAMPAIGN, "domainIds": ["d-1"]})),
        ("system.notification", json!({"campaignId": CAMPAIGN, "level": "info", "message": "m"})),
    ];
    for (kind, original) in events {
        let mut found = Vec::new();
        places(&original, "", &mut found);
        for (place, wrong) in found.iter().flat_map(|place| wrong_types().map(|it| (place, it))) {
            let mut spoiled = original.clone();
            *spoiled.pointer_mut(place).expect("the place is there") = wrong;
            let mut steady = Steady::new();
            let mut event = steady.log.next(kind, &Value::Null);
            event.data = spoiled.to_string();
            let before = (steady.world.view()["campaign"].clone(), steady.world.rows());
            match steady.world.receive(&event.document()) {
                Verdict::Applied => {}
                Verdict::Rejected | Verdict::Divergence => {
                    let after = (steady.world.view()["campaign"].clone(), steady.world.rows());
                    assert_eq!((steady.world.position(), after), (4, before), "{spoiled}");
                    steady.world.answer_snapshot(EPOCH, 5, rows(3));
                }
                other => panic!("{other:?}: {spoiled}"),
            }
            let mut log = Log::with_rows(4);
            let mut good = log.update(json!([{"domainId": "d-2", "dnsStatus": "ok"}]));
            good.previous = steady.world.view()["position"]["eventId"].as_str().map(str::to_owned);
            assert_eq!(
                steady.world.receive(&good.document()),
                Verdict::Applied,
                "{kind} {spoiled}"
            );
        }
    }
}
