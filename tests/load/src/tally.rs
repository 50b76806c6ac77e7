//! Counts received events: once, in order, and their age.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use memchr::memmem::Finder;
use serde_json::{Value, json};

/// The largest age that is counted, in milliseconds. Larger ages count as this one.
const AGE_MS_MAX: usize = 60_000;

const DAY_MS: u64 = 24 * 3_600_000;

/// The number of an event is within its last bytes, at most this many.
const END_BYTES: usize = 320;

/// The events that all subscribers of one measurement received.
#[derive(Debug)]
pub(crate) struct DeliveryCounts {
    /// New events, in order or after a gap.
    pub(crate) delivered: u64,
    /// Events that had been received before.
    pub(crate) duplicates: u64,
    /// New events that arrived after a gap.
    pub(crate) out_of_order: u64,
    /// Messages that contained events.
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    /// When the last event arrived.
    pub(crate) last: Option<Instant>,
    ages: Vec<u64>,
}

impl Default for DeliveryCounts {
    fn default() -> Self {
        Self {
            delivered: 0,
            duplicates: 0,
            out_of_order: 0,
            frames: 0,
            bytes: 0,
            last: None,
            ages: vec![0; AGE_MS_MAX + 1],
        }
    }
}

impl DeliveryCounts {
    /// The age in milliseconds that this share of the events did not exceed.
    pub(crate) fn age_ms(&self, share: f64) -> u64 {
        let wanted = (self.ages.iter().sum::<u64>() as f64 * share).ceil() as u64;
        let mut seen = 0;
        let found = self.ages.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        found.unwrap_or_default() as u64
    }

    /// Clears the measured ages.
    pub(crate) fn forget_ages(&mut self) {
        self.ages.fill(0);
    }

    /// Whether `expected` events arrived, each once and in order.
    pub(crate) fn is_whole(&self, expected: u64) -> bool {
        (self.delivered, self.duplicates, self.out_of_order) == (expected, 0, 0)
    }

    /// The counts as a report shows them.
    pub(crate) fn shown(&self, expected: u64) -> Value {
        json!({
            "expected": expected,
            "delivered": self.delivered,
            "duplicates": self.duplicates,
            "out_of_order": self.out_of_order,
            "frames": self.frames,
            "bytes": self.bytes,
        })
    }
}

/// The position of one subscriber in its stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamPlace {
    /// The number that must come next.
    pub(crate) next: u64,
}

/// Reads events out of frames.
#[derive(Debug)]
pub(crate) struct Reader {
    number: Finder<'static>,
    timestamp: Finder<'static>,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            number: Finder::new(b"\"sequenceNumber\":"),
            timestamp: Finder::new(b"\"timestamp\":\""),
        }
    }
}

impl Reader {
    /// Counts the events of a frame, and hands every other document to `other`.
    pub(crate) fn frame(
        &self,
        frame: &[u8],
        place: &mut StreamPlace,
        tally: &mut DeliveryCounts,
        mut other: impl FnMut(&[u8]),
    ) {
        let now = Instant::now();
        let now_ms = wall_ms() % DAY_MS;
        let mut events = 0;
        let mut start = 0;
        while start < frame.len() {
            let end = memchr::memchr(b'\n', &frame[start..]).map_or(frame.len(), |at| start + at);
            let document = &frame[start..end];
            start = end + 1;
            let Some(number) = self.event_number(document) else {
                other(document);
                continue;
            };
            events += 1;
            if number < place.next {
                tally.duplicates += 1;
                continue;
            }
            tally.out_of_order += u64::from(number > place.next);
            tally.delivered += 1;
            place.next = number + 1;
            if let Some(then_ms) = self.time_of_day_ms(document) {
                let age = (now_ms + DAY_MS - then_ms) % DAY_MS;
                tally.ages[(age as usize).min(AGE_MS_MAX)] += 1;
            }
        }
        if events > 0 {
            tally.frames += 1;
            tally.bytes += frame.len() as u64;
            tally.last = Some(now);
        }
    }

    /// The number of an event, or `None` for other documents, which do not end like an event.
    fn event_number(&self, document: &[u8]) -> Option<u64> {
        let is_event = document.ends_with(b"\"checkpointData\":false}}")
            || document.ends_with(b"\"checkpointData\":true}}");
        if !is_event {
            return None;
        }
        let end = &document[document.len().saturating_sub(END_BYTES)..];
        let digits = &end[self.number.find(end)? + self.number.needle().len()..];
        Some(number(digits.iter().take_while(|it| it.is_ascii_digit())))
    }

    /// `…THH:MM:SS.mmmZ` as milliseconds of the day.
    fn time_of_day_ms(&self, document: &[u8]) -> Option<u64> {
        let at = self.timestamp.find(document)? + self.timestamp.needle().len();
        let time = document.get(at + 11..at + 23)?;
        let part = |from: usize, to: usize| number(time[from..to].iter());
        Some(((part(0, 2) * 60 + part(3, 5)) * 60 + part(6, 8)) * 1_000 + part(9, 12))
    }
}

fn number<'a>(digits: impl Iterator<Item = &'a u8>) -> u64 {
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

/// Milliseconds since 1970.
pub(crate) fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64) -> String {
        format!(
            "{{\"type\":\"x\",\"timestamp\":\"2031-04-05T01:02:03.004Z\",\"data\":{{}},\"sequence\":\
             {{\"campaignId\":\"c\",\"sequenceNumber\":{number},\"checkpointData\":false}}}}"
        )
    }

    #[test]
    fn events_are_counted_once_and_in_order() {
        let (reader, mut tally, mut place) =
            (Reader::default(), DeliveryCounts::default(), StreamPlace { next: 1 });
        let mut others = 0;
        let frame = [event(1), "{\"type\":\"pong\"}".to_owned(), event(2), event(2), event(4)];
        reader.frame(frame.join("\n").as_bytes(), &mut place, &mut tally, |_| others += 1);
        assert_eq!((tally.delivered, tally.duplicates, tally.out_of_order), (3, 1, 1));
        assert_eq!((others, tally.frames, place.next), (1, 1, 5));
    }

    #[test]
    fn the_time_of_an_event_is_read_from_it() {
        let expected = ((60 + 2) * 60 + 3) * 1_000 + 4;
        assert_eq!(Reader::default().time_of_day_ms(event(1).as_bytes()), Some(expected));
    }

    #[test]
    fn ages_are_reported_by_percentile() {
        let mut tally = DeliveryCounts::default();
        (tally.ages[3], tally.ages[7]) = (98, 2);
        assert_eq!((tally.age_ms(0.5), tally.age_ms(0.98), tally.age_ms(0.99)), (3, 3, 7));
    }
}
