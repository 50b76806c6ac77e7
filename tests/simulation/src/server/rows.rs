//! The rows of one state. Every state is kept, and most states differ from the one before in one or two
//! rows. Unchanged rows are shared.

use std::collections::BTreeMap;
use std::rc::Rc;

use campaign_sync::protocol::digest::{bucket_of, id_hash};

use super::state::Row;

/// The number of shards. A shard is shared or copied as a whole.
const SHARDS: usize = 16;

/// Rows by id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    shards: [Rc<Shard>; SHARDS],
}

#[derive(Clone, Debug, Default)]
struct Shard {
    rows: BTreeMap<Rc<str>, Rc<Row>>,
    /// The sum of the rows' hashes, computed again after every change.
    sum: u64,
}

fn shard_of(id: &str) -> usize {
    bucket_of(id_hash(id)) % SHARDS
}

impl Rows {
    /// The row with that id.
    pub(crate) fn get(&self, id: &str) -> Option<&Rc<Row>> {
        self.shards[shard_of(id)].rows.get(id)
    }

    /// Inserts a row, or replaces the one with that id.
    pub(crate) fn insert(&mut self, id: &str, row: Row) {
        self.change(id, |rows| {
            rows.insert(id.into(), Rc::new(row));
        });
    }

    /// Removes the row with that id, if there is one.
    pub(crate) fn remove(&mut self, id: &str) {
        if self.get(id).is_some() {
            self.change(id, |rows| {
                rows.remove(id);
            });
        }
    }

    fn change(&mut self, id: &str, change: impl FnOnce(&mut BTreeMap<Rc<str>, Rc<Row>>)) {
        let shard = Rc::make_mut(&mut self.shards[shard_of(id)]);
        change(&mut shard.rows);
        shard.sum = shard.rows.values().fold(0, |sum, row| sum.wrapping_add(row.hash));
    }

    /// All rows, always in the same order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Rc<str>, &Rc<Row>)> {
        self.shards.iter().flat_map(|shard| shard.rows.iter())
    }

    /// The id of the row at `index`, in the order of [`Rows::iter`].
    pub(crate) fn id_at(&self, mut index: usize) -> Option<&Rc<str>> {
        for shard in &self.shards {
            if index < shard.rows.len() {
                return shard.rows.keys().nth(index);
            }
            index -= shard.rows.len();
        }
        None
    }

    /// The number of rows.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.rows.len()).sum()
    }

    /// Whether there is no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sum of all hashes.
    pub(crate) fn sum(&self) -> u64 {
        self.shards.iter().fold(0, |sum, shard| sum.wrapping_add(shard.sum))
    }
}
