//! Listeners of browser objects, which drop with their owner.

use core::fmt;

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// An object that dispatches events. The bindings of `web-sys` return errors; these leave them to the
    /// package's JavaScript, which reports the errors of all imports.
    #[derive(Clone, Debug)]
    pub type Target;

    #[wasm_bindgen(method, js_name = addEventListener)]
    fn add_event_listener(this: &Target, kind: &str, listener: &JsValue);

    #[wasm_bindgen(method, js_name = removeEventListener)]
    fn remove_event_listener(this: &Target, kind: &str, listener: &JsValue);
}

/// One listener, removed when it is dropped.
pub(super) struct Listener {
    target: Target,
    kind: &'static str,
    callback: Closure<dyn Fn()>,
}

impl Listener {
    /// Calls `react` at each event of `kind`.
    pub(super) fn new(target: &Target, kind: &'static str, react: impl Fn() + 'static) -> Self {
        let callback = Closure::<dyn Fn()>::new(react);
        target.add_event_listener(kind, callback.as_ref());
        Self { target: target.clone(), kind, callback }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.target.remove_event_listener(self.kind, self.callback.as_ref());
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)
    }
}
