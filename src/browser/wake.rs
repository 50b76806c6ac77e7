//! Signals that time may have passed unnoticed: a page becomes visible, the network comes back, or
//! a page returns from the back-forward cache.

use core::fmt;
use std::rc::Rc;

use wasm_bindgen::prelude::*;
use web_sys::{Document, EventTarget};

use crate::sync::input::Wake;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(thread_local_v2, js_name = globalThis)]
    static GLOBAL: EventTarget;

    // A worker has no document.
    #[wasm_bindgen(thread_local_v2, js_name = document)]
    static DOCUMENT: Option<Document>;
}

/// A callback that the browser calls with an event. One type for all events needs only one entry
/// point. It is `Fn`, because a callback may cause the next one before it has returned.
pub(super) type Callback = Closure<dyn Fn(JsValue)>;

/// Creates a callback that lives until it is dropped.
pub(super) fn callback(react: impl Fn(JsValue) + 'static) -> Callback {
    Closure::new(react)
}

/// Listens for the signals until it is dropped.
#[derive(Debug)]
pub(super) struct WakeSignals {
    _listeners: Vec<Listener>,
}

impl WakeSignals {
    /// Calls `woke` at each signal. A worker has fewer signals.
    pub(super) fn listen(woke: impl Fn(Wake) + 'static) -> Self {
        let woke = Rc::new(woke);
        let on = |target: &EventTarget, kind, wake| {
            let woke = Rc::clone(&woke);
            Listener::new(target, kind, move || woke(wake))
        };
        let global = GLOBAL.with(EventTarget::clone);
        let mut listeners = vec![on(&global, "online", Wake::Online)];
        if let Some(document) = DOCUMENT.with(Option::clone) {
            listeners.push(on(&global, "pageshow", Wake::PageShow));
            listeners.push(Listener::visible(document, move || woke(Wake::Visible)));
        }
        Self { _listeners: listeners }
    }
}

/// One listener, removed when it is dropped.
struct Listener {
    target: EventTarget,
    kind: &'static str,
    callback: Callback,
}

impl Listener {
    fn new(target: &EventTarget, kind: &'static str, react: impl Fn() + 'static) -> Self {
        let callback = callback(move |_| react());
        let listener = callback.as_ref().unchecked_ref();
        // If the global is not an event target, there are no such signals.
        let _absent = target.add_event_listener_with_callback(kind, listener);
        Self { target: target.clone(), kind, callback }
    }

    /// Reacts when the document becomes visible. The event reports a change, and only the document
    /// has the new visibility.
    fn visible(document: Document, react: impl Fn() + 'static) -> Self {
        let target = EventTarget::from(document.clone());
        Self::new(&target, "visibilitychange", move || {
            if !document.hidden() {
                react();
            }
        })
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
