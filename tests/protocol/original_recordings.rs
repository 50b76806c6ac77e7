//! The recorded sessions of an original server, document by document.

use std::collections::{BTreeMap, BTreeSet};

use campaign_sync::protocol::Code;
use campaign_sync::protocol::body::Body;
use campaign_sync::protocol::frame::Frame;
use campaign_sync::protocol::original::{Document, Message, decode};

const GENERATION_TO_HTTP: &str = include_str!("../recordings/generation-to-http.jsonl");
const DISCONNECT: &str = include_str!("../recordings/disconnect-during-dns-transition.jsonl");

/// The documents that a recorded client received, in order.
fn received(recording: &str) -> Vec<String> {
    let mut documents = Vec::new();
    for line in recording.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("a recorded line is JSON");
        if line["direction"] == "received" {
            let frame = line["frame"].as_str().expect("a received frame is text");
            let frame = Frame::Text(frame).documents().expect("a recorded frame is in order");
            documents.extend(frame.map(str::to_owned));
        }
    }
    documents
}

fn sequenced() -> Vec<String> {
    let mut events = received(GENERATION_TO_HTTP);
    events.extend(received(DISCONNECT));
    events.retain(|document| document.contains(r#","sequence":{"#));
    assert_eq!(events.len(), 3, "the recordings hold three sequenced events");
    events
}

fn label(message: &Message<'_>) -> &'static str {
    match message {
        Message::Ack { .. } => "ack",
        Message::SubscriptionConfirmed => "subscription confirmed",
        Message::Pong => "pong",
        Message::Event(Body::Row(_)) => "row",
        Message::Event(Body::Transition(_)) => "transition",
        Message::Event(Body::Notification { .. }) => "notification",
        Message::Progress(_) => "progress",
        Message::LegacyTransition(_) => "legacy transition",
        Message::PhaseComplete(_) => "phase complete",
        _ => "other",
    }
}

fn labels(recording: &str) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for document in received(recording) {
        let decoded = decode(&document).unwrap_or_else(|code| panic!("{code}: {document}"));
        assert!(decoded.hash_matches, "{document}");
        *counts.entry(label(&decoded.message)).or_default() += 1;
    }
    counts
}

#[test]
fn every_document_of_generation_to_http_is_understood() {
    let expected = [
        ("ack", 1),
        ("legacy transition", 1),
        ("notification", 1),
        ("phase complete", 1),
        ("pong", 1),
        ("progress", 18 + 5),
        ("row", 334 + 125 + 125 + 91),
        ("subscription confirmed", 1),
        ("transition", 2),
    ];
    assert_eq!(labels(GENERATION_TO_HTTP), BTreeMap::from(expected));
}

#[test]
fn every_document_of_disconnect_during_dns_transition_is_understood() {
    let expected = [
        ("ack", 1),
        ("notification", 1),
        ("phase complete", 1),
        ("pong", 1),
        ("progress", 11 + 2),
        ("row", 160 + 60 + 60 + 55),
        ("subscription confirmed", 2),
        ("transition", 1),
    ];
    assert_eq!(labels(DISCONNECT), BTreeMap::from(expected));
}

#[test]
fn the_rows_of_a_recording_are_those_that_its_server_had() {
    let cases = [
        (GENERATION_TO_HTTP, "590c1440-9888-45b0-bd51-a817ee07c3f2", 250, 91),
        (DISCONNECT, "3686b9e6-69d9-48c8-9996-3733b8a6fb1c", 120, 55),
    ];
    for (recording, campaign, domains, resolved) in cases {
        let (mut all, mut found, mut of_others) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for document in received(recording) {
            let Document { campaign_id, message: Message::Event(Body::Row(row)), .. } =
                decode(&document).expect("a recorded document is in order")
            else {
                continue;
            };
            let id = row.domain_id.clone().into_owned();
            if campaign_id.as_deref() != Some(campaign) {
                of_others.insert(id);
                continue;
            }
            if row.dns_status.value().is_some_and(|status| status == "resolved") {
                found.insert(id.clone());
            }
            all.insert(id);
        }
        assert_eq!((all.len(), found.len()), (domains, resolved));
        assert!(!of_others.is_empty() && all.is_disjoint(&of_others));
    }
}

#[test]
fn every_sequenced_event_verifies() {
    for document in sequenced() {
        let event = decode(&document).expect("a recorded document is in order");
        let sequence = event.sequence.expect("the event is sequenced");
        let hash = event.content_hash.expect("a sequenced event has a hash");
        assert!(event.hash_matches && hash.begins_with(sequence.hash));
        assert_eq!(event.campaign_id, Some(sequence.campaign_id));
        assert!(sequence.checkpoint);
    }
}

/// What is left of `document` when `pattern` is flipped at `at`: the documents that neither are
/// refused nor fail their hash.
fn survivors(document: &str, at: usize, pattern: u8, mut survivor: impl FnMut(&Document<'_>)) {
    let mut bytes = document.as_bytes().to_vec();
    bytes[at] ^= pattern;
    let Ok(documents) = Frame::Binary(&bytes).documents() else { return };
    for decoded in documents.map(decode) {
        match decoded {
            Ok(decoded) if decoded.hash_matches => survivor(&decoded),
            Ok(_) | Err(_) => {}
        }
    }
}

const BITS: [u8; 8] = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80];

#[test]
fn every_flipped_bit_of_type_timestamp_data_or_hash_is_caught() {
    for document in sequenced() {
        // Names, quotes and punctuation of these members are flipped as well.
        let content = 0..document.find(r#","sequence":{"#).expect("the event is sequenced");
        let hash = document.find(r#""eventHash":"#).expect("the event has a hash");
        let hash = hash..hash + r#""eventHash":"0123456789abcdef""#.len();
        for (at, pattern) in content.chain(hash).flat_map(|at| BITS.map(|pattern| (at, pattern))) {
            survivors(&document, at, pattern, |decoded| {
                panic!("byte {at} ^ {pattern:#04x} was not caught: {decoded:?}");
            });
        }
    }
}

#[test]
fn every_flipped_bit_of_the_sequence_block_leaves_the_content_as_it_was() {
    for document in sequenced() {
        let intact = decode(&document).expect("a recorded document is in order");
        let block = document.find(r#","sequence":{"#).expect("the event is sequenced");
        let mut survived = 0;
        for (at, pattern) in (block..document.len()).flat_map(|at| BITS.map(|bit| (at, bit))) {
            survivors(&document, at, pattern, |decoded| {
                survived += 1;
                assert_eq!(decoded.kind, intact.kind);
                assert_eq!(decoded.timestamp, intact.timestamp);
                assert_eq!(decoded.campaign_id, intact.campaign_id);
                assert_eq!(decoded.message, intact.message);
            });
        }
        assert!(survived > 0, "the original's hash does not cover the number, so some survive");
    }
}

#[test]
fn corrupt_content_that_cannot_be_read_is_told_as_corrupt() {
    for document in sequenced() {
        let corrupt = document.replacen(r#""newPhase":""#, r#""newPhase":"x"#, 1);
        assert_eq!(decode(&corrupt), Err(Code::HashMismatch));
    }
}
