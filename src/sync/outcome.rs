//! Outcomes: what an input did. An outcome is what tests assert and what a log line says.

use crate::protocol::Code;

/// What became of one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Applied as the next event.
    Applied,
    /// Of a type this version does not know: the position advanced.
    AppliedUnknown,
    /// Of a campaign that nobody subscribed to.
    Unsubscribed,
    /// Applied before, by its hash.
    Duplicate,
    /// Applied before, within a replay.
    Redelivered,
    /// At or below the position, and its hash is no longer remembered.
    OutOfOrder,
    /// Wrong by its own hash.
    Corrupt,
    /// Of a log that this one replaced.
    SupersededEpoch,
    /// Of a log that is not the one we follow.
    ForeignEpoch,
    /// Contradicts what has been applied or held.
    Divergence,
    /// The next event, but it cannot be applied.
    Rejected,
    /// Beyond the next: held until the gap is closed.
    Held,
    /// Beyond the next, and the buffer is full of nearer ones.
    Overflow,
    /// A control message, acted on.
    Control,
    /// A control message that answers nothing we asked, or of an unknown type.
    Ignored,
    /// Not understood.
    Refused(Code),
}

/// What an input did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "an outcome says whether the input counted"]
pub struct Outcome {
    /// Events applied, held ones that became next included.
    pub applied: u32,
    /// One verdict for each document of a frame.
    pub verdicts: Vec<Verdict>,
    /// Why the whole input was refused, if it was.
    pub refused: Option<Code>,
    /// The input came from a socket that is no longer ours, or answers an old question.
    pub ignored_late: bool,
}

impl Outcome {
    /// Whether a driver may leave its timer as it is. Events that apply only move deadlines away, and a timer
    /// that fires early is harmless.
    pub fn keeps_timer(&self) -> bool {
        self.verdicts.iter().all(|verdict| *verdict == Verdict::Applied)
    }
}
