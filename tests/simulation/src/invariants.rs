//! Invariants of a machine, whatever server it follows: bounded effects, bounded requests, no busy loop,
//! and cache invalidation before notices of new phases.

use std::collections::VecDeque;
use std::fmt;

use campaign_sync::sync::notice::Detail;
use campaign_sync::sync::{Config, Effect, Notice, Timestamp};

/// A guarantee that did not hold.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    /// The number of the guarantee in `docs/PROTOCOL.md`, or the name of another invariant.
    pub(crate) guarantee: &'static str,
    /// The observation that violates it.
    pub(crate) detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.guarantee, self.detail)
    }
}

/// The result of a check.
pub(crate) type Check = Result<(), Violation>;

/// Returns a violation unless `holds` is true.
pub(crate) fn demand(
    holds: bool,
    guarantee: &'static str,
    detail: impl FnOnce() -> String,
) -> Check {
    if holds { Ok(()) } else { Err(Violation { guarantee, detail: detail() }) }
}

/// Checks an attempt to connect that the application requested. At most two of them begin in a second.
pub(crate) fn attempts_are_paced(before: Option<Timestamp>, now: Timestamp) -> Check {
    let gap_ms = before.map_or(u64::MAX, |before| now.since(before));
    demand(gap_ms >= Config::default().attempt_gap_ms, "G8", || {
        format!("an attempt began {gap_ms} ms after the one before")
    })
}

/// The most effects of any input, without those of its documents.
const EFFECTS_BASE: usize = 120;
/// The most effects of one document, or of one event that was held.
const EFFECTS_EACH: usize = 14;

/// Checks that an input leads to a bounded number of effects.
pub(crate) fn effects_are_bounded(effects: usize, documents: usize, applied: u64) -> Check {
    let most = EFFECTS_BASE + EFFECTS_EACH * (documents + applied as usize);
    demand(effects <= most, "effects", || {
        format!("{effects} effects of {documents} documents and {applied} events")
    })
}

/// The most timers in a row after which the next deadline is not in the future.
const IDLE_TIMERS_MAX: u32 = 3;

/// Checks that the deadline moves on when a timer fires.
pub(crate) fn timers_move_on(idle: &mut u32, now: Timestamp, next: Option<Timestamp>) -> Check {
    *idle = if next.is_some_and(|next| next <= now) { *idle + 1 } else { 0 };
    demand(*idle <= IDLE_TIMERS_MAX, "timers", || {
        format!("{idle} timers in a row at {now:?} led to a timer at {next:?}")
    })
}

/// G12: checks that a page's caches are invalidated before the notice of a new phase.
pub(crate) fn caches_come_first(effects: &[Effect]) -> Check {
    for (index, effect) in effects.iter().enumerate() {
        let Effect::Notify(Notice { campaign_id, detail: Detail::PhaseTransition(transition) }) =
            effect
        else {
            continue;
        };
        if transition.initial {
            continue;
        }
        let voids = |effect: &Effect| {
            matches!(effect, Effect::Notify(Notice { campaign_id: id, detail: Detail::CacheInvalidated(it) })
                if id == campaign_id
                    && it.sequence_number == transition.sequence_number)
        };
        demand(effects[..index].iter().any(voids), "G12", || {
            format!("a new phase was announced before caches were void: {transition:?}")
        })?;
    }
    Ok(())
}

/// G8: the times of the recovery requests of one campaign, by the page's clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    sent: VecDeque<Timestamp>,
    without_progress: VecDeque<Timestamp>,
}

/// The most requests, and the window in milliseconds: in any half second.
const BURST: (usize, u64) = (5, 500);
/// The most requests, and the window in milliseconds: in any minute without progress.
const WITHOUT_PROGRESS: (usize, u64) = (10, 60_000);

impl Requests {
    /// Records that something requested has arrived.
    pub(crate) fn progress(&mut self) {
        self.without_progress.clear();
    }

    /// Records a request. If progress followed in the same frame, the request is not one without
    /// progress.
    pub(crate) fn sent(&mut self, now: Timestamp, progress_since: bool) -> Check {
        for (times, (most, window)) in
            [(&mut self.sent, BURST), (&mut self.without_progress, WITHOUT_PROGRESS)]
        {
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
