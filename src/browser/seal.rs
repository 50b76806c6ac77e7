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
    pub fn seal(&self) {
        self.submit(Ok(Input::Seal));
    }

    /// Adds a key of 32 bytes. It replaces a key of the same name. The copy in which the key was
    /// passed is wiped.
    ///
    /// # Errors
    /// `closed`; `invalid_content` for an invalid name or key.
    #[wasm_bindgen(js_name = addKey)]
    pub fn add_key(&self, kid: &str, mut key: Vec<u8>) {
        let expanded = Key::new(&key);
        key.as_mut_slice().zeroize();
        self.submit(KeyId::new(kid).and_then(|kid| Ok(Input::AddKey(kid, expanded?))));
    }

    /// Opens the answer of a REST route about a campaign. Answers with `{position, body}`.
    ///
    /// # Errors
    /// `closed`; `not_sealed`, `unknown_key`, `seal_broken`.
    #[wasm_bindgen(js_name = openAnswer)]
    pub fn open_answer(&self, campaign_id: &str, route: &str, answer: &str) {
        self.driver.reply(self.opened(campaign_id, route, answer));
    }
}

impl Client {
    fn submit(&self, input: Result<Input<'_>, Code>) {
        let result = self.driver.ensure_open().and(input);
        self.driver.reply(result.map(|input| {
            self.driver.submit(input);
            None
        }));
    }

    fn opened(&self, campaign_id: &str, route: &str, answer: &str) -> Result<Option<String>, Code> {
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
            Ok(Some(answered.finish()))
        })?
    }
}
