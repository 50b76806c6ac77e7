//! An index of row numbers by the hash of their ids: open addressing, linear probing, no stored
//! keys.
//!
//! A general hash table keeps a control byte beside each entry and has many entry points. This
//! index takes six to thirteen bytes per row, and a fourth of the code. A removal moves the entries
//! after the removed one up, so there are no tombstones. The index is never iterated, so nothing
//! depends on the order of slots.

/// A free slot. No row has this number, because there are at most `u32::MAX` rows.
const FREE: u32 = u32::MAX;

/// Row numbers, found by the hash with which they were inserted.
#[derive(Clone, Debug, Default)]
pub struct RowIndex {
    /// The number of slots is 0 or a power of two. At least three of eight slots are free, so that
    /// a search without a result looks at four rows.
    slots: Vec<u32>,
    rows: usize,
}

impl RowIndex {
    /// The row with this hash for which `is` returns `true`.
    pub fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        self.slots.get(self.slot_of(hash, is)).copied()
    }

    /// Inserts a row that is not in the index. `hash_of` returns the hash of any row that is in the
    /// index.
    pub fn insert(&mut self, hash: u64, row: u32, hash_of: impl Fn(u32) -> u64) {
        if (self.rows + 1) * 8 > self.slots.len() * 5 {
            let larger = vec![FREE; (self.slots.len() * 2).max(16)];
            for moved in core::mem::replace(&mut self.slots, larger) {
                if moved != FREE {
                    self.place(hash_of(moved), moved);
                }
            }
        }
        self.place(hash, row);
        self.rows += 1;
    }

    /// Changes the number of a row.
    pub fn renumber(&mut self, hash: u64, from: u32, to: u32) {
        let slot = self.slot_of(hash, |row| row == from);
        if let Some(place) = self.slots.get_mut(slot) {
            *place = to;
        }
    }

    /// Removes a row. `hash_of` returns the hash of any other row in the index.
    pub fn remove(&mut self, hash: u64, row: u32, hash_of: impl Fn(u32) -> u64) {
        let mut hole = self.slot_of(hash, |it| it == row);
        if hole >= self.slots.len() {
            return;
        }
        self.rows -= 1;
        let mask = self.slots.len() - 1;
        let mut slot = hole;
        loop {
            self.slots[hole] = FREE;
            // Finds the next entry that may fill the hole without moving before its home slot.
            loop {
                slot = (slot + 1) & mask;
                let next = self.slots[slot];
                if next == FREE {
                    return;
                }
                let home = hash_of(next) as usize & mask;
                if slot.wrapping_sub(home) & mask >= slot.wrapping_sub(hole) & mask {
                    self.slots[hole] = next;
                    hole = slot;
                    break;
                }
            }
        }
    }

    /// The allocated bytes.
    pub const fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u32>()
    }

    /// The slot of the row; beyond the slots if the row is not in the index.
    fn slot_of(&self, hash: u64, is: impl Fn(u32) -> bool) -> usize {
        let mask = self.slots.len().wrapping_sub(1);
        let mut slot = hash as usize & mask;
        while let Some(&row) = self.slots.get(slot) {
            if row == FREE {
                break;
            }
            if is(row) {
                return slot;
            }
            slot = (slot + 1) & mask;
        }
        usize::MAX
    }

    fn place(&mut self, hash: u64, row: u32) {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        while self.slots[slot] != FREE {
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = row;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Hashes that share their low bits in groups, so that rows collide.
    fn hash_of(row: u32) -> u64 {
        u64::from(row % 5) << 40 | u64::from(row % 7)
    }

    #[test]
    fn find_returns_only_present_rows_after_growth_and_removals() {
        let (mut index, mut rows) = (RowIndex::default(), BTreeSet::new());
        let mut random = 88_172_645_463_325_252_u64;
        for _ in 0..20_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let row = (random % 300) as u32;
            if rows.remove(&row) {
                index.remove(hash_of(row), row, hash_of);
            } else {
                index.insert(hash_of(row), row, hash_of);
                rows.insert(row);
            }
            let probe = (random >> 32) as u32 % 300;
            let found = index.find(hash_of(probe), |it| it == probe);
            assert_eq!(found, rows.contains(&probe).then_some(probe));
        }
        assert!(index.bytes() <= 4 * 1024);
    }

    #[test]
    fn renumbered_row_is_found_only_under_its_new_number() {
        let mut index = RowIndex::default();
        index.insert(3, 1, |_| 3);
        index.insert(3, 2, |_| 3);
        index.renumber(3, 2, 9);
        assert_eq!(index.find(3, |it| it == 9), Some(9));
        assert_eq!(index.find(3, |it| it == 2), None);
        index.renumber(4, 5, 6);
        index.remove(4, 5, |_| 3);
        assert_eq!(index.find(3, |it| it == 1), Some(1));
    }
}
