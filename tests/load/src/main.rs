//! `campaign-sync-load`: drives the reference server, and the peer servers that it is compared with, from a
//! second process on loopback. `cargo xtask load` builds all of them and starts it.
//! `campaign-sync-load record` records two sessions of the client for tests instead: [`record`].
//!
//! The generator uses one thread and one task per socket, because it takes processor time from the server.
//! Every measurement checks that each event arrives once and in order.

mod client;
mod crowd;
mod http;
mod jetstream;
mod plan;
mod process;
mod record;
mod report;
mod scenarios;
mod server;
mod socket;
mod tally;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use pico_args::Arguments;
use tokio::task::LocalSet;
use tokio::time::Instant;

use plan::Plan;
use report::Report;
use scenarios::{
    ScenarioResult, active, anycable, campaigns, fan_out, history, hostile, idle, recovery, storm,
};

/// All scenarios, in the order in which they run.
const SCENARIOS: [&str; 9] = [
    "idle",
    "fan-out",
    "active",
    "storm",
    "recovery",
    "campaigns",
    "history",
    "anycable",
    "hostile",
];

fn main() -> ExitCode {
    let job = match prepare() {
        Ok(job) => job,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ran = runtime
        .context("no runtime")
        .and_then(|runtime| LocalSet::new().block_on(&runtime, job.run()));
    match ran {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The job of one run of this program.
enum Job {
    Measure(Plan),
    Record(record::Options),
}

impl Job {
    async fn run(&self) -> Result<bool> {
        match self {
            Self::Measure(plan) => run(plan).await,
            Self::Record(options) => record::run(options).await.map(|()| true),
        }
    }
}

fn prepare() -> Result<Job> {
    let mut arguments = Arguments::from_env();
    match arguments.subcommand()?.as_deref() {
        Some("record") => return Ok(Job::Record(record::Options::parse(arguments)?)),
        Some(other) => bail!("there is no command `{other}`"),
        None => {}
    }
    let plan = Plan::parse(arguments)?;
    plan.check(process::raise_file_limit()?, &SCENARIOS)?;
    std::fs::create_dir_all(&plan.work).with_context(|| format!("{}", plan.work.display()))?;
    Ok(Job::Measure(plan))
}

/// Runs the requested scenarios. Returns `false` if a promise was not kept or a scenario did not finish.
async fn run(plan: &Plan) -> Result<bool> {
    let mut report = Report::default();
    let (mut passed, mut failed) = (0, 0);
    for name in SCENARIOS {
        if plan.only.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        let (began, before) = (Instant::now(), process::usage("self")?);
        let mut found = scenario(name, plan).await.unwrap_or_else(|error| ScenarioResult {
            broken: vec![format!("{name}: {error:#}")],
            ..ScenarioResult::default()
        });
        let ok = found.broken.is_empty();
        if ok {
            passed += 1
        } else {
            failed += 1
        }
        let seconds = began.elapsed().as_secs_f64();
        if let Some(details) = found.details.as_object_mut() {
            let cpu = process::usage("self")?.cpu - before.cpu;
            details.insert("generator_cpu_seconds".to_owned(), scenarios::rounded(cpu, 2).into());
        }
        let outcome = if ok { "ok" } else { "FAILED" };
        println!("test {name} ... {outcome}");
        eprintln!("{name}: {seconds:.1} s");
        report.add(name, found);
    }
    println!();
    let broken = report.write(plan)?;
    for line in &broken {
        eprintln!("broken: {line}");
    }
    let is_whole = broken.is_empty();
    // An incomplete report counts as a failure.
    failed += i32::from(!is_whole && failed == 0);
    println!(
        "\ntest result: {}. {passed} passed; {failed} failed",
        if is_whole { "ok" } else { "FAILED" }
    );
    Ok(is_whole)
}

async fn scenario(name: &str, plan: &Plan) -> Result<ScenarioResult> {
    match name {
        "idle" => idle::run(plan).await,
        "fan-out" => fan_out::run(plan).await,
        "active" => active::run(plan).await,
        "storm" => storm::run(plan).await,
        "recovery" => recovery::run(plan).await,
        "campaigns" => campaigns::run(plan).await,
        "history" => history::run(plan).await,
        "hostile" => hostile::run(plan).await,
        _ => anycable::run(plan).await,
    }
}
