//! Whether the server can take clients. The log is checked once for all probes that come at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use crate::hub::Hub;

/// The age up to which a result answers further probes.
const RESULT_AGE_MAX: Duration = Duration::from_secs(1);

/// The longest wait for a check.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);

/// The reason for which the server is not ready, for people; `Ok` if it is ready.
pub type Result = std::result::Result<(), String>;

/// The last result.
#[derive(Debug, Default)]
pub struct Readiness {
    last: Mutex<Option<(Instant, Result)>>,
    /// A check runs, perhaps one for which nobody waits any more.
    is_checking: Arc<AtomicBool>,
}

impl Readiness {
    /// Checks the log, or returns the result of a check that has just ended.
    ///
    /// # Errors
    /// The reason for which the log cannot be read and written.
    pub async fn check(&self, hub: &Arc<Hub>) -> Result {
        // Probes that come during a check wait here, and then find its result.
        let mut last = self.last.lock().await;
        if let Some((at, result)) = &*last
            && at.elapsed() < RESULT_AGE_MAX
        {
            return result.clone();
        }
        let result = self.check_now(hub).await;
        let was_ready = last.as_ref().is_none_or(|(_, result)| result.is_ok());
        match &result {
            Err(reason) if was_ready => tracing::error!(event = "not_ready", reason),
            Ok(()) if !was_ready => tracing::info!(event = "ready_again"),
            Ok(()) | Err(_) => {}
        }
        *last = Some((Instant::now(), result.clone()));
        result
    }

    async fn check_now(&self, hub: &Arc<Hub>) -> Result {
        let no_answer = || Err("the log does not answer".to_owned());
        // A check that never ends must not occupy more than one thread.
        if self.is_checking.swap(true, Ordering::Relaxed) {
            return no_answer();
        }
        let (hub, is_checking) = (hub.clone(), self.is_checking.clone());
        let check = spawn_blocking(move || {
            let checked = hub.log().check();
            is_checking.store(false, Ordering::Relaxed);
            checked.map_err(|error| error.to_string())
        });
        match timeout(CHECK_TIMEOUT, check).await {
            Ok(Ok(checked)) => checked,
            Ok(Err(_)) | Err(_) => no_answer(),
        }
    }
}
