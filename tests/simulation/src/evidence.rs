//! What a page may believe: proofs of how young its state is, and hashes that it must remember. Told
//! from what went over the wire, not from what the machine made of it.

use std::collections::BTreeMap;

use campaign_sync::protocol::Position;
use campaign_sync::sync::Now;
use serde_json::Value;

use super::server::message::Message;

/// A proof counts for less than this.
const AGE_MS: u64 = 10_000;

/// The conversation on the socket that counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conversation {
    /// The machine's number for the socket, as long as it is not closed.
    socket: Option<u64>,
    pings: BTreeMap<u64, Now>,
    requests: BTreeMap<String, Now>,
}

/// The server had nothing beyond this number of that log, at some moment after `since`.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    since: Now,
    epoch: String,
    head: u64,
}

impl Conversation {
    /// A socket was asked for: nothing was said on it yet.
    pub(crate) fn on(socket: u64) -> Self {
        Self { socket: Some(socket), ..Self::default() }
    }

    /// Whether it is on this socket.
    pub(crate) fn is_on(&self, socket: u64) -> bool {
        self.socket == Some(socket)
    }

    /// The page says something.
    pub(crate) fn says(&mut self, now: Now, message: &Message) {
        match message {
            Message::Ping(echo) => {
                self.pings.insert(*echo, now);
            }
            Message::Recover(_, wanted) => {
                self.requests.insert(wanted.request.clone(), now);
            }
            Message::Init | Message::Subscribe(_) | Message::Unsubscribe(_) | Message::Ask(..) => {}
        }
    }

    /// What a document that arrives proves, and of which campaigns, whose numbers `applied` tells.
    pub(crate) fn proofs(
        &self,
        document: &str,
        applied: impl Fn(&str) -> u64,
    ) -> Vec<(String, Proof)> {
        let known = ["\"pong\"", "\"event_recovery\""];
        if !known.iter().any(|kind| document.contains(kind)) {
            return Vec::new();
        }
        let Ok(document) = serde_json::from_str::<Value>(document) else { return Vec::new() };
        let data = &document["data"];
        let proof = |since: Now, of: &Value, head: &str| {
            let (epoch, head) = (of["epoch"].as_str()?.to_owned(), of[head].as_u64()?);
            Some((of["campaignId"].as_str()?.to_owned(), Proof { since, epoch, head }))
        };
        // A server that has less than the page lags: what it says proves nothing.
        let not_behind = |(id, proof): &(String, Proof)| proof.head >= applied(id);
        if document["type"] == "pong" {
            let ping = data["timestamp"].as_u64().and_then(|echo| self.pings.get(&echo));
            let heads = data["heads"].as_array().map_or(&[][..], Vec::as_slice);
            let of_head = |head: &Value| {
                let (id, proof) = proof(*ping?, head, "logHead")?;
                // What was written is committed.
                let head = head["lastSequenceNumber"].as_u64()?.max(proof.head);
                Some((id, Proof { head, ..proof })).filter(&not_behind)
            };
            return heads.iter().filter_map(of_head).collect();
        }
        let replays = data["outcome"] == "replay" || data["outcome"] == "current";
        let asked = data["requestId"].as_str().and_then(|request| self.requests.get(request));
        let asked = asked.filter(|_| replays);
        let answer = asked.and_then(|asked| proof(*asked, data, "toSequenceNumber"));
        answer.filter(not_behind).into_iter().collect()
    }
}

impl Proof {
    /// Whether it is still young.
    pub(crate) fn is_young(&self, now: Now) -> bool {
        now.at.since(self.since.at) < AGE_MS
            && now.wall_ms.saturating_sub(self.since.wall_ms) < AGE_MS as i64
    }

    /// Whether it will never count again: a wall that ran ahead may be set back, the other clock not.
    pub(crate) fn is_spent(&self, now: Now) -> bool {
        now.at.since(self.since.at) >= AGE_MS
    }

    /// Whether it says that a page at `position` lacks nothing.
    pub(crate) fn is_of(&self, position: &Position) -> bool {
        self.epoch == position.epoch.as_str() && self.head <= position.sequence_number.get()
    }
}

/// Campaign, epoch and number of an event, as far as it can be read.
pub(crate) fn sequence_of(document: &str) -> Option<(String, String, u64)> {
    let document: Value = serde_json::from_str(document).ok()?;
    let sequence = &document["sequence"];
    let text = |key: &str| Some(sequence[key].as_str()?.to_owned());
    Some((text("campaignId")?, text("epoch")?, sequence["sequenceNumber"].as_u64()?))
}
