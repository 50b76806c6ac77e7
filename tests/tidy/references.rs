//! References that lead somewhere: links between documents with their anchors, and paths of files in
//! documents and comments.

use std::collections::BTreeSet;

use crate::source::{self, Source};

/// Documents that people read here.
fn documents() -> Vec<Source> {
    let mut found = source::tracked(&["md"]);
    found.retain(|it| !it.path.starts_with("docs/soak/"));
    found
}

/// The targets of links: `[text](target)`.
fn links(text: &str) -> Vec<&str> {
    let mut fenced = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    let targets = lines.flat_map(|line| line.split("](").skip(1));
    targets.filter_map(|rest| rest.split(')').next()).collect()
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|it| it.is_alphanumeric() || " -_".contains(*it));
    kept.map(|it| if it == ' ' { '-' } else { it }).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    text.lines().filter(|line| line.starts_with('#')).map(anchor).collect()
}

/// A path beside or below the folder of a file.
fn beside(path: &str, relative: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for step in relative.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[test]
fn links_of_documents_lead_somewhere() {
    let mut dangling = Vec::new();
    for document in documents() {
        for link in links(&document.text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, wanted) = link.split_once('#').unwrap_or((link, ""));
            let path =
                if file.is_empty() { document.path.clone() } else { beside(&document.path, file) };
            let found = source::root().join(&path);
            let is_there = found.exists()
                && (wanted.is_empty()
                    || std::fs::read_to_string(&found)
                        .is_ok_and(|it| anchors(&it).contains(wanted)));
            if !is_there {
                dangling.push(format!("{}: {link}", document.path));
            }
        }
    }
    assert!(dangling.is_empty(), "links that lead nowhere: {dangling:#?}");
}

#[test]
fn documents_that_code_names_exist() {
    let mut dangling = Vec::new();
    let sources = source::tracked(&["rs", "ts", "js", "mjs"]);
    for source in sources.iter().chain(&documents()) {
        let is_part = |it: char| it.is_alphanumeric() || "/-_.".contains(it);
        for word in source.text.split(|it| !is_part(it)) {
            let word = word.trim_end_matches('.');
            let names = word.starts_with("docs/") && !word.ends_with('/');
            // A decision is named by its number, too.
            let decision = word.strip_prefix("docs/decisions/").filter(|it| it.len() == 4);
            let exists = match decision {
                Some(number) => !files_of_decision(number).is_empty(),
                None => source::root().join(word).exists(),
            };
            if names && !exists {
                dangling.push(format!("{}: {word}", source.path));
            }
        }
    }
    assert!(dangling.is_empty(), "files that do not exist: {dangling:#?}");
}

fn files_of_decision(number: &str) -> Vec<String> {
    let decisions = source::tracked(&["md"]);
    let start = format!("docs/decisions/{number}-");
    decisions.into_iter().map(|it| it.path).filter(|path| path.starts_with(&start)).collect()
}

#[test]
fn an_anchor_is_made_as_browsers_of_the_repository_make_it() {
    assert_eq!(anchor("## 17. Guarantees"), "17-guarantees");
    assert_eq!(anchor("### What `live` means"), "what-live-means");
    assert_eq!(links("a [b](c.md#d) ```\n[e](f)\n"), ["c.md#d", "f"]);
    assert_eq!(beside("x/a/b.md", "../c.md"), "x/c.md");
}
