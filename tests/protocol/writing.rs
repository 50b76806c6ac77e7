//! How documents are written: on one line, no member twice in an object, no escape in a member's name.

use campaign_sync::protocol::write::{JsonWriter, ToJson, to_json};
use serde_json::{Value, json};

/// A value as the page receives it.
pub(crate) fn plain(value: &dyn ToJson) -> Value {
    let text = to_json(value);
    assert_well_written(&text);
    serde_json::from_str(&text).expect("it is JSON")
}

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

#[test]
fn each_kind_of_value_reads_as_it_was_written() {
    let mut to = JsonWriter::object();
    to.text("text", "\"quoted\" \\ \u{1f} ü \u{10ffff}");
    to.nullable_text("none", None);
    to.optional_text("absent", None);
    to.member("lists", "[");
    for list in [&[][..], &[1], &[2, u64::MAX]] {
        to.open("[");
        for &number in list {
            to.number(number);
        }
        to.close("]");
    }
    to.close("]");
    to.member("empty", "{");
    to.close("}");
    to.flag("flag", true);
    let expected = json!({
        "text": "\"quoted\" \\ \u{1f} ü \u{10ffff}", "none": null, "lists": [[], [1], [2, u64::MAX]],
        "empty": {}, "flag": true,
    });
    let written = to.finish();
    assert_eq!(serde_json::from_str::<Value>(&written).expect("it is JSON"), expected);
    assert_eq!(JsonWriter::message("a").finish(), r#"{"type":"a"}"#);
}

#[test]
fn number_reads_as_the_same_number() {
    let whole = (1_u64 << 53) as f64;
    let mut numbers = vec![
        0.0,
        -0.0,
        1.0,
        -7.0,
        0.1,
        0.57,
        -0.87,
        100.0 / 3.0,
        0.1 + 0.2,
        whole - 1.0,
        whole,
        -whole,
        1e21,
        1e22,
        1e-7,
        5e-324,
        f64::MIN_POSITIVE,
        f64::MAX,
        f64::EPSILON,
    ];
    let mut bits = 88_172_645_463_325_252_u64;
    for _ in 0..2_000 {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        numbers.extend(
            [f64::from_bits(bits), (bits >> 40) as f64 / 1e4]
                .into_iter()
                .filter(|it| it.is_finite()),
        );
    }
    for number in numbers {
        let mut to = JsonWriter::default();
        to.decimal(Some(number));
        let text = to.into_text();
        assert_eq!(text.parse::<f64>(), Ok(number), "{text}");
        let short = (number * 1e4).fract() != 0.0 || number.abs() > 1e9 || text.len() < 16;
        assert!(short, "{number} as {text}");
    }
}
