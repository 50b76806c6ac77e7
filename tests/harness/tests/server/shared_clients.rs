//! Clients of servers that share a log: a client can use any of the servers.

use serde_json::json;

use super::nats::Nats;
use super::process::{Process, program};
use super::support::{Client, Copy, answer, parse};

/// A server of the shared log that keeps its copy in the file `name` and generates `rate` rows per second.
fn server(nats: &Nats, name: &str, rate: &str) -> Process {
    let place = nats.place();
    let listen = ["--listen", "127.0.0.1:0", "--rate", rate, "--log", &place, "--cache"];
    Process::spawn(program().args(listen).arg(nats.file(name)))
}

#[tokio::test(flavor = "multi_thread")]
async fn client_of_a_killed_server_continues_its_replay_at_another() {
    let nats = tokio::task::spawn_blocking(Nats::start).await.unwrap();
    let start = |name: &str| server(&nats, name, "2000");
    let (one, two) = (start("1.db"), start("2.db"));
    let new = json!({"campaignId": "c1", "name": "one", "count": 1_500});
    one.post("/campaigns", new).await;
    one.post("/campaigns/c1/start", json!({})).await;
    let mut copy = Copy::default();
    let mut client = Client::subscribed(&one.address, "c1").await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0, "prefer": "replay"})).await;
    client.follow(&mut copy, 500).await;
    drop(client);
    // A second client is in the middle of its replay when the server is killed. The runner dies with the
    // server.
    let mut late = Copy::default();
    let mut client = Client::subscribed(&one.address, "c1").await;
    client.recover(json!({"campaignId": "c1", "lastSequenceNumber": 0, "prefer": "replay"})).await;
    client.follow(&mut late, 100).await;
    one.kill();
    for mut copy in [copy, late] {
        let mut client = Client::subscribed(&two.address, "c1").await;
        let mut payload = copy.payload("c1");
        payload["prefer"] = json!("replay");
        let before = copy.documents.len();
        client.recover(payload).await;
        // The copy accepts only the next number, chained and of the same epoch. After a snapshot it would
        // have fewer documents than its number.
        while copy.status != "completed" {
            let document = client.document().await;
            copy.hear(&document);
        }
        assert!(copy.documents.len() > before);
        assert_eq!(copy.documents.len() as u64, copy.number);
        assert_eq!(copy.rows.len(), 1_500);
    }
}

/// Resumes at a server from the copy's position. A server that is behind answers `position_ahead` after two
/// seconds. The client does not go back for that answer; it asks again.
async fn resumed(address: &str, copy: &mut Copy) -> Client {
    for _ in 0..30 {
        let mut client = Client::subscribed(address, "c1").await;
        let mut payload = copy.payload("c1");
        payload["prefer"] = json!("replay");
        if copy.number == 0 {
            payload["epoch"].take();
        }
        client.recover(payload).await;
        let mut document = client.document().await;
        while parse(&document)["type"] != "event_recovery" {
            document = client.document().await;
        }
        if parse(&document)["data"]["reason"] != "position_ahead" {
            copy.hear(&document);
            return client;
        }
    }
    panic!("the server never gets to {}", copy.number);
}

/// The copy accepts only the next number, chained and of the same epoch.
#[tokio::test(flavor = "multi_thread")]
async fn client_switching_servers_has_no_gap_despite_kills() {
    let mut nats = tokio::task::spawn_blocking(Nats::cluster).await.unwrap();
    let start = |name: &str| server(&nats, name, "500");
    let mut servers = ["1.db", "2.db", "3.db"].map(start).into_iter().collect::<Vec<_>>();
    let new = json!({"campaignId": "c1", "name": "one", "count": 2_500});
    servers[0].post("/campaigns", new).await;
    servers[0].post("/campaigns/c1/start", json!({})).await;
    let mut copy = Copy::default();
    for turn in 0..24 {
        match turn {
            8 => {
                let leader = nats.leader().await;
                nats.kill(leader);
            }
            // The server that began the phase.
            16 => servers.remove(0).kill(),
            _ => {}
        }
        let server = &servers[turn % servers.len()];
        let (before, mut client) = (copy.number, resumed(&server.address, &mut copy).await);
        client.follow(&mut copy, before + 40).await;
    }
    let mut client = resumed(&servers[1].address, &mut copy).await;
    while copy.status != "completed" {
        let document = client.document().await;
        copy.hear(&document);
    }
    assert_eq!(copy.documents.len() as u64, copy.number);
    assert_eq!(copy.rows.len(), 2_500);
}

/// Each of three servers receives the same transition request at the same moment. In one round the leader
/// of the stream has just been killed.
#[tokio::test(flavor = "multi_thread")]
async fn exactly_one_of_three_processes_makes_the_transition() {
    let mut nats = tokio::task::spawn_blocking(Nats::cluster).await.unwrap();
    let start = |name: &str| server(&nats, name, "20000");
    let servers = ["1.db", "2.db", "3.db"].map(start);
    let get = async |server: &Process, path: &str| {
        let url = format!("http://{}/api/v2/campaigns/{path}", server.address);
        answer(reqwest::Client::new().get(url)).await.body
    };
    for round in 0..6 {
        let id = format!("r{round}");
        let new = json!({"campaignId": id, "name": "one", "count": 20});
        servers[round % 3].post("/campaigns", new).await;
        servers[round % 3].post(&format!("/campaigns/{id}/start"), json!({})).await;
        for server in &servers {
            while get(server, &id).await["phaseStatus"] != "completed" {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
        if round == 3 {
            let leader = nats.leader().await;
            nats.kill(leader);
        }
        let asked = servers.each_ref().map(|server| {
            let url = format!("http://{}/api/v2/campaigns/{id}/configure-dns", server.address);
            let key = server.address.clone();
            tokio::spawn(async move {
                // A request that was not answered in time is repeated under the same key.
                loop {
                    let asked = reqwest::Client::new().post(&url).header("idempotency-key", &key);
                    match answer(asked).await.status {
                        503 => {}
                        status => return status,
                    }
                }
            })
        });
        let mut statuses = Vec::new();
        for it in asked {
            statuses.push(it.await.unwrap());
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409, 409], "{round}");
        let trail = get(&servers[0], &format!("{id}/transitions")).await;
        let accepted = trail["transitions"].as_array().unwrap().iter();
        assert_eq!(accepted.filter(|it| it["result"] == "accepted").count(), 1);
    }
}
