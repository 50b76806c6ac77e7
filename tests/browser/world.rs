//! A client as JavaScript holds it, with a host that records its calls and a clock that the tests move.

use campaign_sync::browser::Client;
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

use crate::wire::{self, CAMPAIGN, EPOCH, Log};

#[wasm_bindgen(module = "/tests/browser/support.js")]
extern "C" {
    pub(crate) type Recorder;
    #[wasm_bindgen(constructor)]
    pub(crate) fn new() -> Recorder;
    #[wasm_bindgen(method, js_name = hook)]
    fn js_hook(this: &Recorder, name: &str, hook: &JsValue);
    #[wasm_bindgen(method)]
    fn attach(this: &Recorder, client: &JsClient);
    #[wasm_bindgen(method)]
    fn number(this: &Recorder) -> u32;
    #[wasm_bindgen(method)]
    pub(crate) fn clear(this: &Recorder);
    #[wasm_bindgen(method, js_name = calls)]
    fn js_calls(this: &Recorder) -> String;
    #[wasm_bindgen(method)]
    pub(crate) fn deepest(this: &Recorder) -> u32;

    pub(crate) type FakeTime;
    #[wasm_bindgen(constructor)]
    fn new() -> FakeTime;
    #[wasm_bindgen(method)]
    fn install(this: &FakeTime);
    #[wasm_bindgen(method)]
    fn restore(this: &FakeTime);
    #[wasm_bindgen(method)]
    pub(crate) fn advance(this: &FakeTime, ms: u32);
    #[wasm_bindgen(method)]
    pub(crate) fn pass(this: &FakeTime, ms: u32);
    #[wasm_bindgen(method)]
    pub(crate) fn sleep(this: &FakeTime, ms: u32);
    #[wasm_bindgen(method)]
    pub(crate) fn pending(this: &FakeTime) -> u32;
    #[wasm_bindgen(method)]
    pub(crate) fn most(this: &FakeTime) -> u32;
    #[wasm_bindgen(method)]
    pub(crate) fn armed(this: &FakeTime) -> u32;

    #[wasm_bindgen(js_name = latestConnection)]
    fn latest_connection() -> f64;
    #[wasm_bindgen(js_name = freeQuietly)]
    fn free_quietly(client: &JsClient);
    #[wasm_bindgen(js_name = callEverything, catch)]
    pub(crate) fn call_everything(client: &JsClient, campaign_id: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(js_name = callClient, catch)]
    fn receive(
        client: &JsClient,
        method: &str,
        connection: f64,
        frame: &JsValue,
    ) -> Result<u32, JsValue>;
    #[wasm_bindgen(js_name = callClient, catch)]
    fn call(
        client: &JsClient,
        method: &str,
        call: u32,
        campaign_id: &str,
        text: &str,
        id: f64,
        number: f64,
    ) -> Result<JsValue, JsValue>;
}

#[wasm_bindgen]
extern "C" {
    /// The generated class, as the package's JavaScript holds it.
    #[derive(Clone)]
    pub(crate) type JsClient;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn free(this: &JsClient) -> Result<(), JsValue>;
}

/// The calls by number, as in `pkg/src/calls.ts`.
const CALLS: &str = "connect pause reset close timer online visible pageShow opened closed retain release retainCatalogue \
     releaseCatalogue refresh discardUnconfirmed reached cancelWait fold token renewed snapshot view status domains \
     unfolded changes catalogue wholeCatalogue catalogueStatus metrics diagnostics";

/// Commands and queries, as the package's JavaScript sends them.
impl JsClient {
    fn call(&self, name: &str, id: &str) -> Result<JsValue, JsValue> {
        self.call_with(name, id, "", 0.0, 0.0)
    }

    pub(crate) fn call_with(
        &self,
        name: &str,
        campaign_id: &str,
        text: &str,
        id: f64,
        number: f64,
    ) -> Result<JsValue, JsValue> {
        let place = CALLS.split(' ').position(|it| it == name).expect("it is a call");
        self.js_call(place as u32, campaign_id, text, id, number)
    }

    pub(crate) fn js_call(
        &self,
        place: u32,
        campaign_id: &str,
        text: &str,
        id: f64,
        number: f64,
    ) -> Result<JsValue, JsValue> {
        call(self, "call", place, campaign_id, text, id, number)
    }

    pub(crate) fn connect(&self) -> Result<(), JsValue> {
        self.call("connect", "").map(drop)
    }

    /// Passes a signal of the page on.
    pub(crate) fn wake(&self, signal: &str) -> Result<(), JsValue> {
        self.call(signal, "").map(drop)
    }

    pub(crate) fn close(&self) -> Result<(), JsValue> {
        self.call("close", "").map(drop)
    }

    pub(crate) fn opened(&self, connection: u64) -> Result<(), JsValue> {
        self.call_with("opened", "", "", connection as f64, 0.0).map(drop)
    }

    pub(crate) fn closed(&self, connection: u64, code: u16) -> Result<(), JsValue> {
        self.call_with("closed", "", "", connection as f64, code.into()).map(drop)
    }

    pub(crate) fn retain(&self, id: &str) -> Result<(), JsValue> {
        self.call("retain", id).map(drop)
    }

    pub(crate) fn release(&self, id: &str) -> Result<(), JsValue> {
        self.call("release", id).map(drop)
    }

    pub(crate) fn refresh(&self, id: &str) -> Result<(), JsValue> {
        self.call("refresh", id).map(drop)
    }

    pub(crate) fn reached(
        &self,
        id: &str,
        epoch: &str,
        number: f64,
        ticket: f64,
    ) -> Result<(), JsValue> {
        self.call_with("reached", id, epoch, ticket, number).map(drop)
    }

    pub(crate) fn provide_token(&self, ticket: f64, token: Option<&str>) -> Result<(), JsValue> {
        let failed = if token.is_some() { 0.0 } else { 1.0 };
        self.call_with("token", "", token.unwrap_or_default(), ticket, failed).map(drop)
    }

    pub(crate) fn provide_snapshot(&self, ticket: f64, json: Option<&str>) -> Result<(), JsValue> {
        let failed = if json.is_some() { 0.0 } else { 1.0 };
        self.call_with("snapshot", "", json.unwrap_or_default(), ticket, failed).map(drop)
    }

    pub(crate) fn take_changes(&self) -> Result<Vec<String>, JsValue> {
        let changes = self.call("changes", "")?;
        let pairs: Vec<(String, u8)> =
            serde_wasm_bindgen::from_value(changes).expect("pairs of an id and its content");
        Ok(pairs.into_iter().map(|(id, _)| id).collect())
    }

    pub(crate) fn view(&self, id: &str) -> Result<JsValue, JsValue> {
        self.call("view", id)
    }

    pub(crate) fn status(&self, id: &str) -> Result<String, JsValue> {
        let status = self.call("status", id)?;
        // The time of the last proof follows.
        let key = status.as_string().expect("a status is a word");
        Ok(key.trim_end_matches(|it: char| it.is_ascii_digit()).to_owned())
    }

    pub(crate) fn domains(&self, id: &str, query: &JsValue) -> Result<JsValue, JsValue> {
        let text = if query.is_undefined() { json!({}) } else { plain(query) };
        self.call_with("domains", id, &text.to_string(), 0.0, 0.0)
    }

    pub(crate) fn metrics(&self) -> Result<JsValue, JsValue> {
        self.call("metrics", "")
    }

    pub(crate) fn diagnostics(&self) -> Result<JsValue, JsValue> {
        self.call("diagnostics", "")
    }

    /// Receives a frame of the latest connection that arrived as text.
    pub(crate) fn receive(&self, frame: &JsValue) -> Result<u32, JsValue> {
        receive(self, "receiveText", latest_connection(), frame)
    }

    /// Receives a frame of a connection.
    pub(crate) fn receive_on(&self, connection: u64, frame: &str) -> Result<u32, JsValue> {
        receive(self, "receiveText", connection as f64, &frame.into())
    }

    /// Receives a frame of the latest connection that arrived as bytes. It copies them: tests and client
    /// share one memory here, which moves when it grows.
    pub(crate) fn receive_bytes(&self, frame: &[u8]) -> Result<u32, JsValue> {
        receive(self, "receive", latest_connection(), &js_sys::Uint8Array::from(frame))
    }
}

impl Recorder {
    /// Runs `hook` inside every call of `name`.
    pub(crate) fn on(&self, name: &str, hook: impl Fn(Vec<JsValue>) + 'static) {
        self.on_throwing(name, move |values| {
            hook(values);
            Ok(())
        });
    }

    /// Runs `hook`, which may throw, inside every call of `name`.
    pub(crate) fn on_throwing(
        &self,
        name: &str,
        hook: impl Fn(Vec<JsValue>) -> Result<(), JsValue> + 'static,
    ) {
        let hook = move |values: js_sys::Array| hook(values.iter().collect());
        let hook = Closure::<dyn Fn(js_sys::Array) -> Result<(), JsValue>>::new(hook);
        self.js_hook(name, &hook.into_js_value());
    }

    /// The arguments of every call of `name`.
    pub(crate) fn calls(&self, name: &str) -> Vec<Vec<Value>> {
        let calls: Vec<Vec<Value>> = parse(&self.js_calls());
        let mine = calls.into_iter().filter(|call| call[0] == name);
        mine.map(|call| call[1..].to_vec()).collect()
    }

    /// Every event so far, `(type, detail)`.
    pub(crate) fn events(&self) -> Vec<(String, Value)> {
        let calls = self.calls("dispatch").into_iter();
        calls.map(|call| (text(&call[0]), call[1].clone())).collect()
    }

    /// The details of the events of one type.
    pub(crate) fn details(&self, kind: &str) -> Vec<Value> {
        let events = self.events().into_iter();
        events.filter(|(found, _)| found == kind).map(|(_, detail)| detail).collect()
    }

    /// The messages of one type that were sent.
    pub(crate) fn sent(&self, kind: &str) -> Vec<Value> {
        let sent = self.calls("send").into_iter().map(|call| parse::<Value>(&text(&call[0])));
        sent.filter(|message| message["type"] == kind).collect()
    }
}

/// One client with its host and its clock.
pub(crate) struct World {
    pub(crate) client: JsClient,
    pub(crate) host: Recorder,
    pub(crate) time: FakeTime,
}

impl World {
    /// A client with these options, at rest.
    pub(crate) fn new(options: &Value) -> Self {
        let time = FakeTime::new();
        time.install();
        let host = Recorder::new();
        let client = client(options, &host);
        Self { client, host, time }
    }

    /// A client at rest whose sockets open at once.
    pub(crate) fn manual() -> Self {
        Self::opening(&json!({}))
    }

    /// A client with these options, at rest, whose sockets open at once.
    pub(crate) fn opening(options: &Value) -> Self {
        let world = Self::new(options);
        let client = world.client.clone();
        world.host.on("open", move |values| {
            let connection = values[0].as_f64().expect("a connection is a number");
            client.opened(connection as u64).expect("it is open");
        });
        world
    }

    /// A client that is connected to a v1 server and has applied all of `log`.
    pub(crate) fn following(log: &Log) -> Self {
        let world = Self::manual();
        world.follow(log);
        world.host.clear();
        world
    }

    /// Connects, answers as a v1 server, and replays all of `log`.
    pub(crate) fn follow(&self, log: &Log) {
        self.client.retain(CAMPAIGN).expect("it is open");
        self.client.connect().expect("it is open");
        self.receive(&wire::ack());
        self.answer_recovery(1, log.head());
        assert_eq!(self.receive(&log.frame(1, log.head())), log.head() as u32);
        self.receive(&pong(log.head()));
        assert_eq!(self.status(), "live");
    }

    /// Answers the last recovery request with a replay of these numbers. The caller delivers the events.
    pub(crate) fn answer_recovery(&self, from: u64, to: u64) {
        let requests = self.host.sent("request_event_recovery");
        let request = requests.last().expect("a recovery was asked for");
        let id = text(&request["payload"]["requestId"]);
        self.receive(&wire::recovery("replay", EPOCH, &id, from, to));
    }

    pub(crate) fn receive(&self, frame: &str) -> u32 {
        self.client.receive(&frame.into()).expect("frames never throw")
    }

    pub(crate) fn status(&self) -> String {
        self.client.status(CAMPAIGN).expect("it is open")
    }

    pub(crate) fn view(&self) -> Value {
        plain(&self.client.view(CAMPAIGN).expect("it is open"))
    }

    pub(crate) fn metrics(&self) -> Value {
        plain(&self.client.metrics().expect("it is open"))
    }

    /// The last applied number.
    pub(crate) fn position(&self) -> Value {
        self.view()["position"]["sequenceNumber"].clone()
    }

    /// All rows, in their order of generation.
    pub(crate) fn rows(&self) -> Vec<Value> {
        let page = self.domains(&json!({"limit": 1_000}));
        page["rows"].as_array().expect("a page has rows").clone()
    }

    pub(crate) fn domains(&self, query: &Value) -> Value {
        plain(&self.client.domains(CAMPAIGN, &js(query)).expect("the query is in order"))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        free_quietly(&self.client);
        self.time.restore();
    }
}

/// Creates the generated class as JavaScript does.
pub(crate) fn client(options: &Value, recorder: &Recorder) -> JsClient {
    let on = |name: &str| options[name].as_bool().unwrap_or_default();
    let client = Client::new(
        options["lingerMs"].as_f64().unwrap_or(f64::NAN),
        on("hasToken"),
        on("hasRenewal"),
        on("hasFetchSnapshot"),
        on("log"),
        recorder.number(),
    );
    let client: JsClient = JsValue::from(client).unchecked_into();
    recorder.attach(&client);
    client
}

/// A `pong` with `head` as the last number of both the log and the socket.
pub(crate) fn pong(head: u64) -> String {
    let heads = json!([{"campaignId": CAMPAIGN, "epoch": EPOCH, "lastSequenceNumber": head,
        "logHead": head}]);
    wire::message("pong", &json!({"timestamp": 1, "heads": heads}))
}

/// A JavaScript value, converted through JSON: `null` stays, and `undefined` disappears.
pub(crate) fn plain(value: &JsValue) -> Value {
    let json = js_sys::JSON::stringify(value).expect("the value is plain");
    parse(&String::from(json))
}

pub(crate) fn js(value: &Value) -> JsValue {
    js_sys::JSON::parse(&value.to_string()).expect("it is JSON")
}

pub(crate) fn parse<T: serde::de::DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).expect("it is JSON")
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// The code of an error that the client has thrown.
pub(crate) fn code<T: core::fmt::Debug>(result: Result<T, JsValue>) -> String {
    result.expect_err("it must throw").as_string().expect("a code is text")
}
