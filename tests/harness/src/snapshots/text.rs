//! The text of a snapshot: its parts for sockets, and one document for REST. Readers share the lists of rows.

use std::fmt::Write as _;
use std::ops::Deref;
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use campaign_sync::protocol::CampaignId;
use campaign_sync::protocol::limits::SNAPSHOT_PART_BYTES_MAX;
use campaign_sync::protocol::seal::{associated_part, route};
use serde_json::json;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::capacity::{Charge, Quota, QuotaCharge};
use crate::hub::Hub;
use crate::keys::Keyring;
use crate::lock::lock;
use crate::log::state::record_json;
use crate::log::{Head, LogError, Result, View};

/// The bytes of a part that are reserved for everything except its rows.
const PART_MARGIN_BYTES: usize = 8 * 1024;

/// A campaign's state at one number, in parts.
#[derive(Debug)]
pub struct Snapshot {
    /// The head that the state belongs to.
    pub head: Head,
    epoch: String,
    /// The campaign's record, as JSON.
    record: String,
    /// The rows of each part, as JSON without brackets.
    lists: Vec<Utf8Bytes>,
    /// The sealed content of each part, if the log is sealed.
    sealed: Vec<Utf8Bytes>,
    /// The sealed document for REST, if the log is sealed and a client has requested it.
    sealed_whole: OnceLock<Bytes>,
    charge: Mutex<Charge>,
}

impl Snapshot {
    /// Builds a snapshot from a view that contains the intended rows. `charge` counts its bytes.
    ///
    /// # Errors
    /// [`LogError::Storage`] if the parts must be sealed and sealing fails.
    pub fn cut(hub: &Hub, campaign: &CampaignId, view: &View, charge: Charge) -> Result<Self> {
        let (epoch, keys) = (hub.epoch(), hub.log().keys());
        // Base64 turns three bytes into four.
        let most = SNAPSHOT_PART_BYTES_MAX / 4 * if keys.is_some() { 3 } else { 4 };
        let mut lists: Vec<String> = vec![String::new()];
        for row in &view.rows {
            let row = serde_json::to_string(row).unwrap_or_default();
            let full =
                lists.last().is_some_and(|list| list.len() + row.len() + PART_MARGIN_BYTES > most);
            if full {
                lists.push(String::new());
            }
            if let Some(list) = lists.last_mut() {
                if !list.is_empty() {
                    list.push(',');
                }
                list.push_str(&row);
            }
        }
        let (head, epoch) = (view.head.clone(), epoch.to_owned());
        let record = record_json(campaign.as_str(), &view.state.record).to_string();
        let exact = |mut list: String| {
            list.shrink_to_fit();
            Utf8Bytes::from(list)
        };
        let mut snapshot = Self {
            head,
            epoch,
            record,
            lists: lists.into_iter().map(exact).collect(),
            sealed: Vec::new(),
            sealed_whole: OnceLock::new(),
            charge: Mutex::new(charge),
        };
        if let Some(keys) = keys {
            let sealed = |it| snapshot.seal(keys, campaign, it).map(exact);
            snapshot.sealed = (0..snapshot.lists.len()).map(sealed).collect::<Result<_>>()?;
        }
        snapshot.adjust_charge();
        Ok(snapshot)
    }

    /// The number of parts.
    pub fn parts(&self) -> u64 {
        self.lists.len() as u64
    }

    /// The size of the parts as they are sent.
    pub(super) fn sent_bytes(&self) -> u64 {
        let sent = if self.sealed.is_empty() { &self.lists } else { &self.sealed };
        sent.iter().map(|it| it.len() as u64).sum()
    }

    fn adjust_charge(&self) {
        let texts = self.lists.iter().chain(&self.sealed).map(|it| it.len() as u64);
        let whole = self.sealed_whole.get().map_or(0, |it| it.len() as u64);
        lock(&self.charge).adjust(texts.sum::<u64>() + whole);
    }

    /// The `data` of a part, counted from 1, in three pieces. Readers share the middle one.
    pub fn part(
        &self,
        campaign: &CampaignId,
        request: Option<&str>,
        part: u64,
    ) -> Option<(String, Utf8Bytes, String)> {
        let index = usize::try_from(part).ok()?.checked_sub(1)?;
        let list = self.lists.get(index)?;
        let request =
            request.map_or_else(String::new, |id| format!("\"requestId\":{},", json!(id)));
        let place = self.place(campaign, &request);
        let (parts, counts) = (self.parts(), self.counts());
        let mut head = format!("{{{place},\"part\":{part},\"parts\":{parts},");
        if let Some(sealed) = self.sealed.get(index) {
            head.push_str("\"content\":");
            return Some((head, sealed.clone(), format!(",{counts}}}")));
        }
        head.push_str(&self.record_member(index));
        head.push_str("\"domains\":[");
        Some((head, list.clone(), format!("],{counts}}}")))
    }

    /// Whether the document for REST is sealed.
    pub(super) fn is_sealed(&self) -> bool {
        self.sealed_whole.get().is_some()
    }

    /// A piece of the whole snapshot as one document, counted from 0; `None` after the last one.
    pub(super) fn piece(&self, campaign: &CampaignId, index: usize) -> Option<Bytes> {
        if let Some(sealed) = self.sealed_whole.get() {
            return (index == 0).then(|| sealed.clone());
        }
        let last = 2 * self.lists.len();
        match index {
            0 => Some(self.whole_head(campaign).into()),
            _ if index == last => Some(self.whole_tail().into()),
            _ if index > last => None,
            _ if index.is_multiple_of(2) => Some(Bytes::from_static(b",")),
            _ => Some(self.lists[index / 2].clone().into()),
        }
    }

    /// The size of all pieces.
    pub(super) fn whole_bytes(&self, campaign: &CampaignId) -> u64 {
        if let Some(sealed) = self.sealed_whole.get() {
            return sealed.len() as u64;
        }
        let rows: usize = self.lists.iter().map(|it| it.len()).sum();
        let ends = self.whole_head(campaign).len() + self.whole_tail().len();
        (ends + rows + self.lists.len() - 1) as u64
    }

    /// Seals the document for REST, once for all readers.
    ///
    /// # Errors
    /// [`LogError::Storage`] if sealing fails.
    pub fn seal_whole(&self, keys: &Keyring, campaign: &CampaignId) -> Result<()> {
        if self.sealed_whole.get().is_some() {
            return Ok(());
        }
        let mut whole = self.whole_head(campaign);
        for (index, list) in self.lists.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _a_string_takes_all = write!(whole, "{comma}{list}");
        }
        whole.push_str(&self.whole_tail());
        let place = [campaign.as_str(), &self.epoch, &self.head.event_id];
        let sealed = keys.seal_answer(place, self.head.number, route::SNAPSHOT, &whole)?;
        let _another_was_first = self.sealed_whole.set(sealed.to_string().into());
        self.adjust_charge();
        Ok(())
    }

    fn whole_head(&self, campaign: &CampaignId) -> String {
        let (place, record) = (self.place(campaign, ""), &self.record);
        format!("{{{place},\"campaign\":{record},\"domains\":[")
    }

    fn whole_tail(&self) -> String {
        format!("],{}}}", self.counts())
    }

    fn place(&self, campaign: &CampaignId, request: &str) -> String {
        let (Self { epoch, .. }, (number, event_id)) = (self, self.head.at());
        format!(
            "\"campaignId\":\"{campaign}\",{request}\"epoch\":\"{epoch}\",\
             \"sequenceNumber\":{number},\"eventId\":\"{event_id}\""
        )
    }

    fn counts(&self) -> String {
        let Head { domains_count, domains_digest, .. } = &self.head;
        format!("\"domainsCount\":{domains_count},\"domainsDigest\":\"{domains_digest}\"")
    }

    /// The record, which only the first part has.
    fn record_member(&self, index: usize) -> String {
        let record = &self.record;
        if index == 0 { format!("\"campaign\":{record},") } else { String::new() }
    }

    fn seal(&self, keys: &Keyring, campaign: &CampaignId, index: usize) -> Result<String> {
        let list = associated_part(
            [campaign.as_str(), &self.epoch, &self.head.event_id],
            self.head.number,
            [index as u64 + 1, self.parts(), self.head.domains_count],
            self.head.domains_digest,
        );
        let (record, rows) = (self.record_member(index), &self.lists[index]);
        keys.seal(&list, &format!("{{{record}\"domains\":[{rows}]}}"))
    }
}

/// A snapshot that one reader downloads. It counts once in the quota of the reader's user.
#[derive(Debug)]
pub struct Download {
    snapshot: Arc<Snapshot>,
    _charge: Option<QuotaCharge>,
}

impl Download {
    /// Begins a download for a user.
    ///
    /// # Errors
    /// [`LogError::QuotaExceeded`].
    pub fn begin(snapshot: Arc<Snapshot>, quota: Option<&Arc<Quota>>) -> Result<Self> {
        let charge = match quota {
            Some(quota) => {
                let charge = quota.try_share(&snapshot, snapshot.sent_bytes());
                Some(charge.ok_or(LogError::QuotaExceeded)?)
            }
            None => None,
        };
        Ok(Self { snapshot, _charge: charge })
    }
}

impl Deref for Download {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.snapshot
    }
}
