//! One subscription of the model server: one cursor over one log.

use std::collections::VecDeque;
use std::rc::Rc;

use serde_json::{Value, json};

use super::log::View;
use super::message::{Recover, StateQuery};
use super::{Document, Replays, ReplicaLag, Snapshot, Storage, wire};

/// A position beyond the log may become valid. The server waits for it for this long.
pub(super) const HEAD_TIMEOUT_MS: u64 = 2_000;

/// The state of a cursor.
#[derive(Debug)]
enum CursorState {
    /// No position was requested yet.
    Idle,
    /// A position beyond the log was requested. It may become valid until `until_ms`.
    WaitingForHead { wanted: Recover, until_ms: u64 },
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
    state: CursorState,
    on_request: VecDeque<StateQuery>,
    /// Numbers that are skipped without notice, against the contract.
    left_out: Option<(u64, u64)>,
    /// The outcome for the position that was waited for.
    pub(super) ahead: Option<Outcome>,
    /// Whether the stated head is no longer true, so that the server sends a `pong` without a request.
    pub(super) caught_up: bool,
}

/// The result of one write of a cursor.
#[derive(Debug)]
pub(super) enum WriteStep {
    /// These documents, in one frame.
    Frame(Vec<Document>),
    /// There is nothing to write yet.
    Nothing,
    /// The reader lags too far behind.
    Lagging,
}

/// The outcome of a seek, for the journal and for coverage.
pub(crate) type Outcome = &'static str;

impl Cursor {
    /// A cursor without any request yet.
    pub(crate) fn new(campaign: String) -> Self {
        let (state, on_request) = (CursorState::Idle, VecDeque::new());
        let (left_out, ahead, caught_up) = (None, None, false);
        Self { campaign, epoch: "".into(), state, on_request, left_out, ahead, caught_up }
    }

    /// Queues a question. The cursor answers it at its place in the stream.
    pub(crate) fn queue_query(&mut self, query: StateQuery) {
        self.on_request.push_back(query);
    }

    /// Seeks. Returns the outcome, and the answer unless the cursor waits for a position.
    pub(crate) fn seek(
        &mut self,
        now_ms: u64,
        storage: &mut Storage,
        sees: ReplicaLag,
        wanted: &Recover,
    ) -> (Outcome, Option<Document>) {
        self.seek_now(now_ms, storage, sees, wanted, true)
    }

    fn seek_now(
        &mut self,
        now_ms: u64,
        storage: &mut Storage,
        sees: ReplicaLag,
        wanted: &Recover,
        may_wait: bool,
    ) -> (Outcome, Option<Document>) {
        let request = Some(wanted.request.as_str());
        let Some(view) = storage.view(&self.campaign, now_ms, sees) else {
            self.state = CursorState::Idle;
            let answer = recovery(now_ms, &self.campaign, request, "unknown_campaign", None);
            return ("unknown_campaign", Some(answer));
        };
        let (head, oldest, epoch) = (view.known, view.oldest(), view.log.epoch.clone());
        self.left_out = None;
        self.epoch = epoch.clone();
        let same_log = wanted.epoch.as_deref().is_none_or(|wanted| *wanted == *epoch);
        if let Some(answer) = self.resume(now_ms, storage, wanted, oldest) {
            return ("resumed", Some(answer));
        }
        if same_log && wanted.last > head && may_wait {
            self.state = CursorState::WaitingForHead {
                wanted: wanted.clone(),
                until_ms: now_ms + HEAD_TIMEOUT_MS,
            };
            return ("ahead", None);
        }
        let reaches = wanted.last <= head && wanted.last + 1 >= oldest;
        let short = head.saturating_sub(wanted.last) <= storage.behaviour.replay_max;
        let replays = storage.behaviour.replays;
        let left_over = replays == Replays::LeftOver && wanted.last + 1 < oldest;
        if left_over && same_log && !wanted.snapshot {
            self.state = CursorState::At(oldest - 1);
            let at = Some((&*epoch, oldest, head));
            return ("partial", Some(recovery(now_ms, &self.campaign, request, "replay", at)));
        }
        let outcome = if !same_log || !reaches || wanted.snapshot || !short {
            "snapshot"
        } else if wanted.last == head {
            "current"
        } else {
            "replay"
        };
        if outcome == "snapshot" {
            let answer = self.begin_snapshot(now_ms, storage, sees, request);
            let ahead = same_log && wanted.last > head;
            return (if ahead { "position_ahead" } else { outcome }, Some(answer));
        }
        let (from, to) = self.bounds(replays, wanted.last, (oldest, head));
        self.state = CursorState::At(from - 1);
        let outcome = if from > head { "current" } else { "replay" };
        let at = Some((&*epoch, from, to));
        (outcome, Some(recovery(now_ms, &self.campaign, request, outcome, at)))
    }

    /// The first and the last number that the answer to a replay states.
    fn bounds(&mut self, replays: Replays, last: u64, (oldest, head): (u64, u64)) -> (u64, u64) {
        match replays {
            Replays::Overlapping(by) => ((last + 1).saturating_sub(by).max(oldest), head),
            Replays::Behind(by) if last == head => {
                self.caught_up = true;
                (last + 1, head.saturating_sub(by))
            }
            Replays::CutShort if last < head => {
                self.left_out = Some((last + (head - last) / 2 + 1, head));
                (last + 1, head)
            }
            Replays::Whole | Replays::LeftOver | Replays::CutShort | Replays::Behind(_) => {
                (last + 1, head)
            }
        }
    }

    fn resume(
        &mut self,
        now_ms: u64,
        storage: &mut Storage,
        wanted: &Recover,
        oldest: u64,
    ) -> Option<Document> {
        let resume = wanted.resume.as_ref().filter(|resume| *resume.epoch == *self.epoch)?;
        let snapshot = storage.held(now_ms, &self.campaign, &resume.epoch, resume.at)?;
        let next = usize::try_from(resume.after_part).ok()?;
        let ahead = wanted.last > resume.at
            && wanted.epoch.as_deref().is_none_or(|epoch| *epoch == *self.epoch);
        if next >= snapshot.parts.len() || ahead || resume.at + 1 < oldest {
            return None;
        }
        let request = wanted.request.clone();
        let at = Some((&*self.epoch, resume.at + 1, resume.at));
        let answer = recovery(now_ms, &self.campaign, Some(&request), "snapshot", at);
        self.state = CursorState::Snapshot { snapshot, next, request: Some(request) };
        Some(answer)
    }

    fn begin_snapshot(
        &mut self,
        now_ms: u64,
        storage: &mut Storage,
        sees: ReplicaLag,
        request: Option<&str>,
    ) -> Document {
        let Some(snapshot) = storage.take(now_ms, &self.campaign, sees) else {
            return recovery(now_ms, &self.campaign, request, "unknown_campaign", None);
        };
        let at = Some((&*snapshot.epoch, snapshot.at + 1, snapshot.at));
        let answer = recovery(now_ms, &self.campaign, request, "snapshot", at);
        self.state =
            CursorState::Snapshot { snapshot, next: 0, request: request.map(str::to_owned) };
        answer
    }

    /// Whether the cursor waits for a position.
    pub(super) const fn is_waiting(&self) -> bool {
        matches!(self.state, CursorState::WaitingForHead { .. })
    }

    /// Whether there will soon be more to write, without any other event.
    pub(super) fn is_behind(&self, now_ms: u64, storage: &Storage, sees: ReplicaLag) -> bool {
        let later = storage.campaigns.get(&self.campaign).map(|it| (it.log().era, it.log().head()));
        let view = storage.view(&self.campaign, now_ms, sees);
        later != view.map(|view| (view.log.era, view.head))
    }

    /// Continues in the new log if the log was replaced without a notification on the socket.
    fn follow(&mut self, view: View<'_>) {
        if self.epoch == view.log.epoch {
            return;
        }
        if let CursorState::At(_) | CursorState::Snapshot { .. } = self.state {
            self.epoch = view.log.epoch.clone();
            self.left_out = None;
            self.state = CursorState::At(view.log.base().min(view.head));
        }
    }

    /// The next documents to write.
    pub(super) fn write(
        &mut self,
        now_ms: u64,
        storage: &mut Storage,
        sees: ReplicaLag,
    ) -> WriteStep {
        let Some(view) = storage.view(&self.campaign, now_ms, sees) else {
            return WriteStep::Nothing;
        };
        self.follow(view);
        match &mut self.state {
            CursorState::Idle => WriteStep::Nothing,
            CursorState::WaitingForHead { wanted, until_ms } => {
                if view.known < wanted.last && now_ms < *until_ms {
                    return WriteStep::Nothing;
                }
                let wanted = wanted.clone();
                let (outcome, answer) = self.seek_now(now_ms, storage, sees, &wanted, false);
                self.ahead = Some(outcome);
                answer.map_or(WriteStep::Nothing, |answer| WriteStep::Frame(vec![answer]))
            }
            CursorState::Snapshot { snapshot, next, request } => {
                let part = Document::part(now_ms, &snapshot.parts[*next], request.as_deref());
                *next += 1;
                let (at, done) = (snapshot.at, *next == snapshot.parts.len());
                if done {
                    self.state = CursorState::At(at);
                }
                WriteStep::Frame(vec![part])
            }
            CursorState::At(number) => {
                let number = *number;
                if number + 1 < view.oldest() {
                    // The next event for this slow reader has been truncated.
                    if storage.behaviour.closes_laggards {
                        return WriteStep::Lagging;
                    }
                    return WriteStep::Frame(vec![
                        self.begin_snapshot(now_ms, storage, sees, None),
                    ]);
                }
                let batch =
                    if self.on_request.is_empty() { storage.behaviour.batch } else { u64::MAX };
                let documents = self.advance(now_ms, view, number, batch);
                if documents.is_empty() { WriteStep::Nothing } else { WriteStep::Frame(documents) }
            }
        }
    }

    fn advance(&mut self, now_ms: u64, view: View<'_>, number: u64, batch: u64) -> Vec<Document> {
        let left_out = self.left_out;
        // Numbers that are left out take no time.
        let skipped = left_out.map_or(0, |(from, to)| if number + 1 >= from { to } else { 0 });
        let last = number.saturating_add(batch).max(skipped).min(view.head).max(number);
        let sent = |number: &u64| left_out.is_none_or(|(from, to)| !(from..=to).contains(number));
        let events = (number + 1..=last).filter(sent).filter_map(|number| {
            let text = view.log.event(number)?.document.clone();
            Some(Document::event(text, &self.campaign, number))
        });
        let mut documents: Vec<_> = events.collect();
        self.state = CursorState::At(last);
        if last == view.head
            && let Some(query) = self.on_request.pop_front()
        {
            documents.extend(answer(now_ms, &self.campaign, view, &query));
        }
        documents
    }

    /// The head of this cursor, as a `pong` states it.
    pub(crate) fn head(&self, now_ms: u64, storage: &Storage, sees: ReplicaLag) -> Option<Value> {
        let CursorState::At(number) = self.state else { return None };
        // A replaced log has no head any more.
        let view = storage.view(&self.campaign, now_ms, sees)?;
        if self.epoch != view.log.epoch {
            return None;
        }
        let mut head = json!({
            "campaignId": self.campaign, "epoch": &*self.epoch,
            "lastSequenceNumber": number, "logHead": view.known.max(number),
        });
        if number == view.head {
            head["domainsCount"] = json!(view.state().rows.len());
            head["domainsDigest"] = json!(view.state().digest.to_string());
        }
        Some(head)
    }
}

fn answer(now_ms: u64, campaign: &str, view: View<'_>, query: &StateQuery) -> Vec<Document> {
    let (log, number) = (view.log, view.head);
    let Some(buckets) = &query.buckets else {
        let data = json!({
            "campaignId": campaign, "requestId": query.request, "epoch": &*log.epoch,
            "sequenceNumber": number, "buckets": wire::buckets(view.state()),
        });
        return vec![Document::control(now_ms, "campaign.digest", &data)];
    };
    let state = wire::EventPosition {
        campaign,
        epoch: &log.epoch,
        number,
        event: log.event_id(number),
        previous: None,
    };
    let parts = wire::snapshot(state, view.state(), Some(buckets), 20);
    parts.iter().map(|part| Document::part(now_ms, part, Some(&query.request))).collect()
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
