//! The socket effects of a driver that has no application.

use campaign_sync::sync::input::ConnectionId;
use campaign_sync::sync::{Effect, Machine};

/// The effects that concern a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketEffect {
    /// Open a socket.
    Open(ConnectionId),
    /// Send a text frame.
    Send(String),
    /// Close the socket.
    Close,
}

/// The next effect that concerns the socket. Drops the effects that only an application performs, and takes
/// the changes of views.
pub fn next_socket_effect(machine: &mut Machine) -> Option<SocketEffect> {
    loop {
        match machine.poll_effect()? {
            Effect::Open(socket) => return Some(SocketEffect::Open(socket)),
            Effect::Send(_, text) => return Some(SocketEffect::Send(text)),
            Effect::CloseSocket(..) => return Some(SocketEffect::Close),
            Effect::Changed => drop(machine.take_changes()),
            Effect::RequestToken(_)
            | Effect::FetchSnapshot(..)
            | Effect::RenewSession(..)
            | Effect::SignedOut
            | Effect::Notify(_)
            | Effect::Settle(..)
            | Effect::Log(_) => {}
        }
    }
}
