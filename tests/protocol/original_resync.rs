//! Facing an original server, a snapshot is fetched whenever something may have been missed; what
//! arrives meanwhile is kept, because the snapshot may be older.

use std::collections::VecDeque;

use campaign_sync::protocol::{CampaignId, EventHash, Phase};
use campaign_sync::sync::connection::{Connection, Dialect};
use campaign_sync::sync::input::Wake;
use campaign_sync::sync::{Config, Input, StaleReason, Status, Verdict};

use crate::original_machine::{
    SECOND, Session, answer_fetch, generated, last_ticket, progress, resolved, snapshot, transition,
};

/// A snapshot taken before the result of `a`.
fn before_the_result() -> String {
    r#"{"campaign":{"id":"ID","name":"x","currentPhase":"dns_validation",
        "phaseStatus":"in_progress"},"domains":[{"id":"a","domainName":"a.example",
        "offsetIndex":0,"dnsStatus":"pending"}]}"#
        .replace("ID", SECOND)
}

/// One taken after it.
fn after_the_result() -> String {
    before_the_result().replace("pending", "resolved")
}

/// Fetching its first snapshot; the result of `a` has been received, as the first of what is kept.
fn fetching(config: Config) -> Session {
    let mut session = Session::with(SECOND, config);
    session.open();
    session.receive(&resolved("a"));
    session
}

#[test]
fn events_that_arrive_while_a_snapshot_is_fetched_are_applied_again_after_it() {
    let mut session = Session::new(SECOND);
    session.open();
    session.receive(&generated("a"));
    session.receive(&resolved("a"));
    assert_eq!(session.resolved(SECOND), 1);
    answer_fetch(&mut session, &before_the_result());
    assert_eq!(session.resolved(SECOND), 1, "the newer result stands");
}

#[test]
fn documents_older_than_the_snapshot_do_not_make_it_fetch_for_ever() {
    let mut session = Session::new(SECOND);
    session.open();
    session.receive(&progress("domain_generation", "2026-11-21T18:55:51.1Z"));
    session.receive(&transition("dns_validation", 7, "2026-11-21T18:55:51.2Z"));
    session.receive(&progress("http_keyword_validation", "2026-11-21T18:55:51.3Z"));
    // The campaign has moved on since: what was kept speaks of phases that are over.
    let newest = snapshot("analysis", &["a"]);
    let mut answered = 0;
    while status(&session) == Status::Recovering {
        if answered == session.fetches() {
            wait(&mut session);
            continue;
        }
        answered += 1;
        assert!(answered < 10, "the same documents ask for another snapshot again and again");
        answer_fetch(&mut session, &newest);
    }
    let store = &session.machine.subscription(SECOND).expect("held").store;
    assert_eq!(store.record().expect("a record").phase, Phase::Analysis);
    let status = session.machine.status(SECOND, session.now());
    assert_eq!(status, Some(Status::Stale(StaleReason::Unproven)), "and not recovering");
}

#[test]
fn a_failed_fetch_is_tried_again_later() {
    let mut session = Session::new(SECOND);
    session.open();
    session.receive(&generated("a"));
    let ticket = last_ticket(&session);
    session.input(Input::Snapshot(ticket, None));
    assert_eq!((session.fetches(), status(&session)), (1, Status::Recovering));
    // It has a time of its own, within the first backoff and long before the next heartbeat.
    let before_ms = session.now_ms;
    wait(&mut session);
    assert!(session.now_ms - before_ms <= Config::default().backoff_base_ms);
    assert_eq!(session.fetches(), 2);
    answer_fetch(&mut session, &snapshot("dns_validation", &["a"]));
    assert_eq!(status(&session), Status::Stale(StaleReason::Unproven), "nothing is missing now");
}

fn status(session: &Session) -> Status {
    session.machine.status(SECOND, session.now()).expect("held")
}

/// Lets the one fetch that is waited for become due.
fn wait(session: &mut Session) {
    let due = session.machine.poll_timeout().expect("it is tried again").0 - 1_000;
    session.now_ms = session.now_ms.max(due);
    session.input(Input::Woke(Wake::Timer));
}

#[test]
fn what_is_kept_during_a_fetch_is_bounded_and_beyond_it_another_snapshot_is_fetched() {
    let (first, second) = (resolved("a"), generated("b"));
    let size = first.len() + second.len();
    for (config, kept) in [
        (Config { held_events_max: 2, ..Config::default() }, true),
        (Config { held_events_max: 1, ..Config::default() }, false),
        (Config { held_bytes_max: size, ..Config::default() }, true),
        (Config { held_bytes_max: size - 1, ..Config::default() }, false),
    ] {
        let mut session = fetching(config);
        session.receive(&second);
        assert_eq!(session.machine.metrics().held_overflows, u64::from(!kept));
        answer_fetch(&mut session, &before_the_result());
        assert_eq!(session.resolved(SECOND), u32::from(kept));
        assert_eq!(status(&session) == Status::Recovering, !kept);
        if !kept {
            wait(&mut session);
            answer_fetch(&mut session, &after_the_result());
        }
        assert_eq!(session.resolved(SECOND), 1, "what was dropped has been fetched");
        assert_eq!(session.fetches(), 2 - usize::from(kept));
        assert_eq!(status(&session), Status::Stale(StaleReason::Unproven));
    }
}

#[test]
fn after_an_overflow_as_much_is_kept_as_before() {
    let size = generated("d").len() + resolved("a").len();
    for config in [
        Config { held_events_max: 2, ..Config::default() },
        Config { held_bytes_max: size, ..Config::default() },
    ] {
        let mut session = fetching(config);
        for document in [generated("b"), generated("c"), generated("d"), resolved("a")] {
            session.receive(&document);
        }
        assert_eq!(session.machine.metrics().held_overflows, 1);
        answer_fetch(&mut session, &before_the_result());
        assert_eq!(session.resolved(SECOND), 1, "the last two were kept");
        // And nothing of them counts when the next one is fetched.
        wait(&mut session);
        for document in [generated("d"), resolved("a")] {
            session.receive(&document);
        }
        assert_eq!(session.machine.metrics().held_overflows, 1);
    }
}

#[test]
fn a_stream_that_is_faster_than_every_fetch_is_not_answered_by_fetching_all_the_time() {
    let mut session = fetching(Config { held_events_max: 2, ..Config::default() });
    let end_ms = session.now_ms + 600_000;
    let mut answered = 0;
    while session.now_ms < end_ms {
        if session.fetches() > answered {
            answered = session.fetches();
            (0..4).for_each(|_| drop(session.receive(&resolved("a"))));
            answer_fetch(&mut session, &before_the_result());
        }
        session.receive(r#"{"id":"","timestamp":"","type":"pong","sequenceNumber":9}"#);
        wait(&mut session);
    }
    assert!((20..80).contains(&answered), "{answered} fetches in ten minutes");
}

#[test]
fn what_is_kept_asks_for_nothing_before_the_pause_is_over() {
    let mut session = fetching(Config { held_events_max: 2, ..Config::default() });
    session.receive(&generated("b"));
    session.receive(&transition("http_keyword_validation", 2, "2026-11-21T18:55:51.5Z"));
    session.receive(&progress("http_keyword_validation", "2026-11-21T18:55:51.6Z"));
    assert_eq!(session.machine.metrics().held_overflows, 1);
    answer_fetch(&mut session, &before_the_result());
    assert_eq!((session.fetches(), status(&session)), (1, Status::Recovering));
    session.receive(&progress("analysis", "2026-11-21T18:55:51.7Z"));
    assert_eq!(session.fetches(), 1, "another one is due anyway");
    wait(&mut session);
    assert_eq!(session.fetches(), 2);
}

#[test]
fn what_arrives_during_a_refresh_is_kept_as_well() {
    let overflow = |session: &mut Session| {
        (0..3).for_each(|_| drop(session.receive(&resolved("a"))));
        answer_fetch(session, &before_the_result());
        assert_eq!(status(session), Status::Recovering, "another fetch is due");
    };
    let settle = |session: &mut Session| {
        answer_fetch(session, &before_the_result());
        assert_eq!(status(session), Status::Stale(StaleReason::Unproven));
    };
    for before in [&overflow as &dyn Fn(&mut Session), &settle] {
        let mut session = fetching(Config { held_events_max: 2, ..Config::default() });
        before(&mut session);
        session.now_ms += 1;
        session.input(Input::Refresh(CampaignId::new(SECOND).expect("a campaign id")));
        assert_eq!(session.fetches(), 2);
        session.receive(&resolved("a"));
        answer_fetch(&mut session, &before_the_result());
        assert_eq!(session.resolved(SECOND), 1);
        assert_eq!(status(&session), Status::Stale(StaleReason::Unproven));
    }
}

#[test]
fn a_fetch_that_began_before_the_connection_is_followed_by_another() {
    let mut session = Session::new(SECOND);
    session.input(Input::Refresh(CampaignId::new(SECOND).expect("a campaign id")));
    assert_eq!(session.fetches(), 1);
    session.open();
    session.receive(&resolved("a"));
    assert_eq!(session.fetches(), 1, "one at a time");
    answer_fetch(&mut session, &before_the_result());
    assert_eq!(session.fetches(), 2);
    answer_fetch(&mut session, &after_the_result());
    assert_eq!(session.resolved(SECOND), 1);
    assert_eq!(status(&session), Status::Stale(StaleReason::Unproven));
}

/// The answer of a server that is one of v1 already, though the socket still leads to another.
fn with_position(count: usize) -> String {
    format!(
        r#"{{"campaignId":"{SECOND}","epoch":"epoch-a","sequenceNumber":3,"eventId":"e-3","campaign":{{"campaignId":"{SECOND}","name":"x","currentPhase":"dns_validation","phaseStatus":"in_progress","totalItems":0,"processedItems":0,"successfulItems":0,"failedItems":0,"progressPercentage":0,"totalDomainCount":0,"createdAt":"2026-11-21T18:55:51Z","updatedAt":"2026-11-21T18:55:51Z"}},"domains":[],"domainsCount":{count},"domainsDigest":"0000000000000000"}}"#
    )
}

#[test]
fn a_snapshot_with_a_position_ends_the_fetch_and_one_that_does_not_add_up_is_tried_again() {
    for (count, expected) in [(0, Status::Stale(StaleReason::Unproven)), (1, Status::Recovering)] {
        let mut session = fetching(Config::default());
        answer_fetch(&mut session, &with_position(count));
        assert_eq!(status(&session), expected, "{count} rows are claimed");
        if count > 0 {
            wait(&mut session);
            assert_eq!(session.fetches(), 2);
        }
    }
}

#[test]
fn as_many_content_hashes_are_remembered_as_the_window_says() {
    let mut session = Session::with(SECOND, Config { dedupe_window: 3, ..Config::default() });
    session.open();
    let mut remembered = VecDeque::new();
    for id in "abcdcbadeabcecbaabcded".chars() {
        let known = remembered.contains(&id);
        if !known {
            remembered.push_back(id);
        }
        if remembered.len() > 3 {
            remembered.pop_front();
        }
        let verdict = if known { Verdict::Duplicate } else { Verdict::Applied };
        assert_eq!(session.receive(&sequenced(&id.to_string())), [verdict], "{remembered:?}");
    }
}

#[test]
fn a_document_wrong_by_its_own_hash_is_counted_and_a_snapshot_of_its_campaign_fetched() {
    let document = sequenced("b");
    for (corrupt, fetches) in [
        (document.replace("b.example", "c.example"), 2),
        // Of what cannot be read nobody knows whose it is.
        (document.replace("\"offset\":0", "\"offset\":{}"), 1),
    ] {
        let mut session = Session::new(SECOND);
        session.open();
        session.receive(&generated("a"));
        answer_fetch(&mut session, &snapshot("dns_validation", &["a"]));
        for count in 1..3 {
            assert_eq!(session.receive(&corrupt), [Verdict::Corrupt]);
            assert_eq!((session.machine.metrics().corrupt, session.fetches()), (count, fetches));
        }
        let applied = session.machine.metrics().applied;
        assert_eq!(applied, 2, "the first one as it came and after the snapshot");
    }
}

#[test]
fn what_an_original_server_says_of_things_unknown_here_is_counted() {
    let mut session = Session::new(SECOND);
    session.open();
    for count in 1..3 {
        let unknown = r#"{"type":"weather.report","timestamp":"2026-11-21T18:55:51.3Z"}"#;
        assert_eq!(session.receive(unknown), [Verdict::Ignored]);
        assert_eq!(session.machine.metrics().unknown_types, count);
    }
}

#[test]
fn a_count_of_an_original_server_that_differs_is_repaired_by_a_snapshot() {
    for (count, passed) in [(1, 1), (2, 0)] {
        let mut session = Session::new(SECOND);
        session.open();
        session.receive(&generated("a"));
        answer_fetch(&mut session, &snapshot("domain_generation", &["a"]));
        session.receive(&transition("dns_validation", count, "2026-11-21T18:55:51.5Z"));
        let metrics = session.machine.metrics();
        let checks = (metrics.consistency_checks_passed, metrics.consistency_checks_failed);
        assert_eq!((checks, metrics.snapshots), ((passed, 1 - passed), 1));
        assert_eq!(session.fetches() as u64, 2 - passed);
    }
}

#[test]
fn only_an_acknowledgement_of_v1_makes_a_server_one_of_v1() {
    let mut session = Session::new(SECOND);
    session.open();
    session.receive(&generated("a"));
    for (protocol, dialect) in [("soap", Dialect::Original), ("campaign-sync.v1", Dialect::V1)] {
        let ack = crate::wire::ack_of(protocol);
        assert_eq!(session.receive(&ack), [Verdict::Control]);
        let connection = session.machine.connection();
        let Connection::Open { dialect: settled, .. } = connection else {
            panic!("{connection:?}")
        };
        assert_eq!(*settled, dialect, "{protocol}");
    }
}

/// The event of a generated row, with a sequence.
fn sequenced(id: &str) -> String {
    let (kind, timestamp) = (r#""domain.generated""#, r#""2026-11-21T18:55:51.3Z""#);
    let data = format!(
        r#"{{"campaignId":"{SECOND}","domainId":"{id}","domain":"{id}.example","offset":0,"batchSize":1,"totalGenerated":1}}"#
    );
    let hash = EventHash::of_original(kind, timestamp, &data).to_string();
    format!(
        r#"{{"type":{kind},"timestamp":{timestamp},"data":{data},"sequence":{{"campaignId":"{SECOND}","eventId":"evt_1","sequenceNumber":1,"eventHash":"{}","checkpointData":false}}}}"#,
        &hash[..16]
    )
}
