//! What stands for the original dialect in a module that speaks v1 only: the same names, and a
//! server of the original dialect is told apart from a broken one.

use super::Timestamp;
use super::connection::Connection;
use super::context::Context;
use super::machine::Machine;
use super::outcome::Verdict;
use super::session::close;
use super::subscription::Subscription;
use crate::protocol::snapshot::RestSnapshot;
use crate::protocol::{CampaignId, Code};

/// Reads the snapshot that the application fetched.
///
/// # Errors
/// As [`RestSnapshot::read`].
pub(super) fn read_fetched(json: &str) -> Result<RestSnapshot<'_>, Code> {
    RestSnapshot::read(json)
}

/// Nothing to remember: v1 recovers by number.
#[derive(Clone, Debug, Default)]
pub struct Resync(());

impl Resync {
    /// Always.
    pub const fn is_idle(&self) -> bool {
        true
    }

    /// Never: all that is shown has a position.
    pub const fn is_unplaced(&self) -> bool {
        false
    }

    /// It always was.
    pub(super) const fn note_placed(&mut self) {}

    /// There is nothing to stop.
    pub(super) const fn stop(&mut self) {}

    /// None.
    pub const fn deadline(&self) -> Option<Timestamp> {
        None
    }
}

impl Machine {
    /// The server has acknowledged, and does not speak v1: trying again would not help. A server
    /// that has spoken v1 does so until the socket closes.
    pub(super) fn on_ack_without_v1(&mut self, _protocol: Option<&str>) {
        if matches!(self.connection, Connection::Negotiating { .. }) {
            self.give_up(Code::UnsupportedDialect);
        }
    }

    /// The server has said nothing for as long as a server of v1 may take to acknowledge. It may be
    /// overloaded, so the next attempt may fare better, unless the application said that no server
    /// of v1 is to be expected.
    pub(super) fn on_negotiation_timeout(&mut self) {
        if self.cx.config.negotiation_ms == 0 {
            self.give_up(Code::UnsupportedDialect);
        } else {
            self.drop_socket(close::NORMAL);
        }
    }

    /// A document before the acknowledgement; it may be a damaged one.
    pub(super) fn on_first_word_of_original(&mut self, _document: &str) -> Verdict {
        self.refuse(Code::InvalidMessage, None)
    }

    /// Not reached: no connection settles on the original dialect.
    pub(super) fn on_original_document(&mut self, document: &str) -> Verdict {
        self.on_first_word_of_original(document)
    }

    /// No campaign wishes for a fetch of its own.
    pub(super) const fn start_wished_fetches(&mut self) {}

    /// A refresh is a fetch.
    pub(super) const fn resyncs(&mut self, _campaign_id: &CampaignId) -> bool {
        false
    }

    /// The next round of polling tries again.
    pub(super) const fn on_fetch_failed(&mut self, _campaign_id: &CampaignId) {}
}

impl Subscription {
    /// v1 asks for recovery instead.
    pub(super) const fn on_open_original(&mut self, _cx: &mut Context) {}

    /// There is none.
    pub(super) const fn end_resync(&mut self, _cx: &mut Context) {}

    /// The next round of polling tries again.
    pub(super) const fn on_fetch_failed(&mut self, _cx: &mut Context) {}

    /// Nothing is due.
    pub(super) const fn on_resync_time(&mut self, _cx: &mut Context) {}

    /// A snapshot without a position cannot be placed in a log.
    ///
    /// # Errors
    /// [`Code::InvalidContent`], always.
    pub(super) const fn resynchronise(
        &mut self,
        _cx: &mut Context,
        _snapshot: &RestSnapshot<'_>,
    ) -> Result<(), Code> {
        Err(Code::InvalidContent)
    }
}
