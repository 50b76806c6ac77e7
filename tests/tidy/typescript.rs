//! Modules of the package that import each other in a circle, types included.

use std::collections::{BTreeMap, BTreeSet};

use crate::circles::circles;
use crate::source;

#[test]
fn modules_of_the_package_import_in_layers() {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in source::below("pkg/src", &["ts"]) {
        let name = source.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".ts");
        edges.insert(name.to_owned(), imports(&source.text));
    }
    assert!(edges.values().any(|to| !to.is_empty()), "imports are found");
    let circles = circles(&edges);
    assert!(circles.is_empty(), "modules that import each other: {circles:#?}");
}

/// The modules beside it that a module names behind `from`.
fn imports(text: &str) -> BTreeSet<String> {
    let named = text.split("from \"./").skip(1);
    named.filter_map(|rest| rest.split(".js\"").next()).map(str::to_owned).collect()
}

#[test]
fn imports_and_re_exports_of_a_module_are_found() {
    let text =
        "import type { A } from \"./a.js\";\nexport {\n  B,\n} from \"./b.js\";\nimport \"x\";";
    assert_eq!(imports(text), ["a", "b"].map(str::to_owned).into());
}
