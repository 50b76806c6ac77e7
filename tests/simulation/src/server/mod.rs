//! The model server: logs, sessions, snapshots. It is as simple as the contract allows.

pub(crate) mod catalogue;
pub(crate) mod cursor;
pub(crate) mod log;
pub(crate) mod message;
pub(crate) mod rows;
pub(crate) mod session;
pub(crate) mod state;
pub(crate) mod wire;

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::rc::Rc;

use catalogue::Catalogue;
use log::{Campaign, View};
use serde_json::Value;
use session::Session;

use super::network::LinkId;
use super::reference::{Core, ServerSocket};
use super::users::Owners;

/// A snapshot is held this long after its last use.
const SNAPSHOT_TTL_MS: u64 = 60_000;

/// One document that the server writes.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) text: Rc<str>,
    pub(crate) kind: Kind,
}

/// The kind of a document, as far as faults treat kinds differently.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// An event: its campaign and its number. The event's hash protects it.
    Event(Rc<str>, u64),
    /// The answer to `connection_init`. It is never lost, because the client would only try again.
    Greeting,
    /// A part of a snapshot.
    Part,
    /// A part of the list of campaigns.
    Catalogue,
    /// A `pong`.
    Pong,
    /// Any other control message.
    Control,
}

impl Document {
    /// An event.
    pub(crate) fn event(text: Rc<str>, campaign: &str, number: u64) -> Self {
        Self { text, kind: Kind::Event(campaign.into(), number) }
    }

    /// A control message.
    pub(crate) fn control(now_ms: u64, kind: &str, data: &Value) -> Self {
        let text = wire::control(now_ms, kind, &data.to_string()).into();
        let kind = match kind {
            "connection_ack" => Kind::Greeting,
            "pong" => Kind::Pong,
            _ => Kind::Control,
        };
        Self { text, kind }
    }

    /// A part of a snapshot.
    pub(crate) fn part(now_ms: u64, part: &str, request: Option<&str>) -> Self {
        let data = wire::finish_part(part, request);
        let text = wire::control(now_ms, "campaign.snapshot", &data).into();
        Self { text, kind: Kind::Part }
    }

    /// Whether it is an answer, and not just an event or a heartbeat.
    pub(crate) const fn is_an_answer(&self) -> bool {
        matches!(self.kind, Kind::Part | Kind::Catalogue | Kind::Control)
    }
}

/// The part of the logs that one connection sees.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReplicaLag {
    /// The delay with which the connection sees everything.
    pub(crate) lag_ms: u64,
    /// Whether the connection knows the head of the log without the delay.
    pub(crate) lag_known: bool,
}

/// The server's behaviour in one simulation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerBehaviour {
    /// Rows of one snapshot part.
    pub(crate) part_rows: usize,
    /// Events that are written at once.
    pub(crate) batch: u64,
    /// Replays longer than this become snapshots.
    pub(crate) replay_max: u64,
    /// How its replays keep or break the contract.
    pub(crate) replays: Replays,
    /// Whether a reader that lags behind history is disconnected.
    pub(crate) closes_laggards: bool,
    /// Whether its content is sealed.
    pub(crate) seals: bool,
}

/// How replays keep or break the contract. A server that breaks it does so until the end of the
/// simulation, and the client must cope with that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replays {
    /// From the number after the requested one up to the head.
    Whole,
    /// The rest of history, if the requested part of it was truncated.
    LeftOver,
    /// Cut short: the answer states that the replay reaches the head, but the last events are left out.
    CutShort,
    /// From this many numbers before the requested one.
    Overlapping(u64),
    /// A client that is up to date is sent a head that is this many numbers lower, as by a lagging
    /// replica. The server corrects the head with its next message.
    Behind(u64),
}

impl Display for Replays {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => to.write_str("whole"),
            Self::LeftOver => to.write_str("left-over"),
            Self::CutShort => to.write_str("cut-short"),
            Self::Overlapping(numbers) => write!(to, "overlapping:{numbers}"),
            Self::Behind(numbers) => write!(to, "behind:{numbers}"),
        }
    }
}

/// The state that sessions share.
#[derive(Debug)]
pub(crate) struct Storage {
    /// The campaigns, by id.
    pub(crate) campaigns: BTreeMap<String, Campaign>,
    /// The server's behaviour.
    pub(crate) behaviour: ServerBehaviour,
    /// The owners of the campaigns.
    pub(crate) owners: Owners,
    /// The list of campaigns.
    pub(crate) catalogue: Catalogue,
    snapshots: Vec<Held>,
}

/// A complete snapshot, in parts.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The epoch of the log.
    pub(crate) epoch: Rc<str>,
    /// The number whose state it holds.
    pub(crate) at: u64,
    /// The data of each part, without its end.
    pub(crate) parts: Vec<Rc<str>>,
}

#[derive(Debug)]
struct Held {
    campaign: String,
    until_ms: u64,
    snapshot: Rc<Snapshot>,
}

/// The server's end of a connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Whether the next write is already planned.
    pub(crate) writing: bool,
    /// Until this time the socket takes long between two frames.
    pub(crate) slow_until_ms: u64,
    /// The session at this end.
    pub(crate) speaker: ServerEnd,
}

/// The session at the server's end of a connection.
#[derive(Debug)]
pub(crate) enum ServerEnd {
    /// A session of the model server.
    Model(Session),
    /// A session of the reference server.
    Core(Box<ServerSocket>),
}

impl Connection {
    /// A connection without any message yet.
    pub(crate) const fn new(speaker: ServerEnd) -> Self {
        Self { writing: false, slow_until_ms: 0, speaker }
    }

    /// Forgets a subscription, if the session supports it. Returns whether there was one.
    pub(crate) fn forget(&mut self, index: u64) -> bool {
        match &mut self.speaker {
            ServerEnd::Model(session) => session.forget(index),
            ServerEnd::Core(_) => false,
        }
    }

    /// Whether there may be something to write since the last call.
    pub(crate) fn is_woken(&self) -> bool {
        match &self.speaker {
            ServerEnd::Model(_) => true,
            ServerEnd::Core(socket) => socket.is_woken(),
        }
    }
}

/// The server.
#[derive(Debug)]
pub(crate) struct Server {
    /// The state that sessions share.
    pub(crate) storage: Storage,
    /// The open connections.
    pub(crate) sessions: BTreeMap<LinkId, Connection>,
    /// The core of the reference server, if it takes the place of the model.
    pub(crate) core: Option<Core>,
    /// After a kill, the server is down until this time.
    pub(crate) down_until_ms: u64,
}

impl Server {
    /// A server without campaigns.
    pub(crate) fn new(behaviour: ServerBehaviour, core: Option<Core>) -> Self {
        let (campaigns, owners) = (BTreeMap::new(), Owners::default());
        let catalogue = Catalogue::new(std::iter::once(None));
        let storage = Storage { campaigns, behaviour, owners, catalogue, snapshots: Vec::new() };
        Self { storage, sessions: BTreeMap::new(), core, down_until_ms: 0 }
    }

    /// Kills the server: sockets and held snapshots are lost, logs are not.
    pub(crate) fn kill(&mut self, until_ms: u64) {
        self.sessions.clear();
        if let Some(core) = &mut self.core {
            core.kill();
        }
        self.storage.snapshots.clear();
        self.storage.catalogue.forget();
        self.down_until_ms = until_ms;
    }
}

impl Storage {
    /// The view that a connection has of a campaign.
    pub(crate) fn view(&self, campaign: &str, now_ms: u64, sees: ReplicaLag) -> Option<View<'_>> {
        let campaign = self.campaigns.get(campaign)?;
        Some(campaign.view(now_ms, sees.lag_ms, sees.lag_known))
    }

    /// Takes a snapshot of the campaign and holds it for clients that request the rest of it later.
    pub(crate) fn take(&mut self, now_ms: u64, id: &str, sees: ReplicaLag) -> Option<Rc<Snapshot>> {
        let view = self.view(id, now_ms, sees)?;
        let (log, at) = (view.log, view.head);
        let (epoch, event) = (log.epoch.clone(), log.event_id(at));
        let place =
            wire::EventPosition { campaign: id, epoch: &epoch, number: at, event, previous: None };
        let parts = wire::snapshot(place, view.state(), None, self.behaviour.part_rows);
        let snapshot = Rc::new(Snapshot { epoch: epoch.clone(), at, parts });
        let (campaign, until_ms) = (id.to_owned(), now_ms + SNAPSHOT_TTL_MS);
        self.snapshots.retain(|held| held.until_ms > now_ms);
        self.snapshots.push(Held { campaign, until_ms, snapshot: snapshot.clone() });
        Some(snapshot)
    }

    /// The snapshot of exactly that number, if it is still held.
    pub(crate) fn held(
        &mut self,
        now_ms: u64,
        campaign: &str,
        epoch: &str,
        at: u64,
    ) -> Option<Rc<Snapshot>> {
        let same = |held: &&mut Held| {
            held.campaign == campaign
                && &*held.snapshot.epoch == epoch
                && held.snapshot.at == at
                && held.until_ms > now_ms
        };
        let held = self.snapshots.iter_mut().rev().find(same)?;
        held.until_ms = now_ms + SNAPSHOT_TTL_MS;
        Some(held.snapshot.clone())
    }

    /// Forgets the snapshots of a campaign whose state was changed without an event.
    pub(crate) fn forget(&mut self, campaign: &str) {
        self.snapshots.retain(|held| held.campaign != campaign);
    }
}
