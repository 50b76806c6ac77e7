//! Bad input: each kind gets a coded, counted refusal; the store keeps its state; later valid events still
//! apply.

use campaign_sync::protocol::frame::Frame;
use campaign_sync::protocol::limits::FRAME_BYTES_MAX;
use campaign_sync::protocol::{CampaignId, Code, Digest};
use campaign_sync::sync::{Input, Verdict};
use serde_json::{Value, json};

use crate::wire::{CAMPAIGN, EPOCH, Log, message, rows};
use crate::world::{World, wire_head};

/// A world, and the state that its store must keep.
pub(crate) struct Steady {
    pub(crate) world: World,
    pub(crate) log: Log,
    view: Value,
    rows: Vec<Value>,
}

impl Steady {
    pub(crate) fn new() -> Self {
        let log = Log::with_rows(3);
        let mut world = World::following(&log);
        let (view, rows) = (world.view(), world.rows());
        Self { world, log, view, rows }
    }

    /// Checks that the whole frame is refused.
    fn refuses_frame(mut self, frame: Frame<'_>, code: Code) {
        let outcome = self.world.handle(Input::Received(self.world.socket(), frame));
        assert_eq!((outcome.refused, outcome.verdicts.len(), outcome.applied), (Some(code), 0, 0));
        self.counted(code);
        self.stands();
    }

    /// Checks that the document is refused and that the next document of its frame is not.
    fn refuses(mut self, document: &str, code: Code) {
        let frame = format!("{document}\n{}", message("pong", &json!({})));
        let outcome = self.world.frame(&frame);
        assert_eq!(outcome.verdicts, [Verdict::Refused(code), Verdict::Control], "{document:.200}");
        self.counted(code);
        self.stands();
    }

    /// Checks that an event which is the next one is rejected.
    fn rejects(mut self, kind: &str, data: &str, code: Code) {
        let mut event = self.log.next(kind, &Value::Null);
        event.data = data.to_owned();
        assert_eq!(self.world.receive(&event.document()), Verdict::Rejected, "{data:.200}");
        self.counted(code);
        self.world.answer_snapshot(EPOCH, 4, rows(3));
        self.view = self.world.view();
        self.stands();
    }

    fn counted(&self, code: Code) {
        assert_eq!(self.world.metrics().refused.of(code), 1, "{code} is counted");
        assert_eq!(self.world.notice("rejected")["code"], code.as_str());
    }

    /// Checks that the store is unchanged and that it applies the next event.
    pub(crate) fn stands(mut self) {
        for part in ["campaign", "position", "domainsDigest", "counts", "lastTransition"] {
            assert_eq!(self.world.view()[part], self.view[part]);
        }
        assert_eq!(self.world.rows(), self.rows);
        let good = self.log.generate(3);
        assert_eq!(self.world.receive(&good.document()), Verdict::Applied);
        assert_eq!((self.world.position(), self.world.rows().len()), (5, 4));
    }
}

// R2.3, R2.7, R13.20, R14.5
#[test]
fn text_that_is_not_json_is_refused() {
    for document in
        ["not json", "{", "{\"type\":}", "{\"type\":\"pong\"} x", "\u{feff}{}", "<html>"]
    {
        Steady::new().refuses(document, Code::InvalidJson);
    }
}

// R13.20
#[test]
fn json_other_than_an_envelope_is_refused() {
    for document in ["null", "7", "[]", "\"pong\"", "{}", r#"{"type":7}"#, r#"{"type":null}"#] {
        Steady::new().refuses(document, Code::InvalidEnvelope);
    }
}

// R2.4, R14.5
#[test]
fn a_frame_over_the_limit_is_refused_whole() {
    let at_limit = message("pong", &json!({}));
    let pad = |bytes: usize| format!("{}{at_limit}", " ".repeat(bytes - at_limit.len()));
    Steady::new().refuses_frame(Frame::Text(&pad(FRAME_BYTES_MAX + 1)), Code::FrameTooLarge);
    let binary = pad(FRAME_BYTES_MAX + 1).into_bytes();
    Steady::new().refuses_frame(Frame::Binary(&binary), Code::FrameTooLarge);
    let mut steady = Steady::new();
    assert_eq!(steady.world.receive(&pad(FRAME_BYTES_MAX)), Verdict::Control, "the limit itself");
}

// R2.7
#[test]
fn nesting_ten_thousand_deep_is_refused() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        Steady::new().refuses(&format!(r#"{{"type":"pong","data":{deep}}}"#), Code::TooDeep);
        Steady::new().refuses(&format!(r#"{{"type":"pong","x":{deep}}}"#), Code::TooDeep);
        Steady::new().refuses(&deep.replace('1', "null"), Code::TooDeep);
    }
}

// R2.7
#[test]
fn a_number_over_two_to_the_53_is_refused_and_never_rounded() {
    let head = |number: &str| {
        format!(
            r#"{{"type":"pong","data":{{"heads":[{{"campaignId":"{CAMPAIGN}","epoch":"{EPOCH}","lastSequenceNumber":{number},"logHead":4}}]}}}}"#
        )
    };
    Steady::new().refuses(&head("9007199254740992"), Code::IntegerOutOfRange);
    Steady::new().refuses(&head("99999999999999999999999999"), Code::IntegerOutOfRange);
    let event = Log::with_rows(1).document(1);
    let big = event.replace("\"sequenceNumber\":1,", "\"sequenceNumber\":9007199254740993,");
    Steady::new().refuses(&big, Code::IntegerOutOfRange);
    let progress = format!(
        r#"{{"campaignId":"{CAMPAIGN}","currentPhase":"domain_generation","phaseStatus":"in_progress","totalItems":9007199254740992,"processedItems":0,"successfulItems":0,"failedItems":0,"progressPercent":0}}"#
    );
    Steady::new().rejects("campaign.progress", &progress, Code::IntegerOutOfRange);
}

#[test]
fn unused_number_over_two_to_the_53_is_ignored() {
    let mut steady = Steady::new();
    let mut event = steady.log.next("campaign.deleted.tomorrow", &Value::Null);
    event.data = r#"{"n":18446744073709551615,"m":1e400}"#.to_owned();
    assert_eq!(steady.world.receive(&event.document()), Verdict::AppliedUnknown);
}

// R10.6
#[test]
fn null_data_is_refused() {
    for kind in ["event_recovery", "campaign.snapshot", "campaign.digest", "subscription_ended"] {
        Steady::new().refuses(&message(kind, &Value::Null), Code::InvalidContent);
    }
    for kind in ["campaign.progress", "domain.generated", "domains.updated", "campaign.status"] {
        Steady::new().rejects(kind, "null", Code::InvalidContent);
    }
}

#[test]
fn objects_in_place_of_nullable_values_are_refused() {
    let nullable = r#"{"domainId":"d-0","dnsStatus":{"String":"ok","Valid":true}}"#;
    let data = format!(r#"{{"campaignId":"{CAMPAIGN}","domains":[{nullable}]}}"#);
    Steady::new().rejects("domains.updated", &data, Code::InvalidContent);
    let data = data.replace(r#"{"String":"ok","Valid":true}"#, r#"{"Int32":0,"Valid":false}"#);
    Steady::new().rejects("domains.updated", &data, Code::InvalidContent);
}

// R2.4
#[test]
fn invalid_utf8_in_a_binary_frame_is_refused_whole() {
    let good = message("pong", &json!({}));
    for bad in
        [&b"\xff"[..], b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\xc0\xaf"]
    {
        let frame = [good.as_bytes(), b"\n\"", bad, b"\"\n", good.as_bytes()].concat();
        Steady::new().refuses_frame(Frame::Binary(&frame), Code::InvalidUtf8);
    }
}

// R2.7
#[test]
fn lone_surrogates_are_refused() {
    for half in [r"\ud800", r"\udfff", r"\ud800\ud800", r"\ude00\ud83d"] {
        let document = format!(r#"{{"type":"pong","data":{{"note":"{half}"}}}}"#);
        Steady::new().refuses(&document, Code::LoneSurrogate);
    }
}

#[test]
fn javascript_prototype_names_are_ordinary_values() {
    let names = ["__proto__", "constructor", "prototype", "hasOwnProperty", "toString", "valueOf"];
    for name in names {
        let mut steady = Steady::new();
        let heads = json!([wire_head(EPOCH, 4, 4)]);
        let pong = message("pong", &json!({name: {"polluted": true}, "heads": heads}));
        assert_eq!(steady.world.receive(&pong), Verdict::Control);
        let update = json!([{"domainId": name, "domain": name, "dnsStatus": name}]);
        let event = steady.log.update(update);
        assert_eq!(steady.world.receive(&event.document()), Verdict::Applied);
        let counts = steady.world.view()["counts"]["dns"].clone();
        assert_eq!(counts[name], 1, "{counts}");
        assert_eq!(steady.world.rows()[3]["domainId"], *name);
    }
}

// R2.7, R13.20
#[test]
fn repeated_and_escaped_envelope_members_are_refused() {
    let event = Log::with_rows(4).document(5);
    for (once, twice) in [
        (r#"{"type":"#, r#"{"type":"x","type":"#),
        (r#","data":"#, r#","data":{},"data":"#),
        (r#","timestamp":"#, r#","timestamp":"","timestamp":"#),
        (r#","sequence":"#, r#","sequence":{},"sequence":"#),
        (r#","eventHash":"#, r#","eventHash":"","eventHash":"#),
        (r#","epoch":"#, r#","epoch":"e","epoch":"#),
        (r#"{"type":"#, "{\"t\\u0079pe\":"),
        (r#"{"type":"#, "{\"\\u0074ype\":\"x\",\"type\":"),
        (r#","epoch":"#, ",\"epo\\u0063h\":"),
    ] {
        let spoiled = event.replacen(once, twice, 1);
        assert_ne!(spoiled, event);
        Steady::new().refuses(&spoiled, Code::AmbiguousEnvelope);
    }
}

#[test]
fn event_of_an_unsubscribed_campaign_is_counted_and_ignored() {
    let mut steady = Steady::new();
    let foreign = Log::with_rows(0).of_campaign("campaign-77").document(1);
    assert_eq!(steady.world.receive(&foreign), Verdict::Unsubscribed);
    assert_eq!(steady.world.metrics().unsubscribed, 1);
    steady.stands();
}

// R2.10, R2.11
#[test]
fn an_unknown_type_is_counted_and_ignored() {
    let mut steady = Steady::new();
    assert_eq!(steady.world.receive(&message("weather", &json!({"rain": 1}))), Verdict::Ignored);
    assert_eq!(steady.world.metrics().unknown_types, 1);
    let member = r#"{"type":"pong","weather":1,"data":{}}"#;
    assert_eq!(steady.world.receive(member), Verdict::Control);
    assert_eq!(steady.world.metrics().unknown_members, 1);
    steady.stands();
}

// R2.4
#[test]
fn an_empty_frame_is_refused() {
    for frame in ["", "\n", "\n\n\r\n \t\n"] {
        Steady::new().refuses_frame(Frame::Text(frame), Code::EmptyFrame);
        Steady::new().refuses_frame(Frame::Binary(frame.as_bytes()), Code::EmptyFrame);
    }
}

// R2.4
#[test]
fn a_hundred_thousand_documents_in_one_frame_are_refused_whole() {
    Steady::new().refuses_frame(Frame::Text(&"{}\n".repeat(100_000)), Code::TooManyDocuments);
    Steady::new().refuses_frame(Frame::Text(&"7\n".repeat(10_001)), Code::TooManyDocuments);
    let mut steady = Steady::new();
    let outcome = steady.world.frame(&"7\n\n".repeat(10_000));
    assert_eq!(outcome.verdicts.len(), 10_000, "blank lines are no documents");
    steady.stands();
}

// R2.13
#[test]
fn invalid_campaign_id_is_refused() {
    let long = "x".repeat(65);
    for id in ["*", "a.>", "../x", "", "a/b", "a b", "ä", &long] {
        assert_eq!(CampaignId::new(id), Err(Code::InvalidCampaignId), "{id}");
        let event = Log::with_rows(0).of_campaign(id).document(1);
        Steady::new().refuses(&event, Code::InvalidCampaignId);
        let head = json!({"heads": [{"campaignId": id, "epoch": EPOCH, "lastSequenceNumber": 4,
            "logHead": 4}]});
        Steady::new().refuses(&message("pong", &head), Code::InvalidCampaignId);
    }
    assert!(CampaignId::new(&"x".repeat(64)).is_ok());
}

#[test]
fn invalid_epoch_or_event_id_is_refused() {
    let event = Log::with_rows(4).document(5);
    for bad in ["", "a b", "a/b", "é", "a\\\\b", &"x".repeat(129)] {
        for member in ["epoch", "eventId", "previousEventId"] {
            let start = event.find(&format!("\"{member}\":\"")).expect("there") + member.len() + 4;
            let end = start + event[start..].find('"').expect("closed");
            let spoiled = format!("{}{bad}{}", &event[..start], &event[end..]);
            Steady::new().refuses(&spoiled, Code::InvalidEnvelope);
        }
    }
}

// R4.10
#[test]
fn a_short_hash_is_never_accepted() {
    let event = Log::with_rows(4);
    let event = event.event(5);
    let hash = event.hash();
    for bad in [&hash[..16], &hash[..63], &hash.to_uppercase(), "", &format!("{hash}0")] {
        Steady::new().refuses(&event.document_with_hash(bad), Code::InvalidEnvelope);
    }
}

#[test]
fn digest_must_be_sixteen_lower_case_hex_digits() {
    assert_eq!(Digest::parse("00000000000000af"), Some(Digest(0xaf)));
    for text in
        ["", "af", "0000000000000af", "000000000000000af", "00000000000000AF", "+0000000000000af"]
    {
        assert_eq!(Digest::parse(text), None, "{text:?}");
    }
}

// R10.6
#[test]
fn more_rows_than_one_event_may_carry_are_rejected() {
    let ids: Vec<String> = (0..1_001).map(|number| format!("d-{number}")).collect();
    let data = json!({"campaignId": CAMPAIGN, "domainIds": ids}).to_string();
    Steady::new().rejects("domains.removed", &data, Code::InvalidContent);
    let patch = |id: &String| json!({"domainId": id, "domain": "n"});
    let rows: Vec<Value> = ids.iter().map(patch).collect();
    let data = json!({"campaignId": CAMPAIGN, "domains": rows}).to_string();
    Steady::new().rejects("domains.updated", &data, Code::InvalidContent);
}

// R4.11
#[test]
fn an_event_whose_data_names_another_campaign_is_rejected() {
    let data = r#"{"campaignId":"campaign-2","domainId":"d-9","domain":"n.example"}"#;
    Steady::new().rejects("domain.generated", data, Code::InvalidContent);
}
