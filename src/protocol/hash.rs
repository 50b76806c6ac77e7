//! The content hash of an event: SHA-256 over the raw text of its members (docs/PROTOCOL.md,
//! chapter 4).
//!
//! The hash covers the text exactly as received. Members are never serialised again, because the
//! number formats, escapes and key order of another language would change the bytes.

use core::fmt;

use sha2::{Digest as _, Sha256};

/// The SHA-256 hash of a v1 event: 64 lower-case hex digits on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
// Aligned, so that the module copies it as a whole.
#[repr(align(8))]
pub struct EventHash([u8; 32]);

impl EventHash {
    /// Reads 64 lower-case hex digits; `None` for anything else, including a shorter hash.
    pub fn parse(hex: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let digits: &[u8; 64] = hex.as_bytes().try_into().ok()?;
        for (place, &digit) in digits.iter().enumerate() {
            let byte = &mut bytes[place / 2];
            *byte = *byte << 4 | nibble(digit)?;
        }
        Some(Self(bytes))
    }

    /// Computes the hash of a v1 event over `{"type":T,"timestamp":S,"data":D,"at":[C,E,N,I,P,K]}`.
    /// Each capital letter stands for the raw JSON text of a member. The members in `at` are
    /// campaignId, epoch, sequenceNumber, eventId, previousEventId (or `null`) and checkpointData.
    pub fn of_v1(kind: &str, timestamp: &str, data: &str, at: [&str; 6]) -> Self {
        let mut sha = Sha256::new();
        sha.update(b"{\"type\":");
        sha.update(kind.as_bytes());
        sha.update(b",\"timestamp\":");
        sha.update(timestamp.as_bytes());
        sha.update(b",\"data\":");
        sha.update(data.as_bytes());
        sha.update(b",\"at\":[");
        for (index, part) in at.into_iter().enumerate() {
            if index > 0 {
                sha.update(b",");
            }
            sha.update(part.as_bytes());
        }
        sha.update(b"]}");
        Self(sha.finalize().into())
    }
}

/// The value of a lower-case hexadecimal digit.
pub(super) const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for EventHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for EventHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
