//! A snapshot is built once for all clients that request the same one.

use std::sync::Arc;

use campaign_sync_harness::hub::Hub;
use campaign_sync_harness::log::LogError;
use campaign_sync_harness::snapshots::{SnapshotPurpose, Snapshots};
use campaign_sync_support::MemoryLog;
use serde_json::json;

use super::delivery::wait_for_metric;
use super::log::{created, id, row};
use super::support::{Client, Server};

#[test]
fn unused_snapshots_expire() {
    let hub = Hub::new(Arc::new(MemoryLog::new("epoch-1")));
    hub.append(&id(), 0, &[created(), row(1)]).unwrap();
    let snapshots = Snapshots::default();
    let taken = Arc::downgrade(
        &snapshots.take(&hub, &id(), SnapshotPurpose::Stream, (0, 0), None).unwrap(),
    );
    snapshots.expire(59_999);
    assert!(taken.upgrade().is_some());
    snapshots.expire(60_000);
    assert!(taken.upgrade().is_none());
}

#[test]
fn polling_never_evicts_the_snapshot_of_a_download() {
    let hub = Hub::new(Arc::new(MemoryLog::new("epoch-1")));
    hub.append(&id(), 0, &[created(), row(1)]).unwrap();
    let snapshots = Snapshots::default();
    let streamed = snapshots.take(&hub, &id(), SnapshotPurpose::Stream, (2, 0), None).unwrap();
    let polled = snapshots.take(&hub, &id(), SnapshotPurpose::Rest, (2, 0), None).unwrap();
    assert!(Arc::ptr_eq(&polled, &streamed), "it is as new as can be");
    let mut former = Arc::downgrade(&polled);
    for number in 2..12 {
        hub.append(&id(), number, &[row(number)]).unwrap();
        let polled =
            snapshots.take(&hub, &id(), SnapshotPurpose::Rest, (number + 1, number), None).unwrap();
        assert_eq!(polled.head.number, number + 1);
        snapshots
            .take(&hub, &id(), SnapshotPurpose::Repair(&[1]), (number + 1, number), None)
            .unwrap();
        if number > 2 {
            assert!(former.upgrade().is_none(), "of those who poll one is held");
        }
        former = Arc::downgrade(&polled);
    }
    let resumed = snapshots.held(&id(), 2, 59_999).unwrap();
    assert!(Arc::ptr_eq(&resumed, &streamed));
}

#[test]
fn concurrent_requests_build_one_snapshot() {
    let hub = Hub::new(Arc::new(MemoryLog::new("epoch-1")));
    let drafts: Vec<_> = std::iter::once(created()).chain((0..5_000).map(row)).collect();
    hub.append(&id(), 0, &drafts).unwrap();
    let snapshots = Snapshots::default();
    let taken: Vec<_> = std::thread::scope(|scope| {
        let takers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        // While another thread builds it, it is not waited for.
                        match snapshots.take(&hub, &id(), SnapshotPurpose::Stream, (0, 0), None) {
                            Err(LogError::Busy) => std::thread::yield_now(),
                            taken => return taken.unwrap(),
                        }
                    }
                })
            })
            .collect();
        takers.into_iter().map(|taker| taker.join().unwrap()).collect()
    });
    assert!(taken.iter().all(|it| Arc::ptr_eq(it, &taken[0])));
    assert_eq!(hub.metrics.snapshots_built.get(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_and_bucket_snapshots_are_shared_and_up_to_date() {
    let server = Arc::new(
        Server::with(|options| options.metrics = Some("127.0.0.1:0".parse().unwrap())).await,
    );
    let head = server.generated("c1", 3_000).await;
    let fetching: Vec<_> = (0..8)
        .map(|_| {
            let server = server.clone();
            tokio::spawn(async move { server.get("/campaigns/c1/snapshot").await.body })
        })
        .collect();
    for fetched in fetching {
        let body = fetched.await.unwrap();
        assert_eq!((&body["sequenceNumber"], &body["domainsCount"]), (&json!(head), &json!(3_000)));
        assert_eq!(body["domains"].as_array().unwrap().len(), 3_000);
    }
    wait_for_metric(&server, "campaign_sync_snapshots_built_total 1\n").await;
    let every: Vec<u8> = (0..=255).rev().collect();
    for name in ["a", "b", "c"] {
        let mut client = Client::subscribed(&server.address, "c1").await;
        client.recover(json!({"campaignId": "c1", "lastSequenceNumber": head})).await;
        client.control("event_recovery").await;
        client
            .say(json!({"type": "request_campaign_snapshot", "payload":
            {"campaignId": "c1", "requestId": name, "buckets": every}}))
            .await;
        let mut rows = 0;
        loop {
            let part = client.control("campaign.snapshot").await;
            assert_eq!(part["requestId"], name);
            rows += part["domains"].as_array().unwrap().len();
            if part["part"] == part["parts"] {
                break;
            }
        }
        assert_eq!(rows, 3_000);
    }
    wait_for_metric(&server, "campaign_sync_snapshots_built_total 2\n").await;
    assert_eq!(server.act("c1", "configure-dns").await.status, 200);
    let after = server.get("/campaigns/c1/snapshot").await;
    assert_eq!(after.body["campaign"]["currentPhase"], "dns_validation");
    assert!(after.position.unwrap().ends_with(&format!("/{}", head + 1)));
}
