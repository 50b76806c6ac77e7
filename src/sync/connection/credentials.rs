//! The credentials of the session: tokens of the application, and the renewal of a session that the
//! server refused.

use super::attempts::Loss;
use super::{Connection, ConnectionEvent, ConnectionState, Step, close};
use crate::protocol::Code;
use crate::protocol::limits::TOKEN_BYTES_MAX;
use crate::sync::config::TOKEN_TIMEOUT_MS;
use crate::sync::context::Context;
use crate::sync::effect::Effect;
use crate::sync::input::{Ticket, TokenFailure};

impl Connection {
    /// Handles the awaited answer of the token provider.
    pub fn on_token(
        &mut self,
        cx: &mut Context,
        token: Result<String, TokenFailure>,
    ) -> Option<ConnectionEvent> {
        let token = match token {
            Ok(token) if token.len() > TOKEN_BYTES_MAX => Err(TokenFailure::Invalid),
            Ok(_) | Err(_) => token,
        };
        match token {
            // A cookie may authorise the socket.
            Ok(token) => self.open_socket_with(cx, Some(token).filter(|it| !it.is_empty())),
            Err(TokenFailure::Failed) => self.wait_because(cx, Code::TokenFailed),
            Err(TokenFailure::Invalid) => self.wait_because(cx, Code::InvalidToken),
            Err(TokenFailure::Final) => return Some(self.fail(cx, Code::TokenFailed)),
        }
        None
    }

    /// Whether the answer to this ticket is awaited.
    pub fn awaits_token(&self, answered: Ticket) -> bool {
        matches!(self.state, ConnectionState::Attempting { step: Step::RequestingToken(ticket), .. }
            if ticket == answered)
    }

    /// Asks the application to renew its session.
    pub(super) fn renew_session(&mut self, cx: &mut Context) {
        let (ticket, deadline) = (cx.ticket(), cx.now.at + TOKEN_TIMEOUT_MS);
        self.attempt(Step::RenewingSession(ticket), deadline);
        cx.effect(Effect::RenewSession(ticket, self.attempts.refused()));
        self.announce(cx);
    }

    /// Whether the answer to this ticket is awaited.
    pub fn awaits_renewal(&self, answered: Ticket) -> bool {
        matches!(self.state, ConnectionState::Attempting { step: Step::RenewingSession(ticket), .. }
            if ticket == answered)
    }

    /// Handles the awaited answer to the request for another session.
    pub fn on_renewed(
        &mut self,
        cx: &mut Context,
        answer: Option<bool>,
    ) -> Option<ConnectionEvent> {
        match answer {
            Some(true) => {
                let soonest = self.attempts.soonest(cx);
                self.wait_until(cx, soonest);
            }
            Some(false) => return Some(self.fail(cx, Code::Unauthorized)),
            None => self.wait_because(cx, Code::TokenFailed),
        }
        None
    }

    /// Handles `session_expired`: reconnects with a fresh token or a renewed session, if the application
    /// provides one of them.
    pub fn on_session_expired(&mut self, cx: &mut Context) -> Option<ConnectionEvent> {
        let renewable = cx.config.has_token || cx.config.has_renewal;
        if !renewable || !self.state.has_socket() {
            return None;
        }
        self.close_socket(cx, close::NORMAL);
        Some(self.on_lost(cx, close::UNAUTHORIZED, Loss::Refused(Code::Unauthorized)))
    }
}
