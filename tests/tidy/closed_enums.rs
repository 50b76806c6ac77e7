//! Closed enums are matched without a catch-all, so that the compiler asks for a new variant everywhere.
//!
//! In the client, clippy refuses catch-alls (`src/lib.rs`). No driver may ignore an effect by a catch-all.

use crate::source;

/// The beginnings of the match arms of these enums.
const CLOSED: &[&str] = &[
    "BucketsOutcome::",
    "ConnectionEvent::",
    "ConnectionState::",
    "Decision::",
    "Detail::",
    "DigestOutcome::",
    "Effect::",
    "Holders::",
    "Input::",
    "LinkState::",
    "ServerMessage::",
    "Stage::",
    "State::",
    "Step::",
    "SubscriptionState::",
];

const CLIENT: &[&str] = &["src/sync", "src/browser"];

/// The drivers of the machine: each performs every effect, or names those that it ignores.
const DRIVERS: &[&str] = &[
    "tests/conformance/machine",
    "tests/fuzz/src",
    "tests/load/src",
    "tests/simulation/src",
    "tests/support/src",
];

#[test]
fn lints_of_the_client_refuse_catch_alls() {
    let lib = source::below("src", &["rs"]).into_iter().find(|it| it.path == "src/lib.rs");
    let lib = lib.expect("there is a root").text;
    for layer in ["browser", "store", "sync"] {
        let lints =
            "#[deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]";
        assert!(lib.contains(&format!("{lints}\npub mod {layer};")), "{layer}");
    }
}

#[test]
fn closed_enums_are_matched_without_a_catch_all() {
    for folder in CLIENT.iter().chain(DRIVERS) {
        let names = if CLIENT.contains(folder) { CLOSED } else { &["Effect::"] };
        for source in source::below(folder, &["rs"]) {
            for (name, arms) in matches_of(&source.text, names) {
                let catch_all = arms.iter().any(|arm| arm.starts_with("_ "));
                assert!(!catch_all, "{}: a catch-all beside {name}", source.path);
            }
        }
    }
}

/// The arms of every `match` of a closed enum.
fn matches_of(text: &str, names: &[&'static str]) -> Vec<(&'static str, Vec<String>)> {
    let lines: Vec<&str> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        if !line.contains("match ") || !line.ends_with('{') {
            continue;
        }
        let depth = indent(line);
        let inner = lines[start + 1..].iter().take_while(|it| it.is_empty() || indent(it) > depth);
        let arms = inner.filter(|it| indent(it) == depth + 4).map(|it| it.trim_start().to_owned());
        let arms: Vec<String> = arms.collect();
        let is_closed = |name: &&&str| {
            arms.iter().any(|arm| arm.trim_start_matches("Some(").starts_with(**name))
        };
        if let Some(name) = names.iter().find(is_closed) {
            found.push((*name, arms));
        }
    }
    found
}

#[test]
fn catch_all_beside_a_closed_enum_is_found() {
    let text = "    match input {\n        Input::Connect => 1,\n        _ => 2,\n    }\n";
    let [(name, arms)] = &matches_of(text, CLOSED)[..] else { panic!("one match") };
    assert_eq!((*name, arms.len()), ("Input::", 2));
}
