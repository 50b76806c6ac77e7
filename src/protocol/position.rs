//! Where a reader stands in a campaign's log: epoch, number, event.

use core::fmt;
use std::sync::Arc;

use super::Code;
use super::limits::INTEGER_MAX;

/// The number of an event within its campaign's log: contiguous from 1; 0 means "nothing yet".
/// At most 2^53 − 1, so that it is one exact JavaScript number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceNumber(u64);

impl SequenceNumber {
    /// Before the first event.
    pub const ZERO: Self = Self(0);

    /// # Errors
    /// [`Code::IntegerOutOfRange`] above 2^53 − 1.
    pub const fn new(number: u64) -> Result<Self, Code> {
        if number <= INTEGER_MAX { Ok(Self(number)) } else { Err(Code::IntegerOutOfRange) }
    }

    /// The plain number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number after this one. Stays put at the end of the range, which no log reaches.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.0 < INTEGER_MAX { Self(self.0 + 1) } else { self }
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The identity of a log. It changes whenever the log is not the same log any more. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(Arc<str>);

impl Epoch {
    /// Takes a copy of `text`.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] unless it is 1 to 128 printable ASCII characters other than `"`,
    /// `\` and `/`.
    pub fn new(text: &str) -> Result<Self, Code> {
        if is_token(text) { Ok(Self(text.into())) } else { Err(Code::InvalidContent) }
    }

    /// The epoch as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `text` may be an epoch or an event id: printable, and the same inside and outside JSON.
pub fn is_token(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b'/'))
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A place in a log: everything up to and including `sequence_number` has been applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which log.
    pub epoch: Epoch,
    /// The last applied number.
    pub sequence_number: SequenceNumber,
    /// The last applied event's id; empty before the first event, or where a snapshot gave none.
    pub event_id: String,
}

impl fmt::Display for Position {
    /// The form of the `Campaign-Position` header: `epoch/number`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.epoch, self.sequence_number)
    }
}
