//! What can be done with a campaign: create it, configure its phases, start, pause and resume them,
//! take one back, delete it.
//!
//! Every operation reads, decides and appends on condition that nothing changed in between; if
//! something did, it decides again. So check and change are one step, on any log.

pub mod demo;
pub mod drafts;
pub mod rollback;
pub mod runner;
pub mod simulate;

use campaign_sync::protocol::campaign::{CampaignRecord, PhaseCounters};
use campaign_sync::protocol::{CampaignId, Code, Phase, Status};
use serde::Deserialize;
use serde_json::json;

use crate::clock::Moment;
use crate::hub::Hub;
use crate::journal;
use crate::log::{
    Appended, Draft, Head, LogError, Recount, RowQuery, Settings, Stand, Tally, View,
};

/// The most rows a campaign may have.
pub const ROWS_MAX: u64 = 1_000_000;

/// Decisions taken anew because the log moved on, before giving up.
const ATTEMPTS_MAX: u32 = 1_000;

/// Why an operation was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// From the closed list.
    pub code: Code,
    /// For people.
    pub message: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<LogError> for Refusal {
    fn from(error: LogError) -> Self {
        let code = match &error {
            LogError::Conflict { .. } => Code::ExpectedStateMismatch,
            LogError::UnknownCampaign => Code::UnknownCampaign,
            LogError::Rejected(_) | LogError::Storage(_) => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

/// A campaign to be created.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewCampaign {
    /// Its id; one is made up otherwise.
    pub campaign_id: Option<String>,
    /// Its name.
    pub name: String,
    /// How names are made.
    pub pattern: Option<String>,
    /// How many.
    pub count: u64,
    /// What everything follows from.
    pub seed: Option<u64>,
    /// Rows per second.
    pub rate: Option<u64>,
    /// Rows per event.
    pub batch: Option<u64>,
}

/// What comes along with a request to move on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// `phase`, or `phase/status`: refuse unless the campaign is there.
    pub expected_state: Option<String>,
    /// Why, for people.
    pub reason: Option<String>,
}

/// The campaign after an operation, and where its log is.
#[derive(Clone, Debug)]
pub struct Done {
    /// The record.
    pub stand: Stand,
    /// The log's end at that moment.
    pub head: Head,
}

/// Creates a campaign.
///
/// # Errors
/// [`Code::InvalidBody`], [`Code::InvalidCampaignId`], [`Code::ExpectedStateMismatch`] if it exists.
pub fn create(
    hub: &Hub,
    now: Moment,
    campaign: &CampaignId,
    new: &NewCampaign,
    default_rate: u64,
) -> Result<Done, Refusal> {
    let invalid = |message: &str| Err(Refusal::new(Code::InvalidBody, message));
    if new.name.is_empty() || new.name.len() > 200 {
        return invalid("name must have 1 to 200 bytes");
    }
    if !(1..=ROWS_MAX).contains(&new.count) {
        return invalid("count must be 1 to 1,000,000");
    }
    let settings = Settings {
        pattern: new.pattern.clone().unwrap_or_else(|| Settings::default().pattern),
        count: new.count,
        seed: new.seed.unwrap_or(1),
        rate: new.rate.unwrap_or(default_rate),
        batch: new.batch,
    };
    if !(1..=1_000_000).contains(&settings.rate) {
        return invalid("rate must be 1 to 1,000,000 rows per second");
    }
    if settings.batch.is_some_and(|batch| !(1..=1_000).contains(&batch)) {
        return invalid("batch must be 1 to 1,000 rows per event");
    }
    if settings.pattern.len() > 200 || !settings.pattern.contains("{n}") {
        return invalid("pattern must contain {n} and have at most 200 bytes");
    }
    let record = CampaignRecord {
        name: new.name.clone(),
        phase: Phase::DomainGeneration,
        status: Status::Ready,
        counters: PhaseCounters { total_items: settings.count, ..PhaseCounters::default() },
        created_at: now.timestamp(),
        updated_at: now.timestamp(),
        ..CampaignRecord::default()
    };
    let draft = drafts::created(now, campaign, &record, &settings);
    let appended = hub.append(campaign, 0, &[draft]).map_err(|error| match error {
        LogError::Conflict { .. } => {
            Refusal::new(Code::ExpectedStateMismatch, "the campaign exists already")
        }
        error => error.into(),
    })?;
    Ok(Done { stand: Stand { record, settings, deleted: false }, head: appended.head })
}

/// Moves a campaign into a phase: `configured`, or straight to `in_progress`.
///
/// # Errors
/// [`Code::IllegalTransition`], [`Code::PrerequisitesNotMet`], [`Code::ExpectedStateMismatch`],
/// [`Code::IntegrityCheckFailed`] (which is also announced in the log), [`Code::UnknownCampaign`].
pub fn transition(
    hub: &Hub,
    now: Moment,
    campaign: &CampaignId,
    (to, status): (Phase, Status),
    order: &Order,
) -> Result<Done, Refusal> {
    decide(hub, campaign, |view| {
        expected(&view.stand.record, order)?;
        let before = &view.stand.record;
        may_enter(before, to)?;
        let recount = hub.log().recount(campaign)?.ok_or(LogError::UnknownCampaign)?;
        if recount.head.number != view.head.number {
            return Ok(Decision::Again);
        }
        let total = prerequisites(before, to, &recount.tally)?;
        let agrees = recount.agrees() && counters_agree(before, &recount);
        let mut after = before.clone();
        if agrees {
            after.phase = to;
            after.status = status;
            after.counters = PhaseCounters { total_items: total, ..PhaseCounters::default() };
            after.total_domain_count = before.total_domain_count.max(recount.count);
            after.updated_at = now.timestamp();
            after.error_message = None;
        }
        let draft = drafts::transition(
            now,
            campaign,
            &drafts::Transition {
                kind: "manual",
                before,
                after: &after,
                rollback: before,
                to,
                status,
                recount: &recount,
                agrees,
                reason: order.reason.as_deref().unwrap_or("requested"),
                estimated_seconds: total as f64 / view.stand.settings.rate as f64,
                transaction: agrees.then_some(transaction_name(to)),
            },
        );
        Ok(Decision::Append { drafts: vec![draft], refused: !agrees })
    })
    .inspect(|done| journal_transition(transaction_name(to), campaign, done))
}

fn journal_transition(name: &str, campaign: &CampaignId, done: &Done) {
    let record = &done.stand.record;
    let fields = json!({
        "name": name, "campaignId": campaign.as_str(), "newPhase": record.phase.as_str(),
        "newStatus": record.status.as_str(), "sequenceNumber": done.head.number,
        "eventId": done.head.event_id, "domainsCount": done.head.domains_count,
        "domainsDigest": done.head.domains_digest.to_string(),
    });
    journal::line("transaction", &fields);
}

/// Starts a phase: the one the campaign is in and configured for, or the next one.
///
/// # Errors
/// As [`transition`].
pub fn start(
    hub: &Hub,
    now: Moment,
    campaign: &CampaignId,
    phase: Phase,
    order: &Order,
) -> Result<Done, Refusal> {
    let view = view(hub, campaign)?;
    if view.stand.record.phase != phase {
        return transition(hub, now, campaign, (phase, Status::InProgress), order);
    }
    let from = [Status::Ready, Status::Configured, Status::Paused];
    set_status(hub, now, campaign, &from, Status::InProgress, (Some(phase), order))
}

/// Pauses the phase under way.
///
/// # Errors
/// As [`transition`].
pub fn pause(
    hub: &Hub,
    now: Moment,
    campaign: &CampaignId,
    order: &Order,
) -> Result<Done, Refusal> {
    set_status(hub, now, campaign, &[Status::InProgress], Status::Paused, (None, order))
}

/// Resumes a paused phase.
///
/// # Errors
/// As [`transition`].
pub fn resume(
    hub: &Hub,
    now: Moment,
    campaign: &CampaignId,
    order: &Order,
) -> Result<Done, Refusal> {
    set_status(hub, now, campaign, &[Status::Paused], Status::InProgress, (None, order))
}

/// Deletes a campaign: its last event. Its id stays taken, and its log stays for those who have not
/// heard of it yet.
///
/// # Errors
/// [`Code::ExpectedStateMismatch`], [`Code::UnknownCampaign`].
pub fn delete(
    hub: &Hub,
    now: Moment,
    campaign: &CampaignId,
    order: &Order,
) -> Result<Done, Refusal> {
    decide(hub, campaign, |view| {
        expected(&view.stand.record, order)?;
        let draft = drafts::deleted(now, campaign);
        Ok(Decision::Append { drafts: vec![draft], refused: false })
    })
}

fn set_status(
    hub: &Hub,
    now: Moment,
    campaign: &CampaignId,
    from: &[Status],
    to: Status,
    (phase, order): (Option<Phase>, &Order),
) -> Result<Done, Refusal> {
    decide(hub, campaign, |view| {
        let record = &view.stand.record;
        expected(record, order)?;
        if phase.is_some_and(|phase| phase != record.phase) || !from.contains(&record.status) {
            return Err(illegal(record, to.as_str()));
        }
        let draft = drafts::status(now, campaign, record.phase, to);
        Ok(Decision::Append { drafts: vec![draft], refused: false })
    })
}

/// What an operation decided on a view.
enum Decision {
    /// The state moved on while it looked.
    Again,
    /// Append this; `refused` means that it only announces a refusal.
    Append { drafts: Vec<Draft>, refused: bool },
}

/// Reads, decides, appends; once more whenever something else was appended in between.
fn decide(
    hub: &Hub,
    campaign: &CampaignId,
    decision: impl Fn(&View) -> Result<Decision, Refusal>,
) -> Result<Done, Refusal> {
    for _ in 0..ATTEMPTS_MAX {
        let before = view(hub, campaign)?;
        let Decision::Append { drafts, refused } = decision(&before)? else { continue };
        let appended: Appended = match hub.append(campaign, before.head.number, &drafts) {
            Err(LogError::Conflict { .. }) => continue,
            other => other?,
        };
        if refused {
            let message = "rows, counters or digest do not add up; nothing was changed";
            return Err(Refusal::new(Code::IntegrityCheckFailed, message));
        }
        let after = even_deleted(hub, campaign)?;
        return Ok(Done { stand: after.stand, head: appended.head });
    }
    Err(Refusal::new(Code::Internal, "the campaign changes too fast"))
}

/// A campaign without its rows.
///
/// # Errors
/// [`Code::UnknownCampaign`], for one that has been deleted too.
pub fn view(hub: &Hub, campaign: &CampaignId) -> Result<View, Refusal> {
    let view = even_deleted(hub, campaign)?;
    if view.stand.deleted { Err(LogError::UnknownCampaign.into()) } else { Ok(view) }
}

fn even_deleted(hub: &Hub, campaign: &CampaignId) -> Result<View, LogError> {
    let rows = RowQuery { limit: Some(0), ..RowQuery::default() };
    hub.log().view(campaign, &rows)?.ok_or(LogError::UnknownCampaign)
}

fn expected(record: &CampaignRecord, order: &Order) -> Result<(), Refusal> {
    let Some(wanted) = &order.expected_state else { return Ok(()) };
    let (phase, status) = match wanted.split_once('/') {
        Some((phase, status)) => (phase, Some(status)),
        None => (wanted.as_str(), None),
    };
    let there = phase == record.phase.as_str()
        && status.is_none_or(|status| status == record.status.as_str());
    if there {
        return Ok(());
    }
    let message = format!("the campaign is in {}/{}", record.phase, record.status);
    Err(Refusal::new(Code::ExpectedStateMismatch, message))
}

fn illegal(record: &CampaignRecord, to: &str) -> Refusal {
    let message = format!("{}/{} does not lead to {to}", record.phase, record.status);
    Refusal::new(Code::IllegalTransition, message)
}

fn may_enter(record: &CampaignRecord, to: Phase) -> Result<(), Refusal> {
    match (record.phase, to) {
        (Phase::DomainGeneration, Phase::DnsValidation)
        | (Phase::DnsValidation, Phase::HttpKeywordValidation)
        | (Phase::HttpKeywordValidation, Phase::Analysis) => Ok(()),
        _ => Err(illegal(record, to.as_str())),
    }
}

/// Checks what a phase needs, and tells how many items it will have.
fn prerequisites(record: &CampaignRecord, to: Phase, tally: &Tally) -> Result<u64, Refusal> {
    let missing = |what: String| Err(Refusal::new(Code::PrerequisitesNotMet, what));
    if record.status != Status::Completed {
        return missing(format!("{} is not completed", record.phase));
    }
    match to {
        Phase::DnsValidation if tally.rows == 0 => missing("there are no domains".into()),
        Phase::DnsValidation => Ok(tally.rows),
        Phase::HttpKeywordValidation if tally.resolved == 0 => {
            missing("no domain was resolved".into())
        }
        Phase::HttpKeywordValidation => Ok(tally.resolved),
        _ => Ok(tally.fetched),
    }
}

/// Whether the counters of the phase that ends are what its rows say.
fn counters_agree(before: &CampaignRecord, recount: &Recount) -> bool {
    let tally = &recount.tally;
    let (processed, successful) = match before.phase {
        Phase::DomainGeneration => (tally.rows, tally.rows),
        Phase::DnsValidation => (tally.dns_done, tally.resolved),
        Phase::HttpKeywordValidation => (tally.http_done, tally.fetched),
        _ => return true,
    };
    let counters = &before.counters;
    (counters.processed_items, counters.successful_items) == (processed, successful)
}

/// The name of the one transaction that a transition is.
pub const fn transaction_name(to: Phase) -> &'static str {
    match to {
        Phase::DnsValidation => "DNS_Phase_Transition",
        Phase::HttpKeywordValidation => "HTTP_Phase_Transition",
        Phase::Analysis => "Analysis_Phase_Transition",
        _ => "Phase_Transition",
    }
}
