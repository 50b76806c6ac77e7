//! Conversion of values between Rust and JavaScript. All of them cross as JSON text: plain objects, camelCase names,
//! exact numbers.

pub(super) mod command;
pub(super) mod query;

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// Makes a JavaScript value of JSON. The text is the core's, so it is valid.
    #[wasm_bindgen(js_namespace = JSON, js_name = parse)]
    pub(super) fn to_js(json: &str) -> JsValue;
}
