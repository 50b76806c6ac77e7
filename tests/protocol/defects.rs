//! docs/DEFECTS.md names tests for the defects of the previous design. Each named test must exist.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(whole).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The file and the name of each test in a line: two code spans beside each other.
fn named(line: &str) -> Vec<(&str, &str)> {
    let spans: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
    spans.windows(2).filter(|pair| is_file(pair[0])).map(|pair| (pair[0], pair[1])).collect()
}

fn is_file(span: &str) -> bool {
    span.contains('/') && [".rs", ".js", ".mjs"].iter().any(|end| span.ends_with(end))
}

/// Whether the file declares the test: in Rust, in JavaScript, or as a broken server of the conformance kit.
/// A test that JavaScript makes once for each of several words names the word last.
fn declares(source: &str, name: &str) -> bool {
    let before_last_word = name.rsplit_once(' ').map_or(name, |(before, _)| before);
    let forms = [
        format!("fn {name}("),
        format!("test(\"{name}\""),
        format!("test(`{before_last_word} ${{"),
        format!("title: \"{name}\""),
    ];
    forms.iter().any(|form| source.contains(form))
}

/// Whether the row begins with an id: a letter for the part, a dash, and a number within the part.
fn is_id(row: &str) -> bool {
    row.as_bytes().get(2).is_some_and(u8::is_ascii_uppercase)
        && row.as_bytes().get(3) == Some(&b'-')
}

fn rows(table: &str) -> impl Iterator<Item = &str> {
    table.lines().filter(|line| line.starts_with("| ") && is_id(line))
}

#[test]
fn every_test_that_is_named_for_a_defect_exists() {
    let table = read("docs/DEFECTS.md");
    let tests: Vec<_> = table.lines().flat_map(named).collect();
    assert!(tests.len() >= rows(&table).count(), "the table is there");
    let missing: Vec<_> =
        tests.into_iter().filter(|(file, name)| !declares(&read(file), name)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_defect_says_what_catches_it_or_why_it_cannot_arise() {
    let table = read("docs/DEFECTS.md");
    let silent: Vec<_> =
        rows(&table).filter(|row| named(row).is_empty() && !row.contains("cannot arise")).collect();
    assert!(silent.is_empty(), "{silent:#?}");
}
