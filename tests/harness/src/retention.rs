//! Retention of history. State is permanent; events are kept within the limits, for clients that may still
//! need them: see `docs/decisions/0016-truncate-history-keep-state-and-audit-trail.md`.

use std::sync::Arc;
use std::time::Duration;

use campaign_sync::protocol::CampaignId;
use campaign_sync::protocol::envelope::Envelope;
use clap::Args;

use crate::clock::{Clock, Moment};
use crate::hub::Hub;
use crate::log::{EventLog, Head, Result};
use crate::session::Context;

/// The interval between two sweeps.
const SWEEP: Duration = Duration::from_secs(5);

/// The most events deleted in one step, so that no writer waits long.
const STEP: u64 = 5_000;

/// A shared log publishes an image of the whole state at each truncation. So it waits until the events beyond
/// the limits are at least a quarter (one part in this many) of the events within them.
const SHARED_PART: u64 = 4;

/// The limits of each campaign's log. Events beyond any limit are deleted, oldest first. Their effects stay
/// in the state, which was written in the same transaction.
#[derive(Clone, Copy, Debug, Args)]
pub struct Limits {
    /// Events kept per campaign; 0 for no limit.
    #[arg(long, env = "CAMPAIGN_SYNC_HISTORY_EVENTS", default_value_t = 100_000)]
    pub history_events: u64,
    /// Bytes of events kept per campaign; 0 for no limit.
    #[arg(long, env = "CAMPAIGN_SYNC_HISTORY_BYTES", default_value_t = 64 * 1024 * 1024)]
    pub history_bytes: u64,
    /// Seconds that events are kept; 0 for no limit.
    #[arg(long, env = "CAMPAIGN_SYNC_HISTORY_SECONDS", default_value_t = 7 * 24 * 3_600)]
    pub history_seconds: u64,
}

impl Limits {
    /// No limits.
    pub const NONE: Self = Self { history_events: 0, history_bytes: 0, history_seconds: 0 };
}

/// Starts the periodic sweep. It runs until the server is dropped.
pub fn spawn(context: &Arc<Context>, clock: Clock, limits: Limits) {
    let context = Arc::downgrade(context);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(SWEEP).await;
            let Some(context) = context.upgrade().filter(|it| !it.hub.is_closed()) else { return };
            let hub = context.hub.clone();
            let swept = tokio::task::spawn_blocking(move || {
                let now_ms = clock.now().monotonic_ms;
                context.snapshots.expire(now_ms);
                let hub = &context.hub;
                hub.catalogues.expire(now_ms, hub.in_flight().is_over());
                context.hub.log().tick()?;
                sweep(&context.hub, clock.now(), &limits)
            });
            if let Ok(Err(error)) = swept.await
                && !hub.is_closed()
            {
                tracing::error!(event = "retention_failed", %error);
            }
        }
    });
}

/// Checks every campaign once and deletes the events beyond the limits. Blocks.
///
/// # Errors
/// [`LogError::Storage`](crate::log::LogError::Storage).
pub fn sweep(hub: &Hub, now: Moment, limits: &Limits) -> Result<()> {
    for campaign in hub.log().campaigns()? {
        let Some(head) = hub.log().head(&campaign)? else { continue };
        let beyond = beyond(hub.log(), now, limits, &campaign, &head)?;
        let mut forgotten = head.oldest - 1;
        if beyond == forgotten {
            continue;
        }
        let (excess, within) = (beyond - forgotten, head.number - beyond);
        let step = match hub.is_shared() {
            true if excess.saturating_mul(SHARED_PART) < within => continue,
            true => u64::MAX,
            false => STEP,
        };
        while forgotten < beyond {
            forgotten = beyond.min(forgotten.saturating_add(step));
            hub.log().truncate(&campaign, forgotten)?;
        }
        hub.reread(&campaign)?;
        tracing::info!(
            event = "history_truncated",
            campaignId = %campaign,
            sequenceNumber = beyond,
            eventId = head.event_id,
        );
    }
    Ok(())
}

/// The last number beyond a limit. Numbers below `head.oldest` are already deleted.
fn beyond(
    log: &dyn EventLog,
    now: Moment,
    limits: &Limits,
    campaign: &CampaignId,
    head: &Head,
) -> Result<u64> {
    let gone = head.oldest - 1;
    let mut to = gone;
    if limits.history_events > 0 {
        to = to.max(head.number.saturating_sub(limits.history_events));
    }
    if limits.history_bytes > 0 {
        let too_many = |n| Ok(log.bytes_after(campaign, n - 1)? > limits.history_bytes);
        to = to.max(last(gone, head.number, too_many)?);
    }
    let oldest_ms = now.wall_ms.saturating_sub(limits.history_seconds.saturating_mul(1_000));
    if limits.history_seconds > 0 && oldest_ms > 0 {
        let limit = Moment { wall_ms: oldest_ms, ..now }.timestamp();
        let too_old = |n: u64| {
            let event = log.read(campaign, n - 1, 1)?.into_iter().next();
            let event = event.filter(|event| event.number == n);
            // This server writes all timestamps in one form, so their order as texts is their order in time.
            Ok(event.is_none_or(|event| {
                Envelope::parse(&event.document)
                    .is_ok_and(|it| it.timestamp_raw.trim_matches('"') < limit.as_str())
            }))
        };
        to = to.max(last(gone, head.number, too_old)?);
    }
    Ok(to)
}

/// The last number after `gone`, up to `head`, for which `holds` is true; `gone` if there is no such number.
/// `holds` must be true for all numbers before it.
fn last(gone: u64, head: u64, holds: impl Fn(u64) -> Result<bool>) -> Result<u64> {
    let (mut low, mut high) = (gone, head);
    while low < high {
        // Usually no event has to be deleted, so check the first one first.
        let middle = if low == gone { low + 1 } else { low + (high - low).div_ceil(2) };
        if holds(middle)? {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Ok(low)
}
