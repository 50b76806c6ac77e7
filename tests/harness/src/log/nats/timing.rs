//! How long the parts of this log wait.

use std::time::Duration;

/// How long an append waits for the stream, a change of its leader included.
pub(super) const CLUSTER_TIMEOUT: Duration = Duration::from_secs(30);
