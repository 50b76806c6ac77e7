//! Recovery: how fast one client receives a hundred thousand missed events, once and in order. The
//! comparison is with Socket.IO's connection state recovery and an ordered consumer of NATS JetStream.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use campaign_sync::protocol::CampaignId;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::anycable::until;
use super::{ScenarioResult, rounded};
use crate::client::{Client, Line};
use crate::crowd::{ClientBehaviour, Protocol, SubscriberPool, address, event_of_socket_io};
use crate::jetstream;
use crate::plan::Plan;
use crate::server::{Peer, Server};
use crate::socket::Socket;
use crate::tally::{DeliveryCounts, Reader, StreamPlace};

const MISSED: u64 = 100_000;

/// The number of measurements of each server. The median counts.
const ROUNDS: usize = 3;

pub(crate) async fn run(plan: &Plan) -> Result<ScenarioResult> {
    let missed = plan.scaled(MISSED, 2_000);
    let mut found = ScenarioResult::default();
    ours(plan, &mut found, missed).await?;
    found.peers.push(("socket.io", socket_io(plan, missed).await?));
    if let Some(nats) = &plan.nats {
        found.peers.push(("jetstream", jetstream::recover(plan, nats, missed).await?));
    }
    Ok(found)
}

async fn ours(plan: &Plan, found: &mut ScenarioResult, missed: u64) -> Result<()> {
    let flags = ["--history-events", "0", "--history-bytes", "0"];
    let mut server = Server::start(plan, "recovery", &flags).await?;
    server.create("missed", missed, 1_000_000).await?;
    let campaign = CampaignId::new("missed").ok().context("a valid id")?;
    let line: Rc<Line> = Rc::default();
    Client::spawn(1, server.address, &campaign, line.clone());
    until(std::slice::from_ref(&line), |seen| seen.is_live).await?;
    line.cut();
    server.begin("missed").await?;
    let head = server.completed("missed").await?;
    let before = server.process.usage()?;
    let mut rates = Vec::new();
    let mut delivered = 0;
    for _ in 0..ROUNDS {
        let crowd = Rc::new(SubscriberPool::default());
        let behaviour = ClientBehaviour { after: 1, ..ClientBehaviour::default() };
        let protocol = |_| Protocol::Ours { campaigns: vec!["missed".to_owned()], replay: true };
        let began = Instant::now();
        let tasks = crowd.gather(1, server.address, behaviour, protocol).await?;
        crowd.delivered(head - 1).await?;
        // A repeated event would arrive within this time.
        sleep(Duration::from_millis(50)).await;
        let tally = crowd.tally.borrow();
        rates.push(rate(began, &tally));
        delivered += tally.delivered;
        found.expect_whole("recovery", &tally, head - 1);
        drop(tally);
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
    let cpu = server.process.usage()?.cpu - before.cpu;
    let began = Instant::now();
    line.come_online();
    until(std::slice::from_ref(&line), |seen| seen.is_live && seen.position == head).await?;
    let seen = line.seen.borrow().clone();
    let percent = 100.0 * delivered as f64 / (ROUNDS as u64 * (head - 1)) as f64;
    found.figures = vec![
        ("recovery_events_per_second", json!(median(&mut rates))),
        ("recovered_percent", json!(rounded(percent, 4))),
    ];
    found.details = json!({
        "missed": head - 1,
        "events_per_cpu_second": rounded(delivered as f64 / cpu.max(0.01), 0),
        "real_client_seconds_to_live": rounded(began.elapsed().as_secs_f64(), 2),
        "real_client_by": if seen.snapshots > 0 { "snapshot" } else { "replay" },
    });
    server.stop().await
}

/// Events per second from the beginning until the last one arrived.
fn rate(began: Instant, tally: &DeliveryCounts) -> f64 {
    let last = tally.last.map_or(began, Instant::from_std);
    tally.delivered as f64 / last.duration_since(began).as_secs_f64().max(1e-6)
}

pub(crate) fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).map_or(0.0, |rate| rounded(*rate, 0))
}

/// The session state of a Socket.IO client.
#[derive(Default)]
struct SocketIo {
    place: Option<StreamPlace>,
    pid: String,
    offset: String,
    tally: DeliveryCounts,
}

impl SocketIo {
    /// Connects, with its session if it has one, and receives until `end` is the last number.
    async fn receive(&mut self, peer: &mut Peer, publish: bool, end: u64) -> Result<Socket> {
        let path = "/socket.io/?EIO=4&transport=websocket";
        let mut socket = Socket::connect(address(0), peer.address, path).await?;
        let mut place = self.place.unwrap_or(StreamPlace { next: 1 });
        let reader = Reader::default();
        let (mut say, mut connected) = (Vec::new(), false);
        while place.next <= end {
            let open = socket.receive(|frame| {
                let document = event_of_socket_io(frame);
                reader.frame(document, &mut place, &mut self.tally, |other| match other {
                    [b'0', b'{', ..] if self.pid.is_empty() => say.push("40".to_owned()),
                    [b'0', b'{', ..] => {
                        let session = json!({"pid": self.pid, "offset": self.offset});
                        say.push(format!("40{session}"));
                    }
                    [b'4', b'0', session @ ..] => {
                        let session: Value = serde_json::from_slice(session).unwrap_or_default();
                        self.pid = session["pid"].as_str().unwrap_or_default().to_owned();
                        connected = true;
                    }
                    b"2" => say.push("3".to_owned()),
                    _ => {}
                });
                if self.offset.is_empty() && document.len() < frame.len() && place.next > 1 {
                    let text = String::from_utf8_lossy(frame);
                    let offset = text.trim_end_matches("\"]").rsplit('"').next();
                    self.offset = offset.unwrap_or_default().to_owned();
                }
            });
            anyhow::ensure!(open.await?, "socket.io closed a connection");
            for text in say.drain(..) {
                socket.send(&text).await?;
            }
            if std::mem::take(&mut connected) && publish {
                peer.publish(1, 0).await?;
                peer.process.line().await?;
            }
        }
        Ok(socket)
    }
}

async fn socket_io(plan: &Plan, missed: u64) -> Result<Value> {
    let mut peer = Peer::start(plan, "socket.io.mjs", &["--recovery"]).await?;
    let mut client = SocketIo::default();
    client.receive(&mut peer, true, 1).await?.kill();
    sleep(Duration::from_millis(500)).await;
    peer.publish(missed, 0).await?;
    peer.process.line().await?;
    let mut rates = Vec::new();
    let (mut delivered, mut repeated) = (0, 0);
    for _ in 0..ROUNDS {
        client.tally = DeliveryCounts::default();
        client.place = Some(StreamPlace { next: 2 });
        let began = Instant::now();
        let socket = client.receive(&mut peer, false, missed + 1).await?;
        rates.push(rate(began, &client.tally));
        delivered += client.tally.delivered;
        repeated += client.tally.duplicates + client.tally.out_of_order;
        socket.kill();
        sleep(Duration::from_millis(500)).await;
    }
    peer.process.kill().await?;
    Ok(json!({
        "recovery_events_per_second": median(&mut rates),
        "recovered_percent":
            rounded(100.0 * delivered as f64 / (ROUNDS as u64 * missed) as f64, 4),
        "duplicates_or_out_of_order": repeated,
    }))
}
