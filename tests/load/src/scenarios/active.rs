//! Active: many connections over many campaigns, each in a running phase.

use std::rc::Rc;

use anyhow::Result;
use serde_json::json;
use tokio::time::Instant;

use super::{ScenarioResult, rounded};
use crate::crowd::{ClientBehaviour, Protocol, SubscriberPool};
use crate::plan::Plan;
use crate::process::Usage;
use crate::server::Server;
use crate::tally::DeliveryCounts;

/// Rows per second of each campaign. A progress event is added to the events of the rows now and then.
const RATE: u64 = 2;

pub(crate) async fn run(plan: &Plan) -> Result<ScenarioResult> {
    let mut server = Server::start(plan, "active", &[]).await?;
    let campaigns = (plan.connections / 100).max(2);
    let seconds = plan.seconds.min(20);
    let ids: Vec<String> = (0..campaigns).map(|index| format!("active-{index}")).collect();
    for id in &ids {
        server.create(id, RATE * seconds, RATE).await?;
    }
    let crowd = Rc::new(SubscriberPool::default());
    let behaviour = ClientBehaviour { pings: true, returns: false, after: 0 };
    let protocol = |index: usize| Protocol::Ours {
        campaigns: vec![ids[index % campaigns].clone()],
        replay: true,
    };
    let tasks = crowd.gather(plan.connections, server.address, behaviour, protocol).await?;
    let (began, before) = (Instant::now(), server.process.usage()?);
    for id in &ids {
        server.begin(id).await?;
    }
    let mut expected = 0;
    for (index, id) in ids.iter().enumerate() {
        let followers = (index..plan.connections).step_by(campaigns).count() as u64;
        expected += server.completed(id).await? * followers;
    }
    crowd.delivered(expected).await?;
    let after = server.process.usage()?;
    let elapsed = began.elapsed().as_secs_f64();
    let found = evaluate(plan, &crowd.tally.borrow(), expected, elapsed, [before, after]);
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    server.stop().await?;
    Ok(found)
}

fn evaluate(
    plan: &Plan,
    tally: &DeliveryCounts,
    expected: u64,
    elapsed: f64,
    usage: [Usage; 2],
) -> ScenarioResult {
    let [before, after] = usage;
    let cpu = after.cpu - before.cpu;
    let mut found = ScenarioResult {
        details: json!({
            "connections": plan.connections,
            "deliveries": tally.delivered,
            "deliveries_per_second": rounded(tally.delivered as f64 / elapsed, 0),
            "deliveries_per_cpu_second": rounded(tally.delivered as f64 / cpu.max(0.01), 0),
            "cpu_percent": rounded(100.0 * cpu / elapsed, 0),
            "p50_ms": tally.age_ms(0.50),
            "p99_ms": tally.age_ms(0.99),
            "rss": after.rss,
        }),
        ..ScenarioResult::default()
    };
    found.expect_whole("active", tally, expected);
    found
}
