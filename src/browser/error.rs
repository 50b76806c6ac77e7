//! Errors as JavaScript sees them. The module throws a code from the closed list, and the package's
//! JavaScript makes an error of it. Exceptions of callbacks are reported to the console.

use wasm_bindgen::prelude::*;

use crate::protocol::Code;

impl From<Code> for JsValue {
    fn from(code: Code) -> Self {
        code.as_str().into()
    }
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn console_error(error: &JsValue);
}

/// Reports an exception of a callback to the console. It affects no other code, but it is not
/// hidden.
pub(super) fn report(result: Result<(), JsValue>) {
    if let Err(error) = result {
        console_error(&error);
    }
}
