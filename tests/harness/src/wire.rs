//! A WebSocket that a page is not copied for.
//!
//! Reading, and everything that is said for the protocol's own sake, is the library's. But it would copy
//! each frame into a buffer that stays as large as the largest ever was: a quarter of a megabyte for
//! everybody who has ever recovered. So frames of documents are written past it, with their header in
//! front, in one call.

use std::io::{self, Cursor};

use axum::body::Body;
use axum::http::{Request, Response};
use bytes::buf::{Chain, Take};
use bytes::{Buf as _, Bytes};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

/// What is read at once, and kept per socket: clients say little.
const READ_BYTES: usize = 512;

/// The longest header of a frame that is not masked.
const HEADER_BYTES_MAX: usize = 10;

/// A frame, as far as it has not been written.
type Unsent = Chain<Take<Cursor<[u8; HEADER_BYTES_MAX]>>, Bytes>;

/// One WebSocket.
#[derive(Debug)]
pub(crate) struct Wire {
    socket: WebSocketStream<TokioIo<Upgraded>>,
    unsent: Option<Unsent>,
    /// Some of it has been written: nothing else may be before its end.
    is_begun: bool,
}

/// Answers a request to upgrade; `None` if it is none.
pub(crate) fn accept(mut request: Request<Body>) -> Option<(Response<Body>, OnUpgrade)> {
    let upgrade = request.extensions_mut().remove::<OnUpgrade>()?;
    let response = create_response_with_body(&request, Body::empty).ok()?;
    Some((response, upgrade))
}

impl Wire {
    /// The connection, once it is a WebSocket that takes messages of so many bytes.
    pub(crate) async fn open(upgrade: OnUpgrade, message_bytes_max: usize) -> Option<Self> {
        let stream = TokioIo::new(upgrade.await.ok()?);
        let config = WebSocketConfig::default()
            .max_message_size(Some(message_bytes_max))
            .max_frame_size(Some(message_bytes_max))
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0);
        let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
        Some(Self { socket, unsent: None, is_begun: false })
    }

    /// What the peer says next.
    pub(crate) async fn next(&mut self) -> Option<Result<Message, Error>> {
        self.socket.next().await
    }

    /// Puts a frame of documents where [`Wire::flush`] takes it from; the one before has been flushed.
    pub(crate) fn put(&mut self, text: Bytes, is_binary: bool) -> Result<(), Error> {
        let opcode = OpCode::Data(if is_binary { Data::Binary } else { Data::Text });
        let mut header = Cursor::new([0; HEADER_BYTES_MAX]);
        FrameHeader { opcode, ..FrameHeader::default() }.format(text.len() as u64, &mut header)?;
        let size = header.position() as usize;
        header.set_position(0);
        self.unsent = Some(header.take(size).chain(text));
        Ok(())
    }

    /// Asks the peer for a sign of life, with the next flush.
    pub(crate) async fn ping(&mut self) -> Result<(), Error> {
        self.socket.feed(Message::Ping(Bytes::new())).await
    }

    /// Brings to the peer what there is for it. Given up half-way, it goes on there the next time.
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

    /// Says why it closes.
    pub(crate) async fn close(&mut self, code: u16, reason: &'static str) -> Result<(), Error> {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        self.socket.send(Message::Close(Some(frame))).await
    }
}
