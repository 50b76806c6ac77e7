//! Signals that time may have passed unnoticed: a page becomes visible, the network comes back, or
//! a page returns from the back-forward cache.

use std::rc::Rc;

use wasm_bindgen::prelude::*;
use web_sys::Document;

use super::listener::{Listener, Target};
use crate::sync::input::Wake;

/// The objects that dispatch the signals.
#[derive(Debug)]
pub(super) struct Signals {
    /// The global object; `None` if the platform has no events.
    pub(super) global: Option<Target>,
    /// The document; a worker has none.
    pub(super) document: Option<Document>,
}

impl Signals {
    /// Calls `woke` at each signal, until the listeners are dropped.
    pub(super) fn listen(&self, woke: impl Fn(Wake) + 'static) -> Vec<Listener> {
        let woke = Rc::new(woke);
        let on = |target: &Target, kind, wake| {
            let woke = Rc::clone(&woke);
            Listener::new(target, kind, move || woke(wake))
        };
        let mut listeners = Vec::new();
        if let Some(global) = &self.global {
            listeners.push(on(global, "online", Wake::Online));
            listeners.push(on(global, "pageshow", Wake::PageShow));
        }
        if let Some(document) = self.document.clone() {
            let target: Target = document.clone().unchecked_into();
            // The event reports a change, and only the document has the new visibility.
            listeners.push(Listener::new(&target, "visibilitychange", move || {
                if !document.hidden() {
                    woke(Wake::Visible);
                }
            }));
        }
        listeners
    }
}
