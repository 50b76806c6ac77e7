//! Keepalive of an open socket: when to ping it, when it is dead, and the round trips.

use crate::sync::config::{Config, DEAD_LINK_MS, PINGS_OUTSTANDING_MAX, PROBE_MS};
use crate::sync::time::{Now, Timestamp};

/// The keepalive of one socket.
#[derive(Clone, Debug)]
pub struct Keepalive {
    /// When the socket opened.
    pub opened: Timestamp,
    /// When the socket counts as dead, if nothing arrives before.
    dead_at: Timestamp,
    /// Whether the socket must show that it is alive.
    is_probed: bool,
    next_ping: Timestamp,
    outstanding: Vec<Ping>,
    last_echo: u64,
}

/// A ping that has not been answered.
#[derive(Clone, Copy, Debug)]
struct Ping {
    echo: u64,
    sent: Now,
}

/// The action that a socket needs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heartbeat {
    /// Nothing.
    Idle,
    /// Send a ping that carries this number.
    Ping(u64),
    /// The socket is dead.
    Dead,
}

impl Keepalive {
    /// Creates the keepalive of a socket that the server acknowledges at `now`. The first ping is due at
    /// once, because its answer is the first proof of freshness.
    pub fn new(opened: Timestamp, now: Timestamp) -> Self {
        Self {
            opened,
            dead_at: now + DEAD_LINK_MS,
            is_probed: false,
            next_ping: now,
            outstanding: Vec::new(),
            last_echo: 0,
        }
    }

    /// Records that something arrived, which shows that the socket is alive.
    pub fn note_received(&mut self, now: Timestamp) {
        self.dead_at = now + DEAD_LINK_MS;
        self.is_probed = false;
    }

    /// The page woke up: the socket must show within [`PROBE_MS`] that it is alive. Silence
    /// while the page slept is no evidence of a dead socket.
    pub fn probe(&mut self, now: Timestamp) {
        if !self.is_probed {
            self.is_probed = true;
            self.dead_at = now + PROBE_MS;
            self.next_ping = now;
        }
    }

    /// Makes a ping due now, so that freshness is proven before the next heartbeat.
    pub const fn ping_soon(&mut self, now: Timestamp) {
        self.next_ping = now;
    }

    /// Returns the action that is due now. A returned ping is recorded as sent.
    pub fn poll_heartbeat(&mut self, config: &Config, now: Now) -> Heartbeat {
        if self.dead_at <= now.at {
            return Heartbeat::Dead;
        }
        if self.next_ping > now.at {
            return Heartbeat::Idle;
        }
        self.next_ping = now.at + config.heartbeat_ms;
        self.last_echo += 1;
        self.outstanding.push(Ping { echo: self.last_echo, sent: now });
        if self.outstanding.len() > PINGS_OUTSTANDING_MAX {
            self.outstanding.remove(0);
        }
        Heartbeat::Ping(self.last_echo)
    }

    /// Handles a pong that echoes this number. Returns when its ping was sent; each ping is answered
    /// once.
    pub fn answered(&mut self, echo: u64) -> Option<Now> {
        let ping = self.outstanding.iter().find(|ping| ping.echo == echo).copied()?;
        while self.outstanding.first().is_some_and(|ping| ping.echo <= echo) {
            self.outstanding.remove(0);
        }
        Some(ping.sent)
    }

    /// The time of the next action.
    pub fn deadline(&self) -> Timestamp {
        self.next_ping.min(self.dead_at)
    }
}
