//! Encryption in a build without the feature: all content is read as it is.

use core::convert::Infallible;
use core::marker::PhantomData;
use std::borrow::Cow;

use super::part::OpenedPart;
use crate::protocol::client;
use crate::protocol::envelope::{Envelope, RawSequence};
use crate::protocol::limits::PROTOCOL_V1;
use crate::protocol::{CampaignId, Code};
use crate::sync::notice::Detail;

/// Has no state, because no content is sealed.
#[derive(Clone, Debug, Default)]
pub struct Encryption(());

/// Never constructed, because all content opens.
#[derive(Clone, Debug)]
pub enum Undecryptable {}

impl Encryption {
    /// Whether content is sealed, which it never is.
    pub const fn is_enabled(&self) -> bool {
        false
    }

    /// The name of the protocol that this client speaks.
    pub const fn protocol(&self) -> &'static str {
        PROTOCOL_V1
    }

    /// The code for a server that acknowledges another protocol.
    pub const fn rejection(&self) -> Code {
        Code::UnsupportedProtocol
    }

    /// Builds the message; see [`client::connection_init`].
    pub fn connection_init(&self, token: Option<&str>) -> String {
        client::connection_init(token)
    }

    /// Returns the snapshot unchanged.
    ///
    /// # Errors
    /// Never fails.
    pub const fn open_fetched<'a>(
        &self,
        _campaign_id: &CampaignId,
        json: &'a str,
    ) -> Result<Cow<'a, str>, Code> {
        Ok(Cow::Borrowed(json))
    }

    /// Returns the data unchanged.
    ///
    /// # Errors
    /// Never fails.
    pub const fn open_event<'a>(
        &self,
        envelope: &Envelope<'a>,
        _sequence: &RawSequence<'_>,
    ) -> Result<Cow<'a, str>, Undecryptable> {
        Ok(Cow::Borrowed(envelope.data))
    }

    /// Always `None`, because all content is read as it is.
    pub const fn open_part<'a>(
        &self,
        _envelope: &Envelope<'a>,
    ) -> Option<Result<PartContent<'a>, Code>> {
        None
    }
}

/// Never constructed, because no content is sealed.
#[derive(Debug)]
pub struct PartContent<'a>(Infallible, PhantomData<&'a ()>);

impl PartContent<'_> {
    /// Never called.
    pub const fn read(&self) -> OpenedPart<'_, Undecryptable> {
        match self.0 {}
    }
}

impl Undecryptable {
    /// Never called.
    pub const fn code(&self) -> Code {
        match *self {}
    }

    /// Never called.
    pub const fn missing_key(&self) -> Option<Detail> {
        match *self {}
    }
}
