//! The envelope of every document: `{"type","timestamp","data","sequence"}`, kept as raw text
//! (docs/PROTOCOL.md, chapter 4).

use super::json::Reader;
use super::position::is_token;
use super::{Code, EventHash, SequenceNumber, id::is_campaign_id};

/// A parsed envelope. All members are spans of the document.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The type, without quotes.
    pub kind: &'a str,
    /// Raw text of the type.
    pub kind_raw: &'a str,
    /// Raw text of the timestamp, with quotes; empty if the document has no timestamp.
    pub timestamp_raw: &'a str,
    /// Raw text of the data; empty if the document has no data.
    pub data: &'a str,
    /// The sequence, if the document has one.
    pub sequence: Option<RawSequence<'a>>,
    /// Number of members that this version does not know.
    pub unknown_members: u32,
}

/// The `sequence` member of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawSequence<'a> {
    /// The raw texts of all members but the last one, in the order of [`SEQUENCE_MEMBERS`].
    raw: [&'a str; 6],
    number: SequenceNumber,
    /// The hash that the event claims.
    pub hash: EventHash,
}

const MEMBERS: [&str; 4] = ["type", "timestamp", "data", "sequence"];

/// In hashing order.
const SEQUENCE_MEMBERS: [&str; 7] = [
    "campaignId",
    "epoch",
    "sequenceNumber",
    "eventId",
    "previousEventId",
    "checkpointData",
    "eventHash",
];

const CAMPAIGN: usize = 0;
const EPOCH: usize = 1;
const EVENT: usize = 3;
const PREVIOUS: usize = 4;
const CHECKPOINT: usize = 5;

impl<'a> Envelope<'a> {
    /// Parses one document of v1.
    ///
    /// # Errors
    /// Syntax errors of the document; [`Code::AmbiguousEnvelope`] for repeated or escaped member
    /// names; [`Code::InvalidEnvelope`] for members that are missing or of the wrong type.
    pub fn parse(document: &'a str) -> Result<Self, Code> {
        let (mut found, mut unknown_members) = ([None; 4], 0);
        let mut reader = Reader::new(document);
        if reader.peek() == '{' {
            fill(&mut reader, &MEMBERS, &mut found, &mut unknown_members)?;
        } else {
            // Skipping the value distinguishes JSON that is not an object from text that is not JSON.
            reader.skip()?;
        }
        reader.end()?;
        let [kind, timestamp, data, sequence] = found;
        let kind_raw = kind.ok_or(Code::InvalidEnvelope)?;
        let timestamp_raw = timestamp.unwrap_or_default();
        if !(timestamp_raw.is_empty() || timestamp_raw.starts_with('"')) {
            return Err(Code::InvalidEnvelope);
        }
        Ok(Self {
            kind: plain(kind_raw).ok_or(Code::InvalidEnvelope)?,
            kind_raw,
            timestamp_raw,
            data: data.unwrap_or_default(),
            sequence: sequence.map(RawSequence::parse).transpose()?,
            unknown_members,
        })
    }

    /// The timestamp without its quotes.
    pub fn timestamp(&self) -> &'a str {
        inside(self.timestamp_raw)
    }
}

impl<'a> RawSequence<'a> {
    fn parse(raw: &'a str) -> Result<Self, Code> {
        let (mut found, mut reader) = ([None; 7], Reader::new(raw));
        if reader.peek() != '{' {
            return Err(Code::InvalidEnvelope);
        }
        fill(&mut reader, &SEQUENCE_MEMBERS, &mut found, &mut 0)?;
        found[PREVIOUS] = found[PREVIOUS].or(Some("null"));
        let mut raw = [""; 7];
        for (raw, found) in raw.iter_mut().zip(found) {
            *raw = found.ok_or(Code::InvalidEnvelope)?;
        }
        let [raw @ .., hash] = raw;
        let [campaign, epoch, number, event, previous, checkpoint] = raw;
        if !plain(campaign).is_some_and(is_campaign_id) {
            return Err(Code::InvalidCampaignId);
        }
        let is_plain_token = |raw| plain(raw).is_some_and(is_token);
        let tokens_are_valid = is_plain_token(epoch)
            && is_plain_token(event)
            && (previous == "null" || is_plain_token(previous));
        if !tokens_are_valid || !matches!(checkpoint, "true" | "false") {
            return Err(Code::InvalidEnvelope);
        }
        let number = Reader::new(number).unsigned().and_then(SequenceNumber::new);
        let number = number.map_err(|code| match code {
            Code::IntegerOutOfRange => code,
            _ => Code::InvalidEnvelope,
        })?;
        let hash = plain(hash).and_then(EventHash::parse).ok_or(Code::InvalidEnvelope)?;
        Ok(Self { raw, number, hash })
    }

    /// The raw texts in hashing order: campaignId, epoch, sequenceNumber, eventId, previousEventId,
    /// checkpointData.
    pub const fn hashed(&self) -> [&'a str; 6] {
        self.raw
    }

    /// The campaign that the event belongs to.
    pub fn campaign_id(&self) -> &'a str {
        inside(self.raw[CAMPAIGN])
    }

    /// The epoch of the log that the event belongs to.
    pub fn epoch(&self) -> &'a str {
        inside(self.raw[EPOCH])
    }

    /// The sequence number of the event.
    pub const fn number(&self) -> SequenceNumber {
        self.number
    }

    /// The event's id.
    pub fn event_id(&self) -> &'a str {
        inside(self.raw[EVENT])
    }

    /// The id of the preceding event, if there is one.
    pub fn previous_event_id(&self) -> Option<&'a str> {
        let raw = self.raw[PREVIOUS];
        (raw != "null").then(|| inside(raw))
    }

    /// Whether the event carries the complete campaign record, count and digest.
    pub fn is_checkpoint(&self) -> bool {
        self.raw[CHECKPOINT] == "true"
    }
}

/// Reads the raw texts of an object's members, in the order of `names`. Two readers must never
/// disagree on an envelope. Therefore each of these members may occur only once, and no member name
/// of the object may contain escapes.
///
/// # Errors
/// [`Code::AmbiguousEnvelope`]; syntax errors.
fn fill<'a>(
    reader: &mut Reader<'a>,
    names: &[&str],
    found: &mut [Option<&'a str>],
    unknown: &mut u32,
) -> Result<(), Code> {
    reader.object(|key, value| {
        if key.escaped {
            return Err(Code::AmbiguousEnvelope);
        }
        let mut places = names.iter().zip(found.iter_mut());
        match places.find(|(name, _)| **name == key.inner) {
            Some((_, place)) if place.is_some() => Err(Code::AmbiguousEnvelope),
            Some((_, place)) => value.raw().map(|raw| *place = Some(raw)),
            None => {
                *unknown += 1;
                value.skip()
            }
        }
    })
}

/// The content of a raw string; `None` if it has escapes or is not a string.
fn plain(raw: &str) -> Option<&str> {
    let text = Reader::new(raw).string().ok()?;
    (!text.escaped).then_some(text.inner)
}

/// The content of a raw string; empty if [`plain`] has no content.
fn inside(raw: &str) -> &str {
    plain(raw).unwrap_or_default()
}
