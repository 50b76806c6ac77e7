//! The golden vectors of the contract, for authors of other servers. Another implementation made them; this
//! one reads them.

use campaign_sync::protocol::digest::{EMPTY_BUCKETS, RowHasher, bucket_of, id_hash};
use campaign_sync::protocol::domain::RowPatch;
use campaign_sync::protocol::envelope::Envelope;
use campaign_sync::protocol::json::Reader;
use campaign_sync::protocol::{Digest, EventHash};
use campaign_sync::store::DomainTable;
use serde_json::Value;

const EVENTS: &str = include_str!("../../docs/vectors/event-hash.json");
const ROWS: &str = include_str!("../../docs/vectors/row-hash.json");
const TABLES: &str = include_str!("../../docs/vectors/digest.json");

fn vectors(json: &str, list: &str) -> Vec<Value> {
    let mut file: Value = serde_json::from_str(json).expect("vectors are JSON");
    let Value::Array(vectors) = file[list].take() else { panic!("{list} is no list") };
    assert!(!vectors.is_empty());
    vectors
}

fn text<'a>(vector: &'a Value, member: &str) -> &'a str {
    vector[member].as_str().unwrap_or_else(|| panic!("{member} is no text"))
}

// R4.9, R4.13
#[test]
fn v1_events_match_their_golden_hashes() {
    for vector in vectors(EVENTS, "events") {
        let envelope = Envelope::parse(text(&vector, "document")).expect("in order");
        let sequence = envelope.sequence.expect("an event");
        let (kind, timestamp) = (envelope.kind_raw, envelope.timestamp_raw);
        let hash = EventHash::of_v1(kind, timestamp, envelope.data, sequence.hashed());
        assert_eq!(hash.to_string(), text(&vector, "eventHash"), "{}", vector["name"]);
        assert_eq!(sequence.hash, hash);
    }
}

// R4.13
#[test]
fn hashed_text_of_an_event_follows_the_contract() {
    for vector in vectors(EVENTS, "events") {
        let envelope = Envelope::parse(text(&vector, "document")).expect("in order");
        let at = envelope.sequence.expect("an event").hashed().join(",");
        let Envelope { kind_raw, timestamp_raw, data, .. } = envelope;
        let hashed = format!(
            r#"{{"type":{kind_raw},"timestamp":{timestamp_raw},"data":{data},"at":[{at}]}}"#
        );
        assert_eq!(hashed, text(&vector, "hashed"), "{}", vector["name"]);
    }
}

// R11.1
#[test]
fn rows_match_their_golden_hashes() {
    for vector in vectors(ROWS, "rows") {
        let row = vector["row"].to_string();
        let row = RowPatch::read(&mut Reader::new(&row)).expect("in order");
        let hash = Digest(RowHasher::default().hash(&row.fields()));
        assert_eq!(hash.to_string(), text(&vector, "rowHash"), "{}", vector["row"]);
    }
}

// R11.1
#[test]
fn ids_match_their_golden_buckets() {
    for vector in vectors(ROWS, "ids") {
        let hash = id_hash(text(&vector, "domainId"));
        assert_eq!(Digest(hash).to_string(), text(&vector, "idHash"));
        assert_eq!(bucket_of(hash), vector["bucket"]);
    }
}

// R11.1
#[test]
fn tables_match_their_golden_digests_and_buckets() {
    for vector in vectors(TABLES, "tables") {
        let mut table = DomainTable::default();
        for row in vector["rows"].as_array().expect("rows") {
            let row = row.to_string();
            let row = RowPatch::read(&mut Reader::new(&row)).expect("in order");
            assert_eq!(table.upsert(&row), Ok(true));
        }
        assert_eq!(table.len(), vector["domainsCount"], "{}", vector["name"]);
        assert_eq!(table.digest().to_string(), text(&vector, "domainsDigest"));
        let mut buckets = EMPTY_BUCKETS;
        for bucket in vector["buckets"].as_array().expect("buckets") {
            let number = bucket["bucket"].as_u64().expect("a number") as usize;
            buckets[number].count = bucket["count"].as_u64().expect("a number");
            buckets[number].sum = Digest::parse(text(bucket, "sum")).expect("a digest");
        }
        assert_eq!(*table.buckets(), buckets, "{}", vector["name"]);
    }
}
