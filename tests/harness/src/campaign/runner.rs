//! The runner: executes the running phases, at the rate of each campaign.
//!
//! Its whole state can be counted from the rows, so a server that was killed continues at the end of the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use campaign_sync::protocol::campaign::PhaseCounters;
use campaign_sync::protocol::limits::EVENT_ROWS_MAX;
use campaign_sync::protocol::{CampaignId, Phase, Status};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::drafts;
use super::simulate::DomainOutcome;
use crate::clock::{Clock, Moment};
use crate::hub::Hub;
use crate::log::{Draft, LogError, PhaseCounts, Result, Row, RowQuery, Settings, View};

/// The interval between two steps.
const TICK: Duration = Duration::from_millis(50);

/// The interval between two progress events.
const PROGRESS_MS: u64 = 500;

/// Up to this rate, in rows per second, every row is a separate event.
const SINGLE_RATE_MAX: u64 = 2_500;

/// The most rows of one step. They stay in memory until they are appended, and the allocator keeps that
/// memory.
const TICK_ROWS_MAX: u64 = 5_000;

/// On a shared log, a campaign that another server advances is left to that server. This server takes over
/// when the campaign has not changed for this time.
const TAKE_OVER_MS: u64 = 1_500;

/// The pause of a campaign after its log failed. The runner never drops such a campaign: nothing would start
/// it again.
const FAILURE_PAUSE_MS: u64 = 1_000;

/// The interval of the search for campaigns that another server has started.
const SCAN_INTERVAL: Duration = Duration::from_millis(500);

/// Wakes the runner for a campaign.
pub type RunnerHandle = mpsc::UnboundedSender<CampaignId>;

/// Starts the runner with every campaign whose phase is running.
pub fn spawn(hub: Arc<Hub>, clock: Clock) -> RunnerHandle {
    let (runner, mut wakeups) = mpsc::unbounded_channel::<CampaignId>();
    for campaign in hub.log().campaigns().unwrap_or_default() {
        let _receiver_lives = runner.send(campaign);
    }
    tokio::spawn(async move {
        let mut works: BTreeMap<CampaignId, Work> = BTreeMap::new();
        loop {
            if works.is_empty() {
                let takeover_delay = if hub.is_shared() { SCAN_INTERVAL } else { Duration::MAX };
                match tokio::time::timeout(takeover_delay, wakeups.recv()).await {
                    Ok(Some(campaign)) => works.entry(campaign).or_default().is_woken = true,
                    Ok(None) => return,
                    Err(_) => {}
                }
            }
            for campaign in hub.take_updated() {
                works.entry(campaign).or_default();
            }
            while let Ok(campaign) = wakeups.try_recv() {
                works.entry(campaign).or_default().is_woken = true;
            }
            if hub.is_closed() {
                return;
            }
            let hub = hub.clone();
            let done = tokio::task::spawn_blocking(move || {
                let now = clock.now();
                works.retain(|campaign, work| match work.step(&hub, now, campaign) {
                    Ok(goes_on) => goes_on,
                    Err(_) if hub.is_closed() => false,
                    Err(error) => {
                        tracing::error!(event = "runner_failed", campaignId = %campaign, %error);
                        work.rest(now);
                        true
                    }
                });
                works
            });
            works = done.await.unwrap_or_default();
            tokio::time::sleep(TICK).await;
        }
    });
    runner
}

/// The work on one campaign.
#[derive(Debug, Default)]
struct Work {
    phase: Option<Phase>,
    counters: PhaseCounters,
    from_offset: u64,
    owed_rows: f64,
    stepped_ms: u64,
    progress_ms: u64,
    /// The head after the last step of this server, or after a step of another server.
    head: u64,
    /// Until this time the campaign is left to the other server.
    yield_until_ms: u64,
    /// Until this time the runner does not use the log of this campaign, because it failed.
    paused_until_ms: u64,
    /// This server was woken for the campaign, so it does not leave the campaign to another server.
    is_woken: bool,
}

impl Work {
    /// Pauses the campaign because its log failed. After the pause the rows are counted again.
    const fn rest(&mut self, now: Moment) {
        (self.phase, self.paused_until_ms) = (None, now.monotonic_ms + FAILURE_PAUSE_MS);
    }

    /// Executes the rows that are due; `false` when the phase is no longer running.
    fn step(&mut self, hub: &Hub, now: Moment, campaign: &CampaignId) -> Result<bool> {
        if now.monotonic_ms < self.paused_until_ms {
            return Ok(true);
        }
        let Some(view) = hub.log().view(campaign, &RowQuery::NONE)? else { return Ok(false) };
        let record = &view.state.record;
        if record.status != Status::InProgress || view.state.deleted {
            return Ok(false);
        }
        if hub.is_shared() && self.yields(now, view.head.number) {
            return Ok(true);
        }
        if self.phase != Some(record.phase) {
            self.begin(hub, now, campaign, &view)?;
        }
        let due = self.due(now, view.state.settings.rate);
        if due == 0 {
            return Ok(true);
        }
        let rows = self.rows(hub, campaign, &view, due)?;
        let complete = (rows.len() as u64) < due || self.reaches_end(&rows);
        let mut counters = self.counters;
        let mut drafts = row_drafts(now, campaign, record.phase, &view.state.settings, &rows);
        count(&mut counters, record.phase, &view.state.settings, &rows);
        let due = complete || now.monotonic_ms >= self.progress_ms + PROGRESS_MS;
        if due {
            drafts.push(drafts::progress(now, campaign, record.phase, &counters));
        }
        if complete {
            drafts.push(drafts::status(now, campaign, record.phase, Status::Completed));
        }
        let appended = match hub.append(campaign, view.head.number, &drafts) {
            // Another request changed the campaign, for example paused it: read it again at the next step.
            Err(LogError::Conflict { .. }) => return Ok(true),
            other => other?,
        };
        self.head = appended.head.number;
        self.counters = counters;
        self.owed_rows = (self.owed_rows - rows.len() as f64).max(0.0);
        if let Some(offset) = rows.last().and_then(|row| row.offset) {
            self.from_offset = offset.unsigned_abs() + 1;
        }
        if due {
            self.progress_ms = now.monotonic_ms;
        }
        Ok(!complete)
    }

    /// Whether another server advances the campaign. After a takeover the phase is counted again.
    fn yields(&mut self, now: Moment, head: u64) -> bool {
        if head != self.head {
            let takeover_delay_ms = if self.is_woken { 0 } else { TAKE_OVER_MS };
            (self.head, self.phase, self.is_woken) = (head, None, false);
            self.yield_until_ms = now.monotonic_ms + takeover_delay_ms;
        }
        now.monotonic_ms < self.yield_until_ms
    }

    /// Counts the progress of the phase again.
    fn begin(&mut self, hub: &Hub, now: Moment, id: &CampaignId, view: &View) -> Result<()> {
        let (phase, settings) = (view.state.record.phase, &view.state.settings);
        let recount = hub.log().recount(id)?.ok_or(LogError::UnknownCampaign)?;
        *self = Self {
            phase: Some(phase),
            counters: counted(phase, settings, &recount.phase_counts),
            from_offset: if phase == Phase::DomainGeneration { recount.count } else { 0 },
            owed_rows: 0.0,
            stepped_ms: now.monotonic_ms.saturating_sub(TICK.as_millis() as u64),
            progress_ms: now.monotonic_ms,
            ..*self
        };
        Ok(())
    }

    /// The number of rows that are due by now.
    fn due(&mut self, now: Moment, rate: u64) -> u64 {
        let elapsed_ms = (now.monotonic_ms - self.stepped_ms).min(1_000);
        self.stepped_ms = now.monotonic_ms;
        self.owed_rows += rate as f64 * elapsed_ms as f64 / 1_000.0;
        (self.owed_rows as u64).min(TICK_ROWS_MAX)
    }

    fn reaches_end(&self, rows: &[Row]) -> bool {
        self.counters.processed_items + rows.len() as u64 >= self.counters.total_items
    }

    /// The next rows of the phase, with their results.
    fn rows(&self, hub: &Hub, campaign: &CampaignId, view: &View, due: u64) -> Result<Vec<Row>> {
        let (phase, settings) = (view.state.record.phase, &view.state.settings);
        if matches!(phase, Phase::Setup | Phase::DomainGeneration) {
            return Ok(self.generate(settings, due));
        }
        let query = RowQuery {
            limit: Some(due),
            from_offset: i64::try_from(self.from_offset).ok(),
            awaiting: Some(phase),
            ..RowQuery::default()
        };
        let mut rows = hub.log().view(campaign, &query)?.map_or_else(Vec::new, |view| view.rows);
        for row in &mut rows {
            let outcome =
                DomainOutcome::of(settings.seed, row.offset.unwrap_or_default().unsigned_abs());
            match phase {
                Phase::DnsValidation => row.dns_status = Some(outcome.dns_status().to_owned()),
                Phase::HttpKeywordValidation => {
                    let (status, code) = outcome.http_status();
                    (row.http_status, row.http_status_code) = (Some(status.to_owned()), code);
                }
                _ => {
                    let (status, score) = outcome.lead();
                    (row.lead_status, row.lead_score) = (Some(status.to_owned()), Some(score));
                }
            }
        }
        Ok(rows)
    }

    fn generate(&self, settings: &Settings, due: u64) -> Vec<Row> {
        let end = settings.count.min(self.from_offset + due);
        let row = |offset| {
            let outcome = DomainOutcome::of(settings.seed, offset);
            Row {
                domain_id: outcome.domain_id(),
                domain: outcome.domain(&settings.pattern),
                offset: i64::try_from(offset).ok(),
                ..Row::default()
            }
        };
        (self.from_offset..end).map(row).collect()
    }
}

/// The counters of a phase, from the rows.
pub(super) fn counted(
    phase: Phase,
    settings: &Settings,
    phase_counts: &PhaseCounts,
) -> PhaseCounters {
    let (total, processed, successful) = match phase {
        Phase::DnsValidation => (phase_counts.rows, phase_counts.dns_done, phase_counts.resolved),
        Phase::HttpKeywordValidation => {
            (phase_counts.resolved, phase_counts.http_done, phase_counts.fetched)
        }
        Phase::Analysis => (phase_counts.fetched, phase_counts.analysed, phase_counts.leads),
        _ => (settings.count, phase_counts.rows, phase_counts.rows),
    };
    PhaseCounters {
        total_items: total,
        processed_items: processed,
        successful_items: successful,
        failed_items: processed - successful,
        progress_percentage: 0.0,
    }
    .with_derived_progress()
}

/// Adds the rows of one step to the counters.
fn count(counters: &mut PhaseCounters, phase: Phase, settings: &Settings, rows: &[Row]) {
    let mut phase_counts = PhaseCounts::default();
    rows.iter().for_each(|row| phase_counts.add(row));
    let done = counted(phase, settings, &phase_counts);
    counters.processed_items += done.processed_items;
    counters.successful_items += done.successful_items;
    counters.failed_items += done.failed_items;
    *counters = counters.with_derived_progress();
}

fn row_drafts(
    now: Moment,
    campaign: &CampaignId,
    phase: Phase,
    settings: &Settings,
    rows: &[Row],
) -> Vec<Draft> {
    let by_rate = (settings.rate / 20).clamp(1, EVENT_ROWS_MAX as u64);
    let by_rate = if settings.rate <= SINGLE_RATE_MAX { 1 } else { by_rate };
    let batch = settings.batch.unwrap_or(by_rate);
    if batch == 1 && phase != Phase::Analysis {
        return rows.iter().map(|row| single(now, campaign, phase, row, rows.len())).collect();
    }
    let event = |rows: &[Row]| {
        let rows: Vec<Value> = rows.iter().map(|row| change(phase, row)).collect();
        let data = json!({"campaignId": campaign.as_str(), "domains": rows});
        drafts::draft(now, "domains.updated", &data)
    };
    rows.chunks(batch as usize).map(event).collect()
}

/// The changed columns of a row in this phase.
fn change(phase: Phase, row: &Row) -> Value {
    let id = &row.domain_id;
    match phase {
        Phase::DnsValidation => json!({"domainId": id, "dnsStatus": row.dns_status}),
        Phase::HttpKeywordValidation => json!({"domainId": id, "httpStatus": row.http_status,
            "httpStatusCode": row.http_status_code}),
        Phase::Analysis => json!({"domainId": id, "leadStatus": row.lead_status,
            "leadScore": row.lead_score}),
        _ => json!({"domainId": id, "domain": row.domain, "offset": row.offset}),
    }
}

fn single(now: Moment, campaign: &CampaignId, phase: Phase, row: &Row, batch_size: usize) -> Draft {
    let offset = row.offset.unwrap_or_default();
    let outcome = DomainOutcome::of(0, offset.unsigned_abs());
    let mut data = json!({
        "campaignId": campaign.as_str(),
        "domainId": row.domain_id,
        "domain": row.domain,
    });
    let kind = match phase {
        Phase::DnsValidation => {
            data["validationStatus"] = json!(row.dns_status);
            data["attempts"] = json!(1);
            data["processingTime"] = json!(outcome.processing_ms());
            data["totalValidated"] = json!(offset + 1);
            "dns.validation.result"
        }
        Phase::HttpKeywordValidation => {
            data["validationStatus"] = json!(row.http_status);
            data["httpStatus"] = json!(row.http_status_code);
            data["processingTime"] = json!(outcome.processing_ms());
            data["totalValidated"] = json!(offset + 1);
            "http.validation.result"
        }
        _ => {
            data["offset"] = json!(offset);
            data["batchSize"] = json!(batch_size);
            data["totalGenerated"] = json!(offset + 1);
            "domain.generated"
        }
    };
    drafts::draft(now, kind, &data)
}
