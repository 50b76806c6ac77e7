//! Checks at start-up that a log opens with the present keys.

use campaign_sync::protocol::Code;
use campaign_sync::protocol::envelope::Envelope;

use super::{EventLog, LogError, Result};
use crate::keys::{Keyring, open_data};

/// Checks that the oldest and the newest event of each campaign open with the present keys.
///
/// # Errors
/// [`LogError::Storage`], which names the event that does not open.
pub fn check_history(log: &dyn EventLog) -> Result<()> {
    let Some(keys) = log.keys() else { return Ok(()) };
    for campaign in log.campaigns()? {
        let Some(head) = log.head(&campaign)?.filter(|head| head.oldest <= head.number) else {
            continue;
        };
        for number in [head.oldest, head.number] {
            if let Some(event) = log.read(&campaign, number - 1, 1)?.first() {
                open_document(keys, &event.document).map_err(|error| {
                    let what = format!("event {number} of campaign {campaign}");
                    LogError::Storage(format!("{what} does not open: {error}"))
                })?;
            }
        }
    }
    Ok(())
}

fn open_document(keys: &Keyring, document: &str) -> Result<String> {
    let envelope = Envelope::parse(document).map_err(LogError::Rejected)?;
    let sequence = envelope.sequence.as_ref().ok_or(LogError::Rejected(Code::InvalidMessage))?;
    open_data(Some(keys), &envelope, sequence)
}
