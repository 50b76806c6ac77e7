//! The model server's logs, with the state at every number. They are the truth for the oracle.
//!
//! A campaign has one current log, and may have former ones. The logs of one *era* have one epoch;
//! several logs of one era break the contract. A *fork* is a log that was never current: a server that
//! contradicts itself sent it to some clients.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::state::{Change, State};
use super::wire::{self, EventPosition};

/// The reason why a change can always be made.
const ALLOWED: &str = "the workload only makes changes that the server's state allows";

/// One campaign: its log, and the logs that it replaced.
#[derive(Debug)]
pub(crate) struct Campaign {
    pub(crate) id: String,
    /// The prefix of its epochs.
    lineage: String,
    logs: Vec<Log>,
    current: usize,
}

/// One log, named by its epoch.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) epoch: Rc<str>,
    /// The number of epochs that the campaign had before this one.
    pub(crate) era: usize,
    /// The time at which it became the campaign's log.
    pub(crate) since_ms: u64,
    /// The first number that can still be replayed.
    pub(crate) oldest: u64,
    is_fork: bool,
    /// Numbers up to this one belong to the log from which this one was restored.
    base: u64,
    base_event: Rc<str>,
    events: Vec<Event>,
    /// For every number from `base` on: the states that a client may show there. The last one is the
    /// server's. The others are those of a server without silent changes.
    states: Vec<Vec<Rc<State>>>,
}

/// One event.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: Rc<str>,
    pub(crate) document: Rc<str>,
    /// Whether it announces a refused transition.
    refuses: bool,
    committed_ms: u64,
    change: Change,
}

/// The view that one connection has of a campaign: the whole log, or the part that a replica has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) log: &'a Log,
    /// The last number in the view.
    pub(crate) head: u64,
    /// The last number that is known to be committed.
    pub(crate) known: u64,
}

impl Campaign {
    /// A campaign with an empty log. Its first event is its creation, which leads to `state`.
    pub(crate) fn new(id: String, lineage: String, now_ms: u64, state: State) -> Self {
        let log = Log {
            epoch: format!("{lineage}-epoch-1").into(),
            era: 0,
            since_ms: now_ms,
            oldest: 1,
            is_fork: false,
            base: 0,
            base_event: "".into(),
            events: Vec::new(),
            states: vec![vec![Rc::new(state)]],
        };
        Self { id, lineage, logs: vec![log], current: 0 }
    }

    /// The current log.
    pub(crate) fn log(&self) -> &Log {
        &self.logs[self.current]
    }

    /// All logs, oldest first.
    pub(crate) fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// The server's state.
    pub(crate) fn state(&self) -> &Rc<State> {
        self.log().state()
    }

    /// The view of a connection that receives everything later by `lag_ms`. A new epoch is visible at
    /// once. A client that met it first and the former epoch afterwards would take the former one for
    /// the newer.
    pub(crate) fn view(&self, now_ms: u64, lag_ms: u64, lag_known: bool) -> View<'_> {
        let now = self.log();
        if lag_ms == 0 {
            return View { log: now, head: now.head(), known: now.head() };
        }
        let then_ms = now_ms.saturating_sub(lag_ms);
        let then = self.log_at(then_ms);
        let log = if then.era == now.era { then } else { now };
        let head = log.head_at(then_ms);
        // The known head is that of the current log, even if that is another log of the same epoch.
        View { log, head, known: if lag_known { now.head().max(head) } else { head } }
    }

    fn log_at(&self, then_ms: u64) -> &Log {
        let mut logs = self.logs.iter().rev().filter(|log| !log.is_fork);
        logs.find(|log| log.since_ms <= then_ms).unwrap_or(&self.logs[0])
    }

    /// Commits an event. The change must be one that the server's state allows.
    pub(crate) fn append(&mut self, now_ms: u64, change: &Change) {
        let id: Rc<str> = format!("e{}-{}", self.logs.len(), self.log().head() + 1).into();
        self.logs[self.current].append(&self.id, id, now_ms, change);
    }

    /// Adds an event that another server committed.
    pub(crate) fn mirror(&mut self, now_ms: u64, change: &Change, id: &str, document: &str) {
        self.logs[self.current].mirror(id.into(), document.into(), now_ms, change);
    }

    /// Changes the server's rows without an event. The record stays the same: no digest covers it, so a
    /// client could not detect the change.
    pub(crate) fn mutate(&mut self, change: &Change) {
        let Some(mut changed) = self.state().after(change) else { return };
        changed.record = self.state().record.clone();
        let (era, head) = (self.log().era, self.log().head());
        // A client that is shown this state may go on from the same event with the events of another log
        // of that epoch, and from there with those of a third log.
        let mut branches = vec![(head, self.log().event_id(head).clone(), Rc::new(changed))];
        let mut grown = BTreeSet::new();
        while let Some((number, event, state)) = branches.pop() {
            for index in 0..self.logs.len() {
                let log = &mut self.logs[index];
                let goes_on = log.era == era && log.has_event(number, &event);
                if !goes_on || !grown.insert(index) {
                    continue;
                }
                let states = log.branch(number, &state, index == self.current);
                let log = &self.logs[index];
                branches.extend(self.logs.iter().filter_map(|other| {
                    let state =
                        states.get(usize::try_from(other.base.checked_sub(number)?).ok()?)?;
                    let forks = log.has_event(other.base, &other.base_event);
                    forks.then(|| (other.base, other.base_event.clone(), state.clone()))
                }));
            }
        }
    }

    /// Restores the log as it was at `number`, under a new epoch or, against the contract, under the
    /// same one. Its older events can no longer be replayed.
    pub(crate) fn restore(&mut self, now_ms: u64, number: u64, new_epoch: bool) {
        let old = self.log();
        let Some(states) = old.states_at(number) else { return };
        // Clients go on from their state, unless they learn of another log.
        let states = states[if new_epoch { states.len() - 1 } else { 0 }..].to_vec();
        let era = old.era + usize::from(new_epoch);
        let log = Log {
            epoch: format!("{}-epoch-{}", self.lineage, era + 1).into(),
            era,
            since_ms: now_ms,
            oldest: number + 1,
            is_fork: false,
            base: number,
            base_event: old.event_id(number).clone(),
            events: Vec::new(),
            states: vec![states],
        };
        self.current = self.logs.len();
        self.logs.push(log);
    }

    /// Another event with that number, as intact as the committed one. It is one that some client
    /// received before, or a new one.
    pub(crate) fn contradict(
        &mut self,
        now_ms: u64,
        number: u64,
        change: impl FnOnce(&State) -> Change,
    ) -> Option<Rc<str>> {
        let log = self.log();
        let reported = |fork: &&Log| fork.is_fork && fork.era == log.era && fork.base + 1 == number;
        if let Some(fork) = self.logs.iter().rev().find(reported) {
            return fork.events.last().map(|event| event.document.clone());
        }
        // Every log begins with the same creation.
        log.event(number).filter(|_| number > 1)?;
        let states = log.states_at(number - 1)?.to_vec();
        let change = change(states.last()?);
        let mut fork = Log {
            epoch: log.epoch.clone(),
            era: log.era,
            since_ms: now_ms,
            oldest: number,
            is_fork: true,
            base: number - 1,
            base_event: log.event_id(number - 1).clone(),
            events: Vec::new(),
            states: vec![states],
        };
        let id: Rc<str> = format!("f{}-{number}", self.logs.len()).into();
        fork.append(&self.id, id, now_ms, &change);
        let document = fork.events.last().map(|event| event.document.clone());
        self.logs.push(fork);
        document
    }

    /// Whether the campaign ever had more than one log of one epoch.
    pub(crate) fn has_contradicted(&self) -> bool {
        self.logs.windows(2).any(|two| two[0].era == two[1].era)
    }

    /// The highest number that any log of the current epoch has.
    pub(crate) fn top(&self) -> u64 {
        let era = self.log().era;
        self.logs_of(era).map(Log::head).max().unwrap_or_default()
    }

    /// Removes the events before `oldest` from history. Only replays notice it.
    pub(crate) fn truncate(&mut self, oldest: u64) {
        let log = &mut self.logs[self.current];
        log.oldest = log.oldest.max(oldest);
    }

    /// The logs that contain this position.
    pub(crate) fn logs_with<'a>(
        &'a self,
        epoch: &'a str,
        number: u64,
        event: &'a str,
    ) -> impl Iterator<Item = &'a Log> {
        let has = move |log: &&Log| *log.epoch == *epoch && log.has_event(number, event);
        self.logs.iter().filter(has)
    }

    /// The logs of an era.
    pub(crate) fn logs_of(&self, era: usize) -> impl Iterator<Item = &Log> {
        self.logs.iter().filter(move |log| log.era == era)
    }

    /// Whether a client at `number` of that era has everything that was committed at `then_ms` or
    /// before. If a server has two logs of one epoch, only the numbers can be compared.
    pub(crate) fn includes(&self, era: usize, number: u64, then_ms: u64) -> bool {
        let then = self.log_at(then_ms);
        if era != then.era {
            return era > then.era;
        }
        let later = |log: &Log| log.since_ms > then_ms && log.era == era && number >= log.base;
        number >= then.head_at(then_ms) || self.logs.iter().any(later)
    }
}

impl Log {
    fn append(&mut self, campaign: &str, id: Rc<str>, now_ms: u64, change: &Change) {
        let Some(after) = self.state().after(change) else { unreachable!("{ALLOWED}") };
        let previous: &str = self.event_id(self.head());
        let place = EventPosition {
            campaign,
            epoch: &self.epoch,
            number: self.head() + 1,
            event: &id,
            previous: Some(previous).filter(|previous| !previous.is_empty()),
        };
        let document = wire::event(now_ms, place, change, &after).into();
        self.mirror(id, document, now_ms, change);
    }

    fn mirror(&mut self, id: Rc<str>, document: Rc<str>, now_ms: u64, change: &Change) {
        let states = &self.states[self.states.len() - 1];
        let states: Vec<_> = states.iter().map(|state| state.after(change)).collect();
        let Some(Some(_)) = states.last() else { unreachable!("{ALLOWED}") };
        self.states.push(states.into_iter().flatten().map(Rc::new).collect());
        let refuses = matches!(change, Change::Transition(transition) if transition.is_refused());
        let change = change.clone();
        self.events.push(Event { id, document, refuses, committed_ms: now_ms, change });
    }

    /// Adds another state that a client may show at `number`, and the states that the later events make
    /// of it. Returns all these states.
    fn branch(&mut self, number: u64, state: &Rc<State>, is_the_servers: bool) -> Vec<Rc<State>> {
        let index = (number - self.base) as usize;
        let mut branch = vec![state.clone()];
        for event in &self.events[index..] {
            let Some(after) = branch.last().and_then(|state| state.after(&event.change)) else {
                break;
            };
            branch.push(Rc::new(after));
        }
        for (states, state) in self.states[index..].iter_mut().zip(&branch) {
            states.insert(if is_the_servers { states.len() } else { 0 }, state.clone());
        }
        branch
    }

    /// Whether `event` is its event with that number.
    fn has_event(&self, number: u64, event: &str) -> bool {
        (self.base..=self.head()).contains(&number) && **self.event_id(number) == *event
    }

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

    /// The event with that number, if it belongs to this log.
    pub(crate) fn event(&self, number: u64) -> Option<&Event> {
        let index = usize::try_from(number.checked_sub(self.base + 1)?).ok()?;
        self.events.get(index)
    }

    /// The id of the event with that number; empty before the first.
    pub(crate) fn event_id(&self, number: u64) -> &Rc<str> {
        self.event(number).map_or(&self.base_event, |event| &event.id)
    }

    /// Whether the event with that number announces a refused transition.
    pub(crate) fn refuses_at(&self, number: u64) -> bool {
        self.event(number).is_some_and(|event| event.refuses)
    }

    fn head_at(&self, then_ms: u64) -> u64 {
        self.base + self.events.partition_point(|event| event.committed_ms <= then_ms) as u64
    }
}

impl View<'_> {
    /// The server's state at the last number in the view.
    pub(crate) fn state(&self) -> &Rc<State> {
        let states = self.log.states_at(self.head).unwrap_or_default();
        states.last().unwrap_or_else(|| self.log.state())
    }

    /// The first number that can still be replayed.
    pub(crate) fn oldest(&self) -> u64 {
        self.log.oldest.min(self.head + 1)
    }
}
