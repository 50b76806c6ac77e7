//! Audit entries and idempotency keys on a shared log: every server gives the same answer.

use std::sync::{Arc, Barrier};
use std::thread;

use campaign_sync::protocol::{Code, Phase, Status};
use campaign_sync_harness::campaign::{
    Caller, Completed, Key, NewCampaign, Operation, Refusal, RequestContext,
};
use campaign_sync_harness::hub::Hub;
use campaign_sync_harness::log::nats::NatsLog;
use campaign_sync_harness::log::{Draft, EventLog, LogError, REFUSALS_MAX, Transaction};

use super::log::{NOW, created, id, row};
use super::nats::Nats;
use super::shared_log::{completed, reaches};

type Answer = Result<Completed, Refusal>;

fn hub(nats: &Nats, name: &str) -> Arc<Hub> {
    let hub = Arc::new(Hub::new(Arc::new(nats.log(&nats.file(name), "first"))));
    hub.attach();
    hub
}

fn keyed(name: &str, fingerprint: &str) -> RequestContext {
    let key = Key { name: name.into(), fingerprint: fingerprint.into() };
    let user = Some("ada".into());
    RequestContext {
        by: Caller { user, owner_name: None, key: Some(key) },
        ..RequestContext::default()
    }
}

fn to_dns(hub: &Hub, order: &RequestContext) -> Answer {
    Operation { hub, now: NOW, campaign: &id(), order }
        .transition(Phase::DnsValidation, Status::InProgress)
}

fn refusal(key: Option<&str>, result: &str) -> Transaction {
    Transaction {
        name: "DNS_Phase_Transition".into(),
        result: result.into(),
        key: key.map(str::to_owned),
        fingerprint: Some("f".into()),
        ..Transaction::default()
    }
}

fn results(log: &dyn EventLog) -> Vec<String> {
    log.transactions(&id()).unwrap().into_iter().map(|it| it.result).collect()
}

#[test]
fn key_gets_the_same_answer_from_every_server() {
    let nats = Nats::start();
    let (one, two) = (hub(&nats, "1.db"), hub(&nats, "2.db"));
    let new = NewCampaign {
        campaign_id: None,
        name: "one".into(),
        pattern: None,
        count: 9,
        seed: None,
        rate: None,
        batch: None,
    };
    // The test does not wait until the other server has received the campaign.
    let create = |hub: &Hub, key| {
        let order = &keyed(key, "f");
        Operation { hub, now: NOW, campaign: &id(), order }.create(&new, 200)
    };
    let made = create(&one, "k0").unwrap();
    assert_eq!(create(&two, "k0"), Ok(made));
    assert_eq!(create(&two, "k1").unwrap_err().code, Code::ExpectedStateMismatch);

    let refused = to_dns(&two, &keyed("k2", "f")).unwrap_err();
    assert_eq!(refused.code, Code::PrerequisitesNotMet);
    let order = &keyed("k2", "f");
    let again = Operation { hub: &one, now: NOW, campaign: &id(), order }.pause().unwrap_err();
    assert_eq!(again, refused, "the first answer stands, whatever is asked later");
    let other = to_dns(&one, &keyed("k2", "another")).unwrap_err();
    assert_eq!((other.code, other.status), (Code::InvalidBody, Some(422)));

    let given = |hub: &Hub| {
        let order = &keyed("k3", "f");
        Operation { hub, now: NOW, campaign: &id(), order }.set_owner(Some("bob".into()))
    };
    let done = given(&two).unwrap();
    assert_eq!(given(&one), Ok(done.clone()));
    let fresh = hub(&nats, "3.db");
    assert_eq!(given(&fresh), Ok(done));
    assert_eq!(fresh.log().transactions(&id()), one.log().transactions(&id()));
}

#[test]
fn servers_racing_under_one_key_all_give_one_answer() {
    let nats = Nats::cluster();
    let logs: Vec<Arc<NatsLog>> =
        (0..3).map(|n| Arc::new(nats.log(&nats.file(&format!("{n}.db")), "first"))).collect();
    let hubs: Vec<Arc<Hub>> = logs.iter().map(|log| Arc::new(Hub::new(log.clone()))).collect();
    hubs.iter().for_each(Hub::attach);
    completed(&logs[0], &id());
    logs.iter().for_each(|log| reaches(log, &id(), 4));
    for round in 0..20 {
        // The first round is accepted. The later rounds, each with another key, are refused.
        let key = format!("race-{round}");
        let barrier = Barrier::new(hubs.len());
        let race = |hub: &Hub| {
            barrier.wait();
            to_dns(hub, &keyed(&key, "f"))
        };
        let answers: Vec<Answer> = thread::scope(|scope| {
            let racing: Vec<_> = hubs.iter().map(|hub| scope.spawn(|| race(hub))).collect();
            racing.into_iter().map(|it| it.join().unwrap()).collect()
        });
        assert_eq!(answers[0].is_ok(), round == 0);
        assert!(answers.iter().all(|it| *it == answers[0]), "{answers:?}");
    }
    let audit_entry = logs[0].transactions(&id()).unwrap();
    assert_eq!(audit_entry.iter().filter(|it| it.result == "accepted").count(), 1);
    assert_eq!(audit_entry.len(), 20, "one entry for each key");
}

#[test]
fn append_with_a_used_key_conflicts_on_every_server() {
    let nats = Nats::start();
    let (one, two) = (nats.log(&nats.file("1.db"), "first"), nats.log(&nats.file("2.db"), "x"));
    one.append(&id(), 0, &[created()]).unwrap();
    reaches(&two, &id(), 1);
    one.record_refusal(&id(), &refusal(Some("k"), "behind")).unwrap();
    let draft = Draft { audit_entry: Some(refusal(Some("k"), "accepted")), ..row(0) };
    assert_eq!(two.append(&id(), 1, &[draft]), Err(LogError::Conflict { head: 1 }));
    two.append(&id(), 1, &[row(0)]).unwrap();
    assert_eq!(results(&two), ["behind"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_entries_are_stored_once_and_outlive_truncation() {
    let nats = tokio::task::spawn_blocking(Nats::start).await.unwrap();
    let open = |name: &str| nats.log(&nats.file(name), "first");
    let log = open("1.db");
    let draft = Draft { audit_entry: Some(refusal(Some("k1"), "accepted")), ..row(0) };
    log.append(&id(), 0, &[created()]).unwrap();
    let context = async_nats::jetstream::new(async_nats::connect(nats.addresses()).await.unwrap());
    // The first half of a publication whose writer died. An opened copy starts to read there again.
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Campaign-Part", "dead.0 0 2");
    let subject = format!("campaign-sync.log.{}", id());
    context.publish_with_headers(subject, headers, "{".into()).await.unwrap().await.unwrap();
    for result in ["behind", "illegal_transition"] {
        log.record_refusal(&id(), &refusal(None, result)).unwrap();
    }
    drop(log);
    let log = open("1.db");
    assert_eq!(results(&log), ["behind", "illegal_transition"]);
    log.append(&id(), 1, &[draft]).unwrap();
    log.record_refusal(&id(), &refusal(Some("k2"), "behind")).unwrap();
    let expected = ["behind", "illegal_transition", "accepted", "behind"];
    assert_eq!(results(&log), expected);
    let behind = open("2.db");
    assert_eq!(results(&behind), expected);
    drop(behind);
    log.record_refusal(&id(), &refusal(None, "missed")).unwrap();
    // The copy that is behind misses the messages that are purged now, and gets their content from the
    // image.
    log.truncate(&id(), 2).unwrap();
    let stream = context.get_stream("campaign-sync").await.unwrap();
    assert_eq!(stream.cached_info().state.messages, 1, "only the image is left");
    log.record_refusal(&id(), &refusal(None, "last")).unwrap();
    let before = log.transactions(&id()).unwrap();
    assert_eq!(before.len(), expected.len() + 2);
    for name in ["2.db", "fresh.db"] {
        let other = open(name);
        assert_eq!(other.transactions(&id()).unwrap(), before);
        assert_eq!(other.audit_entry(&id(), "k1").unwrap(), log.audit_entry(&id(), "k1").unwrap());
    }
}

#[test]
fn server_that_missed_refusals_gets_those_that_are_kept() {
    let nats = Nats::start();
    let (one, two) = (nats.log(&nats.file("1.db"), "first"), nats.log(&nats.file("2.db"), "x"));
    one.append(&id(), 0, &[created(), row(0), row(1)]).unwrap();
    one.record_refusal(&id(), &refusal(Some("first"), "behind")).unwrap();
    reaches(&two, &id(), 3);
    // A lookup by key waits until the copy has the entry.
    assert!(two.audit_entry(&id(), "first").unwrap().is_some());
    drop(two);
    let file = |n| one.record_refusal(&id(), &refusal(Some(&format!("k{n}")), "behind")).unwrap();
    (0..REFUSALS_MAX).for_each(file);
    // Truncation publishes an image of the current state, and purges all earlier messages.
    one.truncate(&id(), 2).unwrap();
    let two = nats.log(&nats.file("2.db"), "x");
    assert_eq!(two.transactions(&id()).unwrap(), one.transactions(&id()).unwrap());
    // The same holds if this server publishes the image.
    two.append(&id(), 3, &[row(2)]).unwrap();
    two.truncate(&id(), 3).unwrap();
    let three = nats.log(&nats.file("3.db"), "x");
    assert_eq!(three.transactions(&id()).unwrap(), one.transactions(&id()).unwrap());
}
