//! The effect of an event on a campaign, or the reason why the event cannot be applied.

use std::sync::Arc;

use super::ExpectedDigest;
use crate::protocol::campaign::CampaignRecord;
use crate::protocol::transition::Transition;
use crate::protocol::{Code, Phase, SequenceNumber, Status};

/// The reason why an event cannot be applied. The store is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The content breaks a rule.
    Invalid(Code),
    /// The transition leaves a phase that is not the local phase: the histories differ.
    WrongPreviousPhase,
}

/// The effect of an applied event, as far as callers need it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The change of phase or status, if one of them differs from before.
    pub phase: Option<PhaseChange>,
    /// The code of a transition that the server announced as refused.
    pub refused: Option<Code>,
    /// The count and digest that the event claims for the rows after it.
    pub expected: Option<ExpectedDigest>,
}

/// A change of phase, or of the status within a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseChange {
    /// The previous phase, and the status in it.
    pub from: (Phase, Status),
    /// The new phase, and the status in it.
    pub to: (Phase, Status),
}

impl PhaseChange {
    /// The phase of a record, and the status in it.
    pub fn of(record: &CampaignRecord) -> (Phase, Status) {
        (record.phase, record.status)
    }

    /// The change to the phase and status of a record; `None` if both are the same, or if there is no
    /// record before.
    pub fn between(before: Option<(Phase, Status)>, after: &CampaignRecord) -> Option<Self> {
        let (from, to) = (before?, Self::of(after));
        (from != to).then_some(Self { from, to })
    }
}

/// The last accepted transition, for users.
#[derive(Clone, Debug, PartialEq)]
pub struct LastTransition {
    /// The payload of the transition.
    pub transition: Arc<Transition>,
    /// The time of the transition: RFC 3339, by the server's clock.
    pub timestamp: String,
    /// The sequence number of the event.
    pub sequence_number: SequenceNumber,
}

/// The metadata of an event.
#[derive(Clone, Copy, Debug)]
pub struct EventMeta<'a> {
    /// The time of the event in RFC 3339.
    pub timestamp: &'a str,
    /// The sequence number of the event.
    pub sequence_number: SequenceNumber,
}
