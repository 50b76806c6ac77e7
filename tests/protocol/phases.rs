//! Notices of phases and statuses: one rule for every first load, changes within a phase, the end of a
//! campaign, the time of the last proof, and statuses that never contradict the machine.

use campaign_sync::protocol::Code;
use campaign_sync::protocol::frame::Frame;
use campaign_sync::sync::input::Ticket;
use campaign_sync::sync::notice::Detail;
use campaign_sync::sync::{Config, Input};
use serde_json::{Value, json};

use crate::wire::{CAMPAIGN, EPOCH, Log, ack, message, rows, transition};
use crate::world::{World, id, position};
use crate::writing::plain;

/// A log with a transition in its history.
fn log_with_a_transition() -> Log {
    let mut log = Log::with_rows(2);
    let data = transition("domain_generation", "dns_validation", "not_started", &rows(2));
    log.push("campaign.phase.transition", &data);
    log
}

/// The details of all notices of that kind, in order.
fn details(world: &World, kind: &str) -> Vec<Value> {
    let of_kind = world.notices.iter().filter(|notice| notice.kind() == kind);
    of_kind.map(|notice| plain(notice)).collect()
}

/// The one notice of a phase, and what it says.
fn introduction(world: &World) -> Value {
    let mut all = details(world, "phasetransition");
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!((&all[0]["initial"], all[0].get("previousPhase")), (&json!(true), None));
    all.remove(0)
}

fn set_status(log: &mut Log, status: &str) -> String {
    let data = json!({"campaignId": CAMPAIGN, "phaseStatus": status, "message": "why"});
    log.push("campaign.status", &data).document()
}

#[test]
fn first_load_by_replay_announces_the_phase_once() {
    let log = log_with_a_transition();
    let mut world = World::connected(Config::default());
    world.replay(&log, 1, log.head());
    let detail = introduction(&world);
    assert_eq!(
        (&detail["newPhase"], &detail["sequenceNumber"]),
        (&json!("dns_validation"), &json!(4))
    );
    assert_eq!(detail["recovered"], false);
}

#[test]
fn first_load_by_snapshot_announces_the_phase_once() {
    let mut world = World::connected(Config::default());
    world.answer_snapshot(EPOCH, 4, rows(2));
    let detail = introduction(&world);
    assert_eq!(
        (&detail["newPhase"], &detail["sequenceNumber"]),
        (&json!("domain_generation"), &json!(4))
    );
    assert_eq!(detail["recovered"], false);
}

#[test]
fn interrupted_first_load_announces_the_phase_once() {
    let log = log_with_a_transition();
    let mut world = World::connected(Config::default());
    world.answer("replay", EPOCH, 1, log.head());
    let _cut = world.frame(log.frame(1, 4).rsplit_once('\n').expect("several events").0);
    assert_eq!(details(&world, "phasetransition"), Vec::<Value>::new());
    world.reconnect();
    world.replay(&log, 4, log.head());
    assert_eq!(introduction(&world)["newPhase"], "dns_validation");
}

#[test]
fn transition_after_the_first_load_is_not_initial() {
    let mut log = Log::with_rows(2);
    let mut world = World::following(&log);
    let data = transition("domain_generation", "dns_validation", "not_started", &rows(2));
    world.receive(&log.push("campaign.phase.transition", &data).document());
    let detail = world.notice("phasetransition");
    assert_eq!(
        (&detail["initial"], &detail["previousPhase"]),
        (&json!(false), &json!("domain_generation"))
    );
}

#[test]
fn transition_in_a_later_recovery_is_not_initial() {
    let log = log_with_a_transition();
    let mut world = World::following(&Log::with_rows(2));
    world.reconnect();
    world.replay(&log, 4, log.head());
    let detail = world.notice("phasetransition");
    assert_eq!((&detail["initial"], &detail["recovered"]), (&json!(false), &json!(true)));
}

#[test]
fn lingering_campaign_announces_its_phase_to_its_next_handle() {
    let mut log = Log::with_rows(2);
    let mut world = World::following(&log);
    world.input(Input::Release(id(CAMPAIGN)));
    let data = transition("domain_generation", "dns_validation", "not_started", &rows(2));
    world.receive(&log.push("campaign.phase.transition", &data).document());
    assert_eq!(world.position(), log.head());
    assert_eq!(details(&world, "phasetransition"), Vec::<Value>::new(), "it has no handle");
    assert_eq!(world.notice("cacheinvalidated")["reason"], "phase_transition");
    world.input(Input::Retain(id(CAMPAIGN)));
    assert_eq!(introduction(&world)["newPhase"], "dns_validation");
    world.input(Input::Retain(id(CAMPAIGN)));
    assert_eq!(details(&world, "phasetransition").len(), 1, "a second handle joins the first");
}

#[test]
fn lingering_campaign_reports_no_status() {
    let log = Log::with_rows(2);
    let mut world = World::following(&log);
    world.input(Input::Release(id(CAMPAIGN)));
    world.close(1006);
    assert_eq!(details(&world, "statuschange"), Vec::<Value>::new());
    world.input(Input::Retain(id(CAMPAIGN)));
    assert_eq!(world.notice("statuschange")["status"], "stale");
}

#[test]
fn phase_that_pauses_completes_or_fails_is_announced() {
    let mut log = Log::with_rows(2);
    let mut world = World::following(&log);
    let mut before = "in_progress";
    for status in ["paused", "in_progress", "failed", "in_progress", "completed"] {
        world.clear();
        world.receive(&set_status(&mut log, status));
        let detail = world.notice("phasestatuschange");
        let change = [&detail["phase"], &detail["from"], &detail["to"]];
        assert_eq!(change, [&json!("domain_generation"), &json!(before), &json!(status)]);
        assert_eq!(detail["sequenceNumber"], log.head());
        assert_eq!(
            (&detail["recovered"], &detail["campaignId"]),
            (&json!(false), &json!(CAMPAIGN))
        );
        assert!(!world.kinds().contains(&"cacheinvalidated"), "{:?}", world.kinds());
        before = status;
    }
    world.clear();
    world.receive(&set_status(&mut log, before));
    assert!(!world.kinds().contains(&"phasestatuschange"), "nothing changed");
}

#[test]
fn phase_status_of_progress_is_announced() {
    let mut log = Log::with_rows(2);
    let mut world = World::following(&log);
    let data = json!({"campaignId": CAMPAIGN, "totalItems": 2, "processedItems": 2,
        "successfulItems": 2, "failedItems": 0, "progressPercent": 100,
        "currentPhase": "domain_generation", "phaseStatus": "completed"});
    world.receive(&log.push("campaign.progress", &data).document());
    assert_eq!(world.notice("phasestatuschange")["to"], "completed");
}

#[test]
fn missed_phase_status_is_announced_as_recovered() {
    let mut log = Log::with_rows(2);
    let mut world = World::following(&log);
    set_status(&mut log, "failed");
    world.reconnect();
    world.replay(&log, 4, log.head());
    let detail = world.notice("phasestatuschange");
    assert_eq!((&detail["to"], &detail["recovered"]), (&json!("failed"), &json!(true)));
}

#[test]
fn statuses_of_a_first_load_are_not_announced() {
    let mut log = Log::with_rows(2);
    set_status(&mut log, "paused");
    let mut world = World::connected(Config::default());
    world.replay(&log, 1, log.head());
    assert_eq!(details(&world, "phasestatuschange"), Vec::<Value>::new());
    assert_eq!(introduction(&world)["newStatus"], "paused");
}

#[test]
fn name_of_the_campaign_is_known_to_its_notices() {
    let mut log = Log::with_rows(2);
    let mut world = World::following(&log);
    world.receive(&set_status(&mut log, "paused"));
    let notice =
        world.notices.iter().find(|it| it.kind() == "phasestatuschange").expect("it paused");
    let name = world.view()["campaign"]["name"].clone();
    assert_eq!(world.machine.campaign_name(notice).map(Value::from), Some(name));
    world.receive(&message("error", &json!({"campaignId": CAMPAIGN, "code": "forbidden"})));
    let notice = world.notices.last().expect("it failed");
    assert_eq!(world.machine.campaign_name(notice), None, "the name is not this session's to know");
}

#[test]
fn revoked_campaign_has_failed_and_deleted_one_has_ended() {
    for (reason, status, ends) in
        [("revoked", "failed", false), ("forbidden", "failed", false), ("deleted", "ended", true)]
    {
        let mut world = World::following(&Log::with_rows(2));
        let data = json!({"campaignId": CAMPAIGN, "reason": reason});
        world.receive(&message("subscription_ended", &data));
        assert_eq!(world.kinds().contains(&"ended"), ends, "{reason}");
        assert_eq!(world.notice("statuschange")["status"], status, "{reason}");
    }
}

#[test]
fn statuses_in_one_frame_are_reported_as_the_last_one() {
    let mut log = Log::with_rows(2);
    let mut world = World::following(&log);
    log.generate(7);
    let skipped = log.document(log.head());
    log.generate(8);
    // A gap, and at once its end: nobody can read the status in between.
    let gap = format!("{}\n{}", log.document(log.head()), skipped);
    let outcome =
        world.machine.handle(world.now, Input::Received(world.socket(), Frame::Text(&gap)));
    assert_eq!(outcome.applied, 2);
    world.pong(log.head());
    let statuses = details(&world, "statuschange");
    let statuses: Vec<_> = statuses.iter().map(|it| &it["status"]).collect();
    assert_eq!(statuses, ["recovering"]);
}

#[test]
fn final_refusal_is_reported_as_failed_and_never_as_stale() {
    for (code, reason) in [(4401, "unauthorized"), (4403, "forbidden")] {
        let mut world = World::following(&Log::with_rows(2));
        world.close(code);
        let changes = details(&world, "statuschange");
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert_eq!(
            (&changes[0]["status"], &changes[0]["reason"]),
            (&json!("failed"), &json!(reason))
        );
    }
}

#[test]
fn status_that_changed_before_its_report_is_reported_once() {
    let mut world = World::following(&Log::with_rows(2));
    let (now, socket) = (world.now, world.socket());
    let _ = world.machine.handle(now, Input::Closed(socket, 1006));
    let _ = world.machine.handle(now, Input::Pause);
    let _ = world.machine.handle(now, Input::Connect);
    world.input(Input::Retain(id("campaign-2")));
    let own: Vec<_> = details(&world, "statuschange");
    let own: Vec<_> = own.iter().filter(|it| it["campaignId"] == CAMPAIGN).collect();
    assert_eq!(own.len(), 1, "{own:?}");
}

#[test]
fn status_that_waits_is_reported_to_the_handles_that_stay_only() {
    for handles in [1, 2] {
        let mut world = World::following(&Log::with_rows(2));
        for _ in 1..handles {
            world.input(Input::Retain(id(CAMPAIGN)));
        }
        let (now, socket) = (world.now, world.socket());
        let _ = world.machine.handle(now, Input::Closed(socket, 1006));
        let _ = world.machine.handle(now, Input::Release(id(CAMPAIGN)));
        world.input(Input::Retain(id("campaign-2")));
        let own: Vec<_> = details(&world, "statuschange");
        let own = own.iter().filter(|it| it["campaignId"] == CAMPAIGN).count();
        assert_eq!(own, handles - 1, "{handles} handles");
    }
}

#[test]
fn wait_after_a_final_failure_rejects_like_one_before_it() {
    for (close, code) in [(4401, Code::Unauthorized), (4403, Code::Forbidden)] {
        let mut world = World::following(&Log::with_rows(2));
        let wait =
            |ticket| Input::WaitForPosition(id(CAMPAIGN), position(EPOCH, 99), Ticket(ticket));
        world.input(wait(901));
        world.close(close);
        world.input(wait(902));
        assert_eq!(world.settled, [(Ticket(901), Some(code)), (Ticket(902), Some(code))]);
    }
}

#[test]
fn reached_position_resolves_after_a_final_failure_too() {
    let log = Log::with_rows(2);
    let mut world = World::following(&log);
    world.close(4401);
    world.input(Input::WaitForPosition(id(CAMPAIGN), position(EPOCH, 1), Ticket(901)));
    assert_eq!(world.settled, [(Ticket(901), None)]);
}

#[test]
fn view_says_when_it_was_last_proven() {
    let log = Log::with_rows(2);
    let mut world = World::connected(Config::default());
    assert_eq!(world.view()["provenAt"], Value::Null);
    let asked = world.now.wall_ms;
    world.pass(300);
    world.replay(&log, 1, log.head());
    assert_eq!(world.view()["provenAt"], asked, "as of the request, not of its answer");
    world.advance(5_000);
    let pinged = world.now.wall_ms;
    world.pass(40);
    world.pong(log.head());
    let proven = world.view()["provenAt"].as_i64().expect("a time");
    assert!(proven > asked && proven <= pinged, "{proven}");
    world.close(1006);
    world.advance(60_000);
    assert_eq!(
        (world.view()["provenAt"].as_i64(), &*world.status()),
        (Some(proven), "stale(disconnected)")
    );
    world.input(Input::Reset);
    assert_eq!(world.view()["provenAt"], Value::Null, "another session has proven nothing");
}

#[test]
fn replaced_state_keeps_the_time_of_the_last_proof() {
    let log = Log::with_rows(2);
    let mut world = World::following(&log);
    let proven = world.view()["provenAt"].clone();
    assert_ne!(proven, Value::Null);
    world.reconnect();
    assert_eq!(world.receive(&ack()), campaign_sync::sync::Verdict::Control);
    world.answer_snapshot(EPOCH, 9, rows(4));
    assert_eq!(world.view()["provenAt"], proven);
}

#[test]
fn released_campaign_is_introduced_with_its_new_load() {
    let log = Log::with_rows(2);
    let mut world = World::following(&log);
    world.input(Input::Release(id(CAMPAIGN)));
    world.advance(6_000);
    world.input(Input::Retain(id(CAMPAIGN)));
    world.replay(&log, 1, log.head());
    assert_eq!(introduction(&world)["newPhase"], "domain_generation");
    assert!(!world.notices.iter().any(|it| matches!(it.detail, Detail::PhaseStatusChange { .. })));
}
