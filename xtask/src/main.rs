//! `cargo xtask <command>`: every task of this repository, with the set-up that each needs.
//!
//! There is one file per command. Tools are installed once, by exact version, into a cache outside the
//! repository ([`setup`]). Nothing else has to be installed manually.

mod api;
mod bench;
mod build;
mod check;
mod conform;
mod demo;
mod fuzz;
mod load;
mod matrix;
mod model;
mod mutants;
mod npm;
mod openapi;
mod pack;
mod phases;
mod planted;
mod record;
mod repo;
mod setup;
mod sim;
mod size;
mod soak;
mod table;
mod test;

use std::process::ExitCode;

use anyhow::{Result, bail};
use pico_args::Arguments;

use crate::repo::Repo;

const USAGE: &str = "\
cargo xtask <command>

  demo  [--port P] [--rate R]            set up, build, and run the server with the demo page
  test  [--only SUITE]                   set up, build, and run every suite (or one of them); a suite
                                         that hangs is ended after 20 to 60 minutes, and fails
  setup                                  only install what is missing
  build                                  compile the wasm, the npm package and the demo page
  check                                  check formatting, clippy, documentation, TypeScript types, the
                                         patches of planted faults, the size, the tarball and the API
                                         reference, which it writes into target/reference
  sim   [--seeds N] [--seed S] [--minutes M] [--only KIND]
        [--module main|encrypted] [--journals FILE] [--fail-fast]
                                         simulate seeded faults, half of the seeds with the features of
                                         each module of the package, or all with those of one; a
                                         failing seed is printed, with the options of the shortest run
                                         that shows the failure; --only selects worlds of one kind,
                                         or those with a `list`; --fail-fast skips the regressions and
                                         stops at the first failure
  conform ws://HOST:PORT/PATH [--token T] [--server FILE] [--case ID]
                                         check, case by case, whether a running server keeps the contract
  fuzz  [TARGET...] [--seconds N]        run libFuzzer on the targets of tests/fuzz, N seconds each; a
                                         finding is kept in target/fuzz/found
  model [--faults N] [--timers N]        search every interleaving of a small world, into
                                         target/report/model.json; then a planted fault must be found
        --planted                        only look for the planted fault
  mutants [--shard K/N] [--jobs N] [--again]
                                         change the code that decides, one spot at a time; the tests
                                         must notice; into target/report/mutants.json. --again: only
                                         the mutants that docs/soak/mutants.json lists as not noticed,
                                         with namesakes in the same file, into
                                         target/report/survivors.json
  planted [NAME...]                      plant each fault of tests/planted (or these) alone in a copy
                                         of the tree; the simulator must find it; into docs/PLANTED.md
          --drawn                        only the fault that the commit draws
          --check                        only check that the patches apply
  soak  [sim] [users] [fuzz] [model] [histories] [crash] [api] [mutants] [survivors] [planted]
        [network] [deny]
                                         run the tests that take hours, into docs/soak
  table                                  write every state with every input into docs/TRANSITIONS.md
  openapi                                write the description of the REST interface into
                                         docs/openapi.json
  phases                                 write the phase machine into pkg/src/steps.ts and
                                         docs/PHASES.md
  size                                   measure what a page downloads for each entry, into
                                         target/report/size.json
  matrix [NAME...]                       install the package in every kind of project, build and run
                                         each, into docs/soak/matrix.json; or only those whose names
                                         begin so, without a report
  bench [--events N] [--rounds N]        measure in headless Chromium, into target/report/bench.json
  load  [--connections N] [--seconds S] [--only SCENARIO]
                                         put the server under load, beside servers of Node and NATS,
                                         into target/report/load.json
  record                                 record sessions of the client with the server, for the tests
                                         that replay them, into tests/recordings
  pack                                   make the npm tarball, into target/
";

fn main() -> ExitCode {
    match run(Arguments::from_env()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: Arguments) -> Result<ExitCode> {
    if arguments.contains(["-h", "--help"]) {
        print!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    }
    let command = arguments.subcommand()?;
    let repo = Repo::find()?;
    match command.as_deref() {
        Some("demo") => demo::run_command(&repo, demo::Options::parse(arguments)?)?,
        Some("test") => return test::run_command(&repo, test::Options::parse(arguments)?),
        Some("setup") => done(arguments).and_then(|()| setup::everything(&repo))?,
        Some("build") => done(arguments).and_then(|()| build::run_command(&repo))?,
        Some("check") => done(arguments).and_then(|()| check::run_command(&repo))?,
        Some("sim") => sim::run_command(&repo, &sim::Options::parse(arguments)?)?,
        Some("conform") => return conform::run_command(&repo, arguments.finish()),
        Some("fuzz") => fuzz::run_command(&repo, &fuzz::Options::parse(arguments)?)?,
        Some("model") => model::run_command(&repo, model::Options::parse(arguments)?)?,
        Some("mutants") => mutants::run_command(&repo, &mutants::Options::parse(arguments)?)?,
        Some("planted") => planted::run_command(&repo, planted::Options::parse(arguments)?)?,
        Some("soak") => soak::run_command(&repo, arguments)?,
        Some("table") => done(arguments).and_then(|()| table::run_command(&repo))?,
        Some("openapi") => done(arguments).and_then(|()| openapi::run_command(&repo))?,
        Some("phases") => done(arguments).and_then(|()| phases::run_command(&repo))?,
        Some("size") => done(arguments).and_then(|()| size::run_command(&repo))?,
        Some("matrix") => matrix::run_command(&repo, arguments)?,
        Some("bench") => bench::run_command(&repo, &bench::Options::parse(arguments)?)?,
        Some("load") => load::run_command(&repo, &load::Options::parse(arguments)?)?,
        Some("record") => done(arguments).and_then(|()| record::run_command(&repo))?,
        Some("pack") => done(arguments).and_then(|()| pack::run_command(&repo))?,
        Some(other) => bail!("there is no command `{other}`\n\n{USAGE}"),
        None => bail!("which command?\n\n{USAGE}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses the arguments that no option of the command has taken.
pub(crate) fn done(arguments: Arguments) -> Result<()> {
    let rest = arguments.finish();
    if rest.is_empty() {
        return Ok(());
    }
    bail!("unexpected arguments: {rest:?}\n\n{USAGE}")
}
