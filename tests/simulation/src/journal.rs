//! The journal has one line for everything that happens. The same seed gives the same journal. To format
//! the lines takes as long as the rest of the simulation, so for most seeds they are only counted.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};

use xxhash_rust::xxh64::xxh64;

/// Lines kept for a failure's report.
const TAIL_LINES: usize = 60;

/// The treatment of the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JournalMode {
    /// They are only counted.
    Nothing,
    /// They are counted and hashed.
    Hash,
    /// They are counted and hashed, and the last ones are kept.
    Tail,
    /// They are counted, hashed and printed.
    Print,
}

/// The journal of one simulation.
#[derive(Debug)]
pub(crate) struct Journal {
    keep: JournalMode,
    line: String,
    hash: u64,
    lines: u64,
    tail: VecDeque<String>,
}

impl Journal {
    /// An empty journal.
    pub(crate) const fn new(keep: JournalMode) -> Self {
        Self { keep, line: String::new(), hash: 0, lines: 0, tail: VecDeque::new() }
    }

    /// Adds one line.
    pub(crate) fn note(&mut self, at_ms: u64, what: fmt::Arguments<'_>) {
        self.lines += 1;
        if self.keep == JournalMode::Nothing {
            return;
        }
        self.line.clear();
        // Writing to a string cannot fail.
        let _infallible = write!(self.line, "{at_ms:>8} {what}");
        self.hash = xxh64(self.line.as_bytes(), self.hash);
        match self.keep {
            JournalMode::Nothing | JournalMode::Hash => {}
            JournalMode::Print => println!("{}", self.line),
            JournalMode::Tail => {
                self.tail.push_back(self.line.clone());
                if self.tail.len() > TAIL_LINES {
                    self.tail.pop_front();
                }
            }
        }
    }

    /// The hash of all lines, in order.
    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }

    /// The number of lines.
    pub(crate) const fn lines(&self) -> u64 {
        self.lines
    }

    /// The last lines, if they are kept.
    pub(crate) fn tail(&self) -> impl Iterator<Item = &str> {
        self.tail.iter().map(String::as_str)
    }
}
