//! Messages from the client to the server (docs/PROTOCOL.md, chapter 6).

use super::position::Position;
use super::write::{ObjectWriter, push_decimal};
use super::{CampaignId, Epoch, SequenceNumber};

/// The cause of a recovery request. Servers count requests by cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// First subscription of this campaign.
    Connect,
    /// A new socket opened.
    Reconnect,
    /// A sequence number was skipped.
    Gap,
    /// A heartbeat reported sequence numbers that did not arrive.
    Tail,
    /// An event did not match its hash.
    Hash,
    /// The histories of client and server differ.
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

    /// The name on the wire.
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

/// The part of a snapshot download that has already arrived, so that the download can resume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotResume {
    /// The epoch of the snapshot.
    pub epoch: Epoch,
    /// The sequence number of the snapshot.
    pub at: SequenceNumber,
    /// The last part that arrived.
    pub after_part: u64,
}

/// The content of `request_event_recovery`.
#[derive(Clone, Debug, PartialEq)]
pub struct RecoveryRequest<'a> {
    /// The campaign to recover.
    pub campaign_id: &'a CampaignId,
    /// The last applied position, if there is one.
    pub position: Option<&'a Position>,
    /// The id that the answer repeats.
    pub request_id: &'a str,
    /// The cause of the request.
    pub reason: Reason,
    /// Requests a snapshot even if the server's history is long enough for a replay.
    pub prefer_snapshot: bool,
    /// The interrupted snapshot download to continue.
    pub resume: Option<&'a SnapshotResume>,
}

/// Builds `connection_init`.
pub fn connection_init(token: Option<&str>) -> String {
    init(CONNECTION_INIT, token)
}

/// Builds `connection_init` for a client that accepts only sealed content.
#[cfg(feature = "encrypted")]
pub fn connection_init_sealed(token: Option<&str>) -> String {
    init(CONNECTION_INIT_SEALED, token)
}

fn init(unfinished: &str, token: Option<&str>) -> String {
    let message = ObjectWriter::resume(unfinished);
    match token {
        Some(token) => message.text("token", token).finish(),
        None => message.finish(),
    }
}

/// `connection_init` up to the token, without the closing brace.
macro_rules! unfinished_init {
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

const CONNECTION_INIT: &str = unfinished_init!("campaign-sync.v1");

#[cfg(feature = "encrypted")]
const CONNECTION_INIT_SEALED: &str = unfinished_init!("campaign-sync.v1.sealed");

/// Builds `subscribe_campaign`.
pub fn subscribe_campaign(campaign_id: &CampaignId, position: Option<&Position>) -> String {
    let message = ObjectWriter::message("subscribe_campaign")
        .text("campaignId", campaign_id.as_str())
        .number("lastSequenceNumber", position.map_or(0, |p| p.sequence_number.get()));
    match position {
        Some(position) => message.text("epoch", position.epoch.as_str()).finish(),
        None => message.finish(),
    }
}

/// Builds `unsubscribe_campaign`.
pub fn unsubscribe_campaign(campaign_id: &CampaignId) -> String {
    ObjectWriter::message("unsubscribe_campaign").text("campaignId", campaign_id.as_str()).finish()
}

/// Builds `subscribe_catalogue`. `position` is the epoch and the number of the client's list.
pub fn subscribe_catalogue(request_id: &str, position: Option<(&Epoch, SequenceNumber)>) -> String {
    let mut payload = ObjectWriter::empty().text("requestId", request_id);
    if let Some((epoch, number)) = position {
        payload = payload.text("epoch", epoch.as_str()).number("lastSequenceNumber", number.get());
    }
    ObjectWriter::message("subscribe_catalogue").raw("payload", &payload.finish()).finish()
}

/// Builds `unsubscribe_catalogue`.
pub fn unsubscribe_catalogue() -> String {
    ObjectWriter::message("unsubscribe_catalogue").finish()
}

/// Builds `ping`. The server echoes `timestamp`.
pub fn ping(timestamp: u64) -> String {
    let payload = ObjectWriter::empty().number("timestamp", timestamp).finish();
    ObjectWriter::message("ping").raw("payload", &payload).finish()
}

/// Builds `request_event_recovery`.
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

/// Builds `request_campaign_digest`.
pub fn request_campaign_digest(campaign_id: &CampaignId, request_id: &str) -> String {
    let payload = ObjectWriter::empty()
        .text("campaignId", campaign_id.as_str())
        .text("requestId", request_id)
        .finish();
    ObjectWriter::message("request_campaign_digest").raw("payload", &payload).finish()
}

/// Builds `request_campaign_snapshot` for the given buckets only.
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
