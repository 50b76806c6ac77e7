//! Storage for the texts of rows: append-only chunks, addressed by 32 bits.
//!
//! It allocates once per megabyte instead of once per text, and does not copy everything when it
//! grows.

const CHUNK_BITS: u32 = 20;
const CHUNK_BYTES: usize = 1 << CHUNK_BITS;
const CHUNKS_MAX: usize = 1 << (u32::BITS - CHUNK_BITS);

/// The longest text that an arena accepts, in bytes.
pub const TEXT_BYTES_MAX: usize = u16::MAX as usize;

/// Append-only text storage.
#[derive(Clone, Debug, Default)]
pub struct Arena {
    chunks: Vec<String>,
    garbage: usize,
}

impl Arena {
    /// Appends `first` and `second` next to each other and returns their address; `None` when 4 GiB
    /// are full, or if a text is longer than [`TEXT_BYTES_MAX`].
    pub fn push(&mut self, first: &str, second: &str) -> Option<u32> {
        if first.len().max(second.len()) > TEXT_BYTES_MAX {
            return None;
        }
        let length = first.len() + second.len();
        let fits = self.chunks.last().is_some_and(|chunk| chunk.len() + length <= CHUNK_BYTES);
        if !fits {
            if self.chunks.len() == CHUNKS_MAX {
                return None;
            }
            // A small table stays small, and a large table wastes nothing on doubling.
            let bytes = if self.chunks.is_empty() { 0 } else { CHUNK_BYTES };
            self.chunks.push(String::with_capacity(bytes));
        }
        let number = self.chunks.len() - 1;
        let chunk = self.chunks.last_mut()?;
        let at = (number << CHUNK_BITS | chunk.len()) as u32;
        if chunk.capacity() - chunk.len() < length {
            let wanted = (2 * chunk.capacity()).clamp(chunk.len() + length, CHUNK_BYTES);
            chunk.reserve_exact(wanted - chunk.len());
        }
        chunk.push_str(first);
        chunk.push_str(second);
        Some(at)
    }

    /// The `length` bytes of text at the address `at`.
    pub fn text(&self, at: u32, length: usize) -> &str {
        let start = at as usize & (CHUNK_BYTES - 1);
        let chunk = self.chunks.get((at >> CHUNK_BITS) as usize);
        chunk.and_then(|chunk| chunk.get(start..start + length)).unwrap_or_default()
    }

    /// Records that `bytes` are no longer referenced.
    pub const fn discard(&mut self, bytes: usize) {
        self.garbage += bytes;
    }

    /// Whether the garbage is more than half of the arena and more than one chunk.
    pub fn needs_compaction(&self) -> bool {
        self.garbage > CHUNK_BYTES && self.garbage * 2 > self.bytes()
    }

    /// Bytes of stored text, including garbage.
    pub fn bytes(&self) -> usize {
        self.chunks.iter().map(String::len).sum()
    }

    /// Bytes allocated.
    pub fn capacity(&self) -> usize {
        self.chunks.iter().map(String::capacity).sum()
    }
}
