//! A checker of histories: do all appends and reads of one campaign form one total order?
//!
//! An append takes effect once, at a moment between its call and its return. The reads of one server see a
//! prefix of the order. The prefix never gets shorter, and holds every event that the server has
//! acknowledged.

use std::collections::{BTreeMap, BTreeSet};

/// One operation of a server, with the times of call and return on one clock.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) server: usize,
    pub(crate) called: u64,
    pub(crate) returned: u64,
    pub(crate) what: HistoryOperation,
}

#[derive(Clone, Debug)]
pub(crate) enum HistoryOperation {
    /// An acknowledged append: the numbers and ids of its events.
    Appended(Vec<(u64, String)>),
    /// A read: all events of the campaign after a number at that moment.
    Read { after: u64, events: Vec<(u64, String)> },
}

/// Checks a history against the log as it is at the end.
pub(crate) fn check(history: &[Entry], log: &[(u64, String)]) -> Result<(), String> {
    for (index, (number, _)) in log.iter().enumerate() {
        if *number != index as u64 + 1 {
            return Err(format!("the log has {number} in place {}", index + 1));
        }
    }
    let ids: BTreeMap<u64, &str> = log.iter().map(|(number, id)| (*number, &**id)).collect();
    for entry in history {
        let (HistoryOperation::Appended(events) | HistoryOperation::Read { events, .. }) =
            &entry.what;
        for (number, id) in events {
            if ids.get(number) != Some(&&**id) {
                return Err(format!("{number} was {id}, and is {:?}", ids.get(number)));
            }
        }
        if events.windows(2).any(|pair| pair[1].0 != pair[0].0 + 1) {
            return Err(format!("a hole within {events:?}"));
        }
    }
    appended_once(history)?;
    in_real_time(history)?;
    reads_never_go_back(history)
}

fn appended_once(history: &[Entry]) -> Result<(), String> {
    let mut taken = BTreeSet::new();
    for (number, _) in history.iter().filter_map(appended).flatten() {
        if !taken.insert(*number) {
            return Err(format!("{number} was given twice"));
        }
    }
    Ok(())
}

/// Checks that an append that was called after another one returned comes after it in the order.
fn in_real_time(history: &[Entry]) -> Result<(), String> {
    let appends = || history.iter().filter_map(|it| Some((it, appended(it)?)));
    for (earlier, before) in appends() {
        for (later, after) in appends().filter(|(it, _)| it.called > earlier.returned) {
            if before.last().map(|it| it.0) >= after.first().map(|it| it.0) {
                let (earlier, later) = (earlier.server, later.server);
                return Err(format!("{later} came before {earlier}, which had returned"));
            }
        }
    }
    Ok(())
}

fn reads_never_go_back(history: &[Entry]) -> Result<(), String> {
    let end = |entry: &Entry| match &entry.what {
        HistoryOperation::Appended(events) => events.last().map_or(0, |it| it.0),
        HistoryOperation::Read { after, events } => events.last().map_or(*after, |it| it.0),
    };
    for read in history.iter().filter(|it| matches!(it.what, HistoryOperation::Read { .. })) {
        let before = |it: &&Entry| it.server == read.server && it.returned < read.called;
        let known = history.iter().filter(before).map(end).max().unwrap_or_default();
        if end(read) < known {
            return Err(format!("server {} read {} after {known}", read.server, end(read)));
        }
    }
    Ok(())
}

fn appended(entry: &Entry) -> Option<&Vec<(u64, String)>> {
    match &entry.what {
        HistoryOperation::Appended(events) => Some(events),
        HistoryOperation::Read { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(numbers: std::ops::RangeInclusive<u64>) -> Vec<(u64, String)> {
        numbers.map(|number| (number, format!("e{number}"))).collect()
    }

    fn append(server: usize, called: u64, events: Vec<(u64, String)>) -> Entry {
        Entry { server, called, returned: called + 5, what: HistoryOperation::Appended(events) }
    }

    fn read(server: usize, called: u64, after: u64, events: Vec<(u64, String)>) -> Entry {
        Entry {
            server,
            called,
            returned: called + 5,
            what: HistoryOperation::Read { after, events },
        }
    }

    #[test]
    fn a_history_in_one_order_is_accepted() {
        let history = [
            append(0, 0, events(1..=2)),
            append(1, 3, events(3..=3)),
            // Another server may not have received it yet.
            read(2, 20, 0, events(1..=1)),
            read(0, 21, 1, events(2..=3)),
            read(2, 30, 1, events(2..=3)),
        ];
        assert_eq!(check(&history, &events(1..=3)), Ok(()));
    }

    #[test]
    fn bad_histories_are_rejected() {
        let log = events(1..=3);
        let lost = [append(0, 0, events(3..=4))];
        let twice = [append(0, 0, events(1..=2)), append(1, 1, events(2..=3))];
        let changed = [read(0, 0, 0, vec![(1, "other".into())])];
        let hole = [read(0, 0, 0, [events(1..=1), events(3..=3)].concat())];
        let back = [read(0, 0, 0, events(1..=3)), read(0, 10, 0, events(1..=2))];
        let own = [append(0, 0, events(1..=2)), read(0, 10, 0, events(1..=1))];
        let late = [append(0, 0, events(2..=2)), append(1, 10, events(1..=1))];
        let bad: [&[Entry]; 7] = [&lost, &twice, &changed, &hole, &back, &own, &late];
        for history in bad {
            assert!(check(history, &log).is_err(), "{history:?}");
        }
        let with_hole = [events(1..=1), events(3..=3)].concat();
        assert!(check(&[], &with_hole).is_err());
    }
}
