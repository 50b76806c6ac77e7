//! `campaign.snapshot`: a campaign's whole state at one number, in parts.

use std::borrow::Cow;

use super::body::read_list;
use super::campaign::CampaignRecord;
use super::domain::RowPatch;
use super::json::Reader;
use super::limits::SNAPSHOT_PARTS_MAX;
use super::position::Epoch;
use super::schema::{Field, Kind, nullable, read_with, required};
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
        let mut domains = None;
        let [
            campaign_id,
            request_id,
            epoch,
            number,
            event_id,
            part,
            parts,
            campaign,
            count,
            digest,
        ] = read_with(reader, &PART, &mut |key, value| {
            if key == "domains" {
                domains = Some(read_list(value, usize::MAX, RowPatch::read)?);
                return Ok(());
            }
            value.skip()
        })?;
        let (part, parts) = (part.count(), parts.count());
        if part == 0 || part > parts || parts > SNAPSHOT_PARTS_MAX {
            return Err(Code::InvalidContent);
        }
        Ok(Self {
            epoch: epoch.epoch().ok_or(Code::InvalidContent)?,
            domains: domains.ok_or(Code::InvalidContent)?,
            campaign: CampaignRecord::read_raw(campaign)?,
            campaign_id: campaign_id.text_or_empty(),
            request_id: request_id.text(),
            sequence_number: number.sequence_number(),
            event_id: event_id.string_or_empty(),
            part,
            parts,
            domains_count: count.count(),
            domains_digest: digest.digest().unwrap_or_default(),
        })
    }
}

static PART: [Field; 10] = [
    required("campaignId", Kind::CampaignId),
    nullable("requestId", Kind::Text),
    required("epoch", Kind::Epoch),
    required("sequenceNumber", Kind::Unsigned),
    nullable("eventId", Kind::EventId),
    required("part", Kind::Unsigned),
    required("parts", Kind::Unsigned),
    nullable("campaign", Kind::Object),
    required("domainsCount", Kind::Unsigned),
    required("domainsDigest", Kind::Digest),
];
