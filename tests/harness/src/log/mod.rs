//! The event log: the one place where a campaign changes.
//!
//! State is the fold of the log ([`fold`]): there is no way to change a row or a campaign record but
//! to append an event, and an implementation stores the event and what it changes in one step. So a
//! transition *is* its event, a number is never given to something that did not happen, and any log
//! can take the place of any other: [`sqlite`] is the one that servers run, [`nats`] the one that
//! several of them share, tests have one in memory, and one suite certifies them all.

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
pub use model::{Appended, Draft, Event, Head, Recount, RowQuery, Transaction, View};
pub use state::{CampaignState, PhaseCounts, Row, Settings};

/// The result of what was done, in the transaction log.
pub const ACCEPTED: &str = "accepted";

/// Refusals kept in a campaign's transaction log: whoever may ask may fill no disk by it. The oldest are
/// forgotten, with their keys.
pub const REFUSALS_MAX: u64 = 500;

/// An append-only log per campaign, with the state that it folds into.
///
/// Calls block for as long as the medium takes; drivers call them where blocking is allowed.
pub trait EventLog: Send + Sync + fmt::Debug {
    /// The identity of this log.
    fn epoch(&self) -> String;

    /// Every campaign, the deleted ones too, in order of its id.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn campaigns(&self) -> Result<Vec<CampaignId>>;

    /// The end of a campaign's log; `None` if there is no such campaign.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn head(&self, campaign: &CampaignId) -> Result<Option<Head>>;

    /// Appends events to a campaign whose last number is `expected`, all or none, with what is to be
    /// filed of them. Number 0 expects a campaign that does not exist yet. When this returns, they
    /// are durable. A key that something is filed under already is a conflict too, and so are rows that
    /// are not what was counted.
    ///
    /// # Errors
    /// All of [`LogError`]; nothing has changed then.
    fn append(&self, campaign: &CampaignId, expected: u64, drafts: &[Draft]) -> Result<Appended>;

    /// Events after number `after`, in order, as many as fit in `bytes`, and at least one if there is
    /// one.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn read(&self, campaign: &CampaignId, after: u64, bytes: usize) -> Result<Vec<Event>>;

    /// The size in bytes of everything after number `after`, which history must reach back to.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn bytes_after(&self, campaign: &CampaignId, after: u64) -> Result<u64>;

    /// The state at one number, with the rows asked for in order of offset and id.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn view(&self, campaign: &CampaignId, rows: &RowQuery) -> Result<Option<View>>;

    /// Counts the rows anew.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn recount(&self, campaign: &CampaignId) -> Result<Option<Recount>>;

    /// The digests of the 256 buckets, and the number whose state they are.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn buckets(&self, campaign: &CampaignId) -> Result<Option<(u64, Box<Buckets>)>>;

    /// The transaction log of a campaign, in order.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn transactions(&self, campaign: &CampaignId) -> Result<Vec<Transaction>>;

    /// Files what was refused, and forgets the oldest refusals beyond [`REFUSALS_MAX`], as an append does
    /// that files one. Does nothing if something is filed under its key already.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn file(&self, campaign: &CampaignId, refused: &Transaction) -> Result<()>;

    /// What is filed under that key.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn audit_entry(&self, campaign: &CampaignId, key: &str) -> Result<Option<Transaction>>;

    /// Forgets the events up to number `to`. Their effect stays in the state.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn truncate(&self, campaign: &CampaignId, to: u64) -> Result<()>;

    /// Called every few seconds, for what a log does beside writing.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn tick(&self) -> Result<()> {
        Ok(())
    }

    /// The keys that seal its events, if they are sealed.
    fn keys(&self) -> Option<&Keyring> {
        None
    }

    /// Fault injection: changes or adds rows behind the log's back; tells how many.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    fn diverge(&self, campaign: &CampaignId, how: Divergence) -> Result<u64>;

    /// Where several servers share the log: tells `observer` of everything that is appended, by
    /// whichever of them, in order, before [`EventLog::append`] returns. `false`, without ever
    /// calling it, where all appends are our own.
    fn set_listener(&self, observer: Observer) -> bool {
        drop(observer);
        false
    }
}

/// Hears of what was appended. It may read the log, but not append.
pub type Observer = Box<dyn Fn(&CampaignId, &Appended) + Send + Sync>;
