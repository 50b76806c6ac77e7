//! `cargo xtask model`: searches every interleaving of a small world around the real machine.

use std::process::Command;

use anyhow::{Context, Result, bail};
use pico_args::Arguments;

use crate::planted::{Slot, fault};
use crate::repo::{Repo, run};

/// The package of the simulator, which has the exhaustive mode.
const PACKAGE: &str = "campaign-sync-simulation";
/// The planted fault that the search must find. Otherwise nothing shows that the search detects faults.
const PLANTED: &str = "held-events-forgotten";

/// The size of the search.
#[derive(Clone, Copy)]
pub(crate) struct Options {
    faults: u8,
    timers: u8,
    /// Whether only the small world with the planted fault is searched.
    planted: bool,
}

impl Options {
    /// The search of every test run; `cargo xtask soak model` searches more.
    pub(crate) const SMALL: Self = Self { faults: 1, timers: 0, planted: false };
    /// The search of a long run.
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

/// Searches the whole world. Then searches the small world with the planted fault, which must be found.
pub(crate) fn run_command(repo: &Repo, options: Options) -> Result<()> {
    if !options.planted {
        run(&mut search(repo, options)?)?;
    }
    find_planted(repo)
}

/// The two searches of a test run, in order.
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

/// Searches the small world with the planted fault. Fails if all properties hold.
fn find_planted(repo: &Repo) -> Result<()> {
    let slot = Slot::open(repo)?;
    slot.reuse_release()?;
    slot.plant(&fault::named(repo, PLANTED)?)?;
    let mut command = Command::new(slot.build(PACKAGE, &[])?);
    Options::SMALL.pass_to(&mut command);
    let output = command.output().context("cannot start the search")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.success() || !text.contains("test result: FAILED") {
        println!("test {PLANTED} ... FAILED\n{text}\ntest result: FAILED. 0 passed; 1 failed");
        bail!("the search does not find the planted fault {PLANTED}");
    }
    println!("test {PLANTED} ... ok\ntest result: ok. 1 passed; 0 failed");
    Ok(())
}
