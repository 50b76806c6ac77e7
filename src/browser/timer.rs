//! The one timer. Dropping it cancels it.

use core::cell::RefCell;

use gloo_timers::callback::Timeout;

use super::clock;
use crate::sync::Timestamp;

/// Browsers fire at once what is later than this. To fire early and be armed again is harmless.
const DELAY_MS_MAX: u64 = i32::MAX as u64;

/// At most one timeout, for the machine's next deadline.
#[derive(Debug, Default)]
pub(super) struct Timer {
    armed: RefCell<Option<(Timestamp, Timeout)>>,
}

impl Timer {
    /// Arms it for `deadline`, unless it is armed for that already.
    pub(super) fn arm(&self, deadline: Option<Timestamp>, fire: impl FnOnce() + 'static) {
        if deadline == self.deadline() {
            return;
        }
        self.cancel();
        let Some(deadline) = deadline else { return };
        let delay_ms = deadline.since(clock::now().at).min(DELAY_MS_MAX);
        let timeout = Timeout::new(delay_ms as u32, fire);
        self.armed.replace(Some((deadline, timeout)));
    }

    /// Cancels it. Also to be called when it has fired, so that it may be armed anew.
    pub(super) fn cancel(&self) {
        self.armed.take();
    }

    /// What it is armed for.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.armed.borrow().as_ref().map(|(deadline, _)| *deadline)
    }
}
