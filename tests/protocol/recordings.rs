//! Sessions recorded from the reference server, replayed frame by frame. The state at the end must equal
//! the server's REST snapshot of that moment. `cargo xtask record` makes both.

use campaign_sync::protocol::CampaignId;
use campaign_sync::sync::{Config, Input, Verdict};
use serde_json::{Value, json};

use crate::world::{World, id, text};
use crate::writing::plain;

const GENERATION_TO_HTTP: [&str; 2] = [
    include_str!("../recordings/generation-to-http.jsonl"),
    include_str!("../recordings/generation-to-http.expected.json"),
];
const DISCONNECT: [&str; 2] = [
    include_str!("../recordings/disconnect-during-dns-transition.jsonl"),
    include_str!("../recordings/disconnect-during-dns-transition.expected.json"),
];

/// A machine that takes the place of the recorded one.
struct Replay {
    world: World,
    campaign: CampaignId,
    expected: Value,
    /// The number of sent frames that have been compared with the recording.
    compared: usize,
    /// The number of connections in the recording so far.
    connections: u64,
}

impl Replay {
    /// Replays a whole session; `frame` delivers each received frame.
    fn run([recording, expected]: [&str; 2], frame: impl Fn(&mut Self, &str)) -> Self {
        let expected: Value = serde_json::from_str(expected).expect("an expectation is JSON");
        let seed = expected["machineSeed"].as_u64().expect("a seed is a number");
        let campaign = id(&text(&expected["campaignId"]));
        let world = World::seeded(Config::default(), seed);
        let mut replay = Self { world, campaign, expected, compared: 0, connections: 0 };
        replay.world.input(Input::Retain(replay.campaign.clone()));
        replay.world.input(Input::Connect);
        let mut elapsed_ms = 0;
        for line in recording.lines() {
            let line: Value = serde_json::from_str(line).expect("a recorded line is JSON");
            let at_ms = line["at_ms"].as_u64().expect("a time is a number");
            replay.world.advance(at_ms - elapsed_ms);
            elapsed_ms = at_ms;
            replay.line(&line, &frame);
        }
        replay
    }

    fn line(&mut self, line: &Value, frame: impl Fn(&mut Self, &str)) {
        let recorded = text(&line["frame"]);
        match line["direction"].as_str() {
            Some("sent") => {
                if line["connection"] != self.connections {
                    self.connections += 1;
                    assert_eq!(self.world.opened.len() as u64, self.connections, "{line}");
                    self.world.open();
                }
                let recorded = serde_json::from_str(&recorded).expect("only JSON is sent");
                let sent = self.world.sent.get(self.compared).cloned().map(without_client);
                assert_eq!(sent, Some(without_client(recorded)), "at {} ms", line["at_ms"]);
                self.compared += 1;
            }
            Some("received") => {
                let rows = self.view()["domainsCount"].as_u64();
                frame(self, &recorded);
                assert!(self.view()["domainsCount"].as_u64() >= rows, "no row disappears");
            }
            Some("closed") => self.world.close(recorded.parse().expect("a close code")),
            other => panic!("{other:?} is not a direction"),
        }
    }

    fn view(&self) -> Value {
        let view = self.world.machine.view(self.campaign.as_str(), self.world.now);
        plain(&view.expect("the campaign is held"))
    }

    /// Checks that the state equals the server's and that no event was corrupt or missing during the session.
    fn check(&self) {
        let (view, expected) = (self.view(), &self.expected);
        assert_eq!(view["status"], "live");
        for member in ["position", "domainsCount", "domainsDigest"] {
            assert_eq!(view[member], expected[member], "{member}");
        }
        for member in ["currentPhase", "phaseStatus"] {
            assert_eq!(view["campaign"][member], expected[member], "{member}");
        }
        for column in ["dns", "http"] {
            assert_eq!(view["counts"][column], expected["counts"][column], "{column}");
        }
        assert_eq!(self.compared, self.world.sent.len(), "nothing else was sent");
        let metrics = self.world.metrics();
        assert_eq!((metrics.corrupt, metrics.gaps, metrics.snapshots), (0, 0, 0));
    }
}

/// A message without the name and version of the client, which every release changes.
fn without_client(mut message: Value) -> Value {
    if let Some(members) = message.as_object_mut() {
        members.remove("client");
    }
    message
}

/// Delivers a frame; the machine must not refuse any part of it.
fn once(replay: &mut Replay, frame: &str) {
    let outcome = replay.world.frame(frame);
    let refused = outcome.verdicts.iter().any(|it| matches!(it, Verdict::Refused(_)));
    assert!(outcome.refused.is_none() && !refused, "{outcome:?}\n{frame}");
}

/// The new phases of the notified transitions, in order, without that of the first load.
fn transitions(replay: &Replay) -> Vec<String> {
    let notices = replay.world.notices.iter().filter(|it| it.kind() == "phasetransition");
    let notices = notices.map(|it| plain(it));
    notices.filter(|it| it["initial"] == false).map(|it| text(&it["newPhase"])).collect()
}

#[test]
fn generation_to_http_ends_as_the_server_says() {
    let replay = Replay::run(GENERATION_TO_HTTP, once);
    replay.check();
    assert_eq!(transitions(&replay), ["dns_validation", "http_keyword_validation"]);
}

#[test]
fn disconnect_recovers_by_replay_and_ends_as_the_server_says() {
    let replay = Replay::run(DISCONNECT, once);
    replay.check();
    assert_eq!(replay.connections, 2);
    assert_eq!(transitions(&replay), ["dns_validation"]);
    let recovered = replay.world.notice("recovered");
    assert_eq!(
        (&recovered["reason"], &recovered["outcome"]),
        (&json!("reconnect"), &json!("replay"))
    );
    assert!(recovered["events"].as_u64() > Some(0));
}

#[test]
fn sessions_end_the_same_if_event_frames_arrive_twice() {
    for session in [GENERATION_TO_HTTP, DISCONNECT] {
        let replay = Replay::run(session, |replay, frame| {
            once(replay, frame);
            if frame.contains(r#""sequence":{"#) {
                once(replay, frame);
            }
        });
        replay.check();
        let metrics = replay.world.metrics();
        assert!(metrics.duplicates + metrics.redelivered + metrics.out_of_order > 0);
    }
}

// R2.3
#[test]
fn sessions_end_the_same_if_each_document_is_a_frame() {
    for session in [GENERATION_TO_HTTP, DISCONNECT] {
        let replay = Replay::run(session, |replay, frame| {
            frame.split('\n').for_each(|document| once(replay, document));
        });
        replay.check();
    }
}
