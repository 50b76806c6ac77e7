//! Routing between the connection and the campaigns, which happens only here. A frame is split into
//! documents, and each document goes to the connection or to its campaign.

mod session;

use super::catalogue::Catalogue;
use super::connection::{Connection, ConnectionEvent, ConnectionState};
use super::context::Context;
use super::encryption::OpenedPart;
use super::identity::Identity;
use super::input::ConnectionId;
use super::log::Level;
use super::notice::Detail;
use super::outcome::{Outcome, Verdict};
use super::status::LinkState;
use super::subscription::Subscription;
use super::subscriptions::Subscriptions;
use super::time::Now;
use crate::protocol::envelope::{Envelope, RawSequence};
use crate::protocol::event::EventKind;
use crate::protocol::frame::Frame;
use crate::protocol::json::{RawStr, Reader};
use crate::protocol::server::{Head, ServerMessage};
use crate::protocol::violation::Violation;
use crate::protocol::{CampaignId, Code, client};

/// The connection, the campaigns and their shared state.
#[derive(Clone, Debug)]
pub(super) struct Router {
    pub(super) cx: Context,
    pub(super) connection: Connection,
    pub(super) subscriptions: Subscriptions,
    pub(super) catalogue: Catalogue,
    pub(super) identity: Identity,
}

impl Router {
    pub(super) fn new(cx: Context) -> Self {
        Self {
            cx,
            connection: Connection::default(),
            subscriptions: Subscriptions::default(),
            catalogue: Catalogue::default(),
            identity: Identity::default(),
        }
    }

    /// The state of the connection as a campaign sees it.
    pub(super) fn link_state(&self) -> LinkState {
        match self.connection.state() {
            ConnectionState::Open(_) => LinkState::Connected,
            ConnectionState::Attempting { .. } => LinkState::Connecting,
            ConnectionState::Failed(code) => LinkState::Failed(*code),
            ConnectionState::Idle | ConnectionState::Closed => LinkState::Off,
        }
    }

    /// Runs `react` on every campaign.
    pub(super) fn each(&mut self, mut react: impl FnMut(&mut Subscription, &mut Context)) {
        for subscription in self.subscriptions.values_mut() {
            react(subscription, &mut self.cx);
        }
    }

    /// Runs `react` on one campaign, if its subscription is active.
    fn with_active(
        &mut self,
        campaign_id: &str,
        react: impl FnOnce(&mut Subscription, &mut Context) -> Verdict,
    ) -> Verdict {
        let link = self.link_state();
        let Self { cx, subscriptions, .. } = self;
        let Some(subscription) = subscriptions.get_mut(campaign_id) else {
            cx.metrics.unsubscribed += 1;
            return Verdict::Unsubscribed;
        };
        if !subscription.is_active() {
            return Verdict::Ignored;
        }
        let verdict = react(subscription, cx);
        subscription.announce_status(cx, link);
        if !subscription.is_active() {
            subscriptions.take_place(cx);
        }
        verdict
    }

    /// Passes a connection event to the campaigns.
    pub(super) fn on_connection_event(&mut self, event: Option<ConnectionEvent>) {
        match event {
            None => {}
            Some(ConnectionEvent::Opened) => {
                self.each(|subscription, cx| subscription.replica_mut().on_open(cx));
                self.catalogue.on_open(&mut self.cx);
                self.cx.log(Level::Info, "connected", Some("v1"), None);
                self.connection.announce(&mut self.cx);
                self.poll_heartbeat();
            }
            Some(ConnectionEvent::Lost) => {
                self.each(|subscription, cx| subscription.replica_mut().on_lost(cx.now.at));
                self.catalogue.on_lost();
            }
            Some(ConnectionEvent::Ended(code)) => {
                self.catalogue.on_lost();
                if code == Code::Forbidden {
                    self.catalogue.clear(&mut self.cx);
                }
                self.each(|subscription, cx| {
                    let replica = subscription.replica_mut();
                    replica.on_lost(cx.now.at);
                    replica.fail_waiters(cx, code);
                    replica.empty_if_refused(cx, code);
                });
                self.connection.announce(&mut self.cx);
            }
            Some(ConnectionEvent::PingSent) => {
                self.each(|subscription, cx| subscription.replica_mut().on_ping(cx.now));
            }
        }
    }

    /// Sends a ping if one is due or requested, or drops the socket if it is dead. Every input ends with it.
    pub(super) fn poll_heartbeat(&mut self) {
        debug_assert_eq!(self.cx.socket, self.connection.open_socket());
        if self.cx.take_requested_ping() {
            self.connection.ping_soon(self.cx.now.at);
        }
        let event = self.connection.poll_heartbeat(&mut self.cx);
        self.on_connection_event(event);
    }

    /// Handles a frame that arrived on a socket.
    pub(super) fn on_frame(&mut self, connection: ConnectionId, frame: Frame<'_>) -> Outcome {
        let mut outcome = Outcome::default();
        if !self.connection.on_received(self.cx.now.at, connection) {
            outcome.ignored_late = true;
            return outcome;
        }
        self.cx.metrics.frames_received += 1;
        self.cx.metrics.bytes_received += frame.len() as u64;
        let applied = self.cx.metrics.applied;
        match frame.documents() {
            Ok(documents) => {
                for document in documents {
                    // An earlier document of this frame may have closed the socket.
                    let Some(negotiating) = self.connection.is_negotiating(connection) else {
                        break;
                    };
                    self.cx.metrics.documents += 1;
                    outcome.verdicts.push(self.on_document(document, negotiating));
                }
            }
            Err(code) => {
                outcome.refused = Some(code);
                self.connection.on_unexpected_document();
                self.refuse(code, None);
            }
        }
        outcome.applied = (self.cx.metrics.applied - applied) as u32;
        outcome
    }

    fn on_document(&mut self, document: &str, negotiating: bool) -> Verdict {
        // Neither the envelope nor the message is moved, because a move is a copy.
        let parsed = Envelope::parse(document);
        let envelope = match &parsed {
            Ok(envelope) => envelope,
            Err(_) if negotiating => return self.on_unexpected_document(),
            Err(code) => return self.refuse(*code, None),
        };
        self.cx.metrics.unknown_members += u64::from(envelope.unknown_members);
        if negotiating {
            // Neither events nor sealed content are allowed yet.
        } else if let Some(sequence) = &envelope.sequence {
            return self.on_sequenced(document, envelope, sequence);
        } else if let Some(verdict) = self.on_sealed_part(envelope) {
            return verdict;
        }
        let mut reader = Reader::new(envelope.data);
        let message = ServerMessage::read(envelope, &mut reader);
        if negotiating && (envelope.sequence.is_some() || !is_allowed_first(&message)) {
            return self.on_unexpected_document();
        }
        match message {
            Ok(Some(ServerMessage::Catalogue { request_id, part })) => {
                let verdict = self.catalogue.on_part(&mut self.cx, request_id, part);
                let Verdict::Refused(code) = verdict else { return verdict };
                self.refuse(code, None)
            }
            Ok(Some(ref message)) => self.on_message(message),
            Ok(None) if EventKind::parse(envelope.kind).is_some() => {
                self.refuse(Code::MissingSequence, None)
            }
            Ok(None) => {
                self.cx.metrics.unknown_types += 1;
                Verdict::Ignored
            }
            Err(code) => self.refuse_for(code, None, reader.violation),
        }
    }

    /// Handles a document that is not allowed before the acknowledgement: it is refused, and the client
    /// continues to wait.
    fn on_unexpected_document(&mut self) -> Verdict {
        self.connection.on_unexpected_document();
        self.refuse(Code::InvalidMessage, None)
    }

    fn on_sequenced(
        &mut self,
        document: &str,
        envelope: &Envelope<'_>,
        sequence: &RawSequence<'_>,
    ) -> Verdict {
        let Self { cx, subscriptions, .. } = self;
        let Some(subscription) = subscriptions.get_mut(sequence.campaign_id()) else {
            cx.metrics.unsubscribed += 1;
            return Verdict::Unsubscribed;
        };
        let verdict = subscription.replica_mut().on_event(cx, document, envelope, sequence);
        subscription.announce_status(cx, LinkState::Connected);
        verdict
    }

    /// Handles a snapshot part whose content is sealed. Returns `None` for documents that are read as
    /// they are.
    fn on_sealed_part(&mut self, envelope: &Envelope<'_>) -> Option<Verdict> {
        let content = match self.cx.encryption.open_part(envelope)? {
            Ok(content) => content,
            Err(code) => return Some(self.refuse(code, None)),
        };
        Some(match content.read() {
            OpenedPart::Opened(part) => self.on_message(&ServerMessage::SnapshotPart(part)),
            OpenedPart::Closed { campaign_id, request_id, why } => {
                self.with_active(&campaign_id.value(), |subscription, cx| {
                    subscription.replica_mut().on_undecryptable_part(cx, request_id, &why)
                })
            }
        })
    }

    fn on_message(&mut self, message: &ServerMessage<'_>) -> Verdict {
        let campaign_id = match message {
            ServerMessage::ConnectionAck { protocol, subject, has_catalogue } => {
                if !self.cx.is_connected() {
                    // The summaries of the catalogue are not sealed.
                    let is_sealed = self.cx.encryption.is_enabled();
                    self.catalogue.set_offered(*has_catalogue && !is_sealed);
                }
                let protocol = protocol.unwrap_or_default().value();
                return self.on_acknowledgement(&protocol, subject.map(RawStr::value).as_deref());
            }
            ServerMessage::Pong { echo, heads, catalogue } => {
                let sent = self.on_pong(*echo, heads);
                self.catalogue.on_pong(&mut self.cx, sent, catalogue.as_ref());
                return Verdict::Control;
            }
            // The caller handles it, because it keeps the part.
            ServerMessage::Catalogue { .. } => return Verdict::Ignored,
            ServerMessage::SessionExpired => {
                let event = self.connection.on_session_expired(&mut self.cx);
                self.on_connection_event(event);
                return Verdict::Control;
            }
            ServerMessage::ServerDraining { retry_after_ms } => {
                self.connection.on_draining(&mut self.cx, *retry_after_ms);
                return Verdict::Control;
            }
            ServerMessage::SubscriptionConfirmed { campaign_id }
            | ServerMessage::SubscriptionEnded { campaign_id, .. } => campaign_id,
            ServerMessage::EventRecovery(answer) => &answer.campaign_id,
            ServerMessage::CampaignDigest(digest) => &digest.campaign_id,
            ServerMessage::SnapshotPart(part) => &part.campaign_id,
            ServerMessage::Error { code, campaign_id, request_id, .. } => {
                self.cx.metrics.refused.count(code.unwrap_or(Code::Internal));
                match campaign_id {
                    Some(campaign_id) => campaign_id,
                    None => return self.on_bare_error(*request_id, message),
                }
            }
        };
        self.with_active(&campaign_id.value(), |subscription, cx| {
            subscription.replica_mut().on_message(cx, message)
        })
    }

    /// Handles an error that names no campaign. Its request id identifies the campaign.
    fn on_bare_error(
        &mut self,
        request_id: Option<RawStr<'_>>,
        message: &ServerMessage<'_>,
    ) -> Verdict {
        let asked =
            |it: &&Subscription| request_id.is_some_and(|id| it.replica().has_requested(id));
        let Some(requester) = self.subscriptions.values().find(asked) else {
            self.on_catalogue_error(request_id, message);
            return Verdict::Control;
        };
        let requester = requester.id().clone();
        self.with_active(requester.as_str(), |subscription, cx| {
            subscription.replica_mut().on_message(cx, message)
        })
    }

    fn on_catalogue_error(&mut self, request_id: Option<RawStr<'_>>, message: &ServerMessage<'_>) {
        let asked = request_id.is_some_and(|id| self.catalogue.has_requested(id));
        if let ServerMessage::Error { code, retry_after_ms, .. } = message
            && asked
        {
            self.catalogue.on_error(&mut self.cx, *code, *retry_after_ms);
        }
    }

    /// Handles a `pong`. Returns the time at which the answered ping was sent.
    fn on_pong(&mut self, echo: Option<u64>, heads: &[Head<'_>]) -> Option<Now> {
        let now = self.cx.now;
        let sent: Option<Now> = echo.and_then(|echo| self.connection.on_pong(echo));
        if let Some(sent) = sent {
            self.cx.metrics.rtt_ms.record(now.at.since(sent.at));
        }
        for head in heads {
            let _counted = self.with_active(&head.campaign_id.value(), |subscription, cx| {
                subscription.replica_mut().on_head(cx, sent, head);
                Verdict::Control
            });
        }
        if let Some(sent) = sent {
            self.each(|subscription, cx| {
                if !heads.iter().any(|head| head.campaign_id.is(subscription.id().as_str())) {
                    subscription.replica_mut().on_no_head(cx, sent);
                }
            });
        }
        sent
    }

    /// Runs everything of the connection and the campaigns whose deadline has passed.
    pub(super) fn on_time(&mut self) {
        let event = self.connection.on_time(&mut self.cx);
        self.on_connection_event(event);
        let Self { cx, subscriptions, catalogue, .. } = self;
        catalogue.on_time(cx);
        let now = cx.now.at;
        while let Some(mut subscription) = subscriptions.remove(|it| it.is_expired(now)) {
            subscription.replica_mut().fail_waiters(cx, Code::Closed);
            cx.send(client::unsubscribe_campaign(subscription.id()));
            subscriptions.take_place(cx);
        }
        for subscription in subscriptions.values_mut() {
            subscription.replica_mut().on_time(cx);
        }
    }

    /// Notifies listeners of every status that changed.
    pub(super) fn announce_statuses(&mut self) {
        let link = self.link_state();
        self.each(|subscription, cx| subscription.announce_status(cx, link));
        self.catalogue.announce_status(&mut self.cx, link);
    }

    /// Counts and reports refused content. The store keeps its state.
    pub(super) fn refuse(&mut self, code: Code, campaign_id: Option<&CampaignId>) -> Verdict {
        self.refuse_for(code, campaign_id, Violation::default())
    }

    /// Like [`Self::refuse`], for a known member.
    pub(super) fn refuse_for(
        &mut self,
        code: Code,
        campaign_id: Option<&CampaignId>,
        violation: Violation,
    ) -> Verdict {
        self.cx.metrics.refused.count(code);
        self.cx.notify(campaign_id, Detail::Rejected { code, violation });
        self.cx.log(Level::Warn, "refused", Some(code.as_str()), None);
        Verdict::Refused(code)
    }
}

/// Whether a server may send this before it acknowledges.
const fn is_allowed_first(message: &Result<Option<ServerMessage<'_>>, Code>) -> bool {
    match message {
        Ok(Some(
            ServerMessage::ConnectionAck { .. }
            | ServerMessage::Error { .. }
            | ServerMessage::SessionExpired
            | ServerMessage::ServerDraining { .. },
        )) => true,
        Ok(Some(
            ServerMessage::SubscriptionConfirmed { .. }
            | ServerMessage::SubscriptionEnded { .. }
            | ServerMessage::EventRecovery(_)
            | ServerMessage::CampaignDigest(_)
            | ServerMessage::SnapshotPart(_)
            | ServerMessage::Catalogue { .. }
            | ServerMessage::Pong { .. },
        ))
        | Ok(None)
        | Err(_) => false,
    }
}
