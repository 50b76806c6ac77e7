//! `--dialect original`, over real sockets, compared with sessions recorded from the original's own
//! server: the same types, members and orders.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use campaign_sync::protocol::original::decode;
use campaign_sync_harness::original::Dialect;
use campaign_sync_harness::original::session::OriginalSession;
use campaign_sync_harness::session::{Conversation as _, Step};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::core::{Room, at};
use super::support::{Answer, Server, parse, rows_by_sql};

const RECORDING: &str = include_str!("../../../recordings/generation-to-http.jsonl");

/// Long enough for anything that comes at all.
const SILENCE: Duration = Duration::from_millis(400);

async fn server() -> Server {
    Server::with(|options| options.dialect = Dialect::Original).await
}

/// A socket that keeps frames as they came.
struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn open(server: &Server) -> Self {
        let url = format!("ws://{}/api/v2/ws", server.address);
        Self(connect_async(url).await.unwrap().0)
    }

    async fn subscribed(server: &Server, campaign: &str) -> Self {
        let mut socket = Self::open(server).await;
        socket.say(json!({"type": "connection_init", "lastSequenceNumber": 0})).await;
        let subscribe = json!({"type": "subscribe_campaign", "campaignId": campaign,
            "lastSequenceNumber": 0});
        socket.say(subscribe).await;
        socket
    }

    async fn say(&mut self, message: Value) {
        self.0.send(Message::Text(message.to_string().into())).await.unwrap();
    }

    /// The next frame; `None` when nothing comes.
    async fn frame(&mut self) -> Option<String> {
        loop {
            match timeout(SILENCE, self.0.next()).await {
                Err(_) => return None,
                Ok(Some(Ok(Message::Text(text)))) => return Some(text.to_string()),
                Ok(Some(Ok(Message::Ping(_)))) => {}
                Ok(other) => panic!("{other:?}"),
            }
        }
    }

    /// All frames until nothing comes any more.
    async fn frames(&mut self) -> Vec<String> {
        let mut frames = Vec::new();
        while let Some(frame) = self.frame().await {
            frames.push(frame);
        }
        frames
    }

    async fn closed(&mut self) -> Option<u16> {
        loop {
            match timeout(Duration::from_secs(30), self.0.next()).await.expect("never closed") {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }
}

async fn act(server: &Server, id: &str, action: &str) -> Value {
    let Answer { status, body, .. } = server.act(id, action).await;
    assert_eq!((status, &body["success"]), (200, &json!(true)), "{body}");
    body["data"].clone()
}

async fn completed(server: &Server, id: &str) {
    let done = async {
        loop {
            let body = server.get(&format!("/campaigns/{id}")).await.body;
            if body["data"]["phaseStatus"] == "completed" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(30), done).await.expect("the phase never ends");
}

async fn created(server: &Server, id: &str, count: u64) {
    let new = json!({"campaignId": id, "name": id, "count": count, "rate": 2_000});
    assert_eq!(server.post("/campaigns", new).await.body["data"]["id"], id);
}

/// Takes a campaign through generation, DNS and HTTP.
async fn to_http(server: &Server, id: &str) {
    act(server, id, "start").await;
    completed(server, id).await;
    for phase in ["dns", "http"] {
        assert_eq!(
            act(server, id, &format!("configure-{phase}")).await["phaseStatus"],
            "not_started"
        );
        act(server, id, &format!("validate-{phase}")).await;
        completed(server, id).await;
    }
}

fn documents(frames: &[String]) -> Vec<String> {
    frames.iter().flat_map(|frame| frame.split('\n')).map(str::to_owned).collect()
}

/// What was recorded as received.
fn recorded() -> Vec<String> {
    let lines = RECORDING.lines().map(parse);
    let received = lines.filter(|line| line["direction"] == "received");
    documents(&received.map(|line| line["frame"].as_str().unwrap().to_owned()).collect::<Vec<_>>())
}

/// A document's members in their order, each with the type of its value; for objects recursively.
fn shape(raw: &str) -> String {
    match parse(raw) {
        Value::Object(_) => {
            let members: Vec<_> =
                members(raw).iter().map(|(k, v)| format!("{k}: {}", shape(v))).collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::Array(_) => "array".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::Bool(_) => "boolean".to_owned(),
        Value::Null => "null".to_owned(),
    }
}

/// The members of an object as they were written.
fn members(raw: &str) -> Vec<(String, String)> {
    use serde::de::{Deserializer as _, MapAccess, Visitor};
    use serde_json::value::RawValue;
    struct InOrder;
    impl<'de> Visitor<'de> for InOrder {
        type Value = Vec<(String, String)>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                members.push((name, value.get().to_owned()));
            }
            Ok(members)
        }
    }
    serde_json::Deserializer::from_str(raw).deserialize_map(InOrder).unwrap()
}

/// The shapes of each type. What may be left away makes several of one type.
fn shapes(documents: &[String]) -> BTreeMap<String, BTreeSet<String>> {
    let mut shapes: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for document in documents {
        let kind = parse(document)["type"].as_str().unwrap().to_owned();
        shapes.entry(kind).or_default().insert(shape(document));
    }
    shapes
}

/// The types that tell how far a campaign is, without repetitions.
fn milestones(documents: &[String], campaign: &str) -> Vec<String> {
    let mut milestones: Vec<String> = Vec::new();
    for document in documents.iter().map(|it| parse(it)) {
        let of = [&document["campaignId"], &document["data"]["campaignId"]];
        let (kind, completed) = (&document["type"], document["data"]["phaseStatus"] == "completed");
        let tells = match kind.as_str().unwrap() {
            "campaign.progress" => completed,
            "campaign.status" | "campaign.list.update" | "validation_progress" => false,
            "connection_ack" | "system_notification" | "pong" => true,
            _ => of.iter().any(|it| **it == campaign),
        };
        // Which of the three spellings comes first depends on the row.
        let kind = kind.as_str().unwrap().replace("dns_validation_result", "dns.validation.result");
        if tells && !milestones.contains(&kind) | completed {
            milestones.push(kind);
        }
    }
    milestones
}

#[tokio::test]
async fn what_is_sent_has_the_shapes_and_the_order_of_what_was_recorded() {
    let server = server().await;
    created(&server, "c1", 250).await;
    let mut socket = Socket::subscribed(&server, "c1").await;
    let mut frames = vec![socket.frame().await.unwrap()];
    to_http(&server, "c1").await;
    socket.say(json!({"type": "ping", "payload": {"timestamp": 7}})).await;
    frames.extend(socket.frames().await);
    let sent = documents(&frames);

    let (ours, originals) = (shapes(&sent), shapes(&recorded()));
    for (kind, recorded) in &originals {
        let sent = ours.get(kind).unwrap_or_else(|| panic!("no {kind} was sent"));
        let others: Vec<_> = sent.difference(recorded).collect();
        // Two hybrids were never recorded: a number in an envelope that else has none.
        let hybrid = kind == "dns.validation.result"
            && others.iter().all(|it| it.contains("sequenceNumber: number, data"));
        assert!(others.is_empty() || hybrid, "{kind}: {others:#?}\nrecorded: {recorded:#?}");
        let one =
            kind.starts_with("http") || kind.starts_with("dns") || sent.len() == recorded.len();
        assert!(one, "{kind}: {sent:#?}\nrecorded: {recorded:#?}");
    }
    let id = "590c1440-9888-45b0-bd51-a817ee07c3f2";
    assert_eq!(milestones(&sent, "c1"), milestones(&recorded(), id));
}

#[tokio::test]
async fn one_counter_numbers_what_is_numbered_and_begins_anew_with_the_process() {
    let mut server = server().await;
    created(&server, "c1", 60).await;
    let mut one = Socket::subscribed(&server, "c1").await;
    let mut all = Socket::open(&server).await;
    all.say(json!({"type": "subscribe", "data": {"channels": ["campaigns"]}})).await;
    let mut frames = vec![one.frame().await.unwrap()];
    assert_eq!(parse(frames[0].split('\n').next().unwrap())["sequenceNumber"], 1);
    to_http(&server, "c1").await;
    frames.extend(one.frames().await);
    let sent = documents(&frames);
    let numbers: Vec<_> = sent
        .iter()
        .map(|it| parse(it))
        .filter_map(|it| {
            let number =
                it.get("sequenceNumber").or_else(|| it["sequence"].get("sequenceNumber"))?;
            number.as_u64().filter(|number| (1..1 << 53).contains(number))
        })
        .collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    assert!(*numbers.last().unwrap() > numbers.len() as u64, "the other socket had one too");
    let unnumbered = sent.iter().filter(|it| !it.contains("equenceNumber\":")).count();
    assert!(unnumbered > sent.len() / 2, "{unnumbered} of {}", sent.len());

    server.stop().await;
    server.restart(|options| options.dialect = Dialect::Original).await;
    let mut again = Socket::subscribed(&server, "c1").await;
    assert_eq!(
        parse(again.frame().await.unwrap().split('\n').next().unwrap())["sequenceNumber"],
        1
    );
}

#[tokio::test]
async fn every_document_is_read_by_our_client_and_hashes_are_right() {
    let server = server().await;
    created(&server, "c1", 120).await;
    let mut socket = Socket::subscribed(&server, "c1").await;
    to_http(&server, "c1").await;
    act(&server, "c1", "configure-analysis").await;
    act(&server, "c1", "analyze").await;
    completed(&server, "c1").await;
    let sent = documents(&socket.frames().await);
    let mut transitions = 0;
    for document in &sent {
        let read = decode(document).unwrap_or_else(|code| panic!("{code}: {document}"));
        assert!(read.hash_matches, "{document}");
        if let Some(sequence) = read.sequence {
            assert_eq!((sequence.hash.len(), read.kind), (16, "campaign.phase.transition"));
            transitions += 1;
        }
    }
    assert_eq!(transitions, 3);
    let hybrids = sent.iter().map(|it| parse(it)).filter(|it| {
        it.get("sequenceNumber").is_some() && it["type"].as_str().unwrap().contains('.')
    });
    let numbers: BTreeSet<_> = hybrids.map(|it| it["sequenceNumber"].as_u64().unwrap()).collect();
    assert!(numbers.contains(&0) && numbers.last().unwrap() >> 53 > 0, "{numbers:?}");
}

#[tokio::test]
async fn frames_hold_several_documents_and_everybody_hears_of_every_campaign() {
    let server = server().await;
    created(&server, "c1", 200).await;
    created(&server, "c2", 200).await;
    let mut socket = Socket::subscribed(&server, "c1").await;
    to_http(&server, "c2").await;
    let frames = socket.frames().await;
    let most = frames.iter().map(|frame| frame.split('\n').count()).max().unwrap();
    assert!((2..=257).contains(&most), "{most}");
    let of_c2: BTreeSet<_> = documents(&frames)
        .iter()
        .map(|it| parse(it))
        .filter(|it| it["data"]["campaignId"] == "c2")
        .map(|it| it["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        of_c2,
        BTreeSet::from(["campaign.progress".to_owned(), "domain.generated".to_owned()])
    );
}

#[tokio::test]
async fn what_is_not_understood_is_not_answered_and_recovery_neither() {
    let server = server().await;
    created(&server, "c1", 10).await;
    let mut socket = Socket::subscribed(&server, "c1").await;
    assert!(!socket.frames().await.is_empty());
    for message in [
        json!({"type": "request_event_recovery", "payload": {"campaignId": "c1", "lastSequenceNumber": 0}}),
        json!({"type": "request_campaign_digest", "payload": {"campaignId": "c1"}}),
        json!({"type": "unsubscribe_campaign", "campaignId": "c1"}),
        json!({"type": "subscribe_campaign", "campaignId": ""}),
        json!({"type": "heartbeat"}),
        json!([]),
    ] {
        socket.say(message).await;
    }
    socket.0.send(Message::Text("{no JSON".into())).await.unwrap();
    assert_eq!(socket.frames().await, Vec::<String>::new());
    socket.say(json!({"type": "subscribe", "payload": {"topic": "c1"}})).await;
    let ack = parse(&socket.frame().await.unwrap());
    assert_eq!(ack["data"], json!({"channels": null, "subscribed": true}));
    socket.say(json!({"type": "ping"})).await;
    let pong = socket.frame().await.unwrap();
    assert_eq!((&parse(&pong)["type"], pong.contains("data")), (&json!("pong"), false));
}

#[tokio::test]
async fn a_message_over_512_bytes_closes_with_1009() {
    let server = server().await;
    let mut socket = Socket::open(&server).await;
    socket.say(json!({"type": "ping", "x": "x".repeat(470)})).await;
    assert!(socket.frame().await.is_some());
    socket.say(json!({"type": "ping", "x": "x".repeat(500)})).await;
    assert_eq!(socket.closed().await, Some(1009));
}

#[tokio::test]
async fn rest_has_the_envelope_and_the_lists_of_the_original() {
    let server = server().await;
    created(&server, "c1", 130).await;
    to_http(&server, "c1").await;
    let Answer { position, body, .. } = server.get("/campaigns/c1").await;
    assert_eq!((position, &body["success"]), (None, &json!(true)));
    let campaign = &body["data"];
    assert_eq!(
        (&campaign["id"], &campaign["currentPhase"]),
        (&json!("c1"), &json!("http_keyword_validation"))
    );
    assert_eq!(server.get("/campaigns").await.body["data"][0]["id"], "c1");

    let rows = rows_by_sql(&server.db, "c1");
    for (list, expected) in [
        ("generated-domains", 130),
        ("dns-validation", rows.values().filter(|row| row.contains_key("dnsStatus")).count()),
        ("http-keyword", rows.values().filter(|row| row.contains_key("httpStatus")).count()),
    ] {
        let (mut names, mut cursor) = (BTreeSet::new(), String::new());
        loop {
            let url = format!("/campaigns/c1/results/{list}?limit=50{cursor}");
            let page = server.get(&url).await.body["data"].take();
            assert_eq!(page["totalCount"], expected, "{list}");
            let rows = page["data"].as_array().unwrap();
            names.extend(rows.iter().map(|row| row["domainName"].as_str().unwrap().to_owned()));
            let Some(next) = page.get("nextCursor") else { break };
            assert_eq!(next.is_number(), list == "generated-domains");
            let next = next.as_str().map_or_else(|| next.to_string(), str::to_owned);
            cursor = format!("&cursor={}", next.replace('&', "%26").replace('<', "%3C"));
        }
        assert_eq!(names.len(), expected, "{list}");
    }
    let refused = server.get("/campaigns/none").await;
    assert_eq!((refused.status, refused.code().1), (404, "NOT_FOUND"));
    assert_eq!(refused.body["success"], false);
    assert_eq!(server.get("/campaigns/c1/snapshot").await.status, 405);
}

#[test]
fn it_pings_every_54_s_and_lets_go_of_who_does_not_answer_for_60_s() {
    let context = Room::silent(0).context.clone();
    let mut session = OriginalSession::open(at(0), context, Arc::default(), &Arc::default());
    assert_eq!((session.timeout_ms(), session.poll(at(53_999), true)), (54_000, Step::Idle));
    assert_eq!(session.poll(at(54_000), true), Step::Ping);
    session.heard(at(54_010));
    assert_eq!(session.poll(at(60_000), true), Step::Idle);
    assert_eq!(session.poll(at(108_000), true), Step::Ping);
    // What it says is no answer to a ping.
    session.receive(at(110_000), "{}");
    assert_eq!(session.poll(at(114_010), true), Step::Close(1005, ""));
}
