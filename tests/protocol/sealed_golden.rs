//! The golden vectors of sealed content, made by another implementation, and published vectors of the
//! cipher.

use campaign_sync::protocol::envelope::Envelope;
use campaign_sync::protocol::seal::{Key, KeyId, Keys, Sealed, SealedPart, associated_with};
use campaign_sync::protocol::{Code, EventHash};
use serde_json::Value;

const SEALED: &str = include_str!("../../docs/vectors/sealed.json");

fn file() -> Value {
    serde_json::from_str(SEALED).expect("vectors are JSON")
}

fn vectors(list: &str) -> Vec<Value> {
    let Value::Array(vectors) = file()[list].take() else { panic!("{list} is no list") };
    assert!(!vectors.is_empty());
    vectors
}

fn text<'a>(vector: &'a Value, member: &str) -> &'a str {
    vector[member].as_str().unwrap_or_else(|| panic!("{member} is no text"))
}

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn key(kid: &str) -> Key {
    Key::new(&bytes(text(&file()["keys"], kid))).expect("32 bytes")
}

fn keys() -> Keys {
    let mut keys = Keys::default();
    for kid in file()["keys"].as_object().expect("an object").keys() {
        keys.add(KeyId::new(kid).expect("a name"), key(kid));
    }
    keys
}

/// Seals the vector's content again and opens it. Both results must equal the vector.
fn assert_both_ways(vector: &Value, sealed: &str, associated: &str) {
    let (name, content) = (text(vector, "name"), text(vector, "content"));
    assert_eq!(associated, text(vector, "associated"), "{name}");
    let kid = Sealed::read(sealed).expect("sealed").kid.into_owned();
    let nonce = bytes(text(vector, "nonce")).try_into().expect("12 bytes");
    let ours = key(&kid).seal(&KeyId::new(&kid).expect("a name"), nonce, associated, content);
    let [ours, theirs] =
        [&*ours, sealed].map(|it| Sealed::read(it).expect("sealed").sealed.into_owned());
    assert_eq!(ours, theirs, "{name}");
    assert_eq!(keys().open(sealed, associated).as_deref(), Ok(content), "{name}");
    assert_eq!(keys().open(sealed, &format!("{associated} ")), Err(Code::SealBroken), "{name}");
}

// R19.5
#[test]
fn sealed_events_open_and_their_hashes_need_no_key() {
    for vector in vectors("events") {
        let envelope = Envelope::parse(text(&vector, "document")).expect("in order");
        let sequence = envelope.sequence.expect("an event");
        let (kind, timestamp) = (envelope.kind_raw, envelope.timestamp_raw);
        let hash = EventHash::of_v1(kind, timestamp, envelope.data, sequence.hashed());
        assert_eq!(sequence.hash, hash);
        let associated = associated_with(envelope.kind, &sequence);
        assert_both_ways(&vector, envelope.data, &associated);
    }
}

// R19.5
#[test]
fn sealed_parts_of_a_snapshot_open() {
    for vector in vectors("parts") {
        let part = SealedPart::read(text(&vector, "data")).expect("in order");
        assert_eq!(part.open(&keys()).as_deref(), Ok(text(&vector, "content")));
        assert_both_ways(&vector, part.content.expect("sealed"), text(&vector, "associated"));
        let whole = part.with(text(&vector, "content")).expect("in order");
        assert_eq!((whole.domains.len(), whole.campaign.is_some()), (1, whole.part == 1));
    }
}

// R19.5, R19.8
#[test]
fn sealed_answers_open_on_their_own_route_and_campaign_only() {
    for vector in vectors("answers") {
        let (route, answer) = (text(&vector, "name"), text(&vector, "answer"));
        let (content, place) = keys().open_answer("spring-1", route, answer).expect("opens");
        assert_eq!((&*content, place.sequence_number.get()), (text(&vector, "content"), 4));
        assert_both_ways(&vector, answer, text(&vector, "associated"));
        for (campaign, route) in [("spring-2", route), ("spring-1", "rest.domains")] {
            assert_eq!(keys().open_answer(campaign, route, answer), Err(Code::SealBroken));
        }
    }
}

#[test]
fn sealed_content_with_any_changed_byte_does_not_open() {
    let vector = vectors("events").remove(1);
    let envelope = Envelope::parse(text(&vector, "document")).expect("in order");
    let associated = text(&vector, "associated").as_bytes();
    let Sealed { kid, .. } = Sealed::read(envelope.data).expect("sealed");
    let nonce = bytes(text(&vector, "nonce")).try_into().expect("12 bytes");
    let good = key(&kid).encrypt(nonce, associated, text(&vector, "content").as_bytes());
    assert!(key(&kid).decrypt(&good, associated).is_some());
    for at in 0..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 1;
        assert_eq!(key(&kid).decrypt(&changed, associated), None, "byte {at}");
        assert_eq!(key(&kid).decrypt(&good[..at], associated), None, "cut at {at}");
    }
}

// R19.12
#[test]
fn unsealed_and_undecryptable_content_have_distinct_codes() {
    for (raw, code) in [
        ("{}", Code::NotSealed),
        ("null", Code::NotSealed),
        (r#"{"kid":"2031-a"}"#, Code::NotSealed),
        (r#"{"kid":1,"sealed":"AAAA"}"#, Code::NotSealed),
        (r#"{"kid":"2031-c","sealed":"AAAA"}"#, Code::UnknownKey),
        (r#"{"kid":"2031-a","sealed":""}"#, Code::SealBroken),
        (r#"{"kid":"2031-a","sealed":"AAAA"}"#, Code::SealBroken),
        (r#"{"kid":"2031-a","sealed":"not base64!"}"#, Code::SealBroken),
        (r#"{"kid":"2031-a","sealed":"AAAA===="}"#, Code::SealBroken),
    ] {
        assert_eq!(keys().open(raw, "[]"), Err(code), "{raw}");
    }
}

/// Test cases 13 to 16 of McGrew and Viega, "The Galois/Counter Mode of Operation (GCM)". They have nonces of
/// 12 bytes and keys of 32. Each lists key, nonce, plaintext, associated data, ciphertext and tag.
const PUBLISHED: [[&str; 6]; 4] = [
    [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "000000000000000000000000",
        "",
        "",
        "",
        "530f8afbc74536b9a963b4f1c4cb738b",
    ],
    [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "000000000000000000000000",
        "00000000000000000000000000000000",
        "",
        "cea7403d4d606b6e074ec5d3baf39d18",
        "d0d1c8a799996bf0265b98b5d48ab919",
    ],
    [
        "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        "cafebabefacedbaddecaf888",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
        "",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
        "b094dac5d93471bdec1a502270e3cc6c",
    ],
    [
        "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        "cafebabefacedbaddecaf888",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
        "76fc6ece0f4e1768cddf8853bb2d551b",
    ],
];

// R19.5
#[test]
fn cipher_matches_the_published_vectors() {
    for [key, nonce, plain, associated, cipher, tag] in PUBLISHED.map(|it| it.map(bytes)) {
        let key = Key::new(&key).expect("32 bytes");
        let expected = [&*nonce, &cipher, &tag].concat();
        let sealed = key.encrypt(nonce.try_into().expect("12 bytes"), &associated, &plain);
        assert_eq!(sealed, expected);
        assert_eq!(key.decrypt(&sealed, &associated), Some(plain));
    }
}
