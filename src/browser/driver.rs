//! The only event loop: it takes one input, performs the effects, calls JavaScript and arms its one
//! timer.

use core::cell::{Cell, RefCell};

use super::clock;
use super::host::Host;
use crate::protocol::Code;
use crate::protocol::frame::Frame;
use crate::sync::input::{ConnectionId, Wake};
use crate::sync::{Config, Effect, Input, Machine, Outcome, Timestamp};

/// The longest delay. Browsers fire at once if the delay is longer. Firing early is harmless, because
/// the timer is armed again.
const DELAY_MS_MAX: u64 = i32::MAX as u64;

/// The stages in the life of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// In use.
    Open,
    /// The application closed the client; listeners still receive notices.
    Closing,
    /// All notices are delivered.
    Closed,
}

/// The machine and its host.
#[derive(Debug)]
pub(super) struct Driver {
    host: Host,
    machine: RefCell<Machine>,
    dispatching: Cell<bool>,
    stage: Cell<Stage>,
    /// The deadline for which the timer is armed.
    armed: Cell<Option<Timestamp>>,
}

impl Driver {
    /// Creates a driver with a new machine.
    pub(super) fn new(config: Config, host: Host) -> Self {
        Self {
            host,
            machine: RefCell::new(Machine::new(config, clock::seed())),
            dispatching: Cell::new(false),
            stage: Cell::new(Stage::Open),
            armed: Cell::new(None),
        }
    }

    /// Wakes the machine. A timer that fired must be armed again.
    pub(super) fn wake(&self, wake: Wake) {
        if wake == Wake::Timer {
            self.armed.set(None);
        }
        self.submit(Input::Woke(wake));
    }

    /// Passes one input to the machine and performs the resulting effects. Inside a callback only
    /// the first half happens: the call that is dispatching performs the effects, in order.
    pub(super) fn submit(&self, input: Input<'_>) {
        // The machine decides whether the input still matters.
        let _outcome = self.handle_input(input);
        self.drain_effects();
    }

    /// Like [`Driver::submit`], for a frame. The timer is not armed again where the machine allows
    /// it, because hundreds of thousands of frames arrive. Returns the number of applied events.
    pub(super) fn receive(&self, connection: ConnectionId, frame: Frame<'_>) -> u32 {
        let (outcome, asks) = self.handle_input(Input::Received(connection, frame));
        if asks || !outcome.keeps_timer() {
            self.drain_effects();
        }
        outcome.applied
    }

    /// Closes the client permanently. Listeners receive the last notices before this returns,
    /// unless a listener called it.
    pub(super) fn close(&self) {
        self.stage.set(Stage::Closing);
        self.submit(Input::Close);
    }

    /// Checks that the application may still use the client.
    ///
    /// # Errors
    /// [`Code::Closed`] as soon as the application has closed the client.
    pub(super) fn ensure_open(&self) -> Result<(), Code> {
        if self.stage.get() == Stage::Open { Ok(()) } else { Err(Code::Closed) }
    }

    /// Passes on the answer to a call, or the code with which it failed.
    pub(super) fn reply(&self, result: Result<Option<String>, Code>) {
        match result {
            Ok(Some(answer)) => self.host.answer(&answer),
            Ok(None) => {}
            Err(code) => self.host.refuse(code),
        }
    }

    /// Lends the machine to a function that does not call JavaScript of the application. Listeners
    /// that receive notices of the closing may still read.
    ///
    /// # Errors
    /// [`Code::Closed`] once the client is closed completely.
    pub(super) fn read<T>(&self, read: impl FnOnce(&mut Machine) -> T) -> Result<T, Code> {
        if self.stage.get() == Stage::Closed {
            return Err(Code::Closed);
        }
        Ok(read(&mut self.machine.borrow_mut()))
    }

    /// The time at which the machine must be woken.
    pub(super) const fn deadline(&self) -> Option<Timestamp> {
        self.armed.get()
    }

    /// Ends the client without notices.
    pub(super) fn shutdown(&self) {
        self.stage.set(Stage::Closed);
        self.host.wake_in(None);
    }

    /// Passes an input to the machine. Also returns whether there are effects to perform.
    fn handle_input(&self, input: Input<'_>) -> (Outcome, bool) {
        let now = clock::now();
        let mut machine = self.machine.borrow_mut();
        let outcome = machine.handle(now, input);
        (outcome, machine.has_effects())
    }

    /// Performs the machine's effects and arms the timer.
    fn drain_effects(&self) {
        if self.dispatching.replace(true) {
            return;
        }
        while let Some(effect) = self.next_effect() {
            self.perform(effect);
        }
        self.dispatching.set(false);
        if self.stage.get() == Stage::Closing {
            self.stage.set(Stage::Closed);
        }
        self.arm();
    }

    /// The next effect. Once the client is closed completely, remaining effects are dropped.
    fn next_effect(&self) -> Option<Effect> {
        let effect = self.machine.borrow_mut().poll_effect();
        effect.filter(|_| self.stage.get() != Stage::Closed)
    }

    fn perform(&self, effect: Effect) {
        match effect {
            Effect::Open(connection) => self.host.open(connection),
            Effect::Send(_, frame) => self.host.send(&frame),
            Effect::CloseSocket(_, code) => self.host.close_socket(code),
            Effect::RequestToken(ticket) => self.host.request_token(ticket),
            Effect::RenewSession(ticket, attempt) => self.host.renew_session(ticket, attempt),
            Effect::FetchSnapshot(ticket, campaign_id) => {
                self.host.fetch_snapshot(ticket, &campaign_id);
            }
            Effect::Notify(notice) => {
                let name = self.machine.borrow().campaign_name(&notice).map(str::to_owned);
                self.host.notify(&notice, name.as_deref());
            }
            Effect::SignedOut => self.host.signed_out(),
            Effect::Settle(ticket, code) => self.host.settle(ticket, code),
            Effect::Changed => self.host.changed(),
            Effect::Log(record) => self.host.log(&record),
        }
    }

    /// Arms the timer for the machine's next deadline, unless it is armed for it already. A closed client has none.
    fn arm(&self) {
        let is_open = self.stage.get() == Stage::Open;
        let deadline = self.machine.borrow_mut().poll_timeout().filter(|_| is_open);
        if self.armed.replace(deadline) != deadline {
            let delay_ms = deadline.map(|at| at.since(clock::now().at).min(DELAY_MS_MAX));
            self.host.wake_in(delay_ms);
        }
    }
}
