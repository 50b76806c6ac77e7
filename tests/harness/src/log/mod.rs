//! The event log: the only module that changes campaigns.
//!
//! State is the fold of the log ([`fold`]). The only way to change a row or a campaign record is to append an
//! event, and an implementation stores the event and its changes in one step. So a transition *is* its event,
//! and no number is given to an event that did not happen. The logs are interchangeable: [`sqlite`] is the
//! log of a single server, [`nats`] is the log that several servers share, tests have one in memory, and one
//! test suite certifies all of them.

pub mod compose;
pub mod delegate;
pub mod divergence;
mod error;
pub mod fold;
mod history;
mod model;
pub mod nats;
pub mod place;
pub mod sqlite;
pub mod state;

use std::fmt;

pub use campaign_sync::protocol::CampaignId;
pub use campaign_sync::protocol::digest::Buckets;

use crate::keys::Keyring;
pub use divergence::Divergence;
pub use error::{LogError, Result};
pub use history::check_history;
pub use model::{
    Appended, CampaignQuery, Draft, Event, Head, Owner, Recount, RowQuery, Transaction, View,
};
pub use state::{CampaignState, PhaseCounts, Row, Settings};

/// The result of an accepted request in the audit trail.
pub const ACCEPTED: &str = "accepted";

/// The most refusals in a campaign's audit trail, so that refused requests cannot fill the disk. The oldest
/// ones are deleted, with their keys.
pub const REFUSALS_MAX: u64 = 500;

/// An append-only log per campaign, with the state that it folds into.
///
/// Calls block until the storage has answered. Drivers make them only where blocking is allowed.
pub trait EventLog: Send + Sync + fmt::Debug {
    /// The epoch of this log.
    fn epoch(&self) -> String;

    /// A random text that belongs to the log and that no client can learn. It does not change with the
    /// epoch. The servers of a shared log have the same one.
    fn secret(&self) -> String;

    /// The ids of all campaigns, including deleted ones, in ascending order.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn campaigns(&self) -> Result<Vec<CampaignId>>;

    /// A range of the campaigns that are not deleted, with their states and without rows. Reads no campaign
    /// of another owner.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn list(&self, query: &CampaignQuery<'_>) -> Result<Vec<(CampaignId, View)>>;

    /// The end of a campaign's log; `None` if there is no such campaign.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn head(&self, campaign: &CampaignId) -> Result<Option<Head>>;

    /// Appends events to a campaign whose last number is `expected`, together with their audit entries: all
    /// of them or none. Number 0 expects a campaign that does not exist yet. When the call returns, the
    /// events are durable. It is also a conflict if an audit entry with the same key exists, or if the rows
    /// differ from those counted in a draft.
    ///
    /// # Errors
    /// All of [`LogError`]. Nothing has changed after an error.
    fn append(&self, campaign: &CampaignId, expected: u64, drafts: &[Draft]) -> Result<Appended>;

    /// The events after number `after`, in order: as many as fit in `bytes`, but at least one if there is
    /// one.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn read(&self, campaign: &CampaignId, after: u64, bytes: usize) -> Result<Vec<Event>>;

    /// The size in bytes of all events after number `after`. The history must still contain them.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn bytes_after(&self, campaign: &CampaignId, after: u64) -> Result<u64>;

    /// The state at the head, with the requested rows in order of offset and id.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn view(&self, campaign: &CampaignId, rows: &RowQuery) -> Result<Option<View>>;

    /// Counts the rows again, with their digest.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn recount(&self, campaign: &CampaignId) -> Result<Option<Recount>>;

    /// The digests of the 256 buckets, and the number that they describe.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn buckets(&self, campaign: &CampaignId) -> Result<Option<(u64, Box<Buckets>)>>;

    /// The audit trail of a campaign, in order.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn transactions(&self, campaign: &CampaignId) -> Result<Vec<Transaction>>;

    /// Adds a refused request to the audit trail. Deletes the oldest refusals beyond [`REFUSALS_MAX`], as an
    /// append with a refusal does. Does nothing if there is already an entry with the same key.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn record_refusal(&self, campaign: &CampaignId, refused: &Transaction) -> Result<()>;

    /// The entry of the audit trail with this key.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn audit_entry(&self, campaign: &CampaignId, key: &str) -> Result<Option<Transaction>>;

    /// Deletes the events up to number `to`. Their effects stay in the state.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn truncate(&self, campaign: &CampaignId, to: u64) -> Result<()>;

    /// Runs periodic work of the log, such as maintenance. Called every few seconds.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn tick(&self) -> Result<()> {
        Ok(())
    }

    /// Checks that the log can be read and written. Blocks until the storage has answered.
    ///
    /// # Errors
    /// [`LogError::Storage`] with the reason, for people.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Closes the log. Calls that wait end with an error, and so do all later ones. After that the files of
    /// the log are complete. Closing a closed log does nothing.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn close(&self) -> Result<()> {
        Ok(())
    }

    /// The keys that seal the events, if the log is sealed.
    fn keys(&self) -> Option<&Keyring> {
        None
    }

    /// Fault injection: changes or adds rows without an event. Returns their number.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn diverge(&self, campaign: &CampaignId, how: Divergence) -> Result<u64>;

    /// Reports every append of every server to `observer`, if several servers share the log: in order, and
    /// before [`EventLog::append`] returns. Returns `false` and never calls `observer` if only this server
    /// appends.
    fn set_listener(&self, observer: Observer) -> bool {
        drop(observer);
        false
    }
}

/// A new secret of a log: 64 hex digits.
pub(in crate::log) fn new_secret() -> String {
    format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>())
}

/// Receives appended events. It may read the log, but must not append.
pub type Observer = Box<dyn Fn(&CampaignId, &Appended) + Send + Sync>;
