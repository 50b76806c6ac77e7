//! A campaign's whole state at one number: `campaign.snapshot`, in parts, and what the application
//! fetches over REST.

use std::borrow::Cow;

use super::body::read_list;
use super::campaign::CampaignRecord;
use super::domain::RowPatch;
use super::json::Reader;
use super::limits::SNAPSHOT_PARTS_MAX;
use super::position::Epoch;
use super::schema::{Field, Kind, Value, nullable, read_with, required};
use super::{Code, Digest, Position, SequenceNumber};

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
        let (values, domains) = read_with_rows(reader, &PART)?;
        let (part, campaign) = Self::from_values(values)?;
        Ok(Self { campaign: CampaignRecord::read_raw(campaign)?, domains, ..part })
    }

    /// A part without record and rows, and the value of the member that its table names.
    pub(super) fn from_values(values: [Value<'a>; 10]) -> Result<(Self, Value<'a>), Code> {
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
            campaign_id: campaign_id.text_or_empty(),
            request_id: request_id.text(),
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

/// The members of a part that has its content, or a piece of it, as that object.
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

/// A `fetchSnapshot` answer: a complete state and its position.
#[derive(Clone, Debug, PartialEq)]
pub struct RestSnapshot<'a> {
    /// Which campaign, if it says so.
    pub campaign_id: Option<Cow<'a, str>>,
    /// The position whose state this is.
    pub position: Position,
    /// The campaign record.
    pub campaign: CampaignRecord,
    /// All rows.
    pub rows: Vec<RowPatch<'a>>,
    /// Rows of the whole table, if it says so.
    pub domains_count: Option<u64>,
    /// Digest of the whole table, if it says so.
    pub domains_digest: Option<Digest>,
}

impl<'a> RestSnapshot<'a> {
    /// Reads one document with the whole state and its position: `{campaignId?, epoch,
    /// sequenceNumber, eventId?, campaign, domains, domainsCount?, domainsDigest?}`.
    ///
    /// # Errors
    /// As [`SnapshotPart::read`].
    pub fn read(json: &'a str) -> Result<Self, Code> {
        let mut reader = Reader::new(json);
        let ([campaign_id, epoch, number, event_id, campaign, count, digest], rows) =
            read_with_rows(&mut reader, &REST)?;
        reader.end()?;
        Ok(Self {
            position: Position {
                epoch: epoch.epoch().ok_or(Code::InvalidContent)?,
                sequence_number: number.sequence_number(),
                event_id: event_id.string_or_empty(),
            },
            campaign: CampaignRecord::read_raw(campaign)?.ok_or(Code::InvalidContent)?,
            rows,
            campaign_id: campaign_id.text(),
            domains_count: count.unsigned(),
            domains_digest: digest.digest(),
        })
    }
}

static REST: [Field; 7] = [
    nullable("campaignId", Kind::CampaignId),
    required("epoch", Kind::Epoch),
    required("sequenceNumber", Kind::Unsigned),
    nullable("eventId", Kind::EventId),
    required("campaign", Kind::Object),
    nullable("domainsCount", Kind::Unsigned),
    nullable("domainsDigest", Kind::Digest),
];

/// Reads an object that has the rows as `domains` beside the members of its table.
pub(super) fn read_with_rows<'a, const N: usize>(
    reader: &mut Reader<'a>,
    fields: &[Field; N],
) -> Result<([Value<'a>; N], Vec<RowPatch<'a>>), Code> {
    let mut rows = None;
    let values = read_with(reader, fields, &mut |key, value| {
        if key == "domains" {
            rows = Some(read_list(value, usize::MAX, RowPatch::read)?);
            return Ok(());
        }
        value.skip()
    })?;
    rows.map(|rows| (values, rows)).ok_or(Code::InvalidContent)
}
