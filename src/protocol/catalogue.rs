//! The catalogue: summaries of all campaigns that a session may see (docs/PROTOCOL.md, chapter 20).

use std::sync::Arc;

use super::body::read_list;
use super::campaign::CampaignRecord;
use super::json::{RawStr, Reader};
use super::limits::{CATALOGUE_CAMPAIGNS_MAX, SNAPSHOT_PARTS_MAX};
use super::position::Epoch;
use super::schema::{Field, Kind, Value, nullable, optional, read, read_raw, required, slots};
use super::{CampaignId, Code, SequenceNumber};

/// One campaign of the catalogue: its record and its position.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The campaign.
    pub campaign_id: CampaignId,
    /// The epoch of the campaign's log.
    pub epoch: Epoch,
    /// The number of the state that the record describes.
    pub sequence_number: SequenceNumber,
    /// The record.
    pub record: CampaignRecord,
}

/// One part of a snapshot of the catalogue, or of a change to it.
#[derive(Clone, Debug, PartialEq)]
pub struct CataloguePart {
    /// The epoch of the feed.
    pub epoch: Epoch,
    /// The number to which the change applies; `None` in a snapshot.
    pub base: Option<SequenceNumber>,
    /// The number of the list after all parts.
    pub sequence_number: SequenceNumber,
    /// The number of this part, from 1 to `parts`.
    pub part: u64,
    /// The number of parts.
    pub parts: u64,
    /// The number of campaigns after all parts.
    pub total: u64,
    /// The campaigns that are new or changed, in ascending order of their ids.
    pub campaigns: Vec<Arc<Summary>>,
    /// The campaigns that left the catalogue, in ascending order.
    pub removed: Vec<CampaignId>,
}

/// The end of the feed, as a `pong` reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueHead {
    /// The epoch of the feed.
    pub epoch: Epoch,
    /// The last number written to this socket before the pong.
    pub sequence_number: SequenceNumber,
    /// The age of the oldest change that was not written yet, in milliseconds.
    pub lag_ms: u64,
}

impl CataloguePart {
    /// Reads the `data` of a part, and the `requestId` of the request that it answers.
    ///
    /// # Errors
    /// [`Code::InvalidContent`], [`Code::InvalidCampaignId`], [`Code::IntegerOutOfRange`].
    pub fn read<'a>(reader: &mut Reader<'a>) -> Result<(Option<RawStr<'a>>, Self), Code> {
        let values = &mut slots();
        read(reader, &PART, values)?;
        let [request_id, epoch, base, number, values @ ..] = values;
        let [part, parts, total, campaigns, removed] = values;
        let (part, parts, total) = (part.count(), parts.count(), total.count());
        let most = CATALOGUE_CAMPAIGNS_MAX;
        if part == 0 || part > parts || parts > SNAPSHOT_PARTS_MAX || total > most as u64 {
            return Err(Code::InvalidContent);
        }
        let list = |value: &Value<'a>| Reader::new(value.raw().unwrap_or("[]"));
        let part = Self {
            epoch: epoch.epoch().ok_or(Code::InvalidContent)?,
            base: base.is_set().then(|| base.sequence_number()),
            sequence_number: number.sequence_number(),
            part,
            parts,
            total,
            campaigns: read_list(&mut list(campaigns), most, |it| read_summary(it).map(Arc::new))?,
            removed: read_list(&mut list(removed), most, |it| CampaignId::new(&it.text()?))?,
        };
        Ok((request_id.raw_str(), part))
    }
}

static PART: [Field; 9] = [
    nullable("requestId", Kind::Text),
    required("epoch", Kind::Epoch),
    nullable("previousSequenceNumber", Kind::Unsigned),
    required("sequenceNumber", Kind::Unsigned),
    required("part", Kind::Unsigned),
    required("parts", Kind::Unsigned),
    required("total", Kind::Unsigned),
    required("campaigns", Kind::List),
    optional("removed", Kind::List),
];

fn read_summary(reader: &mut Reader<'_>) -> Result<Summary, Code> {
    let values = &mut slots();
    read(reader, &SUMMARY, values)?;
    let [campaign_id, epoch, number, campaign] = values;
    Ok(Summary {
        campaign_id: CampaignId::new(&campaign_id.text_or_empty())?,
        epoch: epoch.epoch().ok_or(Code::InvalidContent)?,
        sequence_number: number.sequence_number(),
        record: CampaignRecord::read_raw(reader, campaign)?.ok_or(Code::InvalidContent)?,
    })
}

static SUMMARY: [Field; 4] = [
    required("campaignId", Kind::CampaignId),
    required("epoch", Kind::Epoch),
    required("sequenceNumber", Kind::Unsigned),
    required("campaign", Kind::Object),
];

/// Reads the member `catalogue` of a `pong`; `None` if the member is absent.
///
/// # Errors
/// As [`CataloguePart::read`].
pub(super) fn read_head(value: &Value<'_>) -> Result<Option<CatalogueHead>, Code> {
    let Some(raw) = value.raw() else { return Ok(None) };
    let values = &mut slots();
    read_raw(raw, &HEAD, values)?;
    let [epoch, number, lag] = values;
    Ok(Some(CatalogueHead {
        epoch: epoch.epoch().ok_or(Code::InvalidContent)?,
        sequence_number: number.sequence_number(),
        lag_ms: lag.count(),
    }))
}

static HEAD: [Field; 3] = [
    required("epoch", Kind::Epoch),
    required("lastSequenceNumber", Kind::Unsigned),
    nullable("lagMs", Kind::Unsigned),
];
