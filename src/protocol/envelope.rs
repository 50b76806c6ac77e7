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

/// The `sequence` member of an event. Each value keeps its raw text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawSequence<'a> {
    campaign_id: &'a str,
    epoch: &'a str,
    sequence_number: &'a str,
    event_id: &'a str,
    previous_event_id: &'a str,
    checkpoint_data: &'a str,
    number: SequenceNumber,
    /// The hash that the event claims.
    pub hash: EventHash,
}

const MEMBERS: [&str; 4] = ["type", "timestamp", "data", "sequence"];

const SEQUENCE_MEMBERS: [&str; 7] = [
    "campaignId",
    "epoch",
    "sequenceNumber",
    "eventId",
    "previousEventId",
    "checkpointData",
    "eventHash",
];

impl<'a> Envelope<'a> {
    /// Parses one document of v1.
    ///
    /// # Errors
    /// Syntax errors of the document; [`Code::AmbiguousEnvelope`] for repeated or escaped member
    /// names; [`Code::InvalidEnvelope`] for members that are missing or of the wrong type.
    pub fn parse(document: &'a str) -> Result<Self, Code> {
        let mut unknown_members = 0;
        let [kind, timestamp, data, sequence] =
            document_members(document, &MEMBERS, &mut unknown_members)?;
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
        let members = members(&mut Reader::new(raw), &SEQUENCE_MEMBERS, &mut 0);
        let [campaign, epoch, number, event, previous, checkpoint, hash] = members?;
        let required = |member: Option<&'a str>| member.ok_or(Code::InvalidEnvelope);
        let token = |raw| plain(raw).filter(|text| is_token(text)).ok_or(Code::InvalidEnvelope);
        let sequence_number = required(number)?;
        let checkpoint_data = required(checkpoint)?;
        let previous_event_id = previous.unwrap_or("null");
        let (campaign_id, epoch, event_id) =
            (required(campaign)?, required(epoch)?, required(event)?);
        if !plain(campaign_id).is_some_and(is_campaign_id) {
            return Err(Code::InvalidCampaignId);
        }
        token(epoch)?;
        token(event_id)?;
        if previous_event_id != "null" {
            token(previous_event_id)?;
        }
        if !matches!(checkpoint_data, "true" | "false") {
            return Err(Code::InvalidEnvelope);
        }
        let number = Reader::new(sequence_number).unsigned().and_then(SequenceNumber::new);
        let number = number.map_err(|code| match code {
            Code::IntegerOutOfRange => code,
            _ => Code::InvalidEnvelope,
        })?;
        let hash =
            plain(required(hash)?).and_then(EventHash::parse).ok_or(Code::InvalidEnvelope)?;
        Ok(Self {
            campaign_id,
            epoch,
            sequence_number,
            event_id,
            previous_event_id,
            checkpoint_data,
            number,
            hash,
        })
    }

    /// The raw texts in hashing order: campaignId, epoch, sequenceNumber, eventId, previousEventId,
    /// checkpointData.
    pub const fn hashed(&self) -> [&'a str; 6] {
        [
            self.campaign_id,
            self.epoch,
            self.sequence_number,
            self.event_id,
            self.previous_event_id,
            self.checkpoint_data,
        ]
    }

    /// The campaign that the event belongs to.
    pub fn campaign_id(&self) -> &'a str {
        inside(self.campaign_id)
    }

    /// The epoch of the log that the event belongs to.
    pub fn epoch(&self) -> &'a str {
        inside(self.epoch)
    }

    /// The sequence number of the event.
    pub const fn number(&self) -> SequenceNumber {
        self.number
    }

    /// The event's id.
    pub fn event_id(&self) -> &'a str {
        inside(self.event_id)
    }

    /// The id of the preceding event, if there is one.
    pub fn previous_event_id(&self) -> Option<&'a str> {
        (self.previous_event_id != "null").then(|| inside(self.previous_event_id))
    }

    /// Whether the event carries the complete campaign record, count and digest.
    pub fn is_checkpoint(&self) -> bool {
        self.checkpoint_data == "true"
    }
}

/// Returns the raw text of a document's members, in the order of `names`.
///
/// # Errors
/// As [`members`]; syntax errors of the whole document.
pub(super) fn document_members<'a, const N: usize>(
    document: &'a str,
    names: &[&str; N],
    unknown: &mut u32,
) -> Result<[Option<&'a str>; N], Code> {
    let mut reader = Reader::new(document);
    let found = if reader.peek() == '{' {
        members(&mut reader, names, unknown)?
    } else {
        // Skipping the value distinguishes JSON that is not an object from text that is not JSON.
        reader.skip()?;
        [None; N]
    };
    reader.end()?;
    Ok(found)
}

/// Returns the raw text of an object's members, in the order of `names`. Two readers must never
/// disagree on an envelope. Therefore each of these members may occur only once, and no member name
/// of the object may contain escapes.
///
/// # Errors
/// [`Code::InvalidEnvelope`] if the next value is not an object; [`Code::AmbiguousEnvelope`];
/// syntax errors.
pub(super) fn members<'a, const N: usize>(
    reader: &mut Reader<'a>,
    names: &[&str; N],
    unknown: &mut u32,
) -> Result<[Option<&'a str>; N], Code> {
    let mut found = [None; N];
    if reader.peek() != '{' {
        return Err(Code::InvalidEnvelope);
    }
    fill(reader, names, &mut found, unknown)?;
    Ok(found)
}

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
            Some((_, place)) => set(place, value.raw()?),
            None => {
                *unknown += 1;
                value.skip()
            }
        }
    })
}

/// Fills a slot. Filling it a second time is [`Code::AmbiguousEnvelope`].
pub(super) fn set<T>(slot: &mut Option<T>, value: T) -> Result<(), Code> {
    if slot.replace(value).is_some() { Err(Code::AmbiguousEnvelope) } else { Ok(()) }
}

/// The content of a raw string; `None` if it has escapes or is not a string.
pub(super) fn plain(raw: &str) -> Option<&str> {
    let text = Reader::new(raw).string().ok()?;
    (!text.escaped).then_some(text.inner)
}

/// The content of a raw string; empty if [`plain`] has no content.
fn inside(raw: &str) -> &str {
    plain(raw).unwrap_or_default()
}
