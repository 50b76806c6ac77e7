//! Files are short enough to be read, and none has `unsafe` code.

use crate::source;

/// Lines that a file of code may have.
const LINES_MAX: usize = 450;

/// Files that are made by a program.
const GENERATED: &[&str] = &["pkg/src/generated.d.ts"];

#[test]
fn every_file_of_code_is_short_enough_to_be_read() {
    let sources = source::tracked(&["rs", "ts", "tsx", "js", "mjs", "css", "sh"]);
    let long: Vec<_> = sources
        .iter()
        .filter(|it| !GENERATED.contains(&it.path.as_str()))
        .map(|it| (it.text.lines().count(), &it.path))
        .filter(|(lines, _)| *lines > LINES_MAX)
        .collect();
    assert!(long.is_empty(), "more than {LINES_MAX} lines: {long:#?}");
}

#[test]
fn no_code_is_unsafe() {
    // Put together here, so that this file has none.
    let words = ["unsafe ", "{"].concat();
    let declarations = ["fn ", "impl ", "extern ", "trait "].map(|it| ["unsafe ", it].concat());
    for source in source::tracked(&["rs"]) {
        let code = source::code(&source.text);
        for word in declarations.iter().chain([&words]) {
            assert!(!code.contains(word.as_str()), "{}: {word}", source.path);
        }
    }
}
