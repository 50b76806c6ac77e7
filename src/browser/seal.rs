//! Keys and sealed content, for the module that supports them.

use wasm_bindgen::prelude::*;
use zeroize::Zeroize as _;

use super::client::Client;
use crate::protocol::Code;
use crate::protocol::seal::{Key, KeyId};
use crate::protocol::write::JsonWriter;
use crate::sync::Input;

#[wasm_bindgen]
impl Client {
    /// From now on the client accepts only sealed content. The application calls this before it
    /// connects.
    ///
    /// # Errors
    /// `closed`.
    pub fn seal(&self) -> Result<(), Code> {
        self.driver.ensure_open()?;
        self.driver.submit(Input::Seal);
        Ok(())
    }

    /// Adds a key of 32 bytes. It replaces a key of the same name. The copy in which the key was
    /// passed is wiped.
    ///
    /// # Errors
    /// `closed`; `invalid_content` for an invalid name or key.
    #[wasm_bindgen(js_name = addKey)]
    pub fn add_key(&self, kid: &str, mut key: Vec<u8>) -> Result<(), Code> {
        self.driver.ensure_open()?;
        let expanded = Key::new(&key);
        key.as_mut_slice().zeroize();
        self.driver.submit(Input::AddKey(KeyId::new(kid)?, expanded?));
        Ok(())
    }

    /// Opens the answer of a REST route about a campaign. Returns `{position, body}` as JSON.
    ///
    /// # Errors
    /// `closed`; `not_sealed`, `unknown_key`, `seal_broken`.
    #[wasm_bindgen(js_name = openAnswer)]
    pub fn open_answer(
        &self,
        campaign_id: &str,
        route: &str,
        answer: &str,
    ) -> Result<String, Code> {
        self.driver.ensure_open()?;
        self.driver.read(|machine| {
            let keys = machine.keys().ok_or(Code::UnknownKey)?;
            let (body, place) = keys.open_answer(campaign_id, route, answer)?;
            let mut answered = JsonWriter::object();
            answered.member("position", "{");
            answered.text("epoch", place.epoch.as_str());
            answered.count("sequenceNumber", place.sequence_number.get());
            answered.text("eventId", &place.event_id);
            answered.close("}");
            answered.key("body");
            answered.raw(&body);
            Ok(answered.finish())
        })?
    }
}
