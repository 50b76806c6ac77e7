//! The house rules, read from the source: arrows go one way, three rooms are pure, files are short.

use std::fs;
use std::path::{Path, PathBuf};

/// What only drivers may know: clocks, chance, sockets, and orders that differ from run to run.
const IMPURE: &[&str] = &[
    "std::time",
    "SystemTime",
    "Instant::",
    "std::net",
    "std::fs",
    "std::env",
    "std::thread",
    "rand::",
    "getrandom",
    "HashMap",
    "HashSet",
    "RandomState",
    "web_sys",
    "js_sys",
    "wasm_bindgen",
    "gloo",
    "println!",
    "eprintln!",
    "dbg!",
    "static mut",
    "thread_local!",
    "unsafe ",
];

/// Lines that a file may have.
const LINES_MAX: usize = 450;

fn sources(room: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room);
    let mut sources = Vec::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the room is there") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("UTF-8");
                sources.push((path, text));
            }
        }
    }
    assert!(!sources.is_empty(), "{room} is empty");
    sources
}

/// The code of a line, without its comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

fn assert_none(room: &str, words: &[&str]) {
    for (path, text) in sources(room) {
        for (number, line) in text.lines().enumerate() {
            for word in words {
                assert!(!code(line).contains(word), "{}:{}: {word}", path.display(), number + 1);
            }
        }
    }
}

#[test]
fn the_words_on_the_wire_know_neither_store_nor_machine_nor_browser() {
    assert_none("protocol", &["crate::store", "crate::sync", "crate::browser"]);
}

#[test]
fn the_store_knows_neither_machine_nor_browser() {
    assert_none("store", &["crate::sync", "crate::browser"]);
}

#[test]
fn the_machine_does_not_know_the_browser() {
    assert_none("sync", &["crate::browser"]);
}

#[test]
fn the_three_rooms_are_pure() {
    for room in ["protocol", "store", "sync"] {
        assert_none(room, IMPURE);
    }
}

#[test]
fn inputs_effects_and_outcomes_are_matched_without_a_catch_all() {
    for (path, text) in sources("sync") {
        for name in ["Input::", "Effect::", "Connection::", "Recovery::"] {
            let matched = matches_of(&text, name);
            for block in matched {
                assert!(!block.contains("_ =>"), "{}: a catch-all beside {name}", path.display());
            }
        }
    }
}

/// The arms of every `match` one of whose own arms begins with `name`.
fn matches_of<'a>(text: &'a str, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lines: Vec<&'a str> = text.lines().collect();
    for (start, line) in lines.iter().enumerate() {
        if !line.contains("match ") || !line.ends_with('{') {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let arms = lines[start + 1..]
            .iter()
            .take_while(|line| line.is_empty() || line.len() - line.trim_start().len() > indent);
        let own = arms.filter(|line| line.len() - line.trim_start().len() == indent + 4);
        let own: Vec<&str> = own.map(|line| line.trim_start()).collect();
        if own.iter().any(|line| line.starts_with(name)) {
            found.push(own.join("\n"));
        }
    }
    found
}

#[test]
fn every_file_is_short_enough_to_be_read() {
    for room in ["protocol", "store", "sync"] {
        for (path, text) in sources(room) {
            let lines = text.lines().count();
            assert!(lines <= LINES_MAX, "{}: {lines} lines", path.display());
        }
    }
}
