//! Every limit of the wire, with its unit in its name.

/// The in-band name of this protocol.
pub const PROTOCOL_V1: &str = "campaign-sync.v1";

/// The in-band name of the same protocol where content is sealed.
#[cfg(feature = "encrypted")]
pub const PROTOCOL_V1_SEALED: &str = "campaign-sync.v1.sealed";

/// A received frame larger than this is refused whole.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;

/// A received frame with more documents than this is refused whole.
pub const FRAME_DOCUMENTS_MAX: usize = 10_000;

/// Objects and arrays may nest this deep; deeper documents are refused.
pub const NESTING_MAX: usize = 64;

/// The largest integer that JavaScript holds exactly, 2^53 − 1.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

/// The most rows that one `domains.updated` or `domains.removed` may carry.
pub const EVENT_ROWS_MAX: usize = 1_000;

/// The size a server keeps one `campaign.snapshot` part under.
pub const SNAPSHOT_PART_BYTES_MAX: usize = 256 * 1024;

/// The most parts that one snapshot may announce.
pub const SNAPSHOT_PARTS_MAX: u64 = 100_000;

/// The largest `connection_init`. A server without v1 may close the socket beyond it.
pub const SMALL_MESSAGE_BYTES_MAX: usize = 512;

/// Buckets of a campaign digest.
pub const DIGEST_BUCKETS: usize = 256;
