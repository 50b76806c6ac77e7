//! All limits of the wire format. Each name contains the unit.

/// The name of this protocol in `connection_init` and `connection_ack`.
pub const PROTOCOL_V1: &str = "campaign-sync.v1";

/// The names of all versions of this protocol begin with this.
pub const PROTOCOL_FAMILY: &str = "campaign-sync.";

/// The name of this protocol if content is sealed (docs/ENCRYPTION.md).
#[cfg(feature = "encrypted")]
pub const PROTOCOL_V1_SEALED: &str = "campaign-sync.v1.sealed";

/// The largest frame. A larger received frame is refused as a whole.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;

/// The most documents in one frame. A received frame with more is refused as a whole.
pub const FRAME_DOCUMENTS_MAX: usize = 10_000;

/// The deepest nesting of objects and arrays. A deeper document is refused.
pub const NESTING_MAX: usize = 64;

/// The largest integer that JavaScript holds exactly, 2^53 − 1.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

/// The most rows that one `domains.updated` or `domains.removed` may carry.
pub const EVENT_ROWS_MAX: usize = 1_000;

/// The largest `campaign.snapshot` part that a server sends.
pub const SNAPSHOT_PART_BYTES_MAX: usize = 256 * 1024;

/// The most parts that one snapshot may announce.
pub const SNAPSHOT_PARTS_MAX: u64 = 100_000;

/// The most campaigns that a catalogue may list.
pub const CATALOGUE_CAMPAIGNS_MAX: usize = 100_000;

/// The largest token that a client sends and a server accepts.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// The longest subject of a session that a server names.
pub const SUBJECT_BYTES_MAX: usize = 128;

/// The number of buckets in a campaign digest.
pub const DIGEST_BUCKETS: usize = 256;
