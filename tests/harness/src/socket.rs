//! The driver of a [`Session`]: one task per WebSocket. It makes no decisions.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use campaign_sync::protocol::Code;
use futures_util::FutureExt as _;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::app::App;
use crate::campaign::Refusal;
use crate::faults::Link;
use crate::rest::caller::given;
use crate::session::{Frame, FrameText, MESSAGE_BYTES_MAX, Session, Step};
use crate::wire::{self, Wire};

/// The longest time that a peer may take to receive a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The interval at which a blocked write checks whether the session has ended.
const LIVENESS_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The number of checks after which a blocked write stops if the session has ended. By then, a slow client
/// had time to read the notice. A revoked session must end within five seconds in all.
const LIVENESS_CHECKS_MAX: u32 = 3;

/// The time after which a blocked write ends its socket if too many bytes wait for readers.
const STALLED_MAX: Duration = Duration::from_secs(2);

/// The close code that is counted for a peer that takes nothing, not even a close frame (RFC 6455, 7.4.1).
const ABNORMAL_CLOSURE: u16 = 1006;

/// `GET /api/v2/ws`
pub async fn upgrade(State(app): State<Arc<App>>, request: Request) -> Response {
    // A browser sends its cookie automatically. Other clients send their token in the first message.
    let cookie = given(request.headers()).map(|(token, _)| token);
    let Some((response, upgrade)) = wire::accept(request) else {
        let message = "this is no upgrade to a WebSocket of version 13";
        return Refusal::new(Code::InvalidBody, message).into_response();
    };
    let Some(permit) = ConnectionPermit::take(&app) else {
        app.context.hub.metrics.rate_limited.get_or_create(&[("what", "connections")]).inc();
        return Refusal::new(Code::TooMany, "too many connections").into_response();
    };
    // Subscribed before the client is connected, because its next request may be a cut.
    let mut cut = app.faults.as_ref().map(|faults| faults.cuts());
    tokio::spawn(async move {
        let Some(wire) = Wire::open(upgrade, MESSAGE_BYTES_MAX).await else { return };
        let cut = async {
            match &mut cut {
                Some(cut) => drop(cut.changed().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // Dropping the socket closes the connection under it, without a close frame.
            () = cut => {}
            () = Driver::new(permit, cookie, wire).run() => {}
        }
    });
    response
}

/// A permit for one of the sockets at a time.
struct ConnectionPermit(Arc<App>);

impl ConnectionPermit {
    fn take(app: &Arc<App>) -> Option<Self> {
        let (most, taken) = &app.sockets;
        let permit = Self(app.clone());
        app.context.hub.metrics.connections.inc();
        (taken.fetch_add(1, Ordering::Relaxed) < *most).then_some(permit)
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.0.sockets.1.fetch_sub(1, Ordering::Relaxed);
        self.0.context.hub.metrics.connections.dec();
    }
}

struct Driver {
    app: Arc<App>,
    _permit: ConnectionPermit,
    id: String,
    session: Option<Session>,
    wire: Wire,
    wake: Arc<Notify>,
    draining: watch::Receiver<bool>,
    drained: bool,
    link: Link,
    /// The bytes of the last frame: all, and those that no other socket shares.
    sending: (u64, u64),
}

/// The connection is over.
struct Disconnected;

/// The close code and reason for a protocol error of a peer that can still receive them (RFC 6455, 7.4.1).
const fn close_code(error: &Error) -> Option<(u16, &'static str)> {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => Some((1009, "message too large")),
        Error::Protocol(_) => Some((1002, "protocol error")),
        Error::Utf8(_) => Some((1007, "text is not UTF-8")),
        _ => None,
    }
}

impl Driver {
    fn new(permit: ConnectionPermit, cookie: Option<String>, wire: Wire) -> Self {
        let app = permit.0.clone();
        let wake = Arc::new(Notify::new());
        let id = format!("{:032x}", rand::random::<u128>());
        let (now, context) = (app.clock.now(), app.context.clone());
        let mut session = Session::open(now, context, id.clone(), wake.clone());
        if let Some(cookie) = cookie {
            session.present(cookie);
        }
        Self {
            draining: app.draining.subscribe(),
            app,
            _permit: permit,
            id,
            session: Some(session),
            wire,
            wake,
            drained: false,
            link: Link::default(),
            sending: (0, 0),
        }
    }

    async fn run(mut self) {
        while self.run_once().await.is_ok() {}
    }

    /// Reads available messages, writes available frames, or waits.
    async fn run_once(&mut self) -> Result<(), Disconnected> {
        if *self.draining.borrow() && !self.drained {
            self.drained = true;
            let now = self.app.clock.now();
            self.session()?.drain(now);
        }
        while !self.session()?.is_busy() {
            match self.wire.next().now_or_never() {
                Some(message) => self.receive(message).await?,
                None => break,
            }
        }
        while let Some(text) = self.link.arrived(Instant::now()) {
            self.write(FrameText::shared(text)).await?;
        }
        if self.link.is_full() {
            return self.wait().await;
        }
        match self.step().await? {
            Step::Frame(frame) => self.send(frame).await,
            Step::Close(code, reason) => {
                self.close(code, reason).await;
                Err(Disconnected)
            }
            Step::Ping => {
                self.wire.ping().await.map_err(|_| Disconnected)?;
                self.flush().await
            }
            Step::LookUpSession => {
                let reached = self.app.sessions.ask().await.is_ok();
                self.session()?.lookup_succeeded(reached);
                Ok(())
            }
            Step::Blocking | Step::Idle => self.wait().await,
        }
    }

    fn session(&mut self) -> Result<&mut Session, Disconnected> {
        self.session.as_mut().ok_or(Disconnected)
    }

    /// Polls the session, on a blocking thread if necessary.
    async fn step(&mut self) -> Result<Step, Disconnected> {
        let now = self.app.clock.now();
        match self.session()?.poll(now, false) {
            Step::Blocking => {}
            step => return Ok(step),
        }
        let mut session = self.session.take().ok_or(Disconnected)?;
        let polled = tokio::task::spawn_blocking(move || {
            let step = session.poll(now, true);
            (session, step)
        });
        let (session, step) = polled.await.map_err(|_| Disconnected)?;
        self.session = Some(session);
        Ok(step)
    }

    async fn wait(&mut self) -> Result<(), Disconnected> {
        let now = self.app.clock.now();
        let timeout_ms = self.session()?.timeout_ms();
        let idle = Duration::from_millis(timeout_ms.saturating_sub(now.monotonic_ms));
        if let Some(faults) = &self.app.faults {
            self.link.flush(Instant::now(), &faults.settings());
        }
        let idle = Instant::now() + idle;
        let due = match self.link.due() {
            // The session is not polled before a frame has arrived.
            Some(due) if self.link.is_full() => due,
            Some(due) => due.min(idle),
            None => idle,
        };
        let busy = self.session()?.is_busy();
        tokio::select! {
            message = self.wire.next(), if !busy => self.receive(message).await,
            () = self.wake.notified() => Ok(()),
            () = sleep_until(due) => Ok(()),
            changed = self.draining.changed(), if !self.drained => changed.map_err(|_| Disconnected),
        }
    }

    async fn receive(
        &mut self,
        message: Option<Result<Message, Error>>,
    ) -> Result<(), Disconnected> {
        let now = self.app.clock.now();
        match message {
            Some(Ok(Message::Text(text))) => self.session()?.receive(now, &text),
            Some(Ok(Message::Binary(bytes))) => match std::str::from_utf8(&bytes) {
                Ok(text) => self.session()?.receive(now, text),
                Err(_) => self.session()?.receive_invalid_utf8(now),
            },
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => self.session()?.note_activity(now),
            Some(Ok(Message::Close(_))) => {
                // The answer is already in the write buffer, but not sent yet.
                let _gone_anyway = timeout(CLOSE_TIMEOUT, self.wire.flush()).await;
                return Err(Disconnected);
            }
            None => return Err(Disconnected),
            Some(Err(error)) => {
                if let Some((code, reason)) = close_code(&error) {
                    self.close(code, reason).await;
                }
                return Err(Disconnected);
            }
            Some(Ok(Message::Frame(_))) => return Err(Disconnected),
        }
        Ok(())
    }

    async fn send(&mut self, frame: Frame) -> Result<(), Disconnected> {
        let committed = frame.committed;
        match self.app.faults.as_ref().map(|faults| faults.settings()) {
            Some(faults) => self.link.pass(Instant::now(), &faults, frame),
            None => self.write(frame.text).await?,
        }
        if let Some(committed) = committed {
            let seconds = committed.elapsed().as_secs_f64();
            self.app.context.hub.metrics.delivery_seconds.observe(seconds);
        }
        Ok(())
    }

    async fn write(&mut self, text: FrameText) -> Result<(), Disconnected> {
        let metrics = &self.app.context.hub.metrics;
        metrics.frames_sent.inc();
        metrics.bytes_sent.inc_by(text.len() as u64);
        let is_binary = self.session()?.is_binary();
        self.sending = (text.len() as u64, text.own_len() as u64);
        self.wire.put(text, is_binary).map_err(|_| Disconnected)?;
        self.flush().await
    }

    /// Writes everything that is queued. If the peer takes nothing, the write is retried, with a longer
    /// timeout each time. Then the peer counts as gone; the same happens if its session has ended, because
    /// the peer cannot receive the notice. Meanwhile the cursors do not move and nothing is read from the log
    /// for this peer, so it costs one frame of memory. If it resumes, it receives what follows that frame. If
    /// too many bytes wait for readers, blocked peers are dropped earlier.
    async fn flush(&mut self) -> Result<(), Disconnected> {
        // Usually the socket can take the frame, and no timer is needed.
        if let Some(flushed) = self.wire.flush().now_or_never() {
            return flushed.map_err(|_| Disconnected);
        }
        let (context, (all, own)) = (self.app.context.clone(), self.sending);
        let (budget, quota) = (context.hub.in_flight(), self.session()?.quota().cloned());
        let _charge = budget.charge(own);
        let of_user = quota.map(|quota| quota.try_charge(all));
        let is_over = || budget.is_over() || matches!(of_user, Some(None));
        let (delivery, began, mut ended_checks) = (context.delivery, Instant::now(), 0);
        'attempts: for attempt in 0..=delivery.max_retry_attempts {
            let patience = Duration::from_millis(delivery.backoff_ms(attempt, &self.id));
            let until = Instant::now() + patience;
            while Instant::now() < until {
                if let Some(flushed) = self.flush_until(until).await? {
                    return flushed;
                }
                let now = self.app.clock.now();
                ended_checks += u32::from(self.session()?.has_ended(now));
                if ended_checks >= LIVENESS_CHECKS_MAX {
                    break 'attempts;
                }
                if is_over() {
                    context.snapshots.drop_unread();
                }
                if is_over() && began.elapsed() >= STALLED_MAX {
                    context.hub.metrics.rate_limited.get_or_create(&[("what", "bytes")]).inc();
                    break 'attempts;
                }
            }
            let retries = &self.app.context.hub.metrics.retries;
            retries.get_or_create(&[("what", "send")]).inc();
        }
        tracing::warn!(event = "peer_gone", connection = self.id);
        self.count_close(ABNORMAL_CLOSURE);
        Err(Disconnected)
    }

    /// Writes until then, or until the next check; `None` if the peer has not taken everything. If the session
    /// ends meanwhile, everything but the frame is freed at once.
    async fn flush_until(
        &mut self,
        until: Instant,
    ) -> Result<Option<Result<(), Disconnected>>, Disconnected> {
        let check = until.min(Instant::now() + LIVENESS_CHECK_INTERVAL);
        loop {
            tokio::select! {
                biased;
                flushed = self.wire.flush() => return Ok(Some(flushed.map_err(|_| Disconnected))),
                () = sleep_until(check) => {}
                // A new event wakes the socket as well. It is found after this frame.
                () = self.wake.notified() => {}
            }
            let now = self.app.clock.now();
            if self.session()?.has_ended(now) {
                self.session()?.release();
            }
            if Instant::now() >= check {
                return Ok(None);
            }
        }
    }

    fn count_close(&self, code: u16) {
        let closes = &self.app.context.hub.metrics.closes;
        closes.get_or_create(&[("code", u32::from(code))]).inc();
    }

    async fn close(&mut self, code: u16, reason: &'static str) {
        self.count_close(code);
        while let Some(due) = self.link.due() {
            sleep_until(due).await;
            if let Some(text) = self.link.arrived(due)
                && self.write(FrameText::shared(text)).await.is_err()
            {
                return;
            }
        }
        let _gone_anyway = timeout(CLOSE_TIMEOUT, self.wire.close(code, reason)).await;
        // Give the peer time to read the close frame before the connection ends.
        let drained = async { while let Some(Ok(_)) = self.wire.next().await {} };
        let _late = timeout(Duration::from_secs(1), drained).await;
    }
}
