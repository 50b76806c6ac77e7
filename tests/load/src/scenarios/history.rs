//! History: the memory that a long log takes.

use anyhow::Result;
use serde_json::json;
use tokio::time::Instant;

use super::{ScenarioResult, rounded};
use crate::plan::Plan;
use crate::server::Server;

pub(crate) async fn run(plan: &Plan) -> Result<ScenarioResult> {
    let flags = ["--history-events", "0", "--history-bytes", "0"];
    let mut server = Server::start(plan, "history", &flags).await?;
    let count: u64 = plan.scaled(200_000, 2_000);
    // The first events fill caches and the allocator's arenas, which have separate bounds.
    server.create("warm", plan.scaled(100_000, 200), 1_000_000).await?;
    server.begin("warm").await?;
    server.completed("warm").await?;
    server.create("long", count, 1_000_000).await?;
    let before = server.process.usage()?;
    let began = Instant::now();
    server.begin("long").await?;
    let head = server.completed("long").await?;
    let (after, elapsed) = (server.process.usage()?, began.elapsed().as_secs_f64());
    let grown = after.rss.saturating_sub(before.rss) as f64;
    let found = ScenarioResult {
        figures: vec![("rss_per_100k_events", json!((grown * 100_000.0 / head as f64).round()))],
        details: json!({
            "events": head,
            "rss_before": before.rss,
            "rss_after": after.rss,
            "appended_per_second": rounded(head as f64 / elapsed, 0),
        }),
        ..ScenarioResult::default()
    };
    server.stop().await?;
    Ok(found)
}
