//! Fault injection: simulates a bad network and a bad server. It exists only with the start-up flag, and only
//! on loopback.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt as _, make_rng};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use utoipa::ToSchema;

use crate::lock::lock;
use crate::session::Frame;

/// The longest time that a held frame waits for the frame that overtakes it.
const REORDER_WAIT: Duration = Duration::from_millis(50);

/// The most bytes in flight on one connection. When this many are in flight, the session is not polled until
/// some of them arrive.
const IN_FLIGHT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The faults of outgoing frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[schema(as = FaultSettings)]
pub struct Settings {
    /// Probability that a frame is lost.
    #[schema(minimum = 0, maximum = 1)]
    pub drop: f64,
    /// Probability that a frame is sent twice.
    #[schema(minimum = 0, maximum = 1)]
    pub duplicate: f64,
    /// Probability that a frame is swapped with the next one.
    #[schema(minimum = 0, maximum = 1)]
    pub reorder: f64,
    /// Probability that one byte of a frame is changed.
    #[schema(minimum = 0, maximum = 1)]
    pub corrupt: f64,
    /// A fixed latency of each frame. Frames stay in order, and the latency does not accumulate.
    #[schema(minimum = 0, maximum = 60_000)]
    pub delay_ms: u64,
    /// Whether the faults also affect control messages.
    pub control: bool,
}

impl Settings {
    /// Whether the probabilities are 0 to 1 and the delay is at most 60,000 ms.
    pub fn is_valid(&self) -> bool {
        let probabilities = [self.drop, self.duplicate, self.reorder, self.corrupt];
        probabilities.iter().all(|p| (0.0..=1.0).contains(p)) && self.delay_ms <= 60_000
    }

    /// Whether any fault is configured.
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
    /// The present settings.
    pub fn settings(&self) -> Settings {
        *lock(&self.settings)
    }

    /// Replaces the settings.
    pub fn set(&self, settings: Settings) {
        *lock(&self.settings) = settings;
    }

    /// Cuts every open socket without a close frame. Returns their number.
    pub fn cut(&self) -> usize {
        let sockets = self.cuts.receiver_count();
        self.cuts.send_modify(|cuts| *cuts += 1);
        sockets
    }

    /// A channel that changes when sockets are cut.
    pub fn cuts(&self) -> watch::Receiver<u64> {
        self.cuts.subscribe()
    }
}

/// The simulated network of one connection, from the server to the client.
#[derive(Debug)]
pub struct Link {
    rng: SmallRng,
    held: Option<Utf8Bytes>,
    in_flight: VecDeque<(Instant, Utf8Bytes)>,
    bytes: usize,
}

impl Default for Link {
    fn default() -> Self {
        Self { rng: make_rng(), held: None, in_flight: VecDeque::new(), bytes: 0 }
    }
}

impl Link {
    /// Puts a frame in flight, with the faults applied.
    pub fn pass(&mut self, now: Instant, faults: &Settings, frame: Frame) {
        let whole = frame.text.to_string();
        if frame.control && !faults.control {
            return self.enqueue(now, whole.into());
        }
        let due = now + Duration::from_millis(faults.delay_ms);
        if self.rng.random_bool(faults.drop) {
            return self.release(due);
        }
        let text = if self.rng.random_bool(faults.corrupt) {
            self.corrupt(&whole).into()
        } else {
            whole.into()
        };
        if self.held.is_none() && self.rng.random_bool(faults.reorder) {
            self.held = Some(text);
            return;
        }
        let twice = self.rng.random_bool(faults.duplicate).then(|| text.clone());
        self.enqueue(due, text);
        if let Some(text) = twice {
            self.enqueue(due, text);
        }
        self.release(due);
    }

    /// Puts the held frame in flight if there is no next frame to overtake it.
    pub fn flush(&mut self, now: Instant, faults: &Settings) {
        self.release(now + REORDER_WAIT + Duration::from_millis(faults.delay_ms));
    }

    /// The time at which the next frame arrives.
    pub fn due(&self) -> Option<Instant> {
        self.in_flight.front().map(|(due, _)| *due)
    }

    /// The next frame, if it has arrived.
    pub fn arrived(&mut self, now: Instant) -> Option<Utf8Bytes> {
        let (_, text) = self.in_flight.pop_front_if(|(due, _)| *due <= now)?;
        self.bytes -= text.len();
        Some(text)
    }

    /// Whether the most bytes are in flight.
    pub fn is_full(&self) -> bool {
        self.bytes >= IN_FLIGHT_BYTES_MAX
    }

    fn release(&mut self, due: Instant) {
        if let Some(held) = self.held.take() {
            self.enqueue(due, held);
        }
    }

    /// Puts a text in flight. It never arrives before an earlier one.
    fn enqueue(&mut self, due: Instant, text: Utf8Bytes) {
        let due = self.in_flight.back().map_or(due, |(last, _)| due.max(*last));
        self.bytes += text.len();
        self.in_flight.push_back((due, text));
    }

    /// Replaces a random byte by another hex digit. The frame stays UTF-8; otherwise the browser would close
    /// the socket itself, and the client's checks would not be tested.
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
