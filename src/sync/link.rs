//! The open socket as seen by the clock: pings, proofs of life, round trips.

use super::{Config, Now, Timestamp};

/// Pings that may be unanswered at once; more would only say the same.
const OUTSTANDING_MAX: usize = 8;

/// An open socket.
#[derive(Clone, Debug)]
pub struct Link {
    /// When it opened.
    pub opened: Timestamp,
    last_received: Timestamp,
    next_ping: Timestamp,
    probe_deadline: Option<Timestamp>,
    outstanding: Vec<Ping>,
    last_echo: u64,
}

/// A ping that has not been answered.
#[derive(Clone, Copy, Debug)]
struct Ping {
    echo: u64,
    sent: Now,
}

/// What the clock asks of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulse {
    /// Nothing.
    Steady,
    /// Send a ping that carries this number.
    Ping(u64),
    /// The socket is dead.
    Dead,
}

impl Link {
    /// A socket that opened now. The first ping is due at once: it brings the first proof.
    pub const fn new(now: Timestamp) -> Self {
        Self {
            opened: now,
            last_received: now,
            next_ping: now,
            probe_deadline: None,
            outstanding: Vec::new(),
            last_echo: 0,
        }
    }

    /// Something arrived: the socket lives.
    pub const fn note_received(&mut self, now: Timestamp) {
        self.last_received = now;
        self.probe_deadline = None;
    }

    /// The page woke up: the socket must prove quickly that it lives. What it did not say while we
    /// slept is no evidence.
    pub const fn probe(&mut self, config: &Config, now: Timestamp) {
        if self.probe_deadline.is_none() {
            self.probe_deadline = Some(Timestamp(now.0 + config.probe_ms));
            self.next_ping = now;
        }
    }

    /// A proof is wanted sooner than the next heartbeat.
    pub const fn ping_soon(&mut self, now: Timestamp) {
        self.next_ping = now;
    }

    /// What is due.
    pub fn pulse(&mut self, config: &Config, now: Now) -> Pulse {
        if self.death(config) <= now.at && !planted!(DeadLinkUnnoticed) {
            return Pulse::Dead;
        }
        if self.next_ping > now.at {
            return Pulse::Steady;
        }
        self.next_ping = now.at + config.heartbeat_ms;
        self.last_echo += 1;
        self.outstanding.push(Ping { echo: self.last_echo, sent: now });
        if self.outstanding.len() > OUTSTANDING_MAX {
            self.outstanding.remove(0);
        }
        Pulse::Ping(self.last_echo)
    }

    /// A pong echoed this number: tells when its ping was sent. Each is answered once.
    pub fn answered(&mut self, echo: u64) -> Option<Now> {
        let ping = self.outstanding.iter().find(|ping| ping.echo == echo).copied()?;
        while self.outstanding.first().is_some_and(|ping| ping.echo <= echo) {
            self.outstanding.remove(0);
        }
        Some(ping.sent)
    }

    /// When something is due.
    pub fn deadline(&self, config: &Config) -> Timestamp {
        self.next_ping.min(self.death(config))
    }

    fn death(&self, config: &Config) -> Timestamp {
        self.probe_deadline.unwrap_or_else(|| self.last_received + config.dead_link_ms)
    }
}
