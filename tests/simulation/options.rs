//! The command line: `--seeds N`, `--minutes M`, `--seed S`.

use std::time::Duration;

/// Seeds that run when nobody says how many.
const SEEDS: u64 = 200;

/// What to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Options {
    /// One seed, with its journal.
    One(u64),
    /// The regressions, and the seeds from one on.
    Many(Span),
}

/// Seeds that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// The first.
    pub(crate) first: u64,
    /// How many, at most.
    pub(crate) count: u64,
    /// No seed begins after so long.
    pub(crate) time: Duration,
}

impl Options {
    /// Reads the arguments.
    ///
    /// # Errors
    /// What is wrong with them, for people.
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut seed, mut seeds, mut minutes) = (None, None, None);
        while let Some(name) = arguments.next() {
            let (chosen, most) = match name.as_str() {
                "--seed" => (&mut seed, u64::MAX),
                "--seeds" => (&mut seeds, 1_000_000_000),
                "--minutes" => (&mut minutes, 10_000),
                _ => return Err(format!("there is no option `{name}`")),
            };
            let value = arguments.next().ok_or_else(|| format!("`{name}` needs a number"))?;
            let number = value.parse().ok().filter(|number| (1..=most).contains(number));
            let wrong = || format!("`{name} {value}`: a number of 1 to {most} is needed");
            if chosen.replace(number.ok_or_else(wrong)?).is_some() {
                return Err(format!("`{name}` can be given once"));
            }
        }
        let time = minutes.map_or(Duration::MAX, |minutes| Duration::from_secs(60 * minutes));
        let (first, count) = match (seed, seeds, minutes) {
            (Some(seed), None, None) => return Ok(Self::One(seed)),
            (_, Some(count), _) => (seed.unwrap_or(1), count),
            (_, None, Some(_)) => (seed.unwrap_or(1), u64::MAX),
            (None, None, None) => (1, SEEDS),
        };
        Ok(Self::Many(Span { first, count, time }))
    }
}
