//! The timeouts of this log.

use std::time::Duration;

/// The timeout of an append, including a change of the stream's leader.
pub(super) const CLUSTER_TIMEOUT: Duration = Duration::from_secs(30);
