//! A JSON writer, for the messages of the client and for all data that leaves the core.

use super::escape::plain_end;

/// Writes one JSON document, value by value. The caller closes what it opens.
#[derive(Debug, Default)]
pub struct JsonWriter {
    out: String,
}

impl JsonWriter {
    /// Starts an object.
    pub fn object() -> Self {
        Self::resume("{")
    }

    /// Starts an object whose first member is `type`.
    pub fn message(kind: &str) -> Self {
        let mut message = Self::object();
        message.text("type", kind);
        message
    }

    /// Continues a document that begins with `json`.
    pub fn resume(json: &str) -> Self {
        Self { out: String::from(json) }
    }

    /// Closes the object and returns the document.
    pub fn finish(mut self) -> String {
        self.close("}");
        self.into_text()
    }

    /// Returns the document.
    pub fn into_text(self) -> String {
        self.out
    }

    /// Begins a list (`[`) or an object (`{`).
    pub fn open(&mut self, bracket: &str) {
        self.raw(bracket);
    }

    /// Ends a list (`]`) or an object (`}`).
    pub fn close(&mut self, bracket: &str) {
        self.out.push_str(bracket);
    }

    /// Writes the name of a member. Its value follows.
    pub fn key(&mut self, name: &str) {
        self.string(name);
        self.out.push(':');
    }

    /// Writes the name of a member, and begins its list or object.
    pub fn member(&mut self, name: &str, bracket: &str) {
        self.key(name);
        self.open(bracket);
    }

    /// Writes a value that is already JSON.
    pub fn raw(&mut self, json: &str) {
        self.separate();
        self.out.push_str(json);
    }

    /// Writes a string.
    pub fn string(&mut self, text: &str) {
        self.separate();
        push_string(&mut self.out, text);
    }

    /// Writes a whole number.
    pub fn number(&mut self, number: u64) {
        self.separate();
        push_decimal(&mut self.out, number);
    }

    /// Writes a number; `null` if it is `None`.
    pub fn decimal(&mut self, number: Option<f64>) {
        match number {
            None => self.raw("null"),
            Some(number) => {
                let magnitude = number.abs();
                let whole = magnitude as u64;
                // The largest number below which every whole number is exact.
                if whole as f64 == magnitude && whole < 1 << 53 {
                    self.raw(if number < 0.0 { "-" } else { "" });
                    push_decimal(&mut self.out, whole);
                } else {
                    self.raw(&super::float::show(number));
                }
            }
        }
    }

    /// Adds a string member.
    pub fn text(&mut self, name: &str, value: &str) {
        self.key(name);
        self.string(value);
    }

    /// Adds a string member, unless `value` is `None`.
    pub fn optional_text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// Adds a string member; its value is `null` if `value` is `None`.
    pub fn nullable_text(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.text(name, value),
            None => self.nullable_number(name, None),
        }
    }

    /// Adds a count.
    pub fn count(&mut self, name: &str, value: u64) {
        self.key(name);
        self.number(value);
    }

    /// Adds a count, unless `value` is `None`.
    pub fn optional_count(&mut self, name: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.count(name, value);
        }
    }

    /// Adds a number; its value is `null` if `value` is `None`.
    pub fn nullable_number(&mut self, name: &str, value: Option<f64>) {
        self.key(name);
        self.decimal(value);
    }

    /// Adds a number, unless `value` is `None`.
    pub fn optional_number(&mut self, name: &str, value: Option<f64>) {
        if value.is_some() {
            self.nullable_number(name, value);
        }
    }

    /// Adds `true` or `false`.
    pub fn flag(&mut self, name: &str, value: bool) {
        self.key(name);
        self.raw(if value { "true" } else { "false" });
    }

    /// Adds the object of a value.
    pub fn record(&mut self, name: &str, value: &dyn ToJson) {
        self.member(name, "{");
        value.show(self);
        self.close("}");
    }

    /// Adds the object of a value; `null` if it is `None`.
    pub fn nullable_record(&mut self, name: &str, value: Option<&dyn ToJson>) {
        match value {
            Some(value) => self.record(name, value),
            None => self.nullable_number(name, None),
        }
    }

    /// Writes the comma between two values.
    fn separate(&mut self) {
        if !matches!(self.out.as_bytes().last(), None | Some(b'{' | b'[' | b':')) {
            self.out.push(',');
        }
    }
}

/// A type whose values leave the core, as JSON objects.
pub trait ToJson {
    /// Adds the members of the object.
    fn show(&self, to: &mut JsonWriter);
}

/// Returns a value as the text of a JSON object.
pub fn to_json(value: &dyn ToJson) -> String {
    let mut object = JsonWriter::object();
    value.show(&mut object);
    object.finish()
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
