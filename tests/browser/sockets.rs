//! Sockets: opening, closing and late callbacks, at the boundary to the package's JavaScript, which owns them.

use serde_json::{Value, json};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::wire::{self, CAMPAIGN, Log};
use crate::world::{World, pong, text};

/// A client whose sockets the tests open and close.
pub(crate) struct Wired {
    pub(crate) world: World,
}

impl Wired {
    pub(crate) fn new(options: &Value) -> Self {
        Self { world: World::new(options) }
    }

    /// A client whose first socket is open and that has applied all of `log`.
    fn following(log: &Log) -> Self {
        let wired = Self::new(&json!({}));
        wired.world.client.retain(CAMPAIGN).expect("it is open");
        wired.world.client.connect().expect("it is open");
        wired.accept(0);
        wired.deliver(0, &wire::ack());
        wired.world.answer_recovery(1, log.head());
        wired.deliver(0, &log.frame(1, log.head()));
        wired.deliver(0, &pong(log.head()));
        assert_eq!(wired.world.status(), "live");
        wired
    }

    /// The numbers of the connections so far, the oldest first.
    fn connections(&self) -> Vec<u64> {
        let opened = self.world.host.calls("open").into_iter();
        opened.map(|call| call[0].as_u64().expect("a connection is a number")).collect()
    }

    /// The number of sockets so far.
    pub(crate) fn count(&self) -> usize {
        self.connections().len()
    }

    pub(crate) fn accept(&self, index: usize) {
        self.world.client.opened(self.connections()[index]).expect("it is open");
    }

    pub(crate) fn deliver(&self, index: usize, frame: &str) {
        let connection = self.connections()[index];
        self.world.client.receive_on(connection, frame).expect("frames never throw");
    }

    pub(crate) fn die(&self, index: usize, code: u16) {
        self.world.client.closed(self.connections()[index], code).expect("it is open");
    }

    /// The codes with which the client closed its sockets.
    pub(crate) fn closes(&self) -> Vec<Value> {
        self.world.host.calls("closeSocket").into_iter().flatten().collect()
    }

    pub(crate) fn state(&self) -> Value {
        self.world.host.details("connectionchange").pop().expect("it changed")
    }

    /// Waits for the next socket and returns its index.
    pub(crate) fn reopened(&self) -> usize {
        let index = self.count();
        for _ in 0..1_000 {
            if self.count() > index {
                return index;
            }
            self.world.time.advance(100);
        }
        panic!("it never came back");
    }
}

// R3.1
#[test]
fn socket_opens_and_sends_the_handshake() {
    let wired = Wired::new(&json!({}));
    assert_eq!(wired.count(), 0, "nobody asked for a connection");
    wired.world.client.connect().expect("it is open");
    assert_eq!(wired.count(), 1);
    assert!(wired.world.host.calls("send").is_empty(), "nothing is sent before it is open");
    wired.accept(0);
    assert_eq!(wired.world.host.sent("connection_init").len(), 1);
}

#[test]
fn lost_socket_is_replaced_and_the_position_is_kept() {
    let mut log = Log::with_rows(2);
    let wired = Wired::following(&log);
    wired.die(0, 1006);
    assert_eq!(wired.state()["state"], "waiting");
    assert_eq!(wired.world.status(), "stale");
    let second = wired.reopened();
    wired.accept(second);
    wired.deliver(second, &wire::ack());
    let request = wired.world.host.sent("request_event_recovery").pop().expect("it asked");
    assert_eq!(request["payload"]["lastSequenceNumber"], 3);
    assert_eq!(request["payload"]["reason"], "reconnect");
    let id = text(&request["payload"]["requestId"]);
    wired.deliver(second, &wire::recovery("replay", wire::EPOCH, &id, 4, 4));
    wired.deliver(second, &log.generate(2).document());
    wired.deliver(second, &pong(4));
    assert_eq!((wired.world.status(), wired.world.position()), ("live".into(), json!(4)));
}

#[test]
fn late_callbacks_of_an_old_socket_change_nothing() {
    let mut log = Log::with_rows(2);
    let wired = Wired::following(&log);
    let next = log.generate(2).document();
    wired.die(0, 1006);
    let before = wired.world.metrics();
    let call_back_late = || {
        wired.deliver(0, &next);
        wired.accept(0);
        wired.die(0, 4403);
    };
    // The old socket calls back before the next socket exists.
    call_back_late();
    assert_eq!((wired.world.metrics(), wired.world.position()), (before, json!(3)));
    // The delay of the next attempt is random, and may be zero.
    assert_ne!(wired.state()["state"], "failed", "the client did not give up");

    let second = wired.reopened();
    wired.accept(second);
    let before = wired.world.metrics();
    call_back_late();
    assert_eq!((wired.world.metrics(), wired.world.position()), (before, json!(3)));
    assert_eq!(wired.state()["state"], "connecting");
}

#[test]
fn a_refused_session_is_final_without_a_token_provider() {
    let wired = Wired::following(&Log::with_rows(1));
    wired.die(0, 4401);
    let state = wired.state();
    assert_eq!((&state["state"], &state["code"]), (&json!("failed"), &json!("unauthorized")));
    wired.world.time.advance(60_000);
    assert_eq!(wired.count(), 1);
    wired.world.client.connect().expect("it is open");
    assert_eq!(wired.count(), 2, "until the application asks again");
}

#[test]
fn every_end_of_a_socket_has_its_close_code() {
    let closed = Wired::following(&Log::with_rows(1));
    closed.world.client.close().expect("it is open");
    assert_eq!(closed.closes(), [json!(1000)]);
    drop(closed);

    let dead = Wired::following(&Log::with_rows(1));
    dead.world.time.advance(10_100);
    assert_eq!(dead.closes(), [json!(4000)]);
    drop(dead);

    let slow = Wired::new(&json!({}));
    slow.world.client.connect().expect("it is open");
    slow.world.time.advance(10_100);
    assert_eq!(slow.closes(), [json!(1000)], "it did not open in time");
    assert_eq!(slow.world.metrics()["connects"], 0);
}

#[test]
fn a_socket_may_call_back_from_inside_send() {
    let log = Log::with_rows(2);
    let wired = Wired::new(&json!({}));
    let (client, answers) = (wired.world.client.clone(), log.frame(1, log.head()));
    wired.world.host.on("send", move |values: Vec<JsValue>| {
        let message: Value = crate::world::parse(&values[0].as_string().expect("a frame is text"));
        let reply = match text(&message["type"]).as_str() {
            "connection_init" => wire::ack(),
            "request_event_recovery" => {
                let id = text(&message["payload"]["requestId"]);
                format!("{}\n{answers}", wire::recovery("replay", wire::EPOCH, &id, 1, 3))
            }
            "ping" => pong(3),
            _ => return,
        };
        client.receive(&reply.into()).expect("frames never throw");
    });
    wired.world.client.retain(CAMPAIGN).expect("it is open");
    wired.world.client.connect().expect("it is open");
    wired.accept(0);
    assert_eq!((wired.world.position(), wired.world.rows().len()), (json!(3), 2));
}

#[test]
fn a_socket_that_cannot_be_made_is_a_failed_attempt() {
    let world = World::new(&json!({}));
    let client = world.client.clone();
    world.host.on("open", move |values| {
        let connection = values[0].as_f64().expect("a connection is a number");
        client.closed(connection as u64, 1006).expect("it is open");
    });
    world.client.connect().expect("it is open");
    let state = world.host.details("connectionchange").pop().expect("it changed");
    assert_eq!((&state["state"], &state["attempt"]), (&json!("waiting"), &json!(1)));
    assert_eq!(world.time.pending(), 1, "it will be tried again");
}
