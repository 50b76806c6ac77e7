//! Frames: one or more JSON documents, separated by line feeds (docs/PROTOCOL.md, chapter 2).

use super::Code;
use super::limits::{FRAME_BYTES_MAX, FRAME_DOCUMENTS_MAX};
use super::scan::next_line;

/// A frame that a transport received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A text frame.
    Text(&'a str),
    /// A binary frame: the same documents in UTF-8.
    Binary(&'a [u8]),
}

impl<'a> Frame<'a> {
    /// Returns the frame's documents, in order. JSON cannot contain a raw line feed, so splitting
    /// at line feeds is exact. Blank lines are skipped.
    ///
    /// # Errors
    /// The whole frame is refused: [`Code::FrameTooLarge`], [`Code::InvalidUtf8`],
    /// [`Code::TooManyDocuments`], [`Code::EmptyFrame`].
    pub fn documents(self) -> Result<Documents<'a>, Code> {
        let documents = Documents { rest: self.text()? };
        if documents.clone().next().is_none() {
            return Err(Code::EmptyFrame);
        }
        // A frame without more bytes than that cannot have too many documents.
        let many = self.len() > FRAME_DOCUMENTS_MAX;
        if many && documents.clone().nth(FRAME_DOCUMENTS_MAX).is_some() {
            return Err(Code::TooManyDocuments);
        }
        Ok(documents)
    }

    /// The size in bytes.
    pub const fn len(self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether the frame has no bytes.
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

/// The documents of a frame, in order.
#[derive(Clone, Debug)]
pub struct Documents<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Documents<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        while !self.rest.is_empty() {
            let line = next_line(&mut self.rest);
            if !line.bytes().all(|byte| byte.is_ascii_whitespace()) {
                return Some(line);
            }
        }
        None
    }
}
