//! The evidence that a page has: proofs of how fresh its state is, and the hashes that it must remember.
//! It is derived from the traffic on the wire, not from the machine's interpretation of it.

use std::collections::BTreeMap;

use campaign_sync::protocol::Position;
use campaign_sync::sync::Now;
use serde_json::Value;

use super::server::message::Message;

/// A proof counts while it is younger than this.
const AGE_MS: u64 = 10_000;

/// The conversation on the current socket.
#[derive(Clone, Debug, Default)]
pub(crate) struct SocketTraffic {
    /// The machine's number for the socket, until the socket is closed.
    socket: Option<u64>,
    pings: BTreeMap<u64, Now>,
    requests: BTreeMap<String, Now>,
}

/// The server had nothing beyond number `head` of log `epoch` at some moment after `since`.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    since: Now,
    epoch: String,
    head: u64,
}

impl SocketTraffic {
    /// A conversation on a socket that was just requested.
    pub(crate) fn on(socket: u64) -> Self {
        Self { socket: Some(socket), ..Self::default() }
    }

    /// Whether it is on this socket.
    pub(crate) fn is_on(&self, socket: u64) -> bool {
        self.socket == Some(socket)
    }

    /// Records a message that the page sends.
    pub(crate) fn says(&mut self, now: Now, message: &Message) {
        match message {
            Message::Ping(echo) => {
                self.pings.insert(*echo, now);
            }
            Message::Recover(_, wanted) => {
                self.requests.insert(wanted.request.clone(), now);
            }
            Message::Init
            | Message::Subscribe(_)
            | Message::Unsubscribe(_)
            | Message::Catalogue(..)
            | Message::LeaveCatalogue
            | Message::StateQuery(..) => {}
        }
    }

    /// The proofs in a document that arrives, each with its campaign. `applied` returns the number that
    /// the page has reached in a campaign.
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
        // A server that has less than the page lags behind, and its statement proves nothing.
        let not_behind = |(id, proof): &(String, Proof)| proof.head >= applied(id);
        if document["type"] == "pong" {
            let ping = data["timestamp"].as_u64().and_then(|echo| self.pings.get(&echo));
            let heads = data["heads"].as_array().map_or(&[][..], Vec::as_slice);
            let of_head = |head: &Value| {
                let (id, proof) = proof(*ping?, head, "logHead")?;
                // A number that was written to the socket is committed.
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
    /// Whether the proof is still fresh, by both clocks.
    pub(crate) fn is_fresh(&self, now: Now) -> bool {
        now.at.since(self.since.at) < AGE_MS
            && now.wall_ms.saturating_sub(self.since.wall_ms) < AGE_MS as i64
    }

    /// Whether the proof can never be fresh again. Only the monotonic clock decides this, because a wall
    /// clock that ran ahead may be set back.
    pub(crate) fn is_spent(&self, now: Now) -> bool {
        now.at.since(self.since.at) >= AGE_MS
    }

    /// Whether the proof says that a page at `position` lacks nothing.
    pub(crate) fn is_of(&self, position: &Position) -> bool {
        self.epoch == position.epoch.as_str() && self.head <= position.sequence_number.get()
    }
}

/// Campaign, epoch and number of an event, if the document states them.
pub(crate) fn sequence_of(document: &str) -> Option<(String, String, u64)> {
    let document: Value = serde_json::from_str(document).ok()?;
    let sequence = &document["sequence"];
    let text = |key: &str| Some(sequence[key].as_str()?.to_owned());
    Some((text("campaignId")?, text("epoch")?, sequence["sequenceNumber"].as_u64()?))
}
