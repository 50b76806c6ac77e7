//! What must hold of a machine whatever it follows: bounded answers, bounded requests, no busy
//! loop, and caches told first.

use std::collections::VecDeque;
use std::fmt;

use campaign_sync::sync::{Effect, Notice, Timestamp};

/// A guarantee that did not hold.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    /// Which, by its number in `docs/PROTOCOL.md`, or what else must hold.
    pub(crate) guarantee: &'static str,
    /// What was seen.
    pub(crate) detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.guarantee, self.detail)
    }
}

/// The verdict of a check.
pub(crate) type Check = Result<(), Violation>;

/// Fails with what is wrong, unless all is well.
pub(crate) fn demand(
    holds: bool,
    guarantee: &'static str,
    detail: impl FnOnce() -> String,
) -> Check {
    if holds { Ok(()) } else { Err(Violation { guarantee, detail: detail() }) }
}

/// Effects that any input may lead to, beside those of its documents.
const EFFECTS_BASE: usize = 120;
/// Effects that one document, or one event that was held, may lead to.
const EFFECTS_EACH: usize = 14;

/// An input leads to a bounded number of effects.
pub(crate) fn effects_are_bounded(effects: usize, documents: usize, applied: u64) -> Check {
    let most = EFFECTS_BASE + EFFECTS_EACH * (documents + applied as usize);
    demand(effects <= most, "effects", || {
        format!("{effects} effects of {documents} documents and {applied} events")
    })
}

/// Timers that fire in a row without anything else being due later.
const IDLE_TIMERS_MAX: u32 = 3;

/// A timer that fired is not wanted again at once.
pub(crate) fn timers_move_on(idle: &mut u32, now: Timestamp, next: Option<Timestamp>) -> Check {
    *idle = if next.is_some_and(|next| next <= now) { *idle + 1 } else { 0 };
    demand(*idle <= IDLE_TIMERS_MAX, "timers", || {
        format!("{idle} timers in a row at {now:?} led to a timer at {next:?}")
    })
}

/// G12: what a page has cached is void before it hears of a new phase.
pub(crate) fn caches_come_first(effects: &[Effect]) -> Check {
    for (index, effect) in effects.iter().enumerate() {
        let Effect::Notify(Notice::PhaseTransition(transition)) = effect else { continue };
        let voids = |effect: &Effect| {
            matches!(effect, Effect::Notify(Notice::CacheInvalidated(it))
                if it.campaign_id == transition.campaign_id
                    && it.sequence_number == transition.sequence_number)
        };
        demand(effects[..index].iter().any(voids), "G12", || {
            format!("a new phase was announced before caches were void: {transition:?}")
        })?;
    }
    Ok(())
}

/// G8: when recovery requests of one campaign were sent, by the page's own clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    sent: VecDeque<Timestamp>,
    without_progress: VecDeque<Timestamp>,
}

/// Requests within any half second.
const BURST: (usize, u64) = (5, 500);
/// Requests within any minute without progress.
const FRUITLESS: (usize, u64) = (10, 60_000);

impl Requests {
    /// Something arrived that was asked for.
    pub(crate) fn progress(&mut self) {
        self.without_progress.clear();
    }

    /// A request was sent. If something arrived behind it in the same frame, it was not fruitless.
    pub(crate) fn sent(&mut self, now: Timestamp, progress_since: bool) -> Check {
        for (times, (most, window)) in [(&mut self.sent, BURST), (&mut self.without_progress, FRUITLESS)] {
            times.push_back(now);
            if times.len() > most + 1 {
                times.pop_front();
            }
            let first = times.front().copied().unwrap_or_default();
            demand(times.len() <= most || now.since(first) >= window, "G8", || {
                format!("{} requests within {} ms", times.len(), now.since(first))
            })?;
        }
        if progress_since {
            self.progress();
        }
        Ok(())
    }
}
