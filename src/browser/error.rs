//! Errors as JavaScript sees them: the module throws a code from the closed list, and the package's
//! JavaScript makes an error of it.

use wasm_bindgen::prelude::*;

use crate::protocol::Code;

impl From<Code> for JsValue {
    fn from(code: Code) -> Self {
        code.as_str().into()
    }
}
