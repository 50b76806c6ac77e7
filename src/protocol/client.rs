//! Messages, client → server.

use super::limits::SMALL_MESSAGE_BYTES_MAX;
use super::position::Position;
use super::write::{ObjectWriter, push_decimal};
use super::{CampaignId, Code, Epoch, SequenceNumber};

/// Why a recovery is asked for, so that servers can count by cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// First subscription of this campaign.
    Connect,
    /// A new socket.
    Reconnect,
    /// A number was skipped.
    Gap,
    /// A heartbeat told of numbers that did not come.
    Tail,
    /// An event did not match its hash.
    Hash,
    /// The histories differ.
    Divergence,
    /// The next event cannot be applied.
    Rejected,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::Connect,
        Self::Reconnect,
        Self::Gap,
        Self::Tail,
        Self::Hash,
        Self::Divergence,
        Self::Rejected,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Reconnect => "reconnect",
            Self::Gap => "gap",
            Self::Tail => "tail",
            Self::Hash => "hash",
            Self::Divergence => "divergence",
            Self::Rejected => "rejected",
        }
    }
}

/// The part of a snapshot download that has already arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotResume {
    /// The log of the snapshot.
    pub epoch: Epoch,
    /// The number that the snapshot was taken at.
    pub at: SequenceNumber,
    /// The last part that arrived.
    pub after_part: u64,
}

/// `request_event_recovery`.
#[derive(Clone, Debug, PartialEq)]
pub struct RecoveryRequest<'a> {
    /// Which campaign.
    pub campaign_id: &'a CampaignId,
    /// The last applied position, if there is one.
    pub position: Option<&'a Position>,
    /// Names the answer.
    pub request_id: &'a str,
    /// Why.
    pub reason: Reason,
    /// Ask for a snapshot even where history would reach back.
    pub prefer_snapshot: bool,
    /// Go on with a snapshot that was cut off.
    pub resume: Option<&'a SnapshotResume>,
}

/// `connection_init`, kept under 512 bytes so that any server survives it.
///
/// # Errors
/// [`Code::Unauthorized`] if the token is too long for that.
pub fn connection_init(token: Option<&str>) -> Result<String, Code> {
    init(CONNECTION_INIT, token)
}

/// `connection_init` of a client that takes sealed content only.
///
/// # Errors
/// As [`connection_init`].
#[cfg(feature = "encrypted")]
pub fn connection_init_sealed(token: Option<&str>) -> Result<String, Code> {
    init(CONNECTION_INIT_SEALED, token)
}

fn init(begun: &str, token: Option<&str>) -> Result<String, Code> {
    let mut message = ObjectWriter::resume(begun);
    if let Some(token) = token {
        message = message.text("token", token);
    }
    let message = message.finish();
    if message.len() <= SMALL_MESSAGE_BYTES_MAX { Ok(message) } else { Err(Code::Unauthorized) }
}

/// All of `connection_init` but the token.
macro_rules! begun_init {
    ($protocol:literal) => {
        concat!(
            r#"{"type":"connection_init","protocols":[""#,
            $protocol,
            r#""],"client":{"name":"campaign-sync","version":""#,
            env!("CARGO_PKG_VERSION"),
            r#""}"#
        )
    };
}

const CONNECTION_INIT: &str = begun_init!("campaign-sync.v1");

#[cfg(feature = "encrypted")]
const CONNECTION_INIT_SEALED: &str = begun_init!("campaign-sync.v1.sealed");

/// `subscribe_campaign`.
pub fn subscribe_campaign(campaign_id: &CampaignId, position: Option<&Position>) -> String {
    let message = ObjectWriter::message("subscribe_campaign")
        .text("campaignId", campaign_id.as_str())
        .number("lastSequenceNumber", position.map_or(0, |p| p.sequence_number.get()));
    match position {
        Some(position) => message.text("epoch", position.epoch.as_str()).finish(),
        None => message.finish(),
    }
}

/// `unsubscribe_campaign`.
pub fn unsubscribe_campaign(campaign_id: &CampaignId) -> String {
    ObjectWriter::message("unsubscribe_campaign").text("campaignId", campaign_id.as_str()).finish()
}

/// `ping`; the server echoes `timestamp`.
pub fn ping(timestamp: u64) -> String {
    let payload = ObjectWriter::empty().number("timestamp", timestamp).finish();
    ObjectWriter::message("ping").raw("payload", &payload).finish()
}

/// `request_event_recovery`.
pub fn request_event_recovery(request: &RecoveryRequest<'_>) -> String {
    let mut payload = ObjectWriter::empty()
        .text("campaignId", request.campaign_id.as_str())
        .number("lastSequenceNumber", request.position.map_or(0, |p| p.sequence_number.get()))
        .text("requestId", request.request_id)
        .text("reason", request.reason.as_str());
    if let Some(position) = request.position {
        payload = payload.text("epoch", position.epoch.as_str());
    }
    if request.prefer_snapshot {
        payload = payload.text("prefer", "snapshot");
    }
    if let Some(resume) = request.resume {
        let resume = ObjectWriter::empty()
            .text("epoch", resume.epoch.as_str())
            .number("at", resume.at.get())
            .number("afterPart", resume.after_part)
            .finish();
        payload = payload.raw("resume", &resume);
    }
    ObjectWriter::message("request_event_recovery").raw("payload", &payload.finish()).finish()
}

/// `request_campaign_digest`.
pub fn request_campaign_digest(campaign_id: &CampaignId, request_id: &str) -> String {
    let payload = ObjectWriter::empty()
        .text("campaignId", campaign_id.as_str())
        .text("requestId", request_id)
        .finish();
    ObjectWriter::message("request_campaign_digest").raw("payload", &payload).finish()
}

/// `request_campaign_snapshot` of the named buckets only.
pub fn request_bucket_snapshot(
    campaign_id: &CampaignId,
    request_id: &str,
    buckets: &[u8],
) -> String {
    let mut list = String::from("[");
    for (index, bucket) in buckets.iter().enumerate() {
        if index > 0 {
            list.push(',');
        }
        push_decimal(&mut list, (*bucket).into());
    }
    list.push(']');
    let payload = ObjectWriter::empty()
        .text("campaignId", campaign_id.as_str())
        .text("requestId", request_id)
        .raw("buckets", &list)
        .finish();
    ObjectWriter::message("request_campaign_snapshot").raw("payload", &payload).finish()
}
