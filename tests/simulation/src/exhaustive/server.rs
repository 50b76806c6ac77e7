//! A server of v1 for one client: two logs that grow, and one cursor per subscription.

use serde_json::{Value, json};

use super::script::{self, CAMPAIGNS, EPOCH, EVENTS};

/// The server, with its end of the socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    /// The last number of each log.
    pub(crate) heads: [u8; 2],
    /// The first number of each log that can still be replayed.
    pub(crate) oldest: [u8; 2],
    /// When each number was committed.
    pub(crate) committed_ms: [[u64; 4]; 2],
    /// The last number written to the socket; `None` until the cursor is set.
    written: [Option<u8>; 2],
    /// Whether the client has sent `connection_init`.
    greeted: bool,
}

impl Server {
    /// A server with the events that exist at the start.
    pub(crate) const fn new() -> Self {
        Self {
            heads: [EVENTS[0].0, EVENTS[1].0],
            oldest: [1, 1],
            committed_ms: [[0; 4]; 2],
            written: [None; 2],
            greeted: false,
        }
    }

    /// Closes the socket and forgets everything about it.
    pub(crate) const fn restart(&mut self) {
        self.written = [None; 2];
        self.greeted = false;
    }

    /// Commits and publishes the next event of a log.
    pub(crate) fn commit(&mut self, campaign: usize, now_ms: u64) -> Vec<String> {
        self.heads[campaign] += 1;
        self.committed_ms[campaign][usize::from(self.heads[campaign])] = now_ms;
        self.publish(campaign)
    }

    /// Truncates history up to the head: those events can no longer be replayed.
    pub(crate) const fn truncate(&mut self, campaign: usize) {
        self.oldest[campaign] = self.heads[campaign] + 1;
    }

    /// Handles a message of the client and returns the answers.
    pub(crate) fn hear(&mut self, message: &str) -> Vec<String> {
        let message: Value = serde_json::from_str(message).unwrap_or_default();
        let payload = &message["payload"];
        let id = payload["campaignId"].as_str().or_else(|| message["campaignId"].as_str());
        let campaign = CAMPAIGNS.iter().position(|it| Some(*it) == id);
        if !self.greeted && message["type"] != "connection_init" {
            return Vec::new();
        }
        match (message["type"].as_str(), campaign) {
            (Some("connection_init"), _) => {
                self.greeted = true;
                let ack = json!({"connectionId": "k", "protocol": "campaign-sync.v1"});
                vec![script::control("connection_ack", &ack)]
            }
            (Some("subscribe_campaign"), Some(campaign)) => {
                let head = self.heads[campaign];
                vec![script::control(
                    "subscription_confirmed",
                    &json!({"campaignId": id, "epoch": EPOCH, "lastSequenceNumber": head,
                        "oldestSequenceNumber": self.oldest[campaign]}),
                )]
            }
            (Some("request_event_recovery"), Some(campaign)) => self.seek(campaign, payload),
            (Some("ping"), _) => {
                let heads: Vec<Value> = (0..2).filter_map(|it| self.reported_head(it)).collect();
                let pong = json!({"timestamp": payload["timestamp"], "heads": heads});
                vec![script::control("pong", &pong)]
            }
            _ => Vec::new(),
        }
    }

    fn reported_head(&self, campaign: usize) -> Option<Value> {
        let written = self.written[campaign]?;
        let mut head = json!({"campaignId": CAMPAIGNS[campaign], "epoch": EPOCH,
            "lastSequenceNumber": written, "logHead": self.heads[campaign]});
        if written == self.heads[campaign] {
            head["domainsCount"] = json!(script::shown(campaign, written).rows.len());
            head["domainsDigest"] = json!(script::digest(campaign, written));
        }
        Some(head)
    }

    /// Sets the cursor and writes all events from there on.
    fn seek(&mut self, campaign: usize, payload: &Value) -> Vec<String> {
        let head = self.heads[campaign];
        let last = payload["lastSequenceNumber"].as_u64().unwrap_or(0) as u8;
        let request = payload["requestId"].as_str().unwrap_or_default();
        let outcome = if payload["prefer"] == "snapshot" || last + 1 < self.oldest[campaign] {
            "snapshot"
        } else if last == head {
            "current"
        } else {
            "replay"
        };
        let from = if outcome == "replay" { last + 1 } else { head + 1 };
        let answer = json!({"campaignId": CAMPAIGNS[campaign], "requestId": request,
            "epoch": EPOCH, "outcome": outcome, "fromSequenceNumber": from,
            "toSequenceNumber": head});
        let mut documents = vec![script::control("event_recovery", &answer)];
        if outcome == "snapshot" {
            documents.push(script::snapshot(campaign, head, request));
        }
        self.written[campaign] = Some(from - 1);
        documents.extend(self.publish(campaign));
        documents
    }

    /// Writes the events that the cursor has not written yet.
    fn publish(&mut self, campaign: usize) -> Vec<String> {
        let Some(written) = self.written[campaign] else { return Vec::new() };
        let head = self.heads[campaign];
        self.written[campaign] = Some(head);
        (written + 1..=head).map(|number| script::event(campaign, number)).collect()
    }
}
