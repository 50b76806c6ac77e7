//! The simulator runs real machines against a model server or the core of the reference server, over a
//! network with faults.
//!
//! `cargo xtask sim --seeds N` runs the regressions and the seeds 1 to N. With `--seed S` the seeds
//! begin at S. The seed decides everything that happens. The run prints a failing seed, with the options
//! of the shortest run that shows the same failure, as far as a short search finds it. `--seed S` alone
//! replays a seed with its whole journal.

mod cached;
mod catalogue;
mod chaos;
mod client;
mod client_driver;
mod evidence;
mod exhaustive;
mod faults;
mod fetches;
mod invariants;
mod journal;
mod kinds;
mod names;
mod network;
mod options;
mod oracle;
mod pages;
mod reduction;
mod reference;
mod regressions;
mod report;
mod reported;
mod retry_after;
mod rng;
mod sealed;
mod server;
mod traffic;
mod user_actions;
mod users;
mod workload;
mod world;
mod written;

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use std::{env, fs, io, thread};

use invariants::Violation;
use journal::JournalMode;
use options::{Options, Span, USAGE};
use reduction::Reduction;
use report::RunTotals;
use world::{End, simulate};

/// The root of the repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// Every seed that is a multiple of this number runs twice, and must write the same journal both times.
/// The number shares no factor with the numbers that select the kind of world, so that seeds of every
/// kind run twice.
const REPEAT_EVERY: u64 = 49;
/// Progress is printed for every seed that is a multiple of this number.
const PROGRESS_EVERY: u64 = 500;
/// A run of this many seeds must meet every kind of world and every kind of fault.
const COVERING: u64 = 2_000;
/// A thread stops after this many failures.
const FAILURES_MAX: usize = 10;

/// The results that the threads share.
#[derive(Debug, Default)]
struct Results {
    totals: RunTotals,
    failures: Vec<(u64, String)>,
    /// The seeds of this run, without those of the report to which it adds.
    own_seeds: u64,
    /// By seed: the hash of its journal, and its number of lines.
    journals: BTreeMap<u64, (u64, u64)>,
}

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1).peekable();
    if arguments.next_if(|first| first == "--exhaustive").is_some() {
        return exhaustive::run(arguments);
    }
    let options = match Options::read(arguments) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let began = Instant::now();
    let everything = matches!(&options, Options::Many(span) if span.only.is_none());
    let results = match options {
        Options::One(seed, reduction) => one(seed, &reduction),
        Options::Many(span) => {
            let mut results = many(&span);
            results.own_seeds = results.totals.seeds;
            if let Some(report) = &span.onto {
                match results.totals.add_report(report) {
                    Ok(failures) => results.failures.extend(failures),
                    Err(error) => {
                        eprintln!("{} cannot be read: {error}", report.display());
                        return ExitCode::FAILURE;
                    }
                }
            }
            if let Some(file) = &span.journals
                && let Err(error) = write_journals(file, &results.journals)
            {
                eprintln!("{} cannot be written: {error}", file.display());
                return ExitCode::FAILURE;
            }
            results
        }
    };
    finish(&results, began, everything)
}

/// Runs one seed, or a reduced form of it, and prints its journal.
fn one(seed: u64, reduction: &Reduction) -> Results {
    let mut results = Results::default();
    run_seed(seed, reduction, JournalMode::Print, false, &mut results);
    results.own_seeds = results.totals.seeds;
    results
}

/// Runs the regressions and the seeds of `span`, on all processors.
fn many(span: &Span) -> Results {
    let results = Mutex::new(Results::default());
    let (next, began) = (AtomicU64::new(0), Instant::now());
    // Seeds are handed out in order, so every seed before the first failing one runs to its end.
    let first_failure = AtomicU64::new(u64::MAX);
    let regressions = if span.fail_fast { 0 } else { regressions::COUNT as u64 };
    let worker = || {
        let mut own = Results::default();
        loop {
            let job = next.fetch_add(1, Ordering::Relaxed);
            let known = usize::try_from(job).ok().filter(|_| job < regressions);
            let known = known.and_then(regressions::seed);
            let number = job.saturating_sub(regressions);
            let seed = known.unwrap_or_else(|| span.first.saturating_add(number));
            let failed = own.failures.len() >= FAILURES_MAX
                || (span.fail_fast && first_failure.load(Ordering::Relaxed) < seed);
            let over = number >= span.count || began.elapsed() >= span.time;
            if failed || (known.is_none() && over) {
                break;
            }
            if known.is_none() && span.only.is_some_and(|worlds| !worlds.includes(seed)) {
                continue;
            }
            let hashed = span.journals.is_some() || seed.is_multiple_of(REPEAT_EVERY);
            let keep = if hashed { JournalMode::Hash } else { JournalMode::Nothing };
            run_seed(seed, &Reduction::default(), keep, !span.fail_fast, &mut own);
            if !own.failures.is_empty() {
                first_failure.fetch_min(seed, Ordering::Relaxed);
            }
            if seed.is_multiple_of(PROGRESS_EVERY) {
                println!("seed {seed}, {:.0} s", began.elapsed().as_secs_f64());
            }
        }
        let mut results = results.lock().unwrap_or_else(|error| error.into_inner());
        results.totals.add(&own.totals);
        results.failures.extend(own.failures);
        results.journals.extend(own.journals);
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(worker);
        }
    });
    let mut results = results.into_inner().unwrap_or_else(|error| error.into_inner());
    if span.fail_fast {
        results.failures.sort();
        results.failures.truncate(1);
    }
    results
}

/// Runs a seed. With `shorten`, a failure starts a search for the shortest run that shows it.
fn run_seed(
    seed: u64,
    reduction: &Reduction,
    keep: JournalMode,
    shorten: bool,
    results: &mut Results,
) {
    match survive(seed, reduction, keep) {
        Ok(end) => {
            results.totals.add(&end.totals);
            if let Some(violation) = &end.violation {
                fail(seed, shorten, violation, results);
            } else if keep == JournalMode::Hash {
                results.journals.insert(seed, (end.journal.hash(), end.journal.lines()));
                if seed.is_multiple_of(REPEAT_EVERY) {
                    repeat(seed, &end, results);
                }
            }
        }
        Err(panic) => {
            results.totals.seeds += 1;
            fail(seed, shorten, &panic, results);
        }
    }
}

/// Runs a simulation. A panic of the machine counts as a violation.
fn survive(seed: u64, reduction: &Reduction, keep: JournalMode) -> Result<End, Violation> {
    let run = AssertUnwindSafe(|| simulate(seed, reduction, keep));
    catch_unwind(run).map_err(|panic: Box<dyn Any + Send>| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Violation { guarantee: "panic", detail: text.unwrap_or("without a word").to_owned() }
    })
}

/// Writes one line for each seed, in the order of the seeds.
fn write_journals(file: &Path, journals: &BTreeMap<u64, (u64, u64)>) -> io::Result<()> {
    let mut text = String::new();
    for (seed, (hash, lines)) in journals {
        text.push_str(&format!("{seed} {hash:016x} {lines}\n"));
    }
    fs::write(file, text)
}

/// Checks that the same seed gives the same journal.
fn repeat(seed: u64, first: &End, results: &mut Results) {
    let Ok(again) = survive(seed, &Reduction::default(), JournalMode::Hash) else { return };
    let (was, is) = (&first.journal, &again.journal);
    if (was.hash(), was.lines()) != (is.hash(), is.lines()) {
        let detail = format!("{} lines, then {} others", was.lines(), is.lines());
        let violation = Violation { guarantee: "same seed, same journal", detail };
        fail(seed, false, &violation, results);
    }
}

/// Reports a failure. With `shorten`, the report has the end of the shortest journal that shows the
/// failure.
fn fail(seed: u64, shorten: bool, violation: &Violation, results: &mut Results) {
    let mut text = format!("test seed {seed} ... FAILED\n{violation}\n");
    if shorten {
        let lines = |reduction: &Reduction| match survive(seed, reduction, JournalMode::Nothing) {
            Ok(end) => end
                .violation
                .is_some_and(|it| it.guarantee == violation.guarantee)
                .then(|| end.journal.lines()),
            // The journal is lost if the machine panics.
            Err(panic) => (panic.guarantee == violation.guarantee).then_some(0),
        };
        let reduction = Reduction::of_failure(lines);
        if let Ok(end) = survive(seed, &reduction, JournalMode::Tail) {
            for line in end.journal.tail() {
                text.push_str(line);
                text.push('\n');
            }
            if let Some(violation) = end.violation {
                text.push_str(&format!("{violation}\n"));
            }
        }
        let replay = format!("cargo xtask sim --module {} --seed {seed}", kinds::MODULE);
        text.push_str(&format!("replay: {replay}\nthe shortest: {replay}{}", reduction.options()));
    }
    println!("{text}");
    results.failures.push((seed, violation.to_string()));
}

fn finish(results: &Results, began: Instant, everything: bool) -> ExitCode {
    let Results { totals, failures, own_seeds, journals: _ } = results;
    let path = Path::new(ROOT).join("target/report/sim.json");
    let written = totals.write(&path, failures);
    if let Err(error) = &written {
        eprintln!("{} cannot be written: {error}", path.display());
    }
    println!(
        "{} seeds, {} steps, {} events applied, {:.1} s",
        totals.seeds,
        totals.steps,
        totals.events,
        began.elapsed().as_secs_f64()
    );
    for (seed, violation) in failures {
        println!("seed {seed}: {violation}");
    }
    let covers = everything && totals.seeds >= COVERING;
    let unmet = if covers { totals.unmet() } else { Vec::new() };
    if !unmet.is_empty() {
        println!("never met in {} seeds: {}", totals.seeds, unmet.join(", "));
    }
    let passed = own_seeds - (failures.len() as u64).min(*own_seeds);
    let ok = failures.is_empty() && written.is_ok() && unmet.is_empty();
    let result = if ok { "ok" } else { "FAILED" };
    println!("test result: {result}. {passed} passed; {} failed", failures.len() + unmet.len());
    if ok { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
