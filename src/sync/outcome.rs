//! Outcomes: the result of one input. Tests assert outcomes, and log lines report them.

use crate::protocol::Code;

/// The result of one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// The event was applied as the next one.
    Applied,
    /// The event has a type that this version does not know. The position advanced.
    AppliedUnknown,
    /// The document belongs to a campaign that has no subscription.
    Unsubscribed,
    /// The event was applied before; its hash is the same.
    Duplicate,
    /// The event was applied before and arrived again within a replay.
    Redelivered,
    /// The event is at or below the position, and its hash is no longer remembered.
    OutOfOrder,
    /// The event does not match its own hash.
    Corrupt,
    /// The event belongs to a superseded epoch.
    SupersededEpoch,
    /// The event belongs to an epoch that the client does not follow.
    ForeignEpoch,
    /// The event contradicts an applied or held event.
    Divergence,
    /// The event is next but cannot be applied.
    Rejected,
    /// The event is beyond the next one. It is held until the gap is closed.
    Held,
    /// The event is beyond the next one, and the buffer is full of nearer events.
    Overflow,
    /// The control message was processed.
    Control,
    /// The control message does not answer a current request, or its type is unknown.
    Ignored,
    /// The document was refused.
    Refused(Code),
}

/// The result of one input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "an outcome says whether the input counted"]
pub struct Outcome {
    /// The number of events applied, including held events that became next.
    pub applied: u32,
    /// One verdict for each document of a frame.
    pub verdicts: Vec<Verdict>,
    /// The reason if the whole input was refused.
    pub refused: Option<Code>,
    /// The input came from a socket that is no longer current, or answers an old request.
    pub ignored_late: bool,
}

impl Outcome {
    /// Whether a driver may leave its timer as it is. Applied events only move deadlines later, and a
    /// timer that fires early is harmless.
    pub fn keeps_timer(&self) -> bool {
        self.verdicts.iter().all(|verdict| *verdict == Verdict::Applied)
    }
}
