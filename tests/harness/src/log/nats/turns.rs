//! A limit of calls that wait at one time.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The calls that wait.
#[derive(Debug)]
pub(super) struct Turns {
    waiting: AtomicUsize,
    most: usize,
}

/// One waiting call, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'t>(&'t Turns);

impl Turns {
    pub(super) const fn new(most: usize) -> Self {
        Self { waiting: AtomicUsize::new(0), most }
    }

    /// Counts a call; `None` if as many calls wait as may wait.
    pub(super) fn try_enter(&self) -> Option<Turn<'_>> {
        let turn = Turn(self);
        (self.waiting.fetch_add(1, Ordering::Relaxed) < self.most).then_some(turn)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
