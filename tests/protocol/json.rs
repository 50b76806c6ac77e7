//! The JSON reader against RFC 8259, by lists and by comparison with another implementation.

use campaign_sync::protocol::Code;
use campaign_sync::protocol::json::Reader;
use campaign_sync::sync::rng::Rng;
use serde_json::{Map, Value};

const ACCEPTED: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0",
    "7",
    "-7",
    "0.5",
    "-0.0",
    "1e3",
    "1E+3",
    "1.5e-7",
    "1e400",
    "123456789012345678901234567890",
    "\"\"",
    "\"a\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    "\"\\u0000\"",
    "\"\\u00e9\"",
    "\"\\ud83d\\ude00\"",
    "\"\\uD83D\\uDE00\"",
    "\"\u{7f}\"",
    "\"é😀\"",
    "\"\u{2028}\"",
    "[]",
    "{}",
    " [ ] ",
    "\t\r\n{ }\n",
    "[1,2,3]",
    "[[],{},[[]]]",
    "{\"a\":1}",
    "{\"a\":{\"a\":{}}}",
    "{\"\":null}",
    "{\"a\":1,\"a\":2}",
    "[null , true ]",
];

const REJECTED: &[&str] = &[
    "",
    " ",
    "nul",
    "nulll",
    "True",
    "NaN",
    "Infinity",
    "-Infinity",
    "undefined",
    "+1",
    "01",
    "-01",
    "00",
    "-",
    "1.",
    ".5",
    "1.e3",
    "1e",
    "1e+",
    "1E-",
    "0x10",
    "1_000",
    "1 2",
    "--1",
    "1.2.3",
    "\"",
    "\"a",
    "'a'",
    "\"\\\"",
    "\"\\x41\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\U0041\"",
    "\"\\\n\"",
    "\"a\nb\"",
    "\"a\tb\"",
    "\"\u{0}\"",
    "\"\u{1f}\"",
    "[",
    "]",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1;2]",
    "{",
    "}",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "{\"a\":1,",
    "{\"a\":1,}",
    "{,}",
    "{a:1}",
    "{1:1}",
    "{\"a\" 1}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":1]",
    "[1}",
    "[]]",
    "{}}",
    "[1]x",
    "nullnull",
    "\u{feff}{}",
    "/* */1",
    "1//",
    "\u{a0}1",
    "\u{b}1",
    "1\u{0}",
    "[\"a\",\n\"b\"}",
    "{\"a\":,}",
];

const LONE: &[&str] = &[
    "\"\\ud800\"",
    "\"\\udc00\"",
    "\"\\udfff x\"",
    "\"\\ud800\\ud800\"",
    "\"\\ud800\\n\"",
    "\"\\ud83d \\ude00\"",
    "\"\\ud83d\\u0041\"",
    "\"\\ude00\\ud83d\"",
    "{\"\\ud800\":1}",
];

fn skip(text: &str) -> Result<(), Code> {
    let mut reader = Reader::new(text);
    reader.skip()?;
    reader.end()
}

/// Builds the value through the typed functions of the reader.
fn build(reader: &mut Reader<'_>) -> Result<Value, Code> {
    Ok(match reader.peek() {
        '{' => {
            let mut map = Map::new();
            reader.object(|key, value| {
                map.insert(key.value().into_owned(), build(value)?);
                Ok(())
            })?;
            Value::Object(map)
        }
        '[' => {
            let mut list = Vec::new();
            reader.array(|element| {
                list.push(build(element)?);
                Ok(())
            })?;
            Value::Array(list)
        }
        '"' => Value::String(reader.text()?.into_owned()),
        't' | 'f' => Value::Bool(reader.boolean()?),
        'n' if reader.null()? => Value::Null,
        _ => serde_json::Number::from_f64(reader.float()?).map_or(Value::Null, Value::Number),
    })
}

/// Whether two values are the same; the other implementation rounds long numbers less exactly.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(ours), Value::Number(theirs)) => {
            let (ours, theirs) =
                (ours.as_f64().unwrap_or(f64::NAN), theirs.as_f64().unwrap_or(0.0));
            (ours - theirs).abs() <= ours.abs() * f64::EPSILON
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| same(a, b))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            let pairs = || ours.iter().zip(theirs);
            ours.len() == theirs.len() && pairs().all(|((k, a), (l, b))| k == l && same(a, b))
        }
        (ours, theirs) => ours == theirs,
    }
}

#[test]
fn json_valid_by_rfc_8259_is_accepted() {
    for text in ACCEPTED {
        assert_eq!(skip(text), Ok(()), "{text:?}");
    }
}

#[test]
fn json_invalid_by_rfc_8259_is_rejected() {
    for text in REJECTED {
        assert_eq!(skip(text), Err(Code::InvalidJson), "{text:?}");
        assert!(serde_json::from_str::<Value>(text).is_err(), "{text:?}");
        let mut reader = Reader::new(text);
        assert!(build(&mut reader).and_then(|_| reader.end()).is_err(), "{text:?}");
    }
}

#[test]
fn lone_surrogate_has_a_dedicated_code() {
    for text in LONE {
        assert_eq!(skip(text), Err(Code::LoneSurrogate), "{text:?}");
    }
}

// R2.7
#[test]
fn nesting_is_bounded() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        assert_eq!(skip(&nested(64)), Ok(()));
        assert_eq!(skip(&nested(65)), Err(Code::TooDeep));
        assert_eq!(skip(&nested(10_000)), Err(Code::TooDeep));
        assert_eq!(skip(&open.repeat(100_000)), Err(Code::TooDeep));
    }
    // The limit is on the depth and not on the number of siblings.
    assert_eq!(skip(&format!("[{}[]]", "[],".repeat(10_000))), Ok(()));
}

// R2.7
#[test]
fn integers_are_exact_or_refused() {
    let signed = |text: &str| Reader::new(text).signed();
    assert_eq!(signed("9007199254740991"), Ok(9_007_199_254_740_991));
    assert_eq!(signed("-9007199254740991"), Ok(-9_007_199_254_740_991));
    assert_eq!(signed("-0"), Ok(0));
    for text in ["9007199254740992", "-9007199254740992", "18446744073709551616"] {
        assert_eq!(signed(text), Err(Code::IntegerOutOfRange), "{text}");
    }
    assert_eq!(signed(&"9".repeat(5_000)), Err(Code::IntegerOutOfRange));
    for text in ["1.0", "1e3", "0.5", "\"1\"", "true", "null", "{}", "[]"] {
        assert_eq!(signed(text), Err(Code::InvalidContent), "{text}");
    }
    assert_eq!(Reader::new("-1").unsigned(), Err(Code::InvalidContent));
    assert_eq!(Reader::new("1e400").float(), Err(Code::InvalidContent), "not finite");
}

#[test]
fn raw_text_is_returned_unchanged() {
    let text = " { \"a\" : [ 1 , \"\\u0041\" ] } ";
    let mut reader = Reader::new(text);
    assert_eq!(reader.raw(), Ok("{ \"a\" : [ 1 , \"\\u0041\" ] }"));
    assert_eq!(reader.end(), Ok(()));
}

#[test]
fn generated_documents_are_read_as_by_serde_json() {
    let mut rng = Rng::new(8259);
    for _ in 0..4_000 {
        let mut text = String::new();
        generate(&mut rng, 5, &mut text);
        let theirs: Value = serde_json::from_str(&text).expect("what is generated is JSON");
        assert_eq!(skip(&text), Ok(()), "{text}");
        let mut reader = Reader::new(&text);
        let ours = build(&mut reader).unwrap_or_else(|code| panic!("{code}: {text}"));
        assert!(same(&ours, &theirs), "{ours} is not {theirs}: {text}");
        assert_eq!(reader.end(), Ok(()));
    }
}

#[test]
fn damaged_documents_are_rejected_as_by_serde_json() {
    let mut rng = Rng::new(4627);
    let (mut rejected, mut accepted) = (0, 0);
    for _ in 0..4_000 {
        let mut text = String::new();
        generate(&mut rng, 4, &mut text);
        let mut bytes = text.into_bytes();
        for _ in 0..=rng.up_to(2) {
            let at = rng.up_to(bytes.len() as u64 - 1) as usize;
            match rng.up_to(2) {
                0 => bytes[at] = b"{}[]\",:\\0-.eu 1"[rng.up_to(14) as usize],
                1 => drop(bytes.remove(at)),
                _ => bytes[at] ^= 1 << rng.up_to(6),
            }
            if bytes.is_empty() {
                bytes.push(b'1');
            }
        }
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let theirs = serde_json::from_str::<Value>(&text);
        if theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range")) {
            // The number is out of range, but its syntax is valid.
            continue;
        }
        assert_eq!(skip(&text).is_ok(), theirs.is_ok(), "{text:?} {theirs:?}");
        let counter = if theirs.is_ok() { &mut accepted } else { &mut rejected };
        *counter += 1;
    }
    assert!(rejected > 1_000 && accepted > 300, "{rejected} rejected, {accepted} accepted");
}

/// Writes one random value with all variations that the grammar allows.
fn generate(rng: &mut Rng, depth: u32, out: &mut String) {
    space(rng, out);
    match rng.up_to(if depth == 0 { 5 } else { 9 }) {
        0 => out.push_str("null"),
        1 => out.push_str("true"),
        2 => out.push_str("false"),
        3 => number(rng, out),
        4 | 5 => string(rng, out),
        6 | 7 => members(rng, depth, out, ['[', ']'], |_, _| {}),
        _ => members(rng, depth, out, ['{', '}'], |rng, out| {
            space(rng, out);
            string(rng, out);
            space(rng, out);
            out.push(':');
        }),
    }
    space(rng, out);
}

fn members(
    rng: &mut Rng,
    depth: u32,
    out: &mut String,
    [open, close]: [char; 2],
    key: fn(&mut Rng, &mut String),
) {
    out.push(open);
    for index in 0..rng.up_to(4) {
        if index > 0 {
            out.push(',');
        }
        key(rng, out);
        generate(rng, depth - 1, out);
    }
    out.push(close);
}

fn number(rng: &mut Rng, out: &mut String) {
    let value = rng.up_to(1 << 53);
    let shape = ["0", "-0", "{}", "-{}", "0.{}", "{}.5", "{}e7", "{}E-12", "1e+{:2}"];
    let shape = shape[rng.up_to(8) as usize];
    out.push_str(
        &shape.replace("{:2}", &(value % 100).to_string()).replace("{}", &value.to_string()),
    );
}

fn string(rng: &mut Rng, out: &mut String) {
    let pieces = [
        "a",
        "plain text, longer than a word",
        "é",
        "😀",
        "\\\"",
        "\\\\",
        "\\/",
        "\\b",
        "\\f",
        "\\n",
        "\\r",
        "\\t",
        "\\u0000",
        "\\u00e9",
        "\\u20AC",
        "\\ud83d\\ude00",
        "\u{7f}",
        "{",
        "]",
        ":",
    ];
    out.push('"');
    for _ in 0..rng.up_to(6) {
        out.push_str(pieces[rng.up_to(pieces.len() as u64 - 1) as usize]);
    }
    out.push('"');
}

fn space(rng: &mut Rng, out: &mut String) {
    for _ in 0..rng.up_to(1) {
        out.push([' ', '\t', '\n', '\r'][rng.up_to(3) as usize]);
    }
}

#[test]
fn floats_are_read_as_by_the_standard_library() {
    let mut rng = Rng::new(5);
    let check = |text: &str| {
        let expected: f64 = text.parse().expect("a number");
        let read = Reader::new(text).float();
        match expected.is_finite() {
            true => assert_eq!(read.map(f64::to_bits), Ok(expected.to_bits()), "{text}"),
            false => assert_eq!(read, Err(Code::InvalidContent), "{text}"),
        }
    };
    for text in [
        "0",
        "-0",
        "0.0",
        "0.001",
        "0.00123e-5",
        "10",
        "1000",
        "100.0",
        "41.66666666666667",
        "9007199254740993",
        "1e22",
        "1e23",
        "1.7976931348623157e308",
        "1.8e308",
        "5e-324",
        "2e-324",
        "1e-400",
        "1e400",
        "1e99999999999",
        "-1e-99999999999",
        "0e999999999999",
        "0.000000000000000000000000000000000000000000000000000000000000000001",
        "123456789012345678901234567890.123456789",
        "2.2250738585072011e-308",
    ] {
        check(text);
    }
    for _ in 0..50_000 {
        let bits = f64::from_bits(rng.next());
        if bits.is_finite() {
            check(&format!("{bits:e}"));
        }
        check(&format!(
            "{}.{:03}e{}",
            rng.up_to(1 << 40),
            rng.up_to(999),
            rng.up_to(40) as i64 - 20
        ));
        check(&format!("{}", rng.up_to(100_000) as f64 / 1_000.0));
    }
}
