//! Campaigns: the memory and processor time of ten thousand campaigns, all of them followed.

use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{ScenarioResult, rounded};
use crate::crowd::{ClientBehaviour, Protocol, SubscriberPool};
use crate::plan::Plan;
use crate::server::Server;

/// Campaigns that one socket follows.
const PER_SOCKET: usize = 100;

pub(crate) async fn run(plan: &Plan) -> Result<ScenarioResult> {
    let mut server = Server::start(plan, "campaigns", &[]).await?;
    let count = plan.scaled(10_000, 200);
    let before = server.process.usage()?;
    let began = Instant::now();
    for index in 0..count {
        server.create(&format!("many-{index}"), 10, 1).await?;
    }
    let (created, creating) = (server.process.usage()?, began.elapsed());
    let crowd = Rc::new(SubscriberPool::default());
    let protocol = |index: usize| {
        let ids = (index * PER_SOCKET..(index + 1) * PER_SOCKET).map(|it| format!("many-{it}"));
        Protocol::Ours { campaigns: ids.collect(), replay: true }
    };
    let sockets = count / PER_SOCKET;
    let tasks = crowd.gather(sockets, server.address, ClientBehaviour::default(), protocol).await?;
    // Each campaign has one event so far. The crowd sees only their numbers, which are all the same.
    let seen = || {
        let tally = crowd.tally.borrow();
        tally.delivered + tally.duplicates
    };
    crowd.wait("an event of every campaign", || seen() >= count as u64).await?;
    let followed = server.process.usage()?;
    sleep(Duration::from_secs(plan.scaled(10, 1))).await;
    let after = server.process.usage()?;
    let mut found = ScenarioResult {
        figures: vec![("rss_10000_campaigns", json!(after.rss))],
        details: json!({
            "campaigns": count,
            "rss_before": before.rss,
            "rss_created": created.rss,
            "rss_followed": followed.rss,
            "created_per_second": rounded(count as f64 / creating.as_secs_f64(), 0),
            "cpu_percent_while_idle":
                rounded(100.0 * (after.cpu - followed.cpu) / plan.scaled(10.0, 1.0), 1),
        }),
        ..ScenarioResult::default()
    };
    if seen() != count as u64 || crowd.tally.borrow().out_of_order != 0 {
        let shown = crowd.tally.borrow().shown(count as u64);
        found.broken.push(format!("campaigns: {shown}"));
    }
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    server.stop().await?;
    Ok(found)
}
