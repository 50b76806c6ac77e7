//! What the original dialect refuses, each with its code.

use campaign_sync::protocol::original::decode;
use campaign_sync::protocol::{Code, EventHash};

use super::original::{VECTOR_SHA, block, message, refusal, sequenced};

#[test]
fn bad_envelopes_are_refused_with_a_code() {
    let deep = |open: &str, close: &str| {
        let (open, close) = (open.repeat(10_000), close.repeat(10_000));
        format!(r#"{{"type":"pong","data":{open}1{close}}}"#)
    };
    let cases = [
        (String::new(), Code::InvalidJson),
        ("not json".to_owned(), Code::InvalidJson),
        (r#"{"type":"pong""#.to_owned(), Code::InvalidJson),
        (r#"{"type":"pong"}{"type":"pong"}"#.to_owned(), Code::InvalidJson),
        (r#"{"type":"pong","x":01}"#.to_owned(), Code::InvalidJson),
        ("[]".to_owned(), Code::InvalidEnvelope),
        ("null".to_owned(), Code::InvalidEnvelope),
        ("{}".to_owned(), Code::InvalidEnvelope),
        (r#"{"type":7}"#.to_owned(), Code::InvalidEnvelope),
        (r#"{"type":null}"#.to_owned(), Code::InvalidEnvelope),
        (r#"{"type":"pong","timestamp":7}"#.to_owned(), Code::InvalidEnvelope),
        (r#"{"type":"pong","type":"pong"}"#.to_owned(), Code::AmbiguousEnvelope),
        (r#"{"type":"pong","data":{},"data":{}}"#.to_owned(), Code::AmbiguousEnvelope),
        (r#"{"type":"pong","status":"a","status":"b"}"#.to_owned(), Code::AmbiguousEnvelope),
        (r#"{"type":"pong","d\u0061ta":{}}"#.to_owned(), Code::AmbiguousEnvelope),
        (
            r#"{"type":"x","data":{"sequence":{},"sequence":{}}}"#.to_owned(),
            Code::AmbiguousEnvelope,
        ),
        (r#"{"type":"pong","data":"\udc00"}"#.to_owned(), Code::LoneSurrogate),
        (deep("[", "]"), Code::TooDeep),
        (deep(r#"{"a":"#, "}"), Code::TooDeep),
    ];
    for (document, code) in cases {
        assert_eq!(refusal(&document), code, "{document:.200}");
    }
}

#[test]
fn bad_sequences_are_refused_with_a_code() {
    let good = sequenced("1bcf9f19d181aa34");
    let cases = [
        (r#""sequenceNumber":7"#, r#""sequenceNumber":9007199254740992"#, Code::IntegerOutOfRange),
        (r#""sequenceNumber":7"#, r#""sequenceNumber":7.5"#, Code::InvalidEnvelope),
        (r#""sequenceNumber":7"#, r#""sequenceNumber":-7"#, Code::InvalidEnvelope),
        (r#""sequenceNumber":7"#, r#""sequenceNumber":"7""#, Code::InvalidEnvelope),
        (r#""sequenceNumber":7,"#, "", Code::InvalidEnvelope),
        (
            r#""sequenceNumber":7"#,
            r#""sequenceNumber":7,"sequenceNumber":7"#,
            Code::AmbiguousEnvelope,
        ),
        ("evt_1_a", "", Code::InvalidEnvelope),
        ("1bcf9f19d181aa34", "1BCF9F19D181AA34", Code::InvalidEnvelope),
        ("1bcf9f19d181aa34", "1bcf9f19d181aa3", Code::InvalidEnvelope),
        ("1bcf9f19d181aa34", VECTOR_SHA, Code::InvalidEnvelope),
        (r#""checkpointData":true"#, r#""checkpointData":"true""#, Code::InvalidEnvelope),
        (r#""timestamp":"2031-04-05T06:07:08.12045Z","#, "", Code::InvalidEnvelope),
        (r#""sequence":{"#, r#""data":null,"sequence":{"#, Code::AmbiguousEnvelope),
    ];
    for (from, to, code) in cases {
        let document = good.replacen(from, to, 1);
        assert_ne!(document, good, "{from}");
        assert_eq!(refusal(&document), code, "{document}");
    }
    let block = block("1bcf9f19d181aa34");
    let bare = format!(r#"{{"type":"pong","timestamp":"t","data":null,"sequence":{block}}}"#);
    assert_eq!(refusal(&bare), Code::InvalidEnvelope);
    assert_eq!(refusal(r#"{"type":"pong","sequence":7}"#), Code::InvalidEnvelope);
}

/// One good document per type that has content, with all members that are read of it.
const GOOD: &[(&str, &str)] = &[
    ("connection_ack", r#"{"protocol":"p"}"#),
    (
        "campaign.progress",
        r#"{"totalItems":1,"processedItems":1,"successfulItems":1,"failedItems":0,"progressPercent":1,"currentPhase":"setup","phaseStatus":"ready"}"#,
    ),
    (
        "campaign_progress",
        r#"{"progressPercentage":1,"progress":1,"phase":"setup","status":"ready"}"#,
    ),
    ("domain_generation_progress", r#"{"domainsGenerated":1,"totalDomains":1}"#),
    (
        "validation_progress",
        r#"{"validationsProcessed":1,"totalValidations":1,"validationType":"dns"}"#,
    ),
    ("campaign.status", r#"{"currentPhase":"setup","phaseStatus":"ready","message":"m"}"#),
    (
        "campaign.phase.transition",
        r#"{"previousPhase":"setup","newPhase":"setup","newStatus":"ready","transitionType":"manual","triggerReason":"r","prerequisitesMet":true,"dataIntegrityCheck":true,"domainsCount":1,"processedCount":1,"successfulCount":1,"failedItems":0,"estimatedDuration":1,"transitionMetadata":{"a":1},"rollbackData":{}}"#,
    ),
    ("phase_transition", r#"{"currentPhase":"setup","progressPercentage":1}"#),
    ("domain.generated", r#"{"domainId":"d","domain":"a.com","offset":1}"#),
    ("dns.validation.result", r#"{"domainId":"d","domain":"a.com","validationStatus":"resolved"}"#),
    (
        "http.validation.result",
        r#"{"domainId":"d","domain":"a.com","validationStatus":"success","httpStatus":200}"#,
    ),
    ("http_validation_result", r#"{"domainId":"d","validationStatus":"success","statusCode":200}"#),
    (
        "campaign_phase_complete",
        r#"{"phase":"setup","nextPhase":"setup","completedItems":1,"failedItems":1}"#,
    ),
    (
        "campaign_complete",
        r#"{"finalStatus":"completed","totalProcessed":1,"totalSuccessful":1,"totalFailed":1}"#,
    ),
    ("system_notification", r#"{"level":"info","message":"m"}"#),
    ("campaign_list_update", r#"{"action":"create"}"#),
    ("campaign_error", r#"{"errorCode":"c","errorMessage":"m"}"#),
    ("error", r#"{"code":"c","message":"m"}"#),
];

#[test]
fn a_wrong_type_in_any_field_is_refused() {
    let mut tried = 0;
    for (kind, data) in GOOD {
        let document = |data: &str| format!(r#"{{"type":"{kind}","data":{data}}}"#);
        message(&document(data));
        let members: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(data).expect("the good data is an object");
        for (name, value) in &members {
            for wrong in [
                serde_json::json!(["x"]),
                serde_json::json!(true),
                serde_json::json!("x"),
                serde_json::json!(-0.5),
            ] {
                // A word in place of a word, or a number in place of one, may well be right.
                let same_type = core::mem::discriminant(value) == core::mem::discriminant(&wrong);
                if same_type {
                    continue;
                }
                let mut members = members.clone();
                members.insert(name.clone(), wrong);
                let document = document(&serde_json::Value::Object(members).to_string());
                assert_eq!(refusal(&document), Code::InvalidContent, "{document}");
                tried += 1;
            }
            if value.is_u64()
                && !matches!(
                    name.as_str(),
                    "progressPercent" | "progressPercentage" | "progress" | "estimatedDuration"
                )
            {
                let mut members = members.clone();
                members.insert(name.clone(), 9_007_199_254_740_992_u64.into());
                let document = document(&serde_json::Value::Object(members).to_string());
                assert_eq!(refusal(&document), Code::IntegerOutOfRange, "{document}");
            }
        }
        for wrong in ["7", "\"x\"", "[]", "true"] {
            assert_eq!(refusal(&document(wrong)), Code::InvalidContent, "{kind} {wrong}");
        }
    }
    assert!(tried > 150, "{tried}");
}

#[test]
fn content_without_data_is_refused_unless_the_type_says_it_all() {
    for (kind, _) in GOOD {
        for document in [
            format!(r#"{{"type":"{kind}","data":null}}"#),
            format!(r#"{{"type":"{kind}","data":{{}}}}"#),
            format!(r#"{{"type":"{kind}"}}"#),
        ] {
            match *kind {
                "connection_ack" | "error" | "campaign_error" => drop(message(&document)),
                _ => assert_eq!(refusal(&document), Code::InvalidContent, "{document}"),
            }
        }
    }
}

#[test]
fn no_cut_of_a_document_is_accepted() {
    let document = sequenced("1bcf9f19d181aa34");
    for end in 0..document.len() {
        if document.is_char_boundary(end) {
            assert_eq!(decode(&document[..end]), Err(Code::InvalidJson), "cut at {end}");
        }
    }
}

#[test]
fn no_damaged_byte_makes_the_decoder_panic() {
    let mut refused = 0;
    for (kind, data) in GOOD {
        let document = format!(r#"{{"type":"{kind}","campaignId":"c1","data":{data}}}"#);
        for (at, new) in (0..document.len()).flat_map(|at| (0..128).map(move |new| (at, new))) {
            let mut bytes = document.clone().into_bytes();
            bytes[at] = new;
            let damaged = String::from_utf8(bytes).expect("ASCII stays ASCII");
            refused += usize::from(decode(&damaged).is_err());
        }
    }
    assert!(refused > 100_000, "most damage breaks the syntax or the schema: {refused}");
}

#[test]
fn a_short_hash_never_stands_for_a_v1_hash() {
    assert_eq!(EventHash::parse("1bcf9f19d181aa34"), None);
}
