//! The operations on a campaign: create it, configure its phases, start, pause and resume them, roll one
//! back, give the campaign to another owner, delete it.
//!
//! Every operation reads, decides, and appends on the condition that nothing changed in between. If something
//! changed, it decides again. So the check and the change are one step on any log.

pub mod demo;
pub mod drafts;
mod refusal;
pub mod request;
pub mod rollback;
pub mod runner;
pub mod simulate;

use campaign_sync::protocol::action::{Action, STEPS, Step, step_of, step_to};
use campaign_sync::protocol::campaign::{CampaignRecord, PhaseCounters};
use campaign_sync::protocol::limits::{EVENT_ROWS_MAX, INTEGER_MAX};
use campaign_sync::protocol::{Code, Phase, Status};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::log::{LogError, PhaseCounts, Recount, Settings, View};
pub use refusal::{BUSY_RETRY_MS, Refusal};
pub use request::{Caller, Completed, Key, Operation, RequestContext, view};
use request::{Decision, OperationSpec};

/// The most rows of a campaign.
const ROWS_MAX: u64 = 1_000_000;

/// The most rows per second.
const RATE_MAX: u64 = 1_000_000;

/// A campaign to be created.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewCampaign {
    /// Its id; generated if absent.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    pub campaign_id: Option<String>,
    /// Its name.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// The pattern of the domain names: `{word}`, `{n}` and `{letters}` are replaced. It contains `{n}`.
    #[schema(max_length = 200, pattern = "\\{n\\}")]
    pub pattern: Option<String>,
    /// The number of rows.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub count: u64,
    /// The seed from which all simulated results follow; 1 if absent.
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    pub seed: Option<u64>,
    /// Rows per second.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub rate: Option<u64>,
    /// Rows per event; the rate decides if absent.
    #[schema(minimum = 1, maximum = 1_000)]
    pub batch: Option<u64>,
}

impl NewCampaign {
    /// The rule that a member breaks, if one does. The text names the member.
    pub fn problem(&self) -> Option<&'static str> {
        let chars = |text: &str| text.chars().count();
        let is_within =
            |value: Option<u64>, most: u64| value.is_none_or(|value| (1..=most).contains(&value));
        let rules = [
            ((1..=200).contains(&chars(&self.name)), "name must have 1 to 200 characters"),
            (is_within(Some(self.count), ROWS_MAX), "count must be 1 to 1,000,000"),
            (self.seed <= Some(INTEGER_MAX), "seed must be at most 2^53 - 1"),
            (is_within(self.rate, RATE_MAX), "rate must be 1 to 1,000,000 rows per second"),
            (
                is_within(self.batch, EVENT_ROWS_MAX as u64),
                "batch must be 1 to 1,000 rows per event",
            ),
            (
                self.pattern.as_deref().is_none_or(|it| it.contains("{n}") && chars(it) <= 200),
                "pattern must contain {n} and have at most 200 characters",
            ),
        ];
        rules.into_iter().find(|(is_kept, _)| !is_kept).map(|(_, message)| message)
    }
}

impl Operation<'_> {
    /// Creates a campaign.
    ///
    /// # Errors
    /// [`Code::InvalidBody`], [`Code::InvalidCampaignId`], [`Code::ExpectedStateMismatch`] if the campaign
    /// exists.
    pub fn create(self, new: &NewCampaign, default_rate: u64) -> Result<Completed, Refusal> {
        let Self { hub, now, campaign, .. } = self;
        if let Some(answer) = self.answered()? {
            return answer;
        }
        let owner = self.order.by.owner_name.clone();
        if let Some(problem) = new.problem() {
            return Err(Refusal::new(Code::InvalidBody, problem));
        }
        let settings = Settings {
            pattern: new.pattern.clone().unwrap_or_else(|| Settings::default().pattern),
            count: new.count,
            seed: new.seed.unwrap_or(1),
            rate: new.rate.unwrap_or(default_rate),
            batch: new.batch,
            owner,
        };
        let record = CampaignRecord {
            name: new.name.clone(),
            phase: Phase::DomainGeneration,
            status: Status::Ready,
            counters: PhaseCounters { total_items: settings.count, ..PhaseCounters::default() },
            created_at: now.timestamp(),
            updated_at: now.timestamp(),
            ..CampaignRecord::default()
        };
        let spec = OperationSpec {
            name: "Creation",
            kind: "creation",
            to: &|_| (record.phase, record.status),
        };
        let mut draft = drafts::record(now, campaign, "create", &record, &settings);
        draft.audit_entry = Some(self.entry(&spec, &CampaignRecord::default(), None));
        match hub.append(campaign, 0, &[draft]) {
            Ok(appended) => Ok(Completed::of(&spec, campaign, appended)),
            Err(LogError::Conflict { .. }) => {
                let message = "the campaign exists already";
                let exists = Err(Refusal::new(Code::ExpectedStateMismatch, message));
                self.answered()?.unwrap_or(exists)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Moves a campaign into the next phase, with status `configured` or directly `in_progress`.
    ///
    /// # Errors
    /// [`Code::IllegalTransition`], [`Code::PrerequisitesNotMet`], [`Code::ExpectedStateMismatch`],
    /// [`Code::IntegrityCheckFailed`] (which is also announced in the log), [`Code::UnknownCampaign`].
    pub fn transition(self, to: Phase, status: Status) -> Result<Completed, Refusal> {
        let name = transaction_name(to);
        let spec = OperationSpec { name, kind: self.order.kind(), to: &|_| (to, status) };
        self.decide(&spec, |view| {
            let (before, settings) = (&view.state.record, &view.state.settings);
            let step = step_to(before.phase, (to, status)).filter(|step| step.phase != to);
            let step = step.ok_or_else(|| illegal(before, to.as_str()))?;
            let Some(recount) = self.recount(view)? else { return Ok(Decision::Retry) };
            let total = prerequisites(before, step, settings, &recount.phase_counts)?;
            let target = CampaignRecord {
                phase: to,
                status,
                counters: PhaseCounters { total_items: total, ..PhaseCounters::default() },
                total_domain_count: before.total_domain_count.max(recount.count),
                ..before.clone()
            };
            let agrees = recount.agrees() && counters_agree(before, settings, &recount);
            let estimated_seconds = total as f64 / settings.rate as f64;
            Ok(self.transition_decision(
                spec.kind,
                (before, target),
                &recount,
                agrees,
                estimated_seconds,
            ))
        })
    }

    /// Counts the rows again; `None` if the state changed since it was read.
    fn recount(self, view: &View) -> Result<Option<Recount>, Refusal> {
        let recount = self.hub.log().recount(self.campaign)?.ok_or(LogError::UnknownCampaign)?;
        Ok((recount.head.number == view.head.number).then_some(recount))
    }

    /// A transition between two records. If the integrity check failed, the failed transition is announced
    /// instead.
    fn transition_decision(
        self,
        kind: &'static str,
        (before, target): (&CampaignRecord, CampaignRecord),
        recount: &Recount,
        agrees: bool,
        estimated_seconds: f64,
    ) -> Decision {
        let updated_at = self.now.timestamp();
        let target = &CampaignRecord { updated_at, error_message: None, ..target };
        let reason = self.order.reason.as_deref().unwrap_or("requested");
        let transition =
            drafts::Transition { kind, before, target, recount, agrees, reason, estimated_seconds };
        let draft = drafts::transition(self.now, self.campaign, &transition);
        if agrees {
            return Decision::Append(draft);
        }
        let message = "rows, counters or digest do not add up; nothing was changed";
        Decision::Announce(draft, Refusal::new(Code::IntegrityCheckFailed, message))
    }

    /// Starts a phase: the present one if the campaign is configured for it, or the next one.
    ///
    /// # Errors
    /// As [`Self::transition`].
    pub fn start(self, phase: Phase) -> Result<Completed, Refusal> {
        if let Some(answer) = self.answered()? {
            return answer;
        }
        let view = view(self.hub, self.campaign)?;
        if view.state.record.phase != phase {
            return self.transition(phase, Status::InProgress);
        }
        self.set_status(Status::InProgress, |at| {
            step_to(at, (at, Status::InProgress)).filter(|_| at == phase)
        })
    }

    /// Pauses the running phase.
    ///
    /// # Errors
    /// As [`Self::transition`].
    pub fn pause(self) -> Result<Completed, Refusal> {
        self.set_status(Status::Paused, |at| step_of(Action::Pause, at))
    }

    /// Resumes a paused phase.
    ///
    /// # Errors
    /// As [`Self::transition`].
    pub fn resume(self) -> Result<Completed, Refusal> {
        self.set_status(Status::InProgress, |at| step_of(Action::Resume, at))
    }

    /// Gives a campaign to another owner. The former owner stops receiving it.
    ///
    /// # Errors
    /// [`Code::ExpectedStateMismatch`], [`Code::UnknownCampaign`].
    pub fn set_owner(self, owner: Option<String>) -> Result<Completed, Refusal> {
        let Self { now, campaign, .. } = self;
        let spec = OperationSpec { name: "Owner_Change", kind: "owner", to: &current_state };
        self.decide(&spec, |view| {
            let settings = Settings { owner: owner.clone(), ..view.state.settings.clone() };
            let updated_at = now.timestamp();
            let record = CampaignRecord { updated_at, ..view.state.record.clone() };
            Ok(Decision::Append(drafts::record(now, campaign, "update", &record, &settings)))
        })
    }

    /// Deletes a campaign with its last event. The id stays in use, and the log stays for the clients that
    /// have not received this event yet.
    ///
    /// # Errors
    /// [`Code::ExpectedStateMismatch`], [`Code::UnknownCampaign`].
    pub fn delete(self) -> Result<Completed, Refusal> {
        let spec = OperationSpec { name: "Deletion", kind: "deletion", to: &current_state };
        self.decide(&spec, |_| Ok(Decision::Append(drafts::deleted(self.now, self.campaign))))
    }

    /// Changes the status within the phase, by the step that the present phase has.
    fn set_status(
        self,
        to: Status,
        step: impl Fn(Phase) -> Option<&'static Step>,
    ) -> Result<Completed, Refusal> {
        let spec =
            OperationSpec { name: "Status_Change", kind: "status", to: &|it| (it.phase, to) };
        self.decide(&spec, |view| {
            let record = &view.state.record;
            if step(record.phase).is_none_or(|step| !step.statuses.contains(&record.status)) {
                return Err(illegal(record, to.as_str()));
            }
            Ok(Decision::Append(drafts::status(self.now, self.campaign, record.phase, to)))
        })
    }
}

const fn current_state(record: &CampaignRecord) -> (Phase, Status) {
    (record.phase, record.status)
}

fn illegal(record: &CampaignRecord, to: &str) -> Refusal {
    let message = format!("{}/{} does not lead to {to}", record.phase, record.status);
    Refusal::new(Code::IllegalTransition, message)
}

/// The phase after one.
fn next(phase: Phase) -> Option<Phase> {
    let step = STEPS.iter().find(|step| step.phase == phase && step.to.1 == Status::Configured);
    step.map(|step| step.to.0)
}

/// Checks the prerequisites of a phase and returns its number of items.
fn prerequisites(
    record: &CampaignRecord,
    step: &Step,
    settings: &Settings,
    phase_counts: &PhaseCounts,
) -> Result<u64, Refusal> {
    let missing = |what: String| Err(Refusal::new(Code::PrerequisitesNotMet, what));
    if !step.statuses.contains(&record.status) {
        return missing(format!("{} is not completed", record.phase));
    }
    let to = step.to.0;
    match (to, runner::counted(to, settings, phase_counts).total_items) {
        (Phase::DnsValidation, 0) => missing("there are no domains".into()),
        (Phase::HttpKeywordValidation, 0) => missing("no domain was resolved".into()),
        (_, total) => Ok(total),
    }
}

/// Whether the counters of the ending phase, and the number of rows, match the recounted rows.
fn counters_agree(before: &CampaignRecord, settings: &Settings, recount: &Recount) -> bool {
    let counted = runner::counted(before.phase, settings, &recount.phase_counts);
    let counts = |it: &PhaseCounters| {
        [it.total_items, it.processed_items, it.successful_items, it.failed_items]
    };
    counts(&counted) == counts(&before.counters) && before.total_domain_count == recount.count
}

/// The transaction name of a transition into a phase.
pub const fn transaction_name(to: Phase) -> &'static str {
    match to {
        Phase::DnsValidation => "DNS_Phase_Transition",
        Phase::HttpKeywordValidation => "HTTP_Phase_Transition",
        Phase::Analysis => "Analysis_Phase_Transition",
        _ => "Phase_Transition",
    }
}
