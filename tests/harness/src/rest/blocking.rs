//! Blocking work of handlers.

use campaign_sync::protocol::Code;

use crate::app::App;
use crate::campaign::Refusal;
use crate::hub::Hub;

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
