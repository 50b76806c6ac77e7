//! Reading and writing of fractions: the only pure functions that the core leaves to its platform.

/// Returns the f64 that is nearest to a JSON number; infinity beyond the range.
///
/// In a browser the JavaScript engine parses the number, because the standard library's parser adds
/// tables of ten kilobytes to the module. Tests on both platforms compare the two parsers.
pub(crate) fn parse(number: &str) -> f64 {
    #[cfg(target_arch = "wasm32")]
    let value = js_sys::parse_float(number);
    #[cfg(not(target_arch = "wasm32"))]
    let value = number.parse().unwrap_or(f64::NAN);
    value
}

/// Returns the shortest text that reads as the same number, which must be finite.
pub(crate) fn show(number: f64) -> String {
    #[cfg(target_arch = "wasm32")]
    let text = in_browser::show(number);
    #[cfg(not(target_arch = "wasm32"))]
    let text = format!("{number:?}");
    text
}

#[cfg(target_arch = "wasm32")]
mod in_browser {
    use wasm_bindgen::prelude::*;

    #[wasm_bindgen]
    extern "C" {
        /// The text of a number.
        #[wasm_bindgen(js_name = String)]
        pub(super) fn show(number: f64) -> String;
    }
}
