//! A server in this process, clients with real sockets, and a naive copy of a campaign that believes
//! nothing: it checks every hash, number and chain link, and folds with code of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use campaign_sync::protocol::EventHash;
use campaign_sync::protocol::envelope::Envelope;
use campaign_sync_harness::options::{Options, options};
use campaign_sync_harness::server::{Ready, run};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Nothing that is waited for takes this long, unless it never comes.
const NEVER: Duration = Duration::from_secs(30);

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

    /// Starts over the database of that directory.
    pub(crate) async fn over(directory: TempDir, change: impl FnOnce(&mut Options)) -> Self {
        let db = directory.path().join("campaigns.db");
        let (ready, stop, done) = serve(&db, change).await;
        let (address, metrics) = (ready.address.to_string(), ready.metrics);
        Self { address, metrics, db, stop: Some(stop), done: Some(done), _directory: directory }
    }

    /// Starts again, over the same database, once stopped.
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

    /// Creates a campaign that is done in an instant, and generates its domains. Tells its head.
    pub(crate) async fn generated(&self, id: &str, count: u64) -> u64 {
        let new = json!({"campaignId": id, "name": id, "count": count, "rate": 20_000, "batch": 1});
        assert_eq!(self.post("/campaigns", new).await.status, 200);
        assert_eq!(self.post(&format!("/campaigns/{id}/start"), json!({})).await.status, 200);
        self.completed(id).await;
        let position = self.get(&format!("/campaigns/{id}")).await.position.unwrap();
        position.split_once('/').unwrap().1.parse().unwrap()
    }

    /// Waits for the end of the phase under way.
    pub(crate) async fn completed(&self, id: &str) {
        let completed = async {
            while self.get(&format!("/campaigns/{id}")).await.body["phaseStatus"] != "completed" {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(NEVER, completed).await.expect("the phase never ends");
    }

    /// What the port of its own says.
    pub(crate) async fn operations(&self, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.metrics.unwrap());
        let response = reqwest::get(url).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    pub(crate) async fn metrics(&self) -> String {
        self.operations("/metrics").await.1
    }

    /// Asks it to end, without waiting for that.
    pub(crate) fn ask_to_stop(&mut self) {
        self.stop.take();
    }

    /// The audit trail of a campaign.
    pub(crate) async fn filed(&self, id: &str) -> Vec<Value> {
        let mut body = self.get(&format!("/campaigns/{id}/transitions")).await.body;
        serde_json::from_value(body["transitions"].take()).unwrap()
    }

    /// A request under an idempotency key.
    pub(crate) async fn keyed(&self, path: &str, key: &str, body: Value) -> Answer {
        let request = reqwest::Client::new().post(self.url(path)).header("idempotency-key", key);
        answer(request.body(body.to_string())).await
    }

    pub(crate) async fn act(&self, id: &str, action: &str) -> Answer {
        self.post(&format!("/campaigns/{id}/{action}"), json!({})).await
    }
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

pub(crate) struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    waiting: std::collections::VecDeque<String>,
}

/// What a socket brought.
#[derive(Debug)]
pub(crate) enum Heard {
    Document(String),
    Closed(Option<u16>),
}

impl Client {
    /// Connects without saying anything.
    pub(crate) async fn silent(address: &str) -> Self {
        let (socket, _) = connect_async(format!("ws://{address}/api/v2/ws")).await.unwrap();
        Self::of(socket)
    }

    pub(crate) fn of(socket: WebSocketStream<MaybeTlsStream<TcpStream>>) -> Self {
        Self { socket, waiting: Default::default() }
    }

    /// Connects and is acknowledged as v1.
    pub(crate) async fn connect(address: &str) -> Self {
        let mut client = Self::silent(address).await;
        client.greet().await;
        client
    }

    pub(crate) async fn greet(&mut self) {
        self.say(json!({"type": "connection_init", "protocols": ["campaign-sync.v1"]})).await;
        let ack = self.control("connection_ack").await;
        assert_eq!(ack["protocol"], "campaign-sync.v1");
    }

    /// Connects and subscribes, without asking for anything yet.
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

    pub(crate) async fn next(&mut self) -> Heard {
        loop {
            if let Some(document) = self.waiting.pop_front() {
                return Heard::Document(document);
            }
            let message = tokio::time::timeout(NEVER, self.socket.next()).await;
            match message.expect("the server never says anything") {
                Some(Ok(Message::Text(text))) => {
                    self.waiting.extend(text.split('\n').map(str::to_owned));
                }
                Some(Ok(Message::Binary(bytes))) => {
                    let text = String::from_utf8(bytes.to_vec()).unwrap();
                    self.waiting.extend(text.split('\n').map(str::to_owned));
                }
                Some(Ok(Message::Close(frame))) => {
                    return Heard::Closed(frame.map(|frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Heard::Closed(None),
            }
        }
    }

    pub(crate) async fn document(&mut self) -> String {
        match self.next().await {
            Heard::Document(document) => document,
            Heard::Closed(code) => panic!("closed with {code:?}"),
        }
    }

    pub(crate) async fn closed(&mut self) -> Option<u16> {
        loop {
            if let Heard::Closed(code) = self.next().await {
                return code;
            }
        }
    }

    /// The `data` of the next document, which must be a control message of that type.
    pub(crate) async fn control(&mut self, kind: &str) -> Value {
        let document = parse(&self.document().await);
        assert_eq!(document["type"], kind, "{document}");
        assert!(document.get("sequence").is_none());
        document["data"].clone()
    }

    /// Follows until the copy stands at that number.
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

/// A campaign as a client that believes nothing has it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Copy {
    pub(crate) epoch: String,
    pub(crate) number: u64,
    pub(crate) event_id: String,
    pub(crate) phase: String,
    pub(crate) status: String,
    pub(crate) rows: BTreeMap<String, Map<String, Value>>,
    /// Every event applied, as received.
    pub(crate) documents: Vec<String>,
    pub(crate) staged: Vec<Value>,
}

impl Copy {
    pub(crate) fn payload(&self, campaign: &str) -> Value {
        json!({"campaignId": campaign, "lastSequenceNumber": self.number, "epoch": self.epoch,
            "requestId": "r1", "reason": "reconnect"})
    }

    pub(crate) fn hear(&mut self, document: &str) {
        let value = parse(document);
        match value["type"].as_str().unwrap() {
            "event_recovery" => {
                self.epoch = value["data"]["epoch"].as_str().unwrap().to_owned();
                self.staged.clear();
            }
            "campaign.snapshot" => self.part(&value["data"]),
            "pong" => {}
            _ if value.get("sequence").is_some() => self.event(document, &value),
            other => panic!("unexpected {other}: {document}"),
        }
    }

    fn part(&mut self, data: &Value) {
        assert_eq!(data["part"].as_u64().unwrap(), self.staged.len() as u64 + 1, "parts in order");
        self.staged.push(data.clone());
        if data["part"] != data["parts"] {
            return;
        }
        self.rows.clear();
        for part in std::mem::take(&mut self.staged) {
            for row in part["domains"].as_array().unwrap() {
                let row = row.as_object().unwrap().clone();
                self.rows.insert(row["domainId"].as_str().unwrap().to_owned(), row);
            }
            if let Some(campaign) = part.get("campaign") {
                self.record(campaign);
            }
        }
        assert_eq!(data["domainsCount"].as_u64().unwrap(), self.rows.len() as u64);
        self.number = data["sequenceNumber"].as_u64().unwrap();
        self.event_id = data["eventId"].as_str().unwrap().to_owned();
    }

    fn record(&mut self, record: &Value) {
        self.phase = record["currentPhase"].as_str().unwrap().to_owned();
        self.status = record["phaseStatus"].as_str().unwrap().to_owned();
    }

    fn event(&mut self, document: &str, value: &Value) {
        let envelope = Envelope::parse(document).unwrap();
        let sequence = envelope.sequence.unwrap();
        let hash = EventHash::of_v1(
            envelope.kind_raw,
            envelope.timestamp_raw,
            envelope.data,
            sequence.hashed(),
        );
        assert_eq!(hash, sequence.hash, "{document}");
        assert!(self.staged.is_empty(), "no event within a snapshot");
        assert_eq!(sequence.epoch(), self.epoch);
        assert_eq!(sequence.number().get(), self.number + 1, "{document}");
        assert_eq!(sequence.previous_event_id().unwrap_or_default(), self.event_id);
        self.number += 1;
        self.event_id = sequence.event_id().to_owned();
        self.documents.push(document.to_owned());
        self.fold(envelope.kind, &value["data"]);
    }

    fn fold(&mut self, kind: &str, data: &Value) {
        match kind {
            "campaign.list.update" => self.record(&data["campaign"]),
            "campaign.phase.transition" if data["dataIntegrityCheck"] == true => {
                assert_eq!(data["domainsCount"].as_u64().unwrap(), self.rows.len() as u64);
                self.record(&data["campaign"]);
            }
            "campaign.status" | "campaign.progress" if data["currentPhase"] == *self.phase => {
                self.status = data["phaseStatus"].as_str().unwrap().to_owned();
            }
            "domain.generated" => self.set(data, &[("domain", "domain"), ("offset", "offset")]),
            "dns.validation.result" => self.set(data, &[("validationStatus", "dnsStatus")]),
            "http.validation.result" => {
                self.set(
                    data,
                    &[("validationStatus", "httpStatus"), ("httpStatus", "httpStatusCode")],
                );
            }
            "domains.updated" => {
                for row in data["domains"].as_array().unwrap() {
                    let columns: Vec<_> = row.as_object().unwrap().keys().cloned().collect();
                    let columns: Vec<_> =
                        columns.iter().map(|it| (it.as_str(), it.as_str())).collect();
                    self.set(row, &columns);
                }
            }
            _ => {}
        }
    }

    fn set(&mut self, data: &Value, columns: &[(&str, &str)]) {
        let id = data["domainId"].as_str().unwrap().to_owned();
        let row = self.rows.entry(id.clone()).or_default();
        row.insert("domainId".to_owned(), json!(id));
        for (from, to) in columns {
            match data.get(from) {
                Some(Value::Null) => drop(row.remove(*to)),
                Some(value) => drop(row.insert((*to).to_owned(), value.clone())),
                None => {}
            }
        }
    }
}

/// The server's own rows, read by SQL.
pub(crate) fn rows_by_sql(db: &Path, campaign: &str) -> BTreeMap<String, Map<String, Value>> {
    let connection = rusqlite::Connection::open(db).unwrap();
    let mut statement = connection
        .prepare(
            "SELECT domain_id, domain, offset_index, dns_status, http_status, http_status_code,
                    lead_status, lead_score FROM domains WHERE campaign_id = ?1",
        )
        .unwrap();
    let rows = statement.query_map([campaign], |row| {
        let mut map = Map::new();
        let mut text = |name: &str, value: Option<String>| {
            value.map(|value| map.insert(name.to_owned(), json!(value)));
        };
        text("domainId", row.get(0)?);
        text("domain", row.get(1)?);
        text("dnsStatus", row.get(3)?);
        text("httpStatus", row.get(4)?);
        text("leadStatus", row.get(6)?);
        row.get::<_, Option<i64>>(2)?.map(|it| map.insert("offset".to_owned(), json!(it)));
        row.get::<_, Option<i64>>(5)?.map(|it| map.insert("httpStatusCode".to_owned(), json!(it)));
        row.get::<_, Option<f64>>(7)?.map(|it| map.insert("leadScore".to_owned(), json!(it)));
        Ok((row.get::<_, String>(0)?, map))
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}
