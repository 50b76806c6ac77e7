//! The closed list of error codes that the wire and the API share.

use core::fmt;

use super::names::Names;

macro_rules! codes {
    (
        $($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+
        // Codes of sealed content, which only the module with the feature `encrypted` has.
        sealing: $($(#[doc = $sdoc:literal])+ $sname:ident = $stext:literal,)+
    ) => {
        /// The reason why something was refused or failed. The list is closed: both ends use only
        /// these codes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        // As wide as a value of WebAssembly: the module masks a narrower one after every call that returns it.
        #[repr(u32)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
            $($(#[doc = $sdoc])+ #[cfg(feature = "encrypted")] $sname,)+
        }

        #[cfg(not(feature = "encrypted"))]
        const NAMES: Names = Names(concat!($($text, "\n"),+));
        #[cfg(feature = "encrypted")]
        const NAMES: Names = Names(concat!($($text, "\n",)+ $($stext, "\n"),+));

        impl Code {
            /// All codes, in the order of the list.
            pub const ALL: &'static [Self] =
                &[$(Self::$name,)+ $(#[cfg(feature = "encrypted")] Self::$sname,)+];

            /// The name on the wire.
            pub fn as_str(self) -> &'static str {
                NAMES.name(self as usize)
            }

            /// Reads a name from the wire; `None` for a code of a later version.
            pub fn parse(text: &str) -> Option<Self> {
                NAMES.find(text).and_then(|index| Self::ALL.get(index).copied())
            }
        }
    };
}

codes! {
    /// The frame is larger than the limit.
    FrameTooLarge = "frame_too_large",
    /// The frame is empty, or holds only line breaks.
    EmptyFrame = "empty_frame",
    /// The frame holds more documents than the limit.
    TooManyDocuments = "too_many_documents",
    /// A binary frame is not valid UTF-8.
    InvalidUtf8 = "invalid_utf8",
    /// The document is not JSON (RFC 8259).
    InvalidJson = "invalid_json",
    /// The document nests deeper than the limit.
    TooDeep = "too_deep",
    /// A string holds half of a surrogate pair.
    LoneSurrogate = "lone_surrogate",
    /// An integer is beyond ±(2^53 − 1).
    IntegerOutOfRange = "integer_out_of_range",
    /// The envelope lacks a member, or one has the wrong type.
    InvalidEnvelope = "invalid_envelope",
    /// A member of the envelope is repeated, or its name is written with escapes.
    AmbiguousEnvelope = "ambiguous_envelope",
    /// The campaign id is not `[A-Za-z0-9_-]{1,64}`.
    InvalidCampaignId = "invalid_campaign_id",
    /// A message of a known type has content that breaks its schema.
    InvalidContent = "invalid_content",
    /// An event lacks its required sequence.
    MissingSequence = "missing_sequence",
    /// Two different events have the same sequence number.
    Divergence = "divergence",
    /// The server announced that a transition failed its data integrity check.
    IntegrityCheckFailed = "integrity_check_failed",
    /// The server announced that a transition lacks its prerequisites.
    PrerequisitesNotMet = "prerequisites_not_met",
    /// Rows differ from the server's by more than the tolerance.
    LargeDiscrepancy = "large_discrepancy",
    /// A snapshot does not add up to its own count or digest.
    InvalidSnapshot = "invalid_snapshot",
    /// The campaign does not exist, or this session may not see it.
    UnknownCampaign = "unknown_campaign",
    /// The session or token is missing, wrong or expired.
    Unauthorized = "unauthorized",
    /// The session may not do this.
    Forbidden = "forbidden",
    /// Too many requests.
    RateLimited = "rate_limited",
    /// Too many subscriptions or connections.
    TooMany = "too_many",
    /// The client message is not understood.
    InvalidMessage = "invalid_message",
    /// The request's type is unknown to this server.
    UnknownType = "unknown_type",
    /// The phase machine does not allow this transition.
    IllegalTransition = "illegal_transition",
    /// The campaign is not in the state that the request expected.
    ExpectedStateMismatch = "expected_state_mismatch",
    /// The answer would be older than the requested `min_position`.
    Behind = "behind",
    /// The requested position is beyond this server's log.
    PositionAhead = "position_ahead",
    /// The request body is not valid for this route.
    InvalidBody = "invalid_body",
    /// The route exists, but not for this method.
    MethodNotAllowed = "method_not_allowed",
    /// The route does not exist.
    NotFound = "not_found",
    /// The server failed internally.
    Internal = "internal",
    /// The server does not support this client's protocol.
    UnsupportedProtocol = "unsupported_protocol",
    /// The server did not acknowledge the connection in time.
    AckTimeout = "ack_timeout",
    /// The server sent something else than an acknowledgement, and did not acknowledge in time.
    UnexpectedDocument = "unexpected_document",
    /// The socket did not open in time.
    OpenTimeout = "open_timeout",
    /// The token provider gave something that is not a token, or one of more than 16 KiB.
    InvalidToken = "invalid_token",
    /// The token provider failed.
    TokenFailed = "token_failed",
    /// The token provider did not answer in time.
    TokenTimeout = "token_timeout",
    /// The session ended, or another one took its place.
    SignedOut = "signed_out",
    /// The application closed the client.
    Closed = "closed",
    /// Fetching a snapshot through the application failed.
    FetchFailed = "fetch_failed",
    sealing:
    /// Content that must be sealed is not sealed.
    NotSealed = "not_sealed",
    /// Sealed content cannot be opened: the content or its place was changed.
    SealBroken = "seal_broken",
    /// Sealed content names a key that is not available.
    UnknownKey = "unknown_key",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for Code {}
