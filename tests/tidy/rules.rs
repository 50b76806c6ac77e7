//! The contract's numbered rules: each is unique and in order, says whose duty it is, and is shown by
//! something that runs.

use std::collections::{BTreeMap, BTreeSet};

use crate::source;

/// The documents that hold rules.
const CONTRACT: &[&str] = &["docs/PROTOCOL.md", "docs/ENCRYPTION.md"];

/// Where a duty of a server is cited. The kit runs no sealed content: the server's own tests show that.
const OF_SERVERS: &[&str] = &["tests/conformance/cases/", "tests/harness/tests/"];

/// Where a duty of a client is cited.
const OF_CLIENTS: &[&str] = &[
    "tests/protocol/",
    "tests/browser/",
    "tests/simulation/",
    "tests/conformance/test/",
    "tests/e2e/",
    "pkg/test/",
];

/// A rule's chapter and number.
type Id = (u32, u32);

/// The rules by their ids, with their texts.
fn rules() -> Vec<(Id, String)> {
    let mut found: Vec<(Id, String)> = Vec::new();
    for document in source::tracked(&["md"]) {
        if !CONTRACT.contains(&document.path.as_str()) {
            continue;
        }
        let mut open = false;
        for line in document.text.lines() {
            let item = line.trim_start_matches(['-', '|', ' ']).trim_start_matches("* ");
            let bold = item.strip_prefix("**").and_then(|rest| rest.split('*').next());
            let id = bold.and_then(|bold| ids(bold).pop_first());
            if let Some(id) = id {
                found.push((id, line.to_owned()));
                open = true;
            } else if line.trim().is_empty() {
                open = false;
            } else if let Some((_, text)) = found.last_mut().filter(|_| open) {
                text.push(' ');
                text.push_str(line.trim());
            }
        }
    }
    assert!(found.len() > 100, "rules are found: {}", found.len());
    found
}

/// Every `R8.3` in a text.
fn ids(text: &str) -> BTreeSet<Id> {
    let words = text.split(|it: char| !(it.is_alphanumeric() || it == '.'));
    let id = |word: &str| {
        let (chapter, number) = word.strip_prefix('R')?.trim_end_matches('.').split_once('.')?;
        Some((chapter.parse().ok()?, number.parse().ok()?))
    };
    words.filter_map(id).collect()
}

#[test]
fn rules_are_numbered_in_order() {
    let mut next: BTreeMap<u32, u32> = BTreeMap::new();
    for ((chapter, number), _) in rules() {
        let expected = next.entry(chapter).or_insert(1);
        assert_eq!(
            number, *expected,
            "the next rule of chapter {chapter} is R{chapter}.{expected}"
        );
        *expected += 1;
    }
}

#[test]
fn every_must_says_whose_duty_it_is() {
    let subjects = ["server MUST", "servers MUST", "client MUST", "Both ends MUST"];
    let must = |text: &str| text.contains("MUST");
    let without: Vec<_> = rules()
        .into_iter()
        .filter(|(_, text)| must(text) && !subjects.iter().any(|it| text.contains(it)))
        .collect();
    assert!(without.is_empty(), "a server's, a client's, or both ends': {without:#?}");
}

#[test]
fn every_must_is_shown_by_something_that_runs() {
    let cited = |places: &[&str]| {
        let sources = source::tracked(&["rs", "js", "mjs", "json"]);
        let of_them = sources.iter().filter(|it| places.iter().any(|at| it.path.starts_with(at)));
        of_them.flat_map(|it| ids(&it.text)).collect::<BTreeSet<Id>>()
    };
    let (by_servers, by_clients) = (cited(OF_SERVERS), cited(OF_CLIENTS));
    let mut missing = Vec::new();
    for ((chapter, number), text) in rules() {
        let both = text.contains("Both ends MUST");
        let id = (chapter, number);
        if (both || text.contains("server MUST") || text.contains("servers MUST"))
            && !by_servers.contains(&id)
        {
            missing.push(format!("R{chapter}.{number}, of servers"));
        }
        if (both || text.contains("client MUST")) && !by_clients.contains(&id) {
            missing.push(format!("R{chapter}.{number}, of clients"));
        }
    }
    assert!(missing.is_empty(), "{} rules are shown by nothing: {missing:#?}", missing.len());
}

#[test]
fn only_rules_that_exist_are_cited() {
    let known: BTreeSet<Id> = rules().into_iter().map(|(id, _)| id).collect();
    let mut dangling = Vec::new();
    for source in source::tracked(&["rs", "ts", "js", "mjs", "json", "md"]) {
        // This test makes up rules for itself, and reports are of older commits.
        if source.path.starts_with("tests/tidy/") || source.path.starts_with("docs/soak/") {
            continue;
        }
        for (chapter, number) in ids(&source.text).difference(&known) {
            dangling.push(format!("{}: R{chapter}.{number}", source.path));
        }
    }
    assert!(dangling.is_empty(), "these rules do not exist: {dangling:#?}");
}

#[test]
fn an_id_is_found_wherever_it_stands() {
    let text = "| **R8.3** A client MUST… (R13.11, R2.4). Rust 1.2 and R7 are no ids.";
    assert_eq!(ids(text), [(2, 4), (8, 3), (13, 11)].into());
}
