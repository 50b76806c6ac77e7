//! Fan-out: one campaign, many subscribers, and the same events from the peer servers. The run at full
//! speed measures how much a server delivers. The paced run, at a speed that all servers hold, sends every
//! event in a separate frame, and measures the cost and the age of an event.

use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::{ScenarioResult, rounded};
use crate::crowd::{ClientBehaviour, Protocol, SubscriberPool};
use crate::plan::Plan;
use crate::process::{Process, Usage};
use crate::server::{Peer, Server};

/// Events of the run at full speed, and events per second of the paced run: one per tick of the server's
/// runner.
const EVENTS: u64 = 1_000;
const PACED_PER_SECOND: u64 = 20;

/// One run of one server.
struct Run {
    crowd: Rc<SubscriberPool>,
    subscribers: u64,
    began: Instant,
    before: Usage,
    delivered_before: u64,
}

impl Run {
    fn begin(crowd: &Rc<SubscriberPool>, subscribers: u64, process: &Process) -> Result<Self> {
        let mut tally = crowd.tally.borrow_mut();
        tally.forget_ages();
        let delivered_before = tally.delivered;
        let (crowd, before) = (crowd.clone(), process.usage()?);
        Ok(Self { crowd, subscribers, began: Instant::now(), before, delivered_before })
    }

    /// The measured values from the beginning of the run until the last event arrived.
    async fn end(self, process: &Process) -> Result<Value> {
        // The last frames are sent. The server's remaining work for them is part of their cost.
        sleep(Duration::from_millis(20)).await;
        let cpu = process.usage()?.cpu - self.before.cpu;
        let tally = self.crowd.tally.borrow();
        let last = tally.last.map_or(self.began, Instant::from_std);
        let seconds = last.duration_since(self.began).as_secs_f64();
        let deliveries = tally.delivered - self.delivered_before;
        Ok(json!({
            "subscribers": self.subscribers,
            "deliveries": deliveries,
            "seconds": rounded(seconds, 3),
            "deliveries_per_second": rounded(deliveries as f64 / seconds, 0),
            "cpu_seconds": rounded(cpu, 2),
            "deliveries_per_cpu_second": rounded(deliveries as f64 / cpu.max(0.01), 0),
            "p50_ms": tally.age_ms(0.50),
            "p99_ms": tally.age_ms(0.99),
        }))
    }
}

pub(crate) async fn run(plan: &Plan) -> Result<ScenarioResult> {
    let subscribers = (plan.connections / 10).max(10);
    let paced_seconds = plan.seconds.min(10);
    let mut found = ScenarioResult::default();
    let ours = ours(plan, &mut found, subscribers, paced_seconds).await?;
    for (name, script, protocol) in
        [("ws", "ws.mjs", Protocol::Plain), ("socket.io", "socket.io.mjs", Protocol::SocketIo)]
    {
        let peer = peer(plan, script, &protocol, subscribers, paced_seconds).await?;
        found.peers.push((name, peer));
    }
    found.figures = vec![
        ("deliveries_per_second", ours["full_speed"]["deliveries_per_second"].clone()),
        ("p50_ms", ours["paced"]["p50_ms"].clone()),
        ("p99_ms", ours["paced"]["p99_ms"].clone()),
    ];
    found.details = ours;
    Ok(found)
}

async fn ours(
    plan: &Plan,
    found: &mut ScenarioResult,
    subscribers: usize,
    paced_seconds: u64,
) -> Result<Value> {
    let mut server = Server::start(plan, "fan-out", &[]).await?;
    let rss = server.process.usage()?.rss;
    let mut ran = Vec::new();
    for (id, count, rate) in [
        ("full", plan.scaled(EVENTS, 100), 1_000_000),
        ("paced", PACED_PER_SECOND * paced_seconds, PACED_PER_SECOND),
    ] {
        server.create(id, count, rate).await?;
        let crowd = Rc::new(SubscriberPool::default());
        let protocol = |_| Protocol::Ours { campaigns: vec![id.to_owned()], replay: true };
        let address = server.address;
        let tasks =
            crowd.gather(subscribers, address, ClientBehaviour::default(), protocol).await?;
        crowd.delivered(subscribers as u64).await?;
        let connected = server.process.usage()?.rss;
        let run = Run::begin(&crowd, subscribers as u64, &server.process)?;
        server.begin(id).await?;
        let head = server.completed(id).await?;
        let expected = head * subscribers as u64;
        crowd.delivered(expected).await?;
        let mut seen = run.end(&server.process).await?;
        seen["bytes_per_connection"] = per_connection(rss, connected, subscribers);
        found.expect_whole(id, &crowd.tally.borrow(), expected);
        seen["events_per_frame"] = {
            let tally = crowd.tally.borrow();
            json!(rounded(tally.delivered as f64 / tally.frames.max(1) as f64, 1))
        };
        leave(tasks).await;
        ran.push(seen);
    }
    server.stop().await?;
    let [full, paced] = [ran.remove(0), ran.remove(0)];
    Ok(json!({"full_speed": full, "paced": paced}))
}

async fn peer(
    plan: &Plan,
    script: &str,
    protocol: &Protocol,
    subscribers: usize,
    paced_seconds: u64,
) -> Result<Value> {
    let mut peer = Peer::start(plan, script, &[]).await?;
    let rss = peer.process.usage()?.rss;
    let crowd = Rc::new(SubscriberPool::default());
    let behaviour = ClientBehaviour::default();
    let tasks = crowd.gather(subscribers, peer.address, behaviour, |_| protocol.clone()).await?;
    let connected = peer.process.usage()?.rss;
    let count = plan.scaled(EVENTS, 100);
    let mut expected = 0;
    let mut ran = Vec::new();
    for (count, per_tick) in [(count, 0), (PACED_PER_SECOND * paced_seconds, 1)] {
        let run = Run::begin(&crowd, subscribers as u64, &peer.process)?;
        peer.publish(count, per_tick).await?;
        expected += count * subscribers as u64;
        crowd.delivered(expected).await?;
        ran.push(run.end(&peer.process).await?);
    }
    leave(tasks).await;
    peer.process.kill().await?;
    let [full, paced] = [ran.remove(0), ran.remove(0)];
    Ok(json!({
        "bytes_per_connection": per_connection(rss, connected, subscribers),
        "full_speed": full,
        "paced": paced,
    }))
}

fn per_connection(before: u64, after: u64, connections: usize) -> Value {
    json!((after.saturating_sub(before) as f64 / connections as f64).round())
}

async fn leave(tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        task.abort();
        let _it_was_aborted = task.await;
    }
}
