//! Follows a stream: delivers every message once and in order, although a consumer may die at any time.

use std::convert::Infallible;
use std::time::Duration;

use async_nats::jetstream::consumer::{DeliverPolicy, pull::OrderedConfig};
use async_nats::jetstream::stream::Info;
use async_nats::jetstream::{Context, Message};
use futures_util::StreamExt as _;
use tokio::time::timeout;

use super::super::LogError;

/// After this much silence the leader is asked for the end of the stream: the consumer may have died together
/// with the server that hosted it.
pub(super) const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// A reader of a stream.
pub(super) trait Reader {
    /// The reason for which it stops.
    type Error: From<LogError>;

    /// Checks that this is still the stream that was read before.
    fn check_identity(&mut self, stream: &Info) -> Result<(), Self::Error>;

    /// The sequence of the last message that was read.
    fn seen(&self) -> u64;

    /// Reads the next message.
    fn take(&mut self, sequence: u64, message: &Message) -> Result<(), Self::Error>;
}

/// Reads the messages after the last one that was read, until an error occurs.
pub(super) async fn follow<R: Reader>(
    context: &Context,
    stream: &str,
    reader: &mut R,
) -> Result<Infallible, R::Error> {
    let stream = context.get_stream(stream).await.map_err(LogError::storage)?;
    reader.check_identity(stream.cached_info())?;
    let start_sequence = reader.seen() + 1;
    let consumer = OrderedConfig {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
        ..OrderedConfig::default()
    };
    let consumer = stream.create_consumer(consumer).await.map_err(LogError::storage)?;
    let mut messages = consumer.messages().await.map_err(LogError::storage)?;
    loop {
        match timeout(POLL_INTERVAL, messages.next()).await {
            Ok(Some(message)) => {
                let message = message.map_err(LogError::storage)?;
                let sequence = message.info().map_err(LogError::storage)?.stream_sequence;
                if sequence > reader.seen() {
                    reader.take(sequence, &message)?;
                }
            }
            Ok(None) => return Err(LogError::storage("the consumer ended").into()),
            Err(_) => {
                let info = stream.get_info().await.map_err(LogError::storage)?;
                reader.check_identity(&info)?;
                if end_of(&info) > reader.seen() {
                    return Err(LogError::storage("the consumer is silent").into());
                }
            }
        }
    }
}

/// The sequence of the last message in the stream; 0 if all have expired. Messages expire in order, so the
/// last one expires last.
pub(super) const fn end_of(info: &Info) -> u64 {
    if info.state.messages == 0 { 0 } else { info.state.last_sequence }
}
