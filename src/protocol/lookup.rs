//! Lookup in tables of strings.

/// Returns the value that the table has for `text`.
pub(crate) fn lookup<T: Copy>(names: &[(&str, T)], text: &str) -> Option<T> {
    names.iter().find(|(name, _)| *name == text).map(|&(_, meaning)| meaning)
}
