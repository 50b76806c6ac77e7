//! Tables of words.

/// What a word stands for.
pub(crate) fn lookup<T: Copy>(words: &[(&str, T)], text: &str) -> Option<T> {
    words.iter().find(|(word, _)| *word == text).map(|&(_, meaning)| meaning)
}
