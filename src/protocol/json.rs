//! A validating JSON cursor: one pass over the bytes, no tree, no allocation for plain text.
//!
//! It reads RFC 8259 strictly, tells spans instead of building values, bounds nesting, and refuses
//! half surrogate pairs, which no UTF-8 text can hold.

use std::borrow::Cow;

use super::Code;
use super::escape::{escape_end, plain_end, unescape};
use super::float;
use super::limits::{INTEGER_MAX, NESTING_MAX};

/// A cursor over one JSON document.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
}

/// A string as it stands between its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawStr<'a> {
    /// The text between the quotes, escapes not resolved.
    pub inner: &'a str,
    /// Whether it has escapes.
    pub escaped: bool,
}

impl<'a> RawStr<'a> {
    /// The string's value. Escapes have been validated when it was read.
    pub fn value(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(unescape(self.inner)) } else { Cow::Borrowed(self.inner) }
    }
}

impl<'a> Reader<'a> {
    /// Starts at the beginning of `text`.
    pub const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next byte that is not white space, not consumed; 0 at the end.
    pub fn peek(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return byte;
            }
            self.at += 1;
        }
        0
    }

    /// Consumes `byte` or fails.
    ///
    /// # Errors
    /// [`Code::InvalidJson`] if something else stands there.
    pub fn expect(&mut self, byte: u8) -> Result<(), Code> {
        if self.peek() == byte {
            self.at += 1;
            Ok(())
        } else {
            Err(Code::InvalidJson)
        }
    }

    /// Nothing but white space may follow.
    ///
    /// # Errors
    /// [`Code::InvalidJson`] if something follows.
    pub fn end(&mut self) -> Result<(), Code> {
        if self.peek() == 0 && self.at == self.text.len() { Ok(()) } else { Err(Code::InvalidJson) }
    }

    /// Reads an object, giving `member` each key with the cursor before its value, which `member`
    /// must consume.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] where no object stands; what `member` fails with; syntax errors.
    pub fn object(
        &mut self,
        mut member: impl FnMut(RawStr<'a>, &mut Self) -> Result<(), Code>,
    ) -> Result<(), Code> {
        self.members(&mut member)
    }

    /// One copy of the loop for all readers of objects: the module must stay small.
    fn members(
        &mut self,
        member: &mut dyn FnMut(RawStr<'a>, &mut Self) -> Result<(), Code>,
    ) -> Result<(), Code> {
        if self.peek() != b'{' {
            return Err(Code::InvalidContent);
        }
        self.at += 1;
        if self.peek() == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek() != b'"' {
                return Err(Code::InvalidJson);
            }
            let key = self.string()?;
            self.expect(b':')?;
            member(key, self)?;
            match self.peek() {
                b',' => self.at += 1,
                b'}' => break self.at += 1,
                _ => return Err(Code::InvalidJson),
            }
        }
        Ok(())
    }

    /// Reads an array, giving `element` the cursor before each value, which it must consume.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] where no array stands; what `element` fails with; syntax errors.
    pub fn array(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), Code>,
    ) -> Result<(), Code> {
        self.elements(&mut element)
    }

    fn elements(
        &mut self,
        element: &mut dyn FnMut(&mut Self) -> Result<(), Code>,
    ) -> Result<(), Code> {
        if self.peek() != b'[' {
            return Err(Code::InvalidContent);
        }
        self.at += 1;
        if self.peek() == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            element(self)?;
            match self.peek() {
                b',' => self.at += 1,
                b']' => break self.at += 1,
                _ => return Err(Code::InvalidJson),
            }
        }
        Ok(())
    }

    /// Reads a string.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] where no string stands; syntax errors; [`Code::LoneSurrogate`].
    pub fn string(&mut self) -> Result<RawStr<'a>, Code> {
        if self.peek() != b'"' {
            return Err(Code::InvalidContent);
        }
        let start = self.at + 1;
        let bytes = self.text.as_bytes();
        let mut at = start;
        let mut escaped = false;
        loop {
            at = plain_end(bytes, at);
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    at = escape_end(bytes, at)?;
                }
                _ => return Err(Code::InvalidJson),
            }
        }
        self.at = at + 1;
        Ok(RawStr { inner: self.span(start, at), escaped })
    }

    /// Reads a string's value.
    ///
    /// # Errors
    /// As [`Reader::string`].
    pub fn text(&mut self) -> Result<Cow<'a, str>, Code> {
        self.string().map(RawStr::value)
    }

    /// Consumes `null` if it stands there.
    ///
    /// # Errors
    /// [`Code::InvalidJson`] for a word that only begins like it.
    pub fn null(&mut self) -> Result<bool, Code> {
        if self.peek() == b'n' { self.word("null").map(|()| true) } else { Ok(false) }
    }

    /// Reads `true` or `false`.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] where no boolean stands.
    pub fn boolean(&mut self) -> Result<bool, Code> {
        match self.peek() {
            b't' => self.word("true").map(|()| true),
            b'f' => self.word("false").map(|()| false),
            _ => Err(Code::InvalidContent),
        }
    }

    /// Reads an integer of 0 to 2^53 − 1. Never rounds: fractions and exponents are refused.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] where no plain integer stands; [`Code::IntegerOutOfRange`].
    pub fn unsigned(&mut self) -> Result<u64, Code> {
        u64::try_from(self.signed()?).map_err(|_| Code::InvalidContent)
    }

    /// Reads an integer of −(2^53 − 1) to 2^53 − 1. Never rounds.
    ///
    /// # Errors
    /// As [`Reader::unsigned`].
    pub fn signed(&mut self) -> Result<i64, Code> {
        let number = self.number()?;
        let digits = number.strip_prefix('-').unwrap_or(number);
        if digits.bytes().any(|b| !b.is_ascii_digit()) {
            return Err(Code::InvalidContent);
        }
        let value = digits.bytes().try_fold(0u64, |sum, digit| {
            let next = sum * 10 + u64::from(digit - b'0');
            if next <= INTEGER_MAX { Ok(next) } else { Err(Code::IntegerOutOfRange) }
        })? as i64;
        Ok(if digits.len() == number.len() { value } else { -value })
    }

    /// Reads a finite number.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] where no number stands or it is not finite as f64.
    pub fn float(&mut self) -> Result<f64, Code> {
        let number = float::parse(self.number()?);
        if number.is_finite() { Ok(number) } else { Err(Code::InvalidContent) }
    }

    /// Skips one value, validating it, and tells its raw text.
    ///
    /// # Errors
    /// Syntax errors, [`Code::TooDeep`], [`Code::LoneSurrogate`].
    pub fn raw(&mut self) -> Result<&'a str, Code> {
        self.peek();
        let start = self.at;
        self.skip()?;
        Ok(self.span(start, self.at))
    }

    /// Skips one value, validating it.
    ///
    /// # Errors
    /// As [`Reader::raw`].
    pub fn skip(&mut self) -> Result<(), Code> {
        let mut open = Nesting::default();
        loop {
            match self.peek() {
                b'{' => {
                    self.at += 1;
                    if self.peek() == b'}' {
                        self.at += 1;
                    } else {
                        open.push(true)?;
                        self.key()?;
                        continue;
                    }
                }
                b'[' => {
                    self.at += 1;
                    if self.peek() == b']' {
                        self.at += 1;
                    } else {
                        open.push(false)?;
                        continue;
                    }
                }
                b'"' => drop(self.string()?),
                b't' => self.word("true")?,
                b'f' => self.word("false")?,
                b'n' => self.word("null")?,
                _ => drop(self.number().map_err(|_| Code::InvalidJson)?),
            }
            if !self.next_sibling(&mut open)? {
                return Ok(());
            }
        }
    }

    /// After a value inside [`Reader::skip`]: closes what ends here and moves to the next value;
    /// `false` when the outermost value is complete.
    fn next_sibling(&mut self, open: &mut Nesting) -> Result<bool, Code> {
        while let Some(object) = open.innermost() {
            match (self.peek(), object) {
                (b',', true) => {
                    self.at += 1;
                    return self.key().map(|()| true);
                }
                (b',', false) => {
                    self.at += 1;
                    return Ok(true);
                }
                (b'}', true) | (b']', false) => {
                    self.at += 1;
                    open.pop();
                }
                _ => return Err(Code::InvalidJson),
            }
        }
        Ok(false)
    }

    /// The text between two places that lie between characters, as every token's ends do.
    fn span(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    fn key(&mut self) -> Result<(), Code> {
        if self.peek() != b'"' {
            return Err(Code::InvalidJson);
        }
        self.string()?;
        self.expect(b':')
    }

    fn word(&mut self, word: &str) -> Result<(), Code> {
        if self.span(self.at, self.at + word.len()) == word {
            self.at += word.len();
            Ok(())
        } else {
            Err(Code::InvalidJson)
        }
    }

    /// Reads a number's text by the grammar of RFC 8259 §6.
    fn number(&mut self) -> Result<&'a str, Code> {
        self.peek();
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut at = start + usize::from(bytes.get(start) == Some(&b'-'));
        let whole = digits_end(bytes, at);
        let leading_zero = bytes.get(at) == Some(&b'0') && whole > at + 1;
        if whole == at || leading_zero {
            return Err(Code::InvalidContent);
        }
        at = whole;
        if bytes.get(at) == Some(&b'.') {
            let end = digits_end(bytes, at + 1);
            if end == at + 1 {
                return Err(Code::InvalidJson);
            }
            at = end;
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
            let end = digits_end(bytes, at + 1 + sign);
            if end == at + 1 + sign {
                return Err(Code::InvalidJson);
            }
            at = end;
        }
        self.at = at;
        Ok(self.span(start, at))
    }
}

/// Which containers are open: one bit each, set for an object.
#[derive(Default)]
struct Nesting {
    bits: u64,
    depth: usize,
}

const _: () = assert!(NESTING_MAX <= u64::BITS as usize);

impl Nesting {
    const fn push(&mut self, object: bool) -> Result<(), Code> {
        if self.depth == NESTING_MAX {
            return Err(Code::TooDeep);
        }
        self.bits = self.bits << 1 | object as u64;
        self.depth += 1;
        Ok(())
    }

    const fn pop(&mut self) {
        self.bits >>= 1;
        self.depth -= 1;
    }

    const fn innermost(&self) -> Option<bool> {
        if self.depth == 0 { None } else { Some(self.bits & 1 == 1) }
    }
}

fn digits_end(bytes: &[u8], at: usize) -> usize {
    let tail = bytes.get(at..).unwrap_or_default();
    at + tail.iter().position(|b| !b.is_ascii_digit()).unwrap_or(tail.len())
}
