//! Idle: the memory of one subscribed socket that sends only pings, measured over many sockets.

use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{ScenarioResult, rounded};
use crate::crowd::{ClientBehaviour, Protocol, SubscriberPool};
use crate::plan::Plan;
use crate::server::Server;

pub(crate) async fn run(plan: &Plan) -> Result<ScenarioResult> {
    let mut server = Server::start(plan, "idle", &[]).await?;
    server.create("idle", 10, 1).await?;
    let before = server.process.usage()?;
    let (crowd, began) = (Rc::new(SubscriberPool::default()), Instant::now());
    let behaviour = ClientBehaviour { pings: true, returns: false, after: 0 };
    let protocol = |_| Protocol::Ours { campaigns: vec!["idle".to_owned()], replay: false };
    let tasks = crowd.gather(plan.connections, server.address, behaviour, protocol).await?;
    let (connected, connecting) = (server.process.usage()?, began.elapsed());
    sleep(Duration::from_secs(plan.seconds)).await;
    let after = server.process.usage()?;
    let mut found = ScenarioResult::default();
    found.expect_whole("idle", &crowd.tally.borrow(), plan.connections as u64);
    // Measures again after one broadcast: frames that were written to all clients must not stay in memory.
    server.begin("idle").await?;
    let head = server.completed("idle").await?;
    crowd.delivered(head * plan.connections as u64).await?;
    let spoken = server.process.usage()?;
    let each = |rss: u64| (rss.saturating_sub(before.rss) as f64 / plan.connections as f64).round();
    found.figures = vec![("bytes_per_idle_connection", json!(each(after.rss)))];
    found.details = json!({
        "connections": plan.connections,
        "seconds": plan.seconds,
        "rss_before": before.rss,
        "rss_after": after.rss,
        "bytes_per_connection_at_first": each(connected.rss),
        "bytes_per_connection_after_events": each(spoken.rss),
        "connections_per_second":
            rounded(plan.connections as f64 / connecting.as_secs_f64(), 0),
        "cpu_percent_while_idle":
            rounded(100.0 * (after.cpu - connected.cpu) / plan.seconds as f64, 1),
    });
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    server.stop().await?;
    Ok(found)
}
