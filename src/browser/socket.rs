//! One browser socket with its callbacks. Dropping it detaches the callbacks and closes the socket.

use std::rc::Rc;

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use web_sys::{BinaryType, CloseEvent, MessageEvent, WebSocket};

use super::error::report;
use super::wake::{Callback, callback};
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
    _callbacks: [Callback; 3],
}

impl Socket {
    /// Starts opening a socket.
    ///
    /// # Errors
    /// The exception that the browser throws for an address that it does not accept.
    pub(super) fn open(
        id: ConnectionId,
        url: &str,
        on_event: impl Fn(SocketEvent<'_>) + 'static,
    ) -> Result<Self, JsValue> {
        let socket = WebSocket::new(url)?;
        socket.set_binary_type(BinaryType::Arraybuffer);

        let on_event = Rc::new(on_event);
        let on = Rc::clone(&on_event);
        let on_open = callback(move |_| on(SocketEvent::Opened));
        let on = Rc::clone(&on_event);
        let on_message = callback(move |event| {
            receive(event.unchecked_into::<MessageEvent>().data(), &*on);
        });
        let on_close = callback(move |event| {
            on_event(SocketEvent::Closed(event.unchecked_into::<CloseEvent>().code()));
        });
        socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        // There is no handler for `error`, because the `close` that follows carries the same
        // information.
        socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        Ok(Self { id, socket, _callbacks: [on_open, on_message, on_close] })
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
        self.detach_handlers();
        report(self.socket.close_with_code(allowed_close_code(code)));
    }

    fn detach_handlers(&self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.detach_handlers();
        if self.socket.ready_state() <= WebSocket::OPEN {
            report(self.socket.close_with_code(close::NORMAL));
        }
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
