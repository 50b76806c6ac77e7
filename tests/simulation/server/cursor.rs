//! One subscription of the model server: one cursor over one log.

use std::collections::VecDeque;
use std::rc::Rc;

use serde_json::{Value, json};

use super::log::Campaign;
use super::message::{Ask, Recover};
use super::{Document, Replays, Shelf, Snapshot, wire};

/// Where a cursor stands.
#[derive(Debug)]
enum Place {
    /// Nothing was asked for yet.
    Idle,
    /// Everything up to this number has been written.
    At(u64),
    /// A snapshot is being written; `next` counts its parts from 0.
    Snapshot { snapshot: Rc<Snapshot>, next: usize, request: Option<String> },
}

/// One subscription.
#[derive(Debug)]
pub(crate) struct Cursor {
    campaign: String,
    epoch: Rc<str>,
    place: Place,
    asks: VecDeque<Ask>,
    /// Numbers that are passed over in silence, against the contract.
    left_out: Option<(u64, u64)>,
    /// What was said of the head is not true any more: a `pong` is to say so, unasked.
    pub(super) caught_up: bool,
}

/// What seeking led to, for the journal and for coverage.
pub(crate) type Outcome = &'static str;

impl Cursor {
    /// A cursor that nothing was asked of yet.
    pub(crate) fn new(campaign: String) -> Self {
        let (place, asks) = (Place::Idle, VecDeque::new());
        Self { campaign, epoch: "".into(), place, asks, left_out: None, caught_up: false }
    }

    /// Takes a question, to be answered in its place in the stream.
    pub(crate) fn ask(&mut self, ask: Ask) {
        self.asks.push_back(ask);
    }

    /// Seeks, and tells the client where the cursor now stands.
    pub(crate) fn seek(
        &mut self,
        now_ms: u64,
        shelf: &mut Shelf,
        wanted: &Recover,
    ) -> (Outcome, Document) {
        let request = Some(wanted.request.as_str());
        let Some(campaign) = shelf.campaigns.get(&self.campaign) else {
            self.place = Place::Idle;
            return (
                "unknown_campaign",
                recovery(now_ms, &self.campaign, request, "unknown_campaign", None),
            );
        };
        let (head, oldest) = (campaign.log().head(), campaign.log().oldest);
        self.left_out = None;
        let epoch = campaign.log().epoch.clone();
        self.epoch = epoch.clone();
        let same_log = wanted.epoch.as_deref().is_none_or(|wanted| *wanted == *epoch);
        if let Some(answer) = self.resume(now_ms, shelf, wanted, oldest) {
            return ("resumed", answer);
        }
        let reaches = wanted.last <= head && wanted.last + 1 >= oldest;
        let short = head.saturating_sub(wanted.last) <= shelf.manners.replay_max;
        let replays = shelf.manners.replays;
        let left_over = replays == Replays::LeftOver && wanted.last + 1 < oldest;
        if left_over && same_log && !wanted.snapshot {
            self.place = Place::At(oldest - 1);
            let at = Some((&*epoch, oldest, head));
            return ("partial", recovery(now_ms, &self.campaign, request, "replay", at));
        }
        let outcome = if !same_log || !reaches || wanted.snapshot || !short {
            "snapshot"
        } else if wanted.last == head {
            "current"
        } else {
            "replay"
        };
        if outcome == "snapshot" {
            return (outcome, self.begin_snapshot(now_ms, shelf, request));
        }
        let from = match replays {
            Replays::Overlapping(by) => (wanted.last + 1).saturating_sub(by).max(oldest),
            Replays::Whole | Replays::LeftOver | Replays::CutShort | Replays::Behind(_) => {
                wanted.last + 1
            }
        };
        let to = match replays {
            Replays::Behind(by) if outcome == "current" => {
                self.caught_up = true;
                head.saturating_sub(by)
            }
            _ => head,
        };
        if replays == Replays::CutShort && outcome == "replay" {
            self.left_out = Some((wanted.last + (head - wanted.last) / 2 + 1, head));
        }
        self.place = Place::At(from - 1);
        let outcome = if from > head { "current" } else { "replay" };
        let at = Some((&*epoch, from, to));
        (outcome, recovery(now_ms, &self.campaign, request, outcome, at))
    }

    fn resume(
        &mut self,
        now_ms: u64,
        shelf: &mut Shelf,
        wanted: &Recover,
        oldest: u64,
    ) -> Option<Document> {
        let resume = wanted.resume.as_ref().filter(|resume| *resume.epoch == *self.epoch)?;
        let snapshot = shelf.held(now_ms, &self.campaign, &resume.epoch, resume.at)?;
        let next = usize::try_from(resume.after_part).ok()?;
        let ahead = wanted.last > resume.at
            && wanted.epoch.as_deref().is_none_or(|epoch| *epoch == *self.epoch);
        if next >= snapshot.parts.len() || ahead || resume.at + 1 < oldest {
            return None;
        }
        let request = wanted.request.clone();
        let at = Some((&*self.epoch, resume.at + 1, resume.at));
        let answer = recovery(now_ms, &self.campaign, Some(&request), "snapshot", at);
        self.place = Place::Snapshot { snapshot, next, request: Some(request) };
        Some(answer)
    }

    fn begin_snapshot(
        &mut self,
        now_ms: u64,
        shelf: &mut Shelf,
        request: Option<&str>,
    ) -> Document {
        // Taken out so that the shelf can hold the snapshot; nobody else looks meanwhile.
        let Some(campaign) = shelf.campaigns.remove(&self.campaign) else {
            return recovery(now_ms, &self.campaign, request, "unknown_campaign", None);
        };
        let snapshot = shelf.take(now_ms, &campaign);
        shelf.campaigns.insert(campaign.id.clone(), campaign);
        let at = Some((&*snapshot.epoch, snapshot.at + 1, snapshot.at));
        let answer = recovery(now_ms, &self.campaign, request, "snapshot", at);
        self.place = Place::Snapshot { snapshot, next: 0, request: request.map(str::to_owned) };
        answer
    }

    /// The log was replaced and nobody told the socket: the cursor goes on in the new one.
    pub(crate) fn follow(&mut self, campaign: &Campaign) {
        let log = campaign.log();
        if campaign.id == self.campaign && self.epoch != log.epoch {
            self.epoch = log.epoch.clone();
            self.left_out = None;
            self.place = match self.place {
                Place::Idle => Place::Idle,
                Place::At(_) | Place::Snapshot { .. } => Place::At(log.base()),
            };
        }
    }

    /// The documents to write next; none while there is nothing to write.
    pub(crate) fn write(&mut self, now_ms: u64, shelf: &mut Shelf) -> Vec<Document> {
        match &mut self.place {
            Place::Idle => Vec::new(),
            Place::Snapshot { snapshot, next, request } => {
                let part = Document::part(now_ms, &snapshot.parts[*next], request.as_deref());
                *next += 1;
                let (at, done) = (snapshot.at, *next == snapshot.parts.len());
                if done {
                    self.place = Place::At(at);
                }
                vec![part]
            }
            Place::At(number) => {
                let number = *number;
                let Some(campaign) = shelf.campaigns.get(&self.campaign) else { return Vec::new() };
                if number + 1 < campaign.log().oldest {
                    // What this slow reader needed next has been truncated away.
                    return vec![self.begin_snapshot(now_ms, shelf, None)];
                }
                let batch = if self.asks.is_empty() { shelf.manners.batch } else { u64::MAX };
                self.advance(now_ms, campaign, number, batch)
            }
        }
    }

    fn advance(
        &mut self,
        now_ms: u64,
        campaign: &Campaign,
        number: u64,
        batch: u64,
    ) -> Vec<Document> {
        let log = campaign.log();
        let last = number.saturating_add(batch).min(log.head());
        let left_out = self.left_out;
        let sent = |number: &u64| left_out.is_none_or(|(from, to)| !(from..=to).contains(number));
        let events = (number + 1..=last).filter(sent).filter_map(|number| log.event(number));
        let mut documents: Vec<_> =
            events.map(|event| Document::event(event.document.clone())).collect();
        self.place = Place::At(last);
        if last == log.head()
            && let Some(ask) = self.asks.pop_front()
        {
            documents.extend(answer(now_ms, campaign, &ask));
        }
        documents
    }

    /// What a `pong` says of this cursor.
    pub(crate) fn head(&self, shelf: &Shelf) -> Option<Value> {
        let Place::At(number) = self.place else { return None };
        let log = shelf.campaigns.get(&self.campaign)?.log();
        let mut head = json!({
            "campaignId": self.campaign, "epoch": &*self.epoch,
            "lastSequenceNumber": number, "logHead": log.head(),
        });
        if number == log.head() {
            head["domainsCount"] = json!(log.state().rows.len());
            head["domainsDigest"] = json!(log.state().digest.to_string());
        }
        Some(head)
    }
}

fn answer(now_ms: u64, campaign: &Campaign, ask: &Ask) -> Vec<Document> {
    let log = campaign.log();
    let place = wire::Place {
        campaign: &campaign.id,
        epoch: &log.epoch,
        number: log.head(),
        event: log.event_id(log.head()),
        previous: None,
    };
    let Some(buckets) = &ask.buckets else {
        let data = json!({
            "campaignId": campaign.id, "requestId": ask.request, "epoch": &*log.epoch,
            "sequenceNumber": log.head(), "buckets": wire::buckets(log.state()),
        });
        return vec![Document::control(now_ms, "campaign.digest", &data)];
    };
    let parts = wire::snapshot(place, log.state(), Some(buckets), 20);
    parts.iter().map(|part| Document::part(now_ms, part, Some(&ask.request))).collect()
}

fn recovery(
    now_ms: u64,
    campaign: &str,
    request: Option<&str>,
    outcome: &str,
    at: Option<(&str, u64, u64)>,
) -> Document {
    let mut data = json!({"campaignId": campaign, "outcome": outcome});
    name(&mut data, request);
    if let Some((epoch, from, to)) = at {
        data["epoch"] = json!(epoch);
        data["fromSequenceNumber"] = json!(from);
        data["toSequenceNumber"] = json!(to);
    }
    Document::control(now_ms, "event_recovery", &data)
}

fn name(data: &mut Value, request: Option<&str>) {
    if let Some(request) = request {
        data["requestId"] = json!(request);
    }
}
