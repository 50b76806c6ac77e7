//! Conversion of values between Rust and JavaScript: plain objects, camelCase names, exact numbers.

pub(super) mod command;
pub(super) mod query;

use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::JsValue;

use crate::value::Value;

/// Converts plain data to JavaScript objects, arrays, strings and numbers.
pub(super) fn to_js(value: Value<'_>) -> JsValue {
    const SERIALIZER: Serializer =
        Serializer::new().serialize_missing_as_null(true).serialize_maps_as_objects(true);
    // This cannot fail, because names are strings and numbers are exact.
    value.serialize(&SERIALIZER).unwrap_or(JsValue::NULL)
}
