//! The event log: the one place where a campaign changes.
//!
//! State is the fold of the log ([`fold`]): there is no way to change a row or a campaign record but
//! to append an event, and an implementation stores the event and what it changes in one step. So a
//! transition *is* its event, a number is never given to something that did not happen, and any log
//! can take the place of any other: [`sqlite`] is the one that servers run, [`nats`] the one that
//! several of them share, tests have one in memory, and one suite certifies them all.

pub mod compose;
pub mod divergence;
pub mod fold;
pub mod nats;
pub mod place;
pub mod sqlite;
pub mod state;

use std::fmt;
use std::sync::Arc;

use campaign_sync::protocol::digest::Buckets;
use campaign_sync::protocol::{CampaignId, Code, Digest, Phase};
use serde::{Deserialize, Serialize};

use crate::keys::Keyring;
use compose::Chain;
pub use divergence::Divergence;
use state::record_json;
pub use state::{Row, Settings, Stand, Tally};

/// The result of what was done, in the transaction log.
pub const ACCEPTED: &str = "accepted";

/// Refusals kept in a campaign's transaction log: whoever may ask may fill no disk by it. The oldest are
/// forgotten, with their keys.
pub const REFUSALS_MAX: u64 = 500;

/// What happened, before it has a number.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The event's type.
    pub kind: &'static str,
    /// RFC 3339, UTC.
    pub timestamp: String,
    /// The event's `data`, as the JSON text that will be published.
    pub data: String,
    /// What the transaction log files with it, in the same transaction.
    pub filed: Option<Transaction>,
    /// What the rows must say before it, counted again in the same transaction.
    pub counted: Option<Recount>,
}

/// An event of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number.
    pub number: u64,
    /// The complete document, as first published and for ever after.
    pub document: Arc<str>,
}

/// Where a campaign's log ends, and what the state is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last number.
    pub number: u64,
    /// The last event's id.
    pub event_id: String,
    /// The oldest number that is still there; `number + 1` when none is.
    pub oldest: u64,
    /// Rows.
    pub domains_count: u64,
    /// Digest of the rows.
    pub domains_digest: Digest,
}

impl Head {
    /// Number and id of the last event.
    pub fn at(&self) -> (u64, &str) {
        (self.number, &self.event_id)
    }
}

impl Default for Head {
    /// Before the first event.
    fn default() -> Self {
        Self {
            number: 0,
            event_id: String::new(),
            oldest: 1,
            domains_count: 0,
            domains_digest: Digest::default(),
        }
    }
}

/// What an append led to.
#[derive(Clone, Debug, PartialEq)]
pub struct Appended {
    /// The events, numbered.
    pub events: Vec<Event>,
    /// The head after the last of them.
    pub head: Head,
    /// The campaign after the last of them.
    pub stand: Stand,
}

/// A campaign's state at one number, read in one step.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The number whose state this is.
    pub head: Head,
    /// The record and the settings.
    pub stand: Stand,
    /// The rows that were asked for.
    pub rows: Vec<Row>,
    /// How many rows match the filter, those beyond the limit included.
    pub matching: u64,
}

/// The rows counted one by one, beside what is kept incrementally.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recount {
    /// Where the log stood.
    pub head: Head,
    /// Rows counted.
    pub count: u64,
    /// Digest of their columns, every hash computed anew.
    pub digest: Digest,
    /// How far the phases are.
    pub tally: Tally,
}

impl RowQuery {
    /// No rows at all.
    pub const NONE: Self = Self {
        skip: 0,
        limit: Some(0),
        buckets: None,
        search: None,
        dns_status: None,
        http_status: None,
        from_offset: None,
        awaiting: None,
    };
}

impl Recount {
    /// Whether what was counted is what is kept: the integrity check of a transition.
    pub fn agrees(&self) -> bool {
        (self.count, self.digest) == (self.head.domains_count, self.head.domains_digest)
    }
}

/// Which rows a reader wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowQuery {
    /// Leave out that many.
    pub skip: u64,
    /// At most that many; none for all.
    pub limit: Option<u64>,
    /// Only of these digest buckets.
    pub buckets: Option<Vec<u8>>,
    /// Only with this text in the name.
    pub search: Option<String>,
    /// Only with this DNS outcome.
    pub dns_status: Option<String>,
    /// Only with this HTTP outcome.
    pub http_status: Option<String>,
    /// Only from this offset on.
    pub from_offset: Option<i64>,
    /// Only rows that have not passed this phase yet, and should.
    pub awaiting: Option<Phase>,
}

/// One entry of the transaction log: somebody asked for something, and this is what became of it. What
/// was accepted is filed with its event, in one transaction; what was refused, alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transaction {
    /// For example `DNS_Phase_Transition`.
    pub name: String,
    /// Who asked.
    pub who: String,
    /// When.
    pub timestamp: String,
    /// Phase and status before it, as `phase/status`.
    pub from: String,
    /// Phase and status asked for.
    pub to: String,
    /// `manual`, `automatic` or `error_recovery`; another word for what is no phase transition.
    pub kind: String,
    /// Why, in the words of who asked.
    pub reason: String,
    /// `accepted`, or the code of the refusal.
    pub result: String,
    /// The refusal in words.
    pub message: Option<String>,
    /// Names the request, for when it is repeated; unique within the campaign.
    pub key: Option<String>,
    /// What was asked under that key.
    pub fingerprint: Option<String>,
    /// The event's number. Set by the log, like all that follows.
    pub sequence_number: Option<u64>,
    /// The event's id.
    pub event_id: Option<String>,
    /// The campaign's record after the event, as JSON.
    pub record: Option<String>,
}

impl Transaction {
    /// Completes an entry with what its event led to.
    pub fn complete(&self, campaign: &CampaignId, chain: &Chain, stand: &Stand) -> Self {
        Self {
            sequence_number: Some(chain.number),
            event_id: Some(chain.event_id.clone()),
            record: Some(record_json(campaign.as_str(), &stand.record).to_string()),
            ..self.clone()
        }
    }
}

/// Why the log did not do it. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The campaign's last number is not the expected one.
    #[error("conflict: the head is {head}")]
    Conflict {
        /// The last number that it really has.
        head: u64,
    },
    /// There is no such campaign.
    #[error("no such campaign")]
    UnknownCampaign,
    /// The event breaks the contract.
    #[error("rejected: {0}")]
    Rejected(Code),
    /// The medium failed.
    #[error("storage: {0}")]
    Storage(String),
}

impl From<rusqlite::Error> for LogError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.to_string())
    }
}

/// What a log does, or why it did not.
pub type Result<T, E = LogError> = std::result::Result<T, E>;

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
    fn filed(&self, campaign: &CampaignId, key: &str) -> Result<Option<Transaction>>;

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
    fn observe(&self, observer: Observer) -> bool {
        drop(observer);
        false
    }
}

/// Hears of what was appended. It may read the log, but not append.
pub type Observer = Box<dyn Fn(&CampaignId, &Appended) + Send + Sync>;
