//! Metrics: the counters, and their form for the application.

use campaign_sync::protocol::Code;
use campaign_sync::protocol::client::Reason;
use campaign_sync::sync::metrics::{ByCode, ByReason, Histogram, Metrics};
use serde_json::{Value, json};

use crate::wire::Log;
use crate::world::World;
use crate::writing::plain;

fn to_json(metrics: &Metrics) -> Value {
    plain(metrics)
}

// R14.5
#[test]
fn refusals_are_counted_by_code_without_zero_entries() {
    let mut refused = ByCode::default();
    for code in [Code::InvalidJson, Code::Forbidden, Code::InvalidJson] {
        refused.count(code);
    }
    let of = [Code::InvalidJson, Code::Forbidden, Code::TooMany].map(|code| refused.of(code));
    assert_eq!(of, [2, 1, 0]);
    let metrics = Metrics { refused, ..Metrics::default() };
    assert_eq!(to_json(&metrics)["refused"], json!({"invalid_json": 2, "forbidden": 1}));
}

#[test]
fn recovery_requests_are_counted_by_every_reason() {
    let mut requests = ByReason::default();
    for (times, &reason) in Reason::ALL.iter().enumerate() {
        (0..times).for_each(|_| requests.count(reason));
    }
    let metrics = Metrics { recovery_requests: requests, ..Metrics::default() };
    for (times, &reason) in Reason::ALL.iter().enumerate() {
        assert_eq!(metrics.recovery_requests.of(reason), times as u64);
        assert_eq!(to_json(&metrics)["recoveryRequests"][reason.as_str()], times);
    }
}

#[test]
fn histogram_shows_only_non_empty_doubling_buckets() {
    let mut rtt_ms = Histogram::default();
    for ms in [0, 1, 2, 3, 4, 5, 100, 1 << 19, (1 << 19) + 1, 1 << 40] {
        rtt_ms.record(ms);
    }
    assert_eq!(rtt_ms.count(), 10);
    let sum = 115 + 2 * (1_u64 << 19) + 1 + (1 << 40);
    // The last bucket also counts all larger values.
    let buckets = json!([[1, 2], [2, 1], [4, 2], [8, 1], [128, 1], [1 << 19, 1], [1 << 20, 2]]);
    assert_eq!(
        to_json(&Metrics { rtt_ms, ..Metrics::default() })["rttMs"],
        json!({"count": 10, "sum": sum, "max": 1_u64 << 40, "buckets": buckets})
    );
}

#[test]
fn frames_are_counted_with_their_bytes_and_documents() {
    let mut log = Log::with_rows(1);
    let mut world = World::following(&log);
    (1..4).for_each(|offset| drop(log.generate(offset)));
    let counted = |world: &World| {
        let metrics = world.metrics();
        [metrics.frames_received, metrics.bytes_received, metrics.documents]
    };
    let [frames, bytes, documents] = counted(&world);
    let (two, one) = (log.frame(3, 4), log.frame(5, 5));
    assert_eq!([world.frame(&two).applied, world.frame(&one).applied], [2, 1]);
    let more = (two.len() + one.len()) as u64;
    assert_eq!(counted(&world), [frames + 2, bytes + more, documents + 3]);
}

#[test]
fn connections_are_counted_as_they_open_and_as_they_are_lost() {
    let mut world = World::following(&Log::with_rows(1));
    for round in 1..4 {
        let metrics = world.metrics();
        assert_eq!((metrics.connects, metrics.disconnects), (round, round - 1));
        world.reconnect();
    }
}

#[test]
fn event_age_runs_from_its_timestamp_to_its_application() {
    let mut log = Log::with_rows(1);
    let mut world = World::following(&log);
    world.pass(250);
    world.receive(&log.generate(1).document());
    assert_eq!(
        to_json(world.metrics())["eventAgeMs"],
        json!({"count": 3, "sum": 250, "max": 250, "buckets": [[1, 2], [256, 1]]})
    );
}

#[test]
fn every_counter_is_serialised_under_its_name() {
    let metrics = Metrics {
        frames_received: 1,
        bytes_received: 2,
        documents: 3,
        applied: 4,
        duplicates: 5,
        redelivered: 6,
        out_of_order: 7,
        corrupt: 8,
        gaps: 9,
        held: 10,
        held_overflows: 11,
        unknown_types: 12,
        unknown_members: 13,
        unsubscribed: 14,
        retired_epoch: 15,
        foreign_epoch: 16,
        divergences: 17,
        recoveries: 18,
        snapshots: 19,
        retries: 20,
        consistency_checks_passed: 21,
        consistency_checks_failed: 22,
        repairs: 23,
        connects: 24,
        disconnects: 25,
        catalogue_snapshots: 26,
        catalogue_changes: 27,
        ..Metrics::default()
    };
    let mut written = to_json(&metrics);
    let members = written.as_object_mut().expect("an object");
    for other in ["refused", "recoveryRequests", "recoveryMs", "rttMs", "eventAgeMs"] {
        assert!(members.remove(other).is_some(), "{other}");
    }
    assert_eq!(
        written,
        json!({"framesReceived": 1, "bytesReceived": 2, "documents": 3, "applied": 4,
            "duplicates": 5, "redelivered": 6, "outOfOrder": 7, "corrupt": 8, "gaps": 9,
            "held": 10, "heldOverflows": 11, "unknownTypes": 12, "unknownMembers": 13,
            "unsubscribed": 14, "retiredEpoch": 15, "foreignEpoch": 16, "divergences": 17,
            "recoveries": 18, "snapshots": 19, "retries": 20, "consistencyChecksPassed": 21,
            "consistencyChecksFailed": 22, "repairs": 23, "connects": 24, "disconnects": 25, "catalogueSnapshots": 26, "catalogueChanges": 27})
    );
}
