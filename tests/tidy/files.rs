//! Files are short enough to be read, and the compiler refuses `unsafe` code.

use crate::source;

/// The largest number of lines of a code file.
const LINES_MAX: usize = 450;

/// Files that a program generates.
const GENERATED: &[&str] = &["pkg/src/generated.d.ts", "pkg/src/rest/types.ts"];

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

/// The compiler refuses `unsafe` in every crate that takes the lints of the workspace.
#[test]
fn every_crate_denies_unsafe_code() {
    let manifests: Vec<_> = source::tracked(&["toml"])
        .into_iter()
        .filter(|it| it.path.ends_with("Cargo.toml"))
        .collect();
    let lints = |it: &&source::Source| !it.text.contains("[lints]\nworkspace = true");
    let without: Vec<_> = manifests.iter().filter(lints).map(|it| &it.path).collect();
    assert!(without.is_empty(), "crates without the lints of the workspace: {without:?}");
    let root = manifests.iter().find(|it| it.path == "Cargo.toml").expect("there is a workspace");
    assert!(root.text.contains("\nunsafe_code = \"deny\"\n"), "unsafe code is denied");
    let allowed = ["allow(", "unsafe_code"].concat();
    for source in source::tracked(&["rs"]) {
        assert!(!source.text.contains(&allowed), "{}: unsafe code is allowed", source.path);
    }
}
