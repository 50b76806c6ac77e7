//! Several servers append to one campaign and read it concurrently: the result is one total order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use std::{panic, thread};

use campaign_sync_harness::log::nats::NatsLog;
use campaign_sync_harness::log::{Event, EventLog, LogError};

use super::history::{Entry, HistoryOperation, check};
use super::log::{created, id, row};
use super::nats::Nats;
use super::shared_log::{folded, reaches};
use super::support::parse;

fn ids(events: &[Event]) -> Vec<(u64, String)> {
    let id = |it: &Event| parse(&it.document)["sequence"]["eventId"].as_str().unwrap().to_owned();
    events.iter().map(|it| (it.number, id(it))).collect()
}

/// Appends and reads in turn while `goes_on` returns true. An append may fail if `may_fail`. The history
/// omits a failed append, because it may be in the log or not.
fn acts(
    log: &NatsLog,
    server: usize,
    started: Instant,
    may_fail: bool,
    goes_on: impl Fn(u64) -> bool,
) -> Vec<Entry> {
    let mut history = Vec::new();
    for turn in (0u64..).take_while(|turn| goes_on(*turn)) {
        let called = started.elapsed().as_nanos() as u64;
        let head = log.head(&id()).unwrap().unwrap().number;
        let what = if turn % 3 == 2 {
            let after = head.saturating_sub(5);
            HistoryOperation::Read {
                after,
                events: ids(&log.read(&id(), after, usize::MAX).unwrap()),
            }
        } else {
            let first = server as u64 * 100_000 + turn * 2;
            let drafts: Vec<_> = (first..=first + turn % 2).map(row).collect();
            match log.append(&id(), head, &drafts) {
                Ok(appended) => HistoryOperation::Appended(ids(&appended.events)),
                Err(LogError::Conflict { .. }) => continue,
                Err(LogError::Storage(_)) if may_fail => continue,
                Err(error) => panic!("{error}"),
            }
        };
        let returned = started.elapsed().as_nanos() as u64;
        history.push(Entry { server, called, returned, what });
    }
    history
}

fn servers(nats: &Nats) -> Vec<NatsLog> {
    let logs: Vec<NatsLog> =
        (0..3).map(|n| nats.log(&nats.file(&format!("{n}.db")), "first")).collect();
    logs[0].append(&id(), 0, &[created()]).unwrap();
    logs.iter().for_each(|log| reaches(log, &id(), 1));
    logs
}

/// Checks the log in a server that reads it for the first time. Returns the number of acknowledged events
/// and the length of the log.
fn is_one_order(nats: &Nats, history: &[Entry]) -> (usize, usize) {
    let fresh = nats.log(&nats.file("fresh.db"), "unused");
    let log = ids(&fresh.read(&id(), 0, usize::MAX).unwrap());
    check(history, &log).unwrap();
    assert_eq!(folded(&fresh).number, log.len() as u64);
    let acknowledged = history.iter().filter_map(|it| match &it.what {
        HistoryOperation::Appended(events) => Some(events.len()),
        HistoryOperation::Read { .. } => None,
    });
    (acknowledged.sum(), log.len())
}

#[test]
fn concurrent_appends_and_reads_form_one_total_order() {
    let nats = Nats::cluster();
    let (logs, started) = (servers(&nats), Instant::now());
    let history: Vec<Entry> = thread::scope(|scope| {
        let act = |(server, log)| {
            scope.spawn(move || acts(log, server, started, false, |turn| turn < 60))
        };
        let acting: Vec<_> = logs.iter().enumerate().map(act).collect();
        acting.into_iter().flat_map(|it| it.join().unwrap()).collect()
    });
    let (acknowledged, length) = is_one_order(&nats, &history);
    // No server died, so every event but the first was acknowledged.
    assert_eq!(acknowledged + 1, length);
}

#[tokio::test(flavor = "multi_thread")]
async fn total_order_holds_while_leaders_are_killed_and_restarted() {
    let started = tokio::task::spawn_blocking(|| {
        let nats = Nats::cluster();
        let logs = servers(&nats);
        (nats, logs)
    });
    let (mut nats, logs) = started.await.unwrap();
    let (logs, started, stop) = (Arc::new(logs), Instant::now(), Arc::new(AtomicBool::new(false)));
    let acting: Vec<_> = (0..logs.len())
        .map(|server| {
            let (logs, stop) = (logs.clone(), stop.clone());
            thread::spawn(move || {
                acts(&logs[server], server, started, true, |_| !stop.load(Ordering::Relaxed))
            })
        })
        .collect();
    for _ in 0..2 {
        let leader = nats.leader().await;
        let before = logs[0].head(&id()).unwrap().unwrap().number;
        reaches(&logs[0], &id(), before + 20);
        nats.kill(leader);
        let dead = logs[1].head(&id()).unwrap().unwrap().number;
        reaches(&logs[1], &id(), dead + 20);
        nats.run(leader);
    }
    stop.store(true, Ordering::Relaxed);
    let history: Vec<Entry> = acting
        .into_iter()
        .flat_map(|it| it.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked)))
        .collect();
    let (acknowledged, length) = is_one_order(&nats, &history);
    assert!((60..length).contains(&acknowledged), "{acknowledged} of {length}");
}
