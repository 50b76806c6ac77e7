//! Frames: one or more JSON documents, separated by line feeds (facts §1.4).

use super::Code;
use super::limits::{FRAME_BYTES_MAX, FRAME_DOCUMENTS_MAX};

/// What a transport received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A text frame.
    Text(&'a str),
    /// A binary frame: the same documents, as UTF-8.
    Binary(&'a [u8]),
}

impl<'a> Frame<'a> {
    /// The frame's documents, in order. A raw line feed cannot occur inside JSON, so the split is
    /// exact. Blank lines are no documents.
    ///
    /// # Errors
    /// Refused whole: [`Code::FrameTooLarge`], [`Code::InvalidUtf8`], [`Code::TooManyDocuments`],
    /// [`Code::EmptyFrame`].
    pub fn documents(self) -> Result<impl Iterator<Item = &'a str>, Code> {
        let text = self.text()?;
        let documents = || text.split('\n').filter(|line| !line.trim_ascii().is_empty());
        match documents().take(FRAME_DOCUMENTS_MAX + 1).count() {
            0 => Err(Code::EmptyFrame),
            count if count > FRAME_DOCUMENTS_MAX => Err(Code::TooManyDocuments),
            _ => Ok(documents()),
        }
    }

    /// Its size in bytes.
    pub const fn len(self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether it has no bytes.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    fn text(self) -> Result<&'a str, Code> {
        if self.len() > FRAME_BYTES_MAX {
            return Err(Code::FrameTooLarge);
        }
        match self {
            Self::Text(text) => Ok(text),
            Self::Binary(bytes) => core::str::from_utf8(bytes).map_err(|_| Code::InvalidUtf8),
        }
    }
}
