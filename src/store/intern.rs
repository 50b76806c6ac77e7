//! Status names, each stored once, with the number of rows that have it.

use crate::protocol::Code;

/// The most different statuses in one column.
pub const STATUSES_MAX: usize = u16::MAX as usize - 1;

/// The status names of one column. Number 0 stands for an absent status.
#[derive(Clone, Debug)]
pub struct StatusInterner {
    statuses: Vec<Box<str>>,
    counts: Vec<u32>,
}

impl Default for StatusInterner {
    fn default() -> Self {
        Self { statuses: vec!["".into()], counts: vec![0] }
    }
}

impl StatusInterner {
    /// The number of `status`. A new status is added.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] if the status is new and the column already has [`STATUSES_MAX`]
    /// statuses.
    pub fn intern(&mut self, status: &str) -> Result<u16, Code> {
        if let Some(number) = self.find(status) {
            return Ok(number);
        }
        if self.statuses.len() > STATUSES_MAX {
            return Err(Code::InvalidContent);
        }
        self.statuses.push(status.into());
        self.counts.push(0);
        Ok(self.statuses.len() as u16 - 1)
    }

    /// The number of `status`, if a row ever had it.
    pub fn find(&self, status: &str) -> Option<u16> {
        // Linear search: real columns have about five statuses, and most rows have one of the
        // first.
        let known = self.statuses.get(1..)?.iter().position(|known| **known == *status);
        known.map(|index| index as u16 + 1)
    }

    /// The status with this number; `None` for 0.
    pub fn status(&self, number: u16) -> Option<&str> {
        if number == 0 {
            None
        } else {
            self.statuses.get(usize::from(number)).map(|status| &**status)
        }
    }

    /// Moves one row from one status to another.
    pub fn recount(&mut self, from: u16, to: u16) {
        self.decrement(from);
        self.increment(to);
    }

    /// Counts one more row with this status.
    pub fn increment(&mut self, number: u16) {
        if let Some(count) = self.counts.get_mut(usize::from(number)) {
            *count += 1;
        }
    }

    /// Counts one row fewer with this status.
    pub fn decrement(&mut self, number: u16) {
        if let Some(count) = self.counts.get_mut(usize::from(number)) {
            *count = count.saturating_sub(1);
        }
    }

    /// The statuses that rows have now, each with its number of rows.
    pub fn counts(&self) -> impl Iterator<Item = (&str, u32)> {
        let pairs = self.statuses.iter().zip(&self.counts).skip(1);
        pairs.filter(|(_, count)| **count > 0).map(|(status, count)| (&**status, *count))
    }
}
