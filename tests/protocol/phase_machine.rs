//! The phase machine is one table: the reference server decides by it, and the package and the
//! documentation have the same one.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use campaign_sync::protocol::Status;
use campaign_sync::protocol::action::{STEPS, Step};

/// Makes the tests write the files instead of comparing them.
const WRITE: &str = "CAMPAIGN_SYNC_WRITE_PHASES";

fn check(path: &str, present: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, present).expect("the file can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, present, "run `cargo xtask phases`");
}

fn names(statuses: &[Status], separator: &str, quote: &str) -> String {
    let names = statuses.iter().map(|status| format!("{quote}{status}{quote}"));
    names.collect::<Vec<_>>().join(separator)
}

#[test]
fn table_of_the_package_is_that_of_the_server() {
    let mut text = String::from(
        "/** The steps of the phase machine: action, phase, statuses, and phase and status after it. `cargo xtask phases` writes this file. */\n",
    );
    text.push_str("export const STEPS = [\n");
    for Step { action, phase, statuses, to: (next, status) } in &STEPS {
        let (action, statuses) = (action.as_str(), names(statuses, ", ", "\""));
        let _ = writeln!(
            text,
            "  [\"{action}\", \"{phase}\", [{statuses}], \"{next}\", \"{status}\"],"
        );
    }
    text.push_str("] as const;\n");
    check("pkg/src/steps.ts", &text);
}

#[test]
fn documented_phase_machine_is_that_of_the_server() {
    let mut text = String::from(
        "# The phase machine\n\nEach row is one step. An action, the last part of the route `POST /campaigns/{id}/{action}`, is possible in the phase and in one of the statuses of its row. The reference server decides by this table, and `allowedActions(record)` of `campaign-sync/rest` has the same one. `cargo xtask phases` writes this page.\n\nA possible action may still be refused with `prerequisites_not_met`: DNS validation needs a domain, and HTTP validation a resolved one. Outside this table, an action that would enter a phase too early is refused with `prerequisites_not_met` if the phase before is not completed, and any other with `illegal_transition`.\n\n| action | phase | status | phase after it | status after it |\n| --- | --- | --- | --- | --- |\n",
    );
    for Step { action, phase, statuses, to: (next, status) } in &STEPS {
        let (action, statuses) = (action.as_str(), names(statuses, ", ", "`"));
        let _ = writeln!(text, "| `{action}` | `{phase}` | {statuses} | `{next}` | `{status}` |");
    }
    check("docs/PHASES.md", &text);
}

#[test]
fn every_action_has_at_most_one_step_from_each_phase() {
    let steps: BTreeSet<_> = STEPS.iter().map(|step| (step.action.as_str(), step.phase)).collect();
    assert_eq!(steps.len(), STEPS.len());
    assert!(STEPS.iter().all(|step| !step.statuses.is_empty()));
}
