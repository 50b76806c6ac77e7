//! Several servers over one stream: races and kills.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use campaign_sync::protocol::campaign::PhaseCounters;
use campaign_sync::protocol::{CampaignId, Code, Phase, Status};
use campaign_sync_harness::campaign::{Operation, RequestContext, drafts};
use campaign_sync_harness::hub::Hub;
use campaign_sync_harness::log::compose::TRANSITION;
use campaign_sync_harness::log::nats::NatsLog;
use campaign_sync_harness::log::{Event, EventLog, LogError, Settings};
use campaign_sync_harness::server::run;
use serde_json::json;

use super::log::{NOW, created, id, row};
use super::nats::{Nats, WAIT_TIMEOUT};
use super::support::{Copy, options, parse};

/// Folds a whole log, and checks every hash, number and link.
pub(crate) fn folded(log: &NatsLog) -> Copy {
    let mut copy = Copy { epoch: log.epoch(), ..Copy::default() };
    for event in log.read(&id(), 0, usize::MAX).unwrap() {
        copy.hear(&event.document);
    }
    copy
}

/// Waits until this server's copy of the campaign has that number.
pub(crate) fn reaches(log: &NatsLog, campaign: &CampaignId, number: u64) {
    let until = Instant::now() + WAIT_TIMEOUT;
    while log.head(campaign).unwrap().is_none_or(|head| head.number < number) {
        assert!(Instant::now() < until, "{number} is never heard of");
        thread::sleep(Duration::from_millis(5));
    }
}

// R5.3
#[test]
fn epoch_belongs_to_the_stream_and_a_recreated_one_differs() {
    let nats = Nats::start();
    let (one, two) =
        (nats.log(&nats.file("1.db"), "first"), nats.log(&nats.file("2.db"), "second"));
    assert_eq!((one.epoch(), two.epoch()), ("first".into(), "first".into()));
    one.append(&id(), 0, &[created(), row(0)]).unwrap();
    drop((one, two));
    let other = Nats::start();
    // The copy of the former stream is not valid for this one.
    let recreated = other.log(&nats.file("1.db"), "third");
    assert_eq!(recreated.epoch(), "third");
    assert_eq!(recreated.head(&id()).unwrap(), None);
}

#[test]
fn copy_resumes_where_it_stopped_and_a_lost_one_is_rebuilt() {
    let nats = Nats::start();
    let log = nats.log(&nats.file("1.db"), "first");
    log.append(&id(), 0, &[created(), row(0), row(1), row(2)]).unwrap();
    log.truncate(&id(), 2).unwrap();
    log.append(&id(), 4, &[row(3)]).unwrap();
    let all = |log: &NatsLog| {
        let view = log.view(&id(), &Default::default()).unwrap();
        (view, log.read(&id(), 0, usize::MAX).unwrap(), log.recount(&id()).unwrap())
    };
    let expected = all(&log);
    assert_eq!(expected.1.iter().map(|it| it.number).collect::<Vec<_>>(), [3, 4, 5]);
    drop(log);
    assert_eq!(all(&nats.log(&nats.file("1.db"), "unused")), expected);
    assert_eq!(all(&nats.log(&nats.file("2.db"), "unused")), expected);
}

// R5.3
#[test]
fn restored_stream_gets_a_new_epoch_and_replays_no_old_events() {
    let nats = Nats::start();
    let log = nats.log(&nats.file("1.db"), "first");
    log.append(&id(), 0, &[created(), row(0)]).unwrap();
    drop(log);
    let renewed =
        NatsLog::open(&nats.addresses(), &nats.file("1.db"), "second", true, None).unwrap();
    renewed.append(&id(), 2, &[row(1)]).unwrap();
    for log in [&renewed, &nats.log(&nats.file("2.db"), "unused")] {
        assert_eq!(log.epoch(), "second");
        assert_eq!(log.head(&id()).unwrap().unwrap().oldest, 3);
        let events = log.read(&id(), 0, usize::MAX).unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(parse(&events[0].document)["sequence"]["epoch"], "second");
        assert_eq!(log.recount(&id()).unwrap().unwrap().count, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn message_out_of_sequence_is_ignored() {
    let nats = tokio::task::spawn_blocking(Nats::start).await.unwrap();
    let log = nats.log(&nats.file("1.db"), "first");
    log.append(&id(), 0, &[created(), row(0)]).unwrap();
    let client = async_nats::connect(nats.addresses()).await.unwrap();
    let context = async_nats::jetstream::new(client);
    let stream = context.get_stream("campaign-sync").await.unwrap();
    let genuine = stream.get_raw_message(1).await.unwrap();
    // Messages that passed the publish condition: a repeated number, foreign messages, and half a
    // publication.
    let inserted_rows = [
        ("other.0 0 1", genuine.payload.clone()),
        ("stray.0 0 1", "nothing that a server wrote".into()),
        ("half", genuine.payload.clone()),
        ("dead.0 0 2", genuine.payload.clone()),
    ];
    for (part, payload) in inserted_rows {
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Campaign-Part", part);
        let sent = context.publish_with_headers(genuine.subject.clone(), headers, payload);
        sent.await.unwrap().await.unwrap();
    }
    log.append(&id(), 2, &[row(1)]).unwrap();
    let copy = folded(&log);
    assert_eq!(copy.number, 3);
    assert_eq!(folded(&nats.log(&nats.file("2.db"), "unused")), copy);
    drop(log);
    assert_eq!(folded(&nats.log(&nats.file("1.db"), "unused")), copy);
}

#[test]
fn independent_log_is_never_used_as_a_copy() {
    use campaign_sync_harness::log::sqlite::SqliteLog;
    let nats = Nats::start();
    let file = nats.file("campaigns.db");
    SqliteLog::open(&file, "mine", false).unwrap().append(&id(), 0, &[created()]).unwrap();
    let refused = NatsLog::open(&nats.addresses(), &file, "first", false, None);
    assert!(matches!(refused, Err(LogError::Storage(_))));
    assert_eq!(SqliteLog::open(&file, "x", false).unwrap().head(&id()).unwrap().unwrap().number, 1);
}

#[test]
fn append_larger_than_a_message_is_all_or_nothing() {
    let nats = Nats::start();
    let (one, two) = (nats.log(&nats.file("1.db"), "first"), nats.log(&nats.file("2.db"), "x"));
    one.append(&id(), 0, &[created()]).unwrap();
    let name = "a".repeat(1_000);
    let large = |from: u64| {
        let row = |n| json!({"domainId": format!("d{n}"), "domain": format!("{n}.{name}")});
        let event =
            |n| super::log::rows(json!((n * 500..(n + 1) * 500).map(row).collect::<Vec<_>>()));
        (from..from + 5).map(event).collect::<Vec<_>>()
    };
    let appended = one.append(&id(), 1, &large(0)).unwrap();
    let bytes: usize = appended.events.iter().map(|event| event.document.len()).sum();
    assert!(bytes > 2 * 1024 * 1024, "more than a message takes");
    reaches(&two, &id(), 6);
    // Two appends at once: their parts interleave in the stream, and at most one append takes effect.
    let barrier = Barrier::new(2);
    let both = |log: &NatsLog, from| {
        barrier.wait();
        log.append(&id(), 6, &large(from))
    };
    let results = thread::scope(|scope| {
        let racing =
            [(&one, 5), (&two, 10)].map(|(log, from)| scope.spawn(move || both(log, from)));
        racing.map(|it| it.join().unwrap())
    });
    assert!(results.iter().filter(|it| it.is_ok()).count() <= 1);
    for refused in results.iter().filter_map(|it| it.as_ref().err()) {
        assert!(matches!(refused, LogError::Conflict { .. }), "{refused:?}");
    }
    let winners = results.iter().filter(|it| it.is_ok()).count() as u64;
    reaches(&one, &id(), 6 + 5 * winners);
    reaches(&two, &id(), 6 + 5 * winners);
    assert_eq!(folded(&one), folded(&two));
    assert_eq!(folded(&one).number, 6 + 5 * winners);
}

#[test]
fn append_of_another_server_wakes_local_subscribers() {
    let nats = Nats::start();
    let open = |name: &str| {
        let hub = Arc::new(Hub::new(Arc::new(nats.log(&nats.file(name), "first"))));
        hub.attach();
        hub
    };
    let (one, two) = (open("1.db"), open("2.db"));
    one.append(&id(), 0, &[created()]).unwrap();
    let wake = Arc::new(tokio::sync::Notify::new());
    two.follow(&id(), &wake).unwrap();
    assert_eq!(two.known_head(&id()).unwrap().number, 1);
    one.append(&id(), 1, &[row(0)]).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let woken = async { tokio::time::timeout(WAIT_TIMEOUT, wake.notified()).await };
    runtime.block_on(woken).unwrap();
    assert_eq!(two.known_head(&id()).unwrap().number, 2);
    assert_eq!(one.known_head(&id()), None, "nobody follows it here");
}

/// Appends one row after the other, despite errors, until `stop` is set. Returns the acknowledged events.
fn write(log: &NatsLog, stop: &AtomicBool) -> BTreeMap<u64, Event> {
    let mut acknowledged = BTreeMap::new();
    for n in 0u64.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let head = log.head(&id()).unwrap().unwrap().number;
        // A failed append is not retried: its row may be in the log or not, but not twice.
        if let Ok(appended) = log.append(&id(), head, &[row(n)]) {
            acknowledged.insert(n, appended.events[0].clone());
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
async fn leader_killed_during_writes_loses_no_acknowledged_event() {
    let mut nats = tokio::task::spawn_blocking(Nats::cluster).await.unwrap();
    let log = Arc::new(nats.log(&nats.file("1.db"), "first"));
    log.append(&id(), 0, &[created()]).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let writing = {
        let (log, stop) = (log.clone(), stop.clone());
        tokio::task::spawn_blocking(move || write(&log, &stop))
    };
    for _ in 0..2 {
        let leader = nats.leader().await;
        let before = log.head(&id()).unwrap().unwrap().number;
        reaches(&log, &id(), before + 20);
        nats.kill(leader);
        let dead = log.head(&id()).unwrap().unwrap().number;
        reaches(&log, &id(), dead + 20);
        nats.run(leader);
    }
    stop.store(true, Ordering::Relaxed);
    let acknowledged = writing.await.unwrap();
    let fresh = nats.log(&nats.file("2.db"), "unused");
    let copy = folded(&fresh);
    assert_eq!(copy.number, log.head(&id()).unwrap().unwrap().number);
    let events = fresh.read(&id(), 0, usize::MAX).unwrap();
    for (n, event) in &acknowledged {
        assert_eq!(events[event.number as usize - 1], *event);
        let domain = format!("\"d{n}\"");
        let count = events.iter().filter(|it| it.document.contains(&domain)).count();
        assert_eq!(count, 1, "{domain}");
    }
    // The test waits for twenty events before and after each of two kills, and nobody else writes.
    assert!((80..copy.number).contains(&(acknowledged.len() as u64)));
    assert!(fresh.recount(&id()).unwrap().unwrap().agrees());
}

/// A campaign whose first phase is completed, with one row.
pub(crate) fn completed(log: &NatsLog, campaign: &CampaignId) {
    let settings = Settings { count: 1, ..Settings::default() };
    let record = campaign_sync::protocol::campaign::CampaignRecord {
        name: "one".into(),
        phase: Phase::DomainGeneration,
        status: Status::InProgress,
        ..Default::default()
    };
    let counters = PhaseCounters {
        total_items: 1,
        processed_items: 1,
        successful_items: 1,
        ..PhaseCounters::default()
    };
    let rows = json!({"campaignId": campaign.as_str(),
        "domains": [{"domainId": "d0", "domain": "a.example", "offset": 0}]});
    let events = [
        drafts::record(NOW, campaign, "create", &record, &settings),
        drafts::draft(NOW, "domains.updated", &rows),
        drafts::progress(NOW, campaign, Phase::DomainGeneration, &counters),
        drafts::status(NOW, campaign, Phase::DomainGeneration, Status::Completed),
    ];
    log.append(campaign, 0, &events).unwrap();
}

#[test]
fn exactly_one_of_several_racing_servers_wins_a_transition() {
    let nats = Nats::cluster();
    let logs: Vec<Arc<NatsLog>> =
        (0..3).map(|n| Arc::new(nats.log(&nats.file(&format!("{n}.db")), "first"))).collect();
    let hubs: Vec<Arc<Hub>> = logs.iter().map(|log| Arc::new(Hub::new(log.clone()))).collect();
    hubs.iter().for_each(Hub::attach);
    for round in 0..20 {
        let campaign = CampaignId::new(&format!("race-{round}")).unwrap();
        completed(&logs[0], &campaign);
        logs.iter().for_each(|log| reaches(log, &campaign, 4));
        let barrier = Barrier::new(hubs.len());
        let race = |hub: &Hub| {
            barrier.wait();
            let order = &RequestContext::default();
            Operation { hub, now: NOW, campaign: &campaign, order }
                .transition(Phase::DnsValidation, Status::InProgress)
        };
        let results: Vec<_> = thread::scope(|scope| {
            let racing: Vec<_> = hubs.iter().map(|hub| scope.spawn(|| race(hub))).collect();
            racing.into_iter().map(|it| it.join().unwrap()).collect()
        });
        let winners: Vec<_> = results.iter().filter_map(|it| it.as_ref().ok()).collect();
        assert_eq!(winners.len(), 1, "{results:?}");
        for refusal in results.iter().filter_map(|it| it.as_ref().err()) {
            assert_eq!(refusal.code, Code::IllegalTransition);
        }
        logs.iter().for_each(|log| reaches(log, &campaign, winners[0].number));
        for log in &logs {
            let events = log.read(&campaign, 0, usize::MAX).unwrap();
            let is_transition = |it: &&Event| parse(&it.document)["type"] == TRANSITION;
            assert_eq!(events.iter().filter(is_transition).count(), 1);
            // Every server has one accepted audit entry for the transition, and records the losing requests
            // as refused.
            let audit_trail = log.transactions(&campaign).unwrap();
            assert_eq!(audit_trail.iter().filter(|it| it.result == "accepted").count(), 1);
        }
    }
}

#[test]
fn stream_shorter_than_its_copy_needs_a_new_epoch() {
    let mut nats = Nats::start();
    let log = nats.log(&nats.file("1.db"), "first");
    log.append(&id(), 0, &[created(), row(0)]).unwrap();
    nats.kill(0);
    let copied = |nats: &Nats, from: &str, to: &str| {
        let mut copy = std::process::Command::new("cp");
        assert!(copy.arg("-r").args([nats.file(from), nats.file(to)]).status().unwrap().success());
    };
    copied(&nats, "n0", "backup");
    nats.run(0);
    log.append(&id(), 2, &[row(1)]).unwrap();
    drop(log);
    nats.kill(0);
    std::fs::remove_dir_all(nats.file("n0")).unwrap();
    copied(&nats, "backup", "n0");
    nats.run(0);
    let open = |renew| NatsLog::open(&nats.addresses(), &nats.file("1.db"), "second", renew, None);
    let refused = open(false).unwrap_err().to_string();
    assert!(refused.contains("start one server alone with --new-epoch"), "{refused}");
    let log = open(true).unwrap();
    assert_eq!((log.epoch(), log.head(&id()).unwrap().unwrap().number), ("second".to_owned(), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_cluster_is_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    // No process listens on the port of a closed listener.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut options = options(folder.path().join("log.db"));
    options.log = Some(format!("nats://127.0.0.1:{port}").parse().unwrap());
    let served = run(options, |_| (), std::future::pending()).await;
    let text = served.unwrap_err().to_string();
    assert!(text.contains("onnection refused"), "{text}");
}
