//! `--encrypt-keys`: all content that leaves the server is sealed. Another implementation of the cipher
//! opens it with the contract (docs/ENCRYPTION.md) and the key.

use std::fs;
use std::path::Path;

use base64ct::{Base64, Encoding as _};
use campaign_sync_harness::keys::Keyring;
use campaign_sync_harness::log::compose::Chain;
use campaign_sync_harness::log::place::LogPlace;
use campaign_sync_harness::options::Options;
use campaign_sync_harness::server::run;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::log::{created, id};
use super::nats::Nats;
use super::sealed_reader::{Reader, SEALED, bytes};
use super::support::{Client, Copy, Server, options, rows_by_sql};

const NAME: &str = "Secret Orchard";

/// Writes a file of keys. The server seals with the first one.
fn key_file(directory: &Path, kids: &[&str]) -> std::path::PathBuf {
    let line = |kid: &&str| format!("{kid}:{}\n", Base64::encode_string(&bytes(kid)));
    let file = directory.join(format!("keys-{}", kids.join("-")));
    fs::write(&file, kids.iter().map(line).collect::<String>()).unwrap();
    file
}

/// A server that seals with the first of these keys.
pub(crate) async fn sealing(kids: &[&str]) -> (Server, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = key_file(directory.path(), kids);
    let server = Server::with(|options| {
        options.encrypt_keys = Some(file);
        options.requests_per_second = 100_000;
        options.metrics = Some(([127, 0, 0, 1], 0).into());
    });
    (server.await, directory)
}

async fn subscribed(address: &str) -> Client {
    let mut client = Client::silent(address).await;
    client.greet_in(SEALED).await;
    client.say(json!({"type": "subscribe_campaign", "campaignId": "c1"})).await;
    client.control("subscription_confirmed").await;
    client
}

/// Creates a campaign whose name and domains occur in no other text.
async fn create(server: &Server, count: u64) -> Value {
    let new = json!({"campaignId": "c1", "name": NAME, "count": count, "rate": 20_000, "batch": 7,
        "pattern": "zebra-{n}.example"});
    let created = server.post("/campaigns", new).await;
    assert_eq!(created.status, 201, "{}", created.body);
    created.body
}

fn secrets(db: &Path) -> Vec<String> {
    let domains = rows_by_sql(db, "c1").into_values();
    let mut words: Vec<String> =
        domains.map(|row| row["domain"].as_str().unwrap().to_owned()).collect();
    words.extend([NAME, "\"domains\"", "domainId", "currentPhase", "resolved"].map(str::to_owned));
    words
}

/// The published bytes of the log.
fn published(db: &Path) -> Vec<String> {
    let connection = Connection::open(db).unwrap();
    let mut statement = connection
        .prepare("SELECT document FROM events ORDER BY campaign_id, sequence_number")
        .unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Follows a campaign through all its phases.
async fn through_all_phases(server: &Server, reader: &mut Reader) -> Copy {
    let mut client = subscribed(&server.address).await;
    let mut copy = Copy::default();
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0, "requestId": "r1"})).await;
    let actions = [
        ("start", "domain_generation"),
        ("validate-dns", "dns_validation"),
        ("validate-http", "http_keyword_validation"),
        ("analyze", "analysis"),
    ];
    for (action, phase) in actions {
        let acted = server.act("c1", action).await;
        assert_eq!(acted.status, 200);
        let change = reader.answer(&acted.body, "rest.change");
        assert_eq!(change["campaign"]["name"], NAME);
        let done = |copy: &Copy| copy.phase == phase && copy.status == "completed";
        reader.follow(&mut client, &mut copy, done).await;
    }
    copy
}

// R19.5, R19.6, R19.7, R19.21, R19.23
#[tokio::test(flavor = "multi_thread")]
async fn only_a_reader_with_the_key_sees_the_content_of_all_phases() {
    let (server, _directory) = sealing(&["2031-a"]).await;
    let mut reader = Reader::default();
    let created = create(&server, 60).await;
    assert_eq!(reader.answer(&created, "rest.change")["campaign"]["name"], NAME);
    let copy = through_all_phases(&server, &mut reader).await;
    assert_eq!(copy.rows, rows_by_sql(&server.db, "c1"));
    assert_eq!(copy.rows.len(), 60);
    assert_eq!(copy.documents, published(&server.db), "what is replayed is what was published");

    let mut client = subscribed(&server.address).await;
    let ask = json!({"campaignId": "c1", "lastSequenceNumber": 0, "requestId": "r2",
        "prefer": "snapshot"});
    client.recover(ask).await;
    let mut fresh = Copy::default();
    reader.follow(&mut client, &mut fresh, |it| it.number == copy.number).await;
    assert_eq!((&fresh.rows, &fresh.phase), (&copy.rows, &copy.phase));
    let all: Vec<u8> = (0..=255).collect();
    client
        .say(json!({"type": "request_campaign_snapshot",
            "payload": {"campaignId": "c1", "requestId": "r3", "buckets": all}}))
        .await;
    let mut repaired = Copy::default();
    reader.follow(&mut client, &mut repaired, |it| it.number == copy.number).await;
    assert_eq!(repaired.rows, copy.rows);

    for (path, route) in [
        ("/campaigns/c1", "rest.campaign"),
        ("/campaigns/c1/domains?limit=1000", "rest.domains"),
        ("/campaigns/c1/snapshot", "rest.snapshot"),
        ("/campaigns/c1/transitions", "rest.transitions"),
    ] {
        let answer = server.get(path).await;
        let opened = reader.answer(&answer.body, route);
        match route {
            "rest.campaign" => assert_eq!(opened["name"], NAME),
            "rest.transitions" => assert!(!opened["transitions"].as_array().unwrap().is_empty()),
            _ => assert_eq!(opened["domains"].as_array().unwrap().len(), 60, "{path}"),
        }
        if let Some(position) = answer.position {
            let number = position.rsplit_once('/').unwrap().1;
            assert_eq!(number, answer.body["sequenceNumber"].to_string());
        }
    }
    let list = server.get("/campaigns").await.body;
    assert_eq!(reader.answer(&list["campaigns"][0], "rest.campaign")["name"], NAME);

    reader.seen.extend(published(&server.db));
    reader.assert_secret(&secrets(&server.db));
    assert_eq!(reader.nonces.len(), reader.sealed, "no nonce is used twice");
    let metrics = server.metrics().await;
    let seals = metrics.lines().find_map(|it| it.strip_prefix("campaign_sync_seals_total "));
    assert!(seals.unwrap().parse::<usize>().unwrap() >= reader.sealed, "{metrics}");
}

// R19.25
#[tokio::test(flavor = "multi_thread")]
async fn key_rotation_keeps_old_events_readable() {
    let (mut server, directory) = sealing(&["2031-a"]).await;
    create(&server, 20).await;
    let before = published(&server.db);
    server.stop().await;
    let rotated = key_file(directory.path(), &["2031-b", "2031-a"]);
    server.restart(|options| options.encrypt_keys = Some(rotated)).await;
    let mut reader = Reader::default();
    let copy = through_all_phases(&server, &mut reader).await;
    assert_eq!(copy.rows, rows_by_sql(&server.db, "c1"));
    assert_eq!(copy.documents[..before.len()], before, "old bytes stay");
    assert_eq!(reader.kids, ["2031-a", "2031-b"].map(str::to_owned).into());
    assert!(copy.documents[before.len()..].iter().all(|it| it.contains("\"kid\":\"2031-b\"")));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_rollback_and_history_work_on_a_sealed_log() {
    let (server, _directory) = sealing(&["2031-a"]).await;
    create(&server, 20).await;
    let mut reader = Reader::default();
    let refused = server.act("c1", "validate-dns").await;
    assert_eq!(refused.status, 409);
    let mut client = subscribed(&server.address).await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0, "requestId": "r1"})).await;
    let mut copy = Copy::default();
    server.act("c1", "start").await;
    reader.follow(&mut client, &mut copy, |it| it.status == "completed").await;
    assert_eq!(server.act("c1", "configure-dns").await.status, 200);
    let back = server.act("c1", "rollback").await;
    assert_eq!(back.status, 200, "{}", back.body);
    let number = back.body["sequenceNumber"].as_u64().unwrap();
    reader.follow(&mut client, &mut copy, |it| it.number == number).await;
    assert_eq!(copy.rows, rows_by_sql(&server.db, "c1"));
    let trail = server.get("/campaigns/c1/transitions").await.body;
    let trail = reader.answer(&trail, "rest.transitions");
    let results: Vec<_> = trail["transitions"].as_array().unwrap().iter().collect();
    assert!(results.iter().any(|it| it["type"] == "error_recovery"), "{trail}");
    assert!(results.iter().any(|it| it["result"] != "accepted"), "{trail}");
}

// R19.2, R19.3
#[tokio::test(flavor = "multi_thread")]
async fn unsupported_protocol_closes_after_naming_the_right_one() {
    let (sealed, _directory) = sealing(&["2031-a"]).await;
    let plain = Server::start().await;
    for (server, offered, spoken) in
        [(&sealed, "campaign-sync.v1", SEALED), (&plain, SEALED, "campaign-sync.v1")]
    {
        let mut client = Client::silent(&server.address).await;
        client.say(json!({"type": "connection_init", "protocols": [offered]})).await;
        assert_eq!(client.control("connection_ack").await["protocol"], spoken);
        assert_eq!(client.closed().await, Some(4400));
    }
    let mut client = Client::silent(&sealed.address).await;
    let both = json!({"type": "connection_init", "protocols": ["campaign-sync.v1", SEALED]});
    client.say(both).await;
    assert_eq!(client.control("connection_ack").await["protocol"], SEALED);
}

/// The error with which a server refuses to start.
async fn refusal(db: &Path, change: impl FnOnce(&mut Options)) -> String {
    let mut options = options(db.to_owned());
    change(&mut options);
    let refused = run(options, |_| panic!("it starts"), std::future::pending()).await;
    refused.unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn server_refuses_to_start_if_keys_do_not_match_the_log() {
    let (mut server, directory) = sealing(&["2031-a"]).await;
    create(&server, 5).await;
    server.stop().await;
    let file = |kids: &[&str]| Some(key_file(directory.path(), kids));
    let without = refusal(&server.db, |_| {}).await;
    assert!(without.contains("--encrypt-keys is needed"), "{without}");
    let other = refusal(&server.db, |it| it.encrypt_keys = file(&["2031-b"])).await;
    assert!(other.contains("unknown_key") && other.contains("`2031-a`"), "{other}");
    let same_name = directory.path().join("same-name");
    fs::write(&same_name, format!("2031-a:{}", Base64::encode_string(&[9; 32]))).unwrap();
    let wrong = refusal(&server.db, |it| it.encrypt_keys = Some(same_name)).await;
    assert!(wrong.contains("campaign c1") && wrong.contains("seal_broken"), "{wrong}");
    // A new epoch replays no older history, so the server needs none of the older keys.
    server.restart(|it| (it.encrypt_keys, it.new_epoch) = (file(&["2031-b"]), true)).await;
    let mut reader = Reader::default();
    let mut client = subscribed(&server.address).await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 1, "epoch": "x"})).await;
    let mut copy = Copy::default();
    reader.follow(&mut client, &mut copy, |it| it.number > 0).await;
    assert_eq!(reader.kids, ["2031-b".to_owned()].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn restored_backup_of_a_sealed_log_still_needs_its_keys() {
    let (mut server, directory) = sealing(&["2031-a"]).await;
    create(&server, 5).await;
    server.stop().await;
    // A database without its mark counts as restored.
    let mut mark = server.db.clone().into_os_string();
    mark.push(".mark");
    fs::remove_file(mark).unwrap();
    for _ in 0..2 {
        let without = refusal(&server.db, |_| {}).await;
        assert!(without.contains("--encrypt-keys is needed"), "{without}");
    }
    let file = key_file(directory.path(), &["2031-a"]);
    server.restart(|it| it.encrypt_keys = Some(file)).await;
    let mut client = subscribed(&server.address).await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 1, "epoch": "x"})).await;
    let mut reader = Reader::default();
    reader.follow(&mut client, &mut Copy::default(), |it| it.number > 0).await;
}

// R19.24
#[tokio::test(flavor = "multi_thread")]
async fn plain_log_becomes_sealed_only_with_a_new_epoch() {
    let mut server = Server::start().await;
    let head = server.generated("c1", 20).await;
    server.stop().await;
    let directory = tempfile::tempdir().unwrap();
    let file = key_file(directory.path(), &["2031-a"]);
    let refused = refusal(&server.db, |it| it.encrypt_keys = Some(file.clone())).await;
    assert!(refused.contains("--new-epoch"), "{refused}");
    server.restart(|it| (it.encrypt_keys, it.new_epoch) = (Some(file), true)).await;
    let mut reader = Reader::default();
    let mut client = subscribed(&server.address).await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0, "requestId": "r1"})).await;
    let mut copy = Copy::default();
    reader.follow(&mut client, &mut copy, |it| it.number == head).await;
    assert_eq!(copy.rows, rows_by_sql(&server.db, "c1"));
    assert_eq!(reader.sealed, 1, "the plain events are replayed to nobody");
}

#[test]
fn key_file_is_parsed_strictly_and_never_printed() {
    let key = Base64::encode_string(&[5; 32]);
    for (text, complaint) in [
        (String::new(), "no key"),
        ("# nothing\n\n".to_owned(), "no key"),
        ("abc".to_owned(), "line 1 is not kid:key"),
        (format!("a b:{key}"), "line 1: a kid"),
        (format!("a:{key}\na:{key}"), "line 2: a is there twice"),
        ("a:!!!".to_owned(), "line 1: the key of a is not base64"),
        ("a:AAAA".to_owned(), "has 3 bytes, not 32"),
    ] {
        let refused = Keyring::parse(&text).unwrap_err();
        assert!(refused.contains(complaint) && !refused.contains(&key), "{text}: {refused}");
    }
    let ring = Keyring::parse(&format!("# keys\n\na:{key}\n")).unwrap();
    let shown = format!("{ring:?}");
    assert!(shown.contains('a') && !shown.contains(&key) && !shown.contains("5, 5"), "{shown}");
}

/// The payloads of all messages in the stream.
async fn stream_bytes(nats: &Nats) -> Vec<String> {
    let client = async_nats::connect(nats.addresses()).await.unwrap();
    let stream = async_nats::jetstream::new(client).get_stream("campaign-sync").await.unwrap();
    let last = stream.cached_info().state.last_sequence;
    let mut messages = Vec::new();
    for sequence in 1..=last {
        if let Ok(message) = stream.get_raw_message(sequence).await {
            messages.push(String::from_utf8_lossy(&message.payload).into_owned());
        }
    }
    messages
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_share_a_stream_seal_all_of_it() {
    let nats = Nats::start();
    let directory = tempfile::tempdir().unwrap();
    let file = key_file(directory.path(), &["2031-a"]);
    let place: LogPlace = nats.place().parse().unwrap();
    let sharing = |options: &mut Options| {
        options.log = Some(place.clone());
        options.encrypt_keys = Some(file.clone());
        options.requests_per_second = 100_000;
        options.faults = true;
    };
    let one = Server::with(sharing).await;
    let two = Server::with(sharing).await;
    create(&one, 60).await;
    let mut reader = Reader::default();
    let copy = through_all_phases(&two, &mut reader).await;
    let rows = rows_by_sql(&two.db.with_extension("cache"), "c1");
    assert_eq!((&copy.rows, copy.rows.len()), (&rows, 60));
    // The server publishes the whole state before it truncates history.
    let mut messages = stream_bytes(&nats).await;
    let forget = json!({"campaignId": "c1"});
    assert_eq!(one.post("/faults/truncate", forget).await.status, 200);
    let image = stream_bytes(&nats).await;
    assert!(messages.len() > 8 && image.len() < messages.len());
    messages.extend(image);
    let third = Server::with(sharing).await;
    assert_eq!(rows_by_sql(&third.db.with_extension("cache"), "c1"), rows);
    assert!(messages.iter().all(|it| it.starts_with("{\"kid\":\"2031-a\"")));
    reader.seen.extend(messages);
    reader.assert_secret(&secrets(&two.db.with_extension("cache")));
    let place = || Some(nats.place().parse().unwrap());
    let without = refusal(&nats.file("three.db"), |it| it.log = place()).await;
    assert!(without.contains("--encrypt-keys is needed"), "{without}");
    let other = key_file(directory.path(), &["2031-b"]);
    let db = nats.file("four.db");
    let other = refusal(&db, |it| (it.log, it.encrypt_keys) = (place(), Some(other)));
    let other = other.await;
    assert!(other.contains("unknown_key") && other.contains("`2031-a`"), "{other}");
}

#[tokio::test(flavor = "multi_thread")]
async fn server_without_the_next_stream_key_stops_with_its_reason() {
    let nats = Nats::start();
    let directory = tempfile::tempdir().unwrap();
    let place: LogPlace = nats.place().parse().unwrap();
    let with = |kids: &[&str]| {
        let (file, place) = (key_file(directory.path(), kids), place.clone());
        move |options: &mut Options| {
            (options.log, options.encrypt_keys) = (Some(place), Some(file));
            options.metrics = Some(([127, 0, 0, 1], 0).into());
        }
    };
    let behind = Server::with(with(&["2031-a"])).await;
    let ahead = Server::with(with(&["2031-b", "2031-a"])).await;
    create(&ahead, 5).await;
    let until = std::time::Instant::now() + super::nats::WAIT_TIMEOUT;
    while behind.operations("/readyz").await.0 == 200 {
        assert!(std::time::Instant::now() < until, "it never notices");
    }
    let refused = behind.post("/campaigns", json!({"campaignId": "c2", "name": "x", "count": 1}));
    let refused = refused.await;
    assert_eq!(refused.code(), (503, "internal"));
    let message = refused.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("unknown_key") && message.contains("`2031-b`"), "{message}");
}

// R19.22
#[test]
fn sealed_event_ids_differ_for_equal_content() {
    let keys = Keyring::parse(&format!("2031-a:{}", Base64::encode_string(&[5; 32])));
    let keys = keys.expect("the keys are well-formed");
    let ids = [(); 2].map(|()| {
        let mut chain = Chain { epoch: "log-7".into(), number: 0, event_id: String::new() };
        chain.next(&id(), &created(), Some(&keys)).expect("it is sealed");
        chain.event_id
    });
    assert_ne!(ids[0], ids[1]);
}
