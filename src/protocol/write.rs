//! A JSON writer for the messages of the client, which are small and flat.

use super::escape::plain_end;

/// Writes one JSON object, member by member.
#[derive(Debug)]
pub struct ObjectWriter {
    out: String,
}

impl ObjectWriter {
    /// Starts an object whose first member is `type`.
    pub fn message(kind: &str) -> Self {
        Self { out: String::from("{") }.text("type", kind)
    }

    /// Continues an object that already has members. `json` lacks only the last brace.
    pub fn resume(json: &str) -> Self {
        Self { out: String::from(json) }
    }

    /// Starts an object without members.
    pub fn empty() -> Self {
        Self { out: String::from("{") }
    }

    /// Adds a string member.
    #[must_use]
    pub fn text(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        push_string(&mut self.out, value);
        self
    }

    /// Adds an integer member.
    #[must_use]
    pub fn number(mut self, key: &str, value: u64) -> Self {
        self.key(key);
        push_decimal(&mut self.out, value);
        self
    }

    /// Adds a member whose value is already JSON.
    #[must_use]
    pub fn raw(mut self, key: &str, json: &str) -> Self {
        self.key(key);
        self.out.push_str(json);
        self
    }

    /// Returns the finished object.
    pub fn finish(mut self) -> String {
        self.out.push('}');
        self.out
    }

    fn key(&mut self, key: &str) {
        if self.out.len() > 1 {
            self.out.push(',');
        }
        push_string(&mut self.out, key);
        self.out.push(':');
    }
}

/// Appends `text` as a JSON string.
pub fn push_string(out: &mut String, text: &str) {
    out.push('"');
    let mut from = 0;
    loop {
        // The bytes that need an escape are the bytes that end plain text when a string is read.
        let at = plain_end(text.as_bytes(), from);
        out.push_str(text.get(from..at).unwrap_or_default());
        let Some(&byte) = text.as_bytes().get(at) else { break };
        out.push_str("\\u");
        push_hex(out, byte.into(), 4);
        from = at + 1;
    }
    out.push('"');
}

/// Appends `number` in decimal. The standard formatter would add its code to the module for this
/// use alone.
pub fn push_decimal(out: &mut String, number: u64) {
    if number >= 10 {
        push_decimal(out, number / 10);
    }
    out.push(char::from(b'0' + (number % 10) as u8));
}

/// Appends the last `digits` hexadecimal digits of `number`, in lower case.
pub fn push_hex(out: &mut String, number: u64, digits: u32) {
    for place in (0..digits).rev() {
        out.push(char::from_digit((number >> (4 * place)) as u32 & 15, 16).unwrap_or('0'));
    }
}
