//! Messages of clients, as the model server reads them.

use serde_json::Value;

/// A message of a client.
#[derive(Debug)]
pub(crate) enum Message {
    /// `connection_init`
    Init,
    /// `subscribe_campaign`
    Subscribe(String),
    /// `unsubscribe_campaign`
    Unsubscribe(String),
    /// `request_event_recovery`
    Recover(String, Recover),
    /// `request_campaign_digest`, or `request_campaign_snapshot` of some buckets.
    StateQuery(String, StateQuery),
    /// `subscribe_catalogue`, with the position and the request id
    Catalogue(Option<(String, u64)>, String),
    /// `unsubscribe_catalogue`
    LeaveCatalogue,
    /// `ping`
    Ping(u64),
}

/// The content of a recovery request.
#[derive(Clone, Debug)]
pub(crate) struct Recover {
    pub(crate) last: u64,
    pub(crate) epoch: Option<String>,
    pub(crate) request: String,
    pub(crate) reason: String,
    pub(crate) snapshot: bool,
    pub(crate) resume: Option<Resume>,
}

/// The part of a snapshot that the client already has.
#[derive(Clone, Debug)]
pub(crate) struct Resume {
    pub(crate) epoch: String,
    pub(crate) at: u64,
    pub(crate) after_part: u64,
}

/// A question about rows: bucket digests, or the rows of some buckets.
#[derive(Debug)]
pub(crate) struct StateQuery {
    pub(crate) request: String,
    pub(crate) buckets: Option<Vec<u8>>,
}

impl Message {
    /// Reads a message; `None` if it breaks the contract, which a client never does.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let document: Value = serde_json::from_str(text).ok()?;
        let payload = document.get("payload").unwrap_or(&document);
        let text = |value: &Value, key: &str| Some(value.get(key)?.as_str()?.to_owned());
        let number = |value: &Value, key: &str| value.get(key)?.as_u64();
        let campaign = text(payload, "campaignId");
        let request = text(payload, "requestId");
        Some(match document.get("type")?.as_str()? {
            "connection_init" => Self::Init,
            "subscribe_campaign" => Self::Subscribe(campaign?),
            "unsubscribe_campaign" => Self::Unsubscribe(campaign?),
            "request_event_recovery" => {
                let resume = payload.get("resume").and_then(|resume| {
                    Some(Resume {
                        epoch: text(resume, "epoch")?,
                        at: number(resume, "at")?,
                        after_part: number(resume, "afterPart")?,
                    })
                });
                let recover = Recover {
                    last: number(payload, "lastSequenceNumber")?,
                    epoch: text(payload, "epoch"),
                    request: request?,
                    reason: text(payload, "reason")?,
                    snapshot: text(payload, "prefer").as_deref() == Some("snapshot"),
                    resume,
                };
                Self::Recover(campaign?, recover)
            }
            "request_campaign_digest" => {
                Self::StateQuery(campaign?, StateQuery { request: request?, buckets: None })
            }
            "request_campaign_snapshot" => {
                let list = payload.get("buckets")?.as_array()?;
                let bucket = |value: &Value| u8::try_from(value.as_u64()?).ok();
                let buckets = list.iter().map(bucket).collect::<Option<Vec<u8>>>()?;
                Self::StateQuery(
                    campaign?,
                    StateQuery { request: request?, buckets: Some(buckets) },
                )
            }
            "subscribe_catalogue" => {
                let from = text(payload, "epoch").zip(number(payload, "lastSequenceNumber"));
                Self::Catalogue(from, request?)
            }
            "unsubscribe_catalogue" => Self::LeaveCatalogue,
            "ping" => Self::Ping(number(payload, "timestamp")?),
            _ => return None,
        })
    }
}
