//! Circles of imports between Rust modules. A module and the modules that it names, by `use` or by a path in
//! its code, must form layers.
//!
//! An import of a re-exported name counts as an import of the module that defines it, so that a facade
//! such as `sync/mod.rs` does not form a circle.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{self, Source};

/// Modules by their path (`crate::sync::time`). Each module is a file.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    /// The imports of each module: full paths of names.
    imports: BTreeMap<String, Vec<String>>,
    /// The re-exports of each module: a name, and the full path behind it.
    reexports: BTreeMap<String, BTreeMap<String, String>>,
}

impl Modules {
    pub(crate) fn read(folder: &str, sources: &[Source]) -> Self {
        let mut modules = Self::default();
        let named: Vec<_> = sources.iter().map(|it| (module_of(folder, &it.path), it)).collect();
        let names: BTreeSet<String> = named.iter().map(|(name, _)| name.clone()).collect();
        for (name, source) in &named {
            let mut imports = Vec::new();
            let mut reexports = BTreeMap::new();
            for (public, path) in uses(&source.text) {
                let Some(path) = absolute(name, &path, &names) else { continue };
                let last = path.rsplit("::").next().unwrap_or_default().to_owned();
                if public {
                    reexports.insert(last, path);
                } else {
                    imports.push(path);
                }
            }
            let inline = paths(&source.text);
            imports.extend(inline.iter().filter_map(|path| absolute(name, path, &names)));
            modules.imports.insert(name.clone(), imports);
            modules.reexports.insert(name.clone(), reexports);
        }
        modules
    }

    /// The module that defines the item at this path.
    fn definer(&self, path: &str) -> Option<String> {
        let mut path = path.to_owned();
        // A chain of re-exports is not longer than this.
        for _ in 0..8 {
            let (module, rest) = self.split(&path)?;
            let Some(name) = rest.split("::").next().filter(|name| !name.is_empty()) else {
                return Some(module);
            };
            match self.reexports[&module].get(name) {
                Some(behind) => path.clone_from(behind),
                None => return Some(module),
            }
        }
        panic!("{path} is re-exported in a circle")
    }

    /// The longest module that the path begins with, and the rest of the path.
    fn split(&self, path: &str) -> Option<(String, String)> {
        let parts: Vec<&str> = path.split("::").collect();
        (1..=parts.len()).rev().find_map(|length| {
            let module = parts[..length].join("::");
            self.imports.contains_key(&module).then(|| (module, parts[length..].join("::")))
        })
    }

    /// The modules that each module imports.
    fn edges(&self) -> BTreeMap<String, BTreeSet<String>> {
        let edge = |(from, imports): (&String, &Vec<String>)| {
            let to = imports.iter().filter_map(|path| self.definer(path));
            (from.clone(), to.filter(|to| to != from).collect())
        };
        self.imports.iter().map(edge).collect()
    }

    /// Every circle, as the modules in it.
    pub(crate) fn circles(&self) -> Vec<Vec<String>> {
        circles(&self.edges())
    }
}

/// The groups of nodes that reach each other.
pub(crate) fn circles(edges: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reaches = |from: &String| {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&String> = edges.get(from).into_iter().flatten().collect();
        while let Some(node) = open.pop() {
            if seen.insert(node.clone()) {
                open.extend(edges.get(node).into_iter().flatten());
            }
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<String>> =
        edges.keys().map(|node| (node, reaches(node))).collect();
    let mut found: BTreeSet<Vec<String>> = BTreeSet::new();
    for (node, from_here) in &reached {
        if from_here.contains(*node) {
            let back = |other: &&String| reached[*other].contains(*node);
            let known = from_here.iter().filter(|other| reached.contains_key(*other));
            found.insert(known.filter(back).cloned().collect());
        }
    }
    found.into_iter().collect()
}

/// The path of the module in a file.
fn module_of(folder: &str, path: &str) -> String {
    let inner = path.strip_prefix(folder).unwrap_or(path).trim_start_matches('/');
    let inner = inner.trim_end_matches(".rs");
    let mut parts: Vec<&str> = inner.split('/').collect();
    if parts.last().is_some_and(|last| ["mod", "lib", "main"].contains(last)) {
        parts.pop();
    }
    ["crate"].into_iter().chain(parts).collect::<Vec<_>>().join("::")
}

/// Every path that `use` names, and whether it is re-exported.
fn uses(text: &str) -> Vec<(bool, String)> {
    let code = source::code(text);
    let code = code.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let mut found = Vec::new();
    for statement in code.split(';') {
        let statement = statement.trim();
        let Some(at) = statement.rfind("use ") else { continue };
        let before = statement[..at].rsplit('\n').next().unwrap_or_default().trim();
        let public = before.starts_with("pub");
        let is_use = before.is_empty() || public;
        // A name behind `as` does not matter here.
        let words = statement[at + 4..].split_whitespace();
        let tree: String = words.map(|word| if word == "as" { "!" } else { word }).collect();
        if is_use && !tree.contains(['(', ')', '=']) {
            expand("", &tree, &mut |path| {
                let path = path.split('!').next().unwrap_or_default().to_owned();
                found.push((public, path));
            });
        }
    }
    found
}

/// Every path outside of `use` that begins at a module: `crate::a::f`, `super::T`, `child::f`.
fn paths(text: &str) -> Vec<String> {
    let code = source::code(text);
    let code = code.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let code = code.replace("pub(in crate::", "pub(");
    let is_part = |character: char| character.is_alphanumeric() || "_:".contains(character);
    let statements = code.split(';').map(|statement| match statement.rfind("use ") {
        Some(at) => &statement[..at],
        None => statement,
    });
    let words = statements.flat_map(|it| it.split(|character: char| !is_part(character)));
    let path = |word: &str| word.trim_matches(':').to_owned();
    words.filter(|word| word.contains("::") && !word.starts_with("::")).map(path).collect()
}

/// `a::{b,c::{d,e}}` as `a::b`, `a::c::d`, `a::c::e`.
fn expand(prefix: &str, tree: &str, found: &mut impl FnMut(String)) {
    let join = |tail: &str| format!("{prefix}{tail}");
    let Some(open) = tree.find('{') else {
        return found(join(tree).trim_end_matches("::self").to_owned());
    };
    let prefix = join(&tree[..open]);
    let tail = &tree[open + 1..];
    let inner = &tail[..balanced(tail)];
    let (mut depth, mut start) = (0, 0);
    for (at, character) in inner.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&prefix, &inner[start..at], found);
                start = at + 1;
            }
            _ => {}
        }
    }
    if start < inner.len() {
        expand(&prefix, &inner[start..], found);
    }
}

/// The length of the text up to the brace that closes the one before `tail`.
fn balanced(tail: &str) -> usize {
    let mut depth = 0;
    for (at, character) in tail.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => return at,
            '}' => depth -= 1,
            _ => {}
        }
    }
    tail.len()
}

/// The path from the root of the crate; `None` for a path of another crate.
fn absolute(module: &str, path: &str, modules: &BTreeSet<String>) -> Option<String> {
    let mut here: Vec<&str> = module.split("::").collect();
    let mut parts = path.split("::").peekable();
    match *parts.peek()? {
        "crate" => return Some(path.to_owned()),
        "self" => {
            parts.next();
        }
        "super" => {
            while parts.next_if_eq(&"super").is_some() {
                here.pop();
            }
        }
        child => {
            // A child of this module, or another crate.
            if !modules.contains(&format!("{module}::{child}")) {
                return None;
            }
        }
    }
    Some(here.into_iter().chain(parts).collect::<Vec<_>>().join("::"))
}

fn assert_none_in(folder: &str) {
    let circles = Modules::read(folder, &source::below(folder, &["rs"])).circles();
    assert!(circles.is_empty(), "modules of {folder} that import each other: {circles:#?}");
}

#[test]
fn modules_of_the_client_import_in_layers() {
    assert_none_in("src");
}

#[test]
fn modules_of_the_reference_server_import_in_layers() {
    assert_none_in("tests/harness/src");
}

#[test]
fn circle_of_two_modules_is_found_through_a_facade() {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let sources = [
        source("x/lib.rs", "mod a;\nmod b;\npub use a::{One, nested::Two};\n"),
        source("x/a/mod.rs", "pub mod nested;\nuse crate::b::{self, Three};\n"),
        source("x/a/nested.rs", "// use crate::a::One;\n"),
        source("x/b.rs", "use super::{One,\n    Two};\n"),
    ];
    let circles = Modules::read("x", &sources).circles();
    assert_eq!(circles, [["crate::a".to_owned(), "crate::b".to_owned()]]);
}
