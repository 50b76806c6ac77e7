//! Listeners of browser objects, which drop with their owner.

use core::fmt;

use wasm_bindgen::prelude::*;
use web_sys::EventTarget;

/// One listener, removed when it is dropped.
pub(super) struct Listener {
    target: EventTarget,
    kind: &'static str,
    /// One type for all events keeps the module small. It is `Fn` because a callback may cause the next
    /// event before it returns.
    callback: Closure<dyn Fn(JsValue)>,
}

impl Listener {
    /// Calls `react` with each event of `kind`.
    pub(super) fn new(
        target: &EventTarget,
        kind: &'static str,
        react: impl Fn(JsValue) + 'static,
    ) -> Self {
        let callback = Closure::<dyn Fn(JsValue)>::new(react);
        let listener = callback.as_ref().unchecked_ref();
        // If the global is not an event target, there are no such events.
        let _absent = target.add_event_listener_with_callback(kind, listener);
        Self { target: target.clone(), kind, callback }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let listener = self.callback.as_ref().unchecked_ref();
        let _absent = self.target.remove_event_listener_with_callback(self.kind, listener);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)
    }
}
