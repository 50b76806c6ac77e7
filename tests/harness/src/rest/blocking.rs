//! Blocking work of handlers.

use campaign_sync::protocol::Code;

use crate::app::App;
use crate::campaign::Refusal;
use crate::capacity::turn;
use crate::hub::Hub;
use crate::log::LogError;

/// Runs a read of the database on a thread that may block, when it is its turn.
///
/// # Errors
/// [`Code::RateLimited`] with status 503 if there are too many other reads; the refusals of `work`.
pub(super) async fn reading<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&Hub) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let Some(turn) = turn(&app.reads).await else {
        app.context.hub.metrics.rate_limited.get_or_create(&[("what", "reads")]).inc();
        return Err(LogError::Busy.into());
    };
    // The thread continues if the client does not wait for it, so the turn ends with the thread's work.
    let work = move |hub: &Hub| {
        let _turn = turn;
        work(hub)
    };
    blocking(app, work).await
}

/// Runs `work` on a thread that may block.
///
/// # Errors
/// The refusals of `work`.
pub(super) async fn blocking<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&Hub) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let hub = app.context.hub.clone();
    match tokio::task::spawn_blocking(move || work(&hub)).await {
        Ok(result) => result,
        Err(_) => Err(Refusal::new(Code::Internal, "the operation failed")),
    }
}
