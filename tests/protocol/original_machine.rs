//! The machine facing an original server: the recorded sessions frame by frame, and the rules of
//! that dialect.

use campaign_sync::protocol::frame::Frame;
use campaign_sync::protocol::{CampaignId, Phase, Status as PhaseStatus};
use campaign_sync::sync::input::ConnectionId;
use campaign_sync::sync::outcome::Verdict;
use campaign_sync::sync::{
    Config, Effect, Input, Machine, Notice, Now, StaleReason, Status, Timestamp,
};

const GENERATION_TO_HTTP: &str = include_str!("../recordings/generation-to-http.jsonl");
const DISCONNECT: &str = include_str!("../recordings/disconnect-during-dns-transition.jsonl");
const FIRST: &str = "590c1440-9888-45b0-bd51-a817ee07c3f2";
const OTHER: &str = "145935bc-7155-43c7-a764-90c3e0aa0b6a";
pub(crate) const SECOND: &str = "3686b9e6-69d9-48c8-9996-3733b8a6fb1c";
const START_MS: i64 = 1_795_287_350_000;

/// A machine with one campaign, and everything it did.
pub(crate) struct Session {
    pub(crate) machine: Machine,
    pub(crate) now_ms: u64,
    pub(crate) effects: Vec<Effect>,
}

impl Session {
    pub(crate) fn new(campaign: &str) -> Self {
        Self::with(campaign, Config::default())
    }

    pub(crate) fn with(campaign: &str, config: Config) -> Self {
        let config = Config { has_fetch_snapshot: true, log: true, ..config };
        let mut session = Self { machine: Machine::new(config, 7), now_ms: 0, effects: Vec::new() };
        let id = CampaignId::new(campaign).expect("a campaign id");
        session.input(Input::Retain(id));
        session.input(Input::Connect);
        session
    }

    pub(crate) fn now(&self) -> Now {
        Now { at: Timestamp(1_000 + self.now_ms), wall_ms: START_MS + self.now_ms as i64 }
    }

    pub(crate) fn input(&mut self, input: Input<'_>) -> Vec<Verdict> {
        let now = self.now();
        let outcome = self.machine.handle(now, input);
        while let Some(effect) = self.machine.poll_effect() {
            self.effects.push(effect);
        }
        outcome.verdicts
    }

    fn connection(&self) -> ConnectionId {
        self.machine.connection().socket().expect("a socket is open or opening")
    }

    pub(crate) fn receive(&mut self, frame: &str) -> Vec<Verdict> {
        let connection = self.connection();
        self.input(Input::Received(connection, Frame::Text(frame)))
    }

    /// Lets timers fire until a socket is being opened, then opens it.
    pub(crate) fn open(&mut self) {
        while self.machine.connection().socket().is_none() {
            let due = self.machine.poll_timeout().expect("a retry is due");
            self.now_ms = self.now_ms.max(due.0 - 1_000);
            self.input(Input::Woke(campaign_sync::sync::input::Wake::Timer));
        }
        let connection = self.connection();
        self.input(Input::Opened(connection));
    }

    /// Replays a recorded session: what a client received, and when its sockets closed.
    fn replay(&mut self, recording: &str) {
        let mut open = 0;
        for line in recording.lines() {
            let line: serde_json::Value = serde_json::from_str(line).expect("a recorded line");
            let connection = line["connection"].as_u64().expect("a connection number");
            self.now_ms = self.now_ms.max(line["at_ms"].as_u64().expect("a time"));
            match line["direction"].as_str() {
                Some("sent") => {
                    if connection != open {
                        open = connection;
                        self.open();
                    }
                }
                Some("received") => {
                    if connection != open {
                        open = connection;
                        self.open();
                    }
                    self.receive(line["frame"].as_str().expect("a text frame"));
                }
                _ => {
                    let connection = self.connection();
                    self.input(Input::Closed(connection, 1001));
                }
            }
        }
    }

    fn notices(&self) -> impl Iterator<Item = &Notice> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Notify(notice) => Some(notice),
            _ => None,
        })
    }

    pub(crate) fn fetches(&self) -> usize {
        self.effects.iter().filter(|it| matches!(it, Effect::FetchSnapshot(..))).count()
    }

    pub(crate) fn resolved(&self, campaign: &str) -> u32 {
        let table = self.machine.subscription(campaign).expect("held").store.table();
        let mut tallies = table.dns_words.tallies();
        tallies.find(|(word, _)| *word == "resolved").map_or(0, |(_, tally)| tally)
    }
}

#[test]
fn the_first_recording_ends_with_all_rows_of_its_campaign_and_none_of_the_other() {
    let mut session = Session::new(FIRST);
    session.replay(GENERATION_TO_HTTP);
    let store = &session.machine.subscription(FIRST).expect("held").store;
    assert_eq!(store.table().len(), 250);
    assert_eq!(session.resolved(FIRST), 91);
    assert_eq!(store.record().expect("a record").phase, Phase::HttpKeywordValidation);
    assert_eq!(store.record().expect("a record").total_domain_count, 250, "91 is of the phase");
    assert!(session.machine.subscription(OTHER).is_none());
    let metrics = session.machine.metrics();
    assert_eq!((metrics.gaps, metrics.corrupt), (0, 0), "no false gap, every hash verified");
    assert!(metrics.unsubscribed > 0, "the other campaign chatters on the same socket");
}

#[test]
fn the_legacy_twin_of_a_transition_changes_nothing() {
    let mut session = Session::new(FIRST);
    session.replay(GENERATION_TO_HTTP);
    let phases: Vec<Phase> = session
        .notices()
        .filter_map(|notice| match notice {
            Notice::PhaseTransition(phase) => Some(phase.new_phase),
            _ => None,
        })
        .collect();
    assert_eq!(phases, [Phase::DnsValidation, Phase::HttpKeywordValidation]);
}

#[test]
fn a_phase_that_has_not_begun_has_processed_nothing() {
    let mut session = Session::new(FIRST);
    let transition = GENERATION_TO_HTTP.lines().map(|line| {
        serde_json::from_str::<serde_json::Value>(line).expect("a recorded line")["frame"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    });
    session.open();
    for frame in transition {
        for document in frame.split('\n').filter(|it| it.contains("\"timestamp\"")) {
            session.receive(document);
            if document.contains("\"newPhase\":\"dns_validation\"") {
                let store = &session.machine.subscription(FIRST).expect("held").store;
                let record = store.record().expect("a record");
                assert_eq!(record.status, PhaseStatus::NotStarted, "not the old `completed`");
                assert_eq!(record.counters.processed_items, 0);
                assert_eq!(record.counters.progress_percentage, 0.0);
                return;
            }
        }
    }
    panic!("the recording holds a DNS transition");
}

#[test]
fn the_second_recording_notices_the_missed_transition_asks_for_a_snapshot_and_loses_no_row() {
    let mut session = Session::new(SECOND);
    session.replay(DISCONNECT);
    let store = &session.machine.subscription(SECOND).expect("held").store;
    assert_eq!(store.table().len(), 120);
    assert_eq!(session.resolved(SECOND), 55);
    assert_eq!(store.record().expect("a record").phase, Phase::HttpKeywordValidation);
    let missed =
        session.notices().filter(|it| matches!(it, Notice::Divergence { kind: "phase", .. }));
    assert_eq!(missed.count(), 1, "the missed transition is noticed, once");
    assert_eq!(session.fetches(), 1, "a snapshot is asked for");
    // Its answer, begun before the second connection, may be too old: another is asked for.
    answer_fetch(&mut session, &snapshot("http_keyword_validation", &[]));
    assert_eq!(session.fetches(), 2);
    assert_eq!(session.machine.subscription(SECOND).expect("held").store.table().len(), 120);
}

#[test]
fn a_phase_that_moved_unannounced_is_noticed_and_a_snapshot_is_asked_for() {
    let mut session = Session::new(SECOND);
    session.open();
    session.receive(&progress("domain_generation", "2026-11-21T18:55:51.1Z"));
    answer_fetch(&mut session, &snapshot("domain_generation", &["a"]));
    assert_eq!(session.fetches(), 1, "after connecting");
    session.receive(&progress("dns_validation", "2026-11-21T18:55:51.2Z"));
    assert_eq!(session.fetches(), 2, "the phase moved and nobody said so");
    assert!(session.notices().any(|it| matches!(it, Notice::Divergence { kind: "phase", .. })));
    assert_eq!(session.machine.metrics().divergences, 1);
    let logged = session.effects.iter().any(|effect| {
        matches!(effect, Effect::Log(record) if record.event == "unannounced_phase"
            && record.campaign_id.as_ref().is_some_and(|id| id.as_str() == SECOND))
    });
    assert!(logged);
    let record = |session: &Session| {
        let store = &session.machine.subscription(SECOND).expect("held").store;
        (store.record().expect("a record").phase, store.table().len())
    };
    assert_eq!(record(&session), (Phase::DomainGeneration, 1), "progress moves no phase");
    session.receive(&generated("b"));
    answer_fetch(&mut session, &snapshot("dns_validation", &["c"]));
    assert_eq!(record(&session), (Phase::DnsValidation, 3), "rows are upserted, never deleted");
    assert!(session.notices().any(|it| matches!(it, Notice::PhaseTransition(phase)
        if phase.new_phase == Phase::DnsValidation)));
}

#[test]
fn the_state_of_an_original_server_is_never_called_live() {
    let mut session = Session::new(SECOND);
    session.open();
    session.receive(&generated("a"));
    answer_fetch(&mut session, &snapshot("domain_generation", &["a"]));
    session.receive(r#"{"id":"","timestamp":"","type":"pong","sequenceNumber":9}"#);
    let now = session.now();
    let status = session.machine.status(SECOND, now);
    assert_eq!(status, Some(Status::Stale(StaleReason::Unproven)));
}

pub(crate) fn last_ticket(session: &Session) -> campaign_sync::sync::input::Ticket {
    let mut tickets = session.effects.iter().filter_map(|effect| match effect {
        Effect::FetchSnapshot(ticket, _) => Some(*ticket),
        _ => None,
    });
    tickets.next_back().expect("a snapshot was asked for")
}

pub(crate) fn answer_fetch(session: &mut Session, json: &str) {
    let ticket = last_ticket(session);
    session.input(Input::Snapshot(ticket, Some(json)));
}

pub(crate) fn progress(phase: &str, timestamp: &str) -> String {
    format!(
        r#"{{"type":"campaign.progress","timestamp":"{timestamp}","data":{{"campaignId":"{SECOND}","totalItems":9,"processedItems":1,"successfulItems":1,"failedItems":0,"progressPercent":11,"currentPhase":"{phase}","phaseStatus":"in_progress"}}}}"#
    )
}

pub(crate) fn transition(phase: &str, count: u64, timestamp: &str) -> String {
    format!(
        r#"{{"type":"campaign.phase.transition","timestamp":"{timestamp}","data":{{"campaignId":"{SECOND}","newPhase":"{phase}","newStatus":"not_started","transitionType":"manual","prerequisitesMet":true,"dataIntegrityCheck":true,"domainsCount":{count},"processedCount":0,"successfulCount":0,"failedItems":0}}}}"#
    )
}

pub(crate) fn generated(id: &str) -> String {
    format!(
        r#"{{"type":"domain.generated","timestamp":"2026-11-21T18:55:51.3Z","data":{{"campaignId":"{SECOND}","domainId":"{id}","domain":"{id}.example","offset":0,"batchSize":1,"totalGenerated":1}}}}"#
    )
}

pub(crate) fn resolved(id: &str) -> String {
    format!(
        r#"{{"type":"dns.validation.result","timestamp":"2026-11-21T18:55:51.4Z","data":{{"campaignId":"{SECOND}","domainId":"{id}","domain":"{id}.example","validationStatus":"resolved","attempts":1,"processingTime":1,"totalValidated":1}}}}"#
    )
}

pub(crate) fn snapshot(phase: &str, ids: &[&str]) -> String {
    let rows: Vec<String> = ids
        .iter()
        .map(|id| format!(r#"{{"id":"{id}","domainName":"{id}.example","offsetIndex":0}}"#))
        .collect();
    format!(
        r#"{{"campaign":{{"id":"{SECOND}","name":"x","currentPhase":"{phase}","phaseStatus":"in_progress"}},"domains":[{}]}}"#,
        rows.join(",")
    )
}
