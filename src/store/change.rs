//! What an event does to a campaign, or why it cannot be applied.

use super::ExpectedDigest;
use crate::protocol::campaign::CampaignRecord;
use crate::protocol::transition::Transition;
use crate::protocol::{Code, Phase, SequenceNumber, Status};

/// Why an event cannot be applied. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The content breaks a rule.
    Invalid(Code),
    /// The transition leaves a phase that is not ours: the histories differ.
    WrongPreviousPhase,
}

/// What an applied event did, as far as others want to know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    /// The phase, if it differs from before.
    pub phase: Option<PhaseChange>,
    /// A transition was announced as refused.
    pub refused: Option<Code>,
    /// What the event claims about the rows after it.
    pub expected: Option<ExpectedDigest>,
    /// A message for people: level and text.
    pub notification: Option<(String, String)>,
    /// The campaign is gone.
    pub ended: bool,
}

/// A phase that differs from the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseChange {
    /// Where the campaign was, if it was known.
    pub from: Option<Phase>,
    /// Where it is.
    pub to: Phase,
    /// Its status there.
    pub status: Status,
}

impl PhaseChange {
    /// The change from one record to another; `None` when the phase is the same, or when there was
    /// nothing before to differ from.
    pub fn between(before: Option<&CampaignRecord>, after: &CampaignRecord) -> Option<Self> {
        let before = before?;
        (before.phase != after.phase).then_some(Self {
            from: Some(before.phase),
            to: after.phase,
            status: after.status,
        })
    }
}

/// The last accepted transition, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct LastTransition {
    /// Everything it said.
    pub transition: Transition,
    /// When it happened: RFC 3339, by the server's clock.
    pub timestamp: String,
    /// Its number.
    pub sequence_number: SequenceNumber,
}

/// What surrounds an event's body.
#[derive(Clone, Copy, Debug)]
pub struct EventMeta<'a> {
    /// RFC 3339.
    pub timestamp: &'a str,
    /// Its number.
    pub sequence_number: SequenceNumber,
}
