//! `cargo xtask test`: sets up, runs every suite in two lanes, and ends with one summary line.

mod group;
mod log;
mod suite;
mod tally;

use std::panic::resume_unwind;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};
use pico_args::Arguments;

use crate::repo::Repo;
use crate::setup;
use log::Log;
use suite::{Lane, Suite};
use tally::Tally;

/// The lines of a failed suite's output that are printed. The whole output is in its log.
const TAIL_LINES: usize = 80;

/// The exit code after a Ctrl-C, by the convention of shells.
const INTERRUPTED: i32 = 130;

/// The options of the command line.
pub(crate) struct Options {
    only: Option<Suite>,
}

impl Options {
    pub(crate) fn parse(mut arguments: Arguments) -> Result<Self> {
        let only = arguments.opt_value_from_fn("--only", Suite::named)?;
        crate::done(arguments)?;
        Ok(Self { only })
    }
}

/// Runs the selected suites. The exit code says whether all of them passed.
pub(crate) fn run_command(repo: &Repo, options: Options) -> Result<ExitCode> {
    let selected = Suite::ALL.into_iter().filter(|suite| match options.only {
        Some(only) => *suite == only || (*suite == Suite::Build && only.needs_build()),
        None => true,
    });
    let stop = || {
        group::stop_groups();
        std::process::exit(INTERRUPTED);
    };
    ctrlc::set_handler(stop).context("cannot listen for Ctrl-C")?;
    let started = Instant::now();
    setup::everything(repo)?;
    println!("set-up: done in {:.1} s", started.elapsed().as_secs_f64());

    let selected: Vec<_> = selected.collect();
    let mut total = run_lane(repo, &selected, Lane::First, true)?;
    let is_built = total.failed == 0;
    let [computing, waiting] = thread::scope(|scope| {
        let lanes = [Lane::Computing, Lane::Waiting];
        let selected = &selected;
        let threads =
            lanes.map(|lane| scope.spawn(move || run_lane(repo, selected, lane, is_built)));
        threads.map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    total += computing?;
    total += waiting?;
    total += run_lane(repo, &selected, Lane::Last, is_built)?;
    println!("\n{total}");
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the selected suites of one lane.
fn run_lane(repo: &Repo, selected: &[Suite], lane: Lane, is_built: bool) -> Result<Tally> {
    let mut total = Tally::default();
    for &suite in selected.iter().filter(|suite| suite.lane() == lane) {
        total += if let Some(reason) = suite.absent(repo) {
            println!("{suite}: skipped, {reason}");
            Tally::default()
        } else if is_built || !suite.needs_build() {
            run_suite(repo, suite)?
        } else {
            println!("{suite}: FAILED, not run because the build failed");
            Tally::crashed()
        };
    }
    Ok(total)
}

/// Runs one suite into a log. If it fails, the end of the log is printed.
fn run_suite(repo: &Repo, suite: Suite) -> Result<Tally> {
    println!("{suite}: running");
    let started = Instant::now();
    let mut log = Log::create(repo.report(&format!("test-{suite}.log"))?, suite.limit())?;
    let tally = match suite.run(repo, &mut log) {
        Ok(tally) => tally,
        Err(error) => {
            log.note(&format!("error: {error:#}"))?;
            Tally::crashed()
        }
    };
    println!("{suite}: {tally} in {:.1} s", started.elapsed().as_secs_f64());
    if tally.failed > 0 {
        let text = log.read().context("cannot read the log back")?;
        println!("--- the end of {}", log.path().display());
        println!("{}", tally::tail(&text, TAIL_LINES));
        println!("---");
        for name in tally::failing_names(&text) {
            println!("{suite}: failed: {name}");
        }
    }
    Ok(tally)
}
