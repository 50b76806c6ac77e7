//! The model server: logs, sessions, snapshots. As simple as it can be while it keeps the contract.

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

use log::{Campaign, View};
use serde_json::Value;
use session::Session;

use super::network::LinkId;
use super::reference::{Core, ServerSocket};

/// A snapshot is held this long after it was last asked for.
const SNAPSHOT_TTL_MS: u64 = 60_000;

/// One document that the server writes.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    /// Its text.
    pub(crate) text: Rc<str>,
    /// What it is.
    pub(crate) kind: Kind,
}

/// What a document is, as far as faults treat it differently.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// An event, whose hash protects it: of that campaign, with that number.
    Event(Rc<str>, u64),
    /// The answer to `connection_init`, which is never lost: the client would only try again.
    Greeting,
    /// A part of a snapshot.
    Part,
    /// A `pong`.
    Pong,
    /// Any other.
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

    /// Whether it answers something, and is not just an event or a sign of life.
    pub(crate) const fn is_an_answer(&self) -> bool {
        matches!(self.kind, Kind::Part | Kind::Control)
    }
}

/// How much of the logs one connection sees.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sees {
    /// Everything, so much later.
    pub(crate) lag_ms: u64,
    /// How far the log goes is known at once.
    pub(crate) lag_known: bool,
}

/// How the server goes about its work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerBehaviour {
    /// Rows of one snapshot part.
    pub(crate) part_rows: usize,
    /// Events written in one go.
    pub(crate) batch: u64,
    /// Replays longer than this become snapshots.
    pub(crate) replay_max: u64,
    /// Whether its replays are what was asked for.
    pub(crate) replays: Replays,
    /// Whether a reader that lags behind history is let go.
    pub(crate) closes_laggards: bool,
    /// Whether its content is sealed.
    pub(crate) seals: bool,
}

/// How replays keep the contract, or break it. A server that breaks it does so to the very end: a
/// client must get by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replays {
    /// From the number after the one that was asked for, up to the head.
    Whole,
    /// Where history was truncated, what is left of it.
    LeftOver,
    /// Cut short: said to reach up to the head, and the last events are left out.
    CutShort,
    /// Begun so many numbers before the one that was asked for.
    Overlapping(u64),
    /// Who is up to date is told of a head so many numbers before, as by a replica that lags; it has
    /// caught up as soon as it says more.
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

/// What sessions share.
#[derive(Debug)]
pub(crate) struct Storage {
    /// The campaigns, by id.
    pub(crate) campaigns: BTreeMap<String, Campaign>,
    /// How the server goes about its work.
    pub(crate) behaviour: ServerBehaviour,
    snapshots: Vec<Held>,
}

/// A complete snapshot, in parts.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The log.
    pub(crate) epoch: Rc<str>,
    /// The number whose state it is.
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

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Whether a time to write is set already.
    pub(crate) writing: bool,
    /// Until then the socket takes long between two frames.
    pub(crate) slow_until_ms: u64,
    /// Who speaks there.
    pub(crate) speaker: Speaker,
}

/// Who speaks at the server's end of a connection.
#[derive(Debug)]
pub(crate) enum Speaker {
    /// The model.
    Model(Session),
    /// A session of the reference server.
    Core(Box<ServerSocket>),
}

impl Connection {
    /// Nobody has said anything yet.
    pub(crate) const fn new(speaker: Speaker) -> Self {
        Self { writing: false, slow_until_ms: 0, speaker }
    }

    /// A subscription is forgotten, where that can be. Tells whether there was one.
    pub(crate) fn forget(&mut self, index: u64) -> bool {
        match &mut self.speaker {
            Speaker::Model(session) => session.forget(index),
            Speaker::Core(_) => false,
        }
    }

    /// Whether there may be something to write since the last time.
    pub(crate) fn is_woken(&self) -> bool {
        match &self.speaker {
            Speaker::Model(_) => true,
            Speaker::Core(socket) => socket.is_woken(),
        }
    }
}

/// The server.
#[derive(Debug)]
pub(crate) struct Server {
    /// What sessions share.
    pub(crate) storage: Storage,
    /// The open connections.
    pub(crate) sessions: BTreeMap<LinkId, Connection>,
    /// The server that is really there, where it is not the model.
    pub(crate) core: Option<Core>,
    /// Down until then, after it was killed.
    pub(crate) down_until_ms: u64,
}

impl Server {
    /// A server without campaigns.
    pub(crate) const fn new(behaviour: ServerBehaviour, core: Option<Core>) -> Self {
        let storage = Storage { campaigns: BTreeMap::new(), behaviour, snapshots: Vec::new() };
        Self { storage, sessions: BTreeMap::new(), core, down_until_ms: 0 }
    }

    /// Dies: sockets and held snapshots are gone, logs are not.
    pub(crate) fn kill(&mut self, until_ms: u64) {
        self.sessions.clear();
        if let Some(core) = &mut self.core {
            core.kill();
        }
        self.storage.snapshots.clear();
        self.down_until_ms = until_ms;
    }
}

impl Storage {
    /// What a connection sees of a campaign.
    pub(crate) fn view(&self, campaign: &str, now_ms: u64, sees: Sees) -> Option<View<'_>> {
        let campaign = self.campaigns.get(campaign)?;
        Some(campaign.view(now_ms, sees.lag_ms, sees.lag_known))
    }

    /// A snapshot of the campaign as it is now, held for those who come back for the rest.
    pub(crate) fn take(&mut self, now_ms: u64, id: &str, sees: Sees) -> Option<Rc<Snapshot>> {
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

    /// Forgets a campaign's snapshots: its state was changed behind the log's back.
    pub(crate) fn forget(&mut self, campaign: &str) {
        self.snapshots.retain(|held| held.campaign != campaign);
    }
}
