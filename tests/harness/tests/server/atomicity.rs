//! Makes every step of a transition fail once: nothing visible changes, and the server sends no event.
//! Database triggers cause the failures.

use std::time::Duration;

use campaign_sync_harness::options::Options;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::nats::Nats;
use super::support::{Client, Server, parse};

/// The step at which a transaction fails, and the SQL that makes it fail. The last one fails at the commit,
/// because SQLite checks a deferred constraint only then.
pub(crate) const STEPS: [(&str, &str); 4] = [
    (
        "the event",
        "CREATE TRIGGER broken BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'broken'); END",
    ),
    (
        "the transaction log",
        "CREATE TRIGGER broken BEFORE INSERT ON transaction_log
         BEGIN SELECT RAISE(ABORT, 'broken'); END",
    ),
    (
        "status, phase, counters and head",
        "CREATE TRIGGER broken BEFORE INSERT ON campaigns
         BEGIN SELECT RAISE(ABORT, 'broken'); END",
    ),
    (
        "the commit",
        "CREATE TRIGGER broken AFTER INSERT ON events BEGIN INSERT INTO orphans VALUES (1); END",
    ),
];

pub(crate) fn sql(server: &Server, statement: &str) {
    let connection = Connection::open(server.file()).unwrap();
    // A feed may be writing at the same time.
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection.execute_batch(statement).unwrap();
}

/// Creates the tables that the last of [`STEPS`] needs.
pub(crate) fn with_orphans(server: &Server) {
    sql(
        server,
        "CREATE TABLE nobody (id INTEGER PRIMARY KEY);
         CREATE TABLE orphans (parent REFERENCES nobody (id) DEFERRABLE INITIALLY DEFERRED)",
    );
}

/// All rows of the tables, as text.
fn tables(server: &Server) -> Vec<String> {
    let connection = Connection::open(server.file()).unwrap();
    let mut lines = Vec::new();
    for table in ["campaigns", "domains", "events", "transaction_log"] {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let rows = statement
            .query_map([], |row| {
                (0..columns).map(|it| row.get::<_, rusqlite::types::Value>(it)).collect()
            })
            .unwrap();
        let rows: Vec<Vec<_>> = rows.map(Result::unwrap).collect();
        lines.extend(rows.iter().map(|row| format!("{table} {row:?}")));
    }
    lines
}

async fn heads(client: &mut Client) -> Value {
    client.say(json!({"type": "ping", "payload": {"timestamp": 1}})).await;
    client.control("pong").await["heads"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_transition_step_changes_nothing_and_sends_no_event() {
    whichever_fails(&Server::start().await, &STEPS, async || 0).await;
}

/// Skips the commit step: on a shared log the stream commits.
#[tokio::test(flavor = "multi_thread")]
async fn failed_step_publishes_nothing_on_a_shared_log() {
    let nats = tokio::task::spawn_blocking(Nats::start).await.unwrap();
    let server = Server::with(|it| it.log = Some(nats.place().parse().unwrap())).await;
    whichever_fails(&server, &STEPS[..3], async || nats.last_message().await).await;
}

/// `published` returns the number of the stream's last message, or 0 if there is no stream.
async fn whichever_fails(
    server: &Server,
    steps: &[(&str, &str)],
    published: impl AsyncFn() -> u64,
) {
    server.generated("c1", 60).await;
    with_orphans(server);
    for [configure, start] in [
        ["configure-dns", "validate-dns"],
        ["configure-http", "validate-http"],
        ["configure-analysis", "analyze"],
    ] {
        whichever_fails_into(server, [configure, start], steps, &published).await;
        assert_eq!(server.act("c1", start).await.status, 200);
        server.completed("c1").await;
    }
    assert_eq!(server.audit_trail("c1").await.len(), 3);
}

async fn whichever_fails_into(
    server: &Server,
    [configure, start]: [&str; 2],
    steps: &[(&str, &str)],
    published: &impl AsyncFn() -> u64,
) {
    let position = server.get("/campaigns/c1").await.position.unwrap();
    let head: u64 = position.split_once('/').unwrap().1.parse().unwrap();
    let mut client = Client::subscribed(&server.address, "c1").await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": head})).await;
    client.control("event_recovery").await;
    let before = server.get("/campaigns/c1/snapshot").await;
    let (stored, reported) = ((tables(server), published().await), heads(&mut client).await);
    for (step, broken) in steps {
        for action in [configure, start] {
            sql(server, broken);
            let failed = server.keyed(&format!("/campaigns/c1/{action}"), action, json!({})).await;
            assert_eq!(failed.code(), (503, "internal"), "{step}");
            sql(server, "DROP TRIGGER broken");
            let after = server.get("/campaigns/c1/snapshot").await;
            assert_eq!((&after.body, &after.position), (&before.body, &before.position), "{step}");
            assert_eq!((tables(server), published().await), stored, "{step}");
            // The pong is the next document of this socket, so no event was sent before it.
            assert_eq!(heads(&mut client).await, reported, "{step}");
        }
    }
    // The failed request left no audit entry under its key.
    let done = server.keyed(&format!("/campaigns/c1/{configure}"), configure, json!({})).await;
    assert_eq!(done.body["position"]["sequenceNumber"], head + 1, "no number was used up");
    let event = parse(&client.document().await);
    assert_eq!(event["sequence"]["sequenceNumber"], head + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_error_recovery_leaves_the_phase_unchanged() {
    let server = Server::start().await;
    server.generated("c1", 20).await;
    with_orphans(&server);
    server.act("c1", "configure-dns").await;
    let before = server.get("/campaigns/c1/snapshot").await.body;
    for (step, broken) in STEPS {
        sql(&server, broken);
        assert_eq!(server.act("c1", "rollback").await.code(), (503, "internal"), "{step}");
        sql(&server, "DROP TRIGGER broken");
        assert_eq!(server.get("/campaigns/c1/snapshot").await.body, before, "{step}");
    }
    assert_eq!(server.act("c1", "rollback").await.status, 200);
}

/// Every number that the campaign record keeps beside the rows. Each is corrupted separately.
const COUNTERS: [&str; 7] = [
    "total_items",
    "processed_items",
    "successful_items",
    "failed_items",
    "total_domain_count",
    "domains_count",
    "domains_digest",
];

#[tokio::test(flavor = "multi_thread")]
async fn transition_is_refused_and_announced_if_a_counter_is_wrong() {
    let quick = |options: &mut Options| options.faults = true;
    for counter in COUNTERS {
        let server = Server::with(quick).await;
        let head = server.generated("c1", 20).await;
        let mut client = Client::subscribed(&server.address, "c1").await;
        client.recover(json!({"campaignId": "c1", "lastSequenceNumber": head})).await;
        client.control("event_recovery").await;
        let value = if counter == "domains_digest" { "'0123456789abcdef'" } else { "19" };
        sql(&server, &format!("UPDATE campaigns SET {counter} = {value}"));
        let before = server.get("/campaigns/c1").await.body;
        let refused = server.act("c1", "configure-dns").await;
        assert_eq!(refused.code(), (409, "integrity_check_failed"), "{counter}");
        let announced = parse(&client.document().await);
        assert_eq!(announced["type"], "campaign.phase.transition");
        assert_eq!(announced["data"]["dataIntegrityCheck"], false, "{counter}");
        assert_eq!(announced["data"]["transitionMetadata"]["countedRows"], 20);
        let after = server.get("/campaigns/c1").await.body;
        assert_eq!(after, before, "{counter}");
        assert_eq!(server.audit_trail("c1").await[0]["result"], "integrity_check_failed");
    }
}

/// A rollback recounts the values that it restores. The values that it keeps must be correct.
#[tokio::test(flavor = "multi_thread")]
async fn error_recovery_is_refused_if_the_row_count_is_corrupted() {
    for counter in &COUNTERS[4..] {
        let server = Server::start().await;
        server.generated("c1", 20).await;
        assert_eq!(server.act("c1", "configure-dns").await.status, 200);
        let value = if *counter == "domains_digest" { "'0123456789abcdef'" } else { "19" };
        sql(&server, &format!("UPDATE campaigns SET {counter} = {value}"));
        let refused = server.act("c1", "rollback").await;
        assert_eq!(refused.code(), (409, "integrity_check_failed"), "{counter}");
        assert_eq!(server.get("/campaigns/c1").await.body["currentPhase"], "dns_validation");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transition_is_refused_if_a_row_changed_outside_the_log() {
    let changes = [
        "UPDATE domains SET domain = 'other.example' WHERE offset_index = 3",
        "UPDATE domains SET row_hash = row_hash + 1, domain = 'other.example' WHERE offset_index = 3",
        "DELETE FROM domains WHERE offset_index = 3",
    ];
    for change in changes {
        let server = Server::start().await;
        server.generated("c1", 20).await;
        sql(&server, change);
        let refused = server.act("c1", "configure-dns").await;
        assert_eq!(refused.code(), (409, "integrity_check_failed"), "{change}");
        assert_eq!(server.get("/campaigns/c1").await.body["currentPhase"], "domain_generation");
    }
}
