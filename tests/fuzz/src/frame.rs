//! Any bytes as a frame.

use campaign_sync::protocol::body::Body;
use campaign_sync::protocol::envelope::Envelope;
use campaign_sync::protocol::event::EventKind;
use campaign_sync::protocol::frame::Frame;
use campaign_sync::protocol::json::Reader;
use campaign_sync::protocol::server::ServerMessage;
use campaign_sync::protocol::snapshot::RestSnapshot;
use campaign_sync::protocol::{EventHash, limits};

use crate::document::{expected_hash, honest, members};

/// Checks that a frame is split the same way as text and as bytes, and checks each document separately.
///
/// # Panics
/// If a promise is broken.
pub fn run(input: &[u8]) {
    let binary = Frame::Binary(input).documents();
    let Ok(text) = core::str::from_utf8(input) else {
        assert!(binary.is_err(), "what is not UTF-8 was taken");
        return;
    };
    let documents = match (binary, Frame::Text(text).documents()) {
        (Ok(binary), Ok(text)) => {
            let documents: Vec<&str> = text.collect();
            assert!(
                binary.eq(documents.iter().copied()),
                "bytes are split in another way than text"
            );
            documents
        }
        (binary, text) => {
            assert_eq!(binary.err(), text.err());
            return;
        }
    };
    assert!((1..=limits::FRAME_DOCUMENTS_MAX).contains(&documents.len()));
    documents.into_iter().for_each(judge);
}

fn judge(document: &str) {
    // The reader may refuse the document, but must not panic.
    let _ = RestSnapshot::read(&mut Reader::new(document));
    let Ok(envelope) = Envelope::parse(document) else { return };
    let read = members(document).unwrap_or_else(|| panic!("no JSON object: {document}"));
    assert_eq!(read["type"].get(), envelope.kind_raw);
    assert_eq!(read.get("data").map_or("", |it| it.get()), envelope.data);
    let _ = ServerMessage::decode(&envelope);
    let Some(sequence) = envelope.sequence else { return };
    let hash = EventHash::of_v1(
        envelope.kind_raw,
        envelope.timestamp_raw,
        envelope.data,
        sequence.hashed(),
    );
    assert_eq!(Some(hash.to_string()), expected_hash(document), "{document}");
    let mended = honest(document);
    let again = Envelope::parse(&mended).ok().and_then(|it| it.sequence).map(|it| it.hash);
    assert_eq!(again, Some(hash), "{mended}");
    if let Some(kind) = EventKind::parse(envelope.kind) {
        let _ = Body::decode(kind, envelope.data, sequence.campaign_id());
    }
}
