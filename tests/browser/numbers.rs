//! Numbers: in a browser the engine reads floats, and must give the same results as the standard library.

use campaign_sync::protocol::json::Reader;
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
fn floats_are_read_as_by_the_standard_library() {
    let mut state = 5_u64;
    let mut random = move || {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let check = |text: &str| {
        let expected: f64 = text.parse().expect("a number");
        let read = Reader::new(text).float().ok().map(f64::to_bits);
        assert_eq!(read, expected.is_finite().then_some(expected.to_bits()), "{text}");
    };
    let limits = [
        "0",
        "-0",
        "0.00123e-5",
        "41.66666666666667",
        "9007199254740993",
        "9007199254740993.0000000000000000000000000000001",
        "1e23",
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "5e-324",
        "2.4703282292062327208299439634110764e-324",
        "2.2250738585072011e-308",
        "1e-400",
        "1e400",
        "-1e99999999999",
    ];
    limits.into_iter().for_each(check);
    for _ in 0..20_000 {
        let float = f64::from_bits(random());
        if float.is_finite() {
            check(&format!("{float:e}"));
            check(&format!("{float:.20e}"));
        }
        check(&format!("{}.{}e{}", random(), random(), random() % 640).replace(".e", ".0e"));
        check(&format!("0.{:020}", random()));
    }
}
