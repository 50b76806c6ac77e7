//! Full-jitter backoff: a random delay between zero and a cap that doubles with each failure.

use super::rng::Rng;

/// Returns the delay before attempt `attempt` (0 is the first retry): uniform over 0 to
/// `min(max, base × 2^attempt)`, in milliseconds. The first retry is jittered too, because a server that
/// restarts closes every socket at the same moment.
pub fn full_jitter_ms(rng: &mut Rng, base_ms: u64, max_ms: u64, attempt: u32) -> u64 {
    let cap = base_ms.saturating_mul(1 << attempt.min(32)).min(max_ms);
    rng.up_to(cap)
}
