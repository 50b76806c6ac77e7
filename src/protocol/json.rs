//! A validating JSON cursor. It passes over the bytes once, builds no tree, and allocates nothing
//! for text without escapes.
//!
//! It accepts strict RFC 8259, returns spans instead of values, limits the nesting, and refuses
//! lone surrogates, which UTF-8 text cannot contain.

use std::borrow::Cow;

use super::Code;
use super::escape::{escape_end, unescape};
use super::float;
use super::limits::{INTEGER_MAX, NESTING_MAX};
use super::scan::plain_end;
use super::violation::Violation;

/// A cursor over one JSON document.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// The member for which the content was refused.
    pub violation: Violation,
}

/// A string as it is written between its quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawStr<'a> {
    /// The text between the quotes, with unresolved escapes.
    pub inner: &'a str,
    /// Whether the text contains escapes.
    pub escaped: bool,
}

impl<'a> RawStr<'a> {
    /// The value of the string. The escapes were validated when the string was read.
    pub fn value(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(unescape(self.inner)) } else { Cow::Borrowed(self.inner) }
    }

    /// Whether the value of the string is `text`.
    pub fn is(self, text: &str) -> bool {
        *self.value() == *text
    }
}

impl<'a> Reader<'a> {
    /// Creates a cursor at the beginning of `text`.
    #[inline(never)]
    pub const fn new(text: &'a str) -> Self {
        Self { text, at: 0, violation: Violation { object: "", member: "", rule: "" } }
    }

    /// Records the member that breaks a rule, unless a member inside it is recorded, and returns `code`.
    #[cold]
    #[inline(never)]
    pub fn blame(&mut self, code: Code, member: &'static str, rule: &'static str) -> Code {
        let found = &mut self.violation;
        if found.rule.is_empty() {
            *found = Violation { object: "", member, rule };
        } else {
            found.object = member;
        }
        code
    }

    /// Takes over the violation in `member`, which another cursor read, and returns `code`.
    #[cold]
    #[inline(never)]
    pub fn blame_inside(&mut self, inner: &Reader<'_>, code: Code, member: &'static str) -> Code {
        self.violation = inner.violation;
        self.blame(code, member, "invalid")
    }

    /// Skips white space and returns the next character without consuming it; U+0000 at the end, and an
    /// arbitrary character for one beyond ASCII.
    pub fn peek(&mut self) -> char {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return byte.into();
            }
            self.at += 1;
        }
        '\0'
    }

    /// Skips white space and consumes `character`.
    ///
    /// # Errors
    /// [`Code::InvalidJson`] if another character follows.
    pub fn expect(&mut self, character: char) -> Result<(), Code> {
        if self.peek() == character {
            self.at += 1;
            Ok(())
        } else {
            Err(Code::InvalidJson)
        }
    }

    /// Checks that only white space follows.
    ///
    /// # Errors
    /// [`Code::InvalidJson`] if anything else follows.
    pub fn end(&mut self) -> Result<(), Code> {
        if self.peek() == '\0' && self.at == self.text.len() {
            Ok(())
        } else {
            Err(Code::InvalidJson)
        }
    }

    /// Reads an object. Calls `member` with each key and with the cursor before the value of that
    /// key. `member` must consume the value.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] if the next value is not an object; errors of `member`; syntax
    /// errors.
    pub fn object(
        &mut self,
        mut member: impl FnMut(RawStr<'a>, &mut Self) -> Result<(), Code>,
    ) -> Result<(), Code> {
        self.members(&mut member)
    }

    /// The loop of [`Reader::object`]. It is not generic, so that the module contains one copy and
    /// stays small.
    fn members(
        &mut self,
        member: &mut dyn FnMut(RawStr<'a>, &mut Self) -> Result<(), Code>,
    ) -> Result<(), Code> {
        if self.peek() != '{' {
            return Err(Code::InvalidContent);
        }
        self.at += 1;
        if self.peek() == '}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek() != '"' {
                return Err(Code::InvalidJson);
            }
            let key = self.string()?;
            self.expect(':')?;
            member(key, self)?;
            match self.peek() {
                ',' => self.at += 1,
                '}' => break self.at += 1,
                _ => return Err(Code::InvalidJson),
            }
        }
        Ok(())
    }

    /// Reads an array. Calls `element` with the cursor before each value. `element` must consume
    /// the value.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] if the next value is not an array; errors of `element`; syntax
    /// errors.
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
        if self.peek() != '[' {
            return Err(Code::InvalidContent);
        }
        self.at += 1;
        if self.peek() == ']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            element(self)?;
            match self.peek() {
                ',' => self.at += 1,
                ']' => break self.at += 1,
                _ => return Err(Code::InvalidJson),
            }
        }
        Ok(())
    }

    /// Reads a string.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] if the next value is not a string; syntax errors;
    /// [`Code::LoneSurrogate`].
    pub fn string(&mut self) -> Result<RawStr<'a>, Code> {
        if self.peek() != '"' {
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

    /// Reads the value of a string.
    ///
    /// # Errors
    /// As [`Reader::string`].
    pub fn text(&mut self) -> Result<Cow<'a, str>, Code> {
        self.string().map(RawStr::value)
    }

    /// Consumes `null` if it is the next value; returns whether it was.
    ///
    /// # Errors
    /// [`Code::InvalidJson`] for other text that begins with `n`.
    pub fn null(&mut self) -> Result<bool, Code> {
        if self.peek() == 'n' { self.literal("null").map(|()| true) } else { Ok(false) }
    }

    /// Reads `true` or `false`.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] if the next value is not a boolean; syntax errors.
    pub fn boolean(&mut self) -> Result<bool, Code> {
        match self.peek() {
            't' => self.literal("true").map(|()| true),
            'f' => self.literal("false").map(|()| false),
            _ => Err(Code::InvalidContent),
        }
    }

    /// Reads an integer from 0 to 2^53 − 1. It never rounds: fractions and exponents are refused.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] if the next value is not a plain integer;
    /// [`Code::IntegerOutOfRange`].
    pub fn unsigned(&mut self) -> Result<u64, Code> {
        u64::try_from(self.signed()?).map_err(|_| Code::InvalidContent)
    }

    /// Reads an integer from −(2^53 − 1) to 2^53 − 1. It never rounds.
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
    /// [`Code::InvalidContent`] if the next value is not a number, or is not finite as an f64.
    pub fn float(&mut self) -> Result<f64, Code> {
        let number = float::parse(self.number()?);
        if number.is_finite() { Ok(number) } else { Err(Code::InvalidContent) }
    }

    /// Skips and validates one value, and returns its raw text.
    ///
    /// # Errors
    /// Syntax errors, [`Code::TooDeep`], [`Code::LoneSurrogate`].
    pub fn raw(&mut self) -> Result<&'a str, Code> {
        self.peek();
        let start = self.at;
        self.skip()?;
        Ok(self.span(start, self.at))
    }

    /// Skips and validates one value.
    ///
    /// # Errors
    /// As [`Reader::raw`].
    pub fn skip(&mut self) -> Result<(), Code> {
        let mut open = Nesting::default();
        loop {
            match self.peek() {
                '{' => {
                    self.at += 1;
                    if self.peek() == '}' {
                        self.at += 1;
                    } else {
                        open.push(true)?;
                        self.key()?;
                        continue;
                    }
                }
                '[' => {
                    self.at += 1;
                    if self.peek() == ']' {
                        self.at += 1;
                    } else {
                        open.push(false)?;
                        continue;
                    }
                }
                '"' => drop(self.string()?),
                't' => self.literal("true")?,
                'f' => self.literal("false")?,
                'n' => self.literal("null")?,
                _ => drop(self.number().map_err(|_| Code::InvalidJson)?),
            }
            if !self.next_sibling(&mut open)? {
                return Ok(());
            }
        }
    }

    /// Continues after a value inside [`Reader::skip`]: closes the containers that end here and
    /// moves to the next value. Returns `false` when the outermost value is complete.
    fn next_sibling(&mut self, open: &mut Nesting) -> Result<bool, Code> {
        while let Some(object) = open.innermost() {
            match (self.peek(), object) {
                (',', true) => {
                    self.at += 1;
                    return self.key().map(|()| true);
                }
                (',', false) => {
                    self.at += 1;
                    return Ok(true);
                }
                ('}', true) | (']', false) => {
                    self.at += 1;
                    open.pop();
                }
                _ => return Err(Code::InvalidJson),
            }
        }
        Ok(false)
    }

    /// The text between two byte offsets. Both are character boundaries, as the ends of every token
    /// are.
    fn span(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    fn key(&mut self) -> Result<(), Code> {
        if self.peek() != '"' {
            return Err(Code::InvalidJson);
        }
        self.string()?;
        self.expect(':')
    }

    fn literal(&mut self, literal: &str) -> Result<(), Code> {
        if self.span(self.at, self.at + literal.len()) == literal {
            self.at += literal.len();
            Ok(())
        } else {
            Err(Code::InvalidJson)
        }
    }

    /// Reads the text of a number by the grammar of RFC 8259 §6.
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

/// The open containers, one bit each. The bit is set for an object.
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
