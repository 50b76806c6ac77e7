//! A server in this process, and clients with real sockets.

use std::path::{Path, PathBuf};
use std::time::Duration;

use campaign_sync_harness::options::Options;
use campaign_sync_harness::retention::Limits;
use campaign_sync_harness::server::{Ready, run};
use clap::Parser as _;
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::{Error, Message};

pub(crate) use super::copy::{Copy, rows_by_sql};

/// A wait that takes longer than this has failed.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) struct Server {
    pub(crate) address: String,
    pub(crate) metrics: Option<std::net::SocketAddr>,
    pub(crate) db: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    done: Option<tokio::task::JoinHandle<()>>,
    _directory: TempDir,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        Self::over(tempfile::tempdir().unwrap(), change).await
    }

    /// Starts a server over the database in that directory.
    pub(crate) async fn over(directory: TempDir, change: impl FnOnce(&mut Options)) -> Self {
        let db = directory.path().join("campaigns.db");
        let (ready, stop, done) = serve(&db, change).await;
        let (address, metrics) = (ready.address.to_string(), ready.metrics);
        Self { address, metrics, db, stop: Some(stop), done: Some(done), _directory: directory }
    }

    /// Restarts a stopped server over the same database.
    pub(crate) async fn restart(&mut self, change: impl FnOnce(&mut Options)) {
        let (ready, stop, done) = serve(&self.db, change).await;
        (self.stop, self.done) = (Some(stop), Some(done));
        (self.address, self.metrics) = (ready.address.to_string(), ready.metrics);
    }

    pub(crate) async fn stop(&mut self) {
        self.stop.take();
        if let Some(done) = self.done.take() {
            done.await.unwrap();
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(reqwest::Client::new().get(self.url(path))).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        answer(reqwest::Client::new().post(self.url(path)).body(body.to_string())).await
    }

    pub(crate) async fn delete(&self, path: &str, body: Value) -> Answer {
        answer(reqwest::Client::new().delete(self.url(path)).body(body.to_string())).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/api/v2{path}", self.address)
    }

    /// Creates a campaign with a high rate, and generates its domains. Returns the number of its head.
    pub(crate) async fn generated(&self, id: &str, count: u64) -> u64 {
        let new = json!({"campaignId": id, "name": id, "count": count, "rate": 20_000, "batch": 1});
        assert_eq!(self.post("/campaigns", new).await.status, 201);
        assert_eq!(self.post(&format!("/campaigns/{id}/start"), json!({})).await.status, 200);
        self.completed(id).await;
        let position = self.get(&format!("/campaigns/{id}")).await.position.unwrap();
        position.split_once('/').unwrap().1.parse().unwrap()
    }

    /// Waits for the end of the running phase.
    pub(crate) async fn completed(&self, id: &str) {
        let completed = async {
            while self.get(&format!("/campaigns/{id}")).await.body["phaseStatus"] != "completed" {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(WAIT_TIMEOUT, completed).await.expect("the phase never ends");
    }

    /// Requests a route of the separate port for metrics and readiness. Returns status and body.
    pub(crate) async fn operations(&self, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.metrics.unwrap());
        let response = reqwest::get(url).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    pub(crate) async fn metrics(&self) -> String {
        self.operations("/metrics").await.1
    }

    /// Asks the server to stop, without waiting for its end.
    pub(crate) fn ask_to_stop(&mut self) {
        self.stop.take();
    }

    /// The audit trail of a campaign.
    pub(crate) async fn audit_trail(&self, id: &str) -> Vec<Value> {
        let mut body = self.get(&format!("/campaigns/{id}/transitions")).await.body;
        serde_json::from_value(body["transitions"].take()).unwrap()
    }

    /// Posts a request under an idempotency key.
    pub(crate) async fn keyed(&self, path: &str, key: &str, body: Value) -> Answer {
        let request = reqwest::Client::new().post(self.url(path)).header("idempotency-key", key);
        answer(request.body(body.to_string())).await
    }

    /// The file of the server's state, or of its copy of a shared log.
    pub(crate) fn file(&self) -> PathBuf {
        if self.db.exists() { self.db.clone() } else { cache_of(&self.db) }
    }

    pub(crate) async fn act(&self, id: &str, action: &str) -> Answer {
        self.post(&format!("/campaigns/{id}/{action}"), json!({})).await
    }
}

/// Options of a server on a free loopback port that truncates no history.
pub(crate) fn options(db: PathBuf) -> Options {
    Options {
        listen: std::net::SocketAddr::from(([127, 0, 0, 1], 0)),
        cache: cache_of(&db),
        db,
        session_seconds: 3_600,
        drain_spread_ms: 0,
        history: Limits::NONE,
        ..Options::parse_from([""])
    }
}

fn cache_of(db: &Path) -> PathBuf {
    db.with_extension("cache")
}

async fn serve(
    db: &Path,
    change: impl FnOnce(&mut Options),
) -> (Ready, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let mut options = options(db.to_owned());
    change(&mut options);
    let (ready, address) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let done = tokio::spawn(async move {
        let ready = move |it: Ready| ready.send(it).unwrap();
        let stop = async move {
            let _dropped_means_stop = stopped.await;
        };
        run(options, ready, stop).await.unwrap();
    });
    (address.await.unwrap(), stop, done)
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) position: Option<String>,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn code(&self) -> (u16, &str) {
        (self.status, self.body["error"]["code"].as_str().unwrap_or_default())
    }
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let position = response.headers().get("campaign-position");
    let position = position.map(|value| value.to_str().unwrap().to_owned());
    let body = serde_json::from_str(&response.text().await.unwrap()).unwrap_or(Value::Null);
    Answer { status, position, body }
}

/// A WebSocket over any transport.
pub(crate) trait Socket:
    Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Send + Unpin
{
}

impl<S> Socket for S where
    S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Send + Unpin
{
}

pub(crate) struct Client {
    socket: Box<dyn Socket>,
    waiting: std::collections::VecDeque<String>,
}

/// A document, or the close of the socket with its code.
#[derive(Debug)]
pub(crate) enum Received {
    Document(String),
    Closed(Option<u16>),
}

impl Client {
    /// Connects without sending anything.
    pub(crate) async fn silent(address: &str) -> Self {
        let (socket, _) = connect_async(format!("ws://{address}/api/v2/ws")).await.unwrap();
        Self::of(socket)
    }

    pub(crate) fn of(socket: impl Socket + 'static) -> Self {
        Self { socket: Box::new(socket), waiting: Default::default() }
    }

    /// Connects and is acknowledged as v1.
    pub(crate) async fn connect(address: &str) -> Self {
        let mut client = Self::silent(address).await;
        client.greet().await;
        client
    }

    pub(crate) async fn greet(&mut self) {
        self.greet_in("campaign-sync.v1").await;
    }

    /// Greets in that protocol, and checks the acknowledgement.
    pub(crate) async fn greet_in(&mut self, protocol: &str) {
        self.say(json!({"type": "connection_init", "protocols": [protocol]})).await;
        let ack = self.control("connection_ack").await;
        assert_eq!(ack["protocol"], protocol);
    }

    /// Connects and subscribes, without a recovery request.
    pub(crate) async fn subscribed(address: &str, campaign: &str) -> Self {
        let mut client = Self::connect(address).await;
        client.say(json!({"type": "subscribe_campaign", "campaignId": campaign})).await;
        client.control("subscription_confirmed").await;
        client
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.say_text(&message.to_string()).await;
    }

    pub(crate) async fn say_text(&mut self, text: &str) {
        self.socket.send(Message::Text(text.into())).await.unwrap();
    }

    pub(crate) async fn say_bytes(&mut self, bytes: &[u8]) {
        self.socket.send(Message::Binary(bytes.to_vec().into())).await.unwrap();
    }

    pub(crate) async fn recover(&mut self, payload: Value) {
        self.say(json!({"type": "request_event_recovery", "payload": payload})).await;
    }

    pub(crate) async fn next(&mut self) -> Received {
        loop {
            if let Some(document) = self.waiting.pop_front() {
                return Received::Document(document);
            }
            let message = tokio::time::timeout(WAIT_TIMEOUT, self.socket.next()).await;
            match message.expect("the server never says anything") {
                Some(Ok(Message::Text(text))) => {
                    self.waiting.extend(text.split('\n').map(str::to_owned));
                }
                Some(Ok(Message::Binary(bytes))) => {
                    let text = String::from_utf8(bytes.to_vec()).unwrap();
                    self.waiting.extend(text.split('\n').map(str::to_owned));
                }
                Some(Ok(Message::Close(frame))) => {
                    return Received::Closed(frame.map(|frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Received::Closed(None),
            }
        }
    }

    pub(crate) async fn document(&mut self) -> String {
        match self.next().await {
            Received::Document(document) => document,
            Received::Closed(code) => panic!("closed with {code:?}"),
        }
    }

    pub(crate) async fn closed(&mut self) -> Option<u16> {
        loop {
            if let Received::Closed(code) = self.next().await {
                return code;
            }
        }
    }

    /// The `data` of the next document, which must be a control message of that type.
    pub(crate) async fn control(&mut self, kind: &str) -> Value {
        let mut document = parse(&self.document().await);
        // On a slow machine the silence before it may have been long enough for a heartbeat.
        while kind != "pong"
            && document["type"] == "pong"
            && document["data"]["timestamp"].is_null()
        {
            document = parse(&self.document().await);
        }
        assert_eq!(document["type"], kind, "{document}");
        assert!(document.get("sequence").is_none());
        document["data"].clone()
    }

    /// Receives documents until the copy has reached that number.
    pub(crate) async fn follow(&mut self, copy: &mut Copy, until: u64) {
        while copy.number < until || !copy.staged.is_empty() {
            let document = self.document().await;
            copy.hear(&document);
        }
    }
}

pub(crate) fn parse(document: &str) -> Value {
    serde_json::from_str(document).unwrap()
}
