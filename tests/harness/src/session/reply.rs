//! Composes control messages: `{type, timestamp, data}`.

use campaign_sync::protocol::limits::FRAME_BYTES_MAX;
use campaign_sync::protocol::{CampaignId, Code};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::FrameText;
use crate::clock::Moment;
use crate::log::Head;

/// A control message with this `data`.
pub fn message(now: Moment, kind: &str, data: &str) -> String {
    format!("{{\"type\":\"{kind}\",\"timestamp\":\"{}\",\"data\":{data}}}", now.timestamp())
}

/// A control message whose `data` consists of three pieces, the middle one shared.
pub(super) fn message_around(
    now: Moment,
    kind: &str,
    (head, shared, tail): (String, Utf8Bytes, String),
) -> FrameText {
    let timestamp = now.timestamp();
    let head = format!("{{\"type\":\"{kind}\",\"timestamp\":\"{timestamp}\",\"data\":{head}");
    FrameText::around(head, shared, tail + "}")
}

/// `connection_ack`
pub fn connection_ack(
    now: Moment,
    (connection, subject): (&str, Option<&str>),
    protocol: &str,
    heartbeat_ms: u64,
    profiles: &[&str],
) -> String {
    let mut data = json!({
        "connectionId": connection,
        "protocol": protocol,
        "heartbeatMs": heartbeat_ms,
        "maxFrameBytes": FRAME_BYTES_MAX,
        "profiles": profiles,
    });
    optional(&mut data, "subject", subject);
    message(now, "connection_ack", &data.to_string())
}

/// `subscription_confirmed`
pub fn confirmed(now: Moment, campaign: &CampaignId, epoch: &str, head: &Head) -> String {
    let data = json!({
        "campaignId": campaign.as_str(),
        "epoch": epoch,
        "lastSequenceNumber": head.number,
        "oldestSequenceNumber": head.oldest,
    });
    message(now, "subscription_confirmed", &data.to_string())
}

/// `subscription_ended`
pub fn ended(now: Moment, campaign: &CampaignId, reason: &str) -> String {
    let data = json!({"campaignId": campaign.as_str(), "reason": reason});
    message(now, "subscription_ended", &data.to_string())
}

/// `event_recovery` for a campaign that does not exist
pub fn unknown_campaign(now: Moment, campaign: &CampaignId, request: Option<&str>) -> String {
    let mut data = json!({"campaignId": campaign.as_str(), "outcome": "unknown_campaign"});
    optional(&mut data, "requestId", request);
    message(now, "event_recovery", &data.to_string())
}

/// `error`
pub fn error(
    now: Moment,
    code: Code,
    text: &str,
    campaign: Option<&CampaignId>,
    request: Option<&str>,
) -> String {
    let mut data = json!({"code": code.as_str(), "message": text});
    optional(&mut data, "campaignId", campaign.map(CampaignId::as_str));
    optional(&mut data, "requestId", request);
    message(now, "error", &data.to_string())
}

/// `error` `rate_limited`
pub fn rate_limited(
    now: Moment,
    campaign: &CampaignId,
    request: Option<&str>,
    retry_after_ms: u64,
) -> String {
    let mut data = json!({
        "code": Code::RateLimited.as_str(),
        "message": "too many requests",
        "campaignId": campaign.as_str(),
        "retryAfterMs": retry_after_ms,
    });
    optional(&mut data, "requestId", request);
    message(now, "error", &data.to_string())
}

/// `error` `rate_limited` for a request of the catalogue
pub(super) fn catalogue_busy(now: Moment, request: Option<&str>, retry_after_ms: u64) -> String {
    let mut data = json!({
        "code": Code::RateLimited.as_str(),
        "message": "too many requests",
        "retryAfterMs": retry_after_ms,
    });
    optional(&mut data, "requestId", request);
    message(now, "error", &data.to_string())
}

/// `session_expired`
pub fn session_expired(now: Moment) -> String {
    message(now, "session_expired", "{}")
}

/// `server_draining`
pub fn draining(now: Moment, retry_after_ms: u64) -> String {
    message(now, "server_draining", &json!({"retryAfterMs": retry_after_ms}).to_string())
}

/// `pong`
pub fn pong(now: Moment, echo: Option<u64>, heads: Vec<Value>, catalogue: Option<Value>) -> String {
    let mut data = json!({"timestamp": echo, "heads": heads});
    if let Some(catalogue) = catalogue {
        data["catalogue"] = catalogue;
    }
    message(now, "pong", &data.to_string())
}

/// The head of a campaign in a `pong`: the last number written to this socket, and the head of the log. Count
/// and digest are included only if both numbers are equal.
pub fn head(campaign: &CampaignId, epoch: &str, written: u64, head: &Head) -> Value {
    let mut value = json!({
        "campaignId": campaign.as_str(),
        "epoch": epoch,
        "lastSequenceNumber": written,
        "logHead": head.number,
    });
    if written == head.number {
        value["domainsCount"] = json!(head.domains_count);
        value["domainsDigest"] = json!(head.domains_digest.to_string());
    }
    value
}

/// Adds a member if it has a value.
pub(super) fn optional(data: &mut Value, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        data[key] = json!(value);
    }
}
