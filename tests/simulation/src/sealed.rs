//! Worlds in which all content is sealed: every so many seeds, in builds that know of it. Some pages
//! are given their key late.

use super::server::wire::EventPosition;

/// Of so many seeds all content is sealed in one.
const EVERY: u64 = 5;

/// Whether content is sealed in the world of that seed.
pub(crate) const fn is_world(seed: u64) -> bool {
    cfg!(feature = "encrypted") && is_turn(seed)
}

/// Whether it is, in builds that know of it.
pub(crate) const fn is_turn(seed: u64) -> bool {
    seed.is_multiple_of(EVERY)
}

/// What the epochs of such a world begin with.
pub(crate) const PREFIX: &str = "sealed-";

/// Whether what stands there is sealed.
#[cfg(feature = "encrypted")]
fn is_sealed(place: EventPosition<'_>) -> bool {
    place.epoch.starts_with(PREFIX)
}

/// What the server of a world speaks.
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

    /// A simulation has no chance of its own: the nonce follows from what is sealed.
    fn seal(associated: &str, plain: &str) -> String {
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&id_hash(plain).to_le_bytes());
        nonce[8..].copy_from_slice(&id_hash(associated).to_le_bytes()[..4]);
        the_key().seal(&kid(), nonce, associated, plain)
    }

    fn list(place: EventPosition<'_>, kind: &str) -> String {
        associated(place.campaign, place.epoch, place.number, place.event, kind)
    }

    /// The data of an event.
    pub(crate) fn data(place: EventPosition<'_>, kind: &str, plain: String) -> String {
        if super::is_sealed(place) { seal(&list(place, kind), &plain) } else { plain }
    }

    /// The members of a part that may be sealed; `numbers` are part, parts and the count of all rows.
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

    /// What REST answers.
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

    /// Tells a machine before anything else that content is sealed.
    pub(crate) fn take_sealed_only(machine: &mut Machine) {
        let _nothing_to_say = machine.handle(Now::default(), Input::Seal);
    }

    /// The key arrives.
    pub(crate) fn key() -> Option<Input<'static>> {
        Some(Input::AddKey(kid(), the_key()))
    }
}
#[cfg(feature = "encrypted")]
pub(crate) use seal::*;
