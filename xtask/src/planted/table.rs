//! `docs/PLANTED.md`: every planted fault, and the seed that found it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};

use super::fault::{FOLDER, Fault};
use super::{Found, SEEDS_MAX};
use crate::repo::Repo;

/// The path of the table.
pub(crate) const TABLE: &str = "docs/PLANTED.md";

/// Writes the table. A fault that did not run keeps its row.
pub(super) fn update(
    repo: &Repo,
    faults: &[Fault],
    ran: &BTreeMap<&str, Option<Found>>,
) -> Result<()> {
    let path = repo.path(TABLE);
    let former = fs::read_to_string(&path).unwrap_or_default();
    fs::write(&path, table(faults, ran, &former)).with_context(|| format!("cannot write {TABLE}"))
}

fn table(faults: &[Fault], ran: &BTreeMap<&str, Option<Found>>, former: &str) -> String {
    let mut text = format!(
        "# Planted faults\n\n\
         Each patch in `{FOLDER}` plants one fault in the client, of a kind that systems like this one \
         have had. The simulator must find it within {SEEDS_MAX} seeds, counted from 1; without the \
         patch the same seeds pass. The guarantees G1 to G14 are those of \
         [PROTOCOL.md, chapter 17](PROTOCOL.md#17-guarantees).\n\n\
         `cargo xtask planted` looks for all faults and writes this table; `cargo xtask planted NAME` \
         renews one row. `cargo xtask test` looks for one fault, which the commit draws, and \
         `cargo xtask check` checks that all patches apply.\n\n\
         To add a fault, make the mistake in the code, write one sentence that says what it does into \
         `{FOLDER}/NAME.patch`, append `git diff`, and revert the code. A patch that no longer applies \
         is renewed in the same way.\n\n\
         | fault | what it does | found at seed | by |\n| --- | --- | --- | --- |\n"
    );
    for Fault { name, what, .. } in faults {
        let (seed, by) = match ran.get(name.as_str()) {
            Some(Some(found)) => (found.seed.to_string(), found.guarantee.clone()),
            Some(None) => ("never".to_owned(), String::new()),
            None => known(former, name).unwrap_or_else(|| ("not run".to_owned(), String::new())),
        };
        // Writing to a string cannot fail.
        let _infallible = writeln!(text, "| {name} | {what} | {seed} | {by} |");
    }
    text
}

/// The last two cells of a fault's row.
fn known(table: &str, name: &str) -> Option<(String, String)> {
    let row = table.lines().find(|line| line.starts_with(&format!("| {name} |")))?;
    let mut cells = row.trim_end_matches('|').rsplit('|').map(|cell| cell.trim().to_owned());
    let (by, seed) = (cells.next()?, cells.next()?);
    Some((seed, by))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(name: &str) -> Fault {
        Fault { name: name.to_owned(), what: "It fails.".to_owned(), patch: name.into() }
    }

    #[test]
    fn table_has_the_seed_of_every_fault_and_no_other_row() {
        let repo = Repo::find().unwrap();
        let text = fs::read_to_string(repo.path(TABLE)).unwrap();
        let faults = super::super::fault::all(&repo).unwrap();
        assert_eq!(table(&faults, &BTreeMap::new(), &text), text, "`cargo xtask planted NAME`");
        for Fault { name, .. } in &faults {
            let (seed, _) = known(&text, name).unwrap();
            assert!(seed.parse::<u64>().is_ok(), "`cargo xtask planted {name}`");
        }
    }

    #[test]
    fn fault_that_did_not_run_keeps_its_row() {
        let faults = ["a", "b", "c", "d"].map(fault);
        let found = |seed| Found { seed, guarantee: "G1".to_owned() };
        let ran = BTreeMap::from([("a", Some(found(7))), ("b", None)]);
        let former =
            "| a | It fails. | 9 | G2 |\n| c | It failed. | 3 | G9 |\n| e | Gone. | 1 | G1 |";
        let table = table(&faults, &ran, former);
        let rows: Vec<&str> = table.lines().skip_while(|line| !line.starts_with("| ---")).collect();
        let expected = [
            "| a | It fails. | 7 | G1 |",
            "| b | It fails. | never |  |",
            "| c | It fails. | 3 | G9 |",
            "| d | It fails. | not run |  |",
        ];
        assert_eq!(rows[1..], expected);
    }
}
