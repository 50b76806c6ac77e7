//! Transition rules: phase, status and counters change together, rows stay, refusals change
//! nothing.

use campaign_sync::protocol::Code;
use campaign_sync::sync::Verdict;
use serde_json::{Value, json};

use crate::wire::{CAMPAIGN, EPOCH, Log, Row, TIMESTAMP, record, rows, transition};
use crate::world::World;

fn followed(count: u64) -> (World, Log) {
    let log = Log::with_rows(count);
    (World::following(&log), log)
}

fn transit(world: &mut World, log: &mut Log, data: &Value) -> Verdict {
    world.receive(&log.push("campaign.phase.transition", data).document())
}

// R10.15
#[test]
fn a_transition_changes_phase_status_and_counters_in_one_step() {
    let (mut world, mut log) = followed(3);
    let data = transition("domain_generation", "dns_validation", "in_progress", &rows(3));
    assert_eq!(transit(&mut world, &mut log, &data), Verdict::Applied);
    let view = world.view();
    let campaign = &view["campaign"];
    assert_eq!(campaign["currentPhase"], "dns_validation");
    assert_eq!(campaign["phaseStatus"], "in_progress");
    assert_eq!((&campaign["totalItems"], &campaign["processedItems"]), (&40.into(), &10.into()));
    assert_eq!(view["lastTransition"]["triggerReason"], "configured");
    assert_eq!(view["lastTransition"]["estimatedDuration"], 90);
    assert_eq!(view["lastTransition"]["sequenceNumber"], 5);
    assert_eq!(world.metrics().consistency_checks_passed, 1, "each transition proves the rows");
}

// R10.17
#[test]
fn every_row_stays_through_every_transition() {
    let (mut world, mut log) = followed(25);
    let before = world.rows();
    let phases = ["domain_generation", "dns_validation", "http_keyword_validation", "analysis"];
    for step in phases.windows(2) {
        let data = transition(step[0], step[1], "not_started", &rows(25));
        assert_eq!(transit(&mut world, &mut log, &data), Verdict::Applied);
        assert_eq!(world.rows(), before, "in {}", step[1]);
        assert_eq!(world.view()["totalDomainCount"], 25);
    }
}

// R16.13
#[test]
fn cache_is_invalidated_before_the_phase_is_notified() {
    let (mut world, mut log) = followed(1);
    let data = transition("domain_generation", "dns_validation", "not_started", &rows(1));
    transit(&mut world, &mut log, &data);
    assert_eq!(world.kinds(), ["cacheinvalidated", "phasetransition"]);
    let invalidated = world.notice("cacheinvalidated");
    assert_eq!(invalidated["reason"], "phase_transition");
    assert_eq!(invalidated["newPhase"], "dns_validation");
    assert_eq!((&invalidated["epoch"], &invalidated["sequenceNumber"]), (&EPOCH.into(), &3.into()));
    assert_eq!(
        world.notice("phasetransition"),
        json!({"campaignId": CAMPAIGN, "previousPhase": "domain_generation",
            "newPhase": "dns_validation", "newStatus": "not_started", "timestamp": TIMESTAMP,
            "transitionType": "manual", "triggerReason": "configured", "estimatedDuration": 90,
            "epoch": EPOCH, "sequenceNumber": 3, "recovered": false, "initial": false})
    );
}

#[test]
fn phase_changed_by_another_event_is_notified_with_its_time() {
    let (mut world, mut log) = followed(1);
    let campaign = record("dns_validation", "ready", 1);
    let data = json!({"action": "update", "campaignId": CAMPAIGN, "campaign": campaign});
    world.receive(&log.push("campaign.list.update", &data).document());
    let notice = world.notice("phasetransition");
    assert_eq!(
        (&notice["newPhase"], &notice["newStatus"]),
        (&"dns_validation".into(), &"ready".into())
    );
    assert_eq!((&notice["timestamp"], &notice["transitionType"]), (&TIMESTAMP.into(), &"".into()));
}

// R10.12, R10.13
#[test]
fn a_refused_transition_changes_nothing_and_shows_a_coded_error() {
    for (flag, code) in [
        ("dataIntegrityCheck", Code::IntegrityCheckFailed),
        ("prerequisitesMet", Code::PrerequisitesNotMet),
    ] {
        let (mut world, mut log) = followed(3);
        let before = world.view();
        let mut data = transition("domain_generation", "dns_validation", "in_progress", &rows(3));
        data[flag] = false.into();
        assert_eq!(transit(&mut world, &mut log, &data), Verdict::Applied);
        let after = world.view();
        assert_eq!(after["error"]["code"], code.as_str());
        for part in ["campaign", "lastTransition", "domainsDigest", "totalDomainCount"] {
            assert_eq!(after[part], before[part]);
        }
        assert_eq!(world.kinds(), ["transitionrefused"]);
        assert_eq!(world.notice("transitionrefused")["newPhase"], "dns_validation");
    }
}

// R10.13
#[test]
fn a_refusal_clears_at_the_next_accepted_transition() {
    let (mut world, mut log) = followed(2);
    let mut refused = transition("domain_generation", "dns_validation", "in_progress", &rows(2));
    refused["prerequisitesMet"] = false.into();
    transit(&mut world, &mut log, &refused);
    let accepted = transition("domain_generation", "dns_validation", "in_progress", &rows(2));
    transit(&mut world, &mut log, &accepted);
    assert_eq!(world.view()["error"], Value::Null);
}

// R10.13
#[test]
fn a_refusal_clears_at_an_equal_digest() {
    let (mut world, mut log) = followed(2);
    let mut refused = transition("domain_generation", "dns_validation", "in_progress", &rows(2));
    refused["dataIntegrityCheck"] = false.into();
    transit(&mut world, &mut log, &refused);
    let mut head = crate::world::wire_head(EPOCH, 4, 4);
    head["domainsCount"] = 2.into();
    world.pong_with(json!([head]));
    assert_ne!(world.view()["error"], Value::Null, "a count alone is no proof");
    head["domainsDigest"] = crate::wire::digest(&rows(2)).into();
    world.pong_with(json!([head]));
    assert_eq!(world.view()["error"], Value::Null);
}

// R13.13
#[test]
fn transition_from_another_phase_is_divergence() {
    let (mut world, mut log) = followed(2);
    let data = transition("dns_validation", "http_keyword_validation", "in_progress", &rows(2));
    assert_eq!(transit(&mut world, &mut log, &data), Verdict::Divergence);
    assert_eq!(world.notice("divergence")["kind"], "previous_phase");
    assert_eq!((world.position(), &world.request()["prefer"]), (3, &"snapshot".into()));
    assert_eq!(world.view()["campaign"]["currentPhase"], "domain_generation");
}

// R10.15
#[test]
fn the_domain_count_takes_the_maximum_in_a_transition() {
    let (mut world, mut log) = followed(4);
    let mut data = transition("domain_generation", "dns_validation", "in_progress", &rows(4));
    data["campaign"]["totalDomainCount"] = 1.into();
    transit(&mut world, &mut log, &data);
    assert_eq!(world.view()["totalDomainCount"], 4);
    let mut data = transition("dns_validation", "http_keyword_validation", "ready", &rows(4));
    data["campaign"]["totalDomainCount"] = 9.into();
    transit(&mut world, &mut log, &data);
    assert_eq!(world.view()["totalDomainCount"], 9);
}

#[test]
fn a_snapshot_sets_the_domain_count() {
    let (mut world, log) = followed(4);
    world.reconnect();
    world.answer_snapshot(EPOCH, log.head() + 2, rows(2));
    assert_eq!((&world.view()["totalDomainCount"], world.rows().len()), (&2.into(), 2));
}

// R10.16
#[test]
fn error_recovery_restores_its_rollback_data_and_no_rows() {
    let (mut world, mut log) = followed(3);
    let data = transition("domain_generation", "dns_validation", "in_progress", &rows(3));
    transit(&mut world, &mut log, &data);
    let mut back = transition("dns_validation", "domain_generation", "completed", &rows(3));
    back["transitionType"] = "error_recovery".into();
    back["rollbackData"] = json!({"phase": "domain_generation", "status": "completed",
        "counters": {"totalItems": 3, "processedItems": 3, "successfulItems": 3, "failedItems": 0},
        "totalDomainCount": 3});
    assert_eq!(transit(&mut world, &mut log, &back), Verdict::Applied);
    let view = world.view();
    assert_eq!(view["campaign"]["currentPhase"], "domain_generation");
    assert_eq!(view["campaign"]["phaseStatus"], "completed");
    assert_eq!(view["campaign"]["processedItems"], 3);
    assert_eq!(view["campaign"]["progressPercentage"], 100.0);
    assert_eq!((&view["totalDomainCount"], world.rows().len()), (&3.into(), 3));
    assert_eq!(world.notice("phasetransition")["transitionType"], "error_recovery");
}

// R10.16
#[test]
fn rollback_data_counts_in_an_error_recovery_only() {
    let (mut world, mut log) = followed(1);
    let mut data = transition("domain_generation", "dns_validation", "in_progress", &rows(1));
    data["rollbackData"] = json!({"phase": "setup", "status": "failed", "counters": {},
        "totalDomainCount": 0});
    transit(&mut world, &mut log, &data);
    assert_eq!(world.view()["campaign"]["currentPhase"], "dns_validation");
}

// R10.14
#[test]
fn a_record_that_contradicts_its_own_transition_is_rejected() {
    let (mut world, mut log) = followed(1);
    let mut data = transition("domain_generation", "dns_validation", "in_progress", &rows(1));
    data["campaign"] = record("analysis", "in_progress", 1);
    assert_eq!(transit(&mut world, &mut log, &data), Verdict::Rejected);
    assert_eq!(world.view()["campaign"]["currentPhase"], "domain_generation");
}

#[test]
fn progress_of_another_phase_changes_nothing() {
    let (mut world, mut log) = followed(1);
    let before = world.view();
    let progress = |phase: &str| {
        json!({"campaignId": CAMPAIGN, "currentPhase": phase, "phaseStatus": "completed",
            "totalItems": 7, "processedItems": 0, "successfulItems": 0, "failedItems": 0,
            "progressPercent": 0.0})
    };
    let late = log.push("campaign.progress", &progress("setup"));
    assert_eq!(world.receive(&late.document()), Verdict::Applied);
    assert_eq!(world.view()["campaign"], before["campaign"]);
    let ours = log.push("campaign.progress", &progress("domain_generation"));
    assert_eq!(world.receive(&ours.document()), Verdict::Applied);
    let campaign = &world.view()["campaign"];
    assert_eq!(campaign["phaseStatus"], "completed");
    assert_eq!((&campaign["totalItems"], &campaign["processedItems"]), (&7.into(), &0.into()));
    assert_eq!(campaign["progressPercentage"], 0.0, "a true zero is a value");
}

#[test]
fn a_status_shows_its_message_while_it_is_failed() {
    let (mut world, mut log) = followed(1);
    let status = |status: &str, message: &str| json!({"campaignId": CAMPAIGN, "phaseStatus": status, "message": message});
    let failed = log.push("campaign.status", &status("failed", "no resolver"));
    world.receive(&failed.document());
    assert_eq!(world.view()["campaign"]["errorMessage"], "no resolver");
    let resumed = log.push("campaign.status", &status("in_progress", "again"));
    world.receive(&resumed.document());
    assert_eq!(world.view()["campaign"]["errorMessage"], Value::Null);
}

#[test]
fn a_status_of_another_phase_changes_nothing() {
    let (mut world, mut log) = followed(1);
    let status = |phase: &str| json!({"campaignId": CAMPAIGN, "currentPhase": phase, "phaseStatus": "paused"});
    let before = world.view();
    world.receive(&log.push("campaign.status", &status("setup")).document());
    assert_eq!(world.view()["campaign"], before["campaign"]);
    world.receive(&log.push("campaign.status", &status("domain_generation")).document());
    assert_eq!(world.view()["campaign"]["phaseStatus"], "paused");
}

// R10.11, R10.14
#[test]
fn transition_without_a_record_sets_phase_status_and_counters() {
    let (mut world, mut log) = followed(3);
    let mut data = transition("domain_generation", "dns_validation", "in_progress", &rows(3));
    data["campaign"] = Value::Null;
    for (count, value) in [("processedCount", 2), ("successfulCount", 1), ("failedItems", 1)] {
        data[count] = value.into();
    }
    assert_eq!(transit(&mut world, &mut log, &data), Verdict::Applied);
    let campaign = &world.view()["campaign"];
    assert_eq!(campaign["name"], "Spring", "what it does not speak of stays");
    assert_eq!(
        [&campaign["currentPhase"], &campaign["phaseStatus"]],
        ["dns_validation", "in_progress"]
    );
    let counts = ["totalItems", "processedItems", "successfulItems", "failedItems"];
    assert_eq!(counts.map(|count| campaign[count].clone()), [3, 2, 1, 1]);
    assert_eq!(world.view()["totalDomainCount"], 3);
}

#[test]
fn phase_from_a_snapshot_is_notified_as_a_transition() {
    let (mut world, log) = followed(2);
    world.reconnect();
    world.notices.clear();
    let mut snapshot =
        crate::wire::Snapshot::new(EPOCH, log.head() + 5, &world.request_id(), rows(2));
    snapshot.record = record("dns_validation", "in_progress", 2);
    world.answer("snapshot", EPOCH, log.head() + 6, log.head() + 5);
    snapshot.parts().iter().for_each(|part| {
        world.receive(part);
    });
    let kinds = world.kinds();
    let at = |kind: &str| kinds.iter().position(|it| *it == kind).expect(kind);
    assert!(at("cacheinvalidated") < at("phasetransition"), "{kinds:?}");
    let phase = world.notice("phasetransition");
    assert_eq!(
        (&phase["transitionType"], &phase["newPhase"]),
        (&"snapshot".into(), &"dns_validation".into())
    );
}

#[test]
fn transition_from_a_replay_is_notified_as_recovered() {
    let (mut world, mut log) = followed(2);
    let data = transition("domain_generation", "dns_validation", "in_progress", &rows(2));
    log.push("campaign.phase.transition", &data);
    world.reconnect();
    world.replay(&log, 4, 4);
    assert_eq!(world.notice("phasetransition")["recovered"], true);
}

// R10.5
#[test]
fn removed_rows_disappear_and_unknown_ids_are_ignored() {
    let (mut world, mut log) = followed(3);
    let data = json!({"campaignId": CAMPAIGN, "domainIds": ["d-1", "nobody"]});
    world.receive(&log.push("domains.removed", &data).document());
    let ids: Vec<_> = world.rows().iter().map(|row| row["domainId"].clone()).collect();
    assert_eq!(ids, ["d-0", "d-2"]);
    let left = [Row::generated(0), Row::generated(2)];
    assert_eq!(world.view()["domainsDigest"], crate::wire::digest(&left));
    assert_eq!(world.view()["totalDomainCount"], 2);
}

#[test]
fn columns_absent_from_an_update_stay_and_null_ones_are_cleared() {
    let (mut world, mut log) = followed(1);
    let full = json!([{"domainId": "d-0", "dnsStatus": "ok", "httpStatus": "ok",
        "httpStatusCode": 200, "leadStatus": "match", "leadScore": 0.5}]);
    world.receive(&log.update(full).document());
    let cleared = json!([{"domainId": "d-0", "httpStatusCode": null, "leadScore": null}]);
    world.receive(&log.update(cleared).document());
    let row = &world.rows()[0];
    assert_eq!((&row["dnsStatus"], &row["leadStatus"]), (&"ok".into(), &"match".into()));
    assert_eq!((&row["httpStatusCode"], &row["leadScore"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_row_may_be_created_and_changed_in_one_event() {
    let (mut world, mut log) = followed(1);
    let both = json!([Row::generated(1).json(), {"domainId": "d-1", "dnsStatus": "ok"}]);
    assert_eq!(world.receive(&log.update(both).document()), Verdict::Applied);
    assert_eq!((world.rows().len(), &world.rows()[1]["dnsStatus"]), (2, &"ok".into()));
}

// R10.2
#[test]
fn change_of_an_unknown_row_rejects_the_whole_event() {
    let (mut world, mut log) = followed(1);
    let before = world.view();
    let other = json!([Row::generated(1).json(), {"domainId": "d-2", "dnsStatus": "ok"}]);
    assert_eq!(world.receive(&log.update(other).document()), Verdict::Rejected);
    assert_eq!((world.rows().len(), &world.view()["domainsDigest"]), (1, &before["domainsDigest"]));
}

// R10.8
#[test]
fn deleted_campaign_ends_permanently() {
    let (mut world, mut log) = followed(2);
    let deleted = log.push("campaign.deleted", &json!({"campaignId": CAMPAIGN}));
    assert_eq!(world.receive(&deleted.document()), Verdict::Applied);
    assert_eq!((&*world.status(), &world.notice("ended")["reason"]), ("ended", &"deleted".into()));
    assert_eq!(world.receive(&log.generate(2).document()), Verdict::Ignored);
    world.clear();
    world.reconnect();
    assert_eq!((&*world.status(), world.requests()), ("ended", 0));
}
