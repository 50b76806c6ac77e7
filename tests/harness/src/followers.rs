//! Sockets that wait for a change.

use std::sync::{Arc, Weak};

use tokio::sync::Notify;

/// The wake-up handles of waiting sockets. A dropped socket is skipped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Followers(Vec<Weak<Notify>>);

impl Followers {
    pub(crate) fn add(&mut self, follower: &Arc<Notify>) {
        self.0.push(Arc::downgrade(follower));
    }

    pub(crate) fn remove(&mut self, follower: &Arc<Notify>) {
        self.0.retain(|it| !std::ptr::eq(it.as_ptr(), Arc::as_ptr(follower)));
    }

    /// Removes the handles of dropped sockets.
    pub(crate) fn prune(&mut self) {
        self.0.retain(|it| it.strong_count() > 0);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn wake(&self) {
        self.0.iter().filter_map(Weak::upgrade).for_each(|follower| follower.notify_one());
    }
}
