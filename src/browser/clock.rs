//! The two clocks, and the seed.

use js_sys::Uint32Array;
use wasm_bindgen::prelude::*;

use crate::sync::{Now, Timestamp};

// The globals themselves, because a worker has them and has no `window`.
#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn monotonic_ms() -> f64;

    #[wasm_bindgen(js_namespace = Date, js_name = now)]
    fn wall_ms() -> f64;

    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn fill_with_random(words: &Uint32Array);
}

/// The present.
pub(super) fn now() -> Now {
    Now { at: Timestamp(monotonic_ms() as u64), wall_ms: wall_ms() as i64 }
}

/// A number that no other client has. It is for jitter, so that a thousand pages do not come back
/// at the same moment.
pub(super) fn seed() -> u64 {
    let words = Uint32Array::new_with_length(2);
    fill_with_random(&words);
    u64::from(words.get_index(0)) << 32 | u64::from(words.get_index(1))
}
