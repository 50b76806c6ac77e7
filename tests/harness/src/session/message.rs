//! Parses client messages.

use campaign_sync::protocol::limits::INTEGER_MAX;
use campaign_sync::protocol::{CampaignId, Code};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::members::{self, REQUEST_ID_BYTES_MAX};
use crate::access::Secret;
use crate::catalogue::Position;

/// The most bytes that are kept of a reason, and of an epoch that no log can have.
const REASON_BYTES_MAX: usize = 256;
const EPOCH_BYTES_KEPT: usize = 129;

/// A client message of v1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientMessage {
    /// `connection_init`
    Init {
        /// The protocols offered.
        protocols: Vec<String>,
        /// The secret, if the message has one.
        token: Option<Secret>,
        /// Whether the client requests binary frames.
        binary: bool,
    },
    /// `subscribe_campaign`
    Subscribe(CampaignId),
    /// `unsubscribe_campaign`
    Unsubscribe(CampaignId),
    /// `request_event_recovery`
    Recover(Recover),
    /// `request_campaign_digest`, or `request_campaign_snapshot` of some buckets
    StateQuery(StateQuery),
    /// `subscribe_catalogue`
    SubscribeCatalogue(CatalogueRequest),
    /// `unsubscribe_catalogue`
    UnsubscribeCatalogue,
    /// `ping`, with the timestamp to echo
    Ping(Option<u64>),
}

/// `request_event_recovery`, and `request_campaign_snapshot` of all rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recover {
    /// The campaign.
    pub campaign: CampaignId,
    /// The last applied number; 0 for none.
    pub last: u64,
    /// The epoch of this number.
    pub epoch: Option<String>,
    /// The request id. The answer repeats it.
    pub request: Option<String>,
    /// The reason, in the client's words.
    pub reason: Option<String>,
    /// The preferred outcome.
    pub prefer: Prefer,
    /// An interrupted snapshot download.
    pub resume: Option<Resume>,
}

/// A query of the state at one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateQuery {
    /// The campaign.
    pub campaign: CampaignId,
    /// The request id. The answer repeats it.
    pub request: Option<String>,
    /// The buckets whose rows are requested; `None` for the digests of all buckets.
    pub buckets: Option<Vec<u8>>,
}

/// `subscribe_catalogue`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueRequest {
    /// The request id. The answer repeats it.
    pub request: Option<String>,
    /// The position of the client's list.
    pub from: Option<Position>,
}

/// The outcome that a client prefers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prefer {
    /// A replay, however long.
    Replay,
    /// A snapshot, however short the replay would be.
    Snapshot,
    /// The server chooses.
    #[default]
    #[serde(other)]
    Either,
}

/// An interrupted snapshot download.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resume {
    /// The epoch of the snapshot.
    pub epoch: String,
    /// The number of the snapshot.
    pub at: u64,
    /// The last part that arrived.
    pub after_part: u64,
}

#[derive(Deserialize)]
struct Kind {
    r#type: String,
}

#[derive(Deserialize)]
struct Init {
    #[serde(default)]
    protocols: Vec<String>,
    token: Option<Secret>,
    binary: Option<bool>,
}

/// The fields of every request about a campaign, either in `payload` or at the top level.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    campaign_id: Option<String>,
    last_sequence_number: Option<u64>,
    epoch: Option<String>,
    request_id: Option<String>,
    reason: Option<String>,
    prefer: Option<Prefer>,
    resume: Option<Resume>,
    buckets: Option<Vec<u8>>,
    timestamp: Option<serde_json::Value>,
    payload: Option<Box<Self>>,
}

/// A document that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The reason.
    pub code: Code,
    /// The campaign that the document names.
    pub campaign: Option<CampaignId>,
    /// The request id that the document names.
    pub request: Option<String>,
}

impl From<Code> for Malformed {
    fn from(code: Code) -> Self {
        Self { code, campaign: None, request: None }
    }
}

/// Parses one document.
///
/// # Errors
/// [`Malformed`], with what the document names if its members are unambiguous.
pub fn read(document: &str) -> Result<ClientMessage, Malformed> {
    if members::are_ambiguous(document) {
        return Err(Code::AmbiguousEnvelope.into());
    }
    message(document).map_err(|code| {
        let (campaign, request) = members::named(document);
        Malformed { code, campaign, request }
    })
}

fn message(document: &str) -> Result<ClientMessage, Code> {
    let Kind { r#type } = parse(document)?;
    match r#type.as_str() {
        "connection_init" => {
            let Init { protocols, token, binary } = parse(document)?;
            Ok(ClientMessage::Init { protocols, token, binary: binary.unwrap_or_default() })
        }
        "subscribe_campaign" => fields(document)?.campaign().map(ClientMessage::Subscribe),
        "unsubscribe_campaign" => fields(document)?.campaign().map(ClientMessage::Unsubscribe),
        "request_event_recovery" => {
            let fields = fields(document)?;
            let prefer = fields.prefer.unwrap_or_default();
            fields.recover(prefer).map(ClientMessage::Recover)
        }
        "request_campaign_digest" => {
            fields(document)?.state_query(None).map(ClientMessage::StateQuery)
        }
        "request_campaign_snapshot" => {
            let mut fields = fields(document)?;
            match fields.buckets.take() {
                None => fields.recover(Prefer::Snapshot).map(ClientMessage::Recover),
                buckets => fields.state_query(buckets).map(ClientMessage::StateQuery),
            }
        }
        "subscribe_catalogue" => {
            let Fields { epoch, last_sequence_number, request_id, .. } = fields(document)?;
            let number = last_sequence_number.unwrap_or_default();
            if number > INTEGER_MAX {
                return Err(Code::IntegerOutOfRange);
            }
            let from = epoch.map(|text| Position { epoch: cut(text, EPOCH_BYTES_KEPT), number });
            Ok(ClientMessage::SubscribeCatalogue(CatalogueRequest { request: request_id, from }))
        }
        "unsubscribe_catalogue" => Ok(ClientMessage::UnsubscribeCatalogue),
        "ping" => {
            let timestamp = fields(document)?.timestamp;
            Ok(ClientMessage::Ping(timestamp.and_then(|it| it.as_u64())))
        }
        _ => Err(Code::UnknownType),
    }
}

fn parse<T: DeserializeOwned>(document: &str) -> Result<T, Code> {
    serde_json::from_str(document).map_err(|_| Code::InvalidMessage)
}

/// The beginning of a text. Waiting requests keep little of what clients send.
fn cut(mut text: String, most: usize) -> String {
    text.truncate(text.floor_char_boundary(most));
    text.shrink_to_fit();
    text
}

fn fields(document: &str) -> Result<Fields, Code> {
    let fields: Fields = parse(document)?;
    let fields = match fields.payload {
        Some(inner) if inner.payload.is_some() => return Err(Code::InvalidMessage),
        Some(inner) => *inner,
        None => fields,
    };
    match &fields.request_id {
        Some(id) if id.len() > REQUEST_ID_BYTES_MAX => Err(Code::InvalidMessage),
        _ => Ok(fields),
    }
}

impl Fields {
    fn campaign(&self) -> Result<CampaignId, Code> {
        CampaignId::new(self.campaign_id.as_deref().ok_or(Code::InvalidMessage)?)
    }

    fn state_query(self, mut buckets: Option<Vec<u8>>) -> Result<StateQuery, Code> {
        if let Some(buckets) = &mut buckets {
            buckets.sort_unstable();
            buckets.dedup();
            buckets.shrink_to_fit();
        }
        Ok(StateQuery { campaign: self.campaign()?, request: self.request_id, buckets })
    }

    fn recover(self, prefer: Prefer) -> Result<Recover, Code> {
        let last = self.last_sequence_number.unwrap_or_default();
        if last > INTEGER_MAX {
            return Err(Code::IntegerOutOfRange);
        }
        let epoch = |text| cut(text, EPOCH_BYTES_KEPT);
        let resume = self.resume.clone();
        Ok(Recover {
            campaign: self.campaign()?,
            last,
            epoch: self.epoch.map(epoch),
            request: self.request_id,
            reason: self.reason.map(|text| cut(text, REASON_BYTES_MAX)),
            prefer,
            resume: resume.map(|it| Resume { epoch: epoch(it.epoch), ..it }),
        })
    }
}
