//! The two clocks, and the random seed.

use wasm_bindgen::prelude::*;

use crate::sync::{Now, Timestamp};

// Binds the globals directly, because a worker has them but has no `window`.
#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn monotonic_ms() -> f64;

    #[wasm_bindgen(js_namespace = Date, js_name = now)]
    fn wall_ms() -> f64;

    #[wasm_bindgen(js_namespace = Math, js_name = random)]
    fn random() -> f64;
}

/// The current time of both clocks.
pub(super) fn now() -> Now {
    Now { at: Timestamp(monotonic_ms() as u64), wall_ms: wall_ms() as i64 }
}

/// A number that hardly any other client has. It seeds the jitter, so that a thousand pages do not
/// reconnect at the same moment. It is not used for secrets.
pub(super) fn seed() -> u64 {
    (random() * (1_u64 << 53) as f64) as u64
}
