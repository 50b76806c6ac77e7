//! The texts of a snapshot or a change of a list, in parts that all readers share.

use std::sync::Arc;

use bytes::Bytes;
use campaign_sync::protocol::CampaignId;
use campaign_sync::protocol::campaign::CampaignRecord;
use campaign_sync::protocol::limits::SNAPSHOT_PART_BYTES_MAX;
use serde_json::json;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::capacity::{Budget, counted};
use crate::log::state::Record;

/// The bytes of a part without its lists, at most.
const HEAD_BYTES: usize = 1_024;

/// A snapshot, or the change from one number of a feed to a later one.
#[derive(Debug)]
pub struct Parts {
    /// The number to which the change applies; `None` for a snapshot.
    base: Option<u64>,
    /// The number of the list afterwards.
    pub number: u64,
    has_campaigns: bool,
    head: String,
    texts: Vec<Utf8Bytes>,
}

/// A summary of a campaign in its wire form.
pub(super) fn summary(
    campaign: &CampaignId,
    epoch: &str,
    number: u64,
    record: &CampaignRecord,
) -> Arc<str> {
    let summary = json!({
        "campaignId": campaign.as_str(),
        "epoch": epoch,
        "sequenceNumber": number,
        "campaign": Record::new(campaign.as_str(), record),
    });
    summary.to_string().into()
}

impl Parts {
    /// Cuts the lists into parts. The texts count in `budget` for as long as they are in memory.
    pub(super) fn cut(
        epoch: &str,
        (base, number, total): (Option<u64>, u64, u64),
        changed: &[Arc<str>],
        removed: &[CampaignId],
        budget: &Arc<Budget>,
    ) -> Self {
        let mut cut =
            Cut { budget, texts: Vec::new(), changed: String::new(), removed: String::new() };
        for summary in changed {
            cut.make_space(summary.len());
            push(&mut cut.changed, summary);
        }
        for id in removed {
            cut.make_space(id.as_str().len() + 2);
            push(&mut cut.removed, &format!("\"{id}\""));
        }
        cut.finish_part();
        let previous = base.map(|base| format!("\"previousSequenceNumber\":{base},"));
        let previous = previous.unwrap_or_default();
        let head = format!(
            "\"epoch\":\"{epoch}\",{previous}\"sequenceNumber\":{number},\"total\":{total},"
        );
        Self { base, number, has_campaigns: !changed.is_empty(), head, texts: cut.texts }
    }

    /// The number to which the change applies; `None` for a snapshot.
    pub const fn base(&self) -> Option<u64> {
        self.base
    }

    /// Whether there are campaigns in the parts, other than those that left.
    pub const fn has_campaigns(&self) -> bool {
        self.has_campaigns
    }

    /// The number of parts.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there are no parts; never true.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The size of all parts in bytes.
    pub fn bytes(&self) -> u64 {
        self.texts.iter().map(|text| text.len() as u64).sum()
    }

    /// The `data` of the part at this index, in three pieces.
    pub(crate) fn data(&self, index: usize, request: Option<&str>) -> (String, Utf8Bytes, String) {
        let request = request.map(|id| format!("\"requestId\":{},", json!(id)));
        let (part, parts) = (index + 1, self.texts.len());
        let request = request.unwrap_or_default();
        let head = format!("{{{request}{}\"part\":{part},\"parts\":{parts},", self.head);
        (head, self.texts.get(index).cloned().unwrap_or_default(), "}".to_owned())
    }
}

/// The parts that are being cut.
struct Cut<'b> {
    budget: &'b Arc<Budget>,
    texts: Vec<Utf8Bytes>,
    changed: String,
    removed: String,
}

impl Cut<'_> {
    /// Begins another part if so many bytes do not fit in the present one.
    fn make_space(&mut self, bytes: usize) {
        let used = self.changed.len() + self.removed.len();
        if used > 0 && used + bytes + HEAD_BYTES > SNAPSHOT_PART_BYTES_MAX {
            self.finish_part();
        }
    }

    fn finish_part(&mut self) {
        let (changed, removed) =
            (std::mem::take(&mut self.changed), std::mem::take(&mut self.removed));
        let mut text = format!("\"campaigns\":[{changed}]");
        if !removed.is_empty() {
            text.push_str(&format!(",\"removed\":[{removed}]"));
        }
        let charge = self.budget.charge(text.len() as u64);
        let text = Utf8Bytes::try_from(counted(Bytes::from(text), charge)).unwrap_or_default();
        self.texts.push(text);
    }
}

fn push(list: &mut String, item: &str) {
    if !list.is_empty() {
        list.push(',');
    }
    list.push_str(item);
}
