//! One campaign that somebody holds: its store, and everything needed to keep it continuous.
//!
//! The reactions are spread by what they answer: events in `sequencing`, answers in `control`,
//! snapshots in `swap`, differing rows in `repair`.

use super::context::Context;
use super::dedupe::DedupeWindow;
use super::gap::GapBuffer;
use super::log::{Facts, Level};
use super::notice::Notice;
use super::reached::Waiters;
use super::recovery::{Recovery, RequestRate, Stream, Want};
use super::repair::Repair;
use super::status::{StaleReason, Status};
use super::{Config, Now, Timestamp};
use crate::protocol::client::{self, Reason, RecoveryRequest};
use crate::protocol::{CampaignId, Code, Epoch, SequenceNumber};
use crate::store::query::OrderCache;
use crate::store::{CampaignStore, Staging};

use super::backoff::full_jitter_ms;

/// One campaign that somebody holds.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Which campaign.
    pub id: CampaignId,
    /// Its details.
    pub store: CampaignStore,
    /// Orders of the last row queries.
    pub orders: [OrderCache; 2],
    /// Promises waiting for a position.
    pub waiters: Waiters,
    pub(super) holders: u32,
    pub(super) linger_until: Option<Timestamp>,
    pub(super) window: DedupeWindow,
    pub(super) held: GapBuffer,
    pub(super) retired: Vec<Epoch>,
    pub(super) recovery: Recovery,
    pub(super) stream: Stream,
    pub(super) rate: RequestRate,
    pub(super) staging: Option<Box<Staging>>,
    pub(super) repair: Repair,
    /// Listeners have heard that rows differ, and not yet that they agree again.
    pub(super) disagrees: bool,
    pub(super) proof: Proof,
    pub(super) strikes: Strikes,
    pub(super) fate: Fate,
    pub(super) polled: bool,
    pub(super) last_refresh: Option<Timestamp>,
    marks: Vec<Mark>,
    last_status: Status,
}

/// Whether the campaign can be followed at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It can.
    Open,
    /// It is gone.
    Ended,
    /// It cannot, for this reason.
    Failed(Code),
}

/// When the state was last known to be the server's newest.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    proven: Option<Now>,
    pending: Option<(Now, SequenceNumber)>,
    /// When the state was replaced by one that nothing has proven yet.
    replaced: Option<Now>,
    /// The server itself does not have the newest events yet.
    pub(super) lagging: bool,
}

/// How often the same next event failed to arrive whole.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strikes {
    next: SequenceNumber,
    count: u32,
}

/// What the socket owed next when a ping was sent: an honest server has written all before it.
#[derive(Clone, Copy, Debug)]
struct Mark {
    sent: Now,
    next: SequenceNumber,
}

/// Marks kept; as many as pings may be unanswered.
const MARKS_MAX: usize = 8;

impl Proof {
    /// The log's head was `head` at some moment after `sent`. A server that has less than we do
    /// proves nothing.
    pub(super) fn note_head(&mut self, sent: Now, head: SequenceNumber, applied: SequenceNumber) {
        if applied == head {
            self.note_current(sent);
        } else if applied < head {
            self.pending = Some((sent, head));
        }
    }

    /// Everything up to `applied` has been applied.
    pub(super) fn note_applied(&mut self, applied: SequenceNumber) {
        if let Some((sent, head)) = self.pending
            && applied >= head
        {
            self.pending = None;
            self.lagging = false;
            self.note_current(sent);
        }
    }

    /// The state was the newest at some moment after `sent`.
    pub(super) fn note_current(&mut self, sent: Now) {
        if self.proven.is_none_or(|proven| proven.at <= sent.at) {
            self.proven = Some(sent);
        }
    }

    /// The state was replaced: nothing is proven of the new one, but a proof is on its way.
    pub(super) fn clear(&mut self, now: Now) {
        *self = Self { replaced: Some(now), ..Self::default() };
    }

    fn is_on_its_way(&self, config: &Config, now: Now) -> bool {
        self.proven.is_none()
            && self.replaced.is_some_and(|since| now.age_of(since) < config.live_age_ms)
    }

    fn is_young(&self, config: &Config, now: Now) -> bool {
        self.proven.is_some_and(|proven| now.age_of(proven) < config.live_age_ms)
    }

    /// When the proof grows old.
    fn expiry(&self, config: &Config) -> Option<Timestamp> {
        self.proven.or(self.replaced).map(|proven| proven.at + config.live_age_ms)
    }
}

impl Subscription {
    /// A campaign that nobody holds yet.
    pub fn new(id: CampaignId, config: &Config) -> Self {
        Self {
            id,
            store: CampaignStore::default(),
            orders: Default::default(),
            waiters: Waiters::default(),
            holders: 0,
            linger_until: None,
            window: DedupeWindow::new(config.dedupe_window),
            held: GapBuffer::new(config.held_events_max, config.held_bytes_max),
            retired: Vec::new(),
            recovery: Recovery::Settled,
            stream: Stream::default(),
            rate: RequestRate::default(),
            staging: None,
            repair: Repair::Idle,
            disagrees: false,
            proof: Proof::default(),
            strikes: Strikes::default(),
            fate: Fate::Open,
            polled: false,
            last_refresh: None,
            marks: Vec::new(),
            last_status: Status::Idle,
        }
    }

    /// The last applied number; 0 before the first.
    pub fn applied(&self) -> SequenceNumber {
        self.store.position().map_or(SequenceNumber::ZERO, |position| position.sequence_number)
    }

    /// Whether the state was replaced, or another socket opened, at `began` or since.
    pub(super) fn is_newer_than(&self, began: Timestamp) -> bool {
        self.proof.replaced.is_some_and(|replaced| replaced.at >= began)
    }

    /// How many events are held beyond a gap, and their bytes.
    pub fn held(&self) -> (usize, usize) {
        (self.held.len(), self.held.bytes())
    }

    /// A socket is open and acknowledged: subscribe, and ask for what was missed.
    pub(super) fn on_open(&mut self, cx: &mut Context) {
        if self.fate == Fate::Ended {
            return;
        }
        // What another session, or another server, refused may be granted now.
        self.fate = Fate::Open;
        self.marks.clear();
        self.stream = Stream::default();
        // What another socket proved, perhaps of another server, is no proof of this one.
        if !planted!(ProofKeptAcrossSockets) {
            self.proof.clear(cx.now);
        }
        self.polled = false;
        if matches!(self.repair, Repair::AwaitingDigest { .. } | Repair::AwaitingBuckets { .. }) {
            self.repair = Repair::Idle;
        }
        self.subscribe(cx);
        let first = self.store.position().is_none();
        let reason = if first { Reason::Connect } else { Reason::Reconnect };
        let (snapshot, since, attempts) = match self.recovery.want() {
            Some(want) => (want.snapshot, want.since, want.attempts),
            None => (false, cx.now.at, 0),
        };
        let want = Want { reason, snapshot, since, attempts };
        self.recovery = Recovery::Due { want, at: cx.now.at };
        self.pump(cx);
    }

    /// Asks the server for a cursor.
    pub(super) fn subscribe(&self, cx: &mut Context) {
        cx.send(client::subscribe_campaign(&self.id, self.store.position()));
    }

    /// What is in flight will not complete, with the socket or for another reason: it is to be asked for
    /// again when it can be.
    pub(super) fn put_back(&mut self, cx: &Context) {
        if self.recovery.in_flight()
            && let Some(want) = self.recovery.want().copied()
        {
            self.recovery = Recovery::Due { want, at: cx.now.at };
        }
    }

    /// Something is missing: ask for it, unless that has been done.
    pub(super) fn want(&mut self, cx: &mut Context, reason: Reason, snapshot: bool) {
        let now = cx.now.at;
        match &mut self.recovery {
            Recovery::Settled => {
                let want = Want { reason, snapshot, since: now, attempts: 0 };
                self.recovery = Recovery::Due { want, at: now };
            }
            Recovery::Due { want, .. } => want.snapshot |= snapshot,
            Recovery::Asked { want, .. }
            | Recovery::Replaying { want, .. }
            | Recovery::Receiving { want, .. } => {
                if snapshot && !want.snapshot {
                    let want = Want { reason, snapshot, ..*want };
                    self.recovery = Recovery::Due { want, at: now };
                }
            }
        }
        self.pump(cx);
    }

    /// What was in flight cannot complete: ask once more, after `delay_ms`.
    pub(super) fn ask_again(&mut self, cx: &mut Context, delay_ms: u64) {
        let Some(want) = self.recovery.want().copied() else { return };
        let snapshot = want.snapshot || self.strike(cx);
        let want = Want { attempts: want.attempts + 1, snapshot, ..want };
        cx.metrics.retries += 1;
        self.recovery = Recovery::Due { want, at: cx.now.at + delay_ms };
        self.pump(cx);
    }

    /// As [`Subscription::ask_again`], without counting it against the event that is next: nothing
    /// says that it was sent and damaged.
    pub(super) fn ask_again_later(&mut self, cx: &mut Context) {
        let Some(want) = self.recovery.want().copied() else { return };
        let config = &cx.config;
        let (base, max) = (config.backoff_base_ms, config.backoff_max_ms);
        let delay = full_jitter_ms(&mut cx.rng, base, max, want.attempts);
        let want = Want { attempts: want.attempts + 1, ..want };
        cx.metrics.retries += 1;
        self.recovery = Recovery::Due { want, at: cx.now.at + delay };
        self.pump(cx);
    }

    /// The next event did not arrive whole. Whether that has happened so often that only a snapshot
    /// will help.
    pub(super) fn strike(&mut self, cx: &Context) -> bool {
        let next = self.applied().next();
        if self.strikes.next != next {
            self.strikes = Strikes { next, count: 0 };
        }
        self.strikes.count += 1;
        self.strikes.count >= cx.config.same_next_max
    }

    /// Sends the request that is due, as far as socket and rate allow.
    pub(super) fn pump(&mut self, cx: &mut Context) {
        let Recovery::Due { want, at } = self.recovery else { return };
        if cx.socket.is_none() || at > cx.now.at || self.fate != Fate::Open {
            return;
        }
        let allowed = self.rate.allowed_at(&cx.config, cx.now.at);
        if allowed > cx.now.at && !planted!(RequestFlood) {
            self.recovery = Recovery::Due { want, at: allowed };
            return;
        }
        self.rate.note_sent(&cx.config, cx.now.at);
        let request_id = cx.request_id();
        let resume = self.staging.as_ref().map(|staging| staging.resume());
        cx.send(client::request_event_recovery(&RecoveryRequest {
            campaign_id: &self.id,
            position: self.store.position(),
            request_id: &request_id,
            reason: want.reason,
            prefer_snapshot: want.snapshot,
            resume: resume.as_ref(),
        }));
        cx.metrics.recovery_requests.count(want.reason);
        let (campaign_id, reason) = (self.id.clone(), want.reason.as_str());
        cx.notify(Notice::RecoveryRequested { campaign_id, reason });
        cx.log(
            Level::Info,
            "recovery_requested",
            Facts {
                campaign_id: Some(&self.id),
                sequence_number: Some(self.applied().get()),
                detail: Some(want.reason.as_str()),
                ..Facts::default()
            },
        );
        let deadline = cx.now.at + cx.config.recovery_deadline_ms;
        self.recovery = Recovery::Asked { want, request_id, asked: cx.now, deadline };
    }

    /// Acts on deadlines that have passed.
    pub(super) fn on_time(&mut self, cx: &mut Context) {
        if self.repair.deadline().is_some_and(|deadline| deadline <= cx.now.at) {
            self.repair = Repair::Idle;
            self.begin_repair(cx);
        }
        if self.recovery.deadline().is_some_and(|deadline| deadline <= cx.now.at) {
            if self.recovery.in_flight() && !planted!(RequestOnce) {
                self.ask_again_later(cx);
            } else {
                self.pump(cx);
            }
        }
    }

    /// When something is due.
    pub(super) fn deadline(&self, cx: &Context) -> Option<Timestamp> {
        let open = cx.socket.is_some();
        let recovery = self.recovery.deadline().filter(|_| open && self.fate == Fate::Open);
        let hopeful = matches!(self.last_status, Status::Live | Status::Recovering);
        let expiry = self.proof.expiry(&cx.config).filter(|at| hopeful && *at > cx.now.at);
        let all = [recovery, self.repair.deadline(), self.linger_until, expiry];
        all.into_iter().flatten().min()
    }

    /// A ping is sent: remember how far the socket has come.
    pub(super) fn mark_ping(&mut self, sent: Now) {
        self.marks.push(Mark { sent, next: self.stream.next() });
        if self.marks.len() > MARKS_MAX {
            self.marks.remove(0);
        }
    }

    /// What the socket owed next when that ping was sent, unless the cursor was set since.
    pub(super) fn owed_at_ping(&self, sent: Now) -> Option<SequenceNumber> {
        self.marks.iter().find(|mark| mark.sent == sent).map(|mark| mark.next)
    }

    /// The cursor was set: what stood before says nothing about what the server has written since.
    pub(super) fn forget_marks(&mut self) {
        self.marks.clear();
    }

    /// How trustworthy the state is at `now`.
    pub fn status(&self, cx: &Context, connecting: bool, now: Now) -> Status {
        match self.fate {
            Fate::Ended => return Status::Ended,
            Fate::Failed(code) => return Status::Failed(code),
            Fate::Open => {}
        }
        let empty = self.store.record().is_none() && self.store.table().is_empty();
        if cx.socket.is_none() {
            return match (empty, connecting, self.polled) {
                (true, true, _) => Status::Connecting,
                (true, false, _) => Status::Idle,
                (false, _, true) => Status::Stale(StaleReason::Polling),
                (false, _, false) => Status::Stale(StaleReason::Disconnected),
            };
        }
        let settled = self.recovery.is_settled();
        if empty && !settled {
            return Status::Loading;
        }
        if !settled || self.proof.lagging || self.repair.in_flight() {
            return Status::Recovering;
        }
        if self.disagrees && !planted!(LiveThoughDiverged) {
            return Status::Stale(StaleReason::Diverged);
        }
        if self.proof.is_young(&cx.config, now) || planted!(LiveUnproven) {
            Status::Live
        } else if self.proof.is_on_its_way(&cx.config, now) {
            Status::Recovering
        } else {
            Status::Stale(StaleReason::Unproven)
        }
    }

    /// Tells listeners if the status is another than when they last heard of it.
    pub(super) fn announce_status(&mut self, cx: &mut Context, connecting: bool) {
        let status = self.status(cx, connecting, cx.now);
        if status == self.last_status {
            return;
        }
        self.last_status = status;
        cx.mark_changed(&self.id);
        cx.notify(Notice::StatusChange {
            campaign_id: self.id.clone(),
            status: status.as_str(),
            reason: status.reason(),
        });
    }
}
