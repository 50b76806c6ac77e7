//! Sessions recorded from the reference server, replayed frame by frame through the class. The client
//! sends the same messages as the recorded one, and ends in the server's state.
//! `cargo xtask record` makes the recordings.

use serde_json::{Value, json};
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::sockets::Wired;
use crate::world::{World, parse, plain, text};

const GENERATION_TO_HTTP: [&str; 2] = [
    include_str!("../recordings/generation-to-http.jsonl"),
    include_str!("../recordings/generation-to-http.expected.json"),
];
const DISCONNECT: [&str; 2] = [
    include_str!("../recordings/disconnect-during-dns-transition.jsonl"),
    include_str!("../recordings/disconnect-during-dns-transition.expected.json"),
];

/// The form in which frames arrive.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Bytes,
}

/// A client whose sockets the recording opens and closes.
struct Transport {
    wired: Wired,
    form: Form,
}

impl Transport {
    fn of(form: Form) -> Self {
        Self { wired: Wired::new(&json!({})), form }
    }

    const fn world(&self) -> &World {
        &self.wired.world
    }

    fn open(&self, connection: usize) {
        self.wired.accept(connection - 1);
    }

    fn deliver(&self, connection: usize, frame: &str) {
        match self.form {
            Form::Text => self.wired.deliver(connection - 1, frame),
            Form::Bytes => {
                let client = &self.world().client;
                client.receive_bytes(frame.as_bytes()).expect("frames never throw");
            }
        }
    }

    fn close(&self, connection: usize, code: u16) {
        self.wired.die(connection - 1, code);
    }

    /// All sent frames of all connections.
    fn sent(&self) -> Vec<Value> {
        let frames = self.world().host.calls("send").into_iter().flatten();
        frames.map(|frame| without_client(parse(&text(&frame)))).collect()
    }
}

/// A message without the name and version of the client, which every release changes.
fn without_client(mut message: Value) -> Value {
    message.as_object_mut().expect("a message is an object").remove("client");
    message
}

/// A session during its replay.
struct Replay {
    transport: Transport,
    expected: Value,
    /// The number of connections in the recording so far.
    connections: usize,
    /// The number of sent frames that have been compared with the recording.
    compared: usize,
}

impl Replay {
    /// Replays a whole session.
    fn run([recording, expected]: [&str; 2], transport: Transport) -> Self {
        let expected: Value = parse(expected);
        let mut replay = Self { transport, expected, connections: 0, compared: 0 };
        let client = &replay.transport.world().client;
        client.retain(&replay.campaign()).expect("it is open");
        client.connect().expect("it is open");
        let mut elapsed = 0;
        for line in recording.lines().map(parse::<Value>) {
            let at = line["at_ms"].as_u64().expect("a time is a number");
            replay.transport.world().time.advance((at - elapsed) as u32);
            elapsed = at;
            replay.line(&line);
        }
        replay
    }

    fn line(&mut self, line: &Value) {
        let connection = line["connection"].as_u64().expect("a number") as usize;
        let frame = text(&line["frame"]);
        match text(&line["direction"]).as_str() {
            "sent" => {
                if connection > self.connections {
                    self.connections = connection;
                    self.transport.open(connection);
                }
                let sent = self.transport.sent();
                let recorded = without_client(parse(&frame));
                assert_eq!(sent.get(self.compared), Some(&recorded), "at {} ms", line["at_ms"]);
                self.compared += 1;
            }
            "received" => {
                let rows = self.view()["domainsCount"].as_u64();
                self.transport.deliver(connection, &frame);
                assert!(self.view()["domainsCount"].as_u64() >= rows, "no row is lost");
            }
            "closed" => self.transport.close(connection, frame.parse().expect("a close code")),
            other => panic!("{other} is not a direction"),
        }
    }

    fn campaign(&self) -> String {
        text(&self.expected["campaignId"])
    }

    fn view(&self) -> Value {
        let view = self.transport.world().client.view(&self.campaign());
        plain(&view.expect("it is open"))
    }

    /// Checks that the state is the server's and `live`, and that nothing was refused or sent twice.
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
        assert_eq!(self.transport.sent().len(), self.compared, "nothing else was sent");
        let metrics = self.transport.world().metrics();
        assert_eq!(metrics["applied"], expected["position"]["sequenceNumber"]);
        assert_eq!(metrics["refused"], json!({}));
        for member in ["corrupt", "gaps", "snapshots", "divergences", "unsubscribed"] {
            assert_eq!(metrics[member], 0, "{member}");
        }
    }

    /// The new phases of the notified transitions, in order, without that of the first load.
    fn phases(&self) -> Vec<String> {
        let moves = self.transport.world().host.details("phasetransition");
        let moves = moves.iter().filter(|detail| detail["initial"] == false);
        moves.map(|detail| text(&detail["newPhase"])).collect()
    }
}

fn check_generation_to_http(form: Form) {
    let replay = Replay::run(GENERATION_TO_HTTP, Transport::of(form));
    replay.check();
    assert_eq!(replay.connections, 1);
    assert_eq!(replay.phases(), ["dns_validation", "http_keyword_validation"]);
}

fn check_disconnect(form: Form) {
    let replay = Replay::run(DISCONNECT, Transport::of(form));
    replay.check();
    assert_eq!(replay.connections, 2);
    assert_eq!(replay.phases(), ["dns_validation"]);
    let host = &replay.transport.world().host;
    let moved = host.details("phasetransition").pop().expect("the phase moved");
    assert_eq!(moved["recovered"], true, "it was missed at first");
    let recovered = host.details("recovered").pop().expect("the last connection recovered");
    let how = (&recovered["reason"], &recovered["outcome"]);
    assert_eq!(how, (&json!("reconnect"), &json!("replay")));
    assert!(recovered["events"].as_u64() > Some(0));
}

#[test]
fn generation_to_http_ends_as_the_server_says_as_text() {
    check_generation_to_http(Form::Text);
}

#[test]
fn generation_to_http_ends_as_the_server_says_as_bytes() {
    check_generation_to_http(Form::Bytes);
}

#[test]
fn disconnect_recovers_the_missed_transition_as_text() {
    check_disconnect(Form::Text);
}

#[test]
fn disconnect_recovers_the_missed_transition_as_bytes() {
    check_disconnect(Form::Bytes);
}
