//! The command line: `--seeds N`, `--seed S`, `--minutes M`.

use std::time::Duration;

/// Seeds that run when nobody says how many.
const SEEDS: u64 = 200;

/// What to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Options {
    /// The regressions, and this many seeds from 1 on.
    Seeds(u64),
    /// One seed, with its journal.
    One(u64),
    /// The regressions, and seeds from 1 on until the time is over.
    Time(Duration),
}

impl Options {
    /// Reads the arguments.
    ///
    /// # Errors
    /// What is wrong with them, for people.
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut chosen = None;
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("`{name}` needs a number"));
            let number = |most: u64| {
                let value = value?;
                let number = value.parse().ok().filter(|number| (1..=most).contains(number));
                number.ok_or_else(|| format!("`{name} {value}`: a number of 1 to {most} is needed"))
            };
            let option = match name.as_str() {
                "--seeds" => Self::Seeds(number(1_000_000_000)?),
                "--seed" => Self::One(number(u64::MAX)?),
                "--minutes" => Self::Time(Duration::from_secs(60 * number(10_000)?)),
                _ => return Err(format!("there is no option `{name}`")),
            };
            if chosen.replace(option).is_some() {
                return Err("only one of --seeds, --seed and --minutes can be given".to_owned());
            }
        }
        Ok(chosen.unwrap_or(Self::Seeds(SEEDS)))
    }
}
