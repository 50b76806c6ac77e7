//! Values that cross to JavaScript: plain objects, camelCase and numbers. A missing value is `null`; an
//! optional member is left out.

use serde_json::{Value, json};
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::wire::{self, CAMPAIGN, EPOCH, Log, Row, TIMESTAMP};
use crate::world::{World, plain};

/// A log with three rows, one of them resolved, and a transition to the next phase; and the rows.
fn moved_on() -> (Log, Vec<Row>) {
    let mut log = Log::with_rows(3);
    log.update(json!([{"domainId": "d-1", "dnsStatus": "resolved"}]));
    let mut rows = wire::rows(3);
    rows[1].dns = Some("resolved");
    let data = wire::transition("domain_generation", "dns_validation", "ready", &rows);
    log.push("campaign.phase.transition", &data);
    (log, rows)
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("it is an object").keys().map(String::as_str).collect()
}

#[test]
fn unretained_campaign_has_no_view() {
    let world = World::manual();
    assert!(world.client.view(CAMPAIGN).expect("it is open").is_undefined());
    assert_eq!(world.status(), "idle");
}

#[test]
fn view_without_state_has_nulls() {
    let world = World::manual();
    world.client.retain(CAMPAIGN).expect("it is open");
    assert_eq!(
        world.view(),
        json!({"campaignId": CAMPAIGN, "status": "idle", "provenAt": null, "position": null, "campaign": null,
            "totalDomainCount": 0, "domainsCount": 0,
            "domainsDigest": "0000000000000000", "unconfirmedCount": 0,
            "counts": {"dns": {}, "http": {}, "lead": {}}, "lastTransition": null, "error": null, "loading": null})
    );
}

#[test]
fn a_view_is_a_plain_object_with_everything_in_it() {
    let (log, rows) = moved_on();
    let world = World::following(&log);
    let mut view = world.view();
    assert!(view["provenAt"].take().is_i64(), "a time of the wall clock");
    assert_eq!(
        view,
        json!({
            "campaignId": CAMPAIGN, "status": "live", "provenAt": null,
            "position": {"epoch": EPOCH, "sequenceNumber": 6, "eventId": "epoch-a-event-6"},
            "campaign": {"name": "Spring", "currentPhase": "dns_validation",
                "phaseStatus": "ready", "totalItems": 40, "processedItems": 10,
                "successfulItems": 8, "failedItems": 2, "progressPercentage": 25,
                "createdAt": TIMESTAMP, "updatedAt": TIMESTAMP},
            "totalDomainCount": 3, "domainsCount": 3, "domainsDigest": wire::digest(&rows),
            "unconfirmedCount": 0,
            "counts": {"dns": {"resolved": 1}, "http": {}, "lead": {}},
            "lastTransition": {"previousPhase": "domain_generation",
                "newPhase": "dns_validation", "newStatus": "ready", "transitionType": "manual",
                "triggerReason": "configured", "estimatedDuration": 90, "timestamp": TIMESTAMP,
                "sequenceNumber": 6},
            "error": null, "loading": null,
        })
    );
}

#[test]
fn every_view_is_a_fresh_object() {
    let world = World::following(&Log::with_rows(1));
    let view = || world.client.view(CAMPAIGN).expect("it is open");
    assert!(!js_sys::Object::is(&view(), &view()));
    let prototype = js_sys::Object::get_prototype_of(&view());
    assert!(js_sys::Object::is(&prototype, &js_sys::eval("Object.prototype").expect("it runs")));
}

#[test]
fn changes_are_signalled_once_until_taken() {
    let mut log = Log::with_rows(1);
    let world = World::following(&log);
    assert_eq!(world.client.take_changes().expect("it is open"), [CAMPAIGN]);
    world.receive(&log.generate(1).document());
    world.receive(&log.generate(2).document());
    assert_eq!(world.host.calls("changed").len(), 1);
    assert_eq!(world.client.take_changes().expect("it is open"), [CAMPAIGN]);
    assert!(world.client.take_changes().expect("it is open").is_empty());
    world.receive(&log.generate(3).document());
    assert_eq!(world.host.calls("changed").len(), 2);
}

#[test]
fn rows_are_plain_objects_whose_absent_columns_are_null() {
    let mut log = Log::with_rows(2);
    log.update(json!([{"domainId": "d-1", "httpStatus": "valid", "httpStatusCode": 200,
        "leadStatus": "match", "leadScore": 0.25}]));
    let world = World::following(&log);
    let empty = json!({"domainId": "d-0", "domain": "name0.example", "offset": 0,
        "dnsStatus": null, "httpStatus": null, "httpStatusCode": null, "leadStatus": null,
        "leadScore": null, "unconfirmed": false});
    let full = json!({"domainId": "d-1", "domain": "name1.example", "offset": 1,
        "dnsStatus": null, "httpStatus": "valid", "httpStatusCode": 200, "leadStatus": "match",
        "leadScore": 0.25, "unconfirmed": false});
    assert_eq!(world.domains(&json!({})), json!({"total": 2, "rows": [empty, full]}));
    let by_default = world.client.domains(CAMPAIGN, &wasm_bindgen::JsValue::UNDEFINED);
    assert_eq!(plain(&by_default.expect("a query may be absent"))["total"], 2);
}

#[test]
fn rows_are_filtered_sorted_and_paged() {
    let mut log = Log::with_rows(12);
    log.update(json!([
        {"domainId": "d-3", "dnsStatus": "resolved", "httpStatus": "valid", "leadScore": 2},
        {"domainId": "d-7", "dnsStatus": "resolved", "httpStatus": "invalid", "leadScore": 9},
        {"domainId": "d-9", "dnsStatus": "unresolved", "leadStatus": "match", "leadScore": 5},
    ]));
    let world = World::following(&log);
    let cases = [
        (json!({"dnsStatus": "resolved"}), 2, vec![3, 7]),
        (json!({"dnsStatus": "resolved", "httpStatus": "valid"}), 1, vec![3]),
        (json!({"leadStatus": "match"}), 1, vec![9]),
        (json!({"dnsStatus": "never heard of"}), 0, vec![]),
        (json!({"search": "NAME1"}), 3, vec![1, 10, 11]),
        (json!({"offset": 10}), 12, vec![10, 11]),
        (json!({"offset": 2, "limit": 2, "sortOrder": "desc"}), 12, vec![9, 8]),
        (json!({"offset": 99}), 12, vec![]),
        (json!({"limit": 0}), 12, vec![]),
        (json!({"sortBy": "domain", "limit": 3}), 12, vec![0, 1, 10]),
        (json!({"sortBy": "leadScore", "sortOrder": "desc", "limit": 3}), 12, vec![7, 9, 3]),
        (json!({"sortBy": "dnsStatus", "sortOrder": "desc", "limit": 1}), 12, vec![9]),
        (json!({"sortBy": "httpStatus", "sortOrder": "desc", "limit": 1}), 12, vec![3]),
        (json!({"search": null, "sortBy": null, "limit": 1}), 12, vec![0]),
    ];
    for (query, total, offsets) in cases {
        let page = world.domains(&query);
        let rows = page["rows"].as_array().expect("a page has rows").iter();
        let shown: Vec<_> = rows.map(|row| row["offset"].as_i64().expect("it has one")).collect();
        assert_eq!((&page["total"], shown), (&json!(total), offsets), "{query}");
    }
}

#[test]
fn page_has_100_rows_by_default_and_at_most_1000() {
    let world = World::following(&Log::with_rows(1_100));
    let shown = |query: Value| {
        let page = world.domains(&query);
        assert_eq!(page["total"], 1_100);
        page["rows"].as_array().expect("a page has rows").len()
    };
    assert_eq!((shown(json!({})), shown(json!({"limit": 5_000}))), (100, 1_000));
}

#[test]
fn metrics_are_plain_numbers() {
    let (log, _) = moved_on();
    let world = World::following(&log);
    world.receive("no JSON");
    world.receive(&log.document(6));
    let metrics = world.metrics();
    let mut names = [
        "framesReceived",
        "bytesReceived",
        "documents",
        "applied",
        "duplicates",
        "redelivered",
        "outOfOrder",
        "corrupt",
        "gaps",
        "held",
        "heldOverflows",
        "refused",
        "unknownTypes",
        "unknownMembers",
        "unsubscribed",
        "retiredEpoch",
        "foreignEpoch",
        "divergences",
        "recoveryRequests",
        "recoveries",
        "snapshots",
        "catalogueSnapshots",
        "catalogueChanges",
        "retries",
        "consistencyChecksPassed",
        "consistencyChecksFailed",
        "repairs",
        "connects",
        "disconnects",
        "recoveryMs",
        "rttMs",
        "eventAgeMs",
    ];
    names.sort_unstable();
    assert_eq!(keys(&metrics), names);
    assert_eq!((&metrics["applied"], &metrics["duplicates"]), (&json!(6), &json!(1)));
    assert_eq!(metrics["refused"], json!({"invalid_json": 1}));
    let reasons = ["connect", "divergence", "gap", "hash", "reconnect", "rejected", "tail"];
    assert_eq!(keys(&metrics["recoveryRequests"]), reasons);
    assert_eq!(metrics["recoveryRequests"]["connect"], 1);
    assert_eq!(metrics["recoveryMs"], json!({"count": 1, "sum": 0, "max": 0, "buckets": [[1, 1]]}));
    let is_plain = |value: &Value| value.is_number() || value.is_object();
    assert!(metrics.as_object().expect("an object").values().all(is_plain));
}

#[test]
fn diagnostics_include_everything_but_rows_and_secrets() {
    let world = World::opening(&json!({"hasToken": true}));
    world.client.connect().expect("it is open");
    let ticket = world.host.calls("requestToken")[0][0].as_f64().expect("a ticket is a number");
    world.client.provide_token(ticket, Some("secret")).expect("it is open");
    world.follow(&Log::with_rows(2));
    let info = plain(&world.client.diagnostics().expect("it is open"));
    assert_eq!(info["connection"], "open");
    assert_eq!(info["campaigns"][0], world.view());
    assert_eq!(info["metrics"], world.metrics());
    assert!(info["wakeInMs"].as_u64().is_some_and(|ms| ms <= 5_000));
    let info = info.to_string();
    assert!(!info.contains("secret") && !info.contains("name0.example"), "{info}");
}

#[test]
fn details_of_events_are_plain_objects() {
    let (mut log, rows) = moved_on();
    let world = World::following(&log);
    let mut data = wire::transition("dns_validation", "http_keyword_validation", "ready", &rows);
    data["triggerReason"] = json!(null);
    world.receive(&log.push("campaign.phase.transition", &data).document());
    let moved = json!({"campaignId": CAMPAIGN, "previousPhase": "dns_validation",
        "newPhase": "http_keyword_validation", "newStatus": "ready", "timestamp": TIMESTAMP,
        "transitionType": "manual", "estimatedDuration": 90, "epoch": EPOCH,
        "sequenceNumber": 7, "recovered": false, "initial": false, "campaignName": "Spring"});
    assert_eq!(world.host.details("phasetransition"), [moved]);
    let invalidated = json!({"campaignId": CAMPAIGN, "reason": "phase_transition",
        "newPhase": "http_keyword_validation", "epoch": EPOCH, "sequenceNumber": 7,
        "campaignName": "Spring"});
    assert_eq!(world.host.details("cacheinvalidated"), [invalidated]);
}

#[test]
fn refused_transition_is_notified_and_shown() {
    let (mut log, rows) = moved_on();
    let world = World::following(&log);
    let mut data = wire::transition("dns_validation", "http_keyword_validation", "ready", &rows);
    data["dataIntegrityCheck"] = json!(false);
    world.receive(&log.push("campaign.phase.transition", &data).document());
    let view = world.view();
    assert_eq!(view["campaign"]["currentPhase"], "dns_validation");
    assert_eq!(view["error"]["code"], "integrity_check_failed");
    let refused = world.host.details("transitionrefused");
    assert_eq!(refused[0]["code"], "integrity_check_failed");
}
