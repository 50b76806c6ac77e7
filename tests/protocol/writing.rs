//! How documents are written: on one line, no member twice in an object, no escape in a member's name.

/// Fails unless `document`, which is JSON, is written as the contract demands (R2.2, R2.8).
pub(crate) fn assert_well_written(document: &str) {
    assert!(!document.contains('\n'), "one line: {document}");
    let mut names: Vec<Vec<&str>> = Vec::new();
    let mut rest = document;
    while let Some(at) = rest.find(['"', '{', '}']) {
        let (mark, after) = (rest.as_bytes()[at], &rest[at + 1..]);
        rest = after;
        match mark {
            b'{' => names.push(Vec::new()),
            b'}' => drop(names.pop()),
            _ => {
                let length = length_of_text(after);
                let text = &after[..length];
                rest = &after[length + 1..];
                if rest.starts_with(':') {
                    let object = names.last_mut().expect("a name stands in an object");
                    assert!(!text.contains('\\'), "an escape in a name: {document}");
                    assert!(!object.contains(&text), "{text} stands twice: {document}");
                    object.push(text);
                }
            }
        }
    }
}

/// The length of a JSON text whose opening quote is before `after`.
fn length_of_text(after: &str) -> usize {
    let mut escaped = false;
    let end = after.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.expect("the text ends")
}

#[test]
fn repeated_member_is_found() {
    assert_well_written(r#"{"a":{"b":"\"x\":{"},"b":[{"a":1},{"a":1}]}"#);
    for wrong in [r#"{"a":1,"a":1}"#, r#"{"\u0061":1}"#, "{\"a\":1\n}"] {
        let found = std::panic::catch_unwind(|| assert_well_written(wrong));
        assert!(found.is_err(), "{wrong}");
    }
}
