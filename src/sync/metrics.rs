//! Counters and histograms. They are plain numbers that are copied on request.

use crate::protocol::Code;
use crate::protocol::client::Reason;
use crate::protocol::names::Names;
use crate::protocol::write::{JsonWriter, ToJson};

macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $field:ident = $name:literal,)+) => {
        /// The counters and histograms of one machine.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Metrics {
            $($(#[doc = $doc])+ pub $field: u64,)+
            /// Documents and frames refused, by code.
            pub refused: ByCode,
            /// Recovery requests sent, by reason.
            pub recovery_requests: ByReason,
            /// Milliseconds from the detection of missing data to the end of the recovery.
            pub recovery_ms: Histogram,
            /// Milliseconds from a ping to its pong.
            pub rtt_ms: Histogram,
            /// Milliseconds from an event's timestamp to its application. Accurate only as far as both
            /// clocks agree.
            pub event_age_ms: Histogram,
        }

        const COUNTERS: usize = [$($name),+].len();

        /// The public names of the plain counters.
        const NAMES: Names = Names(concat!($($name, "\n"),+));

        impl Metrics {
            /// The plain counters, in the order of their names.
            const fn counters(&self) -> [u64; COUNTERS] {
                [$(self.$field),+]
            }
        }
    };
}

// The only list of plain counters: field and public name.
metrics! {
    /// Frames received.
    frames_received = "framesReceived",
    /// Bytes received.
    bytes_received = "bytesReceived",
    /// Documents in the received frames.
    documents = "documents",
    /// Events applied.
    applied = "applied",
    /// Events dropped because they were applied before.
    duplicates = "duplicates",
    /// Events dropped because they were applied before and arrived again within a replay.
    redelivered = "redelivered",
    /// Events dropped because they are old and their hash is no longer remembered.
    out_of_order = "outOfOrder",
    /// Events that do not match their own hash.
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
    /// Events and messages of campaigns that have no subscription.
    unsubscribed = "unsubscribed",
    /// Events of superseded epochs.
    retired_epoch = "retiredEpoch",
    /// Events of epochs that the client does not follow.
    foreign_epoch = "foreignEpoch",
    /// Contradictions between histories.
    divergences = "divergences",
    /// Recoveries completed.
    recoveries = "recoveries",
    /// Snapshots installed.
    snapshots = "snapshots",
    /// Requests sent again because no progress was made.
    retries = "retries",
    /// Comparisons of counts or digests that agreed.
    consistency_checks_passed = "consistencyChecksPassed",
    /// Comparisons of counts or digests that did not agree.
    consistency_checks_failed = "consistencyChecksFailed",
    /// Bucket repairs completed.
    repairs = "repairs",
    /// Snapshots of the catalogue installed.
    catalogue_snapshots = "catalogueSnapshots",
    /// Changes of the catalogue applied.
    catalogue_changes = "catalogueChanges",
    /// Connections opened.
    connects = "connects",
    /// Connections lost.
    disconnects = "disconnects",
}

/// Counters by error code. Codes that never occurred are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByCode(Vec<(Code, u64)>);

impl ByCode {
    /// Increments the counter of `code`.
    pub fn count(&mut self, code: Code) {
        match self.0.iter_mut().find(|(known, _)| *known == code) {
            Some((_, count)) => *count += 1,
            None => self.0.push((code, 1)),
        }
    }

    /// The count of `code`.
    pub fn of(&self, code: Code) -> u64 {
        self.0.iter().find(|(known, _)| *known == code).map_or(0, |(_, count)| *count)
    }
}

impl ToJson for ByCode {
    fn show(&self, to: &mut JsonWriter) {
        for (code, count) in &self.0 {
            to.count(code.as_str(), *count);
        }
    }
}

/// Counters by recovery reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByReason([u64; Reason::ALL.len()]);

impl ByReason {
    /// Increments the counter of `reason`.
    pub const fn count(&mut self, reason: Reason) {
        self.0[reason as usize] += 1;
    }

    /// The count of `reason`.
    pub const fn of(&self, reason: Reason) -> u64 {
        self.0[reason as usize]
    }

    /// The sum over all reasons.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl ToJson for ByReason {
    fn show(&self, to: &mut JsonWriter) {
        for &reason in Reason::ALL {
            to.count(reason.as_str(), self.of(reason));
        }
    }
}

/// A histogram of milliseconds whose bucket bounds double.
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

impl ToJson for Histogram {
    /// Writes the buckets as `[upper bound, count]` pairs, without empty ones.
    fn show(&self, to: &mut JsonWriter) {
        to.count("count", self.count);
        to.count("sum", self.sum);
        to.count("max", self.max);
        to.member("buckets", "[");
        for (power, &count) in self.buckets.0.iter().enumerate() {
            if count > 0 {
                to.open("[");
                to.number(1 << power);
                to.number(count);
                to.close("]");
            }
        }
        to.close("]");
    }
}

impl ToJson for Metrics {
    fn show(&self, to: &mut JsonWriter) {
        for (index, count) in self.counters().into_iter().enumerate() {
            to.count(NAMES.name(index), count);
        }
        let parts: [(&str, &dyn ToJson); 5] = [
            ("refused", &self.refused),
            ("recoveryRequests", &self.recovery_requests),
            ("recoveryMs", &self.recovery_ms),
            ("rttMs", &self.rtt_ms),
            ("eventAgeMs", &self.event_age_ms),
        ];
        for (name, part) in parts {
            to.record(name, part);
        }
    }
}

impl Histogram {
    /// Records one value.
    pub fn record(&mut self, ms: u64) {
        self.count += 1;
        self.sum += ms;
        self.max = self.max.max(ms);
        let power = (u64::BITS - ms.saturating_sub(1).leading_zeros()) as usize;
        self.buckets.0[power.min(20)] += 1;
    }

    /// The number of recorded values.
    pub const fn count(&self) -> u64 {
        self.count
    }
}
