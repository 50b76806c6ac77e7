//! Source files of this repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One source file: its path below the root, and its text.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `folder` with one of these endings, in order.
pub(crate) fn below(folder: &str, endings: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}")) {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if has_ending(&path, endings) {
                found.push(read(path));
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(!found.is_empty(), "{folder} has no such files");
    found
}

/// All files with one of these endings that git tracks, and that are still there.
pub(crate) fn tracked(endings: &[&str]) -> Vec<Source> {
    let output = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    let output = output.expect("git lists the files");
    let names = String::from_utf8(output.stdout).expect("paths are UTF-8");
    let paths = names.split('\0').map(|name| root().join(name));
    let found: Vec<_> =
        paths.filter(|path| has_ending(path, endings) && path.is_file()).map(read).collect();
    assert!(!found.is_empty(), "git lists no files");
    found
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    path.extension().is_some_and(|ending| endings.iter().any(|it| ending == *it))
}

fn read(path: PathBuf) -> Source {
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let path = path.strip_prefix(root()).expect("it is below the root");
    Source { path: path.to_string_lossy().into_owned(), text }
}

/// A text without comments and without the content of string literals. Its lines are kept.
pub(crate) fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    for line in text.lines() {
        let mut quoted = false;
        let mut characters = line.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '/' if !quoted && characters.peek() == Some(&'/') => break,
                '\\' if quoted => {
                    characters.next();
                }
                '"' => {
                    quoted = !quoted;
                    code.push('"');
                }
                _ if quoted => {}
                other => code.push(other),
            }
        }
        code.push('\n');
    }
    code
}
