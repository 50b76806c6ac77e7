//! The names of the values of an enumeration, as one text. A table of strings would take eight bytes of the module
//! for each name, beside the name.

use super::scan::next_line;

/// An alias of the name before it begins with this.
const ALIAS: char = '=';

/// One name per line, in the order of the values.
pub(crate) struct Names(pub &'static str);

impl Names {
    /// The name of the value with this index; an empty text beyond the last one.
    pub(crate) fn name(&self, index: usize) -> &'static str {
        let (mut rest, mut names) = (self.0, 0);
        loop {
            let line = next_line(&mut rest);
            if !line.starts_with(ALIAS) {
                if names == index {
                    return line;
                }
                names += 1;
            }
        }
    }

    /// The index of the value with this name or alias.
    pub(crate) fn find(&self, text: &str) -> Option<usize> {
        let (mut rest, mut names) = (self.0, 0);
        while !rest.is_empty() {
            let line = next_line(&mut rest);
            let alias = line.strip_prefix(ALIAS);
            names += usize::from(alias.is_none());
            if alias.unwrap_or(line) == text {
                return Some(names - 1);
            }
        }
        None
    }
}

/// Defines an enumeration of which each value has a name, and perhaps aliases.
macro_rules! named {
    ($(#[doc = $doc:literal])+ $enum:ident {
        $($(#[doc = $vdoc:literal])+ $name:ident = $text:literal $(| $alias:literal)*,)+
    }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        // As wide as a value of WebAssembly: the module masks a narrower one after every call that returns it.
        #[repr(u32)]
        pub enum $enum { $($(#[doc = $vdoc])+ $name,)+ }

        impl $enum {
            const NAMES: $crate::protocol::names::Names =
                $crate::protocol::names::Names(concat!($($text, "\n", $("=", $alias, "\n",)*)+));

            /// All variants, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The canonical name.
            pub fn as_str(self) -> &'static str {
                Self::NAMES.name(self as usize)
            }

            /// Reads the canonical name or one of its aliases.
            pub fn parse(text: &str) -> Option<Self> {
                Self::NAMES.find(text).and_then(|index| Self::ALL.get(index).copied())
            }
        }
    };
}

pub(crate) use named;
