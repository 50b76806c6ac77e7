//! The bodies of answers.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::log::state::Record;
use crate::log::{Row, Settings, Transaction};

/// A refusal.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// The reason.
    pub error: ErrorReason,
}

/// The reason of a refusal.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorReason {
    /// A code of the contract, docs/PROTOCOL.md, chapter 14.
    pub code: &'static str,
    /// The reason, for people.
    pub message: String,
}

/// Campaigns, in ascending order of their ids.
#[derive(Debug, Serialize, ToSchema)]
pub struct CampaignList {
    /// The records.
    #[schema(value_type = Vec<Record<'_>>)]
    pub campaigns: Vec<Value>,
    /// The cursor of the next page; `null` on the last one. Absent if the request asks for no page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub next: Option<Option<String>>,
}

/// A campaign: its record, and its settings.
#[derive(Debug, Serialize, ToSchema)]
pub struct Campaign<'a> {
    /// The record.
    #[serde(flatten)]
    pub record: Record<'a>,
    /// The settings.
    pub settings: &'a Settings,
}

/// A changed campaign.
#[derive(Debug, Serialize, ToSchema)]
pub struct Changed {
    /// The record after the change.
    #[schema(value_type = Record<'_>)]
    pub campaign: Value,
    /// The position at which the change is visible.
    pub position: Position,
}

/// A position in the log of a campaign.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    /// The epoch of the log.
    pub epoch: String,
    /// The number of the event.
    pub sequence_number: u64,
    /// The id of the event.
    pub event_id: String,
}

/// A page of rows.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DomainsPage {
    /// The rows.
    pub domains: Vec<Row>,
    /// The number of matching rows before this page.
    pub offset: u64,
    /// The most rows of a page.
    pub limit: u64,
    /// The number of matching rows.
    pub total: u64,
    /// The number of all rows.
    pub domains_count: u64,
}

/// The state of a campaign at one number.
#[derive(Debug, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "snapshots are written as text; this is the schema of the text")]
pub struct Snapshot<'a> {
    /// The id of the campaign.
    campaign_id: String,
    /// The epoch of the log.
    epoch: String,
    /// The number of the last event that the state contains.
    sequence_number: u64,
    /// The id of that event.
    event_id: String,
    /// The record.
    campaign: Record<'a>,
    /// All rows.
    domains: Vec<Row>,
    /// The number of rows.
    domains_count: u64,
    /// The digest of the rows, docs/PROTOCOL.md, chapter 11.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    domains_digest: String,
    /// The subject of the session, if it has one and the server has no keys.
    subject: Option<String>,
}

/// The audit trail of a campaign.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditTrail<'a> {
    /// The requests, in order.
    pub transitions: Vec<AuditEntry<'a>>,
}

/// One request, and its result.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry<'a> {
    /// The name of the operation, such as `DNS_Phase_Transition`.
    name: &'a str,
    /// The user; `operator`, `anonymous` or `server` for a request of no user.
    who: &'a str,
    /// The time of the request, in RFC 3339.
    timestamp: &'a str,
    /// The phase and status before, such as `dns_validation/paused`.
    from: &'a str,
    /// The phase and status after it.
    to: &'a str,
    /// `manual`, `automatic` or `error_recovery` for a transition; `status`, `creation`, `owner` or `deletion`
    /// for any other change.
    r#type: &'a str,
    /// The reason of the request, for people.
    reason: &'a str,
    /// `accepted`, or the code of the refusal.
    result: &'a str,
    /// The text of the refusal, for people.
    message: Option<&'a str>,
    /// The number of the last event of the request, if it was accepted.
    sequence_number: Option<u64>,
    /// The id of that event.
    event_id: Option<&'a str>,
}

impl<'a> From<&'a Transaction> for AuditEntry<'a> {
    fn from(it: &'a Transaction) -> Self {
        Self {
            name: &it.name,
            who: &it.who,
            timestamp: &it.timestamp,
            from: &it.from,
            to: &it.to,
            r#type: &it.kind,
            reason: &it.reason,
            result: &it.result,
            message: it.message.as_deref(),
            sequence_number: it.sequence_number,
            event_id: it.event_id.as_deref(),
        }
    }
}

/// A new session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoggedIn {
    /// The user.
    pub user: String,
    /// The token, if the request asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The life of the session, in seconds.
    pub expires_in_seconds: u64,
}

/// The session of a request.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CurrentSession {
    /// The user; `operator` or `anonymous` for a session of no user.
    pub user: String,
    /// The subject of the session, as `connection_ack` names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The rest of its life, in seconds, if it expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in_seconds: Option<u64>,
}

/// An answer without content.
#[derive(Debug, Serialize, ToSchema)]
pub struct Done {}

/// The sessions that were ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ended {
    /// Their number.
    pub ended: usize,
}

/// The sockets that were cut.
#[derive(Debug, Serialize, ToSchema)]
pub struct Cut {
    /// Their number.
    pub cut: usize,
}

/// A server that ends.
#[derive(Debug, Serialize, ToSchema)]
pub struct Killed {
    /// Always `true`.
    pub killed: bool,
}

/// A truncated history.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Truncated {
    /// The oldest event that is left; the number after the head if all are deleted.
    pub oldest_sequence_number: Option<u64>,
}

/// Rows that were changed without an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct Diverged {
    /// Their number.
    pub changed: u64,
}
