//! The four envelopes of the original dialect, read as one (facts §2).

use std::borrow::Cow;

use crate::protocol::envelope::{document_members, members, plain, set};
use crate::protocol::json::Reader;
use crate::protocol::position::is_token;
use crate::protocol::schema::{Field, Kind, Value, check, fill, ignore, take, told};
use crate::protocol::{Code, EventHash, SequenceNumber};

/// An envelope of any kind. All members are spans of the document.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    /// The type, unquoted.
    pub(super) kind: &'a str,
    /// The timestamp, unquoted; empty if there is none.
    pub(super) timestamp: &'a str,
    /// Raw text of `data`, or of `payload` where there is no `data`.
    pub(super) body: Option<&'a str>,
    /// Raw text of the content that V1 envelopes carry beside their data.
    beside: [Option<&'a str>; 7],
    /// The V1 sequence number. It is a counter, 0 or nanoseconds, so it stays text.
    pub(super) legacy_number: Option<&'a str>,
    kind_raw: &'a str,
    timestamp_raw: &'a str,
    campaign_raw: Option<&'a str>,
    sequence_raw: Option<&'a str>,
    sequence_in_body: bool,
    body_campaign_raws: [Option<&'a str>; 2],
}

/// The members of all four envelopes; the content that V1 carries beside its data comes last.
const MEMBERS: [&str; 15] = [
    "type",
    "timestamp",
    "data",
    "payload",
    "sequence",
    "campaignId",
    "sequenceNumber",
    "id",
    "phase",
    "status",
    "progress",
    "message",
    "error",
    "validationsProcessed",
    "domainsGenerated",
];

const SEQUENCE_MEMBERS: [&str; 5] =
    ["campaignId", "eventId", "sequenceNumber", "eventHash", "checkpointData"];

/// The `sequence` block of an event of the original dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginalSequence<'a> {
    /// Which campaign it says the event belongs to.
    pub campaign_id: Cow<'a, str>,
    /// The event's identity.
    pub event_id: &'a str,
    /// Monotonic within one server process and shared by all campaigns: a jump is not a gap.
    pub number: SequenceNumber,
    /// The first 16 hex digits of the content hash, as claimed.
    pub hash: &'a str,
    /// Whether the server calls the event a checkpoint.
    pub checkpoint: bool,
}

impl<'a> Envelope<'a> {
    /// Parses one document.
    ///
    /// # Errors
    /// Syntax errors of the document; [`Code::AmbiguousEnvelope`] for repeated or escaped member
    /// names; [`Code::InvalidEnvelope`] for members that are missing or of the wrong type.
    pub(super) fn parse(document: &'a str) -> Result<Self, Code> {
        let [kind, timestamp, data, payload, sequence, campaign, legacy_number, _id, beside @ ..] =
            document_members(document, &MEMBERS, &mut 0)?;
        let (data, payload) = (data.filter(is_there), payload.filter(is_there));
        let kind_raw = kind.ok_or(Code::InvalidEnvelope)?;
        let timestamp_raw = timestamp.filter(is_there).unwrap_or("\"\"");
        let mut envelope = Self {
            kind: plain(kind_raw).ok_or(Code::InvalidEnvelope)?,
            timestamp: plain(timestamp_raw).ok_or(Code::InvalidEnvelope)?,
            body: data.or(payload),
            beside,
            legacy_number,
            kind_raw,
            timestamp_raw,
            campaign_raw: campaign.filter(is_there),
            sequence_raw: sequence.filter(is_there),
            sequence_in_body: false,
            body_campaign_raws: [None; 2],
        };
        envelope.look_into_body()?;
        if let (None, Some(_), Some(payload)) = (envelope.sequence_raw, data, payload) {
            envelope.sequence_raw = sequence_of_payload(payload)?;
        }
        Ok(envelope)
    }

    /// Finds the campaign's id in the body, and the sequence if it is not beside it.
    fn look_into_body(&mut self) -> Result<(), Code> {
        let Some(body) = self.body.filter(is_object) else { return Ok(()) };
        let mut nested = None;
        Reader::new(body).object(|key, value| {
            match key.inner {
                "campaignId" => self.body_campaign_raws[0] = Some(value.raw()?),
                "campaign_id" => self.body_campaign_raws[1] = Some(value.raw()?),
                "sequence" => set(&mut nested, value.raw()?)?,
                _ => value.skip()?,
            }
            Ok(())
        })?;
        if self.sequence_raw.is_none() {
            // Anything of that name but an object is content.
            self.sequence_raw = nested.filter(is_object);
            self.sequence_in_body = self.sequence_raw.is_some();
        }
        Ok(())
    }

    /// Reads the content by its table: first what a V1 envelope carries beside its body, then the
    /// body, which thereby wins.
    ///
    /// # Errors
    /// [`Code::InvalidContent`], [`Code::IntegerOutOfRange`], syntax errors.
    pub(super) fn read<const N: usize>(&self, fields: &[Field; N]) -> Result<[Value<'a>; N], Code> {
        let mut values = [Value::Absent; N];
        self.fill(fields, &mut values)?;
        Ok(values)
    }

    fn fill(&self, fields: &[Field], values: &mut [Value<'a>]) -> Result<(), Code> {
        let names = MEMBERS.iter().skip(MEMBERS.len() - self.beside.len());
        for (name, raw) in names.zip(self.beside) {
            if let Some(raw) = raw {
                take(fields, values, &mut 0, (name, &mut Reader::new(raw)), &mut ignore)?;
            }
        }
        if let Some(body) = self.body {
            fill(&mut Reader::new(body), fields, values, &mut ignore)?;
        }
        check(fields, values)
    }

    /// Which campaign the document belongs to, wherever it says so.
    ///
    /// # Errors
    /// [`Code::InvalidCampaignId`] for an id that cannot be one; [`Code::InvalidContent`] for a
    /// document that names two campaigns, which would otherwise move rows from one to the other.
    pub(super) fn campaign_id(
        &self,
        sequence: Option<&OriginalSequence<'a>>,
    ) -> Result<Option<Cow<'a, str>>, Code> {
        let [camel, snake] = self.body_campaign_raws;
        let mut found = None;
        for raw in [self.campaign_raw, camel, snake].into_iter().flatten() {
            agree(&mut found, read_campaign_id(raw)?)?;
        }
        agree(&mut found, sequence.map(|it| it.campaign_id.clone()))?;
        Ok(found)
    }

    /// The sequence block, if the document has one.
    ///
    /// # Errors
    /// [`Code::InvalidEnvelope`], [`Code::InvalidCampaignId`], [`Code::IntegerOutOfRange`].
    pub(super) fn sequence(&self) -> Result<Option<OriginalSequence<'a>>, Code> {
        self.sequence_raw.map(parse_sequence).transpose()
    }

    /// The content hash, over raw text.
    ///
    /// # Errors
    /// [`Code::InvalidEnvelope`] for a document that lacks what the hash covers.
    pub(super) fn content_hash(&self) -> Result<EventHash, Code> {
        let body = self.body.ok_or(Code::InvalidEnvelope)?;
        if self.timestamp.is_empty() {
            return Err(Code::InvalidEnvelope);
        }
        let hash = |body: &str| EventHash::of_original(self.kind_raw, self.timestamp_raw, body);
        // A hash cannot cover the block that holds it.
        Ok(if self.sequence_in_body { hash(&without_sequence(body)?) } else { hash(body) })
    }
}

/// The raw text of a `sequence` object in a `payload` that stands beside `data`.
fn sequence_of_payload(payload: &str) -> Result<Option<&str>, Code> {
    let mut found = None;
    if is_object(&payload) {
        Reader::new(payload).object(|key, value| match key.inner {
            "sequence" => set(&mut found, value.raw()?),
            _ => value.skip(),
        })?;
    }
    Ok(found.filter(is_object))
}

/// The body as it was before the sequence was put into it.
fn without_sequence(body: &str) -> Result<String, Code> {
    let mut out = String::with_capacity(body.len());
    Reader::new(body).object(|key, value| {
        let raw = value.raw()?;
        if key.inner != "sequence" {
            out.push(if out.is_empty() { '{' } else { ',' });
            out.extend(["\"", key.inner, "\":", raw]);
        }
        Ok(())
    })?;
    if out.is_empty() {
        out.push('{');
    }
    out.push('}');
    Ok(out)
}

fn parse_sequence(raw: &str) -> Result<OriginalSequence<'_>, Code> {
    let [campaign, event, number, hash, checkpoint] =
        members(&mut Reader::new(raw), &SEQUENCE_MEMBERS, &mut 0)?;
    let invalid = Code::InvalidEnvelope;
    let number = Reader::new(number.ok_or(invalid)?).unsigned().and_then(SequenceNumber::new);
    Ok(OriginalSequence {
        campaign_id: read_campaign_id(campaign.ok_or(invalid)?)?.ok_or(invalid)?,
        event_id: event.and_then(plain).filter(|id| is_token(id)).ok_or(invalid)?,
        number: number.map_err(|code| match code {
            Code::IntegerOutOfRange => code,
            _ => invalid,
        })?,
        hash: hash.and_then(plain).filter(|hex| is_short_hash(hex)).ok_or(invalid)?,
        checkpoint: match checkpoint {
            Some("true") => true,
            None | Some("false") => false,
            Some(_) => return Err(invalid),
        },
    })
}

/// Reads a campaign's id. An empty one is none: Go writes it for a message of no campaign.
pub(super) fn read_campaign_id(raw: &str) -> Result<Option<Cow<'_, str>>, Code> {
    match told("campaignId", Kind::CampaignId).read(&mut Reader::new(raw)) {
        Err(Code::InvalidContent) => Err(Code::InvalidCampaignId),
        id => id.map(Value::text),
    }
}

/// Takes another mention of the same id.
pub(super) fn agree<'a>(
    found: &mut Option<Cow<'a, str>>,
    mention: Option<Cow<'a, str>>,
) -> Result<(), Code> {
    match (&found, mention) {
        (Some(one), Some(other)) if *one != other => Err(Code::InvalidContent),
        (None, Some(id)) => {
            *found = Some(id);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Whether a raw value is more than `null`.
pub(super) fn is_there(raw: &&str) -> bool {
    *raw != "null"
}

/// Whether a raw value is an object.
pub(super) fn is_object(raw: &&str) -> bool {
    raw.starts_with('{')
}

fn is_short_hash(hex: &str) -> bool {
    hex.len() == 16 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
