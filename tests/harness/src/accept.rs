//! Accepts connections, so that slow and silent peers cannot keep others out.
//!
//! A peer must send each request within a time limit and must take the answer. The number of connections is
//! limited; a connection that became a WebSocket no longer counts, because sockets have their own limit. At
//! the limit a new connection replaces the one that has waited longest for a request, so a client that sends
//! its request at once is served.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{Request, Response};
use campaign_sync::protocol::Code;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt as _;

use crate::campaign::Refusal;
use crate::lock::lock;
use crate::rest::caller::BODY_BYTES_MAX;

/// The transport of a connection before it becomes a WebSocket.
pub(crate) type Transport = TokioIo<Pin<Box<TimeoutStream<TcpStream>>>>;

/// The longest time until the head of a request is there, from the opening of the connection or from the
/// answer before it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest time until the body of a request is there.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest time in which a peer may take nothing of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The most bytes of a request's head. A token may have 16 KiB, and come in a cookie as well.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// The pause after the system has no file for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The shortest time between two lines of the log about that.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// The time limits of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the head of a request is there.
    pub head: Duration,
    /// From then until its body is there.
    pub body: Duration,
    /// In which a peer may take nothing of an answer.
    pub write: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { head: HEAD_TIMEOUT, body: BODY_TIMEOUT, write: WRITE_TIMEOUT }
    }
}

/// Serves at most `most` connections at a time until `stop` completes, then waits until all have ended.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    most: usize,
    timeouts: Timeouts,
    stop: impl Future<Output = ()>,
) {
    let (connections, draining) = (Arc::new(Connections::new(most)), watch::Sender::new(false));
    let (mut stop, mut reported) = (pin!(stop), None);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = Connection { slot: connections.admit(), peer, timeouts };
                tokio::spawn(connection.run(stream, router.clone(), draining.subscribe()));
            }
            Err(error) if is_of_peer(&error) => {}
            Err(error) => {
                if reported.is_none_or(|at: Instant| at.elapsed() >= REPORT_INTERVAL) {
                    reported = Some(Instant::now());
                    tracing::warn!(event = "accept_failed", %error);
                }
                connections.evict();
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    draining.send_replace(true);
    draining.closed().await;
}

/// Whether accepting failed because of the peer, which is gone already.
fn is_of_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// The order in which connections are closed at the limit: first those that wait for a request, then those
/// that answer one, and among them the oldest first.
type Rank = (bool, u64);

/// The open connections.
#[derive(Debug)]
struct Connections {
    most: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    ranks: u64,
    all: BTreeMap<Rank, Arc<Notify>>,
}

impl Open {
    fn insert(&mut self, is_answering: bool, evicted: Arc<Notify>) -> Rank {
        self.ranks += 1;
        let rank = (is_answering, self.ranks);
        self.all.insert(rank, evicted);
        rank
    }
}

impl Connections {
    fn new(most: usize) -> Self {
        Self { most, open: Mutex::default() }
    }

    /// A slot for one more connection. At the limit another connection closes.
    fn admit(self: &Arc<Self>) -> Arc<Slot> {
        let mut open = lock(&self.open);
        if open.all.len() >= self.most
            && let Some((_, evicted)) = open.all.pop_first()
        {
            evicted.notify_one();
        }
        let evicted = Arc::new(Notify::new());
        let rank = Mutex::new(open.insert(false, evicted.clone()));
        drop(open);
        Arc::new(Slot { connections: self.clone(), evicted, rank })
    }

    /// Closes the connection that has waited longest for a request, if there is one.
    fn evict(&self) {
        let mut open = lock(&self.open);
        if let Some(first) = open.all.first_entry().filter(|first| !first.key().0) {
            first.remove().notify_one();
        }
    }
}

/// The place of one connection among the open ones.
#[derive(Debug)]
struct Slot {
    connections: Arc<Connections>,
    evicted: Arc<Notify>,
    rank: Mutex<Rank>,
}

impl Slot {
    fn set(&self, is_answering: bool) {
        let (mut open, mut rank) = (lock(&self.connections.open), lock(&self.rank));
        // An evicted connection stays evicted.
        if let Some(evicted) = open.all.remove(&*rank) {
            *rank = open.insert(is_answering, evicted);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        lock(&self.connections.open).all.remove(&*lock(&self.rank));
    }
}

/// A request is being answered until this is dropped.
#[derive(Debug)]
struct Answering(Arc<Slot>);

impl Answering {
    fn begin(slot: &Arc<Slot>) -> Self {
        slot.set(true);
        Self(slot.clone())
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// One connection.
struct Connection {
    slot: Arc<Slot>,
    peer: SocketAddr,
    timeouts: Timeouts,
}

impl Connection {
    async fn run(self, stream: TcpStream, router: Router, mut draining: watch::Receiver<bool>) {
        let Self { slot, peer, timeouts } = self;
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(timeouts.write));
        let service = service_fn(|mut request: Request<Incoming>| {
            // Login attempts are limited by the address of the peer.
            request.extensions_mut().insert(ConnectInfo(peer));
            let (router, slot) = (router.clone(), slot.clone());
            async move { Ok::<_, Infallible>(answer(router, &slot, timeouts, request).await) }
        });
        let io: Transport = TokioIo::new(Box::pin(stream));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(timeouts.head)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(io, service)
            .with_upgrades();
        let mut connection = pin!(connection);
        loop {
            tokio::select! {
                _broken_by_peer = connection.as_mut() => return,
                () = slot.evicted.notified() => return,
                Ok(_) = draining.changed() => connection.as_mut().graceful_shutdown(),
            }
        }
    }
}

async fn answer(
    router: Router,
    slot: &Arc<Slot>,
    timeouts: Timeouts,
    request: Request<Incoming>,
) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    let body = match timeout(timeouts.body, to_bytes(Body::new(body), BODY_BYTES_MAX)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => refuse(&mut parts, 413, "the body has more than 65,536 bytes"),
        Err(_) => refuse(&mut parts, 408, "the body did not arrive in time"),
    };
    let answering = Answering::begin(slot);
    let request = Request::from_parts(parts, Body::from(body));
    let response = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    response.map(|body| Body::new(AnswerBody { body, _answering: answering }))
}

/// Refuses a body. The router answers with the refusal
/// ([`refuse_incomplete`](crate::rest::caller::refuse_incomplete)), so that the answer has the headers of all
/// answers.
fn refuse(parts: &mut Parts, status: u16, message: &str) -> Bytes {
    let refusal = Refusal { status: Some(status), ..Refusal::new(Code::InvalidBody, message) };
    parts.extensions.insert(refusal);
    Bytes::new()
}

/// The body of an answer. Its connection is not waiting for a request before the end of it.
struct AnswerBody {
    body: Body,
    _answering: Answering,
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
