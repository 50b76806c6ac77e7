//! A WebSocket that sends pages of documents without copying them.
//!
//! The library reads frames and writes control frames. For a data frame it would copy the text into a buffer
//! that never shrinks: a quarter of a megabyte for every client that ever recovered. So data frames bypass
//! the library: header and text are written in one call.

use std::io::{self, Cursor};
use std::pin::Pin;

use axum::body::Body;
use axum::http::{Request, Response};
use bytes::buf::{Chain, Take};
use bytes::{Buf as _, Bytes};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::{OnUpgrade, Parts};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::accept::Transport;
use crate::session::FrameText;

/// The size of the read buffer of each socket. Clients send little.
const READ_BYTES: usize = 512;

/// The longest header of an unmasked frame.
const HEADER_BYTES_MAX: usize = 10;

/// The part of a frame that is not written yet.
type Unsent = Chain<Chain<Chain<Take<Cursor<[u8; HEADER_BYTES_MAX]>>, Bytes>, Bytes>, Bytes>;

/// One WebSocket.
#[derive(Debug)]
pub(crate) struct Wire {
    socket: WebSocketStream<Pin<Box<TimeoutStream<TcpStream>>>>,
    unsent: Option<Unsent>,
    /// Part of the frame is written. Nothing else may be written before its end.
    is_begun: bool,
}

/// Answers a request to upgrade; `None` if the request is not an upgrade.
pub(crate) fn accept(mut request: Request<Body>) -> Option<(Response<Body>, OnUpgrade)> {
    let upgrade = request.extensions_mut().remove::<OnUpgrade>()?;
    let response = create_response_with_body(&request, Body::empty).ok()?;
    Some((response, upgrade))
}

impl Wire {
    /// Completes the upgrade. The WebSocket accepts messages of at most `message_bytes_max` bytes.
    pub(crate) async fn open(upgrade: OnUpgrade, message_bytes_max: usize) -> Option<Self> {
        let Parts { io, read_buf, .. } = upgrade.await.ok()?.downcast::<Transport>().ok()?;
        let mut stream = io.into_inner();
        // A blocked write to a WebSocket is retried, see `Driver::flush`.
        stream.as_mut().set_write_timeout_pinned(None);
        let config = WebSocketConfig::default()
            .max_message_size(Some(message_bytes_max))
            .max_frame_size(Some(message_bytes_max))
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0);
        let (read, role) = (read_buf.to_vec(), Role::Server);
        let socket = WebSocketStream::from_partially_read(stream, read, role, Some(config)).await;
        Some(Self { socket, unsent: None, is_begun: false })
    }

    /// The next message of the peer.
    pub(crate) async fn next(&mut self) -> Option<Result<Message, Error>> {
        self.socket.next().await
    }

    /// Queues a data frame for [`Wire::flush`]. The frame before must have been flushed.
    pub(crate) fn put(&mut self, text: FrameText, is_binary: bool) -> Result<(), Error> {
        let opcode = OpCode::Data(if is_binary { Data::Binary } else { Data::Text });
        let mut header = Cursor::new([0; HEADER_BYTES_MAX]);
        FrameHeader { opcode, ..FrameHeader::default() }.format(text.len() as u64, &mut header)?;
        let size = header.position() as usize;
        header.set_position(0);
        let [head, shared, tail] = text.into_pieces().map(Bytes::from);
        self.unsent = Some(header.take(size).chain(head).chain(shared).chain(tail));
        Ok(())
    }

    /// Queues a WebSocket ping; the next flush sends it.
    pub(crate) async fn ping(&mut self) -> Result<(), Error> {
        self.socket.feed(Message::Ping(Bytes::new())).await
    }

    /// Writes everything that is queued. A cancelled flush continues at the same byte in the next call.
    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        if !self.is_begun {
            self.socket.flush().await?;
        }
        let Some(unsent) = &mut self.unsent else { return Ok(()) };
        while unsent.has_remaining() {
            self.is_begun = true;
            if self.socket.get_mut().write_buf(unsent).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero).into());
            }
        }
        (self.unsent, self.is_begun) = (None, false);
        Ok(())
    }

    /// Sends a close frame with a code and a reason.
    pub(crate) async fn close(&mut self, code: u16, reason: &'static str) -> Result<(), Error> {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        self.socket.send(Message::Close(Some(frame))).await
    }
}
