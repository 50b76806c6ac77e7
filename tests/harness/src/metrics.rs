//! The Prometheus metrics. No label holds a campaign or a user; the log has those.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry};

use crate::logging;

/// One label.
pub type Label = [(&'static str, &'static str); 1];

/// Two labels.
pub type Labels = [(&'static str, &'static str); 2];

/// All counters and measurements of a server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Open sockets.
    pub connections: Gauge,
    /// Campaigns followed, over all sockets.
    pub subscriptions: Gauge,
    /// Events committed.
    pub events_appended: Counter,
    /// Seconds from the start of an append until it is published.
    pub append_seconds: Histogram,
    /// Frames written to sockets.
    pub frames_sent: Counter,
    /// Bytes of these frames.
    pub bytes_sent: Counter,
    /// Recovery requests, by `reason` and `outcome`.
    pub recoveries: Family<Labels, Counter>,
    /// Gaps in the sequence that clients reported.
    pub sequence_gaps: Counter,
    /// Repeated attempts, by `what`: `send` or `read`.
    pub retries: Family<Label, Counter>,
    /// Integrity checks of transitions, by `result`.
    pub integrity_checks: Family<Label, Counter>,
    /// Requests that change campaigns, by `name` and `result`.
    pub transactions: Family<Labels, Counter>,
    /// Connections closed by the server, by `code`.
    pub closes: Family<[(&'static str, u32); 1], Counter>,
    /// Requests refused by a rate limit, by `what`.
    pub rate_limited: Family<Label, Counter>,
    /// Events that a socket was behind its log, measured whenever the lag is reported.
    pub lag_events: Histogram,
    /// Seconds from the commit of a campaign's newest event until a socket that had all earlier events has
    /// taken it. Injected delays are left out.
    pub delivery_seconds: Histogram,
    /// Bytes that wait for readers; shared ones count once.
    pub bytes_in_flight: Gauge,
    /// Snapshots built; shared ones count once.
    pub snapshots_built: Counter,
    /// Seals made: a key is good for 2^32 of them.
    pub seals: Counter,
    /// Seconds of a REST request.
    pub request_seconds: Histogram,
    /// REST answers, by class of `status`.
    pub requests: Family<Label, Counter>,
    /// Logins, by `result`.
    pub logins: Family<Label, Counter>,
    /// Queries to the cluster about unknown sessions.
    pub session_lookups: Counter,
    /// Lines of the log that were dropped because nothing read the earlier ones.
    pub log_lines_dropped: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("campaign_sync");
        let it = &mut registry;
        let seconds = || Histogram::new(exponential_buckets(0.000_25, 2.0, 16));
        let events = || Histogram::new(exponential_buckets(1.0, 4.0, 10));
        Self {
            connections: add(it, "connections", "Sockets open"),
            subscriptions: add(it, "subscriptions", "Campaigns followed"),
            events_appended: add(it, "events_appended", "Events committed"),
            append_seconds: put(it, "append_seconds", "Time of an append", seconds()),
            frames_sent: add(it, "frames_sent", "Frames written"),
            bytes_sent: add(it, "bytes_sent", "Bytes written"),
            recoveries: add(it, "recoveries", "Recovery requests"),
            sequence_gaps: add(it, "sequence_gaps", "Sequence gaps reported by clients"),
            retries: add(it, "retries", "Attempts repeated"),
            integrity_checks: add(it, "integrity_checks", "Integrity checks of transitions"),
            transactions: add(it, "transactions", "Requests to campaigns"),
            closes: add(it, "closes", "Connections closed by the server"),
            rate_limited: add(it, "rate_limited", "Requests refused by a rate limit"),
            lag_events: put(it, "lag_events", "Events a socket was behind", events()),
            delivery_seconds: put(it, "delivery_seconds", "From commit to socket", seconds()),
            snapshots_built: add(it, "snapshots_built", "Snapshots built"),
            bytes_in_flight: add(it, "bytes_in_flight", "Bytes that wait for readers"),
            seals: add(it, "seals", "Seals made, each with a nonce"),
            request_seconds: put(it, "request_seconds", "Time of a REST request", seconds()),
            requests: add(it, "requests", "REST answers"),
            logins: add(it, "logins", "Logins"),
            session_lookups: add(it, "session_lookups", "Session lookups in the cluster"),
            log_lines_dropped: add(it, "log_lines_dropped", "Lines of the log dropped"),
            registry,
        }
    }
}

fn add<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    put(registry, name, help, M::default())
}

fn put<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

impl Metrics {
    /// The metrics in the text format of Prometheus.
    pub fn render(&self) -> String {
        let dropped = logging::dropped_lines().saturating_sub(self.log_lines_dropped.get());
        self.log_lines_dropped.inc_by(dropped);
        let mut text = String::new();
        let _a_string_takes_all = encode(&mut text, &self.registry);
        text
    }

    /// Counts a recovery request with its outcome. The client chooses the reason, so unknown ones count as
    /// `other`.
    pub fn recovery(&self, reason: Option<&str>, outcome: &'static str) {
        let known = ["connect", "reconnect", "gap", "tail", "hash", "divergence", "rejected"];
        let reason = known.into_iter().find(|known| reason == Some(known)).unwrap_or("other");
        if reason == "gap" {
            self.sequence_gaps.inc();
        }
        self.recoveries.get_or_create(&[("reason", reason), ("outcome", outcome)]).inc();
    }
}
