//! The only event loop: it takes one input, performs the effects, calls JavaScript and arms one
//! timer.

use core::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use super::clock;
use super::error::report;
use super::host::Host;
use super::socket::{Socket, SocketEvent};
use super::timer::Timer;
use super::transport::Transport;
use super::wake::WakeSignals;
use crate::protocol::Code;
use crate::protocol::frame::Frame;
use crate::sync::connection::close;
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
    transport: Transport,
    machine: RefCell<Machine>,
    dispatching: Cell<bool>,
    stage: Cell<Stage>,
    connection: Cell<ConnectionId>,
    socket: RefCell<Option<Rc<Socket>>>,
    timer: Timer,
    wake: RefCell<Option<WakeSignals>>,
}

impl Driver {
    /// Creates a driver with a new machine.
    pub(super) fn new(config: Config, transport: Transport, host: Host) -> Rc<Self> {
        let machine = Machine::new(config, clock::seed());
        let driver = Rc::new_cyclic(|weak_self: &Weak<Self>| Self {
            weak_self: weak_self.clone(),
            host,
            transport,
            machine: RefCell::new(machine),
            dispatching: Cell::new(false),
            stage: Cell::new(Stage::Open),
            connection: Cell::default(),
            socket: RefCell::default(),
            timer: Timer::default(),
            wake: RefCell::default(),
        });
        let to = driver.weak_self.clone();
        driver.wake.replace(Some(WakeSignals::listen(move |wake| {
            if let Some(driver) = to.upgrade() {
                driver.submit(Input::Woke(wake));
            }
        })));
        driver
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

    /// Processes a frame of the application's transport, on the current connection.
    pub(super) fn receive_manual(&self, frame: Frame<'_>) -> u32 {
        self.receive(self.connection.get(), frame)
    }

    /// Passes the opening of the application's transport, or of a new one, to the machine.
    pub(super) fn transport_opened(&self) {
        if let Transport::Manual(transport) = &self.transport {
            transport.opened();
            self.submit(Input::Opened(self.connection.get()));
            // A retry that still waits need not wait any longer.
            self.submit(Input::Woke(Wake::Online));
        }
    }

    /// Passes the closing of the application's transport, or its failure to open, to the machine.
    pub(super) fn transport_closed(&self, code: u16) {
        if let Transport::Manual(transport) = &self.transport {
            transport.closed();
            self.submit(Input::Closed(self.connection.get(), code));
        }
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

    /// The transport of frames.
    pub(super) const fn transport(&self) -> &Transport {
        &self.transport
    }

    /// The time at which the machine must be woken.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.timer.deadline()
    }

    /// Releases all browser resources. Listeners receive no more notices.
    pub(super) fn shutdown(&self) {
        self.stage.set(Stage::Closed);
        self.timer.cancel();
        self.wake.take();
        self.socket.take();
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
            Effect::Open(connection) => self.open(connection),
            Effect::Send(connection, frame) => self.send(connection, &frame),
            Effect::CloseSocket(connection, code) => {
                if let Transport::Manual(transport) = &self.transport {
                    transport.dropped();
                }
                if let Some(socket) = self.socket_of(connection) {
                    self.socket.take();
                    socket.close(code);
                }
            }
            Effect::RequestToken(ticket) => self.host.request_token(ticket),
            Effect::FetchSnapshot(ticket, campaign_id) => {
                self.host.fetch_snapshot(ticket, &campaign_id);
            }
            Effect::Notify(notice) => self.host.notify(&notice),
            Effect::Settle(ticket, code) => self.host.settle(ticket, code),
            Effect::Changed => self.host.changed(),
            Effect::Log(record) => self.host.log(&record),
        }
    }

    fn open(&self, connection: ConnectionId) {
        self.connection.set(connection);
        let url = match &self.transport {
            Transport::Socket(url) => url,
            Transport::Manual(transport) => {
                if transport.is_open() {
                    self.submit(Input::Opened(connection));
                }
                return;
            }
        };
        let to = self.weak_self.clone();
        let on_event = move |event: SocketEvent<'_>| {
            if let Some(driver) = to.upgrade() {
                driver.on_socket_event(connection, event);
            }
        };
        let opening = self.host.open_socket(url);
        match opening.map(|socket| Socket::new(connection, socket, on_event)) {
            // Creating the socket may have run page code that freed the client.
            Ok(socket) if self.stage.get() != Stage::Closed => {
                self.socket.replace(Some(Rc::new(socket)));
            }
            Ok(_unwanted) => {}
            Err(error) => {
                report(Err(error));
                self.submit(Input::Closed(connection, close::ABNORMAL));
            }
        }
    }

    fn on_socket_event(&self, connection: ConnectionId, event: SocketEvent<'_>) {
        match event {
            SocketEvent::Opened => self.submit(Input::Opened(connection)),
            SocketEvent::Received(frame) => {
                self.receive(connection, frame);
            }
            SocketEvent::Closed(code) => self.submit(Input::Closed(connection, code)),
        }
    }

    fn send(&self, connection: ConnectionId, frame: &str) {
        match &self.transport {
            Transport::Manual(_) => self.host.send(frame),
            Transport::Socket(_) => {
                if let Some(socket) = self.socket_of(connection) {
                    socket.send(frame);
                }
            }
        }
    }

    fn socket_of(&self, connection: ConnectionId) -> Option<Rc<Socket>> {
        self.socket.borrow().clone().filter(|socket| socket.id() == connection)
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
