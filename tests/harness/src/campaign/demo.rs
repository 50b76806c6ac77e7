//! The demo: runs one campaign after the other through its phases.

use std::sync::Arc;
use std::time::Duration;

use campaign_sync::protocol::{CampaignId, Status};

use super::runner::RunnerHandle;
use super::{NewCampaign, Operation, Refusal, RequestContext, next};
use crate::clock::Clock;
use crate::hub::Hub;
use crate::log::RowQuery;

/// The pause after a step, so that people can look at the state.
const PAUSE: Duration = Duration::from_secs(3);

/// The pause after a finished campaign.
const LAST_PAUSE: Duration = Duration::from_secs(20);

/// Domains of a demo campaign.
const ROWS: u64 = 2_000;

/// Starts the demo. The campaigns are `demo`, `demo-2`, `demo-3`, …; a restarted server continues the last
/// one.
pub fn spawn(hub: Arc<Hub>, clock: Clock, runner: RunnerHandle, rate: u64) {
    tokio::spawn(async move {
        let mut turn = last_turn(&hub);
        while !hub.is_closed() {
            let (step_hub, step_runner) = (hub.clone(), runner.clone());
            let step = move || step(&step_hub, clock, &step_runner, turn, rate);
            let (pause, turns) = match tokio::task::spawn_blocking(step).await {
                Ok(Ok(next)) => next,
                // A user changed the campaign at the same time: try the step again.
                Ok(Err(refusal)) => {
                    let code = refusal.code.as_str();
                    tracing::info!(event = "demo_refused", code, reason = refusal.message);
                    SAME
                }
                Err(_) => return,
            };
            tokio::time::sleep(pause).await;
            turn += turns;
        }
    });
}

/// The pause after a step, and the number of campaigns to advance.
type Next = (Duration, u64);

const SAME: Next = (PAUSE, 0);

fn id(turn: u64) -> Option<CampaignId> {
    let name = if turn == 1 { "demo".to_owned() } else { format!("demo-{turn}") };
    CampaignId::new(&name).ok()
}

fn last_turn(hub: &Hub) -> u64 {
    let exists = |turn: &u64| id(*turn).is_some_and(|id| matches!(hub.head(&id), Ok(Some(_))));
    (1..).take_while(exists).last().unwrap_or(1)
}

fn step(
    hub: &Hub,
    clock: Clock,
    runner: &RunnerHandle,
    turn: u64,
    rate: u64,
) -> Result<Next, Refusal> {
    let Some(id) = id(turn) else { return Ok((LAST_PAUSE, 1)) };
    let (now, order) =
        (clock.now(), RequestContext { reason: Some("demo".into()), ..RequestContext::default() });
    let operation = Operation { hub, now, campaign: &id, order: &order };
    let Some(view) = hub.log().view(&id, &RowQuery::NONE)? else {
        let new = NewCampaign {
            name: format!("Demo {turn}"),
            count: ROWS,
            seed: Some(turn),
            ..NewCampaign::default()
        };
        operation.create(&new, rate)?;
        return Ok(SAME);
    };
    if view.state.deleted {
        return Ok((Duration::ZERO, 1));
    }
    let record = &view.state.record;
    match (record.status, next(record.phase)) {
        (Status::Completed, None) => return Ok((LAST_PAUSE, 1)),
        (Status::Completed, Some(next)) => drop(operation.transition(next, Status::Configured)?),
        (Status::Ready | Status::Configured, _) => {
            operation.start(record.phase)?;
            let _runner_lives = runner.send(id);
        }
        _ => {}
    }
    Ok(SAME)
}
