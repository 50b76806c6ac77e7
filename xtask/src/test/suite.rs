//! The suites: the commands of each, their order, and their requirements.

use std::fmt;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::log::Log;
use super::tally::Tally;
use crate::api;
use crate::build::{self, PROJECTS};
use crate::check;
use crate::conform;
use crate::fuzz;
use crate::load;
use crate::matrix;
use crate::model;
use crate::npm::Project;
use crate::planted;
use crate::repo::{Repo, command_line};
use crate::setup;
use crate::sim;

/// The number of seeds in every test run; `cargo xtask sim` takes more.
const SEEDS: u64 = 2_000;
/// Seconds for every target in every test run; `cargo xtask fuzz` takes more.
const FUZZ_SECONDS: u32 = 15;
/// Generated requests for every operation of the REST interface in every test run; `soak` takes more.
const API_EXAMPLES: u32 = 20;
/// Seconds that one browser test may take. The runner's own limit is too short for a busy machine.
const BROWSER_TEST_SECONDS: &str = "120";

/// One suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    /// The wasm, the package, the page and the server.
    Build,
    /// Formatting, clippy, documentation and types.
    Check,
    /// Every Rust test that needs no browser.
    Native,
    /// The simulator.
    Simulator,
    /// One planted fault, which the simulator must find.
    Planted,
    /// The exhaustive search of a small world.
    Model,
    /// The fuzzer, for a short time.
    Fuzz,
    /// The browser shell, in Chromium.
    Chromium,
    /// The browser shell, in Firefox.
    Firefox,
    /// The npm package.
    Package,
    /// The page and the server together.
    EndToEnd,
    /// The hooks of React, and the small application that uses them.
    React,
    /// The code in the guides, in real browsers.
    Guides,
    /// The tarball, as a fresh project would use it.
    Tarball,
    /// Six kinds of projects that install the tarball, each built and run against the server.
    Matrix,
    /// The conformance kit: on the reference server, on broken ones, and its reader against the machine.
    Conformance,
    /// The described REST interface, against the running server.
    Api,
    /// The server under a small load, which must not lose an event.
    Load,
}

/// When a suite runs. The suites of one lane run one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Alone, before all others.
    First,
    /// Beside [`Lane::Waiting`].
    Computing,
    /// Beside [`Lane::Computing`].
    Waiting,
    /// Alone, after all others.
    Last,
}

impl Suite {
    /// All suites, in the order in which those of one lane run.
    pub(crate) const ALL: [Self; 18] = [
        Self::Build,
        Self::Check,
        Self::Native,
        Self::Simulator,
        Self::Planted,
        Self::Model,
        Self::Fuzz,
        Self::Chromium,
        Self::Firefox,
        Self::Package,
        Self::EndToEnd,
        Self::React,
        Self::Guides,
        Self::Tarball,
        Self::Matrix,
        Self::Conformance,
        Self::Api,
        Self::Load,
    ];

    /// The suite with this name.
    pub(crate) fn named(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|suite| suite.name() == name);
        found.with_context(|| {
            let names: Vec<_> = Self::ALL.iter().map(|suite| suite.name()).collect();
            format!("there is no suite `{name}`; there are {}", names.join(", "))
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Check => "check",
            Self::Native => "native",
            Self::Simulator => "sim",
            Self::Planted => "planted",
            Self::Model => "model",
            Self::Fuzz => "fuzz",
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
            Self::Package => "package",
            Self::EndToEnd => "e2e",
            Self::React => "react",
            Self::Guides => "guides",
            Self::Tarball => "tarball",
            Self::Matrix => "matrix",
            Self::Conformance => "conformance",
            Self::Api => "api",
            Self::Load => "load",
        }
    }

    /// When the suite runs. The suites that start servers and browsers wait most of the time, so
    /// they share the machine with those that compute.
    pub(crate) fn lane(self) -> Lane {
        match self {
            Self::Build => Lane::First,
            Self::Check
            | Self::Native
            | Self::Simulator
            | Self::Planted
            | Self::Model
            | Self::Fuzz
            | Self::Chromium
            | Self::Firefox => Lane::Computing,
            Self::Package
            | Self::EndToEnd
            | Self::React
            | Self::Guides
            | Self::Tarball
            | Self::Matrix
            | Self::Conformance
            | Self::Api => Lane::Waiting,
            Self::Load => Lane::Last,
        }
    }

    /// How long the suite may take, including compilation and installation. The limit is many times the
    /// usual duration, for slow and busy machines, so that only a suite that hangs reaches it.
    pub(crate) fn limit(self) -> Duration {
        let minutes = match self {
            Self::Build | Self::Native | Self::EndToEnd => 60,
            Self::Check
            | Self::Simulator
            | Self::Planted
            | Self::Model
            | Self::Fuzz
            | Self::Chromium
            | Self::Firefox
            | Self::Conformance
            | Self::Load => 40,
            Self::Package
            | Self::React
            | Self::Guides
            | Self::Tarball
            | Self::Matrix
            | Self::Api => 20,
        };
        Duration::from_secs(minutes * 60)
    }

    /// Whether the suite uses the output of the build.
    pub(crate) fn needs_build(self) -> bool {
        match self {
            Self::Check
            | Self::Package
            | Self::EndToEnd
            | Self::React
            | Self::Guides
            | Self::Tarball
            | Self::Matrix
            | Self::Conformance
            | Self::Api => true,
            Self::Build
            | Self::Native
            | Self::Simulator
            | Self::Planted
            | Self::Model
            | Self::Fuzz
            | Self::Chromium
            | Self::Firefox
            | Self::Load => false,
        }
    }

    /// The reason why there is nothing to run, if so.
    pub(crate) fn absent(self, repo: &Repo) -> Option<String> {
        let needed = match self {
            Self::Build | Self::Check | Self::Native => return None,
            Self::Simulator | Self::Planted | Self::Model => "tests/simulation/Cargo.toml",
            Self::Fuzz => "tests/fuzz/Cargo.toml",
            Self::Chromium | Self::Firefox => "tests/browser/main.rs",
            Self::Package => "pkg/package.json",
            Self::EndToEnd => "tests/e2e/package.json",
            Self::React => "tests/react/package.json",
            Self::Guides => "tests/guides/package.json",
            Self::Tarball => "tests/package/package.json",
            Self::Matrix => "tests/matrix/package.json",
            Self::Conformance => "tests/conformance/package.json",
            Self::Api => "tests/api/run.py",
            Self::Load => "tests/load/peers/package.json",
        };
        (!repo.path(needed).is_file()).then(|| format!("there is no {needed} yet"))
    }

    /// Runs the suite into its log.
    pub(crate) fn run(self, repo: &Repo, log: &mut Log) -> Result<Tally> {
        match self {
            Self::Build => build_all(repo, log),
            Self::Check => check_all(repo, log),
            Self::Native => native(repo, log),
            Self::Simulator => simulate(repo, log),
            Self::Planted => runner(log, &mut planted::command(repo, "--drawn")),
            Self::Model => model(repo, log),
            Self::Fuzz => runner(log, &mut fuzz::command(repo, FUZZ_SECONDS)?),
            Self::Chromium => in_chromium(repo, log),
            Self::Firefox => in_firefox(repo, log),
            Self::Package => npm_test(repo, "pkg", log),
            Self::EndToEnd => npm_test(repo, "tests/e2e", log),
            Self::React => npm_test(repo, "tests/react", log),
            Self::Guides => npm_test(repo, "tests/guides", log),
            Self::Tarball => npm_test(repo, "tests/package", log),
            Self::Matrix => npm_test(repo, matrix::PROJECT, log),
            Self::Conformance => conformance(repo, log),
            Self::Api => {
                let server = repo.programs().join("debug/campaign-sync-server");
                runner(log, &mut api::command(repo, &server, API_EXAMPLES))
            }
            Self::Load => {
                let mut smoke = load::smoke(repo, &mut into(log))?;
                runner(log, &mut smoke)
            }
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Runs all native tests, those of the client with the feature `encrypted`. Then runs the tests of the
/// client without it, as the main module is built.
fn native(repo: &Repo, log: &mut Log) -> Result<Tally> {
    let encrypted = "campaign-sync/encrypted,campaign-sync-simulation/encrypted";
    let all = ["test", "--workspace", "--features", encrypted, "--no-fail-fast"];
    let main = ["test", "--test", "protocol", "--no-fail-fast"];
    let mut success = log.run(repo.command("cargo").args(all))?;
    success &= log.run(repo.command("cargo").args(main))?;
    Ok(Tally::of_runner(&log.read()?, success))
}

/// Runs the whole build as one test.
fn build_all(repo: &Repo, log: &mut Log) -> Result<Tally> {
    let mut start = into(log);
    build::everything(repo, &mut start)?;
    build::programs(repo, &mut start)?;
    Ok(Tally::of_one(true))
}

/// Runs each check as one test.
fn check_all(repo: &Repo, log: &mut Log) -> Result<Tally> {
    let mut tally = Tally::default();
    check::install(repo, &mut into(log))?;
    for mut check in check::all(repo) {
        let success = log.run(&mut check.command)?;
        log.note(&format!("test {} ... {}", check.name, if success { "ok" } else { "FAILED" }))?;
        tally += Tally::of_one(success);
    }
    Ok(tally)
}

/// Runs the simulator. If it prints no counts, it counts as one test.
fn simulate(repo: &Repo, log: &mut Log) -> Result<Tally> {
    let success = sim::run_with(repo, &sim::Options::seeds(SEEDS), &mut into(log)).is_ok();
    let tally = Tally::of_runner(&log.read()?, success);
    Ok(if success && tally.passed == 0 { Tally::of_one(true) } else { tally })
}

/// Runs one search in which all properties must hold, and one in which a planted fault must be found.
fn model(repo: &Repo, log: &mut Log) -> Result<Tally> {
    let mut success = true;
    for mut search in model::commands(repo)? {
        success &= log.run(&mut search)?;
    }
    Ok(Tally::of_runner(&log.read()?, success))
}

fn in_chromium(repo: &Repo, log: &mut Log) -> Result<Tally> {
    let mut command = browser_test(repo);
    command.arg("--chrome").arg("--chromedriver").arg(setup::chromedriver()?);
    runner(log, command.args(["--", "--test", "browser"]))
}

fn in_firefox(repo: &Repo, log: &mut Log) -> Result<Tally> {
    let mut command = browser_test(repo);
    command.arg("--firefox").arg("--geckodriver").arg(repo.geckodriver());
    runner(log, command.args(["--", "--test", "browser"]))
}

fn browser_test(repo: &Repo) -> Command {
    let mut command = repo.command("wasm-pack");
    command.env("WASM_BINDGEN_TEST_TIMEOUT", BROWSER_TEST_SECONDS);
    command.args(["test", "--headless", "--mode", "no-install"]);
    command
}

/// Runs `npm test` of one project. The project finds the server and the browser through its environment.
fn npm_test(repo: &Repo, directory: &str, log: &mut Log) -> Result<Tally> {
    let project = Project::find(repo, directory)
        .with_context(|| format!("{directory} has no package.json"))?;
    // The build has already installed its own projects.
    if !PROJECTS.contains(&directory) {
        project.install(&mut into(log))?;
    }
    let mut command = project.script("test");
    command.env("CARGO_TARGET_DIR", repo.programs());
    command.env("CHROMIUM", setup::chromium()?);
    runner(log, &mut command)
}

/// Runs the tests of the kit. They need the machine as a process, beside the server from the build.
fn conformance(repo: &Repo, log: &mut Log) -> Result<Tally> {
    let mut tests = conform::tests(repo, &repo.programs(), &mut into(log))?;
    runner(log, &mut tests)
}

/// Runs a command that prints its own counts.
fn runner(log: &mut Log, command: &mut Command) -> Result<Tally> {
    let success = log.run(command)?;
    Ok(Tally::of_runner(&log.read()?, success))
}

/// Runs commands into the log. Anything but success is an error.
fn into(log: &mut Log) -> impl FnMut(&mut Command) -> Result<()> {
    |command| {
        if log.run(command)? {
            return Ok(());
        }
        bail!("`{}` failed", command_line(command))
    }
}
