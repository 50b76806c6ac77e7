//! `--dialect original`: the server as the original's clients and servers know it, for tests of
//! interoperability.
//!
//! The log stays ours; this is a mapping on the way out. What is appended becomes documents of the
//! original's four envelopes (`documents`), numbered by one counter of the process and kept for a
//! moment here, for every socket ([`session`]) to pick up. Nobody is asked who they are, progress and
//! domains of every campaign go to everybody, nothing is ever sent again: as it was.

mod documents;
mod go;
pub mod rest;
pub mod session;
mod shapes;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use campaign_sync::protocol::CampaignId;
use clap::ValueEnum;
use tokio::sync::Notify;

use crate::followers::Followers;
use crate::lock::lock;
use crate::log::Appended;

/// Documents kept; who is further behind is let go without a word.
const KEPT_MAX: usize = 32_768;

/// What a server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Dialect {
    /// The protocol of `docs/PROTOCOL.md`.
    #[default]
    V1,
    /// What the original's servers spoke.
    Original,
}

/// Whom a document is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum To {
    Everybody,
    /// Those who subscribed to that campaign, or to all.
    Subscribers(CampaignId),
}

/// A document for everybody whom it concerns.
#[derive(Clone, Debug)]
struct Broadcast {
    to: To,
    text: Arc<str>,
}

/// What all sockets of a server share: the counter, and what was sent last.
#[derive(Debug, Default)]
pub struct Station(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The last number given, to whatever it was.
    number: u64,
    /// How many documents are gone from `kept`.
    gone: u64,
    kept: VecDeque<Broadcast>,
    followers: Followers,
}

impl Station {
    /// Tells everybody what was appended.
    pub fn publish(&self, campaign: &CampaignId, appended: &Appended) {
        let followers = {
            let mut inner = self.inner();
            for broadcast in documents::of(&mut inner.number, campaign, appended) {
                inner.kept.push_back(broadcast);
            }
            let surplus = inner.kept.len().saturating_sub(KEPT_MAX);
            inner.kept.drain(..surplus);
            inner.gone += surplus as u64;
            inner.followers.prune();
            inner.followers.clone()
        };
        followers.wake();
    }

    /// Wakes `follower` from now on; tells where it begins to listen.
    fn follow(&self, follower: &Arc<Notify>) -> u64 {
        let mut inner = self.inner();
        inner.followers.add(follower);
        inner.gone + inner.kept.len() as u64
    }

    /// The next number, for an answer to one socket.
    fn draw(&self) -> u64 {
        let mut inner = self.inner();
        inner.number += 1;
        inner.number
    }

    /// Moves `place` to the end, and passes over each document in between; `None` if some are gone.
    fn read(&self, place: &mut u64, mut pass: impl FnMut(&Broadcast)) -> Option<()> {
        let inner = self.inner();
        let skip = place.checked_sub(inner.gone)? as usize;
        inner.kept.iter().skip(skip).for_each(&mut pass);
        *place = inner.gone + inner.kept.len() as u64;
        Some(())
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.0)
    }
}
