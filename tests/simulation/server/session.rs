//! One connection of the model server.

use std::collections::BTreeMap;

use serde_json::json;

use super::cursor::Cursor;
use super::log::Campaign;
use super::message::Message;
use super::{Document, Shelf};

/// A client that says nothing for so long is gone.
const IDLE_MS: u64 = 30_000;

/// Silence after which the server sends a `pong` of itself.
pub(crate) const HEARTBEAT_MS: u64 = 5_000;

/// One connection.
#[derive(Debug)]
pub(crate) struct Session {
    greeted: bool,
    heard_ms: u64,
    sent_ms: u64,
    cursors: BTreeMap<String, Cursor>,
    /// Whether a time to write is set already.
    pub(crate) writing: bool,
}

impl Session {
    /// A connection that has just been opened.
    pub(crate) const fn new(now_ms: u64) -> Self {
        Self {
            greeted: false,
            heard_ms: now_ms,
            sent_ms: now_ms,
            cursors: BTreeMap::new(),
            writing: false,
        }
    }

    /// Takes a message in; tells what to answer at once, and what to call it in statistics.
    pub(crate) fn receive(
        &mut self,
        now_ms: u64,
        shelf: &mut Shelf,
        message: Message,
    ) -> (Option<Document>, &'static str) {
        self.heard_ms = now_ms;
        let (answer, outcome) = match message {
            Message::Init => {
                self.greeted = true;
                let data = json!({
                    "connectionId": "k-1", "protocol": "campaign-sync.v1",
                    "heartbeatMs": HEARTBEAT_MS, "maxFrameBytes": 1_048_576,
                });
                (Some(Document::control(now_ms, "connection_ack", &data)), "ack")
            }
            _ if !self.greeted => {
                let data = json!({"code": "invalid_message", "message": "no connection_init"});
                (Some(Document::control(now_ms, "error", &data)), "ungreeted")
            }
            Message::Subscribe(campaign) => (self.subscribe(now_ms, shelf, campaign), "subscribed"),
            Message::Unsubscribe(campaign) => {
                self.cursors.remove(&campaign);
                let data = json!({"campaignId": campaign, "reason": "unsubscribed"});
                let answer = Document::control(now_ms, "subscription_ended", &data);
                (Some(answer), "unsubscribed")
            }
            Message::Recover(campaign, wanted) => match self.cursors.get_mut(&campaign) {
                Some(cursor) => {
                    let (outcome, answer) = cursor.seek(now_ms, shelf, &wanted);
                    (Some(answer), outcome)
                }
                None => (not_subscribed(now_ms, shelf, &campaign, &wanted.request), "no_cursor"),
            },
            Message::Ask(campaign, ask) => match self.cursors.get_mut(&campaign) {
                Some(cursor) => {
                    cursor.ask(ask);
                    (None, "asked")
                }
                None => (not_subscribed(now_ms, shelf, &campaign, &ask.request), "no_cursor"),
            },
            Message::Ping(echo) => (Some(self.pong(now_ms, shelf, Some(echo))), "ping"),
        };
        if answer.is_some() {
            self.sent_ms = now_ms;
        }
        (answer, outcome)
    }

    fn subscribe(&mut self, now_ms: u64, shelf: &Shelf, campaign: String) -> Option<Document> {
        let Some(log) = shelf.campaigns.get(&campaign).map(Campaign::log) else {
            let text = "there is no such campaign";
            let data = json!({"code": "unknown_campaign", "message": text, "campaignId": campaign});
            return Some(Document::control(now_ms, "error", &data));
        };
        let data = json!({
            "campaignId": campaign, "epoch": &*log.epoch, "lastSequenceNumber": log.head(),
            "oldestSequenceNumber": log.oldest,
        });
        self.cursors.entry(campaign.clone()).or_insert_with(|| Cursor::new(campaign));
        Some(Document::control(now_ms, "subscription_confirmed", &data))
    }

    /// A `pong`, asked for or not.
    fn pong(&self, now_ms: u64, shelf: &Shelf, echo: Option<u64>) -> Document {
        let heads: Vec<_> = self.cursors.values().filter_map(|it| it.head(shelf)).collect();
        Document::control(now_ms, "pong", &json!({"timestamp": echo, "heads": heads}))
    }

    /// A log was replaced behind the sockets' back.
    pub(crate) fn follow(&mut self, campaign: &Campaign) {
        for cursor in self.cursors.values_mut() {
            cursor.follow(campaign);
        }
    }

    /// The frames to write next, one per subscription that has something.
    pub(crate) fn write(&mut self, now_ms: u64, shelf: &mut Shelf) -> Vec<Vec<Document>> {
        let mut frames: Vec<_> =
            self.cursors.values_mut().map(|cursor| cursor.write(now_ms, shelf)).collect();
        frames.retain(|documents| !documents.is_empty());
        let caught_up = |cursor: &mut Cursor| std::mem::take(&mut cursor.caught_up);
        if self.cursors.values_mut().any(caught_up) {
            frames.push(vec![self.pong(now_ms, shelf, None)]);
        }
        if !frames.is_empty() {
            self.sent_ms = now_ms;
        }
        frames
    }

    /// The `pong` that is due after silence.
    pub(crate) fn beat(&mut self, now_ms: u64, shelf: &Shelf) -> Option<Document> {
        if !self.greeted || now_ms < self.sent_ms + HEARTBEAT_MS {
            return None;
        }
        self.sent_ms = now_ms;
        Some(self.pong(now_ms, shelf, None))
    }

    /// Whether the client has said nothing for too long.
    pub(crate) const fn is_idle(&self, now_ms: u64) -> bool {
        now_ms >= self.heard_ms + IDLE_MS
    }
}

fn not_subscribed(now_ms: u64, shelf: &Shelf, campaign: &str, request: &str) -> Option<Document> {
    let known = shelf.campaigns.contains_key(campaign);
    let code = if known { "invalid_message" } else { "unknown_campaign" };
    let data = json!({
        "code": code, "message": "not subscribed", "campaignId": campaign, "requestId": request,
    });
    Some(Document::control(now_ms, "error", &data))
}
