//! One connection of the original dialect, without its socket.
//!
//! # Policy
//! As the original's: what is not understood is not answered; a message over 512 bytes closes with
//! 1009; who answers no WebSocket ping for 60 s, or reads too slowly, is let go without a code.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::go::{go_json, seconds, uuid};
use super::shapes::V1;
use super::{Broadcast, Station, To};
use crate::clock::Moment;
use crate::session::{Context, Conversation, Frame, Step};

/// The largest client message.
pub const MESSAGE_BYTES_MAX: usize = 512;

/// Every client is pinged this often.
const PING_MS: u64 = 54_000;

/// Who has not answered for so long is gone.
const PONG_WAIT_MS: u64 = 60_000;

/// Documents of one frame: one, and as many as the original's queue held.
const FRAME_DOCUMENTS_MAX: usize = 257;

/// Close without a code, as a reader sees it.
const NO_STATUS: u16 = 1005;

/// One connection.
#[derive(Debug)]
pub struct OriginalSession {
    context: Arc<Context>,
    station: Arc<Station>,
    /// What has been passed over of the station's documents.
    place: u64,
    all: bool,
    campaigns: BTreeSet<String>,
    queue: VecDeque<Arc<str>>,
    close: Option<(u16, &'static str)>,
    ponged_ms: u64,
    pinged_ms: u64,
}

/// All that the original reads of a message.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    r#type: String,
    #[serde(default)]
    campaign_id: String,
    #[serde(default)]
    last_sequence_number: i64,
    #[serde(default)]
    data: Value,
}

impl OriginalSession {
    /// A connection that has just been opened; `wake` is called when there may be a frame again.
    pub fn open(
        now: Moment,
        context: Arc<Context>,
        station: Arc<Station>,
        wake: &Arc<Notify>,
    ) -> Self {
        Self {
            context,
            place: station.follow(wake),
            station,
            all: false,
            campaigns: BTreeSet::new(),
            queue: VecDeque::new(),
            close: None,
            ponged_ms: now.monotonic_ms,
            pinged_ms: now.monotonic_ms,
        }
    }

    /// Takes what concerns this connection of what everybody was sent.
    fn pick_up(&mut self) {
        let Self { station, place, all, campaigns, queue, .. } = self;
        let picked = station.read(place, |Broadcast { to, text }| {
            let concerned = match to {
                To::Everybody => true,
                To::Subscribers(campaign) => *all || campaigns.contains(campaign.as_str()),
            };
            if concerned {
                queue.push_back(text.clone());
            }
        });
        if picked.is_none() {
            self.close = Some((NO_STATUS, ""));
        }
    }

    fn subscribe(&mut self, data: &Value) {
        for channel in data["channels"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            match channel {
                "campaigns" | "campaign-updates" => self.all = true,
                one => {
                    let id = one.strip_prefix("campaign-").unwrap_or(one);
                    self.campaigns.insert(id.to_owned());
                }
            }
        }
    }

    fn answer(&mut self, now: Moment, kind: &str, data: Option<Value>, subscribed: Option<&str>) {
        // What everybody was sent before goes before it.
        self.pick_up();
        let envelope = V1 {
            id: uuid(),
            timestamp: seconds(&now.timestamp()),
            r#type: kind,
            sequence_number: self.station.draw(),
            data,
            message: subscribed.map(|_| "Successfully subscribed to campaign updates"),
            campaign_id: subscribed,
        };
        self.queue.push_back(go_json(&envelope).into());
    }

    fn frame(&mut self) -> Frame {
        let most = if self.context.joins_events() { FRAME_DOCUMENTS_MAX } else { 1 };
        let documents: Vec<_> = self.queue.drain(..most.min(self.queue.len())).collect();
        // Answers are among events here, so that injected faults hit them as well.
        Frame { text: documents.join("\n").into(), control: false, committed: None }
    }
}

impl Conversation for OriginalSession {
    fn is_binary(&self) -> bool {
        false
    }

    fn is_busy(&self) -> bool {
        self.queue.len() >= FRAME_DOCUMENTS_MAX
    }

    fn heard(&mut self, now: Moment) {
        self.ponged_ms = now.monotonic_ms;
    }

    fn receive(&mut self, now: Moment, frame: &str) {
        let Ok(message) = serde_json::from_str::<Message>(frame) else { return };
        let echo = message.last_sequence_number;
        match message.r#type.as_str() {
            "connection_init" => {
                let data =
                    json!({"connectionId": uuid(), "lastSequenceNumber": echo, "userId": ""});
                self.answer(now, "connection_ack", Some(data), None);
            }
            "subscribe" => {
                self.subscribe(&message.data);
                let data = json!({"channels": message.data["channels"], "subscribed": true});
                self.answer(now, "subscription_ack", Some(data), None);
            }
            "subscribe_campaign" if !message.campaign_id.is_empty() => {
                self.campaigns.insert(message.campaign_id.clone());
                let data = json!({"lastSequenceNumber": echo});
                let id = Some(message.campaign_id.as_str());
                self.answer(now, "subscription_confirmed", Some(data), id);
            }
            "unsubscribe_campaign" => {
                self.campaigns.remove(&message.campaign_id);
            }
            "ping" => self.answer(now, "pong", None, None),
            _ => {}
        }
    }

    fn receive_garbage(&mut self, _: Moment) {}

    fn drain(&mut self, _: Moment) {
        self.close = Some((1001, ""));
    }

    fn timeout_ms(&self) -> u64 {
        (self.pinged_ms + PING_MS).min(self.ponged_ms + PONG_WAIT_MS)
    }

    fn poll(&mut self, now: Moment, _: bool) -> Step {
        self.pick_up();
        if !self.queue.is_empty() && self.close != Some((NO_STATUS, "")) {
            return Step::Frame(self.frame());
        }
        if let Some((code, reason)) = self.close {
            return Step::Close(code, reason);
        }
        if now.monotonic_ms >= self.ponged_ms + PONG_WAIT_MS {
            return Step::Close(NO_STATUS, "");
        }
        if now.monotonic_ms >= self.pinged_ms + PING_MS {
            self.pinged_ms = now.monotonic_ms;
            return Step::Ping;
        }
        Step::Idle
    }
}
