//! Repeated SIGKILL while several clients write: every event that was acknowledged to any client, over REST
//! or by a socket, is in the log, and no log has a gap.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use campaign_sync::protocol::CampaignId;
use campaign_sync_harness::log::EventLog as _;
use campaign_sync_harness::log::sqlite::SqliteLog;
use rand::RngExt as _;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::process::Process;
use super::support::{Client, Copy, Received, answer, parse, rows_by_sql};

/// The default number of kills. `CAMPAIGN_SYNC_CRASH_ROUNDS` overrides it.
const ROUNDS: u32 = 25;

/// Campaigns that are paused and resumed over REST, as fast as the server answers.
pub(crate) const WRITERS: usize = 3;

/// A campaign that is moved into its second phase and rolled back, as fast as the server answers.
pub(crate) const MOVED: &str = "moved";

/// Campaign, number and id of every event that was acknowledged to a client.
pub(crate) type Acknowledged = Arc<Mutex<Vec<(String, u64, String)>>>;

/// Requests these two actions for a campaign in turn, each under a new key, until the server is gone.
pub(crate) fn writer(
    address: &str,
    campaign: String,
    actions: [&'static str; 2],
    acknowledged: Acknowledged,
) -> JoinHandle<()> {
    let url = format!("http://{address}/api/v2/campaigns/{campaign}");
    tokio::spawn(async move {
        let client = reqwest::Client::new();
        for action in actions.iter().cycle() {
            let key = format!("{:x}", rand::random::<u64>());
            let asked = client.post(format!("{url}/{action}")).header("idempotency-key", key);
            let Ok(response) = asked.send().await else { return };
            let (status, text) = (response.status(), response.text().await);
            // An answer that was cut off acknowledges nothing.
            let Ok(Ok(body)) = text.map(|text| serde_json::from_str::<Value>(&text)) else {
                return;
            };
            if status.is_success() {
                let position = &body["position"];
                let number = position["sequenceNumber"].as_u64().unwrap();
                let id = position["eventId"].as_str().unwrap().to_owned();
                acknowledged.lock().unwrap().push((campaign.clone(), number, id));
            }
        }
    })
}

/// Follows a campaign by a socket until the server is gone.
fn follower(mut client: Client, acknowledged: Acknowledged) -> JoinHandle<()> {
    tokio::spawn(async move {
        while let Received::Document(document) = client.next().await {
            let sequence = &parse(&document)["sequence"];
            if let Some(number) = sequence["sequenceNumber"].as_u64() {
                let id = sequence["eventId"].as_str().unwrap().to_owned();
                acknowledged.lock().unwrap().push(("busy".to_owned(), number, id));
            }
        }
    })
}

pub(crate) async fn set_up(process: &Process) {
    for campaign in (0..WRITERS).map(|n| format!("w{n}")).chain(["busy".to_owned()]) {
        let rate = if campaign == "busy" { 2_000 } else { 1 };
        let new = json!({"campaignId": campaign, "name": "one", "count": 1_000_000, "rate": rate});
        process.post("/campaigns", new).await;
        process.post(&format!("/campaigns/{campaign}/start"), json!({})).await;
    }
    let new = json!({"campaignId": MOVED, "name": "one", "count": 100, "rate": 20_000});
    process.post("/campaigns", new).await;
    process.post(&format!("/campaigns/{MOVED}/start"), json!({})).await;
    let url = format!("http://{}/api/v2/campaigns/{MOVED}", process.address);
    while answer(reqwest::Client::new().get(&url)).await.body["phaseStatus"] != "completed" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Checks that every transition has both an audit entry and an event or neither, and that no audit entry
/// exists twice.
fn is_filed_as_it_happened(log: &SqliteLog, copy: &Copy) {
    let is_transition = |it: &&String| it.contains("\"type\":\"campaign.phase.transition\"");
    let happened = copy
        .documents
        .iter()
        .filter(is_transition)
        .map(|it| parse(it)["sequence"]["eventId"].as_str().unwrap().to_owned());
    let audit_trail = log.transactions(&CampaignId::new(MOVED).unwrap()).unwrap();
    let accepted = audit_trail.iter().filter(|it| it.result == "accepted" && it.kind != "status");
    let accepted = accepted.filter(|it| it.kind != "creation").filter_map(|it| it.event_id.clone());
    let happened: Vec<String> = happened.collect();
    assert_eq!(accepted.collect::<Vec<_>>(), happened);
    assert!(!happened.is_empty(), "no transition was ever made");
}

/// Reads the events that the copies lack. The copies check each number, link and hash. Then every
/// acknowledged event must be among their events.
fn certify(db: &Path, copies: &mut BTreeMap<String, Copy>, acknowledged: &Acknowledged) {
    let log = SqliteLog::open(db, "another", false).unwrap();
    for campaign in log.campaigns().unwrap() {
        let copy = copies
            .entry(campaign.to_string())
            .or_insert_with(|| Copy { epoch: log.epoch(), ..Copy::default() });
        for event in log.read(&campaign, copy.number, usize::MAX).unwrap() {
            copy.hear(&event.document);
        }
        let recount = log.recount(&campaign).unwrap().unwrap();
        assert!(recount.agrees());
        assert_eq!((recount.head.number, &recount.head.event_id), (copy.number, &copy.event_id));
    }
    for (campaign, number, id) in acknowledged.lock().unwrap().drain(..) {
        let document = copies[&campaign].documents.get(number as usize - 1);
        let document = document.unwrap_or_else(|| panic!("{campaign} has lost {number}"));
        assert_eq!(parse(document)["sequence"]["eventId"], id, "{campaign} {number}");
    }
}

/// The number of rounds from the environment, or this default.
pub(crate) fn rounds(default: u32) -> u32 {
    let rounds = std::env::var("CAMPAIGN_SYNC_CRASH_ROUNDS");
    rounds.map_or(default, |rounds| rounds.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_events_survive_repeated_kills_during_writes() {
    let rounds = rounds(ROUNDS);
    let directory = tempfile::tempdir().unwrap();
    let db = directory.path().join("campaigns.db");
    let (mut copies, mut acknowledgements) = (BTreeMap::new(), 0);
    for round in 0..rounds {
        let process = Process::start(&db);
        if round == 0 {
            set_up(&process).await;
        }
        let acknowledged = Acknowledged::default();
        let mut client = Client::subscribed(&process.address, "busy").await;
        let last = copies.get("busy").map_or(0, |copy: &Copy| copy.number);
        let request = json!({"campaignId": "busy", "lastSequenceNumber": last, "prefer": "replay"});
        client.recover(request).await;
        let mut tasks: Vec<_> = (0..WRITERS)
            .map(|n| (format!("w{n}"), ["pause", "resume"]))
            .chain([(MOVED.to_owned(), ["configure-dns", "rollback"])])
            .map(|(campaign, actions)| {
                writer(&process.address, campaign, actions, acknowledged.clone())
            })
            .collect();
        tasks.push(follower(client, acknowledged.clone()));
        while !acknowledged.lock().unwrap().iter().any(|(campaign, ..)| campaign == MOVED) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let moment = rand::rng().random_range(0..120_000);
        tokio::time::sleep(Duration::from_micros(moment)).await;
        process.kill();
        for task in tasks {
            task.await.unwrap();
        }
        acknowledgements += acknowledged.lock().unwrap().len();
        certify(&db, &mut copies, &acknowledged);
    }
    let log = SqliteLog::open(&db, "another", false).unwrap();
    for (campaign, copy) in &copies {
        let id = CampaignId::new(campaign).unwrap();
        let documents: Vec<String> = log
            .read(&id, 0, usize::MAX)
            .unwrap()
            .iter()
            .map(|event| event.document.to_string())
            .collect();
        assert_eq!(documents, copy.documents, "an event once written never changes");
        assert_eq!(copy.rows, rows_by_sql(&db, campaign));
    }
    is_filed_as_it_happened(&log, &copies[MOVED]);
    println!("sqlite, never restored: {rounds} kills, {acknowledgements} acknowledged events");
}
