//! Counters and histograms: plain numbers, copied out on request.

use crate::protocol::Code;
use crate::protocol::client::Reason;
use crate::value::{Record, ToValue, Value, serialize_as_value};

macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $field:ident = $name:literal,)+) => {
        /// Everything the machine counts.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Metrics {
            $($(#[doc = $doc])+ pub $field: u64,)+
            /// Documents and frames refused, by code.
            pub refused: ByCode,
            /// Recovery requests sent, by reason.
            pub recovery_requests: ByReason,
            /// From noticing that something is missing until it is there.
            pub recovery_ms: Histogram,
            /// From ping to pong.
            pub rtt_ms: Histogram,
            /// From an event's timestamp to its application, as far as both clocks agree.
            pub event_age_ms: Histogram,
        }

        /// The public names of the plain counters.
        static NAMES: &[&str] = &[$($name),+];

        impl Metrics {
            /// The plain counters, in the order of their names.
            const fn counters(&self) -> [u64; NAMES.len()] {
                [$(self.$field),+]
            }
        }
    };
}

// The one list of plain counters: field and public name.
metrics! {
    /// Frames received.
    frames_received = "framesReceived",
    /// Bytes received.
    bytes_received = "bytesReceived",
    /// Documents in them.
    documents = "documents",
    /// Events applied.
    applied = "applied",
    /// Events dropped: applied before.
    duplicates = "duplicates",
    /// Events dropped: applied before, within a replay.
    redelivered = "redelivered",
    /// Events dropped: old, and no longer remembered.
    out_of_order = "outOfOrder",
    /// Events wrong by their own hash.
    corrupt = "corrupt",
    /// Gaps detected.
    gaps = "gaps",
    /// Events held beyond a gap.
    held = "held",
    /// Events dropped because the buffer was full.
    held_overflows = "heldOverflows",
    /// Messages and events of types that this version does not know.
    unknown_types = "unknownTypes",
    /// Envelope members that this version does not know.
    unknown_members = "unknownMembers",
    /// Events of campaigns that nobody subscribed to.
    unsubscribed = "unsubscribed",
    /// Events of logs that were replaced.
    retired_epoch = "retiredEpoch",
    /// Events of logs that we do not follow.
    foreign_epoch = "foreignEpoch",
    /// Contradictions between histories.
    divergences = "divergences",
    /// Recoveries completed.
    recoveries = "recoveries",
    /// Snapshots swapped in.
    snapshots = "snapshots",
    /// Requests sent again because no progress was made.
    retries = "retries",
    /// Counts or digests that agreed.
    consistency_checks_passed = "consistencyChecksPassed",
    /// Counts or digests that did not.
    consistency_checks_failed = "consistencyChecksFailed",
    /// Bucket repairs completed.
    repairs = "repairs",
    /// Connections opened.
    connects = "connects",
    /// Connections lost.
    disconnects = "disconnects",
}

/// Counters by error code, only those that are not zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByCode(Vec<(Code, u64)>);

impl ByCode {
    /// Counts one.
    pub fn count(&mut self, code: Code) {
        match self.0.iter_mut().find(|(known, _)| *known == code) {
            Some((_, count)) => *count += 1,
            None => self.0.push((code, 1)),
        }
    }

    /// How many there were.
    pub fn of(&self, code: Code) -> u64 {
        self.0.iter().find(|(known, _)| *known == code).map_or(0, |(_, count)| *count)
    }
}

impl ToValue for ByCode {
    fn to_value(&self) -> Value<'_> {
        let mut counts = Record::default();
        for (code, count) in &self.0 {
            counts.count(code.as_str(), *count);
        }
        counts.into()
    }
}

/// Counters by recovery reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByReason([u64; Reason::ALL.len()]);

impl ByReason {
    /// Counts one.
    pub const fn count(&mut self, reason: Reason) {
        self.0[reason as usize] += 1;
    }

    /// How many there were.
    pub const fn of(&self, reason: Reason) -> u64 {
        self.0[reason as usize]
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl ToValue for ByReason {
    fn to_value(&self) -> Value<'_> {
        let mut counts = Record::default();
        for reason in Reason::ALL {
            counts.count(reason.as_str(), self.of(reason));
        }
        counts.into()
    }
}

/// A histogram of milliseconds with buckets that double.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    count: u64,
    sum: u64,
    max: u64,
    buckets: DoublingBuckets,
}

/// Counts of values up to 1, 2, 4, … 2^19 ms, and above.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct DoublingBuckets([u64; 21]);

impl ToValue for Histogram {
    /// The buckets as `[upper bound, count]` pairs, empty ones left out.
    fn to_value(&self) -> Value<'_> {
        let mut buckets = Vec::new();
        for (power, &count) in self.buckets.0.iter().enumerate() {
            if count > 0 {
                let bound = Value::Integer(1 << power);
                buckets.push(Value::List(vec![bound, Value::Integer(count as i64)]));
            }
        }
        let mut histogram = Record::default();
        histogram.count("count", self.count);
        histogram.count("sum", self.sum);
        histogram.count("max", self.max);
        histogram.add("buckets", Value::List(buckets));
        histogram.into()
    }
}

impl ToValue for Metrics {
    fn to_value(&self) -> Value<'_> {
        let mut metrics = Record::default();
        for (name, count) in NAMES.iter().zip(self.counters()) {
            metrics.count(name, count);
        }
        metrics.add("refused", self.refused.to_value());
        metrics.add("recoveryRequests", self.recovery_requests.to_value());
        metrics.add("recoveryMs", self.recovery_ms.to_value());
        metrics.add("rttMs", self.rtt_ms.to_value());
        metrics.add("eventAgeMs", self.event_age_ms.to_value());
        metrics.into()
    }
}

serialize_as_value!(Metrics);

impl Histogram {
    /// Records one value.
    pub fn record(&mut self, ms: u64) {
        self.count += 1;
        self.sum += ms;
        self.max = self.max.max(ms);
        let power = (u64::BITS - ms.saturating_sub(1).leading_zeros()) as usize;
        self.buckets.0[power.min(20)] += 1;
    }

    /// How many values there were.
    pub const fn count(&self) -> u64 {
        self.count
    }
}
