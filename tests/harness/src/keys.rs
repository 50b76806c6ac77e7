//! The keys that seal the content that leaves the server: `data` of events when they are written, snapshots
//! and REST answers when they are sent.
//!
//! The first key of the file seals; all keys open. Each seal has a nonce from the system's random generator.

use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

use base64ct::{Base64, Encoding as _};
use campaign_sync::protocol::envelope::{Envelope, RawSequence};
use campaign_sync::protocol::seal::{Key, KeyId, Keys, NONCE_BYTES, Sealed, associated};
use campaign_sync::protocol::{CampaignId, Code};
use prometheus_client::metrics::counter::Counter;
use rand::TryRng as _;
use rand::rngs::SysRng;
use serde_json::{Value, json};

use crate::log::{LogError, Result};

/// The prefix of the epochs of sealed logs. A log is sealed from its first event to its last, or not at all,
/// so no client accepts plain content in place of sealed content.
const SEALED_EPOCH: &str = "sealed-";

/// The type under which whole messages of the stream are sealed.
const MESSAGE: &str = "log.message";

/// The keys of a server.
pub struct Keyring {
    kid: KeyId,
    key: Key,
    all: Keys,
    counter: OnceLock<Counter>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// A nonce. It must be used once.
#[derive(Debug)]
pub struct Nonce([u8; NONCE_BYTES]);

impl Nonce {
    /// A fresh nonce from the system.
    ///
    /// # Errors
    /// [`LogError::Storage`] if the system provides no random bytes. Nothing is sealed then.
    pub fn fresh() -> Result<Self> {
        let mut bytes = [0; NONCE_BYTES];
        let filled = SysRng.try_fill_bytes(&mut bytes);
        filled.map_err(|error| LogError::Storage(format!("no random nonce: {error}")))?;
        Ok(Self(bytes))
    }

    /// The nonce as text. The event id of a sealed event is computed from it.
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Keyring {
    /// Reads a file of keys: one `kid:key` per line, with keys as `openssl rand -base64 32` prints them.
    ///
    /// # Errors
    /// A message that names the file and the problem, without any key.
    pub fn read(path: &Path) -> Result<Self, String> {
        let problem = |what: &str| format!("--encrypt-keys {}: {what}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| problem(&error.to_string()))?;
        Self::parse(&text).map_err(|what| problem(&what))
    }

    /// Parses the text of a file of keys.
    ///
    /// # Errors
    /// As [`Keyring::read`].
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut first, mut all) = (None, Keys::default());
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = index + 1;
            let (kid, key) =
                line.split_once(':').ok_or_else(|| format!("line {at} is not kid:key"))?;
            let kid = KeyId::new(kid)
                .map_err(|_| format!("line {at}: a kid is 1 to 64 of A-Z, a-z, 0-9, _ and -"))?;
            if all.has(kid.as_str()) {
                return Err(format!("line {at}: {} is there twice", kid.as_str()));
            }
            let bytes = Base64::decode_vec(key)
                .map_err(|_| format!("line {at}: the key of {} is not base64", kid.as_str()))?;
            let key = Key::new(&bytes).map_err(|_| {
                format!("line {at}: the key of {} has {} bytes, not 32", kid.as_str(), bytes.len())
            })?;
            all.add(kid.clone(), key.clone());
            first.get_or_insert((kid, key));
        }
        let (kid, key) = first.ok_or("there is no key in it")?;
        Ok(Self { kid, key, all, counter: OnceLock::new() })
    }

    /// Counts every later seal in this counter.
    pub fn count_in(&self, counter: Counter) {
        let _counted_already = self.counter.set(counter);
    }

    /// Seals `content` for the place that `associated` names: `{"kid","sealed"}`.
    pub fn seal_with(&self, nonce: Nonce, associated: &str, content: &str) -> String {
        if let Some(counter) = self.counter.get() {
            counter.inc();
        }
        self.key.seal(&self.kid, nonce.0, associated, content)
    }

    /// Seals with a fresh nonce, as [`Keyring::seal_with`].
    ///
    /// # Errors
    /// As [`Nonce::fresh`].
    pub fn seal(&self, associated: &str, content: &str) -> Result<String> {
        Ok(self.seal_with(Nonce::fresh()?, associated, content))
    }

    /// Seals the answer of a REST route about one campaign at one event.
    ///
    /// # Errors
    /// As [`Nonce::fresh`].
    pub fn seal_answer(
        &self,
        [campaign, epoch, event_id]: [&str; 3],
        number: u64,
        route: &str,
        answer: &str,
    ) -> Result<Value> {
        let list = associated(campaign, epoch, number, event_id, route);
        let sealed = self.seal(&list, answer)?;
        let Sealed { kid, sealed } = Sealed::read(&sealed).map_err(LogError::Rejected)?;
        Ok(json!({
            "campaignId": campaign,
            "epoch": epoch,
            "sequenceNumber": number,
            "eventId": event_id,
            "kid": kid,
            "sealed": sealed,
        }))
    }

    /// Opens content that was sealed for the place that `associated` names.
    ///
    /// # Errors
    /// [`LogError::Storage`] if the key is missing, which no retry can repair; [`LogError::Rejected`] for
    /// content that does not open.
    pub fn open(&self, raw: &str, associated: &str) -> Result<String> {
        self.all.open(raw, associated).map_err(|code| refusal(code, raw))
    }

    /// Seals a whole message of a shared log.
    ///
    /// # Errors
    /// As [`Nonce::fresh`].
    pub fn seal_message(&self, campaign: &CampaignId, message: &str) -> Result<String> {
        self.seal(&associated(campaign.as_str(), "", 0, "", MESSAGE), message)
    }

    /// Opens a message of a shared log. A message from before the log was sealed is returned unchanged.
    ///
    /// # Errors
    /// As [`Keyring::open`].
    pub fn open_message(&self, campaign: &CampaignId, message: &str) -> Result<String> {
        if Sealed::read(message).is_err() {
            return Ok(message.to_owned());
        }
        self.open(message, &associated(campaign.as_str(), "", 0, "", MESSAGE))
    }
}

/// An epoch for a new log.
pub fn new_epoch(keys: Option<&Keyring>) -> String {
    let prefix = if keys.is_some() { SEALED_EPOCH } else { "" };
    format!("{prefix}{:032x}", rand::random::<u128>())
}

/// Whether the events of this epoch are sealed.
pub fn is_sealed(epoch: &str) -> bool {
    epoch.starts_with(SEALED_EPOCH)
}

/// Checks that a sealed log has keys and a plain log has none. Only a new epoch changes whether a log is
/// sealed.
///
/// # Errors
/// [`LogError::Storage`] with a message that says what to do.
pub fn check_epoch(epoch: &str, has_keys: bool) -> Result<()> {
    let what = match (is_sealed(epoch), has_keys) {
        (true, false) => "the log is sealed: --encrypt-keys is needed",
        (false, true) => {
            "the log is not sealed: --encrypt-keys needs --new-epoch once, which begins a sealed one \
             after what is there"
        }
        _ => return Ok(()),
    };
    Err(LogError::Storage(what.to_owned()))
}

/// The unsealed `data` of an event. For a plain log, `data` is returned unchanged.
///
/// # Errors
/// As [`Keyring::open`].
pub fn open_data(
    keys: Option<&Keyring>,
    envelope: &Envelope<'_>,
    sequence: &RawSequence<'_>,
) -> Result<String> {
    match keys {
        Some(keys) if is_sealed(sequence.epoch()) => {
            let opened = keys.all.open_event(envelope.kind, envelope.data, sequence);
            opened.map_err(|code| refusal(code, envelope.data))
        }
        _ => Ok(envelope.data.to_owned()),
    }
}

/// The error for content that did not open.
fn refusal(code: Code, raw: &str) -> LogError {
    match (code, Sealed::read(raw)) {
        (Code::UnknownKey, Ok(Sealed { kid, .. })) => LogError::Storage(format!(
            "unknown_key: it is sealed with key `{kid}`, which --encrypt-keys does not have"
        )),
        _ => LogError::Rejected(code),
    }
}
