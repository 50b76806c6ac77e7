//! Encryption in a module without it: everything is read as it is.

use core::convert::Infallible;
use core::marker::PhantomData;
use std::borrow::Cow;

use super::part::OpenedPart;
use crate::protocol::client;
use crate::protocol::envelope::{Envelope, RawSequence};
use crate::protocol::limits::PROTOCOL_V1;
use crate::protocol::{CampaignId, Code};
use crate::sync::notice::Notice;

/// Without state: no content is sealed.
#[derive(Clone, Debug, Default)]
pub struct Encryption(());

/// Never made: everything opens.
#[derive(Clone, Debug)]
pub enum Undecryptable {}

impl Encryption {
    /// Whether this client speaks that protocol.
    pub fn accepts(&self, protocol: Option<&str>) -> bool {
        protocol == Some(PROTOCOL_V1)
    }

    /// Why a server that acknowledges another protocol cannot be followed.
    pub const fn rejection(&self) -> Code {
        Code::UnsupportedDialect
    }

    /// As [`client::connection_init`].
    ///
    /// # Errors
    /// The same.
    pub fn connection_init(&self, token: Option<&str>) -> Result<String, Code> {
        client::connection_init(token)
    }

    /// The snapshot itself.
    ///
    /// # Errors
    /// None.
    pub const fn open_fetched<'a>(
        &self,
        _campaign_id: &CampaignId,
        json: &'a str,
    ) -> Result<Cow<'a, str>, Code> {
        Ok(Cow::Borrowed(json))
    }

    /// The data itself.
    ///
    /// # Errors
    /// None.
    pub const fn open_event<'a>(
        &self,
        envelope: &Envelope<'a>,
        _sequence: &RawSequence<'_>,
    ) -> Result<Cow<'a, str>, Undecryptable> {
        Ok(Cow::Borrowed(envelope.data))
    }

    /// `None`: everything is read as it is.
    pub const fn open_part<'a>(
        &self,
        _envelope: &Envelope<'a>,
    ) -> Option<Result<PartContent<'a>, Code>> {
        None
    }
}

/// Never made: no content is sealed.
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
    pub const fn missing_key(&self, _campaign_id: &CampaignId) -> Option<Notice> {
        match *self {}
    }
}
