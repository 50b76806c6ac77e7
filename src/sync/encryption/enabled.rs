//! Encryption in a build with the feature: the keys, and the opening of sealed content.

use std::borrow::Cow;

use super::part::OpenedPart;
use crate::protocol::client;
use crate::protocol::envelope::{Envelope, RawSequence};
use crate::protocol::limits::{PROTOCOL_V1, PROTOCOL_V1_SEALED};
use crate::protocol::seal::{Key, KeyId, Keys, Sealed, SealedPart, route};
use crate::protocol::{CampaignId, Code};
use crate::sync::notice::Detail;

/// Whether content is sealed, and the keys to open it.
#[derive(Clone, Debug, Default)]
pub struct Encryption {
    /// `None` while content is not sealed.
    keys: Option<Keys>,
}

/// The reason why content does not open.
#[derive(Clone, Debug)]
pub struct Undecryptable {
    code: Code,
    /// The name of the missing key, if a key is missing.
    kid: Option<String>,
}

impl Encryption {
    /// Declares that content is sealed from now on.
    pub fn enable(&mut self) {
        self.keys.get_or_insert_default();
    }

    /// Adds a key. It replaces an existing key of the same name.
    pub fn add_key(&mut self, kid: KeyId, key: Key) {
        self.keys.get_or_insert_default().add(kid, key);
    }

    /// The keys; `None` while content is not sealed.
    pub const fn keys(&self) -> Option<&Keys> {
        self.keys.as_ref()
    }

    /// Whether content is sealed.
    pub const fn is_enabled(&self) -> bool {
        self.keys.is_some()
    }

    /// The name of the protocol that this client speaks.
    pub const fn protocol(&self) -> &'static str {
        if self.keys.is_some() { PROTOCOL_V1_SEALED } else { PROTOCOL_V1 }
    }

    /// The code for a server that acknowledges another protocol.
    pub const fn rejection(&self) -> Code {
        if self.keys.is_some() { Code::NotSealed } else { Code::UnsupportedProtocol }
    }

    /// Builds `connection_init`, which offers the protocol.
    pub fn connection_init(&self, token: Option<&str>) -> String {
        if self.keys.is_some() {
            client::connection_init_sealed(token)
        } else {
            client::connection_init(token)
        }
    }

    /// Opens the snapshot that the application fetched.
    ///
    /// # Errors
    /// As [`Keys::open_answer`].
    pub fn open_fetched<'a>(
        &self,
        campaign_id: &CampaignId,
        json: &'a str,
    ) -> Result<Cow<'a, str>, Code> {
        let Some(keys) = &self.keys else { return Ok(json.into()) };
        let (answer, _) = keys.open_answer(campaign_id.as_str(), route::SNAPSHOT, json)?;
        Ok(answer.into())
    }

    /// Opens the data of an event.
    ///
    /// # Errors
    /// The reason why the data does not open.
    pub fn open_event<'a>(
        &self,
        envelope: &Envelope<'a>,
        sequence: &RawSequence<'_>,
    ) -> Result<Cow<'a, str>, Undecryptable> {
        let Some(keys) = &self.keys else { return Ok(envelope.data.into()) };
        let opened = keys.open_event(envelope.kind, envelope.data, sequence);
        opened.map(Cow::Owned).map_err(|code| Undecryptable::new(code, envelope.data))
    }

    /// Opens a snapshot part. Returns `None` for documents that are read as they are.
    ///
    /// # Errors
    /// As [`SealedPart::read`].
    pub fn open_part<'a>(&self, envelope: &Envelope<'a>) -> Option<Result<PartContent<'a>, Code>> {
        if envelope.kind != "campaign.snapshot" {
            return None;
        }
        let keys = self.keys.as_ref()?;
        let open = |part: SealedPart<'a>| PartContent { opened: part.open(keys), part };
        Some(SealedPart::read(envelope.data).map(open))
    }
}

/// A snapshot part, and the result of opening its content.
#[derive(Debug)]
pub struct PartContent<'a> {
    part: SealedPart<'a>,
    opened: Result<String, Code>,
}

impl PartContent<'_> {
    /// Reads the content.
    pub fn read(&self) -> OpenedPart<'_, Undecryptable> {
        let opened = self.opened.as_deref().map_err(|code| *code);
        match opened.and_then(|content| self.part.with(content)) {
            Ok(part) => OpenedPart::Opened(Box::new(part)),
            Err(code) => OpenedPart::Closed {
                campaign_id: self.part.part.campaign_id,
                request_id: self.part.part.request_id,
                why: Undecryptable::new(code, self.part.content.unwrap_or_default()),
            },
        }
    }
}

impl Undecryptable {
    fn new(code: Code, raw: &str) -> Self {
        let kid = || Sealed::read(raw).map_or_else(|_| String::new(), |it| it.kid.into_owned());
        Self { code, kid: (code == Code::UnknownKey).then(kid) }
    }

    /// The code of the failure.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The detail of the notice for listeners, if a key is missing.
    pub fn missing_key(&self) -> Option<Detail> {
        self.kid.clone().map(|kid| Detail::UnknownKey { kid })
    }
}
