//! Snapshots that an application fetched over REST, in our form and in the original's.

use campaign_sync::protocol::domain::{Patch, RowPatch};
use campaign_sync::protocol::original::snapshot::read;
use campaign_sync::protocol::snapshot::RestSnapshot;
use campaign_sync::protocol::{Code, Phase, Status};

const CAMPAIGN: &str = r#"{"id":"c1","name":"n","currentPhase":"dns_validation","phaseStatus":"in_progress","totalItems":2,"processedItems":1}"#;

fn of_rows(rows: &str) -> String {
    format!(r#"{{"campaign":{CAMPAIGN},"domains":{rows}}}"#)
}

fn ids<'a>(snapshot: &'a RestSnapshot<'_>) -> Vec<&'a str> {
    snapshot.rows.iter().map(|row| row.domain_id.as_ref()).collect()
}

fn dns(row: &RowPatch<'_>) -> Option<String> {
    row.dns_status.value().map(|status| status.clone().into_owned())
}

#[test]
fn our_own_document_is_read_with_its_position() {
    let json = r#"{"campaignId":"c1","epoch":"e","sequenceNumber":7,"eventId":"evt_7",
        "campaign":{"campaignId":"c1","name":"n","currentPhase":"analysis","phaseStatus":"ready",
            "totalItems":4,"processedItems":1,"successfulItems":1,"failedItems":0,
            "progressPercentage":25.5,"totalDomainCount":4,"createdAt":"a","updatedAt":"b"},
        "domains":[{"domainId":"d1","domain":"a.com","offset":0,"dnsStatus":"resolved",
            "httpStatus":"success","httpStatusCode":200,"leadStatus":"match","leadScore":0.5}],
        "domainsCount":1,"domainsDigest":"00000000000000ff"}"#;
    let snapshot = read(json).expect("a snapshot in order");
    assert_eq!(snapshot.campaign_id.as_deref(), Some("c1"));
    let position = snapshot.position.expect("it has a position");
    assert_eq!((position.to_string().as_str(), position.event_id.as_str()), ("e/7", "evt_7"));
    let campaign = snapshot.campaign;
    assert_eq!((campaign.phase, campaign.status), (Phase::Analysis, Status::Ready));
    assert_eq!((campaign.total_domain_count, campaign.counters.progress_percentage), (4, 25.5));
    assert_eq!(
        (snapshot.domains_count, snapshot.domains_digest.map(|it| it.0)),
        (Some(1), Some(255))
    );
    let expected = RowPatch {
        domain_id: "d1".into(),
        domain: Patch::Value("a.com".into()),
        offset: Patch::Value(0),
        dns_status: Patch::Value("resolved".into()),
        http_status: Patch::Value("success".into()),
        http_status_code: Patch::Value(200),
        lead_status: Patch::Value("match".into()),
        lead_score: Patch::Value(0.5),
    };
    assert_eq!(snapshot.rows, [expected]);
}

#[test]
fn a_number_without_its_log_is_no_position() {
    let json = format!(r#"{{"sequenceNumber":7,"campaign":{CAMPAIGN},"domains":[]}}"#);
    assert_eq!(read(&json).expect("a snapshot in order").position, None);
}

#[test]
fn a_position_without_rows_is_refused() {
    let json = format!(r#"{{"epoch":"e","sequenceNumber":7,"campaign":{CAMPAIGN}}}"#);
    assert_eq!(read(&json), Err(Code::InvalidContent));
}

#[test]
fn rows_of_the_original_are_read_with_go_null_objects() {
    let json = of_rows(
        r#"[{"id":"d1","generationCampaignId":"c0","domainName":"a.com","offsetIndex":3,
            "dnsStatus":{"String":"ok","Valid":true},"httpStatus":{"String":"","Valid":false},
            "httpStatusCode":{"Int32":404,"Valid":true},"leadScore":{"Float64":1.5,"Valid":true},
            "leadStatus":null,"lastValidatedAt":{"Time":"0001-01-01T00:00:00Z","Valid":false}}]"#,
    );
    let snapshot = read(&json).expect("a snapshot in order");
    let expected = RowPatch {
        domain_id: "d1".into(),
        domain: Patch::Value("a.com".into()),
        offset: Patch::Value(3),
        dns_status: Patch::Value("ok".into()),
        http_status: Patch::Null,
        http_status_code: Patch::Value(404),
        lead_status: Patch::Null,
        lead_score: Patch::Value(1.5),
    };
    assert_eq!(snapshot.rows, [expected]);
    assert_eq!(snapshot.position, None);
    assert_eq!(snapshot.campaign.total_domain_count, 1);
    assert_eq!(snapshot.campaign.counters.progress_percentage, 50.0);
}

#[test]
fn response_envelopes_and_pages_are_taken_off_wherever_they_are() {
    let row = r#"{"id":"d1","domainName":"a.com","offsetIndex":0}"#;
    let page = format!(r#"{{"data":[{row}],"nextCursor":1,"totalCount":40}}"#);
    let inner = format!(
        r#"{{"campaign":{{"success":true,"data":{CAMPAIGN},"requestId":"r"}},
            "generatedDomains":{{"status":"success","data":{page},"message":"ok"}}}}"#
    );
    for json in [
        inner.clone(),
        format!(r#"{{"success":true,"data":{inner}}}"#),
        format!(r#"{{"status":"success","data":{inner},"message":"m"}}"#),
    ] {
        let snapshot = read(&json).expect("a snapshot in order");
        assert_eq!(ids(&snapshot), ["d1"]);
        assert_eq!(snapshot.campaign_id.as_deref(), Some("c1"));
        assert_eq!(snapshot.campaign.total_domain_count, 40);
    }
}

#[test]
fn an_answer_that_failed_is_no_snapshot() {
    for json in [
        r#"{"success":false,"error":{"code":"NOT_FOUND","message":"m"},"requestId":"r"}"#,
        r#"{"status":"error","message":"m"}"#,
    ] {
        assert_eq!(read(json), Err(Code::FetchFailed));
    }
}

#[test]
fn results_of_validations_go_to_the_rows_of_their_names() {
    let json = format!(
        r#"{{"campaign":{CAMPAIGN},
        "domains":[{{"id":"d1","domainName":"a.com","dnsStatus":"ok"}},
            {{"id":"d2","domainName":"b.com","dnsStatus":"error"}}],
        "dnsResults":[{{"id":"r3","domainName":"z.com","validationStatus":"resolved",
                "generatedDomainId":{{"String":"d3","Valid":true}}}},
            {{"id":"r4","domainName":"y.com","validationStatus":"resolved"}},
            {{"id":"r1","domainName":"a.com","validationStatus":"pending"}},
            {{"id":"r2","domainName":"a.com","validationStatus":"resolved"}}],
        "httpResults":{{"data":[{{"id":"h1","domainName":"a.com","validationStatus":"success",
            "httpStatusCode":200}}],"totalCount":1}}}}"#
    );
    let snapshot = read(&json).expect("a snapshot in order");
    assert_eq!(ids(&snapshot), ["d1", "d2", "d3"], "a result beyond the list is a row by its id");
    let statuses: Vec<_> = snapshot.rows.iter().map(dns).collect();
    let expected =
        [Some("resolved".to_owned()), Some("error".to_owned()), Some("resolved".to_owned())];
    assert_eq!(statuses, expected);
    assert_eq!(snapshot.rows[0].http_status, Patch::Value("success".into()));
    assert_eq!(snapshot.rows[0].http_status_code, Patch::Value(200));
    assert_eq!(snapshot.rows[1].http_status, Patch::Absent);
}

#[test]
fn the_phase_is_found_wherever_a_version_tells_it() {
    let of = |campaign: &str| {
        let json = format!(r#"{{"campaign":{campaign},"domains":null}}"#);
        read(&json).map(|it| (it.campaign.phase, it.campaign.status))
    };
    let june = r#"{"id":"c1","campaignType":"dns_validation","status":"running"}"#;
    assert_eq!(of(june), Ok((Phase::DnsValidation, Status::InProgress)));
    let july = r#"{"id":"c1","campaignType":"domain_generation","status":"pending",
        "currentPhase":"http_validation","phaseStatus":"paused"}"#;
    assert_eq!(of(july), Ok((Phase::HttpKeywordValidation, Status::Paused)));
    let later = r#"{"id":"c1","campaignType":"lead_generation","currentPhaseId":"p2","phases":[
        {"id":"p1","phaseType":"domain_generation","status":"completed"},
        {"id":"p2","phaseType":"dns_validation","status":"ready"}]}"#;
    assert_eq!(of(later), Ok((Phase::DnsValidation, Status::Ready)));
    let untold = r#"{"id":"c1","campaignType":"lead_generation","status":"running"}"#;
    assert_eq!(of(untold), Err(Code::InvalidContent), "a campaign type is no phase");
}

#[test]
fn bad_snapshots_are_refused_with_a_code() {
    let deep = format!(r#"{{"campaign":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let cases = [
        (String::new(), Code::InvalidJson),
        ("{".to_owned(), Code::InvalidJson),
        ("null".to_owned(), Code::InvalidContent),
        ("[]".to_owned(), Code::InvalidContent),
        ("{}".to_owned(), Code::InvalidContent),
        (format!("{} x", of_rows("[]")), Code::InvalidJson),
        (deep, Code::TooDeep),
        (of_rows("{}"), Code::InvalidContent),
        (of_rows("7"), Code::InvalidContent),
        (of_rows("[null]"), Code::InvalidContent),
        (of_rows(r#"[{"id":"d1","domainName":null}]"#), Code::InvalidContent),
        (of_rows(r#"[{"domainName":"a.com"}]"#), Code::InvalidContent),
        (of_rows(r#"[{"id":1,"domainName":"a.com"}]"#), Code::InvalidContent),
        (of_rows(r#"[{"id":"d1","offsetIndex":9007199254740992}]"#), Code::IntegerOutOfRange),
        (of_rows(r#"[{"id":"d1","dnsStatus":{"String":"ok"}}]"#), Code::InvalidContent),
        (of_rows(r#"[{"id":"d1","dnsStatus":{"String":7,"Valid":true}}]"#), Code::InvalidContent),
        (of_rows(r#"[{"id":"\ud800"}]"#), Code::LoneSurrogate),
        (of_rows("[]").replace("c1", "../x"), Code::InvalidCampaignId),
        (
            of_rows("[]").replace("{\"campaign\"", "{\"campaignId\":\"c2\",\"campaign\""),
            Code::InvalidContent,
        ),
        (
            of_rows("[]").replace("\"domains\":[]", "\"domains\":[],\"domains\":[]"),
            Code::AmbiguousEnvelope,
        ),
        (of_rows("[]").replace("dns_validation", "unheard_of"), Code::InvalidContent),
    ];
    for (json, code) in cases {
        assert_eq!(read(&json), Err(code), "{}", &json[..json.len().min(200)]);
    }
}
