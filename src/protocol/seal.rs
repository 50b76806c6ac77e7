//! Sealed content: AES-256-GCM over the content of events, snapshot parts and REST answers
//! (docs/ENCRYPTION.md).
//!
//! Sealed content is written as `{"kid":K,"sealed":S}`. K names the key. S is base64url without
//! padding over the nonce (12 bytes), the ciphertext and the tag (16 bytes).
//!
//! The associated data binds the content to its place, so that it cannot be opened anywhere else.
//! It is a JSON list without white space: campaign, epoch, number, event id and type. A snapshot
//! part adds part, parts, count and digest. None of these strings contains escapes, so the list can
//! be read in only one way.

use core::fmt;
use std::borrow::Cow;

use aes_gcm::{AeadInOut as _, Aes256Gcm, KeyInit as _, Nonce, Tag};
use base64ct::{Base64UrlUnpadded, Encoding as _};

use super::body::read_with_rows;
use super::campaign::CampaignRecord;
use super::envelope::RawSequence;
use super::id::is_campaign_id;
use super::json::Reader;
use super::position::Epoch;
use super::schema::{Field, Kind, ignore, nullable, read, required, slots};
use super::snapshot::{SnapshotPart, part_with};
use super::write::{JsonWriter, push_decimal, push_hex, push_string};
use super::{Code, Digest, SequenceNumber};

/// The length of a key.
pub const KEY_BYTES: usize = 32;

/// The length of the nonce, with which sealed content begins.
pub const NONCE_BYTES: usize = 12;

/// The length of the tag, with which sealed content ends.
pub const TAG_BYTES: usize = 16;

/// The name of a key: `[A-Za-z0-9_-]{1,64}`. It is public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyId(Box<str>);

impl KeyId {
    /// Validates `text` and copies it.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] for anything that is not `[A-Za-z0-9_-]{1,64}`.
    pub fn new(text: &str) -> Result<Self, Code> {
        if is_campaign_id(text) { Ok(Self(text.into())) } else { Err(Code::InvalidContent) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An expanded key. It is wiped from memory when it is dropped, and never printed.
#[derive(Clone)]
pub struct Key(Box<Aes256Gcm>);

impl Key {
    /// Expands a key of 32 bytes.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] for any other length.
    pub fn new(bytes: &[u8]) -> Result<Self, Code> {
        let cipher = Aes256Gcm::new_from_slice(bytes).map_err(|_| Code::InvalidContent)?;
        Ok(Self(Box::new(cipher)))
    }

    /// Seals `content` and binds it to the place that `associated` describes. A nonce must never be
    /// used twice with the same key.
    pub fn seal(
        &self,
        kid: &KeyId,
        nonce: [u8; NONCE_BYTES],
        associated: &str,
        content: &str,
    ) -> String {
        let bytes = self.encrypt(nonce, associated.as_bytes(), content.as_bytes());
        let mut sealed = JsonWriter::object();
        sealed.text("kid", kid.as_str());
        sealed.text("sealed", &Base64UrlUnpadded::encode_string(&bytes));
        sealed.finish()
    }

    fn open(&self, sealed: &str, associated: &str) -> Option<String> {
        let bytes = Base64UrlUnpadded::decode_vec(sealed).ok()?;
        String::from_utf8(self.decrypt(&bytes, associated.as_bytes())?).ok()
    }

    /// Encrypts `content`. Returns nonce, ciphertext and tag.
    pub fn encrypt(&self, nonce: [u8; NONCE_BYTES], associated: &[u8], content: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(NONCE_BYTES + content.len() + TAG_BYTES);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(content);
        let body = bytes.get_mut(NONCE_BYTES..).unwrap_or_default();
        // Encryption fails only above 64 GiB. The empty result then cannot be opened.
        match self.0.encrypt_inout_detached(&Nonce::from(nonce), associated, body.into()) {
            Ok(tag) => bytes.extend_from_slice(&tag),
            Err(_) => bytes.clear(),
        }
        bytes
    }

    /// Decrypts `bytes`; `None` unless they were encrypted with this key and this associated data.
    pub fn decrypt(&self, bytes: &[u8], associated: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let (content, tag) = rest.split_last_chunk::<TAG_BYTES>()?;
        let mut content = content.to_vec();
        let (nonce, tag) = (Nonce::from(*nonce), Tag::from(*tag));
        let body = content.as_mut_slice().into();
        self.0.decrypt_inout_detached(&nonce, associated, body, &tag).ok()?;
        Some(content)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Two keys never compare as equal, so that a comparison reveals nothing about a key.
impl PartialEq for Key {
    fn eq(&self, _: &Self) -> bool {
        false
    }
}

/// The available keys, by name.
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<(KeyId, Key)>);

impl Keys {
    /// Adds a key. It replaces a key of the same name.
    pub fn add(&mut self, kid: KeyId, key: Key) {
        self.0.retain(|(known, _)| *known != kid);
        self.0.push((kid, key));
    }

    /// Whether a key of that name is available.
    pub fn has(&self, kid: &str) -> bool {
        self.find(kid).is_some()
    }

    /// Opens sealed content, given as raw JSON. `associated` describes the place where the content
    /// must belong.
    ///
    /// # Errors
    /// [`Code::NotSealed`], [`Code::UnknownKey`], [`Code::SealBroken`].
    pub fn open(&self, raw: &str, associated: &str) -> Result<String, Code> {
        let Sealed { kid, sealed } = Sealed::read(raw)?;
        let key = self.find(&kid).ok_or(Code::UnknownKey)?;
        key.open(&sealed, associated).ok_or(Code::SealBroken)
    }

    /// Opens the data of an event of type `kind`. A sealed REST answer does not open as an event,
    /// although its associated data has the same form.
    ///
    /// # Errors
    /// As [`Keys::open`].
    pub fn open_event(
        &self,
        kind: &str,
        data: &str,
        sequence: &RawSequence<'_>,
    ) -> Result<String, Code> {
        if kind.starts_with(route::PREFIX) {
            return Err(Code::SealBroken);
        }
        self.open(data, &associated_with(kind, sequence))
    }

    /// Opens the answer of a REST route about one campaign. Returns the decrypted answer, and the
    /// place in the campaign's log where it belongs. `route` is one of [`route`].
    ///
    /// # Errors
    /// As [`Keys::open`]; also [`Code::SealBroken`] for the answer of another campaign.
    pub fn open_answer(
        &self,
        campaign_id: &str,
        route: &str,
        answer: &str,
    ) -> Result<(String, AnswerPlace), Code> {
        let values = &mut slots();
        read(&mut Reader::new(answer), &ANSWER, values).map_err(|_| Code::NotSealed)?;
        let [campaign, epoch, number, event_id] = values;
        let place = AnswerPlace {
            epoch: epoch.epoch().ok_or(Code::NotSealed)?,
            sequence_number: number.sequence_number(),
            event_id: event_id.string_or_empty(),
        };
        // The answer of another campaign is refused before its key is looked up.
        if campaign.text_or_empty() != campaign_id {
            return Err(Code::SealBroken);
        }
        let number = place.sequence_number.get();
        let list = associated(campaign_id, place.epoch.as_str(), number, &place.event_id, route);
        Ok((self.open(answer, &list)?, place))
    }

    fn find(&self, kid: &str) -> Option<&Key> {
        self.0.iter().find(|(known, _)| known.as_str() == kid).map(|(_, key)| key)
    }
}

/// Strings that take the place of the event type in the associated data of a REST answer.
pub mod route {
    /// The prefix of all routes. No event type begins with it.
    pub const PREFIX: &str = "rest.";
    /// `GET /campaigns/{id}`, and each campaign of `GET /campaigns`.
    pub const CAMPAIGN: &str = "rest.campaign";
    /// `GET /campaigns/{id}/domains`.
    pub const DOMAINS: &str = "rest.domains";
    /// `GET /campaigns/{id}/snapshot`.
    pub const SNAPSHOT: &str = "rest.snapshot";
    /// `GET /campaigns/{id}/transitions`.
    pub const TRANSITIONS: &str = "rest.transitions";
    /// The answer of a write.
    pub const CHANGE: &str = "rest.change";
}

/// The place in a campaign's log where the answer of a REST route belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerPlace {
    /// The epoch of the log.
    pub epoch: Epoch,
    /// The sequence number of the state that the answer describes.
    pub sequence_number: SequenceNumber,
    /// The id of the event with that number; empty at number 0.
    pub event_id: String,
}

static ANSWER: [Field; 4] = [
    required("campaignId", Kind::CampaignId),
    required("epoch", Kind::Epoch),
    required("sequenceNumber", Kind::Unsigned),
    nullable("eventId", Kind::EventId),
];

/// Sealed content that is not opened yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed<'a> {
    /// The name of the key.
    pub kid: Cow<'a, str>,
    /// Nonce, ciphertext and tag, in base64url.
    pub sealed: Cow<'a, str>,
}

impl<'a> Sealed<'a> {
    /// Reads `{"kid","sealed"}`.
    ///
    /// # Errors
    /// [`Code::NotSealed`] for anything else.
    pub fn read(raw: &'a str) -> Result<Self, Code> {
        let values = &mut slots();
        read(&mut Reader::new(raw), &SEALED, values).map_err(|_| Code::NotSealed)?;
        let [kid, sealed] = values;
        Ok(Self { kid: kid.text_or_empty(), sealed: sealed.text_or_empty() })
    }
}

static SEALED: [Field; 2] = [required("kid", Kind::Text), required("sealed", Kind::Text)];

/// The associated data of an event.
pub fn associated_with(kind: &str, sequence: &RawSequence<'_>) -> String {
    let number = sequence.number().get();
    associated(sequence.campaign_id(), sequence.epoch(), number, sequence.event_id(), kind)
}

/// The associated data of content that belongs to one event, or to the state after it: a JSON list.
/// `kind` is the event's type, or a string that names another kind of content.
pub fn associated(campaign: &str, epoch: &str, number: u64, event_id: &str, kind: &str) -> String {
    let mut list = String::from("[");
    for text in [campaign, epoch] {
        push_string(&mut list, text);
        list.push(',');
    }
    push_decimal(&mut list, number);
    for text in [event_id, kind] {
        list.push(',');
        push_string(&mut list, text);
    }
    list.push(']');
    list
}

/// A snapshot part whose record and rows are sealed in the member `content`.
#[derive(Clone, Debug, PartialEq)]
pub struct SealedPart<'a> {
    /// The part, without record and rows.
    pub part: SnapshotPart<'a>,
    /// The sealed content, as raw JSON; `None` if the part is not sealed.
    pub content: Option<&'a str>,
}

impl<'a> SealedPart<'a> {
    /// Reads the `data` of a part.
    ///
    /// # Errors
    /// [`Code::InvalidContent`], [`Code::InvalidCampaignId`], [`Code::IntegerOutOfRange`].
    pub fn read(data: &'a str) -> Result<Self, Code> {
        let values = &mut slots();
        read(&mut Reader::new(data), &PART, values)?;
        let (part, content) = SnapshotPart::from_values(values)?;
        Ok(Self { part, content: content.raw() })
    }

    /// Opens the content. [`SealedPart::with`] reads the result.
    ///
    /// # Errors
    /// As [`Keys::open`].
    pub fn open(&self, keys: &Keys) -> Result<String, Code> {
        let part = &self.part;
        let list = associated_part(
            [&part.campaign_id.value(), part.epoch.as_str(), &part.event_id],
            part.sequence_number.get(),
            [part.part, part.parts, part.domains_count],
            part.domains_digest,
        );
        keys.open(self.content.ok_or(Code::NotSealed)?, &list)
    }

    /// Returns the whole part, with the opened content.
    ///
    /// # Errors
    /// As [`SealedPart::read`].
    pub fn with<'c>(&'c self, content: &'c str) -> Result<SnapshotPart<'c>, Code> {
        let mut reader = Reader::new(content);
        let values = &mut slots();
        let domains = read_with_rows(&mut reader, &CONTENT, values, usize::MAX, &mut ignore)?;
        let [campaign] = values;
        reader.end()?;
        let campaign = CampaignRecord::read_raw(&mut reader, campaign)?;
        Ok(SnapshotPart { campaign, domains, ..self.part.clone() })
    }
}

/// The associated data of a snapshot part. The strings are campaign, epoch and event id. `numbers`
/// are part, parts and the count of all rows.
pub fn associated_part(
    [campaign, epoch, event_id]: [&str; 3],
    number: u64,
    numbers: [u64; 3],
    digest: Digest,
) -> String {
    let mut list = associated(campaign, epoch, number, event_id, "campaign.snapshot");
    list.pop();
    for number in numbers {
        list.push(',');
        push_decimal(&mut list, number);
    }
    list.push_str(",\"");
    push_hex(&mut list, digest.0, 16);
    list.push_str("\"]");
    list
}

static PART: [Field; 10] = part_with("content");

static CONTENT: [Field; 1] = [nullable("campaign", Kind::Object)];
