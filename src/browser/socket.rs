//! One browser socket with its callbacks. Dropping it detaches the callbacks and closes the socket.

use core::cell::RefCell;
use std::rc::Rc;

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use web_sys::{CloseEvent, MessageEvent, WebSocket};

use super::error::report;
use super::listener::Listener;
use crate::protocol::frame::Frame;
use crate::sync::connection::close;
use crate::sync::input::ConnectionId;

/// An event of a socket.
#[derive(Debug)]
pub(super) enum SocketEvent<'a> {
    /// The socket is open.
    Opened,
    /// A frame arrived.
    Received(Frame<'a>),
    /// The socket closed with this code, or could not be opened.
    Closed(u16),
}

/// A socket that is opening or open.
#[derive(Debug)]
pub(super) struct Socket {
    id: ConnectionId,
    socket: WebSocket,
    listeners: RefCell<Vec<Listener>>,
}

impl Socket {
    /// Listens to a socket that is opening.
    pub(super) fn new(
        id: ConnectionId,
        socket: WebSocket,
        on_event: impl Fn(SocketEvent<'_>) + 'static,
    ) -> Self {
        let on_event = Rc::new(on_event);
        let on = Rc::clone(&on_event);
        let opened = Listener::new(&socket, "open", move |_| on(SocketEvent::Opened));
        let on = Rc::clone(&on_event);
        let received = Listener::new(&socket, "message", move |event| {
            receive(event.unchecked_into::<MessageEvent>().data(), &*on);
        });
        // There is no listener for `error`, because the `close` that follows carries the same
        // information.
        let closed = Listener::new(&socket, "close", move |event| {
            on_event(SocketEvent::Closed(event.unchecked_into::<CloseEvent>().code()));
        });
        Self { id, socket, listeners: RefCell::new(vec![opened, received, closed]) }
    }

    /// The id of the connection.
    pub(super) const fn id(&self) -> ConnectionId {
        self.id
    }

    /// Sends a text frame. A closing socket accepts no frame; its `close` event will follow.
    pub(super) fn send(&self, frame: &str) {
        report(self.socket.send_with_str(frame));
    }

    /// Closes the socket with `code`. None of its callbacks is called afterwards.
    pub(super) fn close(&self, code: u16) {
        self.listeners.take();
        report(self.socket.close_with_code(allowed_close_code(code)));
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // A socket that is closed or closing ignores it.
        self.close(close::NORMAL);
    }
}

/// The code that a page may send. Browsers make `close` throw for other codes.
const fn allowed_close_code(code: u16) -> u16 {
    if matches!(code, close::NORMAL | 3000..=4999) { code } else { close::NORMAL }
}

fn receive(data: JsValue, on_event: &impl Fn(SocketEvent<'_>)) {
    // Data that is neither a string nor a buffer is read as an empty frame, which is refused and
    // counted.
    match data.as_string() {
        Some(text) => on_event(SocketEvent::Received(Frame::Text(&text))),
        None => {
            let bytes = if data.is_object() { Uint8Array::new(&data).to_vec() } else { Vec::new() };
            on_event(SocketEvent::Received(Frame::Binary(&bytes)));
        }
    }
}
