//! The only event loop: it takes one input, performs the effects, calls JavaScript and arms one
//! timer.

use core::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use super::clock;
use super::host::Host;
use super::listener::Listener;
use super::timer::Timer;
use super::wake::Signals;
use crate::protocol::Code;
use crate::protocol::frame::Frame;
use crate::sync::input::{ConnectionId, Wake};
use crate::sync::{Config, Effect, Input, Machine, Outcome, Timestamp};

/// The stages in the life of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// In use.
    Open,
    /// The application closed the client; listeners still receive notices.
    Closing,
    /// All notices are delivered and all browser resources are released.
    Closed,
}

/// The machine and the browser resources that it uses.
#[derive(Debug)]
pub(super) struct Driver {
    weak_self: Weak<Self>,
    host: Host,
    machine: RefCell<Machine>,
    dispatching: Cell<bool>,
    stage: Cell<Stage>,
    timer: Timer,
    signals: Signals,
    /// Empty until the first connection.
    listeners: RefCell<Vec<Listener>>,
}

impl Driver {
    /// Creates a driver with a new machine.
    pub(super) fn new(config: Config, host: Host, signals: Signals) -> Rc<Self> {
        let machine = Machine::new(config, clock::seed());
        Rc::new_cyclic(|weak_self: &Weak<Self>| Self {
            weak_self: weak_self.clone(),
            host,
            machine: RefCell::new(machine),
            dispatching: Cell::new(false),
            stage: Cell::new(Stage::Open),
            timer: Timer::default(),
            signals,
            listeners: RefCell::default(),
        })
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
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.timer.deadline()
    }

    /// Releases all browser resources. Listeners receive no more notices.
    pub(super) fn shutdown(&self) {
        self.stage.set(Stage::Closed);
        self.timer.cancel();
        self.listeners.take();
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
        if self.stage.get() == Stage::Open {
            self.arm();
        } else {
            self.shutdown();
        }
    }

    /// The next effect. After all resources are released, remaining effects are dropped.
    fn next_effect(&self) -> Option<Effect> {
        let effect = self.machine.borrow_mut().poll_effect();
        effect.filter(|_| self.stage.get() != Stage::Closed)
    }

    fn perform(&self, effect: Effect) {
        match effect {
            Effect::Open(connection) => {
                self.listen();
                self.host.open(connection);
            }
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

    /// Listens for signals of the page, from the first connection on. A client that was never connected
    /// leaves no listener behind.
    fn listen(&self) {
        if !self.listeners.borrow().is_empty() {
            return;
        }
        let to = self.weak_self.clone();
        let listeners = self.signals.listen(move |wake| {
            if let Some(driver) = to.upgrade() {
                driver.submit(Input::Woke(wake));
            }
        });
        // Code of the page may have run, and may have freed the client.
        if self.stage.get() != Stage::Closed {
            self.listeners.replace(listeners);
        }
    }

    fn arm(&self) {
        let deadline = self.machine.borrow_mut().poll_timeout();
        let to = self.weak_self.clone();
        self.timer.arm(deadline, move || {
            if let Some(driver) = to.upgrade() {
                driver.timer.cancel();
                driver.submit(Input::Woke(Wake::Timer));
            }
        });
    }
}
