//! Modules of the package that import each other in a circle, types included.

use std::collections::{BTreeMap, BTreeSet};

use crate::circles::circles;
use crate::source;

#[test]
fn modules_of_the_package_import_in_layers() {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in source::below("pkg/src", &["ts", "tsx"]) {
        let name = source.path.trim_end_matches("x").trim_end_matches(".ts");
        edges.insert(name.to_owned(), imports(&source.path, &source.text));
    }
    assert!(edges.values().any(|to| !to.is_empty()), "imports are found");
    let circles = circles(&edges);
    assert!(circles.is_empty(), "modules that import each other: {circles:#?}");
}

/// The modules that a file names by a relative path, in any form of import or re-export.
fn imports(path: &str, text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for quote in ['"', '\''] {
        for quoted in text.split(quote).filter(|quoted| quoted.starts_with('.')) {
            found.extend(quoted.strip_suffix(".js").map(|relative| resolve(path, relative)));
        }
    }
    found
}

/// Resolves a relative path.
fn resolve(from: &str, relative: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for step in relative.split('/') {
        match step {
            "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[test]
fn every_form_of_import_is_found() {
    let text = "import type { A } from \"./a.js\";\nexport {\n  B,\n} from '../b.js';\nimport \"x\";\n\
                import \"./c.js\"; const d = await import(\"./d/e.js\"); export * from \"./f.js\";";
    let found = ["src/n/a", "src/b", "src/n/c", "src/n/d/e", "src/n/f"].map(str::to_owned);
    assert_eq!(imports("src/n/x.ts", text), found.into());
}
