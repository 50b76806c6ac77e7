//! The log that several servers share: one stream of NATS JetStream.
//!
//! ```text
//! append ─▶ preview ─▶ publish ─▶ stream ─▶ feed of every server ─▶ copy (SQLite) ─▶ observer
//!              ▲                                                       │
//!              └──────────────── reads are local ──────────────────────┘
//! ```
//! Each campaign is one subject of the stream. Each append is one message (`batch`), or several messages that
//! count as one when the last of them has arrived. A publication names the subject's last message, so if two
//! servers race, the stream refuses one of them. But the order of the stream decides: all servers fold it
//! (`feed`) by the same rule. A batch that does not continue the campaign is void, and a publisher learns the
//! outcome from its own fold. So a lost acknowledgement, a new leader, or a false report of a refusal changes
//! nothing. `docs/decisions/0018-let-the-fold-decide-which-publications-count.md` gives the reasons.

pub(super) mod batch;
mod bridge;
mod feed;
mod follow;
mod publish;
mod shared;
pub mod table;
mod timing;
mod turns;

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
use bridge::{Bridge, SUBJECT, StreamEnd, connected, last_of_subject};
use shared::{Outcome, Shared};
use timing::CLUSTER_TIMEOUT;
use turns::Turns;

/// The timeout of a query about a campaign that is unknown to this server.
const UNKNOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// The most queries about unknown campaigns that wait for the cluster at one time. Each occupies a thread,
/// which reads need, too, and clients can invent any number of ids.
const LOOKUPS_MAX: usize = 64;

/// The most publications of an image or a refusal that are repeated because the campaign changed.
const ATTEMPTS_MAX: u32 = 100;

/// A log in one stream, with a local copy for reads.
#[derive(Debug)]
pub struct NatsLog {
    bridge: Bridge,
    shared: Arc<Shared>,
    epoch: String,
    secret: String,
    turns: Mutex<HashMap<CampaignId, Arc<Mutex<()>>>>,
    /// Queries about unknown campaigns that wait for the cluster.
    lookups: Turns,
}

impl Drop for NatsLog {
    /// The feed holds the copy. It ends, so that the copy is closed when nothing waits for it any more.
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(event = "log_not_closed", %error);
        }
    }
}

impl NatsLog {
    /// Opens the stream on these servers (`host:port`), creates it if necessary, and reads it to its end. A
    /// new stream gets the epoch `new_epoch`. With `renew`, an existing stream gets it, too, for example
    /// after a restore; no other server may run at that time. `cache` is the file of the copy. With `keys`,
    /// everything in the stream is sealed.
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
        let StreamEnd { epoch, secret, last_sequence } = end;
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
        let log = Self {
            bridge,
            shared,
            epoch,
            secret,
            turns: Mutex::default(),
            lookups: Turns::new(LOOKUPS_MAX),
        };
        log.shared.wait_while_it_moves(last_sequence, CLUSTER_TIMEOUT)?;
        if renew {
            log.forget_history()?;
        }
        Ok(log)
    }

    /// Truncates the history of every campaign: documents of a former epoch are never replayed.
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

    /// The lock that serialises this server's publications to a campaign.
    fn turn(&self, campaign: &CampaignId) -> Arc<Mutex<()>> {
        lock(&self.turns).entry(campaign.clone()).or_default().clone()
    }

    /// Checks that the stream's leader answers, and that the copy has read what it has.
    fn check_cluster(&self) -> Result<()> {
        if let Some(reason) = self.shared.failure() {
            return Err(LogError::Storage(reason));
        }
        let context = self.bridge.context();
        self.bridge.wait(async move {
            connected(&context)?;
            // The id of no campaign: the leader answers that there is no message.
            let subject = format!("{SUBJECT}{:032x}", rand::random::<u128>());
            last_of_subject(&context, &subject).await.map(drop)
        })
    }

    /// Repeats `attempt` while the campaign changes in between, until it returns `true`.
    fn retry_on_conflict(
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

    /// Queries the copy with `local`. If it finds nothing, reads everything that the stream's leader has, and
    /// queries again.
    fn read_or_catch_up<T>(
        &self,
        campaign: &CampaignId,
        local: impl Fn() -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        if let Some(known) = local()? {
            return Ok(Some(known));
        }
        let _turn = self.lookups.try_enter().ok_or(LogError::Busy)?;
        let until = Instant::now() + UNKNOWN_TIMEOUT;
        if self.catch_up(campaign, until)? == 0 { Ok(None) } else { local() }
    }
}

impl EventLog for NatsLog {
    delegate_event_log!(copy: keys, campaigns, list, read, bytes_after, recount, buckets, transactions);

    fn epoch(&self) -> String {
        self.epoch.clone()
    }

    fn secret(&self) -> String {
        self.secret.clone()
    }

    fn head(&self, campaign: &CampaignId) -> Result<Option<Head>> {
        self.read_or_catch_up(campaign, || self.copy().head(campaign))
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
        self.read_or_catch_up(campaign, || self.copy().view(campaign, rows))
    }

    /// Publishes the refusal, so that its position among the events is the same on every server.
    fn record_refusal(&self, campaign: &CampaignId, refused: &Transaction) -> Result<()> {
        if self.head(campaign)?.is_none() {
            return Ok(());
        }
        let body = Body::Refusal { entry: Box::new(refused.clone()) };
        self.retry_on_conflict(campaign, |until| {
            self.commit(campaign, self.number(campaign)?, &body, until)?;
            Ok(true)
        })
    }

    /// If the copy has no entry with this key, reads everything that the stream's leader has: another server
    /// may have recorded an answer for the key.
    fn audit_entry(&self, campaign: &CampaignId, key: &str) -> Result<Option<Transaction>> {
        self.read_or_catch_up(campaign, || self.copy().audit_entry(campaign, key))
    }

    /// Publishes an image of the whole state first. Older messages are purged only when every copy can begin
    /// at the image.
    fn truncate(&self, campaign: &CampaignId, to: u64) -> Result<()> {
        self.retry_on_conflict(campaign, |until| {
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
            // A refusal recorded in the meantime does not change the number, but is missing from the image.
            if self.shared.last_of(campaign) != last {
                return Ok(false);
            }
            let outcome = self.commit(campaign, number, &body, until)?;
            let Outcome::Image { first, is_head: true } = outcome else { return Ok(false) };
            self.purge(campaign, first);
            Ok(true)
        })
    }

    fn check(&self) -> Result<()> {
        self.check_cluster()?;
        self.copy().check()
    }

    fn close(&self) -> Result<()> {
        self.shared.fail("the log is closed".into());
        self.bridge.close();
        self.copy().close()
    }

    /// Changes only the copy of this server.
    fn diverge(&self, campaign: &CampaignId, how: Divergence) -> Result<u64> {
        self.copy().diverge(campaign, how)
    }

    fn set_listener(&self, observer: Observer) -> bool {
        self.shared.set_listener(observer)
    }
}
