//! The catalogue (docs/PROTOCOL.md, chapter 20), on both logs.

use std::collections::BTreeMap;

use campaign_sync::protocol::campaign::CampaignRecord;
use campaign_sync::protocol::{Phase, Status};
use campaign_sync_harness::campaign::drafts;
use campaign_sync_harness::log::sqlite::SqliteLog;
use campaign_sync_harness::log::{CampaignId, EventLog as _, Settings};
use serde_json::{Value, json};

use super::encrypted::sealing;
use super::log::NOW;
use super::sessions::{asks, asks_with, bearer, connects, creates, guarded, user};
use super::shared_sessions::{guarded_at, nats, two};
use super::support::{Client, Server, parse};

/// A list as a client keeps it, which accepts only what the contract allows.
#[derive(Debug, Default)]
pub(crate) struct List {
    epoch: String,
    number: u64,
    pub(crate) campaigns: BTreeMap<String, Value>,
    /// The parts since part 1.
    staged: Vec<Value>,
    snapshots: u64,
    pub(crate) changes: u64,
}

impl List {
    /// Takes a part. Returns whether it was the last one.
    pub(crate) fn take(&mut self, part: Value) -> bool {
        if part["part"] == 1 {
            self.staged.clear();
        }
        assert!(part.to_string().len() <= 262_144, "{}", part.to_string().len());
        self.staged.push(part);
        let (first, last) = (&self.staged[0], self.staged.last().unwrap());
        assert_eq!(last["part"], self.staged.len());
        for same in ["parts", "total", "epoch", "sequenceNumber", "previousSequenceNumber"] {
            assert_eq!(first[same], last[same], "{same}");
        }
        if last["part"] != last["parts"] {
            return false;
        }
        let (total, number) = (last["total"].as_u64().unwrap(), last["sequenceNumber"].as_u64());
        match first["previousSequenceNumber"].as_u64() {
            None => {
                self.campaigns.clear();
                self.snapshots += 1;
            }
            Some(base) => assert_eq!((base, &first["epoch"]), (self.number, &json!(self.epoch))),
        }
        self.changes += u64::from(first["requestId"].is_null());
        (self.epoch, self.number) = (first["epoch"].as_str().unwrap().to_owned(), number.unwrap());
        let mut before = String::new();
        for part in std::mem::take(&mut self.staged) {
            for summary in part["campaigns"].as_array().unwrap() {
                let id = summary["campaignId"].as_str().unwrap().to_owned();
                assert!(before < id, "{before} {id}");
                before.clone_from(&id);
                self.campaigns.insert(id, summary.clone());
            }
            for id in part["removed"].as_array().into_iter().flatten() {
                assert!(self.campaigns.remove(id.as_str().unwrap()).is_some(), "{id}");
            }
        }
        assert_eq!(self.campaigns.len() as u64, total);
        true
    }

    /// Requests the list from the present position, and receives the answer.
    pub(crate) async fn subscribe(&mut self, client: &mut Client) {
        let mut payload = json!({"requestId": "q"});
        if self.number > 0 {
            payload["epoch"] = json!(self.epoch);
            payload["lastSequenceNumber"] = json!(self.number);
        }
        client.say(json!({"type": "subscribe_catalogue", "payload": payload})).await;
        loop {
            let part = client.control("catalogue").await;
            assert_eq!(part["requestId"], "q");
            if self.take(part) {
                return;
            }
        }
    }

    /// Receives changes until the list fulfils the condition.
    pub(crate) async fn until(&mut self, client: &mut Client, fulfilled: impl Fn(&Self) -> bool) {
        while !fulfilled(self) {
            self.take(client.control("catalogue").await);
        }
    }

    pub(crate) fn ids(&self) -> Vec<&str> {
        self.campaigns.keys().map(String::as_str).collect()
    }

    fn phase(&self, id: &str) -> &Value {
        &self.campaigns[id]["campaign"]["currentPhase"]
    }
}

async fn pong(client: &mut Client) -> Value {
    client.say(json!({"type": "ping", "payload": {"timestamp": 3}})).await;
    loop {
        let document = parse(&client.document().await);
        if document["type"] == "pong" && document["data"]["timestamp"] == 3 {
            return document["data"]["catalogue"].clone();
        }
    }
}

/// A server with each log.
async fn servers() -> (super::nats::Nats, [Server; 2]) {
    let nats = nats().await;
    let servers = [guarded(|_| {}).await, guarded_at(&nats.place()).await];
    (nats, servers)
}

// R20.1, R20.4, R20.6, R20.7
#[tokio::test(flavor = "multi_thread")]
async fn catalogue_lists_the_campaigns_of_the_user_only() {
    let (_nats, servers) = servers().await;
    for server in servers {
        let (ada, bob) = (bearer(&server, "ada-l").await, bearer(&server, "bob-m").await);
        for (token, id) in [(&ada, "a1"), (&bob, "b1"), (&ada, "a2")] {
            creates(&server, token, id).await;
        }
        let (mut list, mut client) = (List::default(), connects(&server, &ada).await);
        list.subscribe(&mut client).await;
        assert_eq!(list.ids(), ["a1", "a2"]);
        let detail = asks(&server, &ada, "GET", "/campaigns/a1").await;
        let summary = &list.campaigns["a1"];
        let at = format!("{}/{}", summary["epoch"].as_str().unwrap(), summary["sequenceNumber"]);
        assert_eq!(detail.position.unwrap(), at);
        assert_eq!(summary["campaign"]["phaseStatus"], detail.body["phaseStatus"]);
        let mut all = List::default();
        let mut operator = connects(&server, "operator-token").await;
        all.subscribe(&mut operator).await;
        assert_eq!(all.ids(), ["a1", "a2", "b1"]);
    }
}

// R20.6, R20.9
#[tokio::test(flavor = "multi_thread")]
async fn catalogue_follows_creation_transition_and_deletion() {
    let (_nats, servers) = servers().await;
    for server in servers {
        let ada = bearer(&server, "ada-l").await;
        let (mut list, mut client) = (List::default(), connects(&server, &ada).await);
        list.subscribe(&mut client).await;
        assert_eq!(list.ids(), [""; 0], "an empty list is an answer");
        creates(&server, &ada, "c1").await;
        list.until(&mut client, |list| list.ids() == ["c1"]).await;
        assert_eq!(asks(&server, &ada, "POST", "/campaigns/c1/start").await.status, 200);
        list.until(&mut client, |list| {
            list.campaigns["c1"]["campaign"]["phaseStatus"] == "completed"
        })
        .await;
        assert_eq!(list.campaigns["c1"]["campaign"]["totalDomainCount"], 20);
        asks(&server, &ada, "POST", "/campaigns/c1/configure-dns").await;
        list.until(&mut client, |list| list.phase("c1") == "dns_validation").await;
        asks(&server, &ada, "DELETE", "/campaigns/c1").await;
        list.until(&mut client, |list| list.ids().is_empty()).await;
        assert_eq!(list.snapshots, 1);
    }
}

// R20.6
#[tokio::test(flavor = "multi_thread")]
async fn campaign_given_away_leaves_one_list_and_enters_another() {
    let (_nats, servers) = servers().await;
    for server in servers {
        let (ada, bob) = (bearer(&server, "ada-l").await, bearer(&server, "bob-m").await);
        creates(&server, &ada, "c1").await;
        let (mut hers, mut her) = (List::default(), connects(&server, &ada).await);
        let (mut his, mut him) = (List::default(), connects(&server, &bob).await);
        hers.subscribe(&mut her).await;
        his.subscribe(&mut him).await;
        assert_eq!((hers.ids(), his.ids()), (vec!["c1"], vec![]));
        let given = json!({"owner": "bob-m"});
        let answer = asks_with(&server, &ada, "PUT", "/campaigns/c1/owner", given).await;
        assert_eq!(answer.status, 200);
        hers.until(&mut her, |list| list.ids().is_empty()).await;
        his.until(&mut him, |list| list.ids() == ["c1"]).await;
        // Nothing of it arrives any more.
        asks(&server, &bob, "POST", "/campaigns/c1/start").await;
        his.until(&mut him, |list| list.campaigns["c1"]["campaign"]["phaseStatus"] == "completed")
            .await;
        let head = pong(&mut her).await;
        assert_eq!(head["lastSequenceNumber"], hers.number);
    }
}

// R20.5, R20.11
#[tokio::test(flavor = "multi_thread")]
async fn catalogue_is_recovered_by_number_while_the_server_remembers() {
    let mut server = guarded(|_| {}).await;
    let ada = bearer(&server, "ada-l").await;
    for id in ["c1", "c2", "c3"] {
        creates(&server, &ada, id).await;
    }
    let (mut list, mut client) = (List::default(), connects(&server, &ada).await);
    list.subscribe(&mut client).await;
    drop(client);
    asks(&server, &ada, "DELETE", "/campaigns/c1").await;
    creates(&server, &ada, "c4").await;
    let mut client = connects(&server, &ada).await;
    list.subscribe(&mut client).await;
    assert_eq!((list.ids(), list.snapshots), (vec!["c2", "c3", "c4"], 1));
    let number = list.number;
    list.subscribe(&mut client).await;
    assert_eq!((list.number, list.snapshots), (number, 1), "nothing changed");
    // Another epoch, and a number that the feed never had.
    for strange in [
        json!({"epoch": "other", "lastSequenceNumber": 1}),
        json!({"epoch": list.epoch, "lastSequenceNumber": 900}),
    ] {
        client.say(json!({"type": "subscribe_catalogue", "payload": strange})).await;
        assert!(client.control("catalogue").await["previousSequenceNumber"].is_null());
    }
    server.stop().await;
    let epoch = list.epoch.clone();
    let directory = server.db.parent().unwrap().join("users");
    server.restart(|options| options.users = Some(directory)).await;
    let ada = bearer(&server, "ada-l").await;
    let mut client = connects(&server, &ada).await;
    list.subscribe(&mut client).await;
    assert_eq!((list.ids(), list.snapshots), (vec!["c2", "c3", "c4"], 2));
    assert_ne!(list.epoch, epoch);
}

// R20.13, R20.14, R20.15
#[tokio::test(flavor = "multi_thread")]
async fn pong_states_the_catalogue_only_while_it_is_subscribed() {
    let server = guarded(|_| {}).await;
    let ada = bearer(&server, "ada-l").await;
    creates(&server, &ada, "c1").await;
    let (mut list, mut client) = (List::default(), connects(&server, &ada).await);
    assert_eq!(pong(&mut client).await, Value::Null);
    list.subscribe(&mut client).await;
    let head = pong(&mut client).await;
    assert_eq!(
        (&head["epoch"], &head["lastSequenceNumber"]),
        (&json!(list.epoch), &json!(list.number))
    );
    // A change that must wait for its second is stated as a lag.
    creates(&server, &ada, "c2").await;
    list.until(&mut client, |list| list.ids() == ["c1", "c2"]).await;
    creates(&server, &ada, "c3").await;
    client.say(json!({"type": "ping", "payload": {"timestamp": 3}})).await;
    let document = parse(&client.document().await);
    if document["type"] == "pong" {
        assert!(document["data"]["catalogue"]["lagMs"].as_u64() > Some(0), "{document}");
    }
    client.say(json!({"type": "unsubscribe_catalogue"})).await;
    assert_eq!(pong(&mut client).await, Value::Null);
    creates(&server, &ada, "c4").await;
    assert_eq!(parse(&client.document().await)["type"], "pong", "a heartbeat, and no part");
}

// R20.3
#[tokio::test(flavor = "multi_thread")]
async fn sealed_server_has_no_catalogue() {
    let (server, _directory) = sealing(&["k1"]).await;
    let mut client = Client::silent(&server.address).await;
    let init = json!({"type": "connection_init", "protocols": ["campaign-sync.v1.sealed"]});
    client.say(init).await;
    assert_eq!(client.control("connection_ack").await["profiles"], json!([]));
    client.say(json!({"type": "subscribe_catalogue", "payload": {"requestId": "q"}})).await;
    let error = client.control("error").await;
    assert_eq!((&error["code"], &error["requestId"]), (&json!("unknown_type"), &json!("q")));
}

// R14.15
#[tokio::test(flavor = "multi_thread")]
async fn place_of_an_ended_subscription_is_free() {
    let server = guarded(|options| options.delivery.max_subscriptions = 1).await;
    let ada = bearer(&server, "ada-l").await;
    creates(&server, &ada, "c1").await;
    creates(&server, &ada, "c2").await;
    let mut client = connects(&server, &ada).await;
    let subscribe = |id: &str| json!({"type": "subscribe_campaign", "campaignId": id});
    client.say(subscribe("c1")).await;
    client.control("subscription_confirmed").await;
    client.say(subscribe("c2")).await;
    let error = client.control("error").await;
    assert_eq!((&error["code"], &error["campaignId"]), (&json!("too_many"), &json!("c2")));
    assert!(error["requestId"].is_null());
    client.say(json!({"type": "unsubscribe_campaign", "campaignId": "c1"})).await;
    client.control("subscription_ended").await;
    client.say(subscribe("c2")).await;
    client.control("subscription_confirmed").await;
}

/// Client and server may be on different servers of a shared log, which have different feeds.
#[tokio::test(flavor = "multi_thread")]
async fn change_at_one_server_reaches_the_catalogue_at_another() {
    let nats = nats().await;
    let (one, other) = two(&nats).await;
    let ada = bearer(&one, "ada-l").await;
    creates(&one, &ada, "c1").await;
    let (mut list, mut client) = (List::default(), connects(&other, &ada).await);
    list.subscribe(&mut client).await;
    list.until(&mut client, |list| list.ids() == ["c1"]).await;
    creates(&one, &ada, "c2").await;
    asks(&one, &ada, "DELETE", "/campaigns/c1").await;
    list.until(&mut client, |list| list.ids() == ["c2"]).await;
    // The other server has another feed: a snapshot, and the same list.
    let mut client = connects(&one, &ada).await;
    let snapshots = list.snapshots;
    list.subscribe(&mut client).await;
    assert_eq!((list.ids(), list.snapshots), (vec!["c2"], snapshots + 1));
}

// R20.4
#[tokio::test(flavor = "multi_thread")]
async fn answer_has_the_changes_that_wait_for_their_second() {
    let server = guarded(|_| {}).await;
    let ada = bearer(&server, "ada-l").await;
    let (mut list, mut client) = (List::default(), connects(&server, &ada).await);
    list.subscribe(&mut client).await;
    creates(&server, &ada, "c1").await;
    list.until(&mut client, |list| list.ids() == ["c1"]).await;
    // The next second has just begun.
    creates(&server, &ada, "c2").await;
    let (mut other, mut second) = (List::default(), connects(&server, &ada).await);
    other.subscribe(&mut second).await;
    assert_eq!(other.ids(), ["c1", "c2"]);
    list.until(&mut client, |list| list.ids() == ["c1", "c2"]).await;
}

const MANY: usize = 10_000;

// R20.8, R20.10
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_campaigns_of_one_owner_are_listed() {
    let directory = tempfile::tempdir().unwrap();
    let log = SqliteLog::open(&directory.path().join("campaigns.db"), "log-1", false).unwrap();
    let settings = Settings { owner: Some("ada-l".into()), count: 5, ..Settings::default() };
    for number in 0..MANY {
        let id = CampaignId::new(&format!("campaign-{number:05}")).unwrap();
        let record = CampaignRecord {
            name: format!("Campaign {number}"),
            phase: Phase::DomainGeneration,
            status: Status::Configured,
            ..CampaignRecord::default()
        };
        log.append(&id, 0, &[drafts::record(NOW, &id, "create", &record, &settings)]).unwrap();
    }
    drop(log);
    let users = directory.path().join("users");
    std::fs::write(&users, format!("{}{}", user("ada-l"), user("bob-m"))).unwrap();
    let server = Server::over(directory, |options| {
        options.users = Some(users);
        options.metrics = Some("127.0.0.1:0".parse().unwrap());
    })
    .await;
    let ada = bearer(&server, "ada-l").await;
    let mut sockets = Vec::new();
    for _ in 0..4 {
        let (mut list, mut client) = (List::default(), connects(&server, &ada).await);
        list.subscribe(&mut client).await;
        assert_eq!(list.campaigns.len(), MANY);
        sockets.push((list, client));
    }
    // Ten of them change often; all sockets get the last state, and no snapshot.
    for number in 0..10 {
        let path = format!("/campaigns/campaign-{:05}/start", number * 7);
        assert_eq!(asks(&server, &ada, "POST", &path).await.status, 200);
    }
    asks(&server, &ada, "DELETE", "/campaigns/campaign-09999").await;
    for (list, client) in &mut sockets {
        let done = |list: &List| {
            let completed =
                list.campaigns.values().filter(|it| it["campaign"]["phaseStatus"] == "completed");
            list.campaigns.len() == MANY - 1 && completed.count() == 10
        };
        list.until(client, done).await;
        assert_eq!(list.snapshots, 1);
    }
    // The list counts once for all sockets of the user, and its texts are gone.
    let text = server.metrics().await;
    let line = text.lines().find(|it| it.contains("bytes_in_flight") && !it.starts_with('#'));
    let bytes: u64 = line.unwrap().rsplit_once(' ').unwrap().1.parse().unwrap();
    assert!((1_000_000..12_000_000).contains(&bytes), "{bytes} bytes in flight");
}

// R20.12
#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_of_the_catalogue_are_put_off() {
    let server = guarded(|options| options.delivery.recoveries_per_second = 1).await;
    let ada = bearer(&server, "ada-l").await;
    let mut client = connects(&server, &ada).await;
    for number in 0..8 {
        let payload = json!({"requestId": format!("q{number}")});
        client.say(json!({"type": "subscribe_catalogue", "payload": payload})).await;
    }
    // Of the requests within the limit, the server answers the latest. It refuses the others at once.
    let refusal = loop {
        let document = parse(&client.document().await);
        if document["type"] == "error" {
            break document;
        }
    };
    assert_eq!(refusal["data"]["code"], "rate_limited");
    assert!(refusal["data"]["retryAfterMs"].as_u64() > Some(0));
    assert!(refusal["data"]["requestId"].as_str().is_some_and(|id| id.starts_with('q')));
}
