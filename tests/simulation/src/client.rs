//! One page: a real machine, its clocks, and what it looked like after the last step.

use std::collections::BTreeMap;

use campaign_sync::protocol::frame::Frame;
use campaign_sync::sync::input::Ticket;
use campaign_sync::sync::{Config, Machine, Now, Status, Timestamp};

use super::evidence::Conversation;
use super::oracle::Watch;
use super::retry_after::{Patience, Word};
use super::rng::Rng;
use super::sealed;
use super::server::wire::BEGAN_MS;
use super::world::ScheduledEvent;

/// The clocks of one computer. A monotonic clock may stand still while it sleeps; then its wall
/// clock is never set back, for nothing could tell the sleep from that any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    stops_asleep: bool,
    lost_ms: u64,
    wall_ahead_ms: i64,
}

/// One page.
#[derive(Debug)]
pub(crate) struct Client {
    /// What is tested.
    pub(crate) machine: Machine,
    /// Content is sealed, and the page has no key yet.
    pub(crate) lacks_key: bool,
    /// How often the page was loaded.
    pub(crate) visit: u64,
    /// How often the page holds each campaign.
    pub(crate) held: BTreeMap<String, u32>,
    /// Its clocks.
    pub(crate) clock: Clock,
    /// Since when it sleeps.
    pub(crate) asleep_since_ms: Option<u64>,
    /// What happened to it meanwhile.
    pub(crate) missed: Vec<ScheduledEvent>,
    /// The timer that counts; earlier ones were cleared.
    pub(crate) timer: u64,
    /// Timers fire no more often than this.
    pub(crate) throttle_ms: u64,
    /// Timers that fired without anything being due later, in a row.
    pub(crate) idle_timers: u32,
    /// Promises that are not settled yet: campaign, epoch, number.
    pub(crate) promises: BTreeMap<Ticket, (String, String, u64)>,
    /// Tickets given so far. The machine has its own; these must differ from them.
    pub(crate) tickets: u64,
    /// What the oracle remembers of each campaign.
    pub(crate) watches: BTreeMap<String, Watch>,
    /// What was said on the socket that counts.
    pub(crate) conversation: Conversation,
    /// Events that may be held beyond a gap.
    pub(crate) held_events_max: usize,
    /// How much patience it has with a server that wants more.
    pub(crate) retry_after_max_ms: u64,
    /// Hashes of applied events that must be remembered.
    pub(crate) dedupe_window: usize,
}

impl Clock {
    fn draw(rng: &mut Rng) -> Self {
        let skew = rng.below(7_200_000) as i64 - 3_600_000;
        Self { stops_asleep: rng.chance(500), lost_ms: 0, wall_ahead_ms: BEGAN_MS as i64 + skew }
    }

    /// The present as this computer tells it.
    pub(crate) const fn now(&self, true_ms: u64) -> Now {
        let at = Timestamp(1_000 + true_ms - self.lost_ms);
        Now { at, wall_ms: true_ms as i64 + self.wall_ahead_ms }
    }

    /// The computer slept.
    pub(crate) const fn slept(&mut self, for_ms: u64) {
        if self.stops_asleep {
            self.lost_ms += for_ms;
        }
    }

    /// Somebody set the wall clock.
    pub(crate) fn set(&mut self, by_ms: i64) {
        self.wall_ahead_ms += if self.stops_asleep { by_ms.abs() } else { by_ms };
    }
}

impl Client {
    /// A page that was just loaded.
    pub(crate) fn new(rng: &mut Rng, seals: bool) -> Self {
        let config = config(rng);
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
            visit: 1,
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
            conversation: Conversation::default(),
        }
    }

    /// The socket is closed, and with it what it proved.
    pub(crate) fn hang_up(&mut self, socket: u64) {
        if self.conversation.is_on(socket) {
            self.begin(Conversation::default());
        }
    }

    /// Another conversation begins.
    pub(crate) fn begin(&mut self, conversation: Conversation) {
        self.conversation = conversation;
        for watch in self.watches.values_mut() {
            watch.proofs.clear();
            watch.retry_after = Patience::default();
        }
    }

    /// Campaigns that failed have given up their requests: what is answered to them counts no more.
    pub(crate) fn give_up(&mut self, now: Now) {
        for (id, watch) in &mut self.watches {
            if matches!(self.machine.status(id, now), Some(Status::Failed(_))) {
                watch.retry_after = Patience::default();
            }
        }
    }

    /// A frame arrives: what it proves is known from now on.
    pub(crate) fn take_proofs(&mut self, now: Now, frame: Frame<'_>) {
        for document in frame.documents().into_iter().flatten() {
            if let Some(word) = Word::read(document) {
                for (id, watch) in &mut self.watches {
                    watch.retry_after.hears(now.at, id, &word, self.retry_after_max_ms);
                }
            }
            let applied =
                |id: &str| self.machine.subscription(id).map_or(0, |it| it.applied().get());
            for (id, proof) in self.conversation.proofs(document, applied) {
                if let Some(watch) = self.watches.get_mut(&id) {
                    watch.proofs.retain(|proof| !proof.is_spent(now));
                    watch.proofs.push(proof);
                }
            }
        }
    }

    /// The page is loaded again: nothing is left of the machine before.
    pub(crate) fn reload(&mut self, rng: &mut Rng, seals: bool) {
        let visit = self.visit + 1;
        *self = Self { visit, clock: self.clock, timer: self.timer + 1, ..Self::new(rng, seals) };
    }
}

fn config(rng: &mut Rng) -> Config {
    Config {
        has_token: rng.chance(300),
        has_fetch_snapshot: rng.chance(300),
        log: rng.chance(200),
        // Small bounds are met more often.
        dedupe_window: *rng.pick(&[8, 1_024]),
        held_events_max: *rng.pick(&[4, 40, 1_024]),
        retry_after_max_ms: *rng.pick(&[1_000, 20_000]),
        ..Config::default()
    }
}
