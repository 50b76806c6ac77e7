//! Sealed content: opened when it is next, and never shown unless it opens where it belongs.
//!
//! Once the application has said that content is sealed, nothing plain is taken any more: a server, or
//! somebody on the way, cannot talk the client out of it.

use std::borrow::Cow;

use super::connection::Connection;
use super::context::Context;
use super::machine::Machine;
use super::notice::Notice;
use super::outcome::Verdict;
use super::recovery::Recovery;
use super::repair::Repair;
use super::subscription::{Fate, Subscription};
use crate::protocol::client::{self, Reason};
use crate::protocol::envelope::{Envelope, RawSequence};
use crate::protocol::limits::{PROTOCOL_V1, PROTOCOL_V1_SEALED};
use crate::protocol::seal::{Key, KeyId, Keys, Sealed, SealedPart, route};
use crate::protocol::server::ServerMessage;
use crate::protocol::{CampaignId, Code};

/// Whether content is sealed, and the keys to open it.
#[derive(Clone, Debug, Default)]
pub struct Sealing {
    /// None while content is plain.
    keys: Option<Keys>,
}

impl Sealing {
    /// Whether content is sealed.
    pub const fn is_on(&self) -> bool {
        self.keys.is_some()
    }

    /// Whether that is what this client speaks.
    pub(super) fn speaks(&self, protocol: Option<&str>) -> bool {
        protocol == Some(if self.is_on() { PROTOCOL_V1_SEALED } else { PROTOCOL_V1 })
    }

    /// `connection_init`, which says so.
    ///
    /// # Errors
    /// As [`client::connection_init`].
    pub(super) fn connection_init(&self, token: Option<&str>) -> Result<String, Code> {
        if self.is_on() {
            client::connection_init_sealed(token)
        } else {
            client::connection_init(token)
        }
    }

    /// Opens the snapshot that the application fetched.
    ///
    /// # Errors
    /// As [`Keys::open_answer`].
    pub(super) fn open_fetched<'a>(
        &self,
        campaign_id: &CampaignId,
        json: &'a str,
    ) -> Result<Cow<'a, str>, Code> {
        let Some(keys) = &self.keys else { return Ok(json.into()) };
        let (answer, _) = keys.open_answer(campaign_id.as_str(), route::SNAPSHOT, json)?;
        Ok(answer.into())
    }
}

impl Machine {
    /// The keys at hand, for opening what the application received by other ways.
    pub const fn keys(&self) -> Option<&Keys> {
        self.cx.sealing.keys.as_ref()
    }

    /// From now on content is sealed.
    pub(super) fn on_seal(&mut self) {
        self.cx.sealing.keys.get_or_insert_default();
    }

    /// Another key is at hand: what waited for one is tried again.
    pub(super) fn on_key(&mut self, kid: KeyId, key: Key) {
        self.cx.sealing.keys.get_or_insert_default().add(kid, key);
        for subscription in self.subscriptions.values_mut() {
            subscription.on_key(&mut self.cx);
        }
    }

    /// The server has acknowledged that it speaks something else. Tells whether that is final.
    pub(super) fn refuses_plain(&mut self) -> bool {
        if self.cx.sealing.is_on() && matches!(self.connection, Connection::Negotiating { .. }) {
            self.give_up(Code::NotSealed);
        }
        self.cx.sealing.is_on()
    }

    /// Snapshot parts, where their content is sealed; nothing for what is to be read as it is.
    pub(super) fn on_sealed_message(&mut self, envelope: &Envelope<'_>) -> Option<Verdict> {
        if envelope.kind != "campaign.snapshot" || self.cx.socket.is_none() {
            return None;
        }
        let keys = self.cx.sealing.keys.as_ref()?;
        let sealed = match SealedPart::read(envelope.data) {
            Ok(sealed) => sealed,
            Err(code) => return Some(self.refuse(code, None)),
        };
        let opened = sealed.open(keys);
        let part = opened.as_deref().map_err(|code| *code).and_then(|it| sealed.with(it));
        Some(match part {
            Ok(part) => self.on_message(&ServerMessage::SnapshotPart(Box::new(part))),
            Err(code) => self.with(&sealed.part.campaign_id, |subscription, cx| {
                subscription.on_part_closed(cx, &sealed, code)
            }),
        })
    }
}

impl Subscription {
    /// The data of the next event, opened.
    ///
    /// # Errors
    /// What became of the event, if it does not open.
    pub(super) fn open_event<'a>(
        &mut self,
        cx: &mut Context,
        envelope: &Envelope<'a>,
        sequence: &RawSequence<'_>,
    ) -> Result<Cow<'a, str>, Verdict> {
        let Some(keys) = &cx.sealing.keys else { return Ok(envelope.data.into()) };
        match keys.open_event(envelope.kind, envelope.data, sequence) {
            Ok(data) => Ok(data.into()),
            Err(Code::UnknownKey) => Err(self.lock(cx, envelope.data)),
            Err(code) => {
                self.store.raise(code);
                self.note_rejected(cx, code, Some(self.applied().next()));
                self.ask_for_next(cx);
                Err(Verdict::Refused(code))
            }
        }
    }

    /// A snapshot part does not open.
    fn on_part_closed(&mut self, cx: &mut Context, sealed: &SealedPart<'_>, code: Code) -> Verdict {
        let request_id = sealed.part.request_id.as_deref();
        let of_repair = matches!(&self.repair, Repair::AwaitingBuckets { request_id: id, .. }
            if request_id == Some(id));
        let of_recovery = matches!(&self.recovery, Recovery::Receiving { request_id: id, .. }
            if request_id.is_none_or(|it| it == id));
        if !of_repair && !of_recovery {
            return Verdict::Ignored;
        }
        if code == Code::UnknownKey {
            return self.lock(cx, sealed.content.unwrap_or_default());
        }
        self.store.raise(code);
        if of_repair {
            // The next comparison finds the difference again.
            self.repair = Repair::Idle;
            self.note_rejected(cx, code, Some(self.applied().next()));
            return Verdict::Refused(code);
        }
        self.refuse_snapshot(cx, code)
    }

    /// The key is not at hand: the position stays until it is, for nothing else helps.
    fn lock(&mut self, cx: &mut Context, raw: &str) -> Verdict {
        let code = Code::UnknownKey;
        self.note_rejected(cx, code, Some(self.applied().next()));
        let kid = Sealed::read(raw).map_or_else(|_| String::new(), |it| it.kid.into_owned());
        cx.notify(Notice::UnknownKey { campaign_id: self.id.clone(), kid });
        self.fail(cx, code);
        Verdict::Refused(code)
    }

    /// A key came. If one was missing, this goes on from where it stands.
    fn on_key(&mut self, cx: &mut Context) {
        if self.fate != Fate::Failed(Code::UnknownKey) {
            return;
        }
        self.fate = Fate::Open;
        cx.mark_changed(&self.id);
        self.want(cx, Reason::Rejected, false);
    }
}
