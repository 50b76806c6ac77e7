//! The original dialect: four envelopes on one socket, several spellings for most words, and
//! content hashes of 64 bits on phase transitions only.
//!
//! Reading is tolerant in form and strict in meaning: whatever is missing is told as missing, and
//! whatever contradicts itself is refused. Continuity cannot be proved in this dialect, so nothing
//! here pretends that it can.

mod aliases;
mod body;
mod envelope;
mod progress;
mod record;
pub mod snapshot;

use std::borrow::Cow;

pub use envelope::OriginalSequence;
pub use progress::OriginalProgress;

use self::aliases::About;
use self::envelope::Envelope;
use super::body::Body;
use super::{Code, EventHash, Phase, Status};

/// One document of the original dialect.
#[derive(Clone, Debug, PartialEq)]
pub struct Document<'a> {
    /// The type as written.
    pub kind: &'a str,
    /// Which campaign it belongs to, wherever it says so.
    pub campaign_id: Option<Cow<'a, str>>,
    /// RFC 3339; empty in messages that have none.
    pub timestamp: &'a str,
    /// The sequence block; most documents have none.
    pub sequence: Option<OriginalSequence<'a>>,
    /// The hash of the content as received; sequenced documents only.
    pub content_hash: Option<EventHash>,
    /// Whether the content is what the sequence block says. `true` where there is no block to
    /// contradict it.
    pub hash_matches: bool,
    /// The V1 envelope's number as text. For diagnostics only: it may exceed 2^53 and says
    /// nothing about order.
    pub legacy_number: Option<&'a str>,
    /// What it says.
    pub message: Message<'a>,
}

/// What a document says.
#[derive(Clone, Debug, PartialEq)]
pub enum Message<'a> {
    /// `connection_ack`
    Ack {
        /// The dialect that the server chose; none means the original.
        protocol: Option<Cow<'a, str>>,
    },
    /// `subscription_confirmed`
    SubscriptionConfirmed,
    /// `pong`
    Pong,
    /// Content that means the same in both dialects.
    Event(Body<'a>),
    /// Counters of a phase, as far as they are told.
    Progress(OriginalProgress),
    /// A phase transition that tells less than a full one.
    LegacyTransition(LegacyTransition),
    /// A phase has done all its work.
    PhaseComplete(PhaseComplete),
    /// The campaign has ended.
    CampaignComplete(CampaignComplete),
    /// The server's answer to a subscription: the state, or none when it announces that it begins
    /// or has failed to tell it.
    StateSync(Option<OriginalProgress>),
    /// `session_expired`
    SessionExpired,
    /// Something failed on the server.
    Error {
        /// The server's own word for it, of no closed list.
        code: Option<Cow<'a, str>>,
        /// The text.
        message: Option<Cow<'a, str>>,
    },
    /// A type that is known and concerns nothing we hold.
    Ignored,
    /// A type of another version.
    Unknown,
}

/// A phase transition without the counts of a full one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LegacyTransition {
    /// Where the campaign goes.
    pub new_phase: Phase,
    /// Its status there, if it is told.
    pub new_status: Option<Status>,
    /// Progress in the new phase, if it is told.
    pub percent: Option<f64>,
    /// Why the transition was refused, if it was.
    pub refusal: Option<Code>,
}

/// `campaign_phase_complete`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseComplete {
    /// Which phase.
    pub phase: Phase,
    /// What comes next; none after the last.
    pub next_phase: Option<Phase>,
    /// Items that went well.
    pub completed_items: Option<u64>,
    /// Items that did not.
    pub failed_items: Option<u64>,
}

/// `campaign_complete`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CampaignComplete {
    /// How it ended.
    pub status: Status,
    /// Items done.
    pub processed: Option<u64>,
    /// Items that went well.
    pub successful: Option<u64>,
    /// Items that did not.
    pub failed: Option<u64>,
}

/// Decodes one document. A wrong content hash is told, not refused, so that the caller can count
/// it by its campaign.
///
/// # Errors
/// Syntax errors; [`Code::InvalidEnvelope`], [`Code::AmbiguousEnvelope`],
/// [`Code::InvalidCampaignId`], [`Code::InvalidContent`], [`Code::IntegerOutOfRange`];
/// [`Code::HashMismatch`] for content that cannot be read and is not what was sent.
pub fn decode(document: &str) -> Result<Document<'_>, Code> {
    let envelope = Envelope::parse(document)?;
    let sequence = envelope.sequence()?;
    let campaign_id = envelope.campaign_id(sequence.as_ref())?;
    let content_hash = sequence.is_some().then(|| envelope.content_hash()).transpose()?;
    let hash_matches = match (&sequence, &content_hash) {
        (Some(sequence), Some(hash)) => hash.begins_with(sequence.hash),
        _ => true,
    };
    let message = match body::read(About::parse(envelope.kind), &envelope) {
        Err(_) if !hash_matches => return Err(Code::HashMismatch),
        message => message?,
    };
    Ok(Document {
        kind: envelope.kind,
        campaign_id,
        timestamp: envelope.timestamp,
        sequence,
        content_hash,
        hash_matches,
        legacy_number: envelope.legacy_number,
        message,
    })
}
