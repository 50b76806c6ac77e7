//! Sealed snapshots: each part opens in its place only. They arrive on the socket, by repair and from the
//! application.

use campaign_sync::protocol::Code;
use campaign_sync::protocol::seal::associated;
use campaign_sync::sync::{Config, Input, Verdict};
use serde_json::{Value, json};

use crate::sealed::{
    FIRST, SECOND, answer_snapshot, connected, connected_with, following, head_with_claim, key,
    kid, reconnect, seal, sealed, sealed_parts,
};
use crate::wire::{CAMPAIGN, EPOCH, Log, Row, Snapshot, buckets, digest, message, rows};
use crate::world::text;

/// Changes the content or the members of sealed parts.
type Spoil = fn(&mut Vec<Value>);

// R19.11, R19.17
#[test]
fn a_part_of_a_snapshot_opens_in_its_own_place_only() {
    let log = Log::with_rows(2);
    let spoiled: [(&str, Spoil); 6] = [
        ("swapped", |parts| {
            let first = parts[0]["content"].take();
            parts[0]["content"] = parts[1]["content"].take();
            parts[1]["content"] = first;
        }),
        ("number", |parts| parts.iter_mut().for_each(|it| it["sequenceNumber"] = 51.into())),
        ("event id", |parts| parts.iter_mut().for_each(|it| it["eventId"] = "another".into())),
        ("parts", |parts| {
            parts.truncate(1);
            parts[0]["parts"] = 1.into();
        }),
        ("count", |parts| parts.iter_mut().for_each(|it| it["domainsCount"] = 3.into())),
        ("digest", |parts| {
            let other = digest(&rows(3));
            parts.iter_mut().for_each(|it| it["domainsDigest"] = other.clone().into());
        }),
    ];
    for (what, spoil) in spoiled {
        let mut world = following(&log);
        reconnect(&mut world);
        let mut snapshot = Snapshot::new(EPOCH, 50, &world.request_id(), rows(20));
        snapshot.per_part = 10;
        let good = sealed_parts(FIRST, &snapshot);
        let mut parts = good.clone();
        spoil(&mut parts);
        let at = parts[0]["sequenceNumber"].as_u64().expect("a number");
        world.answer("snapshot", EPOCH, at + 1, at);
        let verdict = world.receive(&message("campaign.snapshot", &parts[0]));
        assert_eq!(verdict, Verdict::Refused(Code::SealBroken), "{what}");
        assert_eq!((world.position(), world.rows().len()), (3, 2), "{what}");
        // The client requests another snapshot and applies it.
        let asked = world.requests();
        world.advance_until(|world| world.requests() > asked);
        answer_snapshot(&mut world, FIRST, 50, rows(20));
        assert_eq!((world.position(), world.rows().len()), (50, 20), "{what}");
        assert_eq!(world.view()["error"], Value::Null, "{what}");
    }
}

// R19.13
#[test]
fn snapshot_under_an_unknown_key_waits_for_the_key() {
    let mut world = connected();
    let snapshot = Snapshot::new(EPOCH, 50, &world.request_id(), rows(20));
    world.answer("snapshot", EPOCH, 51, 50);
    let part = message("campaign.snapshot", &sealed_parts(SECOND, &snapshot)[0]);
    assert_eq!(world.receive(&part), Verdict::Refused(Code::UnknownKey));
    assert_eq!(world.status(), "failed(unknown_key)");
    world.input(Input::AddKey(kid(SECOND), key(SECOND)));
    answer_snapshot(&mut world, SECOND, 50, rows(20));
    assert_eq!((world.position(), world.rows().len()), (50, 20));
}

// R8.24, R19.16
#[test]
fn snapshot_request_survives_an_unknown_key() {
    let log = Log::with_rows(3);
    let mut world = following(&log);
    let other = sealed(SECOND, &log).with_data(|event| event.data.replacen("e", "f", 1));
    assert_eq!(world.receive(&other.document(3)), Verdict::Divergence);
    world.answer("snapshot", EPOCH, 5, 4);
    let snapshot = Snapshot::new(EPOCH, 4, &world.request_id(), rows(3));
    let part = message("campaign.snapshot", &sealed_parts(SECOND, &snapshot)[0]);
    assert_eq!(world.receive(&part), Verdict::Refused(Code::UnknownKey));
    world.input(Input::AddKey(kid(SECOND), key(SECOND)));
    assert_eq!(world.request()["prefer"], "snapshot", "the contradiction was not decided");
}

// R19.18
#[test]
fn buckets_are_opened_and_a_broken_one_repairs_nothing() {
    let mut log = Log::with_rows(20);
    let theirs = rows(21);
    let mut world = following(&log);
    world.pong_with(json!([head_with_claim(&log, &theirs)]));
    for round in 0..2 {
        let asked = world.last_sent("request_campaign_digest").expect("asked")["payload"].clone();
        let data = json!({"campaignId": CAMPAIGN, "requestId": asked["requestId"], "epoch": EPOCH,
            "sequenceNumber": log.head(), "buckets": buckets(&theirs)});
        world.receive(&message("campaign.digest", &data));
        let asked = world.last_sent("request_campaign_snapshot").expect("asked")["payload"].clone();
        let needed: Vec<u64> = serde_json::from_value(asked["buckets"].clone()).expect("numbers");
        let inside = theirs.iter().filter(|row| needed.contains(&(row.bucket() as u64)));
        let mut snapshot =
            Snapshot::new(EPOCH, log.head(), &text(&asked["requestId"]), inside.cloned().collect());
        snapshot.whole = Some(theirs.clone());
        let mut part = sealed_parts(FIRST, &snapshot).remove(0);
        if round == 0 {
            part["content"]["sealed"] = "AAAA".into();
            let verdict = world.receive(&message("campaign.snapshot", &part));
            assert_eq!(verdict, Verdict::Refused(Code::SealBroken));
            assert_eq!(world.rows().len(), 20);
            world.pong_with(json!([head_with_claim(&log, &theirs)]));
        } else {
            assert_eq!(world.receive(&message("campaign.snapshot", &part)), Verdict::Control);
        }
    }
    assert_eq!((world.rows().len(), world.metrics().repairs), (21, 1));
    log.generate(21);
}

/// The answer of the REST API, sealed for the route `sealed_as` or plain.
fn fetched(sealed_as: Option<&str>, campaign: &str, at: u64, rows: &[Row]) -> String {
    let snapshot = Snapshot::new(EPOCH, at, "", rows.to_vec());
    let mut answer = snapshot.parts_as_json().remove(0);
    for member in ["requestId", "part", "parts"] {
        answer.as_object_mut().expect("an object").remove(member);
    }
    let Some(route) = sealed_as else { return answer.to_string() };
    let event_id = text(&answer["eventId"]);
    let list = associated(campaign, EPOCH, at, &event_id, route);
    let sealed: Value =
        serde_json::from_str(&seal(FIRST, &list, &answer.to_string())).expect("JSON");
    json!({"campaignId": CAMPAIGN, "epoch": EPOCH, "sequenceNumber": at, "eventId": event_id,
        "kid": sealed["kid"], "sealed": sealed["sealed"]})
    .to_string()
}

// R19.20
#[test]
fn fetched_snapshot_opens_only_for_its_route_and_campaign() {
    let config = Config { has_fetch_snapshot: true, ..Config::default() };
    let log = Log::with_rows(2);
    for (answer, outcome) in [
        (fetched(Some("rest.snapshot"), CAMPAIGN, 9, &rows(8)), None),
        (fetched(None, CAMPAIGN, 9, &rows(8)), Some(Code::NotSealed)),
        (fetched(Some("rest.campaign"), CAMPAIGN, 9, &rows(8)), Some(Code::SealBroken)),
        (fetched(Some("rest.snapshot"), "campaign-2", 9, &rows(8)), Some(Code::SealBroken)),
    ] {
        let mut world = connected_with(config.clone(), &[FIRST]);
        world.replay(&sealed(FIRST, &log), 1, 3);
        while world.fetches.is_empty() {
            let opened = world.opened.len();
            world.close(1006);
            world.advance_until(|it| it.opened.len() > opened || !it.fetches.is_empty());
        }
        let ticket = *world.fetches.last().expect("asked for");
        let refused = world.handle(Input::Snapshot(ticket, Some(&answer))).refused;
        assert_eq!(refused, outcome);
        let opened = world.machine.keys().expect("content is sealed").open_answer(
            CAMPAIGN,
            "rest.snapshot",
            &answer,
        );
        assert_eq!(opened.err(), outcome, "the application may open it as well");
        assert_eq!(world.position(), if outcome.is_none() { 9 } else { 3 });
    }
}
