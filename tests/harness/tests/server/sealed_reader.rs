//! A reader of sealed content, written from the contract alone with another implementation of the cipher.

use std::collections::BTreeSet;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde_json::{Value, json};

use super::support::{Client, Copy, parse};

pub(crate) const SEALED: &str = "campaign-sync.v1.sealed";

/// The 32 bytes of a key. Every name has a different key.
pub(crate) fn bytes(kid: &str) -> [u8; 32] {
    [kid.bytes().fold(7, u8::wrapping_add); 32]
}

/// Opens content with every key of these tests, and records everything that it receives.
#[derive(Default)]
pub(crate) struct Reader {
    /// Every document and answer, as it was received.
    pub(crate) seen: Vec<String>,
    pub(crate) nonces: BTreeSet<Vec<u8>>,
    pub(crate) kids: BTreeSet<String>,
    pub(crate) sealed: usize,
}

impl Reader {
    fn open(&mut self, content: &Value, associated: &Value) -> Value {
        let kid = content["kid"].as_str().unwrap_or_else(|| panic!("not sealed: {content}"));
        let mut sealed =
            Base64UrlUnpadded::decode_vec(content["sealed"].as_str().unwrap()).unwrap();
        let mut rest = sealed.split_off(12);
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes(kid)).unwrap());
        let nonce = Nonce::try_assume_unique_for_key(&sealed).unwrap();
        let associated = associated.to_string();
        let opened = key.open_in_place(nonce, Aad::from(associated.as_bytes()), &mut rest);
        let opened = opened.unwrap_or_else(|_| panic!("does not open at {associated}"));
        self.sealed += 1;
        self.nonces.insert(sealed);
        self.kids.insert(kid.to_owned());
        serde_json::from_slice(opened).unwrap()
    }

    /// Opens a document of a socket.
    pub(crate) fn document(&mut self, text: &str) -> Value {
        self.seen.push(text.to_owned());
        let mut value = parse(text);
        if let Some(at) = value.get("sequence").cloned() {
            let list = json!([
                at["campaignId"],
                at["epoch"],
                at["sequenceNumber"],
                at["eventId"],
                value["type"]
            ]);
            value["data"] = self.open(&value["data"], &list);
        } else if value["type"] == "campaign.snapshot" {
            let part = &value["data"];
            let list = json!([
                part["campaignId"],
                part["epoch"],
                part["sequenceNumber"],
                part["eventId"],
                "campaign.snapshot",
                part["part"],
                part["parts"],
                part["domainsCount"],
                part["domainsDigest"]
            ]);
            let content = self.open(&part["content"], &list);
            for (name, member) in content.as_object().unwrap() {
                value["data"][name] = member.clone();
            }
        }
        value
    }

    /// Opens the answer of a REST route.
    pub(crate) fn answer(&mut self, body: &Value, route: &str) -> Value {
        self.seen.push(body.to_string());
        let list = json!([
            body["campaignId"],
            body["epoch"],
            body["sequenceNumber"],
            body["eventId"],
            route
        ]);
        self.open(body, &list)
    }

    pub(crate) async fn follow(
        &mut self,
        client: &mut Client,
        copy: &mut Copy,
        done: impl Fn(&Copy) -> bool,
    ) {
        while !done(copy) || !copy.staged.is_empty() {
            let text = client.document().await;
            copy.hear_opened(&text, &self.document(&text));
        }
    }

    /// Asserts that no received text contains any of these words.
    pub(crate) fn assert_secret(&self, words: &[String]) {
        assert!(self.seen.len() > 10 && words.len() > 10);
        for text in &self.seen {
            for word in words {
                assert!(!text.contains(word.as_str()), "{word} is in {text}");
            }
        }
    }
}
