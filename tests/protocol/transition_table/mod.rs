//! The total transition table: every state with every input, and what the machine then does.
//!
//! The expectations are matches without a catch-all: a state or an input that is added does not compile
//! until somebody says what happens. The real machine is brought into each state, given each input, and
//! must do what the cell says. `docs/TRANSITIONS.md` is printed from the same cells by `cargo xtask
//! table`; a test compares.

/// The inputs of a table, with what they are called in it.
macro_rules! inputs {
    ($(#[$what:meta])* $($name:ident $text:literal,)*) => {
        $(#[$what])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum TableInput { $($name,)* }

        const INPUTS: &[TableInput] = &[$(TableInput::$name,)*];

        impl std::fmt::Display for TableInput {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$name => $text,)* })
            }
        }
    };
}

mod campaign;
mod connection;

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::fs;
use std::path::Path;

const DOCUMENT: &str = "docs/TRANSITIONS.md";
/// Set by `cargo xtask table`.
const WRITE: &str = "CAMPAIGN_SYNC_WRITE_TABLE";

const HEAD: &str = "# Transitions\n\nEvery state with every input. Printed by `cargo xtask table` from \
    `tests/protocol/transition_table`, where each cell is compared with what the real machine does, and \
    where a cell that is missing does not compile.\n";

/// One table as text: inputs down, states across.
fn print<S: Debug, I: Display, C: Display>(
    states: &[S],
    inputs: &[I],
    cell: impl Fn(&S, &I) -> C,
) -> String {
    let mut text = String::from("| |");
    states.iter().for_each(|state| text.push_str(&format!(" {state:?} |")));
    text.push_str(&format!("\n|{}\n", " --- |".repeat(states.len() + 1)));
    for input in inputs {
        text.push_str(&format!("| {input} |"));
        states.iter().for_each(|state| text.push_str(&format!(" {} |", cell(state, input))));
        text.push('\n');
    }
    text
}

/// Compares every cell with the machine and reports all differences together.
fn compare<S: Debug + Copy, I: Display + Copy, C: Display + PartialEq>(
    states: &[S],
    inputs: &[I],
    expected: impl Fn(S, I) -> C,
    happens: impl Fn(S, I) -> C,
) {
    let mut wrong = BTreeMap::new();
    for &state in states {
        for &input in inputs {
            let (expected, happened) = (expected(state, input), happens(state, input));
            if expected != happened {
                let cell = format!("{state:?}, {input}");
                wrong.insert(cell, format!("expected `{expected}`, happened `{happened}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_document_is_the_table() {
    let text = format!("{HEAD}\n{}\n{}", connection::document(), campaign::document());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT);
    if std::env::var_os(WRITE).is_some() {
        fs::write(path, text).unwrap();
    } else {
        let written = fs::read_to_string(path).unwrap_or_default();
        assert!(written == text, "{DOCUMENT} is not what `cargo xtask table` prints");
    }
}
