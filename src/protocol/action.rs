//! The phase machine: the actions on a campaign, and the states in which each is possible.
//!
//! The reference server decides by this table, and `cargo xtask phases` writes it into the package and the
//! documentation. The client does not use it.

use super::{Phase, Status};

/// An action on a campaign, as the last part of its route names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Starts the generation of the rows.
    Start,
    /// Makes the transition into DNS validation.
    ConfigureDns,
    /// Starts DNS validation.
    ValidateDns,
    /// Makes the transition into HTTP validation.
    ConfigureHttp,
    /// Starts HTTP validation.
    ValidateHttp,
    /// Makes the transition into the analysis.
    ConfigureAnalysis,
    /// Starts the analysis.
    Analyze,
    /// Pauses the running phase.
    Pause,
    /// Resumes the paused phase.
    Resume,
    /// Takes the phase back to the end of the phase before.
    Rollback,
}

impl Action {
    /// The name in the route.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::ConfigureDns => "configure-dns",
            Self::ValidateDns => "validate-dns",
            Self::ConfigureHttp => "configure-http",
            Self::ValidateHttp => "validate-http",
            Self::ConfigureAnalysis => "configure-analysis",
            Self::Analyze => "analyze",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Rollback => "rollback",
        }
    }
}

/// One step of the phase machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The action that takes the step.
    pub action: Action,
    /// The phase in which it is possible.
    pub phase: Phase,
    /// The statuses in which it is possible.
    pub statuses: &'static [Status],
    /// The phase and the status after it.
    pub to: (Phase, Status),
}

/// A phase that has not begun, or that is paused.
const IDLE: &[Status] = &[Status::Ready, Status::Configured, Status::Paused];
const RUNNING: &[Status] = &[Status::InProgress];
const PAUSED: &[Status] = &[Status::Paused];
const COMPLETED: &[Status] = &[Status::Completed];
const NOT_COMPLETED: &[Status] = &[
    Status::NotStarted,
    Status::Ready,
    Status::Configured,
    Status::InProgress,
    Status::Paused,
    Status::Failed,
    Status::Skipped,
];

const fn step(
    action: Action,
    phase: Phase,
    statuses: &'static [Status],
    to: Phase,
    status: Status,
) -> Step {
    Step { action, phase, statuses, to: (to, status) }
}

/// All steps, in the order of the phases.
pub static STEPS: [Step; 21] = {
    use Phase::HttpKeywordValidation as Http;
    use Phase::{Analysis, DnsValidation as Dns, DomainGeneration as Names};
    use Status::{Completed, Configured, InProgress, Paused};
    [
        step(Action::Start, Names, IDLE, Names, InProgress),
        step(Action::Pause, Names, RUNNING, Names, Paused),
        step(Action::Resume, Names, PAUSED, Names, InProgress),
        step(Action::ConfigureDns, Names, COMPLETED, Dns, Configured),
        step(Action::ValidateDns, Names, COMPLETED, Dns, InProgress),
        step(Action::ValidateDns, Dns, IDLE, Dns, InProgress),
        step(Action::Pause, Dns, RUNNING, Dns, Paused),
        step(Action::Resume, Dns, PAUSED, Dns, InProgress),
        step(Action::Rollback, Dns, NOT_COMPLETED, Names, Completed),
        step(Action::ConfigureHttp, Dns, COMPLETED, Http, Configured),
        step(Action::ValidateHttp, Dns, COMPLETED, Http, InProgress),
        step(Action::ValidateHttp, Http, IDLE, Http, InProgress),
        step(Action::Pause, Http, RUNNING, Http, Paused),
        step(Action::Resume, Http, PAUSED, Http, InProgress),
        step(Action::Rollback, Http, NOT_COMPLETED, Dns, Completed),
        step(Action::ConfigureAnalysis, Http, COMPLETED, Analysis, Configured),
        step(Action::Analyze, Http, COMPLETED, Analysis, InProgress),
        step(Action::Analyze, Analysis, IDLE, Analysis, InProgress),
        step(Action::Pause, Analysis, RUNNING, Analysis, Paused),
        step(Action::Resume, Analysis, PAUSED, Analysis, InProgress),
        step(Action::Rollback, Analysis, NOT_COMPLETED, Http, Completed),
    ]
};

/// The steps of an action from a phase. An action has at most one.
pub fn step_of(action: Action, phase: Phase) -> Option<&'static Step> {
    STEPS.iter().find(|step| step.action == action && step.phase == phase)
}

/// The step from a phase that ends in this state, without rollbacks.
pub fn step_to(phase: Phase, to: (Phase, Status)) -> Option<&'static Step> {
    let mut steps = STEPS.iter().filter(|step| step.phase == phase && step.to == to);
    steps.find(|step| !matches!(step.action, Action::Resume | Action::Rollback))
}
