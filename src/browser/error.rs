//! Errors as JavaScript sees them: the word from the closed list is thrown, and the package's own
//! JavaScript makes an error of it, with words for people.

use wasm_bindgen::JsValue;

use crate::protocol::Code;

impl From<Code> for JsValue {
    fn from(code: Code) -> Self {
        code.as_str().into()
    }
}
