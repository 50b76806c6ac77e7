//! Storage for the fields of rows: chunks, so that a table of a million rows copies nothing when it grows.

const CHUNK_BITS: u32 = 10;
const CHUNK_ROWS: usize = 1 << CHUNK_BITS;

/// The fields of one row. They are packed, because padding would take six bytes of each row.
#[derive(Clone, Copy, Debug)]
#[repr(C, packed(2))]
pub(super) struct Row {
    pub(super) offset: i64,
    pub(super) lead_score: f64,
    /// The hash of the row, as the digest has it.
    pub(super) hash: u64,
    /// The address of the id in the arena. The name follows it.
    pub(super) text_at: u32,
    pub(super) http_code: i32,
    pub(super) id_len: u16,
    pub(super) name_len: u16,
    /// The numbers of the statuses, by column.
    pub(super) statuses: [u16; 3],
}

/// Rows by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    /// All chunks but the last one are full, and none is empty.
    chunks: Vec<Vec<Row>>,
    len: usize,
}

impl Rows {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, row: usize) -> &Row {
        &self.chunks[row >> CHUNK_BITS][row % CHUNK_ROWS]
    }

    pub(super) fn get_mut(&mut self, row: usize) -> &mut Row {
        &mut self.chunks[row >> CHUNK_BITS][row % CHUNK_ROWS]
    }

    pub(super) fn push(&mut self, row: Row) {
        if self.len.is_multiple_of(CHUNK_ROWS) {
            // A small table stays small.
            let rows = if self.len == 0 { 0 } else { CHUNK_ROWS };
            self.chunks.push(Vec::with_capacity(rows));
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(row);
            self.len += 1;
        }
    }

    /// Removes a row. The last row takes its number.
    pub(super) fn swap_remove(&mut self, row: usize) {
        let Some(chunk) = self.chunks.last_mut() else { return };
        let last = chunk.pop();
        if chunk.is_empty() {
            self.chunks.pop();
        }
        self.len -= 1;
        if let Some(last) = last
            && row < self.len
        {
            *self.get_mut(row) = last;
        }
    }

    /// The allocated bytes.
    pub(super) fn bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.capacity() * size_of::<Row>()).sum()
    }
}
