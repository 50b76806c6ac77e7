//! AnyCable's profile of a bad network: every 15 seconds each socket is killed for 2 seconds, while events
//! continue. Real clients must receive every event, once and in order.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use campaign_sync::protocol::CampaignId;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{ScenarioResult, rounded};
use crate::client::{Client, Line, Seen};
use crate::plan::Plan;
use crate::server::Server;

/// The time between two kills of a client's socket, and the time until its network is back.
const EVERY: Duration = Duration::from_secs(15);
const DEAD: Duration = Duration::from_secs(2);

/// Events per second.
const RATE: u64 = 20;

/// The timeout for all clients to be live again at the end.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) async fn run(plan: &Plan) -> Result<ScenarioResult> {
    let mut server = Server::start(plan, "anycable", &[]).await?;
    let clients = (plan.connections / 50).clamp(10, 500);
    let seconds = plan.seconds * 3 / 2;
    let (every, dead) = plan.scaled((EVERY, DEAD), (EVERY / 10, DEAD / 10));
    let campaign = CampaignId::new("anycable").ok().context("a valid id")?;
    server.create("anycable", RATE * seconds, RATE).await?;
    let lines: Vec<Rc<Line>> = (0..clients).map(|_| Rc::default()).collect();
    for (seed, line) in lines.iter().enumerate() {
        Client::spawn(seed as u64, server.address, &campaign, line.clone());
    }
    until(&lines, |seen| seen.is_live && seen.position == 1).await?;
    server.begin("anycable").await?;
    let end = Instant::now() + Duration::from_secs(seconds);
    for (index, line) in lines.iter().enumerate() {
        let line = line.clone();
        // Kills are spread over the interval, so that some client is always disconnected.
        let first = every.mul_f64(index as f64 / clients as f64);
        tokio::task::spawn_local(async move {
            sleep(first).await;
            while Instant::now() + dead < end {
                line.cut();
                sleep(dead).await;
                line.mend();
                sleep(every - dead).await;
            }
        });
    }
    let head = server.completed("anycable").await?;
    until(&lines, |seen| seen.is_live && seen.position == head).await?;
    let rounds = (seconds as f64 / every.as_secs_f64()) as u64;
    let least_kills = clients as u64 * rounds.saturating_sub(2).max(1);
    let found = evaluate(&lines, head, seconds, least_kills);
    server.stop().await?;
    Ok(found)
}

fn evaluate(lines: &[Rc<Line>], head: u64, seconds: u64, least_kills: u64) -> ScenarioResult {
    let seen: Vec<Seen> = lines.iter().map(|line| line.seen.borrow().clone()).collect();
    let sum = |of: fn(&Seen) -> u64| seen.iter().map(of).sum::<u64>();
    let expected = head * seen.len() as u64;
    let (applied, skipped) = (sum(|it| it.applied), sum(|it| it.skipped));
    let kills = sum(|it| it.reconnects);
    let mut found = ScenarioResult {
        details: json!({
            "clients": seen.len(),
            "seconds": seconds,
            "kills": kills,
            "expected": expected,
            "delivered": applied,
            "delivered_percent": rounded(100.0 * applied as f64 / expected as f64, 4),
            "skipped": skipped,
            "repeated_and_dropped": sum(|it| it.repeated),
            "snapshots": sum(|it| it.snapshots),
        }),
        duplicates: applied.saturating_sub(expected),
        out_of_order: skipped,
        ..ScenarioResult::default()
    };
    if applied != expected || skipped != 0 || kills < least_kills {
        found.broken.push(format!("anycable: {}", found.details));
    }
    found
}

/// Waits until `so` returns true for all clients.
pub(crate) async fn until(lines: &[Rc<Line>], so: impl Fn(&Seen) -> bool) -> Result<()> {
    let deadline = Instant::now() + CATCH_UP_TIMEOUT;
    loop {
        let late: Vec<Seen> =
            lines.iter().map(|it| it.seen.borrow().clone()).filter(|it| !so(it)).collect();
        let Some(first) = late.first() else { return Ok(()) };
        ensure!(Instant::now() < deadline, "{} clients are not there: {first:?}", late.len());
        sleep(Duration::from_millis(10)).await;
    }
}
