//! A JSON writer, for the messages of the client and for all data that leaves the core.

use super::scan::plain_end;

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

    /// Writes a finite number; `null` if it is `None`.
    pub fn decimal(&mut self, number: Option<f64>) {
        match number {
            None => self.raw("null"),
            Some(number) => {
                self.raw(if number < 0.0 { "-" } else { "" });
                push_float(&mut self.out, number.abs());
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

/// Appends a finite number that is not negative, so that it reads as the same number. The shortest text needs tables of
/// ten kilobytes, so only numbers of up to 15 decimal places are short here.
fn push_float(out: &mut String, number: f64) {
    let mut scale = 1.0;
    for places in 0..=15 {
        let digits = (number * scale).round_ties_even();
        // Both are exact, so the quotient is the number that their text means.
        if digits < (1_u64 << 53) as f64 && digits / scale == number {
            push_decimal(out, digits as u64);
            return push_exponent(out, places);
        }
        scale *= 10.0;
    }
    push_exact(out, number.to_bits());
}

/// Appends all digits of a number, which is `fraction * 2^power`, and so `fraction * 5^-power * 10^power` too.
fn push_exact(out: &mut String, bits: u64) {
    let exponent = (bits >> 52) as i32;
    let implicit = u64::from(exponent > 0) << 52;
    let power = exponent.max(1) - 1075;
    let factor = if power < 0 { 5 } else { 2 };
    // The digits, the last one first. The first round brings the fraction in, and every other one multiplies.
    let mut digits = Vec::new();
    let mut carry = bits & ((1 << 52) - 1) | implicit;
    for _ in 0..=power.unsigned_abs() {
        for digit in &mut digits {
            carry += *digit * factor;
            *digit = carry % 10;
            carry /= 10;
        }
        while carry > 0 {
            digits.push(carry % 10);
            carry /= 10;
        }
    }
    for &digit in digits.iter().rev() {
        push_decimal(out, digit);
    }
    push_exponent(out, power.min(0).unsigned_abs());
}

fn push_exponent(out: &mut String, places: u32) {
    if places > 0 {
        out.push_str("e-");
        push_decimal(out, places.into());
    }
}

/// Appends the last `digits` hexadecimal digits of `number`, in lower case.
pub fn push_hex(out: &mut String, number: u64, digits: u32) {
    for place in (0..digits).rev() {
        out.push(char::from_digit((number >> (4 * place)) as u32 & 15, 16).unwrap_or('0'));
    }
}
