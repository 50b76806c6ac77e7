//! Storm: the server is killed and restarted, and all clients connect again at once. The scenario measures
//! the time until every client has all events again, while events continue.

use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{ScenarioResult, rounded};
use crate::crowd::{ClientBehaviour, Protocol, SubscriberPool};
use crate::plan::Plan;
use crate::server::Server;

const CAMPAIGNS: usize = 10;

/// Rows per second of each campaign, and the number of seconds.
const RATE: u64 = 5;
const SECONDS: u64 = 15;

pub(crate) async fn run(plan: &Plan) -> Result<ScenarioResult> {
    let mut server = Server::start(plan, "storm", &[]).await?;
    let ids: Vec<String> = (0..CAMPAIGNS).map(|index| format!("storm-{index}")).collect();
    for id in &ids {
        server.create(id, RATE * plan.scaled(SECONDS, 6), RATE).await?;
    }
    let crowd = Rc::new(SubscriberPool::default());
    let behaviour = ClientBehaviour { pings: true, returns: true, after: 0 };
    let protocol = |index: usize| Protocol::Ours {
        campaigns: vec![ids[index % CAMPAIGNS].clone()],
        replay: true,
    };
    let tasks = crowd.gather(plan.connections, server.address, behaviour, protocol).await?;
    for id in &ids {
        server.begin(id).await?;
    }
    sleep(Duration::from_secs(plan.scaled(3, 1))).await;
    crowd.ready.set(0);
    crowd.synced.set(0);
    server.restart().await?;
    let began = Instant::now();
    crowd.wait("everybody to come back", || crowd.synced.get() >= plan.connections).await?;
    let (elapsed, usage) = (began.elapsed().as_secs_f64(), server.process.usage()?);
    let mut expected = 0;
    for (index, id) in ids.iter().enumerate() {
        let followers = (index..plan.connections).step_by(CAMPAIGNS).count() as u64;
        expected += server.completed(id).await? * followers;
    }
    crowd.delivered(expected).await?;
    let mut found = ScenarioResult {
        figures: vec![("storm_seconds_to_all_synced", json!(rounded(elapsed, 2)))],
        details: json!({
            "connections": plan.connections,
            "connections_per_second": rounded(plan.connections as f64 / elapsed, 0),
            "cpu_seconds": rounded(usage.cpu, 2),
            "rss": usage.rss,
        }),
        ..ScenarioResult::default()
    };
    found.expect_whole("storm", &crowd.tally.borrow(), expected);
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    server.stop().await?;
    Ok(found)
}
