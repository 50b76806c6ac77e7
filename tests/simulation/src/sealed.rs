//! Worlds in which all content is sealed: one in [`EVERY`] seeds, in builds with the feature
//! `encrypted`. Some pages receive their key late.

use super::server::wire::EventPosition;

/// One in this many seeds has sealed content.
const EVERY: u64 = 5;

/// Whether content is sealed in the world of that seed.
pub(crate) const fn is_sealed_world(seed: u64) -> bool {
    cfg!(feature = "encrypted") && is_sealed_seed(seed)
}

/// Whether content would be sealed in a build with the feature `encrypted`.
pub(crate) const fn is_sealed_seed(seed: u64) -> bool {
    seed.is_multiple_of(EVERY)
}

/// The prefix of the epochs of such a world.
pub(crate) const PREFIX: &str = "sealed-";

/// Whether the content at this position is sealed.
#[cfg(feature = "encrypted")]
fn is_sealed(place: EventPosition<'_>) -> bool {
    place.epoch.starts_with(PREFIX)
}

/// The protocol of the server of a world.
pub(crate) const fn protocol(sealed: bool) -> &'static str {
    if sealed { "campaign-sync.v1.sealed" } else { "campaign-sync.v1" }
}

#[cfg(not(feature = "encrypted"))]
mod unsealed {
    use campaign_sync::protocol::Digest;
    use campaign_sync::sync::{Input, Machine};

    use super::EventPosition;

    pub(crate) fn data(_: EventPosition<'_>, _: &str, plain: String) -> String {
        plain
    }

    pub(crate) fn content(_: EventPosition<'_>, _: [u64; 3], _: Digest, plain: &str) -> String {
        plain.to_owned()
    }

    pub(crate) fn answer(_: EventPosition<'_>, plain: String) -> String {
        plain
    }

    pub(crate) const fn take_sealed_only(_: &mut Machine) {}

    pub(crate) const fn key() -> Option<Input<'static>> {
        None
    }
}
#[cfg(not(feature = "encrypted"))]
pub(crate) use unsealed::*;

#[cfg(feature = "encrypted")]
mod seal {
    use campaign_sync::protocol::Digest;
    use campaign_sync::protocol::digest::id_hash;
    use campaign_sync::protocol::seal::{Key, KeyId, associated, associated_part, route};
    use campaign_sync::sync::{Input, Machine, Now};

    use super::EventPosition;

    fn kid() -> KeyId {
        KeyId::new("k1").unwrap_or_else(|_| unreachable!("a name"))
    }

    fn the_key() -> Key {
        Key::new(&[42; 32]).unwrap_or_else(|_| unreachable!("32 bytes"))
    }

    /// The nonce is derived from the content, because a simulation must not use other randomness than
    /// its seed.
    fn seal(associated: &str, plain: &str) -> String {
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&id_hash(plain).to_le_bytes());
        nonce[8..].copy_from_slice(&id_hash(associated).to_le_bytes()[..4]);
        the_key().seal(&kid(), nonce, associated, plain)
    }

    fn list(place: EventPosition<'_>, kind: &str) -> String {
        associated(place.campaign, place.epoch, place.number, place.event, kind)
    }

    /// The data of an event, sealed if its world is.
    pub(crate) fn data(place: EventPosition<'_>, kind: &str, plain: String) -> String {
        if super::is_sealed(place) { seal(&list(place, kind), &plain) } else { plain }
    }

    /// The members of a part that may be sealed. `numbers` are the part, the number of parts, and the
    /// number of all rows.
    pub(crate) fn content(
        place: EventPosition<'_>,
        numbers: [u64; 3],
        digest: Digest,
        plain: &str,
    ) -> String {
        if !super::is_sealed(place) {
            return plain.to_owned();
        }
        let texts = [place.campaign, place.epoch, place.event];
        let list = associated_part(texts, place.number, numbers, digest);
        format!("\"content\":{}", seal(&list, &format!("{{{plain}}}")))
    }

    /// The body of a REST answer.
    pub(crate) fn answer(place: EventPosition<'_>, plain: String) -> String {
        if !super::is_sealed(place) {
            return plain;
        }
        let sealed = seal(&list(place, route::SNAPSHOT), &plain);
        let EventPosition { campaign, epoch, number, event, .. } = place;
        format!(
            "{{\"campaignId\":\"{campaign}\",\"epoch\":\"{epoch}\",\"sequenceNumber\":{number},\
             \"eventId\":\"{event}\",{}",
            &sealed[1..]
        )
    }

    /// Configures a machine for sealed content, before any other input.
    pub(crate) fn take_sealed_only(machine: &mut Machine) {
        let _nothing_to_say = machine.handle(Now::default(), Input::Seal);
    }

    /// The input with which the key arrives.
    pub(crate) fn key() -> Option<Input<'static>> {
        Some(Input::AddKey(kid(), the_key()))
    }
}
#[cfg(feature = "encrypted")]
pub(crate) use seal::*;
