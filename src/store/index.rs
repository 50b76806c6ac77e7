//! Row numbers by the hash of their ids: open addressing, linear probing, no keys of its own.
//!
//! A general table keeps a control byte beside each entry and has many ways in; this one is six to
//! thirteen bytes a row, and a fourth of the code. Entries that follow a removed one move up, so there
//! are no tombs, and nothing depends on the order of slots: it is never iterated.

/// No row: there are at most `u32::MAX` of them.
const FREE: u32 = u32::MAX;

/// Row numbers, findable by the hash that they were put in with.
#[derive(Clone, Debug, Default)]
pub struct RowIndex {
    /// As many as a power of two, or none; at least three in eight are free, so that a search that
    /// finds nothing looks at four rows.
    slots: Vec<u32>,
    rows: usize,
}

impl RowIndex {
    /// The row with this hash that `is` the one.
    pub fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        self.slots.get(self.slot_of(hash, is)).copied()
    }

    /// Puts in a row that is not there yet. `hash_of` tells the hash of any row that is.
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

    /// Gives a row another number.
    pub fn renumber(&mut self, hash: u64, from: u32, to: u32) {
        let slot = self.slot_of(hash, |row| row == from);
        if let Some(place) = self.slots.get_mut(slot) {
            *place = to;
        }
    }

    /// Takes a row out. `hash_of` tells the hash of any other that is there.
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
            // The next one that may stand in the hole without standing before its own place.
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

    /// Bytes that it takes.
    pub const fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u32>()
    }

    /// Where the row is; beyond the slots if it is nowhere.
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

    /// Hashes that share their low bits in bunches, so that rows stand in each other's way.
    fn hash_of(row: u32) -> u64 {
        u64::from(row % 5) << 40 | u64::from(row % 7)
    }

    #[test]
    fn every_row_is_found_and_no_other_through_growth_and_removals() {
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
    fn a_row_keeps_its_place_under_another_number() {
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
