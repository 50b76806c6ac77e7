//! Names without the distinction of upper and lower case, for names with letters beyond ASCII.
//!
//! The tables of Unicode are larger than this library, and the JavaScript engine has them. So the driver
//! folds such names, all new ones in one call, and this cache keeps the results.

use super::DomainTable;
use crate::protocol::domain::{Patch, RowPatch};

/// Separates the names and their folded forms.
const SEPARATOR: u8 = 0;

/// The folded forms of the names that are not ASCII.
#[derive(Clone, Debug, Default)]
pub struct FoldedNames {
    /// The rows have a name as their id, and its folded form as their name: this table is compact, finds
    /// a row by its id, and is in the module anyway.
    known: DomainTable,
    /// The sum of the tables' versions for which `known` is complete.
    complete_for: u64,
    version: u64,
}

impl FoldedNames {
    /// The names that are not folded yet.
    pub fn missing<'a>(&mut self, tables: [&'a DomainTable; 2]) -> Vec<&'a str> {
        let mut missing = Vec::new();
        let versions = tables[0].versions().rows + tables[1].versions().rows;
        if self.complete_for == versions {
            return missing;
        }
        // With more forms than rows, some are of names that are gone. All are then folded again.
        if self.known.len() > tables[0].len() + tables[1].len() {
            self.known = DomainTable::default();
        }
        for table in tables {
            for row in 0..table.len() {
                let name = table.name(row);
                let is_new = !name.is_ascii() && self.known.find(name).is_none();
                if is_new && next_part(&mut { name }) == name {
                    missing.push(name);
                }
            }
        }
        // If the driver fails to fold, the next search lists the names again.
        if missing.is_empty() {
            self.complete_for = versions;
        }
        missing
    }

    /// Takes folded forms: each name and its form, with U+0000 between them all.
    pub fn add(&mut self, names: &str) {
        let mut rest = names;
        while !rest.is_empty() {
            let name = next_part(&mut rest);
            self.keep(name, next_part(&mut rest));
        }
        self.version += 1;
    }

    fn keep(&mut self, name: &str, folded: &str) {
        let domain = Patch::Value(folded.into());
        let row = RowPatch { domain_id: name.into(), domain, ..RowPatch::default() };
        // A full table folds no more names.
        let _full = self.known.upsert(&row);
    }

    /// The form of a name for a comparison that ignores the case of ASCII letters.
    pub fn get<'a>(&'a self, name: &'a str) -> &'a str {
        if self.known.is_empty() {
            return name;
        }
        self.known.find(name).map_or(name, |row| self.known.name(row))
    }

    /// Changes whenever forms are added.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The bytes of the names and forms, and the bytes of the table around them.
    pub fn bytes(&self) -> [usize; 2] {
        [self.known.text_bytes(), self.known.overhead_bytes()]
    }
}

/// Takes the text before the next separator.
fn next_part<'a>(rest: &mut &'a str) -> &'a str {
    let end = rest.bytes().position(|byte| byte == SEPARATOR).unwrap_or(rest.len());
    let part = rest.get(..end).unwrap_or_default();
    *rest = rest.get(end + 1..).unwrap_or_default();
    part
}
