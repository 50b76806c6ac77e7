//! The real client: the machine of the crate itself, driven by its three verbs over a socket that can be
//! taken away from it.

use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use campaign_sync::protocol::CampaignId;
use campaign_sync::protocol::frame::Frame;
use campaign_sync::sync::input::{ConnectionId, Wake};
use campaign_sync::sync::{Config, Effect, Input, Machine, Now, Status, Timestamp};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::socket::Socket;
use crate::tally::wall_ms;

/// The close code of a connection that broke.
const BROKE: u16 = 1006;

/// What can be done to a client's network, and what became of the client.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// While it is, nothing gets through.
    dark: Cell<bool>,
    /// The client has yet to be told that it is not any more, as pages are.
    online: Cell<bool>,
    changed: Notify,
    pub(crate) seen: RefCell<Seen>,
}

/// What became of a client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) is_live: bool,
    pub(crate) position: u64,
    /// Events applied, and how many numbers the position passed by more than one event at a time.
    pub(crate) applied: u64,
    pub(crate) skipped: u64,
    /// Events that arrived again, or late; none of them was applied.
    pub(crate) repeated: u64,
    pub(crate) snapshots: u64,
    pub(crate) reconnects: u64,
}

impl Line {
    /// Kills the socket, and lets none be opened.
    pub(crate) fn cut(&self) {
        self.dark.set(true);
        self.changed.notify_one();
    }

    /// Connections are possible again; nobody says so.
    pub(crate) fn mend(&self) {
        self.dark.set(false);
    }

    /// The network is back, and the client hears of it.
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
    /// Starts one as a task of its own.
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
                client.turn().await;
            }
        });
    }

    fn now(&self) -> Now {
        // A clock of its own that does not begin with 0.
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
        let position = subscription.and_then(|it| it.store.position());
        position.map_or(0, |position| position.sequence_number.get())
    }

    fn effects(&mut self) {
        while let Some(effect) = self.machine.poll_effect() {
            match effect {
                Effect::Open(socket) => self.wanted = Some(socket),
                Effect::Send(_, text) => self.say.push(text),
                Effect::CloseSocket(..) => {
                    self.socket = None;
                    self.say.clear();
                }
                Effect::Changed => drop(self.machine.take_changes()),
                Effect::RequestToken(_)
                | Effect::FetchSnapshot(..)
                | Effect::Notify(_)
                | Effect::Settle(..)
                | Effect::Log(_) => {}
            }
        }
    }

    /// Opens, says, or waits for whatever comes first.
    async fn turn(&mut self) {
        if self.line.dark.get()
            && let Some((id, socket)) = self.socket.take()
        {
            socket.kill();
            self.say.clear();
            return self.handle(Input::Closed(id, BROKE));
        }
        if self.line.online.take() {
            self.handle(Input::Woke(Wake::Online));
        }
        if let Some(id) = self.wanted.take() {
            return self.open(id).await;
        }
        if let Some((id, socket)) = &mut self.socket {
            for text in std::mem::take(&mut self.say) {
                if socket.send(&text).await.is_err() {
                    let id = *id;
                    self.socket = None;
                    return self.handle(Input::Closed(id, BROKE));
                }
            }
        }
        self.wait().await;
    }

    async fn open(&mut self, id: ConnectionId) {
        if !self.line.dark.get()
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
        // A page has the frames one by one, too.
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
            self.handle(Input::Received(id, Frame::Binary(&frame)));
        }
        match open {
            Some(true) => {}
            Some(false) => {
                self.socket = None;
                self.handle(Input::Closed(id, BROKE));
            }
            None => self.handle(Input::Woke(Wake::Timer)),
        }
    }
}
