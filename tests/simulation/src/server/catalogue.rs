//! The model server's catalogue: the list of campaigns at every moment, and the feed that numbers it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use serde_json::{Value, json};

use super::super::users::User;
use super::log::Campaign;
use super::{Document, Storage, wire};

/// The least time between a change and what was sent of its campaigns before (R20.10).
const CHANGE_INTERVAL_MS: u64 = 1_000;

/// The list of campaigns at one moment: the epoch and the number of each.
pub(crate) type List = BTreeMap<String, (Rc<str>, u64)>;

/// All lists of one user so far, or of everybody in a world without users.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    /// Each list, with the time since which it holds.
    pub(crate) lists: Vec<(u64, List)>,
    /// The index of the last list that has a campaign at a number, by campaign, number and epoch.
    last_with: BTreeMap<String, BTreeMap<u64, BTreeMap<Rc<str>, usize>>>,
    /// The index of the last list without a campaign, of each campaign that came after the first list.
    last_without: BTreeMap<String, usize>,
    /// The index of the list that has number 1 in the present feed.
    start: usize,
}

/// The feeds.
#[derive(Debug)]
pub(crate) struct Catalogue {
    feeds: BTreeMap<Option<User>, Feed>,
    /// The campaigns that no session may see for now.
    pub(crate) hidden: BTreeSet<String>,
    /// How often the feeds were forgotten.
    forgotten: u64,
    /// Numbers that are this far behind are forgotten.
    pub(crate) remembered: u64,
}

/// The subscription of one connection.
#[derive(Debug)]
pub(crate) struct CatalogueCursor {
    user: Option<User>,
    written: Option<u64>,
    parts: VecDeque<Document>,
    /// The number after the parts.
    next: u64,
    /// When an answer or a change was written last.
    sent_ms: u64,
}

impl Feed {
    fn push(&mut self, now_ms: u64, list: List) {
        let at = self.lists.len();
        for (id, (epoch, number)) in &list {
            let places = self.last_with.entry(id.clone()).or_default();
            places.entry(*number).or_default().insert(epoch.clone(), at);
            if self.lists.last().is_some_and(|(_, last)| !last.contains_key(id)) {
                self.last_without.insert(id.clone(), at - 1);
            }
        }
        self.lists.push((now_ms, list));
    }

    /// The index of the list that held at `ms`.
    pub(crate) fn index_at(&self, ms: u64) -> usize {
        self.lists.partition_point(|(at_ms, _)| *at_ms <= ms).saturating_sub(1)
    }

    /// Whether a list from index `first` on has the campaign at that position.
    pub(crate) fn had(&self, first: usize, id: &str, epoch: &str, number: u64) -> bool {
        let epochs = self.last_with.get(id).and_then(|places| places.get(&number));
        epochs.and_then(|epochs| epochs.get(epoch)).is_some_and(|last| *last >= first)
    }

    /// Whether a list from index `first` on lacks the campaign.
    pub(crate) fn lacked(&self, first: usize, id: &str) -> bool {
        self.lists.last().is_some_and(|(_, list)| !list.contains_key(id))
            || self.last_without.get(id).is_some_and(|last| *last >= first)
    }

    /// The number of the present list.
    fn number(&self) -> u64 {
        (self.lists.len() - self.start) as u64
    }

    fn at(&self, number: u64) -> Option<&(u64, List)> {
        self.lists.get((self.start + number as usize).checked_sub(1)?)
    }
}

impl Catalogue {
    /// The feeds of these users.
    pub(crate) fn new(users: impl Iterator<Item = Option<User>>) -> Self {
        let feeds = users.map(|user| (user, Feed::default())).collect();
        Self { feeds, hidden: BTreeSet::new(), forgotten: 0, remembered: 0 }
    }

    /// Forgets the feeds, as a server does that was restarted.
    pub(crate) fn forget(&mut self) {
        self.forgotten += 1;
        for feed in self.feeds.values_mut() {
            feed.start = feed.lists.len().saturating_sub(1);
        }
    }

    /// The lists of this user.
    pub(crate) fn feed(&self, user: Option<User>) -> Option<&Feed> {
        self.feeds.get(&user)
    }

    fn number(&self, user: Option<User>) -> u64 {
        self.feed(user).map_or(0, Feed::number)
    }

    fn epoch(&self, user: Option<User>) -> String {
        let of = user.map_or("all", User::subject);
        format!("feed-{}-{of}", self.forgotten)
    }
}

impl Storage {
    /// Records the list, if it has changed.
    pub(crate) fn note_list(&mut self, now_ms: u64) {
        let Self { catalogue, campaigns, owners, .. } = self;
        for (user, feed) in &mut catalogue.feeds {
            let shown = |it: &&Campaign| {
                let is_hidden = catalogue.hidden.contains(&it.id) || !owners.show(&it.id, *user);
                !it.state().deleted && !is_hidden
            };
            let place = |it: &Campaign| (it.log().epoch.clone(), it.log().head());
            let campaigns = campaigns.values().filter(shown);
            let list: List = campaigns.map(|it| (it.id.clone(), place(it))).collect();
            if feed.lists.last().is_none_or(|(_, last)| *last != list) {
                feed.push(now_ms, list);
            }
        }
    }

    /// The parts from that position of a feed to the present list.
    fn catalogue_parts(
        &self,
        (now_ms, user): (u64, Option<User>),
        from: Option<(&str, u64)>,
        request: Option<&str>,
    ) -> VecDeque<Document> {
        let catalogue = &self.catalogue;
        let Some(feed) = catalogue.feed(user) else { return VecDeque::new() };
        let (epoch, number) = (catalogue.epoch(user), feed.number());
        let known = from.filter(|(theirs, at)| {
            *theirs == epoch && *at <= number && at + catalogue.remembered >= number
        });
        let base = known.and_then(|(_, at)| Some((at, &feed.at(at)?.1)));
        let Some((_, list)) = feed.lists.last() else { return VecDeque::new() };
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
            let mut data = json!({"epoch": epoch, "sequenceNumber": number,
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
    /// A subscription without an answer.
    pub(crate) const fn new(user: Option<User>) -> Self {
        Self { user, written: None, parts: VecDeque::new(), next: 0, sent_ms: 0 }
    }

    /// Answers `subscribe_catalogue`.
    pub(crate) fn seek(
        &mut self,
        now_ms: u64,
        storage: &mut Storage,
        from: Option<(&str, u64)>,
        request: &str,
    ) {
        storage.note_list(now_ms);
        self.parts = storage.catalogue_parts((now_ms, self.user), from, Some(request));
        self.next = storage.catalogue.number(self.user);
    }

    /// The next part to write.
    pub(crate) fn write(&mut self, now_ms: u64, storage: &mut Storage) -> Option<Document> {
        storage.note_list(now_ms);
        let number = storage.catalogue.number(self.user);
        if self.parts.is_empty()
            && let Some(written) = self.written.filter(|written| *written < number)
            && now_ms >= self.sent_ms + CHANGE_INTERVAL_MS
        {
            let epoch = storage.catalogue.epoch(self.user);
            let from = Some((&*epoch, written));
            self.parts = storage.catalogue_parts((now_ms, self.user), from, None);
            self.next = number;
        }
        let part = self.parts.pop_front();
        if part.is_some() && self.parts.is_empty() {
            self.written = Some(self.next);
            self.sent_ms = now_ms;
        }
        part
    }

    /// Whether a change waits for its time.
    pub(crate) fn is_behind(&self, storage: &Storage) -> bool {
        self.written.is_some_and(|written| written < storage.catalogue.number(self.user))
    }

    /// The head that a `pong` states.
    pub(crate) fn head(&self, now_ms: u64, storage: &Storage) -> Option<Value> {
        let written = self.written.filter(|_| self.parts.is_empty())?;
        let next = storage.catalogue.feed(self.user)?.at(written + 1);
        let lag_ms = next.map_or(0, |(since_ms, _)| now_ms - since_ms);
        let epoch = storage.catalogue.epoch(self.user);
        Some(json!({"epoch": epoch, "lastSequenceNumber": written, "lagMs": lag_ms}))
    }
}
