//! Positions in a campaign's log: epoch, sequence number and event id (docs/PROTOCOL.md,
//! chapter 5).

use core::fmt;
use std::sync::Arc;

use super::Code;
use super::limits::INTEGER_MAX;

/// The number of an event in its campaign's log. Numbers are contiguous from 1; 0 means "no event
/// yet". The maximum is 2^53 − 1, so that JavaScript represents each number exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceNumber(u64);

impl SequenceNumber {
    /// The number before the first event.
    pub const ZERO: Self = Self(0);

    /// Checks the range of `number`.
    ///
    /// # Errors
    /// [`Code::IntegerOutOfRange`] above 2^53 − 1.
    pub const fn new(number: u64) -> Result<Self, Code> {
        if number <= INTEGER_MAX { Ok(Self(number)) } else { Err(Code::IntegerOutOfRange) }
    }

    /// The number as an integer.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number after this one. At the end of the range, which no log reaches, it is the same
    /// number.
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

/// The identity of a log. It changes whenever the log stops being the same log. Cheap to clone.
// Boxed for the same reason as a campaign's id.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(Arc<Box<str>>);

impl Epoch {
    /// Validates `text` and copies it.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] unless it is 1 to 128 printable ASCII characters other than `"`,
    /// `\` and `/`.
    pub fn new(text: &str) -> Result<Self, Code> {
        if is_token(text) { Ok(Self(Arc::new(text.into()))) } else { Err(Code::InvalidContent) }
    }

    /// The epoch as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `text` is this epoch.
    pub fn is(&self, text: &str) -> bool {
        **self.0 == *text
    }
}

impl Clone for Epoch {
    // Not inline, because the module clones epochs in twenty places.
    #[inline(never)]
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Whether `text` is a valid epoch or event id: printable, and the same inside and outside JSON.
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

/// A position in a log. Every event up to and including `sequence_number` has been applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The epoch of the log.
    pub epoch: Epoch,
    /// The sequence number of the last applied event.
    pub sequence_number: SequenceNumber,
    /// The id of the last applied event; empty before the first event, or if a snapshot has no id.
    pub event_id: String,
}

impl Position {
    /// Whether this is the position of that number in that log.
    pub fn is_at(&self, epoch: &Epoch, number: SequenceNumber) -> bool {
        self.epoch == *epoch && self.sequence_number == number
    }
}

impl fmt::Display for Position {
    /// Writes `epoch/number`, the form of the `Campaign-Position` header.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.epoch, self.sequence_number)
    }
}
