//! Status words, each held once, with a tally of the rows that have it.

use crate::protocol::Code;

/// The most different words that one column may hold.
pub const WORDS_MAX: usize = u16::MAX as usize - 1;

/// The words of one status column. Word 0 is "none".
#[derive(Clone, Debug)]
pub struct Words {
    words: Vec<Box<str>>,
    tallies: Vec<u32>,
}

impl Default for Words {
    fn default() -> Self {
        Self { words: vec!["".into()], tallies: vec![0] }
    }
}

impl Words {
    /// The number of `word`, which is added if new.
    ///
    /// # Errors
    /// [`Code::InvalidContent`] when the column already holds its most words.
    pub fn intern(&mut self, word: &str) -> Result<u16, Code> {
        if let Some(number) = self.find(word) {
            return Ok(number);
        }
        if self.words.len() > WORDS_MAX {
            return Err(Code::InvalidContent);
        }
        self.words.push(word.into());
        self.tallies.push(0);
        Ok(self.words.len() as u16 - 1)
    }

    /// The number of `word`, if a row ever had it.
    pub fn find(&self, word: &str) -> Option<u16> {
        // Linear: real columns hold about five words, and most rows have one of the first.
        let known = self.words.get(1..)?.iter().position(|known| **known == *word);
        known.map(|index| index as u16 + 1)
    }

    /// The word with this number; `None` for 0.
    pub fn word(&self, number: u16) -> Option<&str> {
        if number == 0 { None } else { self.words.get(usize::from(number)).map(|word| &**word) }
    }

    /// Moves one row from one word to another.
    pub fn recount(&mut self, from: u16, to: u16) {
        self.leave(from);
        self.join(to);
    }

    /// Counts a new row.
    pub fn join(&mut self, number: u16) {
        if let Some(tally) = self.tallies.get_mut(usize::from(number)) {
            *tally += 1;
        }
    }

    /// Counts a row off.
    pub fn leave(&mut self, number: u16) {
        if let Some(tally) = self.tallies.get_mut(usize::from(number)) {
            *tally = tally.saturating_sub(1);
        }
    }

    /// Words that rows have now, with how many.
    pub fn tallies(&self) -> impl Iterator<Item = (&str, u32)> {
        let pairs = self.words.iter().zip(&self.tallies).skip(1);
        pairs.filter(|(_, tally)| **tally > 0).map(|(word, tally)| (&**word, *tally))
    }
}
