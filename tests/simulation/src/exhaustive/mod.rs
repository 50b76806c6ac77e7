//! The exhaustive mode runs every interleaving of a small world. The world has two campaigns, five
//! events, one restart, one truncation, and messages that are lost, duplicated or overtaken. The machine
//! is the real one.
//!
//! `cargo xtask model` starts this mode with `--exhaustive`. `stateright` searches until there is no new
//! state. The report of the search is written into `target/report/model.json`.

mod script;
mod server;
mod world;

use std::fs;
use std::process::ExitCode;
use std::time::Instant;

use serde_json::json;
use stateright::{Checker, Expectation, Model, Property};

use script::EVENTS;
use world::{Budget, World};

const USAGE: &str = "usage: simulation --exhaustive [--faults N] [--timers N] [--report FILE]";

/// The possible next steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    /// The next event of a campaign is committed.
    Commit(usize),
    /// The oldest message arrives at the server.
    Up,
    /// The oldest message to the server is lost.
    LoseUp,
    /// The oldest document arrives at the client.
    Down,
    /// The oldest document to the client is lost.
    LoseDown,
    /// The oldest document arrives at the client, and will arrive once more.
    DoubleDown,
    /// The second-oldest document arrives at the client before the oldest.
    OvertakeDown,
    /// The machine's timer fires.
    Timer,
    /// The server dies with all its connections and starts again.
    Restart,
    /// The first campaign's history is truncated.
    Truncate,
}

/// The model that `stateright` searches.
#[derive(Clone, Debug)]
struct Search {
    budget: Budget,
}

/// Whether a message may be lost, duplicated or overtaken. The greeting and its acknowledgement may not,
/// because no transport loses only them.
fn may_fail(message: &str) -> bool {
    !message.contains("connection_init") && !message.contains("connection_ack")
}

impl Model for Search {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::live(self.budget)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let Budget { faults, early_timers, timers, restarts, truncations } = world.budget;
        for (campaign, (_, events)) in EVENTS.iter().enumerate() {
            if world.server.heads[campaign] < *events {
                actions.push(Action::Commit(campaign));
            }
        }
        if !world.up.is_empty() {
            actions.push(Action::Up);
        }
        if !world.down.is_empty() {
            actions.push(Action::Down);
        }
        if faults > 0 {
            if world.up.first().is_some_and(|it| may_fail(it)) {
                actions.push(Action::LoseUp);
            }
            if world.down.first().is_some_and(|it| may_fail(it)) {
                actions.extend([Action::LoseDown, Action::DoubleDown]);
            }
            if world.down.len() > 1 && may_fail(&world.down[0]) {
                actions.push(Action::OvertakeDown);
            }
        }
        if timers > 0 && (world.is_quiet() || early_timers > 0) && world.has_timer() {
            actions.push(Action::Timer);
        }
        if restarts > 0 {
            actions.push(Action::Restart);
        }
        if truncations > 0 {
            actions.push(Action::Truncate);
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        match action {
            Action::Commit(campaign) => world.commit(campaign),
            Action::Up => {
                let message = world.up.remove(0);
                world.hear(&message);
            }
            Action::Down => {
                let document = world.down.remove(0);
                world.arrive(&document);
            }
            Action::LoseUp => drop(world.up.remove(0)),
            Action::LoseDown => drop(world.down.remove(0)),
            Action::DoubleDown => {
                let document = world.down[0].clone();
                world.arrive(&document);
            }
            Action::OvertakeDown => {
                let document = world.down.remove(1);
                world.arrive(&document);
            }
            Action::Timer => {
                world.budget.early_timers -= u8::from(!world.is_quiet());
                world.budget.timers -= 1;
                world.fire();
            }
            Action::Restart => {
                world.budget.restarts -= 1;
                world.restart();
            }
            Action::Truncate => {
                world.budget.truncations -= 1;
                world.server.truncate(0);
            }
        }
        world.budget.faults -= u8::from(matches!(
            action,
            Action::LoseUp | Action::LoseDown | Action::DoubleDown | Action::OvertakeDown
        ));
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("G1 G2 G3 G4 G5 G8 hold", |_, world: &World| world.broken.is_none()),
            Property::always("G9 everything becomes well", |_, world: &World| {
                world.is_followed_further() || world.converges()
            }),
            Property::sometimes("all is shown and live", |_, world: &World| {
                let all = |it: usize| world.server.heads[it] == EVENTS[it].1;
                world.has_converged() && all(0) && all(1)
            }),
            Property::sometimes("a gap is met", |_, world: &World| world.met.gap),
            Property::sometimes("a duplicate is met", |_, world: &World| world.met.duplicate),
            Property::sometimes("a snapshot is met", |_, world: &World| world.met.snapshot),
            Property::sometimes("a request is sent again", |_, world: &World| world.met.retry),
            Property::sometimes("a connection is made again", |_, world: &World| {
                world.met.reconnect
            }),
        ]
    }
}

struct Options {
    faults: u8,
    timers: u8,
    report: Option<String>,
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { faults: 1, timers: 0, report: None };
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("`{name}` needs a value"));
        let few = |text: String| match text.parse() {
            Ok(number @ 0..=8) => Ok(number),
            _ => Err(format!("`{name} {text}`: a number of 0 to 8 is needed")),
        };
        match name.as_str() {
            "--faults" => options.faults = few(value()?)?,
            "--timers" => options.timers = few(value()?)?,
            "--report" => options.report = Some(value()?),
            _ => return Err(format!("there is no option `{name}`")),
        }
    }
    Ok(options)
}

/// Runs the search with the arguments that follow `--exhaustive`.
pub(crate) fn run(arguments: impl Iterator<Item = String>) -> ExitCode {
    match options(arguments) {
        Ok(options) => search(&options),
        Err(message) => {
            eprintln!("{message}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn search(options: &Options) -> ExitCode {
    let Options { faults, timers, .. } = *options;
    let budget = Budget { faults, early_timers: 1, timers, restarts: 1, truncations: 1 };
    let (model, began) = (Search { budget }, Instant::now());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let checker = model.checker().threads(threads).spawn_bfs().join();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    let discoveries = checker.discoveries();
    let mut failed = Vec::new();
    let properties = checker.model().properties();
    for property in &properties {
        let found = discoveries.get(property.name);
        let holds = match property.expectation {
            Expectation::Sometimes => found.is_some(),
            Expectation::Always | Expectation::Eventually => found.is_none(),
        };
        println!("test {} ... {}", property.name, if holds { "ok" } else { "FAILED" });
        if !holds {
            failed.push(property.name);
            if let Some(path) = found {
                path.clone().into_actions().iter().for_each(|action| println!("  {action:?}"));
            }
        }
    }
    println!(
        "{states} states, depth {depth}, {} generated, {:.1} s",
        checker.state_count(),
        began.elapsed().as_secs_f64()
    );
    let report = json!({"faults": faults, "timers": timers, "states": states,
        "generated": checker.state_count(), "depth": depth,
        "properties": properties.iter().map(|it| it.name).collect::<Vec<_>>(),
        "failed": failed});
    if let Some(file) = &options.report
        && let Err(error) = fs::write(file, format!("{report:#}\n"))
    {
        eprintln!("{file} cannot be written: {error}");
        return ExitCode::FAILURE;
    }
    let count = failed.len();
    let result = if count == 0 { "ok" } else { "FAILED" };
    println!("test result: {result}. {} passed; {count} failed", properties.len() - count);
    if count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
