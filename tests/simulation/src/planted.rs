//! Deliberate faults of the client, one after the other: each must be found within so many seeds.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use campaign_sync::planted::{ALL, Bug, plant};

use super::journal::Keep;
use super::reduction::Reduction;
use super::{ROOT, survive};

/// Each is found within so many seeds.
const SEEDS_MAX: u64 = 1_000;
/// Where the table is.
const TABLE: &str = "docs/PLANTED.md";

/// How one was found.
#[derive(Clone, Copy, Debug)]
struct Found {
    seed: u64,
    by: &'static str,
}

/// Looks for all of them. With `write` the table is written, without it must be there.
pub(crate) fn run(write: bool) -> ExitCode {
    let found = Mutex::new(vec![None; ALL.len()]);
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some((bug, _)) = ALL.get(index) else { break };
                    let result = look_for(*bug);
                    println!("{bug:?}: {result:?}");
                    found.lock().unwrap_or_else(|error| error.into_inner())[index] = result;
                }
            });
        }
    });
    let found = found.into_inner().unwrap_or_else(|error| error.into_inner());
    finish(&found, write)
}

/// The first seed that shows it. What the same seed shows without it is no finding.
fn look_for(bug: Bug) -> Option<Found> {
    let violation = |bug, seed| {
        plant(bug);
        let end = survive(seed, &Reduction::default(), Keep::Nothing);
        plant(None);
        end.map_or_else(Some, |end| end.violation)
    };
    let seed = (1..=SEEDS_MAX).find(|seed| violation(Some(bug), *seed).is_some())?;
    let by = violation(Some(bug), seed)?.guarantee;
    violation(None, seed).is_none().then_some(Found { seed, by })
}

fn finish(found: &[Option<Found>], write: bool) -> ExitCode {
    let path = Path::new(ROOT).join(TABLE);
    let missed = found.iter().filter(|it| it.is_none()).count();
    let table = table(found);
    let known = fs::read_to_string(&path).unwrap_or_default();
    let listed = ALL.iter().all(|(bug, _)| known.contains(&format!("| {bug:?} |")));
    let written = if write { fs::write(&path, table).is_ok() } else { listed };
    if !written {
        println!("{TABLE} does not list every planted bug: `cargo xtask planted` writes it");
    }
    let ok = missed == 0 && written;
    let word = if ok { "ok" } else { "FAILED" };
    let failed = missed + usize::from(!written);
    println!("test result: {word}. {} passed; {failed} failed", found.len() - missed);
    if ok { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn table(found: &[Option<Found>]) -> String {
    let mut text = format!(
        "# Planted bugs\n\nDeliberate faults of the client, of the kind that systems like this one \
         have had (`src/planted.rs`). Each is chosen alone, and the simulator must find it within \
         {SEEDS_MAX} seeds, counted from 1; the same seeds pass without it. `cargo xtask planted` \
         writes this table, and `cargo xtask test` looks for all of them.\n\n\
         | bug | what it does | found at seed | by |\n| --- | --- | --- | --- |\n"
    );
    for ((bug, what), found) in ALL.iter().zip(found) {
        let (seed, by) = found.map_or(("never".to_owned(), ""), |it| (it.seed.to_string(), it.by));
        // Writing to a string cannot fail.
        let _infallible = writeln!(text, "| {bug:?} | {} | {seed} | {by} |", what.trim());
    }
    text
}
