//! Snapshots: staged part by part outside the store, verified, then swapped in whole.

use campaign_sync::protocol::Code;
use campaign_sync::sync::{Config, Input, Verdict};
use serde_json::{Value, json};

use crate::wire::{EPOCH, Log, OTHER_EPOCH, Row, Snapshot, message, rows};
use crate::world::{World, id};

/// A world that requests its first state. The server announces a snapshot of `count` rows, `per_part` in each
/// part.
fn announced(at: u64, count: u64, per_part: usize) -> (World, Snapshot) {
    let mut world = World::connected(Config::default());
    let mut snapshot = Snapshot::new(EPOCH, at, &world.request_id(), rows(count));
    snapshot.per_part = per_part;
    world.answer("snapshot", EPOCH, at + 1, at);
    (world, snapshot)
}

/// A world that follows `log` and waits for a snapshot of `rows` at number `at` in the same log.
fn resynchronising(log: &Log, at: u64, rows: Vec<Row>) -> (World, Snapshot) {
    let mut world = World::following(log);
    world.reconnect();
    let snapshot = Snapshot::new(EPOCH, at, &world.request_id(), rows);
    world.answer("snapshot", EPOCH, at + 1, at);
    (world, snapshot)
}

fn names(world: &mut World) -> Vec<Value> {
    world.rows().iter().map(|row| row["domainId"].clone()).collect()
}

// R9.5
#[test]
fn snapshot_is_shown_whole_after_its_last_part() {
    let (mut world, snapshot) = announced(50, 25, 10);
    let parts = snapshot.parts();
    assert_eq!(parts.len(), 3);
    for part in &parts[..2] {
        assert_eq!(world.receive(part), Verdict::Control);
        assert_eq!((world.rows().len(), &world.view()["campaign"]), (0, &Value::Null));
        assert_eq!(world.status(), "loading");
    }
    assert_eq!(world.receive(&parts[2]), Verdict::Control);
    assert_eq!((world.position(), world.rows().len()), (50, 25));
    assert_eq!(world.view()["position"]["eventId"], "epoch-a-event-50");
    assert_eq!(world.notice("recovered")["outcome"], "snapshot");
    world.pong(50);
    assert_eq!(world.status(), "live");
}

#[test]
fn view_shows_how_much_of_a_snapshot_has_arrived() {
    let (mut world, snapshot) = announced(50, 25, 10);
    assert_eq!(world.view()["loading"], Value::Null);
    let parts = snapshot.parts();
    for (part, (received, rows)) in parts.iter().zip([(1, 10), (2, 20)]) {
        world.machine.take_changes();
        world.receive(part);
        let loading = json!({"received": received, "total": 3, "rows": rows});
        assert_eq!(world.view()["loading"], loading);
        assert_eq!(world.machine.take_changes().len(), 1, "listeners are called");
    }
    world.receive(&parts[2]);
    assert_eq!(world.view()["loading"], Value::Null);

    let (mut world, snapshot) = announced(50, 25, 10);
    world.receive(&snapshot.parts()[0]);
    world.reconnect();
    world.machine.take_changes();
    world.answer("snapshot", EPOCH, 61, 60);
    assert_eq!(world.view()["loading"], Value::Null, "another snapshot begins");
    assert_eq!(world.machine.take_changes().len(), 1);
}

#[test]
fn progress_is_hidden_while_the_client_seeks_no_socket() {
    type Stop = fn(&mut World);
    let stops: [(Stop, &str); 2] = [
        (|world| world.close(4401), "failed(unauthorized)"),
        (|world| world.input(Input::Pause), "idle"),
    ];
    for (stop, status) in stops {
        let (mut world, snapshot) = announced(50, 25, 10);
        world.receive(&snapshot.parts()[0]);
        stop(&mut world);
        assert_eq!((&*world.status(), &world.view()["loading"]), (status, &Value::Null));
    }

    let (mut world, snapshot) = announced(50, 25, 10);
    world.receive(&snapshot.parts()[0]);
    world.close(1006);
    assert_eq!(world.status(), "connecting");
    assert_eq!(world.view()["loading"]["received"], 1, "the next socket brings the rest");
}

// R9.7
#[test]
fn a_repeated_part_changes_nothing() {
    let (mut world, snapshot) = announced(50, 25, 10);
    let parts = snapshot.parts();
    for part in &parts[..2] {
        assert_eq!(world.receive(part), Verdict::Control);
        assert_eq!(world.receive(part), Verdict::Duplicate);
        assert_eq!(world.receive(&parts[0]), Verdict::Duplicate);
    }
    world.receive(&parts[2]);
    assert_eq!(world.rows().len(), 25);
}

// R9.7
#[test]
fn missing_part_is_requested_from_where_the_download_stopped() {
    let (mut world, snapshot) = announced(50, 25, 10);
    let parts = snapshot.parts();
    world.receive(&parts[0]);
    assert_eq!(world.receive(&parts[2]), Verdict::Control);
    assert_eq!(world.request()["resume"], json!({"epoch": EPOCH, "at": 50, "afterPart": 1}));
    assert_eq!(world.rows().len(), 0);
}

// R9.12
#[test]
fn interrupted_download_resumes_where_it_stopped() {
    let (mut world, mut snapshot) = announced(50, 25, 10);
    world.receive(&snapshot.parts()[0]);
    world.receive(&snapshot.parts()[1]);
    world.reconnect();
    assert_eq!(world.request()["resume"], json!({"epoch": EPOCH, "at": 50, "afterPart": 2}));
    world.answer("snapshot", EPOCH, 51, 50);
    snapshot.request_id = world.request_id();
    assert_eq!(world.receive(&snapshot.parts()[2]), Verdict::Control);
    assert_eq!((world.position(), world.rows().len()), (50, 25));
}

#[test]
fn download_restarts_if_the_server_dropped_the_snapshot() {
    let (mut world, snapshot) = announced(50, 25, 10);
    world.receive(&snapshot.parts()[0]);
    world.receive(&snapshot.parts()[1]);
    world.reconnect();
    world.answer_snapshot(EPOCH, 53, rows(27));
    assert_eq!((world.position(), world.rows().len()), (53, 27));
}

/// A download in parts of ten rows stops after the first part. The server announces the same state again, in
/// parts of `per_part` rows.
fn announced_again_in_parts_of(per_part: usize) -> (World, Snapshot) {
    let (mut world, mut snapshot) = announced(50, 25, 10);
    world.receive(&snapshot.parts()[0]);
    world.reconnect();
    world.answer("snapshot", EPOCH, 51, 50);
    snapshot.request_id = world.request_id();
    snapshot.per_part = per_part;
    (world, snapshot)
}

// R9.12
#[test]
fn download_restarts_if_the_parts_are_cut_differently() {
    let (mut world, snapshot) = announced_again_in_parts_of(5);
    for part in snapshot.parts() {
        assert_eq!(world.receive(&part), Verdict::Control);
    }
    assert_eq!((world.position(), world.rows().len()), (50, 25));
}

// R9.12
#[test]
fn missing_first_part_of_another_cut_restarts_the_download() {
    let (mut world, snapshot) = announced_again_in_parts_of(5);
    // The parts that have arrived do not fit a download that is cut differently.
    assert_eq!(world.receive(&snapshot.parts()[1]), Verdict::Control);
    assert_eq!(world.request().get("resume"), None);
    world.answer_snapshot(EPOCH, 50, rows(25));
    assert_eq!((world.position(), world.rows().len()), (50, 25));
}

#[test]
fn missing_first_part_of_a_later_state_restarts_the_download() {
    let (mut world, mut snapshot) = announced(50, 25, 10);
    world.receive(&snapshot.parts()[0]);
    world.reconnect();
    world.answer("snapshot", EPOCH, 54, 53);
    snapshot.request_id = world.request_id();
    snapshot.at = 53;
    assert_eq!(world.receive(&snapshot.parts()[1]), Verdict::Control);
    assert_eq!(world.request().get("resume"), None);
}

#[test]
fn later_state_that_never_arrives_is_requested_without_resume() {
    let (mut world, snapshot) = announced(50, 25, 10);
    world.receive(&snapshot.parts()[0]);
    world.reconnect();
    world.answer("snapshot", EPOCH, 54, 53);
    let requests = world.requests();
    while world.requests() == requests {
        world.receive("anything keeps the link alive");
        world.advance(1_000);
    }
    assert_eq!(world.request().get("resume"), None);
}

// R8.12
#[test]
fn parts_of_another_request_epoch_or_number_are_ignored() {
    let (mut world, snapshot) = announced(50, 5, 10);
    for (member, other) in [
        ("requestId", json!("another")),
        ("epoch", json!("epoch-z")),
        ("sequenceNumber", json!(49)),
    ] {
        let mut part = snapshot.parts_as_json().remove(0);
        part[member] = other;
        assert_eq!(world.receive(&message("campaign.snapshot", &part)), Verdict::Ignored);
        assert_eq!((world.position(), world.requests()), (0, 1), "{member}");
    }
    world.receive(&snapshot.parts()[0]);
    assert_eq!((world.position(), world.rows().len()), (50, 5));
}

// R9.5
#[test]
fn inconsistent_snapshot_is_refused_and_requested_again() {
    for spoil in ["domainsDigest", "domainsCount", "campaign"] {
        let (mut world, snapshot) = resynchronising(&Log::with_rows(3), 9, rows(5));
        let mut part = snapshot.parts_as_json().remove(0);
        part[spoil] = match spoil {
            "domainsDigest" => "0123456789abcdef".into(),
            "domainsCount" => 6.into(),
            _ => Value::Null,
        };
        let before = (world.view(), world.rows());
        world.receive(&message("campaign.snapshot", &part));
        assert_eq!(world.metrics().refused.of(Code::InvalidSnapshot), 1, "{spoil}");
        assert_eq!((world.position(), world.rows()), (4, before.1));
        world.advance_until(|world| world.requests() == 2);
        world.answer_snapshot(EPOCH, 9, rows(5));
        assert_eq!((world.position(), world.rows().len()), (9, 5));
    }
}

// R9.5
#[test]
fn parts_that_contradict_each_other_are_refused() {
    for (member, value) in [("domainsCount", json!(24)), ("domainsDigest", json!("0".repeat(16)))] {
        let (mut world, snapshot) = announced(50, 25, 10);
        let mut parts = snapshot.parts_as_json();
        parts[1][member] = value;
        world.receive(&message("campaign.snapshot", &parts[0]));
        let verdict = world.receive(&message("campaign.snapshot", &parts[1]));
        assert_eq!(verdict, Verdict::Refused(Code::InvalidSnapshot));
    }
}

#[test]
fn a_row_twice_in_one_snapshot_is_refused() {
    let (mut world, mut snapshot) = announced(50, 25, 10);
    snapshot.rows[12] = snapshot.rows[3].clone();
    let parts = snapshot.parts();
    world.receive(&parts[0]);
    assert_eq!(world.receive(&parts[1]), Verdict::Refused(Code::InvalidSnapshot));
}

// R8.12
#[test]
fn unrequested_part_is_ignored() {
    let mut world = World::following(&Log::with_rows(3));
    let stray = Snapshot::new(EPOCH, 90, "stray", rows(1));
    assert_eq!(world.receive(&stray.parts()[0]), Verdict::Ignored);
    assert_eq!((world.position(), world.rows().len()), (4, 3));
}

// R13.7
#[test]
fn event_after_a_snapshot_of_another_log_waits_for_it() {
    let mut world = World::following(&Log::with_rows(3));
    world.reconnect();
    let mut snapshot = Snapshot::new(OTHER_EPOCH, 2, &world.request_id(), rows(2));
    snapshot.per_part = 1;
    world.answer("snapshot", OTHER_EPOCH, 3, 2);
    let mut log = Log::new(OTHER_EPOCH);
    log.generate(0);
    log.generate(1);
    log.generate(2);
    world.receive(&snapshot.parts()[0]);
    assert_eq!(world.receive(&log.document(3)), Verdict::Held);
    world.receive(&snapshot.parts()[1]);
    assert_eq!((world.position(), world.rows().len()), (3, 3));
}

// R8.16
#[test]
fn events_between_snapshot_and_held_events_are_requested() {
    let mut log = Log::with_rows(9);
    let (mut world, snapshot) = resynchronising(&Log::with_rows(3), 8, rows(7));
    log.generate(9);
    assert_eq!(world.receive(&log.document(10)), Verdict::Held);
    // The event is beyond the snapshot and arrives before its last part: a part is lost, so the client has
    // sent another request.
    let mut snapshot = snapshot;
    snapshot.request_id = world.request_id();
    world.answer("snapshot", EPOCH, 9, 8);
    world.receive(&snapshot.parts()[0]);
    assert_eq!((world.position(), &world.request()["lastSequenceNumber"]), (8, &8.into()));
    assert_eq!(world.request()["reason"], "gap");
    world.replay(&log, 9, 11);
    assert_eq!((world.position(), world.rows().len()), (11, 10));
}

// R9.13
#[test]
fn few_missing_rows_are_removed_by_a_snapshot() {
    let (mut world, snapshot) = resynchronising(&Log::with_rows(120), 130, rows(20));
    world.receive(&snapshot.parts()[0]);
    assert_eq!((world.rows().len(), &world.view()["unconfirmedCount"]), (20, &0.into()));
}

/// A world with 130 rows, of which a snapshot confirms 20. The other rows are too many to remove at once.
fn with_unconfirmed() -> World {
    let (mut world, snapshot) = resynchronising(&Log::with_rows(130), 140, rows(20));
    world.receive(&snapshot.parts()[0]);
    world.pong(140);
    world
}

// R9.13
#[test]
fn many_missing_rows_are_kept_outside_counts_and_digests() {
    let mut world = with_unconfirmed();
    assert_eq!(world.notice("unconfirmed")["rows"], 110);
    let view = world.view();
    assert_eq!((&view["domainsCount"], &view["unconfirmedCount"]), (&20.into(), &110.into()));
    assert_eq!(view["domainsDigest"], crate::wire::digest(&rows(20)));
    assert_eq!((&view["totalDomainCount"], &*world.status()), (&20.into(), "live"));
    let shown = world.rows();
    assert_eq!(shown.len(), 130, "no row disappears unless the server said so");
    assert!(shown[..20].iter().all(|row| row["unconfirmed"] == false));
    assert!(shown[20..].iter().all(|row| row["unconfirmed"] == true));
}

// R9.13
#[test]
fn event_resolves_the_unconfirmed_row_that_it_names() {
    let mut world = with_unconfirmed();
    let mut log = Log::with_rows(139);
    assert_eq!(log.head(), 140);
    let row = json!([{"domainId": "d-40", "domain": "name40.example", "dnsStatus": "ok"}]);
    let mut event = log.update(row);
    event.previous = Some("epoch-a-event-140".to_owned());
    assert_eq!(world.receive(&event.document()), Verdict::Applied);
    let removed = log.push("domains.removed", &json!({"domainIds": ["d-41", "d-42"]}));
    assert_eq!(world.receive(&removed.document()), Verdict::Applied);
    let view = world.view();
    assert_eq!((&view["domainsCount"], &view["unconfirmedCount"]), (&21.into(), &107.into()));
    let confirmed = world.rows().into_iter().find(|row| row["domainId"] == "d-40");
    assert_eq!(confirmed.map(|row| row["unconfirmed"].clone()), Some(false.into()));
    assert!(!names(&mut world).contains(&"d-41".into()));
}

// R9.13
#[test]
fn a_later_snapshot_that_has_the_rows_confirms_them() {
    let mut world = with_unconfirmed();
    world.reconnect();
    world.answer_snapshot(EPOCH, 141, rows(130));
    let view = world.view();
    assert_eq!((&view["domainsCount"], &view["unconfirmedCount"]), (&130.into(), &0.into()));
}

// R9.13
#[test]
fn the_application_may_discard_unconfirmed_rows() {
    let mut world = with_unconfirmed();
    world.machine.take_changes();
    world.input(Input::DiscardUnconfirmed(id(crate::wire::CAMPAIGN)));
    assert_eq!((world.rows().len(), &world.view()["unconfirmedCount"]), (20, &0.into()));
    let changes = world.machine.take_changes();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].campaign_id, id(crate::wire::CAMPAIGN));
    world.input(Input::DiscardUnconfirmed(id(crate::wire::CAMPAIGN)));
    assert_eq!(world.machine.take_changes(), [], "there was nothing left to discard");
}

#[test]
fn rows_shown_after_a_snapshot_are_those_of_the_snapshot() {
    // The snapshot has as many rows, changed as often, but different ones. An order that was cached for the
    // old rows must not show.
    let log = Log::with_rows(3);
    let (mut world, snapshot) =
        resynchronising(&log, 9, (0..3).rev().map(|offset| Row::generated(offset + 1)).collect());
    assert_eq!(names(&mut world), ["d-0", "d-1", "d-2"]);
    world.receive(&snapshot.parts()[0]);
    assert_eq!(names(&mut world), ["d-1", "d-2", "d-3"]);
}
