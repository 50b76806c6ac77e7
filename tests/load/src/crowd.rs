//! Many subscribers of one stream. Each checks that it receives every event once and in order.

use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::socket::Socket;
use crate::tally::{DeliveryCounts, Reader, StreamPlace};

/// The most connection attempts at one time: fewer than the backlog of a listening socket.
const CONNECTING_MAX: usize = 200;

/// The connections from one loopback address: far fewer than its ports.
const PER_ADDRESS: usize = 4_000;

/// A wait that takes longer than this has failed.
const NEVER: Duration = Duration::from_secs(180);

const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The time between a client's pings, and its longest wait before it connects again.
const HEARTBEAT: Duration = Duration::from_secs(5);
const RECONNECT_SPREAD_MS: u64 = 500;

/// The protocol of a server.
#[derive(Clone, Debug)]
pub(crate) enum Protocol {
    /// The reference server's: the campaigns to follow, and whether a replay is preferred to a snapshot.
    Ours { campaigns: Vec<String>, replay: bool },
    /// Plain frames, sent to every client.
    Plain,
    /// Socket.IO.
    SocketIo,
}

/// All subscribers of one measurement.
#[derive(Debug, Default)]
pub(crate) struct SubscriberPool {
    /// The tokens of the subscribers, in turn, if the server has users.
    tokens: Vec<String>,
    reader: Reader,
    pub(crate) tally: RefCell<DeliveryCounts>,
    /// Subscribers that have received an answer since this was last set.
    pub(crate) ready: Cell<usize>,
    /// Subscribers that have every event up to the number in that answer.
    pub(crate) synced: Cell<usize>,
    failure: RefCell<Option<String>>,
}

/// One subscriber.
#[derive(Debug)]
struct Subscriber {
    crowd: Rc<SubscriberPool>,
    index: usize,
    protocol: Protocol,
    place: StreamPlace,
    /// The number in the answer, once the subscriber has received it. The subscriber is complete at that
    /// number.
    reported: Option<u64>,
    is_synced: bool,
    /// Messages to send in reply to received frames.
    say: Vec<String>,
    pings: bool,
}

/// The behaviour of a crowd's clients.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClientBehaviour {
    /// Sends a `ping` every five seconds, as clients do.
    pub(crate) pings: bool,
    /// Connects again when its connection ends.
    pub(crate) returns: bool,
    /// The number of the last event that it has already.
    pub(crate) after: u64,
}

impl SubscriberPool {
    /// Subscribers who present these tokens in turn.
    pub(crate) fn of_users(tokens: Vec<String>) -> Self {
        Self { tokens, ..Self::default() }
    }

    /// Subscribes `count` clients, and waits until each has received an answer.
    pub(crate) async fn gather(
        self: &Rc<Self>,
        count: usize,
        to: SocketAddr,
        behaviour: ClientBehaviour,
        protocol: impl Fn(usize) -> Protocol,
    ) -> Result<Vec<JoinHandle<()>>> {
        let gate = Rc::new(Semaphore::new(CONNECTING_MAX));
        let tasks = (0..count).map(|index| {
            let mut member = Subscriber {
                crowd: self.clone(),
                index,
                protocol: protocol(index),
                place: StreamPlace { next: behaviour.after + 1 },
                reported: None,
                is_synced: false,
                say: Vec::new(),
                pings: behaviour.pings,
            };
            let gate = gate.clone();
            tokio::task::spawn_local(async move {
                loop {
                    match member.session(&gate, to).await {
                        Ok(()) if behaviour.returns => {}
                        Err(_) if behaviour.returns => {}
                        Ok(()) => return member.fail("a server closed a connection"),
                        Err(error) => return member.fail(&format!("{error:#}")),
                    }
                    let spread = (index as u64 * 7_919) % RECONNECT_SPREAD_MS;
                    sleep(Duration::from_millis(spread)).await;
                }
            })
        });
        let tasks = tasks.collect();
        self.wait("the subscribers to be answered", || self.ready.get() >= count).await?;
        Ok(tasks)
    }

    /// Waits until `so` returns true, or a subscriber has failed.
    pub(crate) async fn wait(&self, what: &str, so: impl Fn() -> bool) -> Result<()> {
        let until = async {
            while !so() {
                if let Some(failure) = self.failure.borrow().clone() {
                    bail!("waiting for {what}: {failure}");
                }
                sleep(LOOK_EVERY).await;
            }
            Ok(())
        };
        let late = || {
            let (tally, ready) = (self.tally.borrow().shown(0), self.ready.get());
            format!("waited too long for {what}; {ready} answered, {tally}")
        };
        timeout(NEVER, until).await.with_context(late)?
    }

    /// Waits until all subscribers together have received that many events.
    pub(crate) async fn delivered(&self, count: u64) -> Result<()> {
        self.wait(&format!("{count} deliveries"), || self.tally.borrow().delivered >= count).await
    }
}

impl Subscriber {
    fn fail(&self, why: &str) {
        self.crowd.failure.borrow_mut().get_or_insert_with(|| why.to_owned());
    }

    /// One connection, from its opening to its end.
    async fn session(&mut self, gate: &Semaphore, to: SocketAddr) -> Result<()> {
        let mut opening = Some(gate.acquire().await?);
        let from = address(self.index);
        let mut socket = Socket::connect(from, to, self.path()).await?;
        (self.reported, self.is_synced) = (None, false);
        match self.protocol {
            Protocol::Ours { .. } => socket.send(&init(self.token())).await?,
            Protocol::Plain => self.answered(0),
            Protocol::SocketIo => {}
        }
        // Spreads the pings, as if the clients had connected one after the other.
        let offset = Duration::from_millis(self.index as u64 % HEARTBEAT.as_millis() as u64);
        let mut ping_at = Instant::now() + HEARTBEAT + offset;
        loop {
            if self.reported.is_some() {
                opening = None;
            }
            let _until_answered = &opening;
            let received = async {
                if self.pings {
                    tokio::select! {
                        open = socket.receive(|frame| self.hear(frame)) => open.map(Some),
                        () = tokio::time::sleep_until(ping_at) => Ok(None),
                    }
                } else {
                    socket.receive(|frame| self.hear(frame)).await.map(Some)
                }
            };
            match received.await? {
                Some(true) => {}
                Some(false) => return Ok(()),
                None => {
                    ping_at += HEARTBEAT;
                    socket.send(r#"{"type":"ping","payload":{"timestamp":1}}"#).await?;
                }
            }
            for text in std::mem::take(&mut self.say) {
                socket.send(&text).await?;
            }
        }
    }

    fn token(&self) -> Option<&str> {
        let tokens = &self.crowd.tokens;
        tokens.get(self.index % tokens.len().max(1)).map(String::as_str)
    }

    const fn path(&self) -> &'static str {
        match self.protocol {
            Protocol::Ours { .. } => "/api/v2/ws",
            Protocol::Plain => "/",
            Protocol::SocketIo => "/socket.io/?EIO=4&transport=websocket",
        }
    }

    fn hear(&mut self, frame: &[u8]) {
        let frame = match self.protocol {
            Protocol::SocketIo => event_of_socket_io(frame),
            Protocol::Ours { .. } | Protocol::Plain => frame,
        };
        let crowd = self.crowd.clone();
        let mut place = self.place;
        let mut tally = crowd.tally.borrow_mut();
        crowd.reader.frame(frame, &mut place, &mut tally, |document| self.answer(document));
        self.place = place;
        if !self.is_synced && self.reported.is_some_and(|reported| place.next > reported) {
            self.is_synced = true;
            crowd.synced.set(crowd.synced.get() + 1);
        }
    }

    /// Answers a document that is not an event.
    fn answer(&mut self, document: &[u8]) {
        match &self.protocol {
            Protocol::Ours { campaigns, replay } => {
                if document.starts_with(br#"{"type":"connection_ack""#) {
                    for campaign in campaigns {
                        self.say.extend(subscription(campaign, self.place.next - 1, *replay));
                    }
                } else if document.starts_with(br#"{"type":"event_recovery""#) {
                    let text: Value = serde_json::from_slice(document).unwrap_or_default();
                    self.answered(text["data"]["toSequenceNumber"].as_u64().unwrap_or_default());
                }
            }
            Protocol::SocketIo if document.starts_with(b"0{") => self.say.push("40".to_owned()),
            Protocol::SocketIo if document.starts_with(b"40{") => self.answered(0),
            Protocol::SocketIo if document == b"2" => self.say.push("3".to_owned()),
            Protocol::SocketIo | Protocol::Plain => {}
        }
    }

    /// Records the answer with the number at which the subscriber is complete.
    fn answered(&mut self, number: u64) {
        if self.reported.replace(number).is_none() {
            self.crowd.ready.set(self.crowd.ready.get() + 1);
        }
    }
}

/// `connection_init`
pub(crate) fn init(token: Option<&str>) -> String {
    json!({"type": "connection_init", "protocols": ["campaign-sync.v1"], "token": token})
        .to_string()
}

/// The messages that subscribe and request every event after a number.
pub(crate) fn subscription(campaign: &str, last: u64, replay: bool) -> [String; 2] {
    let subscribe = json!({"type": "subscribe_campaign", "campaignId": campaign});
    let mut payload = json!({
        "campaignId": campaign,
        "lastSequenceNumber": last,
        "requestId": "r",
        "reason": if last == 0 { "connect" } else { "reconnect" },
    });
    if replay {
        payload["prefer"] = json!("replay");
    }
    let recover = json!({"type": "request_event_recovery", "payload": payload});
    [subscribe.to_string(), recover.to_string()]
}

/// The document in `42["event",{…}]` or `42["event",{…},"offset"]`; anything else as it is.
pub(crate) fn event_of_socket_io(frame: &[u8]) -> &[u8] {
    const HEAD: &[u8] = b"42[\"event\",";
    match frame.strip_prefix(HEAD) {
        Some(rest) => &rest[..memchr::memrchr(b'}', rest).map_or(0, |at| at + 1)],
        None => frame,
    }
}

/// The loopback address from which a connection is opened.
pub(crate) fn address(index: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, 2 + (index / PER_ADDRESS) as u8)
}
