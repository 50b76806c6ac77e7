//! The model server's logs, with the state at every number: what the oracle asks for the truth.

use std::rc::Rc;

use super::state::{Change, State};
use super::wire::{self, Place};

/// One campaign: its log, and the logs that it replaced.
#[derive(Debug)]
pub(crate) struct Campaign {
    /// Its id.
    pub(crate) id: String,
    logs: Vec<Log>,
}

/// One log, named by its epoch.
#[derive(Debug)]
pub(crate) struct Log {
    /// Its name.
    pub(crate) epoch: Rc<str>,
    /// When it became the campaign's log.
    pub(crate) since_ms: u64,
    /// The first number that can still be replayed.
    pub(crate) oldest: u64,
    /// Numbers up to this one are of the log that it was restored from.
    base: u64,
    base_event: Rc<str>,
    events: Vec<Event>,
    /// For every number from `base` on, the states that a client may show there. The last one is
    /// the server's; the others are what it would be without silent changes.
    states: Vec<Vec<Rc<State>>>,
}

/// One event.
#[derive(Debug)]
pub(crate) struct Event {
    /// Its id.
    pub(crate) id: Rc<str>,
    /// Its document.
    pub(crate) document: Rc<str>,
    committed_ms: u64,
}

impl Campaign {
    /// A campaign whose log begins with its creation.
    pub(crate) fn create(id: String, now_ms: u64, change: &Change, state: State) -> Self {
        let log = Log {
            epoch: format!("{id}-epoch-1").into(),
            since_ms: now_ms,
            oldest: 1,
            base: 0,
            base_event: "".into(),
            events: Vec::new(),
            states: vec![vec![Rc::new(state)]],
        };
        let mut campaign = Self { id, logs: vec![log] };
        campaign.append(now_ms, change);
        campaign
    }

    /// The current log.
    pub(crate) fn log(&self) -> &Log {
        // There is a log from the beginning, and none is ever removed.
        &self.logs[self.logs.len() - 1]
    }

    /// All logs, oldest first.
    pub(crate) fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// The server's state.
    pub(crate) fn state(&self) -> &Rc<State> {
        self.log().state()
    }

    fn log_mut(&mut self) -> &mut Log {
        let last = self.logs.len() - 1;
        &mut self.logs[last]
    }

    /// Commits an event. The change must be one that the server's state allows.
    pub(crate) fn append(&mut self, now_ms: u64, change: &Change) {
        let id: Rc<str> = format!("e{}-{}", self.logs.len(), self.log().head() + 1).into();
        let campaign = self.id.clone();
        let log = self.log_mut();
        let states: Vec<_> =
            log.states[log.states.len() - 1].iter().map(|state| state.after(change)).collect();
        let Some(Some(after)) = states.last() else {
            unreachable!("the workload only makes changes that the server's state allows")
        };
        let previous: &str = log.event_id(log.head());
        let place = Place {
            campaign: &campaign,
            epoch: &log.epoch,
            number: log.head() + 1,
            event: &id,
            previous: Some(previous).filter(|previous| !previous.is_empty()),
        };
        let document = wire::event(now_ms, place, change, after).into();
        log.states.push(states.into_iter().flatten().map(Rc::new).collect());
        log.events.push(Event { id, document, committed_ms: now_ms });
    }

    /// Changes the server's rows without an event. The record stays: no digest covers it, so nothing
    /// could find out.
    pub(crate) fn mutate(&mut self, change: &Change) {
        let log = self.log_mut();
        let last = log.states.len() - 1;
        if let Some(mut changed) = log.state().after(change) {
            changed.record = log.state().record.clone();
            log.states[last].push(Rc::new(changed));
        }
    }

    /// Restores the log as it was at `number` under a new epoch. Its older events are not replayed
    /// any more: their bytes name the old epoch.
    pub(crate) fn restore(&mut self, now_ms: u64, number: u64) {
        let old = self.log();
        let state = old.states_at(number).and_then(|states| states.last().cloned());
        let Some(state) = state else { return };
        let log = Log {
            epoch: format!("{}-epoch-{}", self.id, self.logs.len() + 1).into(),
            since_ms: now_ms,
            oldest: number + 1,
            base: number,
            base_event: old.event_id(number).clone(),
            events: Vec::new(),
            states: vec![vec![state]],
        };
        self.logs.push(log);
    }

    /// Forgets the events before `oldest`; only replays notice.
    pub(crate) fn truncate(&mut self, oldest: u64) {
        let log = self.log_mut();
        log.oldest = log.oldest.max(oldest);
    }

    /// The log of that epoch, with its place in the succession.
    pub(crate) fn log_of(&self, epoch: &str) -> Option<(usize, &Log)> {
        self.logs.iter().enumerate().find(|(_, log)| &*log.epoch == epoch)
    }

    /// Whether a client at `number` of the log at `index` has everything that was committed at
    /// `then` or before.
    pub(crate) fn includes(&self, index: usize, number: u64, then_ms: u64) -> bool {
        let current = self.logs.iter().rposition(|log| log.since_ms <= then_ms).unwrap_or(0);
        match index.cmp(&current) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Equal => number >= self.logs[current].head_at(then_ms),
        }
    }
}

impl Log {
    /// The last number.
    pub(crate) const fn head(&self) -> u64 {
        self.base + self.events.len() as u64
    }

    /// The number that this log was restored at, or 0.
    pub(crate) const fn base(&self) -> u64 {
        self.base
    }

    /// The server's state.
    pub(crate) fn state(&self) -> &Rc<State> {
        let states = &self.states[self.states.len() - 1];
        &states[states.len() - 1]
    }

    /// The states that a client may show at `number`.
    pub(crate) fn states_at(&self, number: u64) -> Option<&[Rc<State>]> {
        let index = usize::try_from(number.checked_sub(self.base)?).ok()?;
        self.states.get(index).map(Vec::as_slice)
    }

    /// The event of that number, if it is of this log.
    pub(crate) fn event(&self, number: u64) -> Option<&Event> {
        let index = usize::try_from(number.checked_sub(self.base + 1)?).ok()?;
        self.events.get(index)
    }

    /// The id of the event of that number; empty before the first.
    pub(crate) fn event_id(&self, number: u64) -> &Rc<str> {
        self.event(number).map_or(&self.base_event, |event| &event.id)
    }

    fn head_at(&self, then_ms: u64) -> u64 {
        self.base + self.events.partition_point(|event| event.committed_ms <= then_ms) as u64
    }
}
