//! Fault injection: a bad network and a bad server, on request. Never without the start-up flag, and
//! never but on loopback.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::Rng as _;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::session::Frame;

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
    /// Every frame is held this long, in order.
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
#[derive(Debug)]
pub struct Faults {
    settings: Mutex<Settings>,
    cuts: watch::Sender<u64>,
}

impl Default for Faults {
    fn default() -> Self {
        Self { settings: Mutex::default(), cuts: watch::Sender::new(0) }
    }
}

impl Faults {
    /// What is set.
    pub fn settings(&self) -> Settings {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets it.
    pub fn set(&self, settings: Settings) {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// Cuts every socket there is now, without a close frame. Tells how many.
    pub fn cut(&self) -> usize {
        self.cuts.send_modify(|cuts| *cuts += 1);
        self.cuts.receiver_count()
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
    held: Option<String>,
}

impl Default for Link {
    fn default() -> Self {
        Self { rng: rand::SeedableRng::from_os_rng(), held: None }
    }
}

impl Link {
    /// What reaches the socket instead of `frame`, and how long it takes.
    pub fn pass(&mut self, faults: &Settings, frame: Frame) -> (Vec<String>, Duration) {
        let delay = Duration::from_millis(faults.delay_ms);
        if frame.control && !faults.control {
            return (vec![frame.text], Duration::ZERO);
        }
        if self.rng.random_bool(faults.drop) {
            return (self.held.take().into_iter().collect(), delay);
        }
        let text = if self.rng.random_bool(faults.corrupt) {
            self.corrupt(&frame.text)
        } else {
            frame.text
        };
        if self.held.is_none() && self.rng.random_bool(faults.reorder) {
            self.held = Some(text);
            return (Vec::new(), delay);
        }
        let twice = self.rng.random_bool(faults.duplicate).then(|| text.clone());
        let frames = std::iter::once(text).chain(twice).chain(self.held.take());
        (frames.collect(), delay)
    }

    /// The frame that waits for the next one to overtake it, when there is no next one.
    pub fn flush(&mut self) -> Option<String> {
        self.held.take()
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
