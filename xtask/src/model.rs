//! `cargo xtask model`: every interleaving of a small world around the real machine.

use std::process::Command;

use anyhow::{Context, Result, bail};
use pico_args::Arguments;

use crate::planted::{Slot, fault};
use crate::repo::{Repo, run};

/// The program whose exhaustive mode this is.
const PACKAGE: &str = "campaign-sync-simulation";
/// The planted fault that the search must find: without a finding, nothing shows that it sees faults.
const PLANTED: &str = "held-events-forgotten";

/// What to search.
#[derive(Clone, Copy)]
pub(crate) struct Options {
    faults: u8,
    timers: u8,
    /// Only the small world with the planted fault.
    planted: bool,
}

impl Options {
    /// What every test run searches; `cargo xtask soak model` takes more.
    pub(crate) const SMALL: Self = Self { faults: 1, timers: 0, planted: false };
    /// What a long run searches.
    pub(crate) const LARGE: Self = Self { faults: 1, timers: 1, planted: false };

    pub(crate) fn parse(mut arguments: Arguments) -> Result<Self> {
        let faults = arguments.opt_value_from_str("--faults").context("--faults is a number")?;
        let timers = arguments.opt_value_from_str("--timers").context("--timers is a number")?;
        let planted = arguments.contains("--planted");
        crate::done(arguments)?;
        let options = Self { faults: faults.unwrap_or(1), timers: timers.unwrap_or(0), planted };
        if options.faults > 8 || options.timers > 8 {
            bail!("--faults and --timers are numbers of 0 to 8");
        }
        Ok(options)
    }

    fn pass_to(self, command: &mut Command) {
        command.arg("--exhaustive");
        command.args(["--faults", &self.faults.to_string(), "--timers", &self.timers.to_string()]);
    }
}

/// Searches the whole world; then the small one, where a planted fault must be found.
pub(crate) fn run_command(repo: &Repo, options: Options) -> Result<()> {
    if !options.planted {
        run(&mut search(repo, options)?)?;
    }
    find_planted(repo)
}

/// The two searches of a test run, one after the other.
pub(crate) fn commands(repo: &Repo) -> Result<[Command; 2]> {
    let mut planted = repo.command("cargo");
    planted.args(["xtask", "model", "--planted"]);
    Ok([search(repo, Options::SMALL)?, planted])
}

fn search(repo: &Repo, options: Options) -> Result<Command> {
    let mut command = repo.command("cargo");
    command.args(["run", "--release", "--package", PACKAGE, "--features", "encrypted", "--"]);
    options.pass_to(&mut command);
    command.arg("--report").arg(repo.report("model.json")?);
    Ok(command)
}

/// Searches the small world with the planted fault, and fails if all properties hold.
fn find_planted(repo: &Repo) -> Result<()> {
    let slot = Slot::open(repo)?;
    slot.reuse_release()?;
    slot.plant(&fault::named(repo, PLANTED)?)?;
    let mut command = Command::new(slot.build(PACKAGE, &[])?);
    Options::SMALL.pass_to(&mut command);
    let output = command.output().context("cannot start the search")?;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() || !said.contains("test result: FAILED") {
        println!("test {PLANTED} ... FAILED\n{said}\ntest result: FAILED. 0 passed; 1 failed");
        bail!("the search does not find the planted fault {PLANTED}");
    }
    println!("test {PLANTED} ... ok\ntest result: ok. 1 passed; 0 failed");
    Ok(())
}
