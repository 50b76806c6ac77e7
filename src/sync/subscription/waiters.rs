//! Read-your-writes: promises that settle once a position has been applied.

use crate::protocol::{Code, Epoch, Position};
use crate::sync::context::Context;
use crate::sync::effect::Effect;
use crate::sync::input::Ticket;

/// Maximum number of promises that one campaign may have open at once.
const WAITERS_MAX: usize = 1_000;

/// Promises waiting for positions of one campaign.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiters(Vec<(Position, Ticket)>);

impl Waiters {
    /// Adds a promise. Beyond the limit the promise is refused.
    pub(super) fn add(&mut self, cx: &mut Context, position: Position, ticket: Ticket) {
        if self.0.len() == WAITERS_MAX {
            cx.effect(Effect::Settle(ticket, Some(Code::TooMany)));
        } else {
            self.0.push((position, ticket));
        }
    }

    /// Drops a promise, and does not settle it.
    pub(super) fn cancel(&mut self, ticket: Ticket) {
        self.0.retain(|(_, waiting)| *waiting != ticket);
    }

    /// Resolves the promises whose position is reached. A position in a superseded epoch counts as
    /// reached.
    pub(super) fn resolve(
        &mut self,
        cx: &mut Context,
        reached: Option<&Position>,
        superseded: &[Epoch],
    ) {
        if self.0.is_empty() {
            return;
        }
        let Some(reached) = reached else { return };
        self.0.retain(|(wanted, ticket)| {
            let here =
                wanted.epoch == reached.epoch && wanted.sequence_number <= reached.sequence_number;
            let done = here || superseded.contains(&wanted.epoch);
            if done {
                cx.effect(Effect::Settle(*ticket, None));
            }
            !done
        });
    }

    /// Fails all promises.
    pub(super) fn fail(&mut self, cx: &mut Context, code: Code) {
        for (_, ticket) in &core::mem::take(&mut self.0) {
            cx.effect(Effect::Settle(*ticket, Some(code)));
        }
    }
}
