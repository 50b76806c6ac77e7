//! Reading all rows in slices, while events go on changing them.

use super::query::{DomainPage, PAGE_ROWS_MAX, shown_row};
use super::table::DomainTable;

/// The hashes of the rows that the present reader of a table has.
///
/// A reader takes slices until one is empty. Each slice continues where the one before ended, around the
/// table, and skips only rows that the reader has in their present form. So a row that changed meanwhile is
/// sent again, and after an empty slice the reader has every row as it is at that moment. Removals are not
/// named: a reader that has more rows than the table starts again, as another reader.
#[derive(Clone, Debug, Default)]
pub struct SliceReader {
    reader: u64,
    hashes: Vec<u64>,
    next: usize,
}

impl SliceReader {
    /// The next slice for `reader`: at most [`PAGE_ROWS_MAX`] rows. Another reader than before has nothing yet.
    pub fn slice<'a>(&mut self, table: &'a DomainTable, reader: u64) -> DomainPage<'a> {
        if self.reader != reader {
            self.reader = reader;
            self.next = 0;
            self.hashes.clear();
        }
        let total = table.len();
        let mut rows = Vec::new();
        for _ in 0..total {
            if rows.len() == PAGE_ROWS_MAX {
                break;
            }
            let place = if self.next < total { self.next } else { 0 };
            self.next = place + 1;
            let hash = table.hash(place);
            match self.hashes.get_mut(place) {
                Some(known) if *known == hash => continue,
                Some(known) => *known = hash,
                // Places come in order, so this one is the next.
                None => self.hashes.push(hash),
            }
            rows.push(shown_row(table, place as u32, false));
        }
        if rows.is_empty() {
            // The reader is done, so the memory is free.
            self.reader = 0;
            self.hashes = Vec::new();
        }
        DomainPage { total, rows }
    }
}
