//! A first-in, first-out queue of two lists. Items are pushed to one list, and reversed into the other
//! before they are popped.

/// A first-in, first-out queue.
#[derive(Clone, Debug)]
pub struct Queue<T> {
    coming: Vec<T>,
    going: Vec<T>,
}

impl<T> Queue<T> {
    /// Creates an empty queue.
    pub const fn new() -> Self {
        Self { coming: Vec::new(), going: Vec::new() }
    }

    /// Adds an item to the end.
    pub fn push(&mut self, item: T) {
        self.coming.push(item);
    }

    /// Removes and returns the oldest item.
    pub fn pop(&mut self) -> Option<T> {
        if self.going.is_empty() {
            self.coming.reverse();
            core::mem::swap(&mut self.coming, &mut self.going);
        }
        self.going.pop()
    }

    /// Whether the queue is empty.
    pub const fn is_empty(&self) -> bool {
        self.coming.is_empty() && self.going.is_empty()
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self::new()
    }
}
