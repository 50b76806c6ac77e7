//! One language: the words of the field, in identifiers, comments and documents, and names of tests that say
//! what happens. `tests/tidy/words.txt` lists the words that are out.

use std::fs;

use crate::prose::{self, Passage};
use crate::source::{self, Source};

/// The list, which is exempt.
const LIST: &str = "tests/tidy/words.txt";

/// The longest name of a scenario, in characters.
const NAME_MAX: usize = 60;

/// The longest title of a test in JavaScript, in characters.
const TITLE_MAX: usize = 80;

/// Files with comments.
const CODE: &[&str] = &["rs", "ts", "tsx", "js", "mjs"];

/// The lines of one section of the list.
fn section(name: &str) -> Vec<String> {
    let text = fs::read_to_string(source::root().join(LIST)).expect("there is a list of words");
    let lines = text.lines().skip_while(|line| *line != format!("[{name}]")).skip(1);
    let of_it = lines.take_while(|line| !line.starts_with('['));
    let words = of_it.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let found: Vec<String> = words.map(str::to_owned).collect();
    assert!(!found.is_empty(), "the list has no section {name}");
    found
}

/// Everything that people read: comments and strings of the code, and documents.
fn passages() -> Vec<Passage> {
    let code = source::tracked(CODE);
    let mut found: Vec<Passage> = code.iter().flat_map(prose::comments_of).collect();
    let written = code.iter().filter(|it| !it.path.starts_with("tests/tidy/"));
    found.extend(written.flat_map(prose::strings_of));
    let documents = source::tracked(&["md"]);
    let written = documents.iter().filter(|it| !it.path.starts_with("docs/soak/"));
    found.extend(written.flat_map(prose::paragraphs_of));
    found
}

#[test]
fn comments_and_documents_use_the_words_of_the_field() {
    let banned: Vec<String> = section("prose").iter().map(|it| prose::normalised(it)).collect();
    let mut wrong = Vec::new();
    for passage in passages() {
        let text = prose::normalised(&passage.text);
        let found = banned.iter().filter(|phrase| text.contains(phrase.as_str()));
        wrong.extend(found.map(|phrase| format!("{}: {}", passage.place, phrase.trim())));
    }
    assert!(wrong.is_empty(), "{} of {LIST}: {wrong:#?}", wrong.len());
}

#[test]
fn sentences_have_a_subject() {
    let beginnings = section("beginnings");
    let mut wrong = Vec::new();
    for passage in passages() {
        for sentence in prose::sentences(&passage.text) {
            let begins = |word: &String| {
                sentence.strip_prefix(word.as_str()).is_some_and(|rest| rest.starts_with(' '))
            };
            if beginnings.iter().any(begins) && !sentence.ends_with('?') {
                wrong.push(format!("{}: {sentence}", passage.place));
            }
        }
    }
    assert!(wrong.is_empty(), "{} sentences: {wrong:#?}", wrong.len());
}

#[test]
fn identifiers_are_names_of_the_field() {
    let (names, parts) = (section("identifiers"), section("name parts"));
    let mut wrong = Vec::new();
    for source in source::tracked(CODE) {
        for identifier in identifiers(&source) {
            let padded = format!("_{}_", identifier.to_lowercase());
            let has_part = parts.iter().any(|part| padded.contains(&format!("_{part}_")));
            let constant = identifier.to_lowercase();
            let is_listed = names.iter().any(|it| {
                *it == identifier || it.to_lowercase() == constant && is_constant(&identifier)
            });
            if has_part || is_listed {
                wrong.push(format!("{}: {identifier}", source.path));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{} of {LIST}: {wrong:#?}", wrong.len());
}

/// Whether a name is written as constants are.
fn is_constant(name: &str) -> bool {
    name.chars().all(|it| it.is_uppercase() || it.is_numeric() || it == '_')
}

fn identifiers(source: &Source) -> Vec<String> {
    let code = source::code(&source.text);
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    code.split(|character| !is_part(character)).map(str::to_owned).collect()
}

#[test]
fn names_of_tests_are_short_and_have_a_subject() {
    let parts = section("name parts");
    let mut wrong = Vec::new();
    let mut judge = |path: &str, name: &str, longest: usize| {
        let words = format!("_{}_", name.to_lowercase().replace(' ', "_"));
        let begins = ["_who_", "_whoever_", "_what_"].iter().any(|it| words.starts_with(it));
        let has_part = parts.iter().any(|part| words.contains(&format!("_{part}_")));
        if begins || has_part || name.chars().count() > longest {
            wrong.push(format!("{path}: {name}"));
        }
    };
    let mut count = 0;
    for source in source::tracked(&["rs"]) {
        for name in test_functions(&source.text) {
            judge(&source.path, &name, NAME_MAX);
            count += 1;
        }
    }
    for source in source::tracked(&["js", "mjs"]) {
        for title in source.text.lines().filter_map(test_title) {
            judge(&source.path, title, TITLE_MAX);
            count += 1;
        }
    }
    assert!(count > 700, "tests are found: {count}");
    assert!(wrong.is_empty(), "{} names: {wrong:#?}", wrong.len());
}

/// The names of functions below an attribute that ends in `test`.
fn test_functions(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        let attribute = line.strip_prefix("#[").and_then(|it| it.split([']', '(']).next());
        if let Some(attribute) = attribute {
            is_test |= attribute.ends_with("test");
            continue;
        }
        let name = line.split("fn ").nth(1).and_then(|it| it.split(['(', '<']).next());
        if let Some(name) = name.filter(|_| is_test) {
            names.push(name.to_owned());
        }
        is_test &= line.is_empty() || line.starts_with("//");
    }
    names
}

/// The title of a test of node's runner, if the line begins one.
fn test_title(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("test(")?;
    let quote = rest.chars().next().filter(|it| "\"`'".contains(*it))?;
    rest[1..].split(quote).next()
}

#[test]
fn a_word_of_the_list_is_found_in_comments_and_not_in_code() {
    let text = "/// Who is told, hears.\n///\n/// It `told`.\nlet x = 0;\nlet told = \"told\"; // Whoever came.\n";
    let source = Source { path: "x.rs".to_owned(), text: text.to_owned() };
    let passages = prose::comments_of(&source);
    let texts: Vec<_> = passages.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(texts, ["Who is told, hears.", "It .", "Whoever came."]);
    assert!(prose::normalised(texts[0]).contains(&prose::normalised("told")));
    assert_eq!(
        prose::sentences("One. Who is it? What is due."),
        ["One.", "Who is it?", "What is due."]
    );
    assert!(identifiers(&source).contains(&"told".to_owned()));
    assert_eq!(test_functions("#[test]\n// Why.\nfn a_b() {}\nfn c() {}"), ["a_b"]);
    assert_eq!(test_title("  test(\"one two\", () => {"), Some("one two"));
}
