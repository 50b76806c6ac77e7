//! Control messages, server → client: `{type, timestamp, data}` without a sequence.

use std::borrow::Cow;

use super::body::read_list;
use super::digest::{Bucket, Buckets, EMPTY_BUCKETS};
use super::domain::optional;
use super::envelope::Envelope;
use super::json::Reader;
use super::limits::DIGEST_BUCKETS;
use super::position::{Epoch, is_token};
use super::snapshot::SnapshotPart;
use super::transition::read_digest;
use super::{Code, Digest, SequenceNumber, id::is_campaign_id};

/// A control message of v1.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerMessage<'a> {
    /// `connection_ack`
    ConnectionAck {
        /// The dialect that the server chose; none means the original.
        protocol: Option<Cow<'a, str>>,
        /// Silence after which the server sends a `pong` of itself, in milliseconds.
        heartbeat_ms: Option<u64>,
    },
    /// `subscription_confirmed`
    SubscriptionConfirmed {
        /// Which campaign.
        campaign_id: Cow<'a, str>,
        /// Its log.
        epoch: Epoch,
        /// The log's last number.
        last_sequence_number: SequenceNumber,
    },
    /// `subscription_ended`
    SubscriptionEnded {
        /// Which campaign.
        campaign_id: Cow<'a, str>,
        /// Why; `forbidden` when access was revoked.
        reason: Cow<'a, str>,
    },
    /// `event_recovery`
    EventRecovery(EventRecovery<'a>),
    /// `campaign.digest`
    CampaignDigest(Box<CampaignDigest<'a>>),
    /// `campaign.snapshot`
    SnapshotPart(Box<SnapshotPart<'a>>),
    /// `pong`
    Pong {
        /// The `timestamp` of the ping that this answers; none when unsolicited.
        echo: Option<u64>,
        /// One per subscription whose cursor has been set.
        heads: Vec<Head<'a>>,
    },
    /// `error`
    Error {
        /// From the closed list; none for a code of a later version.
        code: Option<Code>,
        /// Which campaign it is about.
        campaign_id: Option<Cow<'a, str>>,
        /// Which request it answers.
        request_id: Option<Cow<'a, str>>,
        /// Wait this long before asking again.
        retry_after_ms: Option<u64>,
    },
    /// `session_expired`
    SessionExpired,
    /// `server_draining`
    ServerDraining {
        /// When to come back.
        retry_after_ms: u64,
    },
}

/// What a recovery request led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryOutcome {
    /// The missed events follow, as first published.
    Replay,
    /// Nothing was missed.
    Current,
    /// A snapshot follows. Outcomes of later versions read as this one.
    Snapshot,
    /// No such campaign for this session.
    UnknownCampaign,
}

/// The answer to `request_event_recovery`: the cursor now stands before `from`.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRecovery<'a> {
    /// Which campaign.
    pub campaign_id: Cow<'a, str>,
    /// Which request.
    pub request_id: Option<Cow<'a, str>>,
    /// The log; none for an unknown campaign.
    pub epoch: Option<Epoch>,
    /// What follows.
    pub outcome: RecoveryOutcome,
    /// Why a snapshot, if it says.
    pub reason: Option<Cow<'a, str>>,
    /// The first number that follows.
    pub from: SequenceNumber,
    /// The last number that is replay; what follows it is live.
    pub to: SequenceNumber,
}

/// The answer to `request_campaign_digest`.
#[derive(Clone, Debug, PartialEq)]
pub struct CampaignDigest<'a> {
    /// Which campaign.
    pub campaign_id: Cow<'a, str>,
    /// Which request.
    pub request_id: Option<Cow<'a, str>>,
    /// The log.
    pub epoch: Epoch,
    /// The number whose state the buckets describe.
    pub sequence_number: SequenceNumber,
    /// The buckets.
    pub buckets: Buckets,
}

/// A campaign's head, as a `pong` tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Head<'a> {
    /// Which campaign.
    pub campaign_id: Cow<'a, str>,
    /// The log.
    pub epoch: Epoch,
    /// The last number written to this socket before the pong.
    pub last_sequence_number: SequenceNumber,
    /// The last number of the log.
    pub log_head: SequenceNumber,
    /// Rows at `last_sequence_number`.
    pub domains_count: Option<u64>,
    /// Digest of the rows at `last_sequence_number`.
    pub domains_digest: Option<Digest>,
}

impl<'a> ServerMessage<'a> {
    /// Decodes a control message; `None` for a type that is not a control message of v1.
    ///
    /// # Errors
    /// [`Code::InvalidContent`], [`Code::IntegerOutOfRange`], [`Code::InvalidCampaignId`].
    pub fn decode(envelope: &Envelope<'a>) -> Result<Option<Self>, Code> {
        let mut reader = Reader::new(envelope.data);
        let reader = &mut reader;
        Ok(Some(match envelope.kind {
            "pong" => read_pong(reader, envelope.data)?,
            "campaign.snapshot" => Self::SnapshotPart(Box::new(SnapshotPart::read(reader)?)),
            "event_recovery" => Self::EventRecovery(read_recovery(reader)?),
            "campaign.digest" => Self::CampaignDigest(Box::new(read_campaign_digest(reader)?)),
            "connection_ack" => read_connection_ack(reader)?,
            "subscription_confirmed" => read_confirmed(reader)?,
            "subscription_ended" => read_ended(reader)?,
            "error" => read_error(reader)?,
            "session_expired" => Self::SessionExpired,
            "server_draining" => read_draining(reader)?,
            _ => return Ok(None),
        }))
    }
}

/// Reads a campaign id.
pub(super) fn read_campaign_id<'a>(reader: &mut Reader<'a>) -> Result<Cow<'a, str>, Code> {
    let id = reader.text()?;
    if is_campaign_id(&id) { Ok(id) } else { Err(Code::InvalidCampaignId) }
}

/// Reads an epoch.
pub(super) fn read_epoch(reader: &mut Reader<'_>) -> Result<Epoch, Code> {
    Epoch::new(&reader.text()?)
}

/// Reads a sequence number.
pub(super) fn read_sequence_number(reader: &mut Reader<'_>) -> Result<SequenceNumber, Code> {
    SequenceNumber::new(reader.unsigned()?)
}

/// Reads an event id, which may be empty for "none".
pub(super) fn read_event_id(reader: &mut Reader<'_>) -> Result<String, Code> {
    let id = reader.text()?;
    if id.is_empty() || is_token(&id) { Ok(id.into_owned()) } else { Err(Code::InvalidContent) }
}

fn read_connection_ack<'a>(reader: &mut Reader<'a>) -> Result<ServerMessage<'a>, Code> {
    let (mut protocol, mut heartbeat_ms) = (None, None);
    reader.object(|key, value| {
        match key.inner {
            "protocol" => protocol = optional(value, Reader::text)?,
            "heartbeatMs" => heartbeat_ms = optional(value, Reader::unsigned)?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    Ok(ServerMessage::ConnectionAck { protocol, heartbeat_ms })
}

fn read_confirmed<'a>(reader: &mut Reader<'a>) -> Result<ServerMessage<'a>, Code> {
    let (mut campaign, mut epoch, mut last) = (None, None, None);
    reader.object(|key, value| {
        match key.inner {
            "campaignId" => campaign = Some(read_campaign_id(value)?),
            "epoch" => epoch = Some(read_epoch(value)?),
            "lastSequenceNumber" => last = Some(read_sequence_number(value)?),
            _ => value.skip()?,
        }
        Ok(())
    })?;
    Ok(ServerMessage::SubscriptionConfirmed {
        campaign_id: campaign.ok_or(Code::InvalidContent)?,
        epoch: epoch.ok_or(Code::InvalidContent)?,
        last_sequence_number: last.ok_or(Code::InvalidContent)?,
    })
}

fn read_ended<'a>(reader: &mut Reader<'a>) -> Result<ServerMessage<'a>, Code> {
    let (mut campaign, mut reason) = (None, Cow::Borrowed(""));
    reader.object(|key, value| {
        match key.inner {
            "campaignId" => campaign = Some(read_campaign_id(value)?),
            "reason" => reason = value.text()?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    let campaign_id = campaign.ok_or(Code::InvalidContent)?;
    Ok(ServerMessage::SubscriptionEnded { campaign_id, reason })
}

fn read_recovery<'a>(reader: &mut Reader<'a>) -> Result<EventRecovery<'a>, Code> {
    let (mut campaign, mut request_id, mut epoch, mut outcome) = (None, None, None, None);
    let (mut reason, mut from, mut to) = (None, None, None);
    reader.object(|key, value| {
        match key.inner {
            "campaignId" => campaign = Some(read_campaign_id(value)?),
            "requestId" => request_id = optional(value, Reader::text)?,
            "epoch" => epoch = optional(value, read_epoch)?,
            "outcome" => outcome = Some(read_outcome(value)?),
            "reason" => reason = optional(value, Reader::text)?,
            "fromSequenceNumber" => from = optional(value, read_sequence_number)?,
            "toSequenceNumber" => to = optional(value, read_sequence_number)?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    let outcome = outcome.ok_or(Code::InvalidContent)?;
    let unknown = outcome == RecoveryOutcome::UnknownCampaign;
    if !unknown && (epoch.is_none() || from.is_none() || to.is_none()) {
        return Err(Code::InvalidContent);
    }
    Ok(EventRecovery {
        campaign_id: campaign.ok_or(Code::InvalidContent)?,
        request_id,
        epoch,
        outcome,
        reason,
        from: from.unwrap_or_default(),
        to: to.unwrap_or_default(),
    })
}

fn read_outcome(reader: &mut Reader<'_>) -> Result<RecoveryOutcome, Code> {
    Ok(match reader.text()?.as_ref() {
        "replay" => RecoveryOutcome::Replay,
        "current" => RecoveryOutcome::Current,
        "unknown_campaign" => RecoveryOutcome::UnknownCampaign,
        _ => RecoveryOutcome::Snapshot,
    })
}

fn read_campaign_digest<'a>(reader: &mut Reader<'a>) -> Result<CampaignDigest<'a>, Code> {
    let (mut campaign, mut request_id, mut epoch) = (None, None, None);
    let (mut number, mut list) = (None, None);
    reader.object(|key, value| {
        match key.inner {
            "campaignId" => campaign = Some(read_campaign_id(value)?),
            "requestId" => request_id = optional(value, Reader::text)?,
            "epoch" => epoch = Some(read_epoch(value)?),
            "sequenceNumber" => number = Some(read_sequence_number(value)?),
            "buckets" => list = Some(read_list(value, DIGEST_BUCKETS, read_bucket)?),
            _ => value.skip()?,
        }
        Ok(())
    })?;
    let list = list.filter(|list| list.len() == DIGEST_BUCKETS).ok_or(Code::InvalidContent)?;
    let mut buckets = EMPTY_BUCKETS;
    buckets.copy_from_slice(&list);
    Ok(CampaignDigest {
        campaign_id: campaign.ok_or(Code::InvalidContent)?,
        request_id,
        epoch: epoch.ok_or(Code::InvalidContent)?,
        sequence_number: number.ok_or(Code::InvalidContent)?,
        buckets,
    })
}

/// Reads `[count, sum]`.
fn read_bucket(reader: &mut Reader<'_>) -> Result<Bucket, Code> {
    let (mut index, mut count, mut sum) = (0, None, None);
    reader.array(|element| {
        match index {
            0 => count = Some(element.unsigned()?),
            1 => sum = Some(read_digest(element)?),
            _ => return Err(Code::InvalidContent),
        }
        index += 1;
        Ok(())
    })?;
    let count = count.ok_or(Code::InvalidContent)?;
    Ok(Bucket { count, sum: sum.ok_or(Code::InvalidContent)? })
}

fn read_pong<'a>(reader: &mut Reader<'a>, data: &str) -> Result<ServerMessage<'a>, Code> {
    let (mut echo, mut heads) = (None, Vec::new());
    if data.is_empty() {
        return Ok(ServerMessage::Pong { echo, heads });
    }
    reader.object(|key, value| {
        match key.inner {
            "timestamp" => echo = optional(value, Reader::unsigned)?,
            "heads" => heads = read_list(value, usize::MAX, read_head)?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    Ok(ServerMessage::Pong { echo, heads })
}

fn read_head<'a>(reader: &mut Reader<'a>) -> Result<Head<'a>, Code> {
    let (mut campaign, mut epoch, mut last, mut log) = (None, None, None, None);
    let (mut domains_count, mut domains_digest) = (None, None);
    reader.object(|key, value| {
        match key.inner {
            "campaignId" => campaign = Some(read_campaign_id(value)?),
            "epoch" => epoch = Some(read_epoch(value)?),
            "lastSequenceNumber" => last = Some(read_sequence_number(value)?),
            "logHead" => log = Some(read_sequence_number(value)?),
            "domainsCount" => domains_count = optional(value, Reader::unsigned)?,
            "domainsDigest" => domains_digest = optional(value, read_digest)?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    Ok(Head {
        campaign_id: campaign.ok_or(Code::InvalidContent)?,
        epoch: epoch.ok_or(Code::InvalidContent)?,
        last_sequence_number: last.ok_or(Code::InvalidContent)?,
        log_head: log.ok_or(Code::InvalidContent)?,
        domains_count,
        domains_digest,
    })
}

fn read_error<'a>(reader: &mut Reader<'a>) -> Result<ServerMessage<'a>, Code> {
    let (mut code, mut campaign_id, mut request_id, mut retry_after_ms) = (None, None, None, None);
    reader.object(|key, value| {
        match key.inner {
            "code" => code = Code::parse(&value.text()?),
            "campaignId" => campaign_id = optional(value, read_campaign_id)?,
            "requestId" => request_id = optional(value, Reader::text)?,
            "retryAfterMs" => retry_after_ms = optional(value, Reader::unsigned)?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    Ok(ServerMessage::Error { code, campaign_id, request_id, retry_after_ms })
}

fn read_draining<'a>(reader: &mut Reader<'a>) -> Result<ServerMessage<'a>, Code> {
    let mut retry_after_ms = 0;
    reader.object(|key, value| {
        match key.inner {
            "retryAfterMs" => retry_after_ms = value.unsigned()?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    Ok(ServerMessage::ServerDraining { retry_after_ms })
}
