//! Facing an original server: what a fetched snapshot may undo, and what it may not.

use campaign_sync::protocol::{CampaignId, Phase};
use campaign_sync::sync::input::{Ticket, Wake};
use campaign_sync::sync::{Config, Effect, Input, StaleReason, Status, Verdict};

use crate::original_machine::{
    SECOND, Session, answer_fetch, generated, last_ticket, progress, resolved, snapshot, transition,
};
use crate::polling::{answer, polling};
use crate::wire::{CAMPAIGN, EPOCH, Log, rows};

/// What only a server of the original dialect says.
const HELLO: &str = r#"{"id":"","timestamp":"","type":"pong","sequenceNumber":1}"#;

fn phase(session: &Session) -> Option<Phase> {
    let store = &session.machine.subscription(SECOND).expect("held").store;
    store.record().map(|record| record.phase)
}

fn epoch(session: &Session) -> Option<String> {
    let store = &session.machine.subscription(SECOND).expect("held").store;
    store.position().map(|position| position.epoch.as_str().to_owned())
}

fn reconnect(session: &mut Session) {
    let socket = session.machine.connection().socket().expect("a socket is open");
    session.input(Input::Closed(socket, 1006));
    session.open();
    session.receive(HELLO);
}

/// Heartbeats for so long, and nothing else.
fn rest(session: &mut Session, seconds: u64) {
    for _ in 0..seconds {
        session.now_ms += 1_000;
        session.input(Input::Woke(Wake::Timer));
        session.receive(HELLO);
    }
}

/// Lets timers fire until another snapshot has been asked for.
fn until_fetched(session: &mut Session) {
    let before = session.fetches();
    for _ in 0..100 {
        if session.fetches() > before {
            return;
        }
        let due = session.machine.poll_timeout().expect("a fetch is due").0 - 1_000;
        session.now_ms = session.now_ms.max(due);
        session.input(Input::Woke(Wake::Timer));
        session.receive(HELLO);
    }
    panic!("no fetch is due");
}

#[test]
fn a_snapshot_without_a_position_is_not_taken_once_v1_is_spoken() {
    let mut session = Session::new(SECOND);
    session.open();
    session.receive(&progress("domain_generation", "2026-11-21T18:55:51.1Z"));
    let ticket = last_ticket(&session);
    session.receive(&crate::wire::ack());
    let before = phase(&session);
    session.input(Input::Snapshot(ticket, Some(&snapshot("analysis", &["a"]))));
    assert_eq!(phase(&session), before, "the socket brings the state, and numbers it");
}

/// Number 3 of a log, and a row besides, of which no position tells.
fn unplaced() -> Session {
    let mut session = Session::new(SECOND);
    session.open();
    session.receive(HELLO);
    answer_fetch(&mut session, &with_position("epoch-a", 3));
    session.receive(&resolved("a"));
    session
}

#[test]
fn what_an_original_server_told_is_replaced_by_a_snapshot_when_v1_is_spoken() {
    let mut session = unplaced();
    session.receive(&crate::wire::ack());
    let asked = session.effects.iter().rev().find_map(|effect| match effect {
        Effect::Send(_, text) if text.contains("request_event_recovery") => Some(text.clone()),
        _ => None,
    });
    let asked = asked.expect("a recovery is asked for");
    assert!(asked.contains(r#""prefer":"snapshot""#), "{asked}");
}

/// The event after the one that [`with_position`] reached.
fn next_event() -> String {
    crate::wire::Event {
        campaign: SECOND.to_owned(),
        epoch: "epoch-a".to_owned(),
        number: 4,
        id: "e-4".to_owned(),
        previous: Some("e-3".to_owned()),
        checkpoint: false,
        kind: "system.notification".to_owned(),
        data: r#"{"level":"info","message":"x"}"#.to_owned(),
    }
    .document()
}

#[test]
fn events_do_not_join_what_an_original_server_told() {
    let mut session = unplaced();
    session.receive(&crate::wire::ack());
    let verdict = session.receive(&next_event());
    assert_eq!(verdict, [Verdict::Held], "until a snapshot has come");
}

#[test]
fn a_campaign_that_is_gone_is_not_fetched_any_more() {
    let mut session = Session::new(SECOND);
    session.open();
    session.receive(HELLO);
    session.receive(&format!(
        r#"{{"type":"campaign.deleted","timestamp":"2026-11-21T18:55:51Z","data":{{"campaignId":"{SECOND}"}}}}"#
    ));
    assert_eq!(session.machine.status(SECOND, session.now()), Some(Status::Ended));
    let ticket = last_ticket(&session);
    session.input(Input::Snapshot(ticket, None));
    rest(&mut session, 120);
    assert_eq!(session.fetches(), 1, "who asks for it is told that it is not there");
}

#[test]
fn what_has_no_position_keeps_no_promise() {
    let mut session = unplaced();
    let id = CampaignId::new(SECOND).expect("a campaign id");
    session.input(Input::Await(id, crate::world::position("epoch-a", 3), Ticket(71)));
    let kept = |session: &Session| session.effects.contains(&Effect::Settle(Ticket(71), None));
    assert!(!kept(&session), "what is shown may be older than number 3");
    session.input(Input::Refresh(CampaignId::new(SECOND).expect("a campaign id")));
    answer_fetch(&mut session, &with_position("epoch-a", 3));
    assert!(kept(&session));
}

#[test]
fn events_are_applied_again_once_a_snapshot_has_come() {
    let mut log = Log::with_rows(2);
    let mut world = polling(&log);
    let unplaced = snapshot("dns_validation", &["a"]).replace(SECOND, CAMPAIGN);
    let unplaced = serde_json::from_str(&unplaced).expect("JSON");
    assert_eq!(answer(&mut world, &unplaced), None);
    let opened = world.opened.len();
    world.advance_until(|world| world.opened.len() > opened);
    world.open();
    world.receive(&crate::wire::ack());
    assert_eq!(world.request()["prefer"], "snapshot");
    let next = log.generate(2);
    assert_eq!(world.receive(&next.document()), Verdict::Held);
    world.answer_snapshot(EPOCH, next.number - 1, rows(2));
    assert_eq!(world.position(), next.number);
    assert_eq!(world.receive(&log.generate(3).document()), Verdict::Applied);
}

#[test]
fn a_replay_from_the_first_event_on_does_not_join_it_either() {
    let mut session = Session::new(SECOND);
    session.open();
    session.receive(HELLO);
    answer_fetch(&mut session, &snapshot("dns_validation", &["a"]));
    session.receive(&crate::wire::ack());
    session.receive(&format!(
        r#"{{"type":"event_recovery","timestamp":"2026-11-21T18:55:51Z","data":{{"campaignId":"{SECOND}","requestId":"r1","outcome":"replay","epoch":"epoch-a","fromSequenceNumber":1,"toSequenceNumber":2}}}}"#
    ));
    assert_eq!(epoch(&session), None, "what is shown is not the state before the first event");
}

#[test]
fn a_recovery_that_v1_did_not_end_is_none_of_an_original_server() {
    let mut session = Session::new(SECOND);
    session.open();
    session.receive(&crate::wire::ack());
    reconnect(&mut session);
    answer_fetch(&mut session, &snapshot("dns_validation", &["a"]));
    let status = session.machine.status(SECOND, session.now());
    assert_eq!(status, Some(Status::Stale(StaleReason::Unproven)), "nothing more is on its way");
}

#[test]
fn what_the_former_socket_told_does_not_undo_a_snapshot_fetched_after_it() {
    let mut session = Session::new(SECOND);
    session.open();
    session.receive(&resolved("a"));
    reconnect(&mut session);
    answer_fetch(&mut session, &snapshot("dns_validation", &["a"]));
    assert_eq!(session.fetches(), 2, "the first began before the connection");
    let timed_out = r#"{"campaign":{"id":"ID","name":"x","currentPhase":"dns_validation",
        "phaseStatus":"in_progress"},"domains":[{"id":"a","domainName":"a.example",
        "offsetIndex":0,"dnsStatus":"timeout"}]}"#;
    answer_fetch(&mut session, &timed_out.replace("ID", SECOND));
    assert_eq!(session.resolved(SECOND), 0, "that was an older result");
}

#[test]
fn a_rest_interface_that_lags_is_not_asked_all_the_time() {
    let mut session = Session::new(SECOND);
    session.open();
    session.receive(&progress("domain_generation", "2026-11-21T18:55:51.1Z"));
    let mut answered = 0;
    for _ in 0..600 {
        if session.fetches() > answered {
            answered = session.fetches();
            answer_fetch(&mut session, &snapshot("domain_generation", &["a"]));
        }
        session.receive(&progress("dns_validation", "2026-11-21T18:55:51.2Z"));
        session.now_ms += 100;
        session.input(Input::Woke(Wake::Timer));
    }
    assert!((5..20).contains(&session.fetches()), "{} fetches in a minute", session.fetches());
}

#[test]
fn after_a_while_without_wishes_the_next_one_is_met_at_once() {
    let mut session = Session::new(SECOND);
    session.open();
    session.receive(&progress("domain_generation", "2026-11-21T18:55:51.1Z"));
    for _ in 0..5 {
        answer_fetch(&mut session, &snapshot("domain_generation", &["a"]));
        session.receive(&progress("dns_validation", "2026-11-21T18:55:51.2Z"));
        rest(&mut session, 20);
    }
    answer_fetch(&mut session, &snapshot("dns_validation", &["a"]));
    rest(&mut session, 40);
    let before = session.fetches();
    session.receive(&progress("analysis", "2026-11-21T18:55:51.3Z"));
    assert_eq!(session.fetches(), before + 1);
}

#[test]
fn nothing_is_kept_while_nothing_is_fetched() {
    let config = Config { held_events_max: 2, ..Config::default() };
    let mut session = Session::with(SECOND, config);
    session.open();
    session.receive(HELLO);
    answer_fetch(&mut session, &snapshot("dns_validation", &["a", "b", "c", "d"]));
    for id in ["a", "b", "c", "d"] {
        session.receive(&resolved(id));
    }
    assert_eq!((session.machine.metrics().held_overflows, session.fetches()), (0, 1));
}

#[test]
fn each_phase_that_nobody_announced_is_told_of_once() {
    let mut session = Session::new(SECOND);
    session.open();
    session.receive(&progress("domain_generation", "2026-11-21T18:55:51.1Z"));
    for _ in 0..3 {
        session.receive(&progress("dns_validation", "2026-11-21T18:55:51.2Z"));
    }
    session.receive(&transition("dns_validation", 0, "2026-11-21T18:55:51.3Z"));
    for _ in 0..3 {
        session.receive(&progress("analysis", "2026-11-21T18:55:51.4Z"));
    }
    assert_eq!(session.machine.metrics().divergences, 2);
}

#[test]
fn a_transition_that_asks_for_a_snapshot_is_not_undone_by_an_older_one() {
    let mut session = Session::new(SECOND);
    session.open();
    session.receive(&generated("a"));
    answer_fetch(&mut session, &snapshot("domain_generation", &["a"]));
    session.receive(&transition("dns_validation", 2, "2026-11-21T18:55:51.5Z"));
    assert_eq!(session.fetches(), 2, "a row is missing");
    answer_fetch(&mut session, &snapshot("domain_generation", &["a", "b"]));
    assert_eq!(phase(&session), Some(Phase::DnsValidation));
}

/// The answer of a server that is one of v1 already, though the socket still leads to another.
fn with_position(epoch: &str, number: u64) -> String {
    format!(
        r#"{{"campaignId":"{SECOND}","epoch":"{epoch}","sequenceNumber":{number},"eventId":"e-3","campaign":{{"campaignId":"{SECOND}","name":"x","currentPhase":"dns_validation","phaseStatus":"in_progress","totalItems":0,"processedItems":0,"successfulItems":0,"failedItems":0,"progressPercentage":0,"totalDomainCount":0,"createdAt":"2026-11-21T18:55:51Z","updatedAt":"2026-11-21T18:55:51Z"}},"domains":[],"domainsCount":0,"domainsDigest":"0000000000000000"}}"#
    )
}

#[test]
fn what_arrives_while_a_snapshot_with_a_position_is_fetched_is_applied_again_too() {
    let mut session = Session::new(SECOND);
    session.open();
    session.receive(&resolved("a"));
    answer_fetch(&mut session, &with_position("epoch-a", 3));
    assert_eq!(session.resolved(SECOND), 1);
}

#[test]
fn a_snapshot_of_another_log_that_does_not_count_is_fetched_again() {
    let mut session = Session::new(SECOND);
    session.open();
    session.receive(HELLO);
    answer_fetch(&mut session, &with_position("epoch-a", 3));
    reconnect(&mut session);
    answer_fetch(&mut session, &with_position("epoch-b", 1));
    if epoch(&session).as_deref() == Some("epoch-a") {
        let status = session.machine.status(SECOND, session.now());
        assert_eq!(status, Some(Status::Recovering), "another fetch is due");
        until_fetched(&mut session);
        answer_fetch(&mut session, &with_position("epoch-b", 1));
    }
    assert_eq!(epoch(&session).as_deref(), Some("epoch-b"));
}
