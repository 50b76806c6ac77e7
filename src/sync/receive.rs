//! Frames: split into documents, each decided by itself.

use super::Now;
use super::connection::Connection;
use super::input::ConnectionId;
use super::log::{Facts, Level};
use super::machine::Machine;
use super::notice::Notice;
use super::outcome::{Outcome, Verdict};
use super::subscription::Subscription;
use crate::protocol::envelope::{Envelope, RawSequence};
use crate::protocol::event::EventKind;
use crate::protocol::frame::Frame;
use crate::protocol::server::{Head, ServerMessage};
use crate::protocol::{CampaignId, Code};

impl Machine {
    /// A frame arrived on the socket that counts.
    pub(super) fn on_frame(&mut self, connection: ConnectionId, frame: Frame<'_>) -> Outcome {
        let mut outcome = Outcome::default();
        if self.connection.socket() != Some(connection) {
            outcome.stale = true;
            return outcome;
        }
        let now = self.cx.now.at;
        let Some(link) = self.connection.link_mut() else {
            outcome.stale = true;
            return outcome;
        };
        link.note_received(now);
        self.cx.metrics.frames_received += 1;
        self.cx.metrics.bytes_received += frame.len() as u64;
        let applied = self.cx.metrics.applied;
        match frame.documents() {
            Ok(documents) => {
                for document in documents {
                    // A document may have closed the socket that carries the rest.
                    if self.connection.socket() != Some(connection) {
                        break;
                    }
                    self.cx.metrics.documents += 1;
                    outcome.verdicts.push(self.on_document(document));
                }
            }
            Err(code) => {
                outcome.refused = Some(code);
                self.refuse(code, None);
            }
        }
        outcome.applied = (self.cx.metrics.applied - applied) as u32;
        if outcome.verdicts.contains(&Verdict::Control) {
            self.on_time();
        } else {
            self.beat();
        }
        outcome
    }

    fn on_document(&mut self, document: &str) -> Verdict {
        match &self.connection {
            Connection::Open { .. } | Connection::Negotiating { .. } => self.on_v1(document),
            Connection::Idle
            | Connection::Waiting { .. }
            | Connection::AskingToken { .. }
            | Connection::Opening { .. }
            | Connection::Failed(_)
            | Connection::Closed => Verdict::Ignored,
        }
    }

    fn on_v1(&mut self, document: &str) -> Verdict {
        let negotiating = matches!(self.connection, Connection::Negotiating { .. });
        let envelope = match Envelope::parse(document) {
            Ok(envelope) => envelope,
            Err(_) if negotiating => return self.refuse(Code::InvalidMessage, None),
            Err(code) => return self.refuse(code, None),
        };
        self.cx.metrics.unknown_members += u64::from(envelope.unknown_members);
        if let Some(sequence) = &envelope.sequence {
            if negotiating {
                return self.refuse(Code::InvalidMessage, None);
            }
            return self.on_sequenced(document, &envelope, sequence);
        }
        if let Some(verdict) = self.on_sealed_message(&envelope) {
            return verdict;
        }
        match ServerMessage::decode(&envelope) {
            Ok(Some(message)) => {
                let may_come_first = matches!(
                    message,
                    ServerMessage::ConnectionAck { .. }
                        | ServerMessage::Error { .. }
                        | ServerMessage::SessionExpired
                        | ServerMessage::ServerDraining { .. }
                );
                if negotiating && !may_come_first {
                    return self.refuse(Code::InvalidMessage, None);
                }
                self.on_message(&message)
            }
            Ok(None) | Err(_) if negotiating => self.refuse(Code::InvalidMessage, None),
            Ok(None) if EventKind::parse(envelope.kind).is_some() => {
                self.refuse(Code::MissingSequence, None)
            }
            Ok(None) => {
                self.cx.metrics.unknown_types += 1;
                Verdict::Ignored
            }
            Err(code) => self.refuse(code, None),
        }
    }

    fn on_sequenced(
        &mut self,
        document: &str,
        envelope: &Envelope<'_>,
        sequence: &RawSequence<'_>,
    ) -> Verdict {
        let Some(subscription) = self.subscriptions.get_mut(sequence.campaign_id()) else {
            self.cx.metrics.unsubscribed += 1;
            return Verdict::Unsubscribed;
        };
        let verdict = subscription.on_event(&mut self.cx, document, envelope, sequence);
        subscription.announce_status(&mut self.cx, true);
        verdict
    }

    pub(super) fn on_message(&mut self, message: &ServerMessage<'_>) -> Verdict {
        match message {
            ServerMessage::ConnectionAck { protocol } => {
                if self.cx.sealing.speaks(protocol.as_deref()) {
                    self.on_acknowledged();
                } else if !self.refuses_plain() {
                    self.on_other_protocol();
                }
                Verdict::Control
            }
            ServerMessage::SubscriptionConfirmed { campaign_id } => {
                self.with(campaign_id, |_, _| Verdict::Control)
            }
            ServerMessage::SubscriptionEnded { campaign_id, reason } => {
                self.with(campaign_id, |subscription, cx| {
                    match reason.as_ref() {
                        "unsubscribed" => return Verdict::Ignored,
                        "forbidden" | "revoked" => subscription.fail(cx, Code::Forbidden),
                        reason => subscription.end(cx, reason),
                    }
                    Verdict::Control
                })
            }
            ServerMessage::EventRecovery(answer) => self
                .with(&answer.campaign_id, |subscription, cx| subscription.on_recovery(cx, answer)),
            ServerMessage::CampaignDigest(digest) => self
                .with(&digest.campaign_id, |subscription, cx| subscription.on_digest(cx, digest)),
            ServerMessage::SnapshotPart(part) => self
                .with(&part.campaign_id, |subscription, cx| {
                    subscription.on_snapshot_part(cx, part)
                }),
            ServerMessage::Pong { echo, heads } => self.on_pong(*echo, heads),
            ServerMessage::Error { code, campaign_id, request_id, retry_after_ms } => {
                self.cx.metrics.refused.count(code.unwrap_or(Code::Internal));
                let request_id = request_id.as_deref();
                // The request alone says as well whose it was.
                let asked = |it: &&Subscription| {
                    request_id.is_some_and(|id| it.has_asked(id)) && !planted!(BareErrorUnheard)
                };
                let asker = || self.subscriptions.values().find(asked).map(|it| it.id.clone());
                let campaign_id = match campaign_id {
                    Some(campaign_id) => campaign_id.to_string(),
                    None => match asker() {
                        Some(asker) => asker.as_str().to_owned(),
                        None => return Verdict::Control,
                    },
                };
                self.with(&campaign_id, |subscription, cx| {
                    subscription.on_error(cx, *code, request_id, *retry_after_ms);
                    Verdict::Control
                })
            }
            ServerMessage::SessionExpired => {
                self.on_session_expired();
                Verdict::Control
            }
            ServerMessage::ServerDraining { retry_after_ms } => {
                self.on_draining(*retry_after_ms);
                Verdict::Control
            }
        }
    }

    fn on_pong(&mut self, echo: Option<u64>, heads: &[Head<'_>]) -> Verdict {
        let now = self.cx.now;
        let sent: Option<Now> =
            echo.and_then(|echo| self.connection.link_mut().and_then(|link| link.answered(echo)));
        let sent = if planted!(ProofDatedLate) { sent.map(|_| now) } else { sent };
        if let Some(sent) = sent {
            self.cx.metrics.rtt_ms.record(now.at.since(sent.at));
        }
        for head in heads {
            let _counted = self.with(&head.campaign_id, |subscription, cx| {
                subscription.on_head(cx, sent, head);
                Verdict::Control
            });
        }
        if let Some(sent) = sent {
            for subscription in self.subscriptions.values_mut() {
                if !heads.iter().any(|head| head.campaign_id == subscription.id.as_str()) {
                    subscription.on_no_head(&mut self.cx, sent);
                }
            }
        }
        Verdict::Control
    }

    /// Runs `react` on a campaign that is held and can be followed.
    pub(super) fn with(
        &mut self,
        campaign_id: &str,
        react: impl FnOnce(&mut Subscription, &mut super::context::Context) -> Verdict,
    ) -> Verdict {
        let Some(subscription) = self.subscriptions.get_mut(campaign_id) else {
            self.cx.metrics.unsubscribed += 1;
            return Verdict::Unsubscribed;
        };
        if subscription.fate != super::subscription::Fate::Open {
            return Verdict::Ignored;
        }
        let verdict = react(subscription, &mut self.cx);
        subscription.announce_status(&mut self.cx, true);
        verdict
    }

    /// Counts and tells that something was not understood. The store keeps its state.
    pub(super) fn refuse(&mut self, code: Code, campaign_id: Option<CampaignId>) -> Verdict {
        self.cx.metrics.refused.count(code);
        self.cx.notify(Notice::Rejected { code, campaign_id });
        self.cx.log(
            Level::Warn,
            "refused",
            Facts { detail: Some(code.as_str()), ..Facts::default() },
        );
        Verdict::Refused(code)
    }
}
