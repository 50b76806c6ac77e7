//! A campaign's complete state at one sequence number: the parts of `campaign.snapshot`, and the
//! document that the application fetches over REST (docs/PROTOCOL.md, chapters 9 and 16).

use super::body::read_with_rows;
use super::campaign::CampaignRecord;
use super::domain::RowPatch;
use super::json::{RawStr, Reader};
use super::limits::SNAPSHOT_PARTS_MAX;
use super::position::Epoch;
use super::schema::{Field, Kind, Value, ignore, nullable, required, slots};
use super::{Code, Digest, Position, SequenceNumber};

/// One part of a snapshot. Its rows are complete: an absent column has no value.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotPart<'a> {
    /// The campaign of the snapshot.
    pub campaign_id: RawStr<'a>,
    /// The `requestId` of the request that the part answers.
    pub request_id: Option<RawStr<'a>>,
    /// The epoch of the log.
    pub epoch: Epoch,
    /// The sequence number of the snapshot's state.
    pub sequence_number: SequenceNumber,
    /// The id of the event with that number; empty at number 0.
    pub event_id: String,
    /// The number of this part, from 1 to `parts`.
    pub part: u64,
    /// The number of parts.
    pub parts: u64,
    /// The campaign record, only in part 1.
    pub campaign: Option<CampaignRecord>,
    /// The rows of this part.
    pub domains: Vec<RowPatch<'a>>,
    /// The number of rows in the whole table, including rows of other buckets.
    pub domains_count: u64,
    /// The digest of the whole table, including other buckets.
    pub domains_digest: Digest,
}

impl<'a> SnapshotPart<'a> {
    /// Reads the `data` of a part.
    ///
    /// # Errors
    /// [`Code::InvalidContent`], [`Code::InvalidCampaignId`], [`Code::IntegerOutOfRange`].
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, Code> {
        let values = &mut slots();
        let domains = read_with_rows(reader, &PART, values, usize::MAX, &mut ignore)?;
        let (mut part, campaign) = Self::from_values(values)?;
        part.campaign = CampaignRecord::read_raw(reader, campaign)?;
        part.domains = domains;
        Ok(part)
    }

    /// Builds a part without record and rows. Also returns the value of the content member; see
    /// [`part_with`].
    pub(super) fn from_values<'v>(
        values: &'v [Value<'a>; 10],
    ) -> Result<(Self, &'v Value<'a>), Code> {
        let [campaign_id, request_id, epoch, number, event_id, values @ ..] = values;
        let [part, parts, content, count, digest] = values;
        let (part, parts) = (part.count(), parts.count());
        if part == 0 || part > parts || parts > SNAPSHOT_PARTS_MAX {
            return Err(Code::InvalidContent);
        }
        let part = Self {
            epoch: epoch.epoch().ok_or(Code::InvalidContent)?,
            domains: Vec::new(),
            campaign: None,
            campaign_id: campaign_id.raw_str_or_empty(),
            request_id: request_id.raw_str(),
            sequence_number: number.sequence_number(),
            event_id: event_id.string_or_empty(),
            part,
            parts,
            domains_count: count.count(),
            domains_digest: digest.digest().unwrap_or_default(),
        };
        Ok((part, content))
    }
}

static PART: [Field; 10] = part_with("campaign");

/// The members of a part. `content` names the object that holds the content, or a piece of it.
pub(super) const fn part_with(content: &'static str) -> [Field; 10] {
    [
        required("campaignId", Kind::CampaignId),
        nullable("requestId", Kind::Text),
        required("epoch", Kind::Epoch),
        required("sequenceNumber", Kind::Unsigned),
        nullable("eventId", Kind::EventId),
        required("part", Kind::Unsigned),
        required("parts", Kind::Unsigned),
        nullable(content, Kind::Object),
        required("domainsCount", Kind::Unsigned),
        required("domainsDigest", Kind::Digest),
    ]
}

/// The answer of `fetchSnapshot`: a complete state and its position.
#[derive(Clone, Debug, PartialEq)]
pub struct RestSnapshot<'a> {
    /// The campaign, if the document names it.
    pub campaign_id: Option<RawStr<'a>>,
    /// The subject of the session that fetched it, if the document names it.
    pub subject: Option<RawStr<'a>>,
    /// The position of the state.
    pub position: Position,
    /// The campaign record.
    pub campaign: CampaignRecord,
    /// All rows.
    pub rows: Vec<RowPatch<'a>>,
    /// The number of rows in the whole table, if the document states it.
    pub domains_count: Option<u64>,
    /// The digest of the whole table, if the document states it.
    pub domains_digest: Option<Digest>,
}

impl<'a> RestSnapshot<'a> {
    /// Reads one document that holds the complete state and its position: `{campaignId?, epoch,
    /// sequenceNumber, eventId?, campaign, domains, domainsCount?, domainsDigest?, subject?}`.
    ///
    /// # Errors
    /// As [`SnapshotPart::read`].
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, Code> {
        let values = &mut slots();
        let rows = read_with_rows(reader, &REST, values, usize::MAX, &mut ignore)?;
        let [campaign_id, epoch, number, event_id, campaign, count, digest, subject] = values;
        reader.end()?;
        Ok(Self {
            position: Position {
                epoch: epoch.epoch().ok_or(Code::InvalidContent)?,
                sequence_number: number.sequence_number(),
                event_id: event_id.string_or_empty(),
            },
            campaign: CampaignRecord::read_raw(reader, campaign)?.ok_or(Code::InvalidContent)?,
            rows,
            campaign_id: campaign_id.raw_str(),
            subject: subject.raw_str(),
            domains_count: count.unsigned(),
            domains_digest: digest.digest(),
        })
    }
}

static REST: [Field; 8] = [
    nullable("campaignId", Kind::CampaignId),
    required("epoch", Kind::Epoch),
    required("sequenceNumber", Kind::Unsigned),
    nullable("eventId", Kind::EventId),
    required("campaign", Kind::Object),
    nullable("domainsCount", Kind::Unsigned),
    nullable("domainsDigest", Kind::Digest),
    nullable("subject", Kind::Subject),
];
