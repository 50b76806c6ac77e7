//! One page: a real machine, its clocks, and its state as observed after the last step.

use std::collections::BTreeMap;

use campaign_sync::protocol::frame::Frame;
use campaign_sync::sync::connection::{ConnectionState, Step};
use campaign_sync::sync::input::Ticket;
use campaign_sync::sync::{Config, Machine, Now, Status, Timestamp};

use super::evidence::SocketTraffic;
use super::oracle::CampaignTrace;
use super::reported::ReportedStates;
use super::retry_after::{RetryAfterCheck, Word};
use super::rng::Rng;
use super::sealed;
use super::server::wire::BEGAN_MS;
use super::users::{Abilities, PageUser};
use super::world::ScheduledEvent;
use super::written::OwnList;

/// The clocks of one computer. A monotonic clock may stop while the computer sleeps. In that case the
/// wall clock is never set back, because the sleep could then not be detected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    stops_asleep: bool,
    lost_ms: u64,
    wall_ahead_ms: i64,
}

/// A page with the client under test.
#[derive(Debug)]
pub(crate) struct Client {
    /// The machine under test.
    pub(crate) machine: Machine,
    /// Whether content is sealed and the page has no key yet.
    pub(crate) lacks_key: bool,
    /// The number of times that the page was loaded.
    pub(crate) page_load: u64,
    /// Whether the page retains the list of campaigns.
    pub(crate) holds_list: bool,
    /// How many times the page retains each campaign.
    pub(crate) held: BTreeMap<String, u32>,
    pub(crate) clock: Clock,
    /// The time at which the computer fell asleep, while it sleeps.
    pub(crate) asleep_since_ms: Option<u64>,
    /// The events that happened to the client while it slept.
    pub(crate) missed: Vec<ScheduledEvent>,
    /// The number of the active timer. Timers with lower numbers were cleared.
    pub(crate) timer: u64,
    /// The shortest delay of a timer, in milliseconds.
    pub(crate) throttle_ms: u64,
    /// The number of timers in a row after which the next deadline was not in the future.
    pub(crate) idle_timers: u32,
    /// The pending waits for a position: campaign, epoch, number.
    pub(crate) promises: BTreeMap<Ticket, (String, String, u64)>,
    /// The last ticket that the driver gave. The machine numbers its own tickets, and the two ranges
    /// must not overlap.
    pub(crate) tickets: u64,
    /// The oracle's record of each campaign.
    pub(crate) watches: BTreeMap<String, CampaignTrace>,
    /// The client's messages on the current socket.
    pub(crate) traffic: SocketTraffic,
    /// The most events that may be held beyond a gap.
    pub(crate) held_events_max: usize,
    /// When the client began its last attempt to connect.
    pub(crate) attempt_began: Option<Timestamp>,
    /// The longest `retryAfterMs` that the client obeys.
    pub(crate) retry_after_max_ms: u64,
    /// The number of hashes of applied events that must be remembered.
    pub(crate) dedupe_window: usize,
    /// The users of the page, in a world with users.
    pub(crate) page_user: Option<PageUser>,
    /// The last notices to listeners.
    pub(crate) reported: ReportedStates,
    /// The list that the page shows, with its user.
    pub(crate) shown_list: Option<OwnList>,
    /// The order in which the application reads pages of rows.
    pub(crate) page_order: u64,
    abilities: Abilities,
}

impl Clock {
    fn draw(rng: &mut Rng) -> Self {
        let skew = rng.below(7_200_000) as i64 - 3_600_000;
        Self { stops_asleep: rng.chance(500), lost_ms: 0, wall_ahead_ms: BEGAN_MS as i64 + skew }
    }

    /// The current time by the clocks of this computer.
    pub(crate) const fn now(&self, true_ms: u64) -> Now {
        let at = Timestamp(1_000 + true_ms - self.lost_ms);
        Now { at, wall_ms: true_ms as i64 + self.wall_ahead_ms }
    }

    /// Ends a sleep of the computer that lasted `for_ms`.
    pub(crate) const fn slept(&mut self, for_ms: u64) {
        if self.stops_asleep {
            self.lost_ms += for_ms;
        }
    }

    /// Sets the wall clock. If the monotonic clock stops asleep, the wall clock only moves forward.
    pub(crate) fn set(&mut self, by_ms: i64) {
        self.wall_ahead_ms += if self.stops_asleep { by_ms.abs() } else { by_ms };
    }
}

impl Client {
    /// Loads a page for the first time.
    pub(crate) fn new(rng: &mut Rng, seals: bool, abilities: Abilities) -> Self {
        let mut config = Config { has_renewal: abilities.renews, ..config(rng) };
        config.has_fetch_snapshot |= abilities.polls;
        let (held_events_max, dedupe_window) = (config.held_events_max, config.dedupe_window);
        let retry_after_max_ms = config.retry_after_max_ms;
        let mut machine = Machine::new(config, rng.next());
        if seals {
            sealed::take_sealed_only(&mut machine);
        }
        Self {
            held_events_max,
            dedupe_window,
            retry_after_max_ms,
            machine,
            lacks_key: seals,
            page_load: 1,
            holds_list: false,
            held: BTreeMap::new(),
            clock: Clock::draw(rng),
            asleep_since_ms: None,
            missed: Vec::new(),
            timer: 0,
            throttle_ms: 0,
            idle_timers: 0,
            promises: BTreeMap::new(),
            tickets: 1 << 32,
            watches: BTreeMap::new(),
            traffic: SocketTraffic::default(),
            attempt_began: None,
            page_user: None,
            reported: ReportedStates::default(),
            shown_list: None,
            page_order: 0,
            abilities,
        }
    }

    /// Ends the conversation if it is on this socket. The proofs of a closed socket no longer count.
    pub(crate) fn hang_up(&mut self, socket: u64) {
        if self.traffic.is_on(socket) {
            self.begin(SocketTraffic::default());
        }
    }

    /// Begins another conversation. The proofs and postponements of the former one no longer count.
    pub(crate) fn begin(&mut self, traffic: SocketTraffic) {
        self.traffic = traffic;
        for watch in self.watches.values_mut() {
            watch.proofs.clear();
            watch.retry_after = RetryAfterCheck::default();
        }
    }

    /// Clears the postponed requests of failed campaigns. A failed campaign has given up its requests,
    /// so answers to them no longer count.
    pub(crate) fn give_up(&mut self, now: Now) {
        for (id, watch) in &mut self.watches {
            if matches!(self.machine.status(id, now), Some(Status::Failed(_))) {
                watch.retry_after = RetryAfterCheck::default();
            }
        }
    }

    /// Whether the next attempt to connect is due by the backoff alone.
    pub(crate) fn attempt_is_due(&self, now: Timestamp) -> bool {
        match self.machine.connection().state() {
            ConnectionState::Attempting { step: Step::Waiting, deadline } => *deadline <= now,
            ConnectionState::Idle
            | ConnectionState::Attempting { .. }
            | ConnectionState::Open(_)
            | ConnectionState::Failed(_)
            | ConnectionState::Closed => false,
        }
    }

    /// Records the proofs in a frame that arrives.
    pub(crate) fn take_proofs(&mut self, now: Now, frame: Frame<'_>) {
        for document in frame.documents().into_iter().flatten() {
            if let Some(answer) = Word::read(document) {
                for (id, watch) in &mut self.watches {
                    watch.retry_after.on_answer(now.at, id, &answer, self.retry_after_max_ms);
                }
            }
            let applied =
                |id: &str| self.machine.subscription(id).map_or(0, |it| it.applied().get());
            for (id, proof) in self.traffic.proofs(document, applied) {
                if let Some(watch) = self.watches.get_mut(&id) {
                    watch.proofs.retain(|proof| !proof.is_spent(now));
                    watch.proofs.push(proof);
                }
            }
        }
    }

    /// Loads the page again: a new machine replaces the former one.
    pub(crate) fn reload(&mut self, rng: &mut Rng, seals: bool) {
        let (page_load, clock, timer) = (self.page_load + 1, self.clock, self.timer + 1);
        let cookie = self.cookie();
        *self = Self { page_load, clock, timer, ..Self::new(rng, seals, self.abilities) };
        if let Some(cookie) = cookie {
            self.assign_user(cookie);
        }
    }
}

fn config(rng: &mut Rng) -> Config {
    Config {
        has_token: rng.chance(300),
        has_fetch_snapshot: rng.chance(300),
        log: rng.chance(200),
        // Small limits are reached more often.
        dedupe_window: *rng.pick(&[8, 1_024]),
        held_events_max: *rng.pick(&[4, 40, 1_024]),
        retry_after_max_ms: *rng.pick(&[1_000, 20_000]),
        ..Config::default()
    }
}
