//! Parsing of numbers: the only pure function that the core leaves to its platform.

/// Returns the f64 that is nearest to a JSON number; infinity beyond the range.
///
/// In a browser the JavaScript engine parses the number, because the standard library's parser adds
/// tables of ten kilobytes to the module. Tests on both platforms compare the two parsers.
pub(crate) fn parse(number: &str) -> f64 {
    #[cfg(target_arch = "wasm32")]
    let value = parse_float(number);
    #[cfg(not(target_arch = "wasm32"))]
    let value = number.parse().unwrap_or(f64::NAN);
    value
}

#[cfg(target_arch = "wasm32")]
#[wasm_bindgen::prelude::wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = parseFloat)]
    fn parse_float(number: &str) -> f64;
}
