//! The model server's catalogue: the list of campaigns at every moment, and the feed that numbers it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use serde_json::{Value, json};

use super::log::Campaign;
use super::{Document, Storage, wire};

/// The least time between two changes on a connection.
const CHANGE_INTERVAL_MS: u64 = 1_000;

/// The list of campaigns at one moment: the epoch and the number of each.
pub(crate) type List = BTreeMap<String, (Rc<str>, u64)>;

/// All lists so far, and the feed.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    /// Each list, with the time since which it holds.
    pub(crate) lists: Vec<(u64, List)>,
    /// The campaigns that no session may see for now.
    pub(crate) hidden: BTreeSet<String>,
    /// The number of feeds that were forgotten.
    feeds: u64,
    /// The index of the list that has number 1 in the feed.
    start: usize,
    /// Numbers that are this far behind are forgotten.
    pub(crate) remembered: u64,
}

/// The subscription of one connection.
#[derive(Debug, Default)]
pub(crate) struct CatalogueCursor {
    written: Option<u64>,
    parts: VecDeque<Document>,
    /// The number after the parts.
    next: u64,
    changed_ms: u64,
}

impl Catalogue {
    /// Forgets the feed, as a server does that was restarted.
    pub(crate) fn forget(&mut self) {
        self.feeds += 1;
        self.start = self.lists.len().saturating_sub(1);
    }

    fn epoch(&self) -> String {
        format!("feed-{}", self.feeds)
    }

    /// The number of the present list.
    fn number(&self) -> u64 {
        (self.lists.len() - self.start) as u64
    }

    fn at(&self, number: u64) -> Option<&(u64, List)> {
        self.lists.get((self.start + number as usize).checked_sub(1)?)
    }
}

impl Storage {
    /// Records the list, if it has changed.
    pub(crate) fn note_list(&mut self, now_ms: u64) {
        let catalogue = &mut self.catalogue;
        let shown = |it: &&Campaign| !it.state().deleted && !catalogue.hidden.contains(&it.id);
        let place = |it: &Campaign| (it.log().epoch.clone(), it.log().head());
        let campaigns = self.campaigns.values().filter(shown);
        let list: List = campaigns.map(|it| (it.id.clone(), place(it))).collect();
        if catalogue.lists.last().is_none_or(|(_, last)| *last != list) {
            catalogue.lists.push((now_ms, list));
        }
    }

    /// The parts from that position of a feed to the present list.
    fn catalogue_parts(
        &self,
        now_ms: u64,
        from: Option<(&str, u64)>,
        request: Option<&str>,
    ) -> VecDeque<Document> {
        let catalogue = &self.catalogue;
        let number = catalogue.number();
        let known = from.filter(|(epoch, at)| {
            *epoch == catalogue.epoch() && *at <= number && at + catalogue.remembered >= number
        });
        let base = known.and_then(|(_, at)| Some((at, &catalogue.at(at)?.1)));
        let Some((_, list)) = catalogue.lists.last() else { return VecDeque::new() };
        let is_new =
            |(id, place): &(&String, &_)| base.is_none_or(|(_, old)| old.get(*id) != Some(*place));
        let changed: Vec<Value> = list
            .iter()
            .filter(is_new)
            .filter_map(|(id, (epoch, number))| {
                let record = wire::record(id, &self.campaigns.get(id)?.state().record);
                Some(json!({"campaignId": id, "epoch": &**epoch, "sequenceNumber": number,
                    "campaign": record}))
            })
            .collect();
        let old = base.into_iter().flat_map(|(_, old)| old.keys());
        let removed: Vec<&String> = old.filter(|id| !list.contains_key(*id)).collect();
        let parts: Vec<&[Value]> =
            if changed.is_empty() { vec![&[]] } else { changed.chunks(2).collect() };
        let part = |(index, campaigns): (usize, &&[Value])| {
            let mut data = json!({"epoch": catalogue.epoch(), "sequenceNumber": number,
                "part": index + 1, "parts": parts.len(), "total": list.len(),
                "campaigns": campaigns, "removed": if index == 0 { json!(removed) } else { json!([]) }});
            if let Some((at, _)) = base {
                data["previousSequenceNumber"] = json!(at);
            }
            if let Some(request) = request {
                data["requestId"] = json!(request);
            }
            let text = wire::control(now_ms, "catalogue", &data.to_string()).into();
            Document { text, kind: super::Kind::Catalogue }
        };
        parts.iter().enumerate().map(part).collect()
    }
}

impl CatalogueCursor {
    /// Answers `subscribe_catalogue`.
    pub(crate) fn seek(
        &mut self,
        now_ms: u64,
        storage: &mut Storage,
        from: Option<(&str, u64)>,
        request: &str,
    ) {
        storage.note_list(now_ms);
        self.parts = storage.catalogue_parts(now_ms, from, Some(request));
        self.next = storage.catalogue.number();
    }

    /// The next part to write.
    pub(crate) fn write(&mut self, now_ms: u64, storage: &mut Storage) -> Option<Document> {
        storage.note_list(now_ms);
        let number = storage.catalogue.number();
        if self.parts.is_empty()
            && let Some(written) = self.written.filter(|written| *written < number)
            && now_ms >= self.changed_ms + CHANGE_INTERVAL_MS
        {
            let epoch = storage.catalogue.epoch();
            self.parts = storage.catalogue_parts(now_ms, Some((&epoch, written)), None);
            (self.next, self.changed_ms) = (number, now_ms);
        }
        let part = self.parts.pop_front();
        if part.is_some() && self.parts.is_empty() {
            self.written = Some(self.next);
        }
        part
    }

    /// Whether a change waits for its time.
    pub(crate) fn is_behind(&self, storage: &Storage) -> bool {
        self.written.is_some_and(|written| written < storage.catalogue.number())
    }

    /// The head that a `pong` states.
    pub(crate) fn head(&self, now_ms: u64, storage: &Storage) -> Option<Value> {
        let written = self.written.filter(|_| self.parts.is_empty())?;
        let next = storage.catalogue.at(written + 1);
        let lag_ms = next.map_or(0, |(since_ms, _)| now_ms - since_ms);
        Some(json!({"epoch": storage.catalogue.epoch(), "lastSequenceNumber": written,
            "lagMs": lag_ms}))
    }
}
