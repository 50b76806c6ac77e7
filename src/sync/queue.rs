//! A first-in, first-out queue of two lists. Items are pushed to one list, and reversed into the other
//! before they are popped.

/// A first-in, first-out queue.
#[derive(Clone, Debug)]
pub struct Queue<T> {
    incoming: Vec<T>,
    outgoing: Vec<T>,
}

impl<T> Queue<T> {
    /// Creates an empty queue.
    pub const fn new() -> Self {
        Self { incoming: Vec::new(), outgoing: Vec::new() }
    }

    /// Adds an item to the end.
    pub fn push(&mut self, item: T) {
        self.incoming.push(item);
    }

    /// Removes and returns the oldest item.
    pub fn pop(&mut self) -> Option<T> {
        if self.outgoing.is_empty() {
            self.incoming.reverse();
            core::mem::swap(&mut self.incoming, &mut self.outgoing);
        }
        self.outgoing.pop()
    }

    /// Removes the items that `keep` does not select.
    pub fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.incoming.retain(&keep);
        self.outgoing.retain(&keep);
    }

    /// Whether the queue is empty.
    pub const fn is_empty(&self) -> bool {
        self.incoming.is_empty() && self.outgoing.is_empty()
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self::new()
    }
}
