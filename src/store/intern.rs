//! Status names, each stored once, with the number of rows that have it.

use crate::protocol::Code;

/// The most different statuses in one column.
pub const STATUSES_MAX: usize = u16::MAX as usize - 1;

/// The status names of one column, each with its number of rows. Numbers begin at 1, and 0 stands for an absent
/// status, of which no rows are counted.
#[derive(Clone, Debug, Default)]
pub struct StatusInterner {
    statuses: Vec<(Box<str>, u32)>,
}

impl StatusInterner {
    /// The number of `status`. A new status is added.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] if the status is new and the column already has [`STATUSES_MAX`]
    /// statuses.
    pub fn intern(&mut self, status: &str) -> Result<u16, Code> {
        // Linear search: real columns have about five statuses, and most rows have one of the
        // first.
        let known = self.statuses.iter().position(|(known, _)| **known == *status);
        let place = known.unwrap_or(self.statuses.len());
        if place == STATUSES_MAX {
            return Err(Code::InvalidContent);
        }
        if known.is_none() {
            self.statuses.push((status.into(), 0));
        }
        Ok(place as u16 + 1)
    }

    /// The status with this number; `None` for 0.
    pub fn status(&self, number: u16) -> Option<&str> {
        self.statuses.get(place_of(number)).map(|(status, _)| &**status)
    }

    /// Moves one row from one status to another.
    pub fn recount(&mut self, from: u16, to: u16) {
        if let Some((_, count)) = self.statuses.get_mut(place_of(from)) {
            *count = count.saturating_sub(1);
        }
        if let Some((_, count)) = self.statuses.get_mut(place_of(to)) {
            *count += 1;
        }
    }

    /// The statuses that rows have now, each with its number of rows.
    pub fn counts(&self) -> impl Iterator<Item = (&str, u32)> {
        let used = self.statuses.iter().filter(|(_, count)| *count > 0);
        used.map(|(status, count)| (&**status, *count))
    }
}

/// The place of a status in the list; beyond its end for 0.
fn place_of(number: u16) -> usize {
    usize::from(number).wrapping_sub(1)
}
