//! Count rule: the client compares counts and digests at exactly their number, and repairs differences.

use campaign_sync::protocol::Code;
use campaign_sync::store::consistency::large_discrepancy;
use campaign_sync::sync::{Config, Verdict};
use serde_json::{Value, json};

use crate::wire::{CAMPAIGN, EPOCH, Log, Row, Snapshot, buckets, digest, message, rows};
use crate::world::{World, wire_head};

/// A head at `number` with the count and the digest of `rows`.
fn claim(number: u64, rows: &[Row]) -> Value {
    let mut head = wire_head(EPOCH, number, number);
    head["domainsCount"] = rows.len().into();
    head["domainsDigest"] = digest(rows).into();
    json!([head])
}

/// The server's answer to the digest request.
fn send_digest(world: &mut World, number: u64, rows: &[Row]) -> Verdict {
    let request = world.last_sent("request_campaign_digest").expect("digests were asked for");
    let data = json!({"campaignId": CAMPAIGN, "requestId": request["payload"]["requestId"],
        "epoch": EPOCH, "sequenceNumber": number, "buckets": buckets(rows)});
    world.receive(&message("campaign.digest", &data))
}

/// The server's answer to the bucket request: the rows of `rows` in the requested buckets.
fn send_buckets(world: &mut World, number: u64, rows: &[Row]) -> Vec<Verdict> {
    let request =
        &world.last_sent("request_campaign_snapshot").expect("buckets were asked for")["payload"];
    let needed: Vec<u64> = serde_json::from_value(request["buckets"].clone()).expect("numbers");
    let id = crate::world::text(&request["requestId"]);
    let inside = |row: &&Row| needed.contains(&(row.bucket() as u64));
    let mut snapshot =
        Snapshot::new(EPOCH, number, &id, rows.iter().filter(inside).cloned().collect());
    snapshot.whole = Some(rows.to_vec());
    snapshot.record["totalDomainCount"] = rows.len().into();
    snapshot.parts().iter().map(|part| world.receive(part)).collect()
}

// R12.18
#[test]
fn equal_counts_and_digests_pass() {
    let log = Log::with_rows(20);
    let mut world = World::following(&log);
    world.pong_with(claim(log.head(), &rows(20)));
    assert_eq!(world.metrics().consistency_checks_passed, 1);
    assert!(world.sent.is_empty());
}

// R11.3
#[test]
fn head_at_another_number_is_not_compared() {
    let mut log = Log::with_rows(20);
    let mut world = World::following(&log);
    // The head is behind the applied events. The pong answers no ping, so the head is not a contradiction.
    let pong = json!({"heads": claim(log.head() - 1, &rows(5))});
    world.receive(&message("pong", &pong));
    log.generate(20);
    world.pong_with(claim(log.head(), &rows(7)));
    let metrics = world.metrics();
    assert_eq!((metrics.consistency_checks_passed, metrics.consistency_checks_failed), (0, 0));
    assert_eq!(world.count_sent("request_campaign_digest"), 0);
}

// R11.4, R11.7, R12.18
#[test]
fn repair_loads_only_the_differing_buckets() {
    let log = Log::with_rows(40);
    let mut world = World::following(&log);
    let mut theirs = rows(40);
    theirs[7].dns = Some("ok");
    world.pong_with(claim(log.head(), &theirs));
    assert_eq!(world.status(), "recovering");
    assert_eq!(send_digest(&mut world, log.head(), &theirs), Verdict::Control);
    let request = &world.last_sent("request_campaign_snapshot").expect("asked")["payload"];
    assert_eq!(request["buckets"], json!([theirs[7].bucket()]));
    assert_eq!(send_buckets(&mut world, log.head(), &theirs), [Verdict::Control]);
    assert_eq!(world.view()["domainsDigest"], digest(&theirs));
    assert_eq!((world.rows()[7]["dnsStatus"].clone(), &*world.status()), ("ok".into(), "live"));
    assert_eq!((world.metrics().repairs, world.metrics().snapshots), (1, 0));
    let kinds = world.kinds();
    assert_eq!(kinds[..2], ["consistency", "statuschange"]);
    let tail = &kinds[kinds.len() - 4..];
    assert_eq!(tail, ["cacheinvalidated", "consistency", "repaired", "statuschange"]);
    assert_eq!(world.notice("consistency")["ok"], true);
}

// R11.13
#[test]
fn repair_restores_missing_rows_and_removes_surplus_ones() {
    let log = Log::with_rows(30);
    let mut world = World::following(&log);
    let theirs: Vec<Row> = (1..31).map(Row::generated).collect();
    world.pong_with(claim(log.head(), &theirs));
    send_digest(&mut world, log.head(), &theirs);
    send_buckets(&mut world, log.head(), &theirs);
    let ids: Vec<_> = world.rows().iter().map(|row| row["domainId"].clone()).collect();
    assert_eq!(ids, (1..31).map(|offset| format!("d-{offset}")).collect::<Vec<_>>());
    assert_eq!(world.view()["domainsDigest"], digest(&theirs));
}

// R11.13
#[test]
fn a_repair_sets_the_domain_count_as_well() {
    let log = Log::with_rows(30);
    let mut world = World::following(&log);
    world.pong_with(claim(log.head(), &rows(33)));
    send_digest(&mut world, log.head(), &rows(33));
    send_buckets(&mut world, log.head(), &rows(33));
    assert_eq!((&world.view()["totalDomainCount"], world.rows().len()), (&33.into(), 33));
}

// R11.4
#[test]
fn up_to_ten_rows_are_repaired_without_a_warning() {
    for (missing, warn) in [(10, false), (11, true)] {
        let log = Log::with_rows(40);
        let mut world = World::following(&log);
        world.pong_with(claim(log.head(), &rows(40 + missing)));
        let notice = world.notice("consistency");
        assert_eq!((&notice["difference"], &notice["warn"]), (&missing.into(), &warn.into()));
        assert_eq!((&notice["ok"], &notice["large"]), (&false.into(), &false.into()));
        assert_eq!(world.view()["error"], Value::Null);
        assert_eq!(world.count_sent("request_campaign_digest"), 1, "repaired in any case");
    }
}

// R11.6
#[test]
fn a_large_discrepancy_shows_the_error_and_keeps_the_data() {
    for (theirs, large) in [(140, false), (141, true)] {
        let log = Log::with_rows(40);
        let mut world = World::following(&log);
        world.pong_with(claim(log.head(), &rows(theirs)));
        assert_eq!(world.notice("consistency")["large"], large);
        let shown = if large { json!(Code::LargeDiscrepancy.as_str()) } else { Value::Null };
        assert_eq!(world.view()["error"]["code"], shown);
        assert_eq!(world.rows().len(), 40);
        send_digest(&mut world, log.head(), &rows(theirs));
        send_buckets(&mut world, log.head(), &rows(theirs));
        assert_eq!((&world.view()["error"], world.rows().len()), (&Value::Null, theirs as usize));
    }
}

/// Rows differ, and the buckets that arrive do not add up to the server's digest of the whole table.
fn repair_that_does_not_help(world: &mut World, log: &Log, theirs: &[Row]) {
    world.pong_with(claim(log.head(), theirs));
    send_digest(world, log.head(), theirs);
    let before = world.rows();
    let mut wrong = theirs[theirs.len() - 1].clone();
    wrong.name.push('x');
    let request = &world.last_sent("request_campaign_snapshot").expect("asked")["payload"];
    let id = crate::world::text(&request["requestId"]);
    let mut snapshot = Snapshot::new(EPOCH, log.head(), &id, vec![wrong]);
    snapshot.whole = Some(theirs.to_vec());
    world.receive(&snapshot.parts()[0]);
    assert_eq!((world.rows(), &*world.status()), (before, "recovering"));
    let request = world.request().clone();
    assert_eq!(request["prefer"], "snapshot", "a whole snapshot proves itself");
    assert_eq!(request["reason"], "divergence");
}

// R11.13, R11.14
#[test]
fn failed_repair_is_followed_by_a_whole_snapshot() {
    let log = Log::with_rows(20);
    let mut world = World::following(&log);
    let theirs = rows(21);
    repair_that_does_not_help(&mut world, &log, &theirs);
    world.answer_snapshot(EPOCH, log.head(), theirs.clone());
    world.pong_with(claim(log.head(), &theirs));
    assert_eq!((world.rows().len(), &*world.status()), (21, "live"));
}

// R11.15, R12.26
#[test]
fn failed_repair_is_not_repeated_at_the_same_position() {
    let mut log = Log::with_rows(20);
    let mut world = World::following(&log);
    let theirs = rows(21);
    repair_that_does_not_help(&mut world, &log, &theirs);
    // The server's snapshot contradicts its digest.
    world.answer_snapshot(EPOCH, log.head(), rows(20));
    let requests = world.requests();
    for _ in 0..3 {
        world.pong_with(claim(log.head(), &theirs));
        assert_eq!((world.rows().len(), &*world.status()), (20, "stale(diverged)"));
        world.advance(5_000);
    }
    assert_eq!(world.count_sent("request_campaign_digest"), 1, "no loop");
    assert_eq!(world.requests(), requests);
    // At another position the client tries the repair again.
    let next = log.push("system.notification", &json!({"level": "info", "message": "x"}));
    assert_eq!(world.receive(&next.document()), Verdict::Applied);
    world.pong_with(claim(log.head(), &theirs));
    assert_eq!(world.count_sent("request_campaign_digest"), 2);
    send_digest(&mut world, log.head(), &theirs);
    send_buckets(&mut world, log.head(), &theirs);
    assert_eq!((world.rows().len(), &*world.status()), (21, "live"));
}

// R11.3, R11.7
#[test]
fn a_digest_of_another_number_is_not_compared() {
    let mut log = Log::with_rows(20);
    let mut world = World::following(&log);
    world.pong_with(claim(log.head(), &rows(21)));
    log.generate(20);
    world.receive(&log.document(log.head()));
    assert_eq!(send_digest(&mut world, log.head() - 1, &rows(25)), Verdict::Control);
    assert_eq!(world.count_sent("request_campaign_snapshot"), 0);
    world.pong_with(claim(log.head(), &rows(21)));
    assert_eq!((world.rows().len(), &*world.status()), (21, "live"));
}

// R11.13
#[test]
fn buckets_of_another_number_are_not_applied() {
    let mut log = Log::with_rows(20);
    let mut world = World::following(&log);
    world.pong_with(claim(log.head(), &rows(22)));
    send_digest(&mut world, log.head(), &rows(22));
    let request_at = log.head();
    log.update(json!([{"domainId": "d-3", "dnsStatus": "ok"}]));
    world.receive(&log.document(log.head()));
    send_buckets(&mut world, request_at, &rows(22));
    assert_eq!((world.rows().len(), world.metrics().repairs), (20, 0));
}

// R11.17
#[test]
fn unanswered_digest_request_expires_and_is_repeated() {
    let log = Log::with_rows(20);
    let mut world = World::following(&log);
    for round in 1..4 {
        world.pong_with(claim(log.head(), &rows(21)));
        assert_eq!(world.count_sent("request_campaign_digest"), round);
        for _ in 0..3 {
            world.advance(4_000);
            world.pong(log.head());
        }
    }
}

// R11.17
#[test]
fn refused_digest_request_is_repeated_at_the_next_mismatch() {
    let log = Log::with_rows(20);
    let mut world = World::following(&log);
    let refuse = |world: &mut World, request_id: &Value| {
        let data = json!({"campaignId": CAMPAIGN, "requestId": request_id,
            "code": Code::TooMany.as_str(), "message": "later"});
        world.receive(&message("error", &data));
        world.pong_with(claim(log.head(), &rows(21)));
        world.count_sent("request_campaign_digest")
    };
    world.pong_with(claim(log.head(), &rows(21)));
    let request = world.last_sent("request_campaign_digest").expect("asked");
    let request_id = request["payload"]["requestId"].clone();
    assert_eq!(refuse(&mut world, &"another".into()), 1, "that was not ours");
    assert_eq!(refuse(&mut world, &request_id), 2);
}

// R11.4
#[test]
fn differing_checkpoint_starts_a_repair() {
    let mut log = Log::with_rows(20);
    let mut world = World::following(&log);
    let data = crate::wire::transition("domain_generation", "dns_validation", "ready", &rows(22));
    world.receive(&log.push("campaign.phase.transition", &data).document());
    assert_eq!(world.metrics().consistency_checks_failed, 1);
    assert_eq!(world.count_sent("request_campaign_digest"), 1);
    assert_eq!(world.view()["campaign"]["currentPhase"], "dns_validation", "the event stands");
}

// R11.16
#[test]
fn repair_keeps_more_than_100_missing_rows_as_unconfirmed() {
    for (missing, keep_unconfirmed) in [(100, 0), (101, 101)] {
        let log = Log::with_rows(130);
        let mut world = World::following(&log);
        let theirs = rows(130 - missing);
        world.pong_with(claim(log.head(), &theirs));
        send_digest(&mut world, log.head(), &theirs);
        send_buckets(&mut world, log.head(), &theirs);
        let view = world.view();
        assert_eq!(view["domainsCount"], 130 - missing);
        assert_eq!(view["unconfirmedCount"], keep_unconfirmed);
        assert_eq!(world.kinds().contains(&"unconfirmed"), keep_unconfirmed > 0);
        if keep_unconfirmed > 0 {
            assert_eq!(world.notice("unconfirmed")["rows"], keep_unconfirmed);
        }
        assert_eq!(world.rows().len() as u64, 130 - missing + keep_unconfirmed);
    }
}

#[test]
fn repair_is_logged_with_its_number_of_rows() {
    let log = Log::with_rows(40);
    let mut world = World::following_with(&log, Config { log: true, ..Config::default() });
    let mut theirs = rows(40);
    theirs[7].dns = Some("ok");
    world.pong_with(claim(log.head(), &theirs));
    send_digest(&mut world, log.head(), &theirs);
    send_buckets(&mut world, log.head(), &theirs);
    let brought = theirs.iter().filter(|row| row.bucket() == theirs[7].bucket()).count() as u64;
    let record = world.logs.iter().find(|record| record.event == "snapshot").expect("logged");
    assert_eq!(record.value, Some(brought));
}

// R11.6
#[test]
fn large_discrepancy_exceeds_100_rows_and_one_percent() {
    for (rows, large) in [(0, 100), (9_999, 100), (10_000, 100), (20_000, 200), (30_099, 300)] {
        assert_eq!(large_discrepancy(rows), large, "of {rows}");
    }
}
