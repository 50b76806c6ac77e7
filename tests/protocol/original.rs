//! Documents of the original dialect: envelopes, aliases and shapes.

use campaign_sync::protocol::body::{Body, StatusChange};
use campaign_sync::protocol::domain::{Patch, RowPatch};
use campaign_sync::protocol::original::{
    CampaignComplete, LegacyTransition, Message, OriginalProgress, PhaseComplete, decode,
};
use campaign_sync::protocol::{Code, Phase, Status};

/// The hashed part of the vector.
const VECTOR: &str = r#"{"type":"campaign.phase.transition","timestamp":"2031-04-05T06:07:08.12045Z","data":{"campaignId":"5f0c1f6e-8a4b-4a55-9f0e-2f4f5d0c9a11","previousPhase":"domain_generation","newPhase":"dns_validation","newStatus":"not_started","transitionType":"manual","triggerReason":"a\u003cb \u0026 c","prerequisitesMet":true,"dataIntegrityCheck":true,"domainsCount":250,"processedCount":0,"successfulCount":250,"failedItems":0}}"#;
pub(crate) const VECTOR_SHA: &str =
    "1bcf9f19d181aa3409c0dd6c1f3fc1aae3001a2ccae4351ae038acbfd07958fc";
const VECTOR_CAMPAIGN: &str = "5f0c1f6e-8a4b-4a55-9f0e-2f4f5d0c9a11";

pub(crate) fn block(hash: &str) -> String {
    format!(
        r#"{{"campaignId":"{VECTOR_CAMPAIGN}","eventId":"evt_1_a","sequenceNumber":7,"eventHash":"{hash}","checkpointData":true}}"#
    )
}

/// The vector with its sequence beside `data`.
pub(crate) fn sequenced(hash: &str) -> String {
    format!(r#"{},"sequence":{}}}"#, VECTOR.strip_suffix('}').unwrap(), block(hash))
}

pub(crate) fn message(document: &str) -> Message<'_> {
    decode(document).unwrap_or_else(|code| panic!("{code}: {document}")).message
}

pub(crate) fn refusal(document: &str) -> Code {
    match decode(document) {
        Err(code) => code,
        Ok(decoded) => panic!("accepted as {decoded:?}: {document:.200}"),
    }
}

fn progress(document: &str) -> OriginalProgress {
    match message(document) {
        Message::Progress(progress) => progress,
        other => panic!("{other:?}"),
    }
}

fn row(document: &str) -> RowPatch<'_> {
    match message(document) {
        Message::Event(Body::Row(row)) => row,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_test_vector_verifies() {
    let document = sequenced("1bcf9f19d181aa34");
    let event = decode(&document).expect("the vector is in order");
    assert!(event.hash_matches);
    assert_eq!(event.content_hash.map(|hash| hash.to_string()).as_deref(), Some(VECTOR_SHA));
    assert_eq!(event.campaign_id.as_deref(), Some(VECTOR_CAMPAIGN));
    assert_eq!(event.timestamp, "2031-04-05T06:07:08.12045Z");
    let sequence = event.sequence.expect("the vector is sequenced");
    assert_eq!((sequence.event_id, sequence.number.get()), ("evt_1_a", 7));
    assert_eq!((sequence.hash, sequence.checkpoint), ("1bcf9f19d181aa34", true));
    let Message::Event(Body::Transition(transition)) = event.message else { panic!() };
    assert_eq!(transition.trigger_reason.as_deref(), Some("a<b & c"));
    assert_eq!((transition.new_phase, transition.domains_count), (Phase::DnsValidation, 250));
}

#[test]
fn another_hash_is_told_and_not_refused() {
    let document = sequenced("1bcf9f19d181aa35");
    let event = decode(&document).expect("it can be read");
    assert!(!event.hash_matches);
}

#[test]
fn a_sequence_inside_the_body_is_found_and_left_out_of_the_hash() {
    for name in ["data", "payload"] {
        let renamed = VECTOR.replacen("\"data\"", &format!("\"{name}\""), 1);
        let inside = renamed.strip_suffix("}}").unwrap();
        let document = format!(r#"{inside},"sequence":{}}}}}"#, block("1bcf9f19d181aa34"));
        let event = decode(&document).expect("it can be read");
        assert_eq!(event.sequence.as_ref().map(|it| it.number.get()), Some(7), "{document}");
        assert!(event.hash_matches, "{document}");
        let damaged = document.replace("\"failedItems\":0", "\"failedItems\":1");
        assert!(!decode(&damaged).expect("it can be read").hash_matches);
    }
    let beside = format!(
        r#"{},"payload":{{"sequence":{}}}}}"#,
        VECTOR.strip_suffix('}').unwrap(),
        block("1bcf9f19d181aa34")
    );
    let event = decode(&beside).expect("it can be read");
    assert!(event.sequence.is_some() && event.hash_matches);
}

#[test]
fn an_unsequenced_document_has_no_hash_to_contradict_it() {
    let event = decode(VECTOR).expect("it can be read");
    assert_eq!((event.sequence, event.content_hash, event.hash_matches), (None, None, true));
}

#[test]
fn the_campaign_is_found_wherever_the_document_says_it() {
    let found = |document: &str| {
        decode(document).map(|it| it.campaign_id.map(std::borrow::Cow::into_owned))
    };
    let c1 = Ok(Some("c1".to_owned()));
    assert_eq!(found(r#"{"type":"pong","campaignId":"c1"}"#), c1);
    assert_eq!(found(r#"{"type":"pong","data":{"campaignId":"c1"}}"#), c1);
    assert_eq!(found(r#"{"type":"pong","payload":{"campaignId":"c1"}}"#), c1);
    assert_eq!(found(r#"{"type":"phase.state.changed","data":{"campaign_id":"c1"}}"#), c1);
    assert_eq!(found(r#"{"type":"pong","campaignId":"","data":null}"#), Ok(None));
    let of_sequence = r#"{"type":"pong","timestamp":"t","data":{},"sequence":{"campaignId":"c1","eventId":"e","sequenceNumber":1,"eventHash":"0000000000000000"}}"#;
    assert_eq!(found(of_sequence), c1);
    let two = r#"{"type":"pong","campaignId":"c1","data":{"campaignId":"c2"}}"#;
    assert_eq!(found(two), Err(Code::InvalidContent));
}

#[test]
fn a_campaign_id_that_cannot_be_one_is_refused_wherever_it_stands() {
    for id in ["*", "a.>", "../x", "a b", &"a".repeat(65)] {
        for document in [
            format!(r#"{{"type":"pong","campaignId":"{id}"}}"#),
            format!(r#"{{"type":"pong","data":{{"campaignId":"{id}"}}}}"#),
            format!(r#"{{"type":"pong","data":{{"campaign_id":"{id}"}}}}"#),
            sequenced("1bcf9f19d181aa34").replace(VECTOR_CAMPAIGN, id),
        ] {
            assert_eq!(refusal(&document), Code::InvalidCampaignId, "{document}");
        }
    }
    assert_eq!(refusal(r#"{"type":"pong","campaignId":7}"#), Code::InvalidCampaignId);
}

#[test]
fn acknowledgements_are_told_apart_by_their_protocol() {
    let original = r#"{"id":"x","timestamp":"t","type":"connection_ack","sequenceNumber":1,"data":{"connectionId":"c","userId":""}}"#;
    assert_eq!(message(original), Message::Ack { protocol: None });
    let ours =
        r#"{"type":"connection_ack","timestamp":"t","data":{"protocol":"campaign-sync.v1"}}"#;
    assert_eq!(message(ours), Message::Ack { protocol: Some("campaign-sync.v1".into()) });
}

#[test]
fn a_v1_number_is_text_whatever_it_holds() {
    for number in ["0", "118", "1784000000123456789", "null", "\"x\""] {
        let document = format!(r#"{{"type":"pong","sequenceNumber":{number}}}"#);
        let decoded = decode(&document).expect("the number is no reason to refuse");
        assert_eq!(decoded.legacy_number, Some(number));
    }
}

#[test]
fn progress_is_read_in_all_its_shapes() {
    let full = OriginalProgress {
        phase: Some(Phase::DnsValidation),
        status: Some(Status::InProgress),
        percent: Some(20.5),
        total_items: Some(250),
        processed_items: Some(50),
        successful_items: Some(40),
        failed_items: Some(10),
    };
    let counts = r#""totalItems":250,"processedItems":50,"successfulItems":40,"failedItems":10"#;
    for told in [
        r#""progressPercent":20.5,"currentPhase":"dns_validation","phaseStatus":"in_progress""#,
        r#""progressPercent":20.5,"phase":"DNSValidation","status":"validating""#,
        r#""progressPercentage":20.5,"phase":"dns_validation","status":"running""#,
        r#""progress":20.5,"phase":"dns_validation","status":"running","isCompleted":false"#,
        r#""progress":1,"progressPercent":20.5,"status":"failed","phaseStatus":"running","phase":"analysis","currentPhase":"dns_validation""#,
    ] {
        let data = format!("{{{told},{counts}}}");
        for kind in ["campaign.progress", "campaign_progress"] {
            assert_eq!(progress(&format!(r#"{{"type":"{kind}","data":{data}}}"#)), full, "{told}");
        }
    }
    let state = r#"{"stateData":{"campaignId":"c1","currentPhase":"dns_validation","phaseStatus":"in_progress","progress":20.5,"totalItems":250,"processedItems":50,"successfulItems":40,"failedItems":10}}"#;
    let sync =
        format!(r#"{{"type":"campaign.state.sync.complete","campaignId":"c1","data":{state}}}"#);
    assert_eq!(message(&sync), Message::StateSync(Some(full)));
}

#[test]
fn progress_beside_the_body_fills_what_the_body_does_not_tell() {
    let june = r#"{"type":"campaign_progress","campaignId":"c1","progress":12.5,"status":"running","phase":"dns_validation"}"#;
    let expected = OriginalProgress {
        phase: Some(Phase::DnsValidation),
        status: Some(Status::InProgress),
        percent: Some(12.5),
        ..OriginalProgress::default()
    };
    assert_eq!(progress(june), expected);
    let both = r#"{"type":"campaign_progress","progress":12.5,"phase":"dns_validation","data":{"progress":13,"status":"paused"}}"#;
    let expected =
        OriginalProgress { status: Some(Status::Paused), percent: Some(13.0), ..expected };
    assert_eq!(progress(both), expected);
}

#[test]
fn progress_of_generation_and_of_validations_counts_its_own_items() {
    let generation = r#"{"type":"domain_generation_progress","domainsGenerated":5,"data":{"totalDomains":20,"progress":25,"status":"generating"}}"#;
    let expected = OriginalProgress {
        phase: Some(Phase::DomainGeneration),
        status: Some(Status::InProgress),
        percent: Some(25.0),
        total_items: Some(20),
        processed_items: Some(5),
        ..OriginalProgress::default()
    };
    assert_eq!(progress(generation), expected);
    let expected = OriginalProgress {
        phase: Some(Phase::DnsValidation),
        percent: Some(20.0),
        total_items: Some(250),
        processed_items: Some(50),
        ..OriginalProgress::default()
    };
    for said in [
        r#""phase":"dns_validation_validation","validationType":"dns_validation""#,
        r#""validationType":"dns""#,
    ] {
        let document = format!(
            r#"{{"type":"validation_progress","data":{{{said},"progress":20,"totalValidations":250,"validationsProcessed":50}}}}"#
        );
        assert_eq!(progress(&document), expected);
    }
}

#[test]
fn a_status_in_words_for_people_is_no_status() {
    let document =
        r#"{"type":"campaign.progress","data":{"progress":1,"phaseStatus":"Almost there!"}}"#;
    assert_eq!(progress(document).status, None);
    let document = r#"{"type":"campaign.status","data":{"phaseStatus":"Almost there!"}}"#;
    assert_eq!(refusal(document), Code::InvalidContent);
}

#[test]
fn a_status_is_read_under_its_old_and_new_names() {
    let expected = Message::Event(Body::Status(StatusChange {
        phase: Some(Phase::HttpKeywordValidation),
        status: Status::Failed,
        message: Some("no personas".to_owned()),
    }));
    for document in [
        r#"{"type":"campaign.status","data":{"currentPhase":"http_keyword_validation","phaseStatus":"failed","message":"no personas"}}"#,
        r#"{"type":"campaign_status","status":"failed","phase":"http_validation","error":"no personas"}"#,
        r#"{"type":"campaign.status","payload":{"phase":"HTTPValidation","status":"cancelled","message":"no personas"},"data":null}"#,
    ] {
        assert_eq!(message(document), expected);
    }
}

#[test]
fn older_transitions_tell_what_they_can() {
    let a = r#"{"type":"phase_transition","sequenceNumber":0,"data":{"campaignId":"c1","previousPhase":"generation","newPhase":"dns_validation","newStatus":"running","timestamp":"t","transitionType":"dns_validation_start"}}"#;
    let told = LegacyTransition {
        new_phase: Phase::DnsValidation,
        new_status: Some(Status::InProgress),
        percent: None,
        refusal: None,
    };
    assert_eq!(message(a), Message::LegacyTransition(told));
    let b = r#"{"type":"phase_transition","campaignId":"c1","data":{"currentPhase":"dns_validation","previousPhase":"domain_generation","progressPercentage":0,"status":"completed","transitionType":"automatic"}}"#;
    let told = LegacyTransition { new_status: None, percent: Some(0.0), ..told };
    assert_eq!(message(b), Message::LegacyTransition(told), "`completed` is not of the new phase");
    let hybrid = VECTOR.replace(r#""newStatus":"not_started","#, "");
    let told = LegacyTransition { percent: None, ..told };
    assert_eq!(message(&hybrid), Message::LegacyTransition(told));
    let free = VECTOR.replace("not_started", "DNS validation may begin now");
    assert_eq!(message(&free), Message::LegacyTransition(told));
}

#[test]
fn a_refused_transition_is_told_as_refused_in_every_shape() {
    for (flag, code) in [
        ("dataIntegrityCheck", Code::IntegrityCheckFailed),
        ("prerequisitesMet", Code::PrerequisitesNotMet),
    ] {
        let full = VECTOR.replace(&format!("\"{flag}\":true"), &format!("\"{flag}\":false"));
        let Message::Event(Body::Transition(transition)) = message(&full) else { panic!() };
        assert_eq!(transition.refusal(), Some(code));
        let legacy = full.replace(r#""newStatus":"not_started","#, "");
        let Message::LegacyTransition(transition) = message(&legacy) else { panic!() };
        assert_eq!(transition.refusal, Some(code));
    }
}

#[test]
fn rows_are_read_in_both_spellings() {
    let expected = RowPatch {
        domain_id: "d1".into(),
        domain: Patch::Value("a.com".into()),
        ..RowPatch::default()
    };
    for kind in ["domain.generated", "domain_generated"] {
        let document = format!(
            r#"{{"type":"{kind}","data":{{"domainId":"d1","domain":"a.com","offset":4,"batchSize":9}}}}"#
        );
        assert_eq!(row(&document), RowPatch { offset: Patch::Value(4), ..expected.clone() });
    }
    for kind in ["dns.validation.result", "dns_validation_result"] {
        let document = format!(
            r#"{{"type":"{kind}","data":{{"domainId":"d1","domain":"a.com","validationStatus":"resolved","dnsRecords":{{}},"attempts":1}}}}"#
        );
        let dns_status = Patch::Value("resolved".into());
        assert_eq!(row(&document), RowPatch { dns_status, ..expected.clone() });
    }
    for (kind, code) in
        [("http.validation.result", "httpStatus"), ("http_validation_result", "statusCode")]
    {
        let of = |value: &str| {
            format!(
                r#"{{"type":"{kind}","data":{{"domainId":"d1","domain":"a.com","validationStatus":"success","{code}":{value}}}}}"#
            )
        };
        let with = |http_status_code| RowPatch {
            http_status: Patch::Value("success".into()),
            http_status_code,
            ..expected.clone()
        };
        assert_eq!(row(&of("404")), with(Patch::Value(404)));
        assert_eq!(row(&of("0")), with(Patch::Absent), "Go writes 0 for none");
        assert_eq!(row(&of(r#"{"Int32":200,"Valid":true}"#)), with(Patch::Value(200)));
        assert_eq!(row(&of(r#"{"Int32":0,"Valid":false}"#)), with(Patch::Null));
    }
}

#[test]
fn ends_are_read() {
    let phase = r#"{"type":"campaign_phase_complete","campaignId":"c1","data":{"completedItems":9,"failedItems":1,"nextPhase":"completed","phase":"analysis"}}"#;
    let expected = PhaseComplete {
        phase: Phase::Analysis,
        next_phase: None,
        completed_items: Some(9),
        failed_items: Some(1),
    };
    assert_eq!(message(phase), Message::PhaseComplete(expected));
    let ended = |status, processed| {
        Message::CampaignComplete(CampaignComplete {
            status,
            processed,
            successful: None,
            failed: None,
        })
    };
    let campaign = r#"{"type":"campaign_complete","data":{"finalStatus":"cancelled","totalProcessed":3,"duration":1.5}}"#;
    assert_eq!(message(campaign), ended(Status::Failed, Some(3)));
    assert_eq!(message(r#"{"type":"campaign.completed"}"#), ended(Status::Completed, None));
    assert_eq!(message(r#"{"type":"campaign_failed"}"#), ended(Status::Failed, None));
    assert_eq!(refusal(r#"{"type":"campaign_complete","data":{}}"#), Code::InvalidContent);
}

#[test]
fn words_for_people_are_read_from_every_place() {
    let expected = Message::Event(Body::Notification {
        level: "warning".to_owned(),
        message: "100% \u{2028}".to_owned(),
    });
    for document in [
        r#"{"type":"system_notification","status":"warning","message":"100% \u2028"}"#,
        r#"{"type":"system.notification","data":{"level":"warning","message":"100% \u2028"}}"#,
        r#"{"type":"user_notification","data":{"level":"warning","title":"t","message":"100% \u2028"}}"#,
    ] {
        assert_eq!(message(document), expected);
    }
    let error = r#"{"type":"campaign_error","data":{"errorCode":"E1","errorMessage":"m","retryable":true}}"#;
    let expected = Message::Error { code: Some("E1".into()), message: Some("m".into()) };
    assert_eq!(message(error), expected);
    assert_eq!(message(r#"{"type":"error","data":{"code":"E1","message":"m"}}"#), expected);
}

#[test]
fn known_types_that_concern_nothing_are_told_from_unknown_ones() {
    for kind in [
        "proxy.status",
        "proxy_status_update",
        "proxy_list_update",
        "persona_list_update",
        "keyword_set_list_update",
        "dashboard_activity",
        "phase.state.changed",
        "phase.configuration.required",
        "subscription_ack",
        "heartbeat",
    ] {
        let document = format!(r#"{{"id":"","timestamp":"","type":"{kind}","sequenceNumber":1}}"#);
        assert_eq!(message(&document), Message::Ignored, "{kind}");
    }
    let update = r#"{"type":"campaign_list_update","data":{"action":"update","campaignId":"c1","campaign":{"id":"c1"}}}"#;
    assert_eq!(message(update), Message::Ignored);
    let delete = update.replace("\"update\"", "\"delete\"");
    assert_eq!(message(&delete), Message::Event(Body::Deleted));
    assert_eq!(message(r#"{"type":"session_expired"}"#), Message::SessionExpired);
    assert_eq!(message(r#"{"type":"campaign.state.sync","data":null}"#), Message::StateSync(None));
    assert_eq!(message(r#"{"type":"__proto__","__proto__":{"a":1}}"#), Message::Unknown);
}
