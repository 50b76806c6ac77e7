//! Errors as JavaScript sees them: one name, and a code from the closed list.

use js_sys::{Error, Reflect};
use wasm_bindgen::JsValue;

use crate::protocol::Code;

/// The `name` of every error that is thrown here.
const NAME: &str = "CampaignSyncError";

impl From<Code> for JsValue {
    /// The words for people live in the package's JavaScript, so the message is the code.
    fn from(code: Code) -> Self {
        let code = code.as_str();
        let error = Error::new(code);
        error.set_name(NAME);
        // Cannot fail: a fresh error takes new properties.
        let _set = Reflect::set(&error, &"code".into(), &code.into());
        error.into()
    }
}
