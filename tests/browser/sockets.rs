//! The browser's socket: opening, frames of both kinds, every way to close, and late callbacks.

use js_sys::futures::JsFuture;
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::wire::{self, CAMPAIGN, Log};
use crate::world::{JsClient, Recorder, World, client, parse, pong, text};

#[wasm_bindgen(module = "/tests/browser/support.js")]
extern "C" {
    pub(crate) type FakeSockets;
    #[wasm_bindgen(constructor)]
    fn new() -> FakeSockets;
    #[wasm_bindgen(method)]
    fn install(this: &FakeSockets);
    #[wasm_bindgen(method)]
    fn restore(this: &FakeSockets);
    #[wasm_bindgen(method)]
    pub(crate) fn count(this: &FakeSockets) -> usize;
    #[wasm_bindgen(method)]
    pub(crate) fn accept(this: &FakeSockets, index: usize);
    #[wasm_bindgen(method)]
    pub(crate) fn deliver(this: &FakeSockets, index: usize, data: &JsValue);
    #[wasm_bindgen(method)]
    pub(crate) fn die(this: &FakeSockets, index: usize, code: u16);
    #[wasm_bindgen(method)]
    fn listens(this: &FakeSockets, index: usize) -> bool;
    #[wasm_bindgen(method)]
    fn describe(this: &FakeSockets, index: usize) -> String;
    #[wasm_bindgen(method)]
    fn callbacks(this: &FakeSockets, index: usize) -> js_sys::Function;
    #[wasm_bindgen(method, setter)]
    fn set_onsend(this: &FakeSockets, onsend: &JsValue);

    fn dispatched(recorder: &Recorder, kind: &str, state: &str) -> js_sys::Promise;
}

/// A client with fake sockets that the tests drive.
pub(crate) struct Wired {
    pub(crate) sockets: FakeSockets,
    pub(crate) world: World,
}

impl Wired {
    pub(crate) fn new(options: &Value) -> Self {
        let mut options = options.clone();
        options["url"] = json!("wss://campaigns.example/ws");
        let world = World::new(&options);
        let sockets = FakeSockets::new();
        sockets.install();
        Self { sockets, world }
    }

    /// A client whose first socket is open and that has applied all of `log`.
    fn following(log: &Log) -> Self {
        let wired = Self::new(&json!({}));
        wired.world.client.retain(CAMPAIGN).expect("it is open");
        wired.world.client.connect().expect("it is open");
        wired.sockets.accept(0);
        wired.deliver(0, &wire::ack());
        let request = wired.sent(0, "request_event_recovery").pop().expect("it asked");
        let id = text(&request["payload"]["requestId"]);
        wired.deliver(0, &wire::recovery("replay", wire::EPOCH, &id, 1, log.head()));
        wired.deliver(0, &log.frame(1, log.head()));
        wired.deliver(0, &pong(log.head()));
        assert_eq!(wired.world.status(), "live");
        wired
    }

    pub(crate) fn deliver(&self, index: usize, frame: &str) {
        self.sockets.deliver(index, &frame.into());
    }

    pub(crate) fn socket(&self, index: usize) -> Value {
        parse(&self.sockets.describe(index))
    }

    /// The messages of one type that were sent on a socket.
    pub(crate) fn sent(&self, index: usize, kind: &str) -> Vec<Value> {
        let sent = self.socket(index)["sent"].as_array().expect("a list").clone();
        let sent = sent.iter().map(|frame| parse::<Value>(&text(frame)));
        sent.filter(|message| message["type"] == kind).collect()
    }

    pub(crate) fn state(&self) -> Value {
        self.world.host.details("connectionchange").pop().expect("it changed")
    }

    /// Waits for the next socket and returns its index.
    pub(crate) fn reopened(&self) -> usize {
        let index = self.sockets.count();
        for _ in 0..1_000 {
            if self.sockets.count() > index {
                return index;
            }
            self.world.time.advance(100);
        }
        panic!("it never came back");
    }
}

impl Drop for Wired {
    fn drop(&mut self) {
        self.sockets.restore();
    }
}

// R3.1
#[test]
fn socket_opens_and_sends_the_handshake() {
    let wired = Wired::new(&json!({}));
    assert_eq!(wired.sockets.count(), 0, "nobody asked for a connection");
    wired.world.client.connect().expect("it is open");
    let socket = wired.socket(0);
    assert_eq!(socket["url"], "wss://campaigns.example/ws");
    assert_eq!(socket["binaryType"], "arraybuffer");
    assert_eq!(socket["sent"], json!([]), "nothing is sent before it is open");
    wired.sockets.accept(0);
    assert_eq!(wired.sent(0, "connection_init").len(), 1);
}

#[test]
fn text_and_buffers_are_frames_and_anything_else_is_refused() {
    let mut log = Log::with_rows(1);
    let wired = Wired::following(&log);
    wired.deliver(0, &log.generate(1).document());
    let bytes = js_sys::Uint8Array::from(log.generate(2).document().as_bytes());
    wired.sockets.deliver(0, &bytes.buffer());
    assert_eq!(wired.world.position(), 4);
    for strange in [JsValue::NULL, JsValue::from(5), js_sys::Object::new().into()] {
        wired.sockets.deliver(0, &strange);
    }
    assert_eq!(wired.world.metrics()["refused"]["empty_frame"], 3);
}

#[test]
fn lost_socket_is_replaced_and_the_position_is_kept() {
    let mut log = Log::with_rows(2);
    let wired = Wired::following(&log);
    wired.sockets.die(0, 1006);
    assert_eq!(wired.state()["state"], "waiting");
    assert_eq!(wired.world.status(), "stale");
    let second = wired.reopened();
    wired.sockets.accept(second);
    wired.deliver(second, &wire::ack());
    let request = wired.sent(second, "request_event_recovery").pop().expect("it asked");
    assert_eq!(request["payload"]["lastSequenceNumber"], 3);
    assert_eq!(request["payload"]["reason"], "reconnect");
    let id = text(&request["payload"]["requestId"]);
    wired.deliver(second, &wire::recovery("replay", wire::EPOCH, &id, 4, 4));
    wired.deliver(second, &log.generate(2).document());
    wired.deliver(second, &pong(4));
    assert_eq!((wired.world.status(), wired.world.position()), ("live".into(), json!(4)));
    assert!(!wired.sockets.listens(0), "the old socket has no callback left");
}

#[test]
fn late_callbacks_of_an_old_socket_change_nothing() {
    let mut log = Log::with_rows(2);
    let wired = Wired::following(&log);
    let next = log.generate(2).document();
    wired.sockets.die(0, 1006);
    let before = wired.world.metrics();
    // The browser still holds the old socket, which calls back before the next socket exists.
    wired.deliver(0, &next);
    wired.sockets.accept(0);
    wired.sockets.die(0, 4403);
    assert_eq!((wired.world.metrics(), wired.world.position()), (before, json!(3)));
    // The delay of the next attempt is random, and may be zero.
    assert_ne!(wired.state()["state"], "failed", "the client did not give up");

    let late = wired.sockets.callbacks(0);
    let second = wired.reopened();
    wired.sockets.accept(second);
    let before = wired.world.metrics();
    // Callbacks that were kept have no effect when they are called.
    let thrown = late.call1(&JsValue::NULL, &next.into()).expect("it tells");
    assert_eq!(thrown, JsValue::from(3));
    assert_eq!((wired.world.metrics(), wired.world.position()), (before, json!(3)));
    assert_eq!(wired.state()["state"], "connecting");
}

#[test]
fn a_refused_session_is_final_without_a_token_provider() {
    let wired = Wired::following(&Log::with_rows(1));
    wired.sockets.die(0, 4401);
    let state = wired.state();
    assert_eq!((&state["state"], &state["code"]), (&json!("failed"), &json!("unauthorized")));
    wired.world.time.advance(60_000);
    assert_eq!(wired.sockets.count(), 1);
    wired.world.client.connect().expect("it is open");
    assert_eq!(wired.sockets.count(), 2, "until the application asks again");
}

#[test]
fn sockets_are_closed_with_codes_that_browsers_allow() {
    let closed = Wired::following(&Log::with_rows(1));
    closed.world.client.close().expect("it is open");
    assert_eq!(closed.socket(0)["closes"], json!([1000]));
    assert!(!closed.sockets.listens(0));
    drop(closed);

    let dead = Wired::following(&Log::with_rows(1));
    dead.world.time.advance(10_100);
    assert_eq!(dead.socket(0)["closes"], json!([4000]));
    assert!(!dead.sockets.listens(0));
    drop(dead);

    let slow = Wired::new(&json!({}));
    slow.world.client.connect().expect("it is open");
    slow.world.time.advance(10_100);
    assert_eq!(slow.socket(0)["closes"], json!([1000]), "it did not open in time");
    assert_eq!(slow.world.metrics()["connects"], 0);
}

#[test]
fn freeing_the_client_closes_the_socket() {
    let wired = Wired::following(&Log::with_rows(1));
    wired.world.client.free().expect("it is not under way");
    assert_eq!(wired.socket(0)["closes"], json!([1000]));
    assert!(!wired.sockets.listens(0));
}

#[test]
fn a_socket_may_call_back_from_inside_send() {
    let log = Log::with_rows(2);
    let wired = Wired::new(&json!({}));
    let answers = log.frame(1, log.head());
    let answer = Closure::<dyn Fn(JsValue, String)>::new(move |socket: JsValue, frame: String| {
        let message: Value = parse(&frame);
        let reply = match text(&message["type"]).as_str() {
            "connection_init" => wire::ack(),
            "request_event_recovery" => {
                let id = text(&message["payload"]["requestId"]);
                format!("{}\n{answers}", wire::recovery("replay", wire::EPOCH, &id, 1, 3))
            }
            "ping" => pong(3),
            _ => return,
        };
        let onmessage = js_sys::Reflect::get(&socket, &"onmessage".into()).expect("a socket");
        let event = js_sys::Object::new();
        js_sys::Reflect::set(&event, &"data".into(), &reply.into()).expect("an object");
        let onmessage: js_sys::Function = onmessage.unchecked_into();
        onmessage.call1(&socket, &event).expect("it does not throw");
    });
    wired.sockets.set_onsend(answer.as_ref());
    wired.world.client.retain(CAMPAIGN).expect("it is open");
    wired.world.client.connect().expect("it is open");
    wired.sockets.accept(0);
    assert_eq!((wired.world.position(), wired.world.rows().len()), (json!(3), 2));
}

#[test]
fn invalid_address_is_a_failed_attempt() {
    let world = World::new(&json!({"url": "wss://[nowhere"}));
    world.client.connect().expect("it is open");
    let state = world.host.details("connectionchange").pop().expect("it changed");
    assert_eq!((&state["state"], &state["attempt"]), (&json!("waiting"), &json!(1)));
    assert_eq!(world.time.pending(), 1, "it will be tried again");
}

#[test]
async fn closed_port_is_retried_later() {
    let host = Recorder::new();
    let options = json!({"url": "ws://127.0.0.1:59999/api/v2/ws"});
    let client: JsClient = client(&options, &host);
    let waiting = dispatched(&host, "connectionchange", "waiting");
    client.retain(CAMPAIGN).expect("it is open");
    client.connect().expect("it is open");
    assert_eq!(client.status(CAMPAIGN).expect("it is open"), "connecting");
    let detail = JsFuture::from(waiting).await.expect("it is never rejected");
    let detail: Value = parse(&detail.as_string().expect("the detail is text"));
    assert_eq!(detail["attempt"], 1);
    assert!(detail["retryInMs"].as_u64().is_some_and(|ms| ms <= 500));
    let tries = dispatched(&host, "connectionchange", "connecting");
    JsFuture::from(tries).await.expect("it is never rejected");
    client.close().expect("it is open");
    client.free().expect("it is not under way");
}
