//! The subscription to the catalogue: the list of all campaigns that the session may see.
//!
//! ```text
//! Off ──retained, socket open──▶ Scheduled ──due──▶ Awaiting ──last part──▶ Current
//!                                  ▲                   │ deadline, bad part   │ gap, head, bad part
//!                                  └───────────────────┴──────────────────────┘
//! ```
//!
//! Only this module changes the state. The list is in [`CatalogueStore`].

use super::context::{Context, RequestId};
use super::holders::Holders;
use super::outcome::Verdict;
use super::status::{LinkState, Status};
use super::subscription::Freshness;
use super::time::{Now, Timestamp};
use crate::protocol::catalogue::{CatalogueHead, CataloguePart};
use crate::protocol::json::RawStr;
use crate::protocol::write::{JsonWriter, ToJson};
use crate::protocol::{Code, client};
use crate::store::{CatalogueChanges, CatalogueStore, StagingFault};

/// The subscription to the catalogue.
#[derive(Clone, Debug)]
pub struct Catalogue {
    holders: Holders,
    /// Whether the server of the open socket has the profile.
    is_offered: bool,
    state: State,
    /// When the request is due, or due again because of missing progress.
    due: Timestamp,
    store: CatalogueStore,
    freshness: Freshness,
    /// The number of requests since the server last agreed with the list.
    attempts: u32,
    last_status: Option<Status>,
}

/// The state of the subscription.
#[derive(Clone, Copy, Debug)]
enum State {
    /// The application does not retain the catalogue, or no socket is open.
    Off,
    /// The request is sent when it is due.
    Scheduled,
    /// A request was sent at `asked`, and its answer has not arrived whole.
    Awaiting { request_id: RequestId, asked: Now },
    /// The list is the server's, as far as the client knows. It is requested again if a part of a change has
    /// arrived, and the next one does not arrive in time.
    Current,
    /// The server refused the subscription, or does not know it. Another connection tries again.
    Failed(Code),
}

/// The catalogue as JavaScript sees it: the status, and what changed since the last read.
#[derive(Debug)]
pub struct CatalogueView {
    status: Status,
    /// When the list was last proven to be the server's newest, in milliseconds since 1970.
    proven_at: Option<i64>,
    changes: CatalogueChanges,
}

impl Default for Catalogue {
    fn default() -> Self {
        Self {
            holders: Holders::default(),
            is_offered: false,
            state: State::Off,
            due: Timestamp::NEVER,
            store: CatalogueStore::default(),
            freshness: Freshness::default(),
            attempts: 0,
            last_status: None,
        }
    }
}

impl Catalogue {
    /// The list, for tests and diagnostics.
    pub const fn store(&self) -> &CatalogueStore {
        &self.store
    }

    /// When the list was last proven to be the server's newest, in milliseconds since 1970.
    pub const fn proven_at(&self) -> Option<i64> {
        self.freshness.proven_at()
    }

    /// Records whether the server has the profile.
    pub(super) const fn set_offered(&mut self, is_offered: bool) {
        self.is_offered = is_offered;
    }

    /// Increments the reference count.
    pub(super) fn retain(&mut self, cx: &mut Context) {
        let is_first = !self.is_wanted();
        self.holders.retain();
        if is_first && cx.is_connected() {
            self.on_open(cx);
        }
    }

    /// Decrements the reference count. Returns whether the application retained the catalogue.
    pub(super) fn release(&mut self, cx: &Context) -> bool {
        self.holders.release(cx.now.at + cx.config.linger_ms)
    }

    /// Empties the list at once, because the session may not see it. The next socket requests it (R20.26).
    pub(super) fn clear(&mut self, cx: &mut Context) {
        self.store.clear();
        self.freshness = Freshness::default();
        self.enter(State::Off, Timestamp::NEVER);
        cx.mark_catalogue_changed();
    }

    /// Handles an open and acknowledged socket.
    pub(super) fn on_open(&mut self, cx: &mut Context) {
        if !self.is_wanted() {
            return;
        }
        self.store.drop_staged();
        self.freshness.on_open(cx.now);
        if self.is_offered {
            self.schedule(cx, cx.now.at);
        } else {
            self.enter(State::Failed(Code::UnknownType), Timestamp::NEVER);
        }
    }

    /// Handles a closed socket.
    pub(super) fn on_lost(&mut self) {
        self.enter(State::Off, Timestamp::NEVER);
    }

    /// Handles a part of the answer to a request, or of a change.
    pub(super) fn on_part(
        &mut self,
        cx: &mut Context,
        request_id: Option<RawStr<'_>>,
        part: Box<CataloguePart>,
    ) -> Verdict {
        let is_snapshot = part.base.is_none();
        let asked = match self.state {
            State::Awaiting { request_id: own, asked }
                if request_id.is_some_and(|id| own.is(id)) =>
            {
                Some(asked)
            }
            State::Current if request_id.is_none() => None,
            State::Off
            | State::Scheduled
            | State::Awaiting { .. }
            | State::Current
            | State::Failed(_) => return Verdict::Ignored,
        };
        self.due = cx.request_deadline();
        match self.store.add(part, asked.is_some()) {
            Ok(false) => return Verdict::Control,
            Ok(true) => {}
            Err(StagingFault::Repeated) => return Verdict::Duplicate,
            Err(StagingFault::Gap) => {
                self.request(cx);
                return Verdict::Control;
            }
            Err(StagingFault::Invalid(code)) => {
                self.store.distrust();
                self.request(cx);
                return Verdict::Refused(code);
            }
        }
        cx.metrics.catalogue_snapshots += u64::from(is_snapshot);
        cx.metrics.catalogue_changes += u64::from(asked.is_none());
        cx.mark_catalogue_changed();
        self.enter(State::Current, Timestamp::NEVER);
        if let Some(asked) = asked {
            // The server read the list after it received the request.
            self.freshness.prove(asked);
            cx.request_ping();
        }
        Verdict::Control
    }

    /// Handles a `pong`. `sent` is the time at which the answered ping was sent.
    pub(super) fn on_pong(
        &mut self,
        cx: &mut Context,
        sent: Option<Now>,
        head: Option<&CatalogueHead>,
    ) {
        if !matches!(self.state, State::Current) {
            return;
        }
        match (head, self.store.position()) {
            (Some(head), Some(own)) if (&head.epoch, head.sequence_number) == own => {
                self.attempts = 0;
                if let Some(sent) = sent {
                    self.freshness.prove(sent.minus(head.lag_ms));
                }
            }
            // No head is written between the parts of a change.
            (None, _) if sent.is_none() || self.store.is_staging() => {}
            _ => self.request(cx),
        }
    }

    /// Whether an error with this request id is about the catalogue.
    pub(super) fn has_requested(&self, id: RawStr<'_>) -> bool {
        matches!(&self.state, State::Awaiting { request_id, .. } if request_id.is(id))
    }

    /// Handles an error that answers the request.
    pub(super) fn on_error(
        &mut self,
        cx: &mut Context,
        code: Option<Code>,
        retry_after_ms: Option<u64>,
    ) {
        self.store.drop_staged();
        match (code, retry_after_ms) {
            (_, Some(ms)) => self.enter(State::Scheduled, cx.retry_at(ms)),
            (Some(code), None) if is_final(code) => {
                if code == Code::Forbidden {
                    self.clear(cx);
                }
                self.enter(State::Failed(code), Timestamp::NEVER);
            }
            _ => self.request(cx),
        }
    }

    /// Runs everything whose deadline has passed.
    pub(super) fn on_time(&mut self, cx: &mut Context) {
        let now = cx.now.at;
        if self.holders.is_expired(now) {
            if !matches!(self.state, State::Off | State::Failed(_)) {
                cx.send(client::unsubscribe_catalogue());
            }
            *self = Self { is_offered: self.is_offered, ..Self::default() };
        }
        if self.due > now {
            return;
        }
        if matches!(self.state, State::Scheduled) {
            self.send_due(cx);
        } else {
            self.request(cx);
        }
    }

    /// The time of the next action.
    pub(super) fn deadline(&self, cx: &Context) -> Timestamp {
        let status = self.last_status.unwrap_or(Status::Idle);
        self.due.min(self.holders.lingers_until()).min(self.freshness.expiry(cx, status))
    }

    /// How trustworthy the list is at `now`.
    pub(super) fn status(&self, link: LinkState, now: Now) -> Status {
        let is_loaded = self.store.is_loaded();
        if let Some(status) = link.status(is_loaded) {
            return status;
        }
        match self.state {
            State::Failed(code) => Status::Failed(code),
            State::Current => self.freshness.status(now),
            State::Off | State::Scheduled | State::Awaiting { .. } if is_loaded => {
                Status::Recovering
            }
            State::Off | State::Scheduled | State::Awaiting { .. } => Status::Loading,
        }
    }

    /// Reports a change of the status to the page.
    pub(super) fn announce_status(&mut self, cx: &mut Context, link: LinkState) {
        let status = Some(self.status(link, cx.now)).filter(|_| self.is_wanted());
        if status != self.last_status {
            self.last_status = status;
            cx.mark_catalogue_changed();
        }
    }

    /// The view: `status`, and what changed since the last view, or the `whole` list.
    pub(super) fn view(&mut self, status: Status, whole: bool) -> CatalogueView {
        CatalogueView {
            status,
            proven_at: self.proven_at(),
            changes: self.store.take_changes(whole),
        }
    }

    fn is_wanted(&self) -> bool {
        !matches!(self.holders, Holders::Held(0))
    }

    /// Requests the list, or what changed in it: at once, and with a growing delay until the server agrees
    /// with the list.
    fn request(&mut self, cx: &mut Context) {
        self.store.drop_staged();
        let delay = self.attempts.checked_sub(1).map_or(0, |failures| {
            cx.metrics.retries += 1;
            cx.backoff_ms(failures)
        });
        self.attempts += 1;
        self.schedule(cx, cx.now.at + delay);
    }

    fn schedule(&mut self, cx: &mut Context, due: Timestamp) {
        self.enter(State::Scheduled, due);
        self.send_due(cx);
    }

    const fn enter(&mut self, state: State, due: Timestamp) {
        self.state = state;
        self.due = due;
    }

    fn send_due(&mut self, cx: &mut Context) {
        if !matches!(self.state, State::Scheduled) || self.due > cx.now.at || !cx.is_connected() {
            return;
        }
        let request_id = cx.request_id();
        cx.send(client::subscribe_catalogue(&request_id.text(), self.store.position()));
        self.enter(State::Awaiting { request_id, asked: cx.now }, cx.request_deadline());
    }
}

/// Whether the same request would be refused again on this connection.
const fn is_final(code: Code) -> bool {
    use Code::{Forbidden, TooMany, Unauthorized, UnknownType};
    matches!(code, UnknownType | Forbidden | Unauthorized | TooMany)
}

impl ToJson for CatalogueView {
    fn show(&self, to: &mut JsonWriter) {
        let (status, reason) = (self.status, self.status.reason());
        let failed = matches!(status, Status::Failed(_));
        to.text("status", status.as_str());
        to.optional_text(if failed { "code" } else { "staleReason" }, reason);
        to.optional_number("provenAt", self.proven_at.map(|at| at as f64));
        self.changes.show(to);
    }
}
