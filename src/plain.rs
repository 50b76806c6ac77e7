//! What leaves the rooms: plain data, in one form for everything that readers see.
//!
//! Each type says what it shows by filling a [`Record`], and one `Serialize` carries that across. Derived
//! implementations wrote out every member of every type anew, which was a tenth of the module.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// Plain data, as JSON knows it.
#[derive(Debug, PartialEq)]
pub enum Plain<'a> {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A whole number within ±(2^53 − 1).
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A text that somebody else holds.
    Text(&'a str),
    /// A text made for this.
    Owned(String),
    /// A list.
    List(Vec<Self>),
    /// An object.
    Record(Record<'a>),
}

/// An object: names and values in order.
#[derive(Debug, Default, PartialEq)]
pub struct Record<'a>(Vec<(&'a str, Plain<'a>)>);

/// A type that readers see.
pub trait ToPlain {
    /// What they see of it.
    fn to_plain(&self) -> Plain<'_>;
}

impl<'a> Record<'a> {
    /// Adds a member.
    pub fn add(&mut self, name: &'a str, value: Plain<'a>) {
        self.0.push((name, value));
    }

    /// Adds a text.
    pub fn text(&mut self, name: &'a str, value: &'a str) {
        self.add(name, Plain::Text(value));
    }

    /// Adds a text; none is left out.
    pub fn optional_text(&mut self, name: &'a str, value: Option<&'a str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// Adds a text; none is `null`.
    pub fn nullable_text(&mut self, name: &'a str, value: Option<&'a str>) {
        self.add(name, value.map_or(Plain::Null, Plain::Text));
    }

    /// Adds a count.
    pub fn count(&mut self, name: &'a str, value: u64) {
        self.add(name, Plain::Integer(value as i64));
    }

    /// Adds a count; none is left out.
    pub fn optional_count(&mut self, name: &'a str, value: Option<u64>) {
        if let Some(value) = value {
            self.count(name, value);
        }
    }

    /// Adds a number.
    pub fn float(&mut self, name: &'a str, value: f64) {
        self.add(name, Plain::Float(value));
    }

    /// Adds what `show` says of a value; none is `null`.
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
        self.add(name, shown.map_or(Plain::Null, Plain::Record));
    }

    /// Adds `true` or `false`.
    pub fn flag(&mut self, name: &'a str, value: bool) {
        self.add(name, Plain::Flag(value));
    }
}

impl<'a> From<Record<'a>> for Plain<'a> {
    fn from(record: Record<'a>) -> Self {
        Self::Record(record)
    }
}

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => to.serialize_unit(),
            Self::Flag(flag) => to.serialize_bool(*flag),
            // JavaScript has one type of number; its serializer would make sure that this fits.
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

/// Serialises types as the plain data that they show.
macro_rules! serialize_as_plain {
    ($($type:ty),+ $(,)?) => {$(
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                $crate::plain::ToPlain::to_plain(self).serialize(to)
            }
        }
    )+};
}
pub(crate) use serialize_as_plain;
