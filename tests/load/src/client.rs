//! The real client: the crate's state machine, driven by its three verbs, over a socket that the generator
//! can kill.

use std::cell::{Cell, Ref, RefCell};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use campaign_sync::protocol::CampaignId;
use campaign_sync::protocol::frame::Frame;
use campaign_sync::sync::input::{ConnectionId, Wake};
use campaign_sync::sync::{Config, Input, Machine, Now, Status, Timestamp};
use campaign_sync_support::socket_effects::{SocketEffect, next_socket_effect};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::record::recording::{Direction, Recording};
use crate::socket::Socket;
use crate::tally::wall_ms;

/// The close code of a connection that broke.
const BROKE: u16 = 1006;

/// The state of a client's network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Network {
    #[default]
    Up,
    /// Attempts to connect fail at once.
    Refusing,
    /// An attempt to connect waits until the network is up.
    Stalled,
}

/// Controls a client's network, and records the client's progress.
#[derive(Debug, Default)]
pub(crate) struct Line {
    network: Cell<Network>,
    /// The network is back, and the client has not yet received the `online` event of a page.
    online: Cell<bool>,
    changed: Notify,
    pub(crate) seen: RefCell<Seen>,
    /// Every frame of the client, on a line that records.
    recording: Option<RefCell<Recording>>,
}

/// The progress of a client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) is_live: bool,
    pub(crate) position: u64,
    /// Events applied, and numbers that the position skipped without applying an event.
    pub(crate) applied: u64,
    pub(crate) skipped: u64,
    /// Events that arrived repeatedly or late. The client applied none of them.
    pub(crate) repeated: u64,
    pub(crate) snapshots: u64,
    pub(crate) reconnects: u64,
}

impl Line {
    /// A line that records every frame.
    pub(crate) fn recorded() -> Self {
        Self { recording: Some(RefCell::default()), ..Self::default() }
    }

    /// The frames so far, or `None` if the line does not record.
    pub(crate) fn recording(&self) -> Option<Ref<'_, Recording>> {
        self.recording.as_ref().map(RefCell::borrow)
    }

    /// Kills the socket. New connections fail.
    pub(crate) fn cut(&self) {
        self.set(Network::Refusing);
    }

    /// Kills the socket; the next one opens after [`Line::mend`].
    pub(crate) fn stall(&self) {
        self.set(Network::Stalled);
    }

    /// Makes connections possible again, without an event for the client.
    pub(crate) fn mend(&self) {
        self.set(Network::Up);
    }

    fn set(&self, network: Network) {
        self.network.set(network);
        self.changed.notify_one();
    }

    /// Makes connections possible again, and notifies the client.
    pub(crate) fn come_online(&self) {
        self.mend();
        self.online.set(true);
        self.changed.notify_one();
    }
}

/// A client of one campaign.
pub(crate) struct Client {
    machine: Machine,
    campaign: CampaignId,
    started: Instant,
    line: Rc<Line>,
    to: SocketAddr,
    socket: Option<(ConnectionId, Socket)>,
    wanted: Option<ConnectionId>,
    say: Vec<String>,
}

impl Client {
    /// Starts a client in a separate task.
    pub(crate) fn spawn(seed: u64, to: SocketAddr, campaign: &CampaignId, line: Rc<Line>) {
        let mut client = Self {
            machine: Machine::new(Config::default(), seed),
            campaign: campaign.clone(),
            started: Instant::now(),
            line,
            to,
            socket: None,
            wanted: None,
            say: Vec::new(),
        };
        tokio::task::spawn_local(async move {
            client.handle(Input::Retain(client.campaign.clone()));
            client.handle(Input::Connect);
            loop {
                client.run_once().await;
            }
        });
    }

    fn now(&self) -> Now {
        // The client's clock does not begin with 0.
        let at = Timestamp(1_000 + self.started.elapsed().as_millis() as u64);
        Now { at, wall_ms: wall_ms() as i64 }
    }

    fn handle(&mut self, input: Input<'_>) {
        let before = self.position();
        let outcome = self.machine.handle(self.now(), input);
        let (after, metrics) = (self.position(), self.machine.metrics());
        let mut seen = self.line.seen.borrow_mut();
        seen.applied += u64::from(outcome.applied);
        seen.skipped += (after - before).saturating_sub(outcome.applied.into());
        seen.repeated = metrics.duplicates + metrics.out_of_order + metrics.redelivered;
        seen.snapshots = metrics.snapshots;
        seen.reconnects = metrics.connects.saturating_sub(1);
        seen.position = after;
        drop(seen);
        self.effects();
        let status = self.machine.status(self.campaign.as_str(), self.now());
        self.line.seen.borrow_mut().is_live = status == Some(Status::Live);
    }

    fn position(&self) -> u64 {
        let subscription = self.machine.subscription(self.campaign.as_str());
        let position = subscription.and_then(|it| it.store().position());
        position.map_or(0, |position| position.sequence_number.get())
    }

    fn effects(&mut self) {
        while let Some(effect) = next_socket_effect(&mut self.machine) {
            match effect {
                SocketEffect::Open(socket) => self.wanted = Some(socket),
                SocketEffect::Send(text) => self.say.push(text),
                SocketEffect::Close => {
                    (self.socket, self.wanted) = (None, None);
                    self.say.clear();
                }
            }
        }
    }

    /// Opens the socket, sends frames, or waits for the next input.
    async fn run_once(&mut self) {
        let network = self.line.network.get();
        if network != Network::Up
            && let Some((id, socket)) = self.socket.take()
        {
            socket.kill();
            self.say.clear();
            return self.closed(id);
        }
        if self.line.online.take() {
            self.handle(Input::Woke(Wake::Online));
        }
        if network != Network::Stalled
            && let Some(id) = self.wanted.take()
        {
            return self.open(id).await;
        }
        if let Some(id) = self.flush().await {
            return self.closed(id);
        }
        self.wait().await;
    }

    /// Writes the frames that the machine wants to send. Returns the socket if it broke.
    async fn flush(&mut self) -> Option<ConnectionId> {
        let (id, mut socket) = self.socket.take()?;
        for text in std::mem::take(&mut self.say) {
            if socket.send(&text).await.is_err() {
                return Some(id);
            }
            self.record(id, Direction::Sent, &text);
        }
        self.socket = Some((id, socket));
        None
    }

    fn closed(&mut self, id: ConnectionId) {
        self.record(id, Direction::Closed, &BROKE.to_string());
        self.handle(Input::Closed(id, BROKE));
    }

    fn record(&self, id: ConnectionId, direction: Direction, frame: &str) {
        if let Some(recording) = &self.line.recording {
            let at_ms = self.started.elapsed().as_millis() as u64;
            recording.borrow_mut().add(at_ms, id.0, direction, frame);
        }
    }

    async fn open(&mut self, id: ConnectionId) {
        if self.line.network.get() == Network::Up
            && let Ok(socket) = Socket::connect(Ipv4Addr::LOCALHOST, self.to, "/api/v2/ws").await
        {
            self.socket = Some((id, socket));
            return self.handle(Input::Opened(id));
        }
        self.handle(Input::Closed(id, BROKE));
    }

    async fn wait(&mut self) {
        let timer = match self.machine.poll_timeout() {
            Some(due) => Instant::now() + Duration::from_millis(due.since(self.now().at)),
            None => Instant::now() + Duration::from_secs(3_600),
        };
        let line = self.line.clone();
        let mut socket = self.socket.take();
        // A page receives the frames one by one too.
        let mut frames: Vec<Vec<u8>> = Vec::new();
        let received = async {
            match &mut socket {
                Some((_, socket)) => socket.receive(|frame| frames.push(frame.to_vec())).await,
                None => std::future::pending().await,
            }
        };
        let open = tokio::select! {
            received = received => Some(received.unwrap_or(false)),
            () = line.changed.notified() => None,
            () = sleep_until(timer) => None,
        };
        let id = socket.as_ref().map(|(id, _)| *id);
        self.socket = socket;
        let Some(id) = id else { return self.handle(Input::Woke(Wake::Timer)) };
        for frame in frames {
            self.record(id, Direction::Received, &String::from_utf8_lossy(&frame));
            self.handle(Input::Received(id, Frame::Binary(&frame)));
            if let Some(id) = self.flush().await {
                return self.closed(id);
            }
        }
        match open {
            Some(true) => {}
            Some(false) => {
                self.socket = None;
                self.closed(id);
            }
            None => self.handle(Input::Woke(Wake::Timer)),
        }
    }
}
