//! One connection of the model server.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::sealed;
use super::super::users::User;
use super::catalogue::CatalogueCursor;
use super::cursor::{Cursor, HEAD_TIMEOUT_MS, WriteStep};
use super::message::Message;
use super::{Document, ReplicaLag, Storage};

/// The connection of a client that is silent for this long is cut.
const IDLE_MS: u64 = 30_000;

/// The silence after which the server sends a `pong` without a `ping`.
pub(crate) const HEARTBEAT_MS: u64 = 5_000;

/// One connection.
#[derive(Debug)]
pub(crate) struct Session {
    greeted: bool,
    received_ms: u64,
    sent_ms: u64,
    cursors: BTreeMap<String, Cursor>,
    catalogue: Option<CatalogueCursor>,
    /// The part of the logs that it sees.
    pub(crate) sees: ReplicaLag,
    /// The time at which it is asked to write again in any case.
    pub(crate) again_ms: u64,
    /// The user of the session, in a world with users.
    pub(crate) user: Option<User>,
}

/// The result of one write of a session.
#[derive(Debug, Default)]
pub(crate) struct Writing {
    /// Frames, one for each subscription that has something to write.
    pub(crate) frames: Vec<Vec<Document>>,
    /// Whether its reader lags too far behind.
    pub(crate) lags: bool,
    /// The outcomes for positions that were waited for.
    pub(crate) outcomes: Vec<&'static str>,
    /// The delay until the next write, if nothing happens before.
    pub(crate) again_in_ms: Option<u64>,
}

/// The interval at which a replica looks for new events.
const REPLICA_MS: u64 = 100;

impl Session {
    /// A connection that has just been opened.
    pub(crate) const fn new(now_ms: u64, sees: ReplicaLag, user: Option<User>) -> Self {
        Self {
            greeted: false,
            received_ms: now_ms,
            sent_ms: now_ms,
            cursors: BTreeMap::new(),
            catalogue: None,
            sees,
            again_ms: 0,
            user,
        }
    }

    /// Handles a message. Returns the immediate answer, and the outcome for statistics.
    pub(crate) fn receive(
        &mut self,
        now_ms: u64,
        storage: &mut Storage,
        message: Message,
    ) -> (Option<Document>, &'static str) {
        self.received_ms = now_ms;
        let (answer, outcome) = match message {
            Message::Init => {
                self.greeted = true;
                let mut data = json!({
                    "connectionId": "k-1", "protocol": sealed::protocol(storage.behaviour.seals),
                    "heartbeatMs": HEARTBEAT_MS, "maxFrameBytes": 1_048_576,
                    "profiles": if storage.behaviour.seals { json!([]) } else { json!(["catalogue"]) },
                });
                if let Some(user) = self.user {
                    data["subject"] = user.subject().into();
                }
                (Some(Document::control(now_ms, "connection_ack", &data)), "ack")
            }
            _ if !self.greeted => {
                let data = json!({"code": "invalid_message", "message": "no connection_init"});
                (Some(Document::control(now_ms, "error", &data)), "ungreeted")
            }
            Message::Subscribe(campaign) => {
                (self.subscribe(now_ms, storage, campaign), "subscribed")
            }
            Message::Unsubscribe(campaign) => {
                self.cursors.remove(&campaign);
                let data = json!({"campaignId": campaign, "reason": "unsubscribed"});
                let answer = Document::control(now_ms, "subscription_ended", &data);
                (Some(answer), "unsubscribed")
            }
            Message::Recover(campaign, wanted) => match self.cursors.get_mut(&campaign) {
                Some(cursor) => {
                    let (outcome, answer) = cursor.seek(now_ms, storage, self.sees, &wanted);
                    (answer, outcome)
                }
                None => {
                    (self.not_subscribed(now_ms, storage, &campaign, &wanted.request), "no_cursor")
                }
            },
            Message::StateQuery(campaign, query) => match self.cursors.get_mut(&campaign) {
                Some(cursor) => {
                    cursor.queue_query(query);
                    (None, "asked")
                }
                None => {
                    (self.not_subscribed(now_ms, storage, &campaign, &query.request), "no_cursor")
                }
            },
            Message::Catalogue(from, request) => {
                let from = from.as_ref().map(|(epoch, number)| (epoch.as_str(), *number));
                let user = self.user;
                let cursor = self.catalogue.get_or_insert_with(|| CatalogueCursor::new(user));
                cursor.seek(now_ms, storage, from, &request);
                (None, if from.is_some() { "list_from" } else { "list" })
            }
            Message::LeaveCatalogue => {
                self.catalogue = None;
                (None, "list_left")
            }
            Message::Ping(echo) => (Some(self.pong(now_ms, storage, Some(echo))), "ping"),
        };
        if answer.is_some() {
            self.sent_ms = now_ms;
        }
        (answer, outcome)
    }

    fn subscribe(&mut self, now_ms: u64, storage: &Storage, campaign: String) -> Option<Document> {
        let view = storage.view(&campaign, now_ms, self.sees);
        let Some(view) = view.filter(|_| storage.owners.show(&campaign, self.user)) else {
            let text = "there is no such campaign";
            let data = json!({"code": "unknown_campaign", "message": text, "campaignId": campaign});
            return Some(Document::control(now_ms, "error", &data));
        };
        let data = json!({
            "campaignId": campaign, "epoch": &*view.log.epoch, "lastSequenceNumber": view.head,
            "oldestSequenceNumber": view.oldest(),
        });
        self.cursors.entry(campaign.clone()).or_insert_with(|| Cursor::new(campaign));
        Some(Document::control(now_ms, "subscription_confirmed", &data))
    }

    /// A `pong`, in answer to a `ping` or without one.
    fn pong(&self, now_ms: u64, storage: &Storage, echo: Option<u64>) -> Document {
        let head = |cursor: &Cursor| cursor.head(now_ms, storage, self.sees);
        let heads: Vec<_> = self.cursors.values().filter_map(head).collect();
        let mut data = json!({"timestamp": echo, "heads": heads});
        if let Some(head) = self.catalogue.as_ref().and_then(|it| it.head(now_ms, storage)) {
            data["catalogue"] = head;
        }
        Document::control(now_ms, "pong", &data)
    }

    /// Ends a subscription. Returns whether there was one.
    pub(crate) fn revoke(&mut self, campaign: &str) -> bool {
        self.cursors.remove(campaign).is_some()
    }

    /// Forgets a subscription without a notification. Returns whether there was one.
    pub(crate) fn forget(&mut self, index: u64) -> bool {
        let count = self.cursors.len().max(1) as u64;
        let campaign = self.cursors.keys().nth((index % count) as usize).cloned();
        campaign.is_some_and(|campaign| self.cursors.remove(&campaign).is_some())
    }

    /// The next frames to write.
    pub(crate) fn write(&mut self, now_ms: u64, storage: &mut Storage) -> Writing {
        let mut writing = Writing::default();
        let sees = self.sees;
        for cursor in self.cursors.values_mut() {
            match cursor.write(now_ms, storage, sees) {
                WriteStep::Frame(documents) => writing.frames.push(documents),
                WriteStep::Nothing => {}
                WriteStep::Lagging => writing.lags = true,
            }
            writing.outcomes.extend(cursor.ahead.take());
        }
        if let Some(catalogue) = &mut self.catalogue {
            writing.frames.extend(catalogue.write(now_ms, storage).map(|part| vec![part]));
            if catalogue.is_behind(storage) {
                writing.again_in_ms = Some(REPLICA_MS);
            }
        }
        if self.cursors.values().any(Cursor::is_waiting) {
            writing.again_in_ms = Some(HEAD_TIMEOUT_MS);
        }
        let behind = |cursor: &Cursor| cursor.is_behind(now_ms, storage, sees);
        if sees.lag_ms > 0 && self.cursors.values().any(behind) {
            writing.again_in_ms = Some(REPLICA_MS);
        }
        let caught_up = |cursor: &mut Cursor| std::mem::take(&mut cursor.caught_up);
        if self.cursors.values_mut().any(caught_up) {
            writing.frames.push(vec![self.pong(now_ms, storage, None)]);
        }
        if !writing.frames.is_empty() {
            self.sent_ms = now_ms;
        }
        writing
    }

    /// The `pong` that is due after silence.
    pub(crate) fn beat(&mut self, now_ms: u64, storage: &Storage) -> Option<Document> {
        if !self.greeted || now_ms < self.sent_ms + HEARTBEAT_MS {
            return None;
        }
        self.sent_ms = now_ms;
        Some(self.pong(now_ms, storage, None))
    }

    fn not_subscribed(
        &self,
        now_ms: u64,
        storage: &Storage,
        campaign: &str,
        request: &str,
    ) -> Option<Document> {
        let is_visible = storage.owners.show(campaign, self.user);
        let known = is_visible && storage.campaigns.contains_key(campaign);
        let code = if known { "invalid_message" } else { "unknown_campaign" };
        let data = json!({
            "code": code, "message": "not subscribed", "campaignId": campaign, "requestId": request,
        });
        Some(Document::control(now_ms, "error", &data))
    }

    /// Whether the client has been silent for too long.
    pub(crate) const fn is_idle(&self, now_ms: u64) -> bool {
        now_ms >= self.received_ms + IDLE_MS
    }
}
