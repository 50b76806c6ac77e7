//! The seeds of the search: sessions recorded from the reference server, and short ones written here.

use campaign_sync::protocol::Digest;
use campaign_sync::protocol::digest::{RowFields, RowHasher};
use serde_json::{Value, json};

const RECORDINGS: [&str; 2] = [
    include_str!("../../recordings/generation-to-http.jsonl"),
    include_str!("../../recordings/disconnect-during-dns-transition.jsonl"),
];
/// Frames of a recording that one seed holds: the search cuts and joins them anyway.
const FRAMES_EACH: usize = 40;
const TIMESTAMP: &str = "2030-03-17T17:46:40.000Z";

/// The seeds of a target, by its name.
///
/// # Panics
/// If no target has that name, or a recording cannot be read.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    let lines = |lines: Vec<String>| lines.join("\n").into_bytes();
    match target {
        "frame" => {
            let recorded = RECORDINGS.into_iter().flat_map(frames).map(String::into_bytes);
            let ours = (1..=6).map(|number| event(number).into_bytes());
            let parts = parts("$r").into_iter().chain([ack(), answer("replay", 1, 6), pong(6)]);
            recorded.step_by(20).chain(ours).chain(parts.map(String::into_bytes)).collect()
        }
        "staging" => {
            let part = |index: usize| format!("={}", data(&parts("r")[index]));
            vec![
                lines(vec![part(0), part(1)]),
                lines(vec![part(0), part(0), part(1)]),
                lines(vec![part(1), part(0)]),
                lines(parts("r").iter().map(|part| data(part)).collect()),
            ]
        }
        "machine" => {
            RECORDINGS.into_iter().flat_map(recorded).map(lines).chain(written()).collect()
        }
        "session" => vec![lines(conversation(0)), lines(conversation(2)), lines(conversation(9))],
        _ => panic!("no target is named {target}"),
    }
}

/// The frames that a recorded client received.
fn frames(recording: &str) -> Vec<String> {
    let read = |line: &str| -> Option<String> {
        let line: Value = serde_json::from_str(line).expect("a recorded line is JSON");
        (line["direction"] == "received").then(|| line["frame"].as_str().map(str::to_owned))?
    };
    recording.lines().filter_map(read).collect()
}

/// The seeds of a recorded session. Each holds some frames and begins with the acknowledgement.
fn recorded(recording: &str) -> Vec<Vec<String>> {
    let frames = frames(recording);
    let retain = format!("+{}", campaign_of(recording));
    let greeting = ["#0", &retain, "C", "O"].map(str::to_owned);
    let frame = |frame: &String| format!("!{}", frame.replace('\n', "\u{1e}"));
    let acknowledgement = frame(&frames[0]);
    let seed = |frames: &[String]| {
        let frames = frames.iter().map(frame);
        greeting.iter().chain([&acknowledgement]).cloned().chain(frames).collect()
    };
    frames[1..].chunks(FRAMES_EACH).step_by(4).map(seed).collect()
}

/// The campaign that a recorded client subscribed to.
fn campaign_of(recording: &str) -> String {
    let sent = recording.lines().find(|line| line.contains("subscribe_campaign"));
    let line: Value = serde_json::from_str(sent.expect("a campaign is subscribed to"))
        .expect("a recorded line is JSON");
    let message: Value = serde_json::from_str(line["frame"].as_str().expect("a frame is text"))
        .expect("a sent frame is JSON");
    message["campaignId"].as_str().expect("it names the campaign").to_owned()
}

/// Sessions: one that follows, one with a gap, one with a snapshot, one that is cut, one that becomes live.
pub(crate) fn written() -> Vec<Vec<u8>> {
    let events = |numbers: &[u64]| -> Vec<String> {
        numbers.iter().map(|&number| format!("={}", event(number))).collect()
    };
    let greeting = ["+c1", "C", "O"].map(str::to_owned).into_iter().chain([format!("!{}", ack())]);
    let started = |more: Vec<String>| greeting.clone().chain(more).collect::<Vec<_>>().join("\n");
    let replays = |from, to| format!("!{}", answer("replay", from, to));
    let follows: Vec<String> =
        [replays(1, 4)].into_iter().chain(events(&[1, 2, 3, 4, 5, 6])).collect();
    let pong = format!("!{}", pong(6));
    let gap = follows.iter().take(3).cloned().chain(events(&[5, 6, 4])).chain([
        "T".to_owned(),
        replays(3, 6),
        "P500".to_owned(),
    ]);
    let gap = gap.chain(events(&[3, 4, 5, 6])).collect();
    let snapshot = [format!("!{}", answer("snapshot", 4, 3))]
        .into_iter()
        .chain(parts("$r").into_iter().map(|part| format!("!{part}")))
        .chain(events(&[4, 5, 6]))
        .collect();
    let again = ["D1006", "T", "O"].map(str::to_owned).into_iter().chain([format!("!{}", ack())]);
    let cut = follows
        .iter()
        .cloned()
        .chain(again)
        .chain([format!("!{}", answer("current", 7, 6))])
        .collect();
    let live = follows.iter().cloned().chain(["T".to_owned(), pong]).collect();
    [follows, gap, snapshot, cut, live].map(|more| started(more).into_bytes()).into()
}

fn message(kind: &str, data: &Value) -> String {
    json!({"type": kind, "timestamp": TIMESTAMP, "data": data}).to_string()
}

fn data(document: &str) -> String {
    let document: Value = serde_json::from_str(document).expect("seeds are JSON");
    document["data"].to_string()
}

fn ack() -> String {
    message("connection_ack", &json!({"connectionId": "k", "protocol": "campaign-sync.v1"}))
}

fn answer(outcome: &str, from: u64, to: u64) -> String {
    let data = json!({"campaignId": "c1", "requestId": "$r", "epoch": "e1", "outcome": outcome,
        "fromSequenceNumber": from, "toSequenceNumber": to});
    message("event_recovery", &data)
}

/// The ping's timestamp is filled in where the document is used.
fn pong(head: u64) -> String {
    let heads = json!([{"campaignId": "c1", "epoch": "e1", "lastSequenceNumber": head,
        "logHead": head}]);
    message("pong", &json!({"timestamp": "$p", "heads": heads})).replace("\"$p\"", "$p")
}

/// The event of that number. Its hash is a placeholder, which is corrected where the document is used.
fn event(number: u64) -> String {
    let (kind, data) = match number {
        1 => (
            "campaign.list.update",
            json!({"action": "create", "campaign": record("domain_generation", "in_progress", 1)}),
        ),
        2 => ("domain.generated", json!({"domainId": "d0", "domain": "a0.example", "offset": 0})),
        3 => ("domains.updated", json!({"domains": [row(0), row(1)]})),
        4 => (
            "campaign.progress",
            json!({"totalItems": 9, "processedItems": 3,
            "successfulItems": 3, "failedItems": 0, "progressPercent": 33.3,
            "currentPhase": "domain_generation", "phaseStatus": "in_progress"}),
        ),
        5 => ("campaign.phase.transition", transition()),
        _ => ("domains.removed", json!({"domainIds": ["d1"]})),
    };
    let mut data = data;
    data["campaignId"] = json!("c1");
    let previous = (number > 1).then(|| format!("e1-{}", number - 1));
    json!({"type": kind, "timestamp": TIMESTAMP, "data": data, "sequence": {
        "campaignId": "c1", "epoch": "e1", "eventId": format!("e1-{number}"),
        "sequenceNumber": number, "eventHash": "0".repeat(64), "previousEventId": previous,
        "checkpointData": kind == "campaign.phase.transition"}})
    .to_string()
}

fn record(phase: &str, status: &str, total: u64) -> Value {
    json!({"campaignId": "c1", "name": "Spring", "currentPhase": phase,
        "phaseStatus": status, "totalItems": 9, "processedItems": 3, "successfulItems": 3,
        "failedItems": 0, "progressPercentage": 33.3, "totalDomainCount": total,
        "createdAt": TIMESTAMP, "updatedAt": TIMESTAMP})
}

fn transition() -> Value {
    json!({"previousPhase": "domain_generation", "newPhase": "dns_validation",
        "newStatus": "ready", "transitionType": "manual", "triggerReason": "configured",
        "prerequisitesMet": true, "dataIntegrityCheck": true, "domainsCount": 2,
        "processedCount": 0, "successfulCount": 0, "failedItems": 0, "estimatedDuration": 90,
        "transitionMetadata": {}, "rollbackData": null, "campaign": record("dns_validation", "ready", 2),
        "domainsDigest": digest()})
}

fn row(number: u64) -> Value {
    json!({"domainId": format!("d{number}"), "domain": format!("a{number}.example"),
        "offset": number})
}

fn digest() -> String {
    let (mut hasher, mut digest) = (RowHasher::default(), Digest::default());
    for number in 0..2 {
        let (id, domain) = (format!("d{number}"), format!("a{number}.example"));
        digest.add(hasher.hash(&RowFields {
            domain_id: &id,
            domain: Some(&domain),
            offset: Some(number),
            ..RowFields::default()
        }));
    }
    digest.to_string()
}

/// A snapshot at 3 in two parts.
fn parts(request: &str) -> Vec<String> {
    let part = |number: u64| {
        let mut data = json!({"campaignId": "c1", "requestId": request, "epoch": "e1",
            "sequenceNumber": 3, "eventId": "e1-3", "part": number, "parts": 2,
            "domains": [row(number - 1)], "domainsCount": 2, "domainsDigest": digest()});
        if number == 1 {
            data["campaign"] = record("domain_generation", "in_progress", 2);
        }
        message("campaign.snapshot", &data)
    };
    vec![part(1), part(2)]
}

/// The messages of a client whose position is `last`.
fn conversation(last: u64) -> Vec<String> {
    let say = |message: Value| format!(">{message}");
    let of = |kind: &str, payload: Value| say(json!({"type": kind, "payload": payload}));
    vec![
        say(json!({"type": "connection_init", "protocols": ["campaign-sync.v1"]})),
        say(json!({"type": "subscribe_campaign", "campaignId": "c1"})),
        of(
            "request_event_recovery",
            json!({"campaignId": "c1", "lastSequenceNumber": last,
            "epoch": "epoch-1", "requestId": "r1", "reason": "connect"}),
        ),
        "G".to_owned(),
        of("ping", json!({"timestamp": 77})),
        of("request_campaign_digest", json!({"campaignId": "c1", "requestId": "r2"})),
        "E".to_owned(),
        of(
            "request_campaign_snapshot",
            json!({"campaignId": "c1", "requestId": "r3", "buckets": [0, 9, 255]}),
        ),
        "T".to_owned(),
        of(
            "request_event_recovery",
            json!({"campaignId": "c1", "lastSequenceNumber": last,
            "epoch": "epoch-1", "requestId": "r4", "prefer": "snapshot"}),
        ),
        say(json!({"type": "unsubscribe_campaign", "campaignId": "c1"})),
        "L".to_owned(),
    ]
}
