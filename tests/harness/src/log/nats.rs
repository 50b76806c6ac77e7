//! The log that several servers share: one stream of NATS JetStream.
//!
//! ```text
//! append ─▶ preview ─▶ publish ─▶ stream ─▶ feed of every server ─▶ copy (SQLite) ─▶ observer
//!              ▲                                                       │
//!              └──────────────── reads are local ──────────────────────┘
//! ```
//! Each campaign is one subject of the stream, each append one message of it (`batch`), or several
//! that count as one when the last is there. A publication names the subject's last message, so of
//! two servers that race one is refused. What decides, though, is the order of the stream: everyone
//! folds it (`feed`) by the same rule, a batch that is not the campaign's next never happened, and
//! whoever published learns from its own fold what became of it. So a lost acknowledgement, a new
//! leader, or a refusal that did not happen change nothing. The decision record says more:
//! `docs/decisions/0018-a-stream-is-judged-by-its-fold.md`.

pub(super) mod batch;
mod bridge;
mod feed;
mod follow;
mod publish;
mod shared;
pub mod table;
mod timing;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use campaign_sync::protocol::CampaignId;

use super::sqlite::SqliteLog;
use super::{
    Appended, Divergence, Draft, EventLog, Head, LogError, Observer, Result, RowQuery, Transaction,
    View,
};
use crate::delegate_event_log;
use crate::keys::{Keyring, check_epoch};
use crate::lock::lock;
use batch::{Batch, Body, Image};
use bridge::{Bridge, StreamEnd};
use shared::{Outcome, Shared};
use timing::CLUSTER_TIMEOUT;

/// How long a question about a campaign that is not known here waits for the stream.
const UNKNOWN_PATIENCE: Duration = Duration::from_secs(2);

/// Images and refusals published anew because the campaign moved on, before giving up.
const ATTEMPTS_MAX: u32 = 100;

/// The log in one stream, with a copy of it to read from.
#[derive(Debug)]
pub struct NatsLog {
    bridge: Bridge,
    shared: Arc<Shared>,
    epoch: String,
    turns: Mutex<HashMap<CampaignId, Arc<Mutex<()>>>>,
}

impl NatsLog {
    /// Opens the stream on these servers (`host:port`), creating it if need be, and reads it to its
    /// end. `new_epoch` is the identity that a new stream gets; with `renew` an existing one gets it
    /// too, as after a restore: no other server may be running then. `cache` is the file of the copy.
    /// With `keys`, everything in the stream is sealed.
    ///
    /// # Errors
    /// [`LogError::Storage`].
    pub fn open(
        servers: &[String],
        cache: &Path,
        new_epoch: &str,
        renew: bool,
        keys: Option<Arc<Keyring>>,
    ) -> Result<Self> {
        let (bridge, end) = Bridge::open(servers, new_epoch, renew)?;
        let StreamEnd { epoch, last_sequence } = end;
        check_epoch(&epoch, keys.is_some())?;
        let (copy, position) = SqliteLog::open_replica(cache, &epoch)?;
        if position > last_sequence {
            return Err(LogError::Storage(format!(
                "the stream ends at {last_sequence}, and {} has read up to {position}: the stream is a \
                 restored backup, so start one server alone with --new-epoch",
                cache.display(),
            )));
        }
        let copy = copy.sealed_by(keys);
        let shared = Arc::new(Shared::new(copy, position));
        bridge.start(feed::run(shared.clone(), bridge.context(), epoch.clone()));
        let log = Self { bridge, shared, epoch, turns: Mutex::default() };
        log.shared.wait_while_it_moves(last_sequence, CLUSTER_TIMEOUT)?;
        if renew {
            log.forget_history()?;
        }
        Ok(log)
    }

    /// Documents of a former epoch are never replayed.
    fn forget_history(&self) -> Result<()> {
        for campaign in self.campaigns()? {
            self.truncate(&campaign, u64::MAX - 1)?;
        }
        Ok(())
    }

    fn copy(&self) -> &SqliteLog {
        self.shared.copy()
    }

    fn number(&self, campaign: &CampaignId) -> Result<u64> {
        Ok(self.copy().head(campaign)?.map_or(0, |head| head.number))
    }

    /// This server publishes to a campaign one after the other.
    fn turn(&self, campaign: &CampaignId) -> Arc<Mutex<()>> {
        lock(&self.turns).entry(campaign.clone()).or_default().clone()
    }

    /// Makes another attempt whenever the campaign moved on meanwhile, until one tells `true`.
    fn settle(
        &self,
        campaign: &CampaignId,
        attempt: impl Fn(Instant) -> Result<bool>,
    ) -> Result<()> {
        let turn = self.turn(campaign);
        let _turn = lock(&turn);
        let until = Instant::now() + CLUSTER_TIMEOUT;
        for _ in 0..ATTEMPTS_MAX {
            match attempt(until) {
                Ok(true) => return Ok(()),
                Ok(false) | Err(LogError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(LogError::Storage("the campaign changes too fast".into()))
    }

    /// Asks `local`; where it knows nothing, once more when the copy has all that the leader has.
    fn even_new<T>(
        &self,
        campaign: &CampaignId,
        local: impl Fn() -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        if let Some(known) = local()? {
            return Ok(Some(known));
        }
        let until = Instant::now() + UNKNOWN_PATIENCE;
        if self.catch_up(campaign, until)? == 0 { Ok(None) } else { local() }
    }
}

impl EventLog for NatsLog {
    delegate_event_log!(copy: keys, campaigns, read, bytes_after, recount, buckets, transactions);

    fn epoch(&self) -> String {
        self.epoch.clone()
    }

    fn head(&self, campaign: &CampaignId) -> Result<Option<Head>> {
        self.even_new(campaign, || self.copy().head(campaign))
    }

    fn append(&self, campaign: &CampaignId, expected: u64, drafts: &[Draft]) -> Result<Appended> {
        let turn = self.turn(campaign);
        let _turn = lock(&turn);
        let until = Instant::now() + CLUSTER_TIMEOUT;
        if self.number(campaign)? < expected {
            self.catch_up(campaign, until)?;
        }
        let preview = self.copy().preview(campaign, expected, drafts)?;
        if drafts.is_empty() {
            return Ok(preview);
        }
        let batch = Batch::new(expected, drafts, &preview.events);
        match self.commit(campaign, expected, &Body::Batch(batch), until)? {
            Outcome::Appended(appended) => Ok(*appended),
            other => Err(LogError::Storage(format!("an append became {other:?}"))),
        }
    }

    fn view(&self, campaign: &CampaignId, rows: &RowQuery) -> Result<Option<View>> {
        self.even_new(campaign, || self.copy().view(campaign, rows))
    }

    /// Published like an event, so that its place among them is the same everywhere.
    fn file(&self, campaign: &CampaignId, refused: &Transaction) -> Result<()> {
        if self.head(campaign)?.is_none() {
            return Ok(());
        }
        let body = Body::Filed { audit_entry: Box::new(refused.clone()) };
        self.settle(campaign, |until| {
            self.commit(campaign, self.number(campaign)?, &body, until)?;
            Ok(true)
        })
    }

    /// Where nothing is known here under that key, the stream's leader is asked first: it may have
    /// been taken at another server, and what was answered there is the answer.
    fn audit_entry(&self, campaign: &CampaignId, key: &str) -> Result<Option<Transaction>> {
        self.even_new(campaign, || self.copy().audit_entry(campaign, key))
    }

    /// Publishes the whole state first; only when every copy can begin there, older messages go.
    fn truncate(&self, campaign: &CampaignId, to: u64) -> Result<()> {
        self.settle(campaign, |until| {
            let last = self.shared.last_of(campaign);
            let Some(view) = self.copy().view(campaign, &RowQuery::default())? else {
                return Ok(true);
            };
            let number = view.head.number;
            let oldest = to.min(number) + 1;
            if oldest <= view.head.oldest {
                return Ok(true);
            }
            let events = self.copy().read(campaign, oldest - 1, usize::MAX)?;
            let transactions = self.copy().transactions(campaign)?;
            let image = Image::new(campaign, view, oldest, transactions, &events);
            let body = Body::Image(Box::new(image));
            // A refusal that was filed meanwhile moves no number, and is not in the image.
            if self.shared.last_of(campaign) != last {
                return Ok(false);
            }
            let outcome = self.commit(campaign, number, &body, until)?;
            let Outcome::Image { first, is_head: true } = outcome else { return Ok(false) };
            self.purge(campaign, first);
            Ok(true)
        })
    }

    /// Only the copy of this server changes.
    fn diverge(&self, campaign: &CampaignId, how: Divergence) -> Result<u64> {
        self.copy().diverge(campaign, how)
    }

    fn set_listener(&self, observer: Observer) -> bool {
        self.shared.set_listener(observer)
    }
}
