//! The text that people read: comments of code, and paragraphs of documents.

use crate::source::Source;

/// A comment or a paragraph, without code.
#[derive(Debug)]
pub(crate) struct Passage {
    /// The file and the line in which it begins.
    pub(crate) place: String,
    pub(crate) text: String,
}

/// The comments of a file. An empty comment line separates two, as code does.
pub(crate) fn comments_of(source: &Source) -> Vec<Passage> {
    let lines = source.text.lines().map(|line| comment_in(line).unwrap_or_default());
    joined(source, lines)
}

/// The string literals of a file, as far as they begin and end in one line.
pub(crate) fn strings_of(source: &Source) -> Vec<Passage> {
    let mut found = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        if comment_in(line).is_some() {
            continue;
        }
        for quote in ['"', '`'] {
            let literals = line.split(quote).skip(1).step_by(2).filter(|it| it.contains(' '));
            found.extend(literals.map(|text| Passage {
                place: format!("{}:{}", source.path, index + 1),
                text: text.to_owned(),
            }));
        }
    }
    found
}

/// The paragraphs of a document without its code blocks. A list item, a heading and a row of a table are
/// paragraphs.
pub(crate) fn paragraphs_of(source: &Source) -> Vec<Passage> {
    let mut fenced = false;
    let lines = source.text.lines().map(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        if fenced || fence { "" } else { line.trim() }
    });
    joined(source, lines)
}

fn joined<'a>(source: &Source, lines: impl Iterator<Item = &'a str>) -> Vec<Passage> {
    let mut found: Vec<Passage> = Vec::new();
    let mut open = false;
    for (index, line) in lines.enumerate() {
        let text = without_code_spans(line);
        let starts = ["- ", "* ", "| ", "#", "1. "].iter().any(|it| line.starts_with(it));
        match found.last_mut().filter(|_| open && !starts) {
            Some(passage) if !line.is_empty() => {
                passage.text.push(' ');
                passage.text.push_str(&text);
            }
            _ if line.is_empty() => {}
            _ => {
                let place = format!("{}:{}", source.path, index + 1);
                found.push(Passage { place, text });
            }
        }
        open = !line.is_empty();
    }
    found
}

/// The text of the comment that a line is, or ends in.
fn comment_in(line: &str) -> Option<&str> {
    let trimmed = line.trim();
    for mark in ["///", "//!", "//", "/**", "/*", "*/", "* "] {
        if let Some(text) = trimmed.strip_prefix(mark) {
            return Some(text.trim_end_matches("*/").trim());
        }
    }
    let mut quoted = false;
    let mut before = ' ';
    for (at, character) in line.char_indices() {
        match character {
            '"' | '`' if before != '\\' => quoted = !quoted,
            '/' if !quoted && before == '/' => return Some(line[at + 1..].trim()),
            _ => {}
        }
        before = character;
    }
    None
}

/// The text without what stands between backticks.
fn without_code_spans(text: &str) -> String {
    text.split('`').step_by(2).collect()
}

/// Lower-case words with one space around each, so that a phrase is found as whole words.
pub(crate) fn normalised(text: &str) -> String {
    let letters = text.to_lowercase();
    let words = letters.split(|it: char| !(it.is_alphanumeric() || it == '§' || it == '\''));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    format!(" {} ", words.join(" "))
}

/// The sentences of a passage; the cells of a row of a table are sentences.
pub(crate) fn sentences(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for cell in text.split('|') {
        let mut sentence = String::new();
        for word in cell.split_whitespace() {
            let word = word.trim_start_matches(['*', '_', '(']);
            sentence.push_str(word);
            if word.ends_with(['.', '?', '!']) {
                found.push(core::mem::take(&mut sentence));
            } else {
                sentence.push(' ');
            }
        }
        found.push(sentence.trim_end().to_owned());
    }
    found.retain(|sentence| !sentence.is_empty());
    found
}
