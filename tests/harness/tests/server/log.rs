//! One test suite for every log implementation.

use std::sync::Arc;

use campaign_sync::protocol::campaign::CampaignRecord;
use campaign_sync::protocol::{CampaignId, Code, Digest, Phase, Status};
use campaign_sync_harness::campaign::drafts;
use campaign_sync_harness::clock::Moment;
use campaign_sync_harness::log::place::LogPlace;
use campaign_sync_harness::log::sqlite::SqliteLog;
use campaign_sync_harness::log::{
    Draft, EventLog, LogError, PhaseCounts, REFUSALS_MAX, Recount, RowQuery, Settings, Transaction,
};
use campaign_sync_support::MemoryLog;
use serde_json::{Value, json};

use super::nats::Nats;
use super::support::Copy;

pub(crate) const NOW: Moment = Moment { monotonic_ms: 0, wall_ms: 1_900_000_000_000 };

pub(crate) fn id() -> CampaignId {
    CampaignId::new("c1").unwrap()
}

pub(crate) fn created() -> Draft {
    let record = CampaignRecord {
        name: "one".into(),
        phase: Phase::DomainGeneration,
        status: Status::InProgress,
        ..CampaignRecord::default()
    };
    drafts::record(NOW, &id(), "create", &record, &Settings { count: 9, ..Settings::default() })
}

pub(crate) fn rows(rows: Value) -> Draft {
    drafts::draft(NOW, "domains.updated", &json!({"campaignId": "c1", "domains": rows}))
}

pub(crate) fn row(n: u64) -> Draft {
    rows(json!([{"domainId": format!("d{n}"), "domain": format!("a{n}.example"), "offset": n}]))
}

/// Runs a case on every log implementation.
pub(crate) fn on_every_log(case: impl Fn(Arc<dyn EventLog>)) {
    case(Arc::new(MemoryLog::new("epoch-1")));
    let directory = tempfile::tempdir().unwrap();
    let log = SqliteLog::open(&directory.path().join("log.db"), "epoch-1", false).unwrap();
    case(Arc::new(log));
    let nats = Nats::start();
    case(Arc::new(nats.log(&directory.path().join("cache.db"), "epoch-1")));
}

#[test]
fn numbers_are_contiguous_and_chained_and_hashes_hold() {
    on_every_log(|log| {
        log.append(&id(), 0, &[created(), row(0)]).unwrap();
        log.append(&id(), 2, &[row(1)]).unwrap();
        log.append(&id(), 3, &[row(2), row(3)]).unwrap();
        let mut copy = Copy { epoch: "epoch-1".into(), ..Copy::default() };
        for event in log.read(&id(), 0, usize::MAX).unwrap() {
            copy.hear(&event.document);
        }
        assert_eq!((copy.number, copy.rows.len()), (5, 4));
        assert_eq!(log.head(&id()).unwrap().unwrap().event_id, copy.event_id);
    });
}

#[test]
fn an_append_with_another_expected_number_changes_nothing() {
    on_every_log(|log| {
        log.append(&id(), 0, &[created()]).unwrap();
        for wrong in [0, 2, 9] {
            let refused = log.append(&id(), wrong, &[row(0)]);
            assert_eq!(refused, Err(LogError::Conflict { head: 1 }));
        }
        assert_eq!(log.recount(&id()).unwrap().unwrap().count, 0);
        assert_eq!(log.read(&id(), 0, usize::MAX).unwrap().len(), 1);
    });
}

#[test]
fn an_append_is_all_or_nothing() {
    on_every_log(|log| {
        log.append(&id(), 0, &[created()]).unwrap();
        let unknown_without_name = rows(json!([{"domainId": "dx", "dnsStatus": "resolved"}]));
        let refused = log.append(&id(), 1, &[row(0), unknown_without_name]);
        assert_eq!(refused, Err(LogError::Rejected(Code::InvalidContent)));
        let recount = log.recount(&id()).unwrap().unwrap();
        assert_eq!((recount.head.number, recount.count), (1, 0));
        assert!(recount.agrees());
        log.append(&id(), 1, &[row(0)]).unwrap();
    });
}

#[test]
fn stored_rows_match_the_counters() {
    on_every_log(|log| {
        log.append(&id(), 0, &[created(), row(0), row(1), row(2)]).unwrap();
        let changes = json!([{"domainId": "d0", "dnsStatus": "resolved", "leadScore": 1.5},
            {"domainId": "d1", "dnsStatus": "timeout"}]);
        log.append(&id(), 4, &[rows(changes)]).unwrap();
        let cleared = rows(json!([{"domainId": "d0", "leadScore": null}]));
        let removed = json!({"campaignId": "c1", "domainIds": ["d2", "nobody"]});
        let removed = drafts::draft(NOW, "domains.removed", &removed);
        log.append(&id(), 5, &[cleared, removed]).unwrap();
        let recount = log.recount(&id()).unwrap().unwrap();
        assert!(recount.agrees(), "{recount:?}");
        assert_eq!(
            (
                recount.phase_counts.rows,
                recount.phase_counts.dns_done,
                recount.phase_counts.resolved
            ),
            (2, 2, 1)
        );
        let view = log.view(&id(), &RowQuery::default()).unwrap().unwrap();
        assert_eq!(view.state.record.total_domain_count, 2);
        assert_eq!(view.rows[0].lead_score, None);
        let (number, buckets) = log.buckets(&id()).unwrap().unwrap();
        assert_eq!((number, buckets.iter().map(|it| it.count).sum::<u64>()), (7, 2));
        let sum = buckets.iter().fold(0u64, |sum, it| sum.wrapping_add(it.sum.0));
        assert_eq!(sum, recount.digest.0);
    });
}

#[test]
fn accepted_change_is_audited_and_its_key_works_once() {
    on_every_log(|log| {
        let entry = |key: &str, result: &str| Transaction {
            name: "DNS_Phase_Transition".into(),
            who: "ada".into(),
            result: result.into(),
            key: Some(key.into()),
            fingerprint: Some("f".into()),
            ..Transaction::default()
        };
        let keyed =
            |draft: Draft, key: &str| Draft { audit_entry: Some(entry(key, "accepted")), ..draft };
        let refused = keyed(rows(json!([{"domainId": "dx"}])), "k1");
        log.append(&id(), 0, &[keyed(created(), "k0")]).unwrap();
        assert_eq!(log.append(&id(), 1, &[refused]), Err(LogError::Rejected(Code::InvalidContent)));
        assert_eq!(log.audit_entry(&id(), "k1").unwrap(), None);
        log.append(&id(), 1, &[keyed(row(0), "k1")]).unwrap();
        let again = log.append(&id(), 2, &[keyed(row(1), "k1")]);
        assert_eq!(again, Err(LogError::Conflict { head: 2 }));

        let audit_entry = log.audit_entry(&id(), "k1").unwrap().unwrap();
        let head = log.head(&id()).unwrap().unwrap();
        assert_eq!(
            (audit_entry.sequence_number, audit_entry.event_id),
            (Some(2), Some(head.event_id))
        );
        let record: Value = serde_json::from_str(&audit_entry.record.unwrap()).unwrap();
        assert_eq!(record["totalDomainCount"], 1, "as it was after this event");

        log.record_refusal(&id(), &entry("k2", "illegal_transition")).unwrap();
        log.record_refusal(&id(), &entry("k2", "behind")).unwrap();
        log.record_refusal(&id(), &Transaction { key: None, ..entry("", "behind") }).unwrap();
        let results: Vec<_> =
            log.transactions(&id()).unwrap().into_iter().map(|it| it.result).collect();
        assert_eq!(results, ["accepted", "accepted", "illegal_transition", "behind"]);
    });
}

#[test]
fn append_conflicts_if_the_rows_differ_from_the_count() {
    on_every_log(|log| {
        log.append(&id(), 0, &[created(), row(0), row(1)]).unwrap();
        let counted = log.recount(&id()).unwrap().unwrap();
        let checked = |counted: &Recount| Draft { counted: Some(counted.clone()), ..row(2) };
        let wrong = [
            Recount { count: 3, ..counted.clone() },
            Recount { digest: Digest(1), ..counted.clone() },
            Recount {
                phase_counts: PhaseCounts { resolved: 1, ..counted.phase_counts },
                ..counted.clone()
            },
        ];
        for wrong in wrong {
            let refused = log.append(&id(), 3, &[row(3), checked(&wrong)]);
            assert_eq!(refused, Err(LogError::Conflict { head: 3 }));
        }
        assert_eq!(log.recount(&id()).unwrap().unwrap(), counted);
        log.append(&id(), 3, &[checked(&counted)]).unwrap();
    });
}

#[test]
fn oldest_refusals_are_dropped_and_accepted_entries_stay() {
    on_every_log(|log| {
        let entry = |n: u64| Transaction {
            name: "DNS_Phase_Transition".into(),
            result: "illegal_transition".into(),
            key: Some(format!("k{n}")),
            ..Transaction::default()
        };
        let accepted = Transaction { result: "accepted".into(), ..entry(0) };
        let created = Draft { audit_entry: Some(accepted), ..created() };
        log.append(&id(), 0, &[created]).unwrap();
        (1..=REFUSALS_MAX + 1).for_each(|n| log.record_refusal(&id(), &entry(n)).unwrap());
        // A refusal that an event announces counts too.
        let announced = Draft { audit_entry: Some(entry(REFUSALS_MAX + 2)), ..row(0) };
        log.append(&id(), 1, &[announced]).unwrap();
        let keys: Vec<_> =
            log.transactions(&id()).unwrap().into_iter().filter_map(|it| it.key).collect();
        let kept = (3..=REFUSALS_MAX + 2).map(|n| format!("k{n}"));
        assert_eq!(keys, std::iter::once("k0".to_owned()).chain(kept).collect::<Vec<_>>());
        assert_eq!(log.audit_entry(&id(), "k2").unwrap(), None);
    });
}

#[test]
fn all_logs_publish_the_same_bytes() {
    let documents = |log: &dyn EventLog| {
        log.append(&id(), 0, &[created(), row(0), row(1)]).unwrap();
        log.read(&id(), 0, usize::MAX).unwrap()
    };
    let directory = tempfile::tempdir().unwrap();
    let sqlite = SqliteLog::open(&directory.path().join("log.db"), "epoch-1", false).unwrap();
    let expected = documents(&MemoryLog::new("epoch-1"));
    assert_eq!(documents(&sqlite), expected);
    let nats = Nats::start();
    let shared = nats.log(&directory.path().join("cache.db"), "epoch-1");
    assert_eq!(documents(&shared), expected);
}

#[test]
fn pages_of_events_respect_their_size_and_never_stall() {
    on_every_log(|log| {
        log.append(&id(), 0, &[created(), row(0), row(1), row(2)]).unwrap();
        assert_eq!(log.read(&id(), 1, 1).unwrap().len(), 1);
        assert_eq!(log.read(&id(), 4, 1).unwrap().len(), 0);
        let all = log.read(&id(), 0, usize::MAX).unwrap();
        let two: usize = all[..2].iter().map(|event| event.document.len() + 1).sum();
        assert_eq!(log.read(&id(), 0, two).unwrap().len(), 2);
        let size: u64 = all[2..].iter().map(|event| event.document.len() as u64).sum();
        assert_eq!(log.bytes_after(&id(), 2).unwrap(), size);
        assert_eq!(log.bytes_after(&id(), 4).unwrap(), 0);
    });
}

// R15.8
#[test]
fn truncation_forgets_events_and_keeps_state() {
    on_every_log(|log| {
        log.append(&id(), 0, &[created(), row(0), row(1), row(2)]).unwrap();
        let size = log.bytes_after(&id(), 3).unwrap();
        log.truncate(&id(), 3).unwrap();
        assert_eq!(log.head(&id()).unwrap().unwrap().oldest, 4);
        assert_eq!(log.read(&id(), 0, usize::MAX).unwrap()[0].number, 4);
        assert_eq!(log.bytes_after(&id(), 3).unwrap(), size);
        log.truncate(&id(), 99).unwrap();
        assert_eq!(log.head(&id()).unwrap().unwrap().oldest, 5);
        log.append(&id(), 4, &[row(3)]).unwrap();
        assert_eq!(log.read(&id(), 4, usize::MAX).unwrap()[0].number, 5);
        assert_eq!(log.recount(&id()).unwrap().unwrap().count, 4);
    });
}

#[test]
fn queries_select_the_same_rows_on_every_log() {
    on_every_log(|log| {
        let changes = json!([{"domainId": "d0", "dnsStatus": "resolved"},
            {"domainId": "d1", "dnsStatus": "resolved", "httpStatus": "success"},
            {"domainId": "d3", "domain": "50%_off.example", "offset": 3}]);
        log.append(&id(), 0, &[created(), row(0), row(1), row(2), rows(changes)]).unwrap();
        let ids = |query: RowQuery| {
            let view = log.view(&id(), &query).unwrap().unwrap();
            let ids: Vec<String> = view.rows.into_iter().map(|row| row.domain_id).collect();
            ids.join(" ")
        };
        let awaiting = |awaiting| ids(RowQuery { awaiting: Some(awaiting), ..RowQuery::default() });
        assert_eq!(awaiting(Phase::DnsValidation), "d2 d3");
        assert_eq!(awaiting(Phase::HttpKeywordValidation), "d0");
        assert_eq!(awaiting(Phase::Analysis), "d1");
        assert_eq!(ids(RowQuery { skip: 1, limit: Some(2), ..RowQuery::default() }), "d1 d2");
        assert_eq!(ids(RowQuery { search: Some("%_o".into()), ..RowQuery::default() }), "d3");
        assert_eq!(ids(RowQuery { from_offset: Some(2), ..RowQuery::default() }), "d2 d3");
        let every = RowQuery { buckets: Some((0..=255).collect()), ..RowQuery::default() };
        assert_eq!(ids(every), "d0 d1 d2 d3");
        let none = RowQuery { buckets: Some(Vec::new()), ..RowQuery::default() };
        assert_eq!(ids(none), "");
    });
}

#[test]
fn log_keeps_its_epoch_until_it_is_renewed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log.db");
    let open = |epoch, renew| SqliteLog::open(&path, epoch, renew).unwrap().epoch();
    assert_eq!(open("first", false), "first");
    assert_eq!(open("second", false), "first");
    assert_eq!(open("third", true), "third");
    assert_eq!(open("fourth", false), "third");
}

#[test]
fn log_place_is_a_file_or_a_list_of_servers() {
    assert_eq!("sqlite:a/b.db".parse(), Ok(LogPlace::Sqlite("a/b.db".into())));
    let servers = vec!["a:1".to_owned(), "b:2".to_owned()];
    assert_eq!("nats://a:1,b:2".parse(), Ok(LogPlace::Nats(servers)));
    for wrong in ["", "sqlite:", "campaigns.db", "nats://", "nats://a", "nats://a:1,", "nats://a:x"]
    {
        assert!(wrong.parse::<LogPlace>().is_err(), "{wrong}");
    }
}
