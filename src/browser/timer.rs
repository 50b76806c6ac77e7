//! The only timer. Dropping it cancels it.

use core::cell::RefCell;

use gloo_timers::callback::Timeout;

use super::clock;
use crate::sync::Timestamp;

/// The longest delay. Browsers fire at once if the delay is longer. Firing early is harmless, because
/// the timer is armed again.
const DELAY_MS_MAX: u64 = i32::MAX as u64;

/// At most one timeout, for the machine's next deadline.
#[derive(Debug, Default)]
pub(super) struct Timer {
    armed: RefCell<Option<(Timestamp, Timeout)>>,
}

impl Timer {
    /// Arms the timer for `deadline`, unless it is already armed for it.
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

    /// Cancels the timer. After it fires, it must also be cancelled, so that it can be armed again.
    pub(super) fn cancel(&self) {
        self.armed.take();
    }

    /// The deadline for which the timer is armed.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.armed.borrow().as_ref().map(|(deadline, _)| *deadline)
    }
}
