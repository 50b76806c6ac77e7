//! First in, first out, in two plain lists: what comes in is turned round once to go out.

/// A queue.
#[derive(Clone, Debug)]
pub struct Queue<T> {
    coming: Vec<T>,
    going: Vec<T>,
}

impl<T> Queue<T> {
    /// An empty queue.
    pub const fn new() -> Self {
        Self { coming: Vec::new(), going: Vec::new() }
    }

    /// Adds to the end.
    pub fn push(&mut self, item: T) {
        self.coming.push(item);
    }

    /// Takes the oldest.
    pub fn pop(&mut self) -> Option<T> {
        if self.going.is_empty() {
            self.coming.reverse();
            core::mem::swap(&mut self.coming, &mut self.going);
        }
        self.going.pop()
    }

    /// Whether there is nothing in it.
    pub const fn is_empty(&self) -> bool {
        self.coming.is_empty() && self.going.is_empty()
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self::new()
    }
}
