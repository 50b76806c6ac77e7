//! The subject of the session whose data the client holds.

/// The subject of the session whose data the client holds.
#[derive(Clone, Debug, Default)]
pub(super) enum Identity {
    /// No server has acknowledged a session yet, or the application ended the session.
    #[default]
    Unknown,
    /// The subject of the last acknowledgement. A server without sessions names none.
    Known(Option<String>),
}

impl Identity {
    /// Whether the data of the client belongs to another subject than this one. No subject is another one
    /// than any subject.
    pub(super) fn differs(&self, subject: Option<&str>) -> bool {
        matches!(self, Self::Known(known) if known.as_deref() != subject)
    }
}
