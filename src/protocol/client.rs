//! Messages from the client to the server (docs/PROTOCOL.md, chapter 6).

use super::names::named;
use super::position::Position;
use super::write::JsonWriter;
use super::{CampaignId, Epoch, SequenceNumber};

named! {
    /// The cause of a recovery request. Servers count requests by cause.
    Reason {
        /// First subscription of this campaign.
        Connect = "connect",
        /// A new socket opened.
        Reconnect = "reconnect",
        /// A sequence number was skipped.
        Gap = "gap",
        /// A heartbeat reported sequence numbers that did not arrive.
        Tail = "tail",
        /// An event did not match its hash.
        Hash = "hash",
        /// The histories of client and server differ.
        Divergence = "divergence",
        /// The next event cannot be applied.
        Rejected = "rejected",
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
    let mut message = JsonWriter::resume(unfinished);
    message.optional_text("token", token);
    message.finish()
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
    let mut message = JsonWriter::message("subscribe_campaign");
    message.text("campaignId", campaign_id.as_str());
    show_position(&mut message, position);
    message.finish()
}

/// Adds the epoch and the number of a position.
fn show_position(to: &mut JsonWriter, position: Option<&Position>) {
    to.count("lastSequenceNumber", position.map_or(0, |it| it.sequence_number.get()));
    to.optional_text("epoch", position.map(|it| it.epoch.as_str()));
}

/// Builds `unsubscribe_campaign`.
pub fn unsubscribe_campaign(campaign_id: &CampaignId) -> String {
    let mut message = JsonWriter::message("unsubscribe_campaign");
    message.text("campaignId", campaign_id.as_str());
    message.finish()
}

/// Starts a message with a payload, which is the last member.
fn with_payload(kind: &str) -> JsonWriter {
    let mut message = JsonWriter::message(kind);
    message.member("payload", "{");
    message
}

/// Ends the payload and the message.
fn finish_payload(mut message: JsonWriter) -> String {
    message.close("}");
    message.finish()
}

/// Builds `subscribe_catalogue`. `position` is the epoch and the number of the client's list.
pub fn subscribe_catalogue(request_id: &str, position: Option<(&Epoch, SequenceNumber)>) -> String {
    let mut message = with_payload("subscribe_catalogue");
    message.text("requestId", request_id);
    if let Some((epoch, number)) = position {
        message.text("epoch", epoch.as_str());
        message.count("lastSequenceNumber", number.get());
    }
    finish_payload(message)
}

/// Builds `unsubscribe_catalogue`.
pub fn unsubscribe_catalogue() -> String {
    JsonWriter::message("unsubscribe_catalogue").finish()
}

/// Builds `ping`. The server echoes `timestamp`.
pub fn ping(timestamp: u64) -> String {
    let mut message = with_payload("ping");
    message.count("timestamp", timestamp);
    finish_payload(message)
}

/// Builds `request_event_recovery`.
pub fn request_event_recovery(request: &RecoveryRequest<'_>) -> String {
    let mut message =
        for_campaign("request_event_recovery", request.campaign_id, request.request_id);
    show_position(&mut message, request.position);
    message.text("reason", request.reason.as_str());
    if request.prefer_snapshot {
        message.text("prefer", "snapshot");
    }
    if let Some(resume) = request.resume {
        message.member("resume", "{");
        message.text("epoch", resume.epoch.as_str());
        message.count("at", resume.at.get());
        message.count("afterPart", resume.after_part);
        message.close("}");
    }
    finish_payload(message)
}

/// Builds `request_campaign_digest`.
pub fn request_campaign_digest(campaign_id: &CampaignId, request_id: &str) -> String {
    finish_payload(for_campaign("request_campaign_digest", campaign_id, request_id))
}

/// Builds `request_campaign_snapshot` for the given buckets only.
pub fn request_bucket_snapshot(
    campaign_id: &CampaignId,
    request_id: &str,
    buckets: &[u8],
) -> String {
    let mut message = for_campaign("request_campaign_snapshot", campaign_id, request_id);
    message.member("buckets", "[");
    for &bucket in buckets {
        message.number(bucket.into());
    }
    message.close("]");
    finish_payload(message)
}

/// Starts a message with a payload about a campaign.
fn for_campaign(kind: &str, campaign_id: &CampaignId, request_id: &str) -> JsonWriter {
    let mut message = with_payload(kind);
    message.text("campaignId", campaign_id.as_str());
    message.text("requestId", request_id);
    message
}
