//! Plain data: the only form in which values leave the core.
//!
//! A type fills a [`Record`] with its members, and one `Serialize` implementation writes all
//! records. Derived implementations, one per type, took a tenth of the WebAssembly module.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// A value that JSON can express.
#[derive(Debug, PartialEq)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A whole number within ±(2^53 − 1).
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A borrowed string.
    Text(&'a str),
    /// An owned string.
    Owned(String),
    /// A list.
    List(Vec<Self>),
    /// An object.
    Record(Record<'a>),
}

/// An object: pairs of name and value, in insertion order.
#[derive(Debug, Default, PartialEq)]
pub struct Record<'a>(Vec<(&'a str, Value<'a>)>);

/// A type whose values can leave the core.
pub trait ToValue {
    /// Converts the value to plain data.
    fn to_value(&self) -> Value<'_>;
}

impl<'a> Record<'a> {
    /// Adds a member.
    pub fn add(&mut self, name: &'a str, value: Value<'a>) {
        self.0.push((name, value));
    }

    /// Adds a string.
    pub fn text(&mut self, name: &'a str, value: &'a str) {
        self.add(name, Value::Text(value));
    }

    /// Adds a string; leaves out the member if `value` is `None`.
    pub fn optional_text(&mut self, name: &'a str, value: Option<&'a str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// Adds a string; writes `null` if `value` is `None`.
    pub fn nullable_text(&mut self, name: &'a str, value: Option<&'a str>) {
        self.add(name, value.map_or(Value::Null, Value::Text));
    }

    /// Adds a count.
    pub fn count(&mut self, name: &'a str, value: u64) {
        self.add(name, Value::Integer(value as i64));
    }

    /// Adds a count; leaves out the member if `value` is `None`.
    pub fn optional_count(&mut self, name: &'a str, value: Option<u64>) {
        if let Some(value) = value {
            self.count(name, value);
        }
    }

    /// Adds a number.
    pub fn float(&mut self, name: &'a str, value: f64) {
        self.add(name, Value::Float(value));
    }

    /// Adds the object that `show` fills from `value`; writes `null` if `value` is `None`.
    pub fn nullable_record<T: ?Sized>(
        &mut self,
        name: &'a str,
        value: Option<&'a T>,
        show: fn(&'a T, &mut Self),
    ) {
        let shown = value.map(|value| {
            let mut record = Self::default();
            show(value, &mut record);
            record
        });
        self.add(name, shown.map_or(Value::Null, Value::Record));
    }

    /// Adds `true` or `false`.
    pub fn flag(&mut self, name: &'a str, value: bool) {
        self.add(name, Value::Flag(value));
    }
}

impl<'a> From<Record<'a>> for Value<'a> {
    fn from(record: Record<'a>) -> Self {
        Self::Record(record)
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => to.serialize_unit(),
            Self::Flag(flag) => to.serialize_bool(*flag),
            // JavaScript has one number type. For an `i64`, its serializer would first check the
            // range that `Integer` already guarantees.
            Self::Integer(number) if cfg!(target_arch = "wasm32") => {
                to.serialize_f64(*number as f64)
            }
            Self::Integer(number) => to.serialize_i64(*number),
            Self::Float(number) => to.serialize_f64(*number),
            Self::Text(text) => to.serialize_str(text),
            Self::Owned(text) => to.serialize_str(text),
            Self::List(list) => to.collect_seq(list),
            Self::Record(Record(members)) => {
                let mut map = to.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

/// Implements `Serialize` for types that implement [`ToValue`].
macro_rules! serialize_as_value {
    ($($type:ty),+ $(,)?) => {$(
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                $crate::value::ToValue::to_value(self).serialize(to)
            }
        }
    )+};
}
pub(crate) use serialize_as_value;
