//! Fault injection: a bad network and a bad server, on request. Never without the start-up flag, and
//! never but on loopback.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use rand::Rng as _;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::lock::lock;
use crate::session::Frame;

/// How long a frame that waits to be overtaken waits.
const REORDER_WAIT: Duration = Duration::from_millis(50);

/// What is on its way at once on one connection; the session is not asked for more before some of it
/// has arrived.
const UNDER_WAY_BYTES: usize = 8 * 1024 * 1024;

/// What happens to frames on their way out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// Probability that a frame is lost.
    pub drop: f64,
    /// Probability that it is sent twice.
    pub duplicate: f64,
    /// Probability that it changes places with the next one.
    pub reorder: f64,
    /// Probability that one of its bytes is another one.
    pub corrupt: f64,
    /// Every frame is under way this long, in order: a longer line, not a slower one.
    pub delay_ms: u64,
    /// Whether control messages suffer too.
    pub control: bool,
}

impl Settings {
    /// Whether these are probabilities and a delay that make sense.
    pub fn is_valid(&self) -> bool {
        let probabilities = [self.drop, self.duplicate, self.reorder, self.corrupt];
        probabilities.iter().all(|p| (0.0..=1.0).contains(p)) && self.delay_ms <= 60_000
    }

    /// Whether anything happens at all.
    pub fn is_active(&self) -> bool {
        let active = Self { control: self.control, ..Self::default() };
        *self != active
    }
}

/// The faults of a server.
#[derive(Debug, Default)]
pub struct Faults {
    settings: Mutex<Settings>,
    cuts: watch::Sender<u64>,
}

impl Faults {
    /// What is set.
    pub fn settings(&self) -> Settings {
        *lock(&self.settings)
    }

    /// Sets it.
    pub fn set(&self, settings: Settings) {
        *lock(&self.settings) = settings;
    }

    /// Cuts every socket there is now, without a close frame. Tells how many.
    pub fn cut(&self) -> usize {
        let sockets = self.cuts.receiver_count();
        self.cuts.send_modify(|cuts| *cuts += 1);
        sockets
    }

    /// Changes when sockets are cut.
    pub fn cuts(&self) -> watch::Receiver<u64> {
        self.cuts.subscribe()
    }
}

/// One connection's way out.
#[derive(Debug)]
pub struct Link {
    rng: SmallRng,
    held: Option<Utf8Bytes>,
    under_way: VecDeque<(Instant, Utf8Bytes)>,
    bytes: usize,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            rng: rand::SeedableRng::from_os_rng(),
            held: None,
            under_way: VecDeque::new(),
            bytes: 0,
        }
    }
}

impl Link {
    /// Sends a frame on its way, or what the faults make of it.
    pub fn pass(&mut self, now: Instant, faults: &Settings, frame: Frame) {
        if frame.control && !faults.control {
            return self.depart(now, frame.text);
        }
        let due = now + Duration::from_millis(faults.delay_ms);
        if self.rng.random_bool(faults.drop) {
            return self.release(due);
        }
        let text = if self.rng.random_bool(faults.corrupt) {
            self.corrupt(&frame.text).into()
        } else {
            frame.text
        };
        if self.held.is_none() && self.rng.random_bool(faults.reorder) {
            self.held = Some(text);
            return;
        }
        let twice = self.rng.random_bool(faults.duplicate).then(|| text.clone());
        self.depart(due, text);
        if let Some(text) = twice {
            self.depart(due, text);
        }
        self.release(due);
    }

    /// Sends the frame that waits for the next one to overtake it, when there is no next one.
    pub fn flush(&mut self, now: Instant, faults: &Settings) {
        self.release(now + REORDER_WAIT + Duration::from_millis(faults.delay_ms));
    }

    /// When the next frame arrives.
    pub fn due(&self) -> Option<Instant> {
        self.under_way.front().map(|(due, _)| *due)
    }

    /// The next frame, if it has arrived.
    pub fn arrived(&mut self, now: Instant) -> Option<Utf8Bytes> {
        let (_, text) = self.under_way.pop_front_if(|(due, _)| *due <= now)?;
        self.bytes -= text.len();
        Some(text)
    }

    /// Whether as much is under way as may be.
    pub fn is_full(&self) -> bool {
        self.bytes >= UNDER_WAY_BYTES
    }

    fn release(&mut self, due: Instant) {
        if let Some(held) = self.held.take() {
            self.depart(due, held);
        }
    }

    /// Nothing arrives before what departed earlier.
    fn depart(&mut self, due: Instant, text: Utf8Bytes) {
        let due = self.under_way.back().map_or(due, |(last, _)| due.max(*last));
        self.bytes += text.len();
        self.under_way.push_back((due, text));
    }

    /// Puts another letter or digit in a random place. The frame stays UTF-8: a browser would close
    /// the socket by itself otherwise, and nothing would be tested.
    fn corrupt(&mut self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..64 {
            let place = self.rng.random_range(0..bytes.len().max(1));
            let other = b"0123456789abcdef"[self.rng.random_range(0..16)];
            match bytes.get_mut(place) {
                Some(byte) if byte.is_ascii_graphic() && *byte != other => {
                    *byte = other;
                    break;
                }
                _ => {}
            }
        }
        String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
    }
}
