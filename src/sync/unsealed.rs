//! What stands for sealed content in a module that knows none: the same names, and everything is read
//! as it is.

use super::context::Context;
use super::machine::Machine;
use super::outcome::Verdict;
use super::subscription::Subscription;
use crate::protocol::client;
use crate::protocol::envelope::{Envelope, RawSequence};
use crate::protocol::limits::PROTOCOL_V1;
use crate::protocol::{CampaignId, Code};

/// Nothing to remember.
#[derive(Clone, Debug, Default)]
pub struct Sealing(());

impl Sealing {
    /// Never.
    pub const fn is_on(&self) -> bool {
        false
    }

    /// Whether that is what this client speaks.
    pub(super) fn speaks(&self, protocol: Option<&str>) -> bool {
        protocol == Some(PROTOCOL_V1)
    }

    /// As [`client::connection_init`].
    ///
    /// # Errors
    /// The same.
    pub(super) fn connection_init(&self, token: Option<&str>) -> Result<String, Code> {
        client::connection_init(token)
    }

    /// The snapshot itself.
    ///
    /// # Errors
    /// None.
    pub(super) const fn open_fetched<'a>(
        &self,
        _campaign_id: &CampaignId,
        json: &'a str,
    ) -> Result<&'a str, Code> {
        Ok(json)
    }
}

impl Machine {
    /// Never.
    pub(super) const fn refuses_plain(&mut self) -> bool {
        false
    }

    /// Nothing: everything is read as it is.
    pub(super) const fn on_sealed_message(&mut self, _envelope: &Envelope<'_>) -> Option<Verdict> {
        None
    }
}

impl Subscription {
    /// The data itself.
    ///
    /// # Errors
    /// None.
    pub(super) const fn open_event<'a>(
        &mut self,
        _cx: &mut Context,
        envelope: &Envelope<'a>,
        _sequence: &RawSequence<'_>,
    ) -> Result<&'a str, Verdict> {
        Ok(envelope.data)
    }
}
