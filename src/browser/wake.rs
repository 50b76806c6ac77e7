//! Signals that time may have passed unnoticed: a page becomes visible, the network comes back, or
//! a page returns from the back-forward cache.

use std::rc::Rc;

use wasm_bindgen::prelude::*;
use web_sys::{Document, EventTarget};

use super::listener::Listener;
use crate::sync::input::Wake;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(thread_local_v2, js_name = globalThis)]
    static GLOBAL: EventTarget;

    // A worker has no document.
    #[wasm_bindgen(thread_local_v2, js_name = document)]
    static DOCUMENT: Option<Document>;
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
            Listener::new(target, kind, move |_| woke(wake))
        };
        let global = GLOBAL.with(EventTarget::clone);
        let mut listeners = vec![on(&global, "online", Wake::Online)];
        if let Some(document) = DOCUMENT.with(Option::clone) {
            listeners.push(on(&global, "pageshow", Wake::PageShow));
            let target = EventTarget::from(document.clone());
            // The event reports a change, and only the document has the new visibility.
            listeners.push(Listener::new(&target, "visibilitychange", move |_| {
                if !document.hidden() {
                    woke(Wake::Visible);
                }
            }));
        }
        Self { _listeners: listeners }
    }
}
