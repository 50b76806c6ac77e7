//! The context that a campaign uses while it reacts to one input.

use core::ops::{Deref, DerefMut};

use super::context::Context;
use super::effect::Effect;
use super::encryption::Encryption;
use super::input::ConnectionId;

/// The context, together with the socket that is currently open. The router creates one scope for each
/// reaction, so that only the connection tracks whether a socket is open.
#[derive(Debug)]
pub struct Scope<'a> {
    context: &'a mut Context,
    socket: Option<ConnectionId>,
    encryption: &'a Encryption,
}

impl<'a> Scope<'a> {
    /// Creates a scope. `socket` is the socket that is open and acknowledged, if there is one.
    pub const fn new(
        context: &'a mut Context,
        socket: Option<ConnectionId>,
        encryption: &'a Encryption,
    ) -> Self {
        Self { context, socket, encryption }
    }

    /// Whether a socket is open and acknowledged.
    pub const fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// Sends on the open socket, if there is one.
    pub fn send(&mut self, message: String) {
        if let Some(connection) = self.socket {
            self.context.effect(Effect::Send(connection, message));
        }
    }

    /// The encryption state, with the keys if content is sealed.
    pub const fn encryption(&self) -> &'a Encryption {
        self.encryption
    }
}

impl Deref for Scope<'_> {
    type Target = Context;

    fn deref(&self) -> &Context {
        self.context
    }
}

impl DerefMut for Scope<'_> {
    fn deref_mut(&mut self) -> &mut Context {
        self.context
    }
}
