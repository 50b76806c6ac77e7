//! `campaign.snapshot`: a campaign's whole state at one number, in parts.

use std::borrow::Cow;

use super::body::read_list;
use super::campaign::CampaignRecord;
use super::domain::{RowPatch, optional};
use super::json::Reader;
use super::limits::SNAPSHOT_PARTS_MAX;
use super::position::Epoch;
use super::server::{read_campaign_id, read_epoch, read_event_id, read_sequence_number};
use super::transition::read_digest;
use super::{Code, Digest, SequenceNumber};

/// One part of a snapshot. Rows are complete: an absent column is nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotPart<'a> {
    /// Which campaign.
    pub campaign_id: Cow<'a, str>,
    /// Which request.
    pub request_id: Option<Cow<'a, str>>,
    /// The log.
    pub epoch: Epoch,
    /// The number whose state this is.
    pub sequence_number: SequenceNumber,
    /// The id of that event; empty at number 0.
    pub event_id: String,
    /// 1 to `parts`.
    pub part: u64,
    /// How many parts there are.
    pub parts: u64,
    /// The campaign record, in part 1.
    pub campaign: Option<CampaignRecord>,
    /// Rows of this part.
    pub domains: Vec<RowPatch<'a>>,
    /// Rows of the whole table, those of other buckets included.
    pub domains_count: u64,
    /// Digest of the whole table, other buckets included.
    pub domains_digest: Digest,
}

impl<'a> SnapshotPart<'a> {
    /// Reads a part.
    ///
    /// # Errors
    /// [`Code::InvalidContent`], [`Code::InvalidCampaignId`], [`Code::IntegerOutOfRange`].
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, Code> {
        let (mut campaign_id, mut request_id, mut epoch) = (None, None, None);
        let (mut number, mut event_id) = (None, None);
        let (mut part, mut parts, mut campaign, mut domains) = (None, None, None, None);
        let (mut count, mut digest) = (None, None);
        reader.object(|key, value| {
            match key.inner {
                "campaignId" => campaign_id = Some(read_campaign_id(value)?),
                "requestId" => request_id = optional(value, Reader::text)?,
                "epoch" => epoch = Some(read_epoch(value)?),
                "sequenceNumber" => number = Some(read_sequence_number(value)?),
                "eventId" => event_id = optional(value, read_event_id)?,
                "part" => part = Some(value.unsigned()?),
                "parts" => parts = Some(value.unsigned()?),
                "campaign" => campaign = optional(value, CampaignRecord::read)?,
                "domains" => domains = Some(read_list(value, usize::MAX, RowPatch::read)?),
                "domainsCount" => count = Some(value.unsigned()?),
                "domainsDigest" => digest = Some(read_digest(value)?),
                _ => value.skip()?,
            }
            Ok(())
        })?;
        let required = Code::InvalidContent;
        let (part, parts) = (part.ok_or(required)?, parts.ok_or(required)?);
        if part == 0 || part > parts || parts > SNAPSHOT_PARTS_MAX {
            return Err(required);
        }
        Ok(Self {
            campaign_id: campaign_id.ok_or(required)?,
            request_id,
            epoch: epoch.ok_or(required)?,
            sequence_number: number.ok_or(required)?,
            event_id: event_id.unwrap_or_default(),
            part,
            parts,
            campaign,
            domains: domains.ok_or(required)?,
            domains_count: count.ok_or(required)?,
            domains_digest: digest.ok_or(required)?,
        })
    }
}
