//! Spellings and member names of other servers. The client reads a phase or a status in every spelling that
//! the contract accepts. Each member has one name: content under another name is rejected, never read as zero
//! or as absent.

use campaign_sync::protocol::{Code, Phase, Status};
use campaign_sync::sync::{Config, Input, Verdict};
use serde_json::{Value, json};

use crate::rest_snapshot::{answer_text, document};
use crate::wire::{CAMPAIGN, EPOCH, Log, Snapshot, message, record, rows, transition};
use crate::world::{World, id};

/// Every phase with all its spellings, the spelling of the contract first.
const PHASES: [&[&str]; 8] = [
    &["setup", "Idle", "idle"],
    &["domain_generation", "generation", "DomainGeneration"],
    &["dns_validation", "DNSValidation", "dns_validation_validation"],
    &[
        "http_keyword_validation",
        "http_validation",
        "HTTPValidation",
        "http_keyword_validation_validation",
        "http_validation_validation",
    ],
    &["extraction"],
    &["enrichment"],
    &["analysis", "lead_generation", "LeadGeneration"],
    &["cleanup"],
];

/// Every status with all its spellings, the spelling of the contract first.
const STATUSES: [&[&str]; 8] = [
    &["not_started", "pending", "Pending", "queued"],
    &["ready"],
    &["configured"],
    &["in_progress", "running", "InProgress", "generating", "validating"],
    &["paused", "pausing", "Paused"],
    &["completed", "archived", "Succeeded", "succeeded", "Completed"],
    &["failed", "cancelled", "Failed"],
    &["skipped"],
];

/// A client that follows a log of three rows.
fn followed() -> (World, Log) {
    let log = Log::with_rows(3);
    (World::following(&log), log)
}

fn shown(world: &World) -> (Value, Value) {
    let campaign = &world.view()["campaign"];
    (campaign["currentPhase"].clone(), campaign["phaseStatus"].clone())
}

fn words(phase: &str, status: &str) -> (Value, Value) {
    (phase.into(), status.into())
}

fn progress(phase: &str, status: &str) -> Value {
    json!({"campaignId": CAMPAIGN, "currentPhase": phase, "phaseStatus": status, "totalItems": 9,
        "processedItems": 6, "successfulItems": 5, "failedItems": 1, "progressPercent": 66.5})
}

/// Delivers the next event, which the client must reject without any change; a snapshot follows.
fn rejects(kind: &str, data: &Value) {
    let (mut world, mut log) = followed();
    let before = (world.view()["campaign"].clone(), world.rows());
    let event = log.push(kind, data).document();
    assert_eq!(world.receive(&event), Verdict::Rejected, "{kind} {data}");
    assert_eq!(world.metrics().refused.of(Code::InvalidContent), 1, "{kind} {data}");
    let after = (world.view()["campaign"].clone(), world.rows());
    assert_eq!((world.position(), after), (4, before), "{kind} {data}");
    assert_eq!(world.request()["prefer"], "snapshot");
    world.answer_snapshot(EPOCH, 5, rows(3));
    assert_eq!(world.receive(&log.generate(3).document()), Verdict::Applied);
}

#[test]
fn every_spelling_of_a_phase_is_read_as_one_phase() {
    assert_eq!(PHASES.len(), Phase::ALL.len());
    for (spellings, &phase) in PHASES.iter().zip(Phase::ALL) {
        assert_eq!(spellings[0], phase.as_str(), "the word of the contract is the one shown");
        for spelling in *spellings {
            assert_eq!(Phase::parse(spelling), Some(phase), "{spelling}");
        }
    }
    for word in ["", "dns", "DNS_VALIDATION", "dns validation", "Analysis", "completed"] {
        assert_eq!(Phase::parse(word), None, "{word}");
    }
}

#[test]
fn every_spelling_of_a_status_is_read_as_one_status() {
    assert_eq!(STATUSES.len(), Status::ALL.len());
    for (spellings, &status) in STATUSES.iter().zip(Status::ALL) {
        assert_eq!(spellings[0], status.as_str(), "the word of the contract is the one shown");
        for spelling in *spellings {
            assert_eq!(Status::parse(spelling), Some(status), "{spelling}");
        }
    }
    for word in ["", "Running", "RUNNING", "in progress", "done", "analysis"] {
        assert_eq!(Status::parse(word), None, "{word}");
    }
}

#[test]
fn older_spelling_in_an_event_is_normalised() {
    let (mut world, mut log) = followed();
    let renamed = record("DomainGeneration", "validating", 3);
    let update = json!({"action": "update", "campaignId": CAMPAIGN, "campaign": renamed});
    let moved = transition("generation", "DNSValidation", "queued", &rows(3));
    let status = json!({"campaignId": CAMPAIGN, "currentPhase": "dns_validation_validation",
        "phaseStatus": "cancelled", "message": "no resolver"});
    for (kind, data, phase, word) in [
        ("campaign.list.update", update, "domain_generation", "in_progress"),
        ("campaign.progress", progress("generation", "pausing"), "domain_generation", "paused"),
        ("campaign.phase.transition", moved, "dns_validation", "not_started"),
        (
            "campaign.progress",
            progress("DNSValidation", "running"),
            "dns_validation",
            "in_progress",
        ),
        ("campaign.status", status, "dns_validation", "failed"),
    ] {
        assert_eq!(world.receive(&log.push(kind, &data).document()), Verdict::Applied, "{kind}");
        assert_eq!(shown(&world), words(phase, word), "{kind}");
    }
    let announced = world.notice("phasetransition");
    assert_eq!(
        (&announced["newPhase"], &announced["newStatus"]),
        (&"dns_validation".into(), &"not_started".into())
    );
    assert_eq!(world.view()["campaign"]["errorMessage"], "no resolver");
    assert_eq!(world.view()["lastTransition"]["newPhase"], "dns_validation");
}

#[test]
fn older_spelling_in_rollback_data_is_normalised() {
    let (mut world, mut log) = followed();
    let moved = transition("domain_generation", "dns_validation", "running", &rows(3));
    world.receive(&log.push("campaign.phase.transition", &moved).document());
    let mut back = transition("DNSValidation", "generation", "Succeeded", &rows(3));
    back["transitionType"] = "error_recovery".into();
    back["rollbackData"] = json!({"phase": "DomainGeneration", "status": "archived",
        "counters": {"totalItems": 3, "processedItems": 3, "successfulItems": 3},
        "totalDomainCount": 3});
    let event = log.push("campaign.phase.transition", &back).document();
    assert_eq!(world.receive(&event), Verdict::Applied);
    assert_eq!(shown(&world), words("domain_generation", "completed"));
}

#[test]
fn older_spelling_in_a_snapshot_is_normalised() {
    let mut world = World::connected(Config::default());
    let mut snapshot = Snapshot::new(EPOCH, 9, &world.request_id(), rows(2));
    snapshot.record = record("http_validation", "Pending", 2);
    world.answer("snapshot", EPOCH, 10, 9);
    assert_eq!(world.receive(&snapshot.parts()[0]), Verdict::Control);
    assert_eq!(shown(&world), words("http_keyword_validation", "not_started"));
}

#[test]
fn older_spelling_in_a_fetched_document_is_normalised() {
    let mut world = World::new(Config { has_fetch_snapshot: true, ..Config::default() });
    world.input(Input::Retain(id(CAMPAIGN)));
    world.input(Input::Refresh(id(CAMPAIGN)));
    let mut fetched = document();
    fetched["campaign"] = record("LeadGeneration", "InProgress", 1);
    assert_eq!(answer_text(&mut world, &fetched.to_string()), None);
    assert_eq!(shown(&world), words("analysis", "in_progress"));
}

// R10.6
#[test]
fn unknown_phase_or_status_rejects_its_event() {
    let status = |status: &str| json!({"campaignId": CAMPAIGN, "phaseStatus": status});
    let of_record = |phase: &str, status: &str| json!({"action": "update", "campaignId": CAMPAIGN, "campaign": record(phase, status, 3)});
    let moved = |from: &str, to: &str, status: &str| transition(from, to, status, &rows(3));
    rejects("campaign.status", &status("Almost there!"));
    rejects("campaign.status", &status(""));
    rejects("campaign.progress", &progress("domain_generation", "Almost there!"));
    rejects("campaign.progress", &progress("harvest", "in_progress"));
    rejects("campaign.list.update", &of_record("harvest", "in_progress"));
    rejects("campaign.list.update", &of_record("domain_generation", "busy"));
    rejects("campaign.phase.transition", &moved("harvest", "dns_validation", "ready"));
    rejects("campaign.phase.transition", &moved("domain_generation", "harvest", "ready"));
    rejects("campaign.phase.transition", &moved("domain_generation", "dns_validation", "busy"));
}

/// `data` with the member `from` under the name `to`.
fn renamed(data: &Value, from: &str, to: &str) -> Value {
    let mut renamed = data.clone();
    let members = renamed.as_object_mut().expect("an object");
    let value = members.remove(from).expect("the member is there");
    members.insert(to.to_owned(), value);
    renamed
}

// R10.6
#[test]
fn progress_under_other_member_names_is_rejected() {
    let good = progress("domain_generation", "completed");
    for (name, other) in [
        ("progressPercent", "progressPercentage"),
        ("progressPercent", "progress"),
        ("currentPhase", "phase"),
        ("phaseStatus", "status"),
        ("processedItems", "processedCount"),
        ("totalItems", "total_items"),
    ] {
        rejects("campaign.progress", &renamed(&good, name, other));
    }
    let (mut world, mut log) = followed();
    assert_eq!(world.receive(&log.push("campaign.progress", &good).document()), Verdict::Applied);
    assert_eq!(world.view()["campaign"]["progressPercentage"], 66.5);
}

#[test]
fn status_under_an_older_member_name_is_rejected() {
    let good = json!({"campaignId": CAMPAIGN, "phaseStatus": "paused"});
    rejects("campaign.status", &renamed(&good, "phaseStatus", "status"));
}

// R2.10, R7.2
#[test]
fn members_beside_the_data_fill_nothing_in() {
    let (mut world, mut log) = followed();
    let good = json!({"campaignId": CAMPAIGN, "phaseStatus": "paused"});
    let event = log.push("campaign.status", &good).document();
    let beside = event.replacen('{', r#"{"status":"failed","phase":"analysis","progress":1,"#, 1);
    assert_eq!(world.receive(&beside), Verdict::Applied);
    assert_eq!(shown(&world), words("domain_generation", "paused"));
    assert_eq!(world.metrics().unknown_members, 3);
    let bare = message("pong", &json!({})).replacen('{', r#"{"payload":{"heads":7},"#, 1);
    assert_eq!(world.receive(&bare), Verdict::Control);
}

// R10.11
#[test]
fn transition_without_a_needed_member_changes_nothing() {
    let good = transition("domain_generation", "dns_validation", "configured", &rows(3));
    let needed = [
        "newPhase",
        "newStatus",
        "transitionType",
        "prerequisitesMet",
        "dataIntegrityCheck",
        "domainsCount",
        "processedCount",
        "successfulCount",
        "failedItems",
    ];
    for member in needed {
        let mut without = good.clone();
        without.as_object_mut().expect("an object").remove(member);
        rejects("campaign.phase.transition", &without);
    }
    for (name, other) in [("newPhase", "currentPhase"), ("newStatus", "status")] {
        rejects("campaign.phase.transition", &renamed(&good, name, other));
    }
}

// R10.6
#[test]
fn row_under_other_member_names_is_rejected() {
    let good = json!({"campaignId": CAMPAIGN, "domainId": "d-9", "domain": "nine.example"});
    for other in ["domain_id", "id", "DomainID"] {
        rejects("domain.generated", &renamed(&good, "domainId", other));
        let row = renamed(&json!({"domainId": "d-9", "domain": "nine.example"}), "domainId", other);
        rejects("domains.updated", &json!({"campaignId": CAMPAIGN, "domains": [row]}));
    }
    for other in ["domain_name", "domainName"] {
        rejects("domain.generated", &renamed(&good, "domain", other));
    }
    let result = json!({"campaignId": CAMPAIGN, "domainId": "d-0", "validationStatus": "resolved"});
    for other in ["dnsStatus", "validation_status", "status"] {
        rejects("dns.validation.result", &renamed(&result, "validationStatus", other));
    }
}
