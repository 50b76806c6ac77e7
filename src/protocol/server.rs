//! Control messages from the server to the client: `{type, timestamp, data}` without a sequence
//! (docs/PROTOCOL.md, chapter 7).

use super::body::read_list;
use super::catalogue::{self, CatalogueHead, CataloguePart};
use super::digest::Bucket;
use super::envelope::Envelope;
use super::json::{RawStr, Reader};
use super::limits::DIGEST_BUCKETS;
use super::lookup::lookup;
use super::position::Epoch;
use super::schema::{Field, Kind, nullable, optional, read, required, slots};
use super::snapshot::SnapshotPart;
use super::{Code, Digest, SequenceNumber};

/// A control message of v1.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerMessage<'a> {
    /// `connection_ack`
    ConnectionAck {
        /// The protocol that the server chose, if it names one.
        protocol: Option<RawStr<'a>>,
        /// The subject of the session, if the server names one.
        subject: Option<RawStr<'a>>,
        /// Whether the server has the profile *catalogue*.
        has_catalogue: bool,
    },
    /// `subscription_confirmed`
    SubscriptionConfirmed {
        /// The subscribed campaign.
        campaign_id: RawStr<'a>,
    },
    /// `subscription_ended`
    SubscriptionEnded {
        /// The campaign whose subscription ended.
        campaign_id: RawStr<'a>,
        /// The reason; `forbidden` when access was revoked.
        reason: RawStr<'a>,
    },
    /// `event_recovery`
    EventRecovery(EventRecovery<'a>),
    /// `campaign.digest`
    CampaignDigest(Box<CampaignDigest<'a>>),
    /// `campaign.snapshot`
    SnapshotPart(Box<SnapshotPart<'a>>),
    /// `pong`
    Pong {
        /// The `timestamp` of the ping that this pong answers; `None` in an unsolicited pong.
        echo: Option<u64>,
        /// One head per subscription whose cursor has been set.
        heads: Vec<Head<'a>>,
        /// The end of the catalogue's feed, if this socket has a subscription to it.
        catalogue: Option<CatalogueHead>,
    },
    /// `catalogue`
    Catalogue {
        /// The request that the part answers; `None` in a change that the server sends by itself.
        request_id: Option<RawStr<'a>>,
        /// The part.
        part: Box<CataloguePart>,
    },
    /// `error`
    Error {
        /// A code of the closed list; `None` for a code of a later version.
        code: Option<Code>,
        /// The campaign that the error is about.
        campaign_id: Option<RawStr<'a>>,
        /// The request that the error answers.
        request_id: Option<RawStr<'a>>,
        /// How long to wait before the next request.
        retry_after_ms: Option<u64>,
    },
    /// `session_expired`
    SessionExpired,
    /// `server_draining`
    ServerDraining {
        /// How long to wait before the next connection.
        retry_after_ms: u64,
    },
}

/// The outcome of a recovery request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryOutcome {
    /// The missed events follow, exactly as first published.
    Replay,
    /// No event was missed.
    Current,
    /// A snapshot follows. An outcome of a later version is read as this one.
    Snapshot,
    /// The campaign does not exist for this session.
    UnknownCampaign,
}

/// The answer to `request_event_recovery`. The cursor of the subscription is now before `from`.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRecovery<'a> {
    /// The recovered campaign.
    pub campaign_id: RawStr<'a>,
    /// The `requestId` of the request.
    pub request_id: Option<RawStr<'a>>,
    /// The epoch of the log; `None` for an unknown campaign.
    pub epoch: Option<Epoch>,
    /// The outcome, which determines the messages that follow.
    pub outcome: RecoveryOutcome,
    /// The reason for a snapshot, if the server gives one.
    pub reason: Option<RawStr<'a>>,
    /// The first sequence number that follows.
    pub from: SequenceNumber,
    /// The last sequence number of the replay. Events after it are live.
    pub to: SequenceNumber,
}

/// The answer to `request_campaign_digest`.
#[derive(Clone, Debug, PartialEq)]
pub struct CampaignDigest<'a> {
    /// The campaign of the digest.
    pub campaign_id: RawStr<'a>,
    /// The `requestId` of the request.
    pub request_id: Option<RawStr<'a>>,
    /// The epoch of the log.
    pub epoch: Epoch,
    /// The sequence number of the state that the buckets describe.
    pub sequence_number: SequenceNumber,
    /// The digest of each of the [`DIGEST_BUCKETS`] buckets.
    pub buckets: Vec<Bucket>,
}

/// A campaign's head, as a `pong` reports it.
#[derive(Clone, Debug, PartialEq)]
pub struct Head<'a> {
    /// The campaign of the head.
    pub campaign_id: RawStr<'a>,
    /// The epoch of the log.
    pub epoch: Epoch,
    /// The last sequence number written to this socket before the pong.
    pub last_sequence_number: SequenceNumber,
    /// The last sequence number of the log.
    pub log_head: SequenceNumber,
    /// The number of rows at `last_sequence_number`.
    pub domains_count: Option<u64>,
    /// The digest of the rows at `last_sequence_number`.
    pub domains_digest: Option<Digest>,
}

impl<'a> ServerMessage<'a> {
    /// Decodes a control message; `None` for a type that is not a control message of v1.
    ///
    /// # Errors
    /// [`Code::InvalidContent`], [`Code::IntegerOutOfRange`], [`Code::InvalidCampaignId`].
    pub fn decode(envelope: &Envelope<'a>) -> Result<Option<Self>, Code> {
        Self::read(envelope, &mut Reader::new(envelope.data))
    }

    /// Like [`ServerMessage::decode`], by a cursor at the beginning of the data. After an error,
    /// `reader.violation` is the member at fault, if it is known.
    ///
    /// # Errors
    /// As [`ServerMessage::decode`].
    pub fn read(envelope: &Envelope<'a>, reader: &mut Reader<'a>) -> Result<Option<Self>, Code> {
        lookup(&MESSAGES, envelope.kind).map(|read| read(reader)).transpose()
    }
}

/// Reads the data of one type of message.
type Read = for<'a> fn(&mut Reader<'a>) -> Result<ServerMessage<'a>, Code>;

/// The types on the wire. Frequent types come first.
static MESSAGES: [(&str, Read); 11] = [
    ("pong", read_pong),
    ("campaign.snapshot", read_snapshot_part),
    ("event_recovery", read_recovery),
    ("catalogue", read_catalogue),
    ("campaign.digest", read_campaign_digest),
    ("connection_ack", read_connection_ack),
    ("subscription_confirmed", read_confirmed),
    ("subscription_ended", read_ended),
    ("error", read_error),
    ("session_expired", |_| Ok(ServerMessage::SessionExpired)),
    ("server_draining", read_draining),
];

fn read_snapshot_part<'a>(reader: &mut Reader<'a>) -> Result<ServerMessage<'a>, Code> {
    SnapshotPart::read(reader).map(|part| ServerMessage::SnapshotPart(Box::new(part)))
}

fn read_catalogue<'a>(reader: &mut Reader<'a>) -> Result<ServerMessage<'a>, Code> {
    let (request_id, part) = CataloguePart::read(reader)?;
    Ok(ServerMessage::Catalogue { request_id, part: Box::new(part) })
}

fn read_connection_ack<'a>(reader: &mut Reader<'a>) -> Result<ServerMessage<'a>, Code> {
    let values = &mut slots();
    read(reader, &CONNECTION_ACK, values)?;
    let [protocol, _heartbeat, subject, profiles] = values;
    let profiles = &mut Reader::new(profiles.raw().unwrap_or("[]"));
    let mut has_catalogue = false;
    profiles.array(|name| {
        has_catalogue |= name.text()? == "catalogue";
        Ok(())
    })?;
    let (protocol, subject) = (protocol.raw_str(), subject.raw_str());
    Ok(ServerMessage::ConnectionAck { protocol, subject, has_catalogue })
}

static CONNECTION_ACK: [Field; 4] = [
    nullable("protocol", Kind::Text),
    nullable("heartbeatMs", Kind::Unsigned),
    nullable("subject", Kind::Subject),
    nullable("profiles", Kind::List),
];

fn read_confirmed<'a>(reader: &mut Reader<'a>) -> Result<ServerMessage<'a>, Code> {
    // The recovery that follows reports the head of the log.
    let values = &mut slots();
    read(reader, &CONFIRMED, values)?;
    let [campaign, _epoch, _last] = values;
    Ok(ServerMessage::SubscriptionConfirmed { campaign_id: campaign.raw_str_or_empty() })
}

static CONFIRMED: [Field; 3] = [
    required("campaignId", Kind::CampaignId),
    required("epoch", Kind::Epoch),
    required("lastSequenceNumber", Kind::Unsigned),
];

fn read_ended<'a>(reader: &mut Reader<'a>) -> Result<ServerMessage<'a>, Code> {
    let values = &mut slots();
    read(reader, &ENDED, values)?;
    let [campaign, reason] = values;
    let (campaign_id, reason) = (campaign.raw_str_or_empty(), reason.raw_str_or_empty());
    Ok(ServerMessage::SubscriptionEnded { campaign_id, reason })
}

static ENDED: [Field; 2] =
    [required("campaignId", Kind::CampaignId), optional("reason", Kind::Text)];

fn read_recovery<'a>(reader: &mut Reader<'a>) -> Result<ServerMessage<'a>, Code> {
    let values = &mut slots();
    read(reader, &RECOVERY, values)?;
    let [campaign, request_id, epoch, outcome, reason, from, to] = values;
    let outcome = match outcome.text_or_empty().as_ref() {
        "replay" => RecoveryOutcome::Replay,
        "current" => RecoveryOutcome::Current,
        "unknown_campaign" => RecoveryOutcome::UnknownCampaign,
        _ => RecoveryOutcome::Snapshot,
    };
    let located = epoch.is_set() && from.is_set() && to.is_set();
    if outcome != RecoveryOutcome::UnknownCampaign && !located {
        return Err(Code::InvalidContent);
    }
    Ok(ServerMessage::EventRecovery(EventRecovery {
        campaign_id: campaign.raw_str_or_empty(),
        request_id: request_id.raw_str(),
        epoch: epoch.epoch(),
        outcome,
        reason: reason.raw_str(),
        from: from.sequence_number(),
        to: to.sequence_number(),
    }))
}

static RECOVERY: [Field; 7] = [
    required("campaignId", Kind::CampaignId),
    nullable("requestId", Kind::Text),
    nullable("epoch", Kind::Epoch),
    required("outcome", Kind::Text),
    nullable("reason", Kind::Text),
    nullable("fromSequenceNumber", Kind::Unsigned),
    nullable("toSequenceNumber", Kind::Unsigned),
];

fn read_campaign_digest<'a>(reader: &mut Reader<'a>) -> Result<ServerMessage<'a>, Code> {
    let values = &mut slots();
    read(reader, &CAMPAIGN_DIGEST, values)?;
    let [campaign, request_id, epoch, number, list] = values;
    let list = &mut Reader::new(list.raw().unwrap_or_default());
    let buckets = read_list(list, DIGEST_BUCKETS, read_bucket)?;
    if buckets.len() < DIGEST_BUCKETS {
        return Err(Code::InvalidContent);
    }
    Ok(ServerMessage::CampaignDigest(Box::new(CampaignDigest {
        epoch: epoch.epoch().ok_or(Code::InvalidContent)?,
        campaign_id: campaign.raw_str_or_empty(),
        request_id: request_id.raw_str(),
        sequence_number: number.sequence_number(),
        buckets,
    })))
}

static CAMPAIGN_DIGEST: [Field; 5] = [
    required("campaignId", Kind::CampaignId),
    nullable("requestId", Kind::Text),
    required("epoch", Kind::Epoch),
    required("sequenceNumber", Kind::Unsigned),
    required("buckets", Kind::List),
];

/// Reads `[count, sum]`.
fn read_bucket(reader: &mut Reader<'_>) -> Result<Bucket, Code> {
    let (mut index, mut bucket) = (0, Bucket::default());
    reader.array(|element| {
        match index {
            0 => bucket.count = element.unsigned()?,
            1 => bucket.sum = Digest::parse(&element.text()?).ok_or(Code::InvalidContent)?,
            _ => return Err(Code::InvalidContent),
        }
        index += 1;
        Ok(())
    })?;
    if index == 2 { Ok(bucket) } else { Err(Code::InvalidContent) }
}

fn read_pong<'a>(reader: &mut Reader<'a>) -> Result<ServerMessage<'a>, Code> {
    // An unsolicited pong may have no data.
    if reader.end().is_ok() {
        return Ok(ServerMessage::Pong { echo: None, heads: Vec::new(), catalogue: None });
    }
    let values = &mut slots();
    read(reader, &PONG, values)?;
    let [echo, heads, catalogue] = values;
    let list = &mut Reader::new(heads.raw().unwrap_or("[]"));
    let heads = read_list(list, usize::MAX, read_head);
    let heads = heads.map_err(|code| reader.blame_inside(list, code, "heads"))?;
    let catalogue = catalogue::read_head(catalogue)?;
    Ok(ServerMessage::Pong { echo: echo.unsigned(), heads, catalogue })
}

static PONG: [Field; 3] = [
    nullable("timestamp", Kind::Unsigned),
    optional("heads", Kind::List),
    nullable("catalogue", Kind::Object),
];

fn read_head<'a>(reader: &mut Reader<'a>) -> Result<Head<'a>, Code> {
    let values = &mut slots();
    read(reader, &HEAD, values)?;
    let [campaign, epoch, last, log, count, digest] = values;
    Ok(Head {
        epoch: epoch.epoch().ok_or(Code::InvalidContent)?,
        campaign_id: campaign.raw_str_or_empty(),
        last_sequence_number: last.sequence_number(),
        // A log contains at least the events that were written from it.
        log_head: log.sequence_number().max(last.sequence_number()),
        domains_count: count.unsigned(),
        domains_digest: digest.digest(),
    })
}

static HEAD: [Field; 6] = [
    required("campaignId", Kind::CampaignId),
    required("epoch", Kind::Epoch),
    required("lastSequenceNumber", Kind::Unsigned),
    required("logHead", Kind::Unsigned),
    nullable("domainsCount", Kind::Unsigned),
    nullable("domainsDigest", Kind::Digest),
];

fn read_error<'a>(reader: &mut Reader<'a>) -> Result<ServerMessage<'a>, Code> {
    let values = &mut slots();
    read(reader, &ERROR, values)?;
    let [code, campaign_id, request_id, retry_after] = values;
    Ok(ServerMessage::Error {
        code: Code::parse(&code.text_or_empty()),
        campaign_id: campaign_id.raw_str(),
        request_id: request_id.raw_str(),
        retry_after_ms: retry_after.unsigned(),
    })
}

static ERROR: [Field; 4] = [
    optional("code", Kind::Text),
    nullable("campaignId", Kind::CampaignId),
    nullable("requestId", Kind::Text),
    nullable("retryAfterMs", Kind::Unsigned),
];

fn read_draining<'a>(reader: &mut Reader<'a>) -> Result<ServerMessage<'a>, Code> {
    let values = &mut slots();
    read(reader, &DRAINING, values)?;
    let [retry_after] = values;
    Ok(ServerMessage::ServerDraining { retry_after_ms: retry_after.count() })
}

static DRAINING: [Field; 1] = [optional("retryAfterMs", Kind::Unsigned)];
