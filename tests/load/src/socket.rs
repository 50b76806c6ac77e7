//! A WebSocket client with minimal cost: the generator shares its machine with the server, and its cost
//! must not distort the measurement.
//!
//! Ten thousand sockets share one read buffer. A socket keeps only the rest of a frame that has not arrived
//! completely. Frames are masked with zero, which every server must accept.

use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// The most bytes of one read.
const CHUNK_BYTES: usize = 256 * 1024;

/// The most bytes of an answer to the upgrade.
const HEADER_BYTES_MAX: usize = 8 * 1024;

/// The receive buffer of a client that reads nothing.
pub(crate) const NARROW_BYTES: u32 = 4 * 1024;

/// The opcodes that need handling.
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

thread_local! {
    static CHUNK: RefCell<Vec<u8>> = RefCell::new(vec![0; CHUNK_BYTES]);
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl Socket {
    /// Connects from that loopback address. Each address has its own range of ports.
    pub(crate) async fn connect(from: Ipv4Addr, to: SocketAddr, path: &str) -> Result<Self> {
        Self::connect_over(TcpSocket::new_v4()?, from, to, path).await
    }

    /// Connects with a receive buffer of a few kilobytes, so that little is on its way to a client that reads
    /// nothing.
    pub(crate) async fn connect_narrow(from: Ipv4Addr, to: SocketAddr, path: &str) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(NARROW_BYTES)?;
        Self::connect_over(socket, from, to, path).await
    }

    async fn connect_over(
        socket: TcpSocket,
        from: Ipv4Addr,
        to: SocketAddr,
        path: &str,
    ) -> Result<Self> {
        socket.bind((from, 0).into())?;
        let mut stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {to}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bG9hZCBnZW5lcmF0b3IhIQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut rest = Vec::with_capacity(512);
        let end = loop {
            if let Some(at) = memchr::memmem::find(&rest, b"\r\n\r\n") {
                break at + 4;
            }
            ensure!(rest.len() < HEADER_BYTES_MAX, "the answer to the upgrade does not end");
            ensure!(stream.read_buf(&mut rest).await? > 0, "closed instead of upgraded");
        };
        if !rest.starts_with(b"HTTP/1.1 101 ") {
            bail!("not upgraded: {}", String::from_utf8_lossy(&rest[..end]));
        }
        rest.drain(..end);
        rest.shrink_to_fit();
        Ok(Self { stream, rest })
    }

    /// Sends a text frame.
    pub(crate) async fn send(&mut self, text: &str) -> io::Result<()> {
        self.write(1, text.as_bytes()).await
    }

    async fn write(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        let mut frame = Vec::with_capacity(payload.len() + 14);
        frame.push(0x80 | opcode);
        match payload.len() {
            short @ 0..126 => frame.push(0x80 | short as u8),
            medium @ 126..65_536 => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&(medium as u16).to_be_bytes());
            }
            long => {
                frame.push(0x80 | 127);
                frame.extend_from_slice(&(long as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(payload);
        self.stream.write_all(&frame).await
    }

    /// Waits for data and hands over every whole message. Returns `false` once the connection is closed.
    pub(crate) async fn receive(&mut self, mut each: impl FnMut(&[u8])) -> Result<bool> {
        let mut pings: Vec<Vec<u8>> = Vec::new();
        let open = self.read(|opcode, payload| match opcode {
            PING => pings.push(payload.to_vec()),
            PONG => {}
            _ => each(payload),
        });
        let open = open.await?;
        for ping in pings {
            self.write(PONG, &ping).await?;
        }
        Ok(open)
    }

    async fn read(&mut self, mut each: impl FnMut(u8, &[u8])) -> Result<bool> {
        // Bytes that arrived together with the answer to the upgrade.
        if !self.rest.is_empty() {
            let used = frames(&self.rest, &mut each)?;
            self.rest.drain(..used.bytes);
            if used.closed || used.bytes > 0 {
                return Ok(!used.closed);
            }
        }
        loop {
            self.stream.readable().await?;
            let done = CHUNK.with_borrow_mut(|chunk| self.read_into(chunk, &mut each))?;
            if let Some(open) = done {
                return Ok(open);
            }
        }
    }

    fn read_into(
        &mut self,
        chunk: &mut [u8],
        each: &mut impl FnMut(u8, &[u8]),
    ) -> Result<Option<bool>> {
        let read = match self.stream.try_read(chunk) {
            Ok(0) => return Ok(Some(false)),
            Ok(read) => &chunk[..read],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error).context("a connection broke"),
        };
        if self.rest.is_empty() {
            let used = frames(read, each)?;
            if used.bytes < read.len() {
                self.rest = read[used.bytes..].to_vec();
            }
            return Ok(Some(!used.closed));
        }
        self.rest.extend_from_slice(read);
        let used = frames(&self.rest, each)?;
        if used.bytes == self.rest.len() {
            self.rest = Vec::new();
        } else {
            self.rest.drain(..used.bytes);
        }
        Ok(Some(!used.closed))
    }

    /// Breaks the connection as a network failure does: nothing more is sent or received.
    pub(crate) fn kill(self) {
        let _gone_anyway = self.stream.set_zero_linger();
    }
}

struct Used {
    bytes: usize,
    closed: bool,
}

/// Hands over the whole frames at the start of `bytes`.
fn frames(bytes: &[u8], each: &mut impl FnMut(u8, &[u8])) -> Result<Used> {
    let mut at = 0;
    while let Some([first, second]) = bytes.get(at..at + 2) {
        ensure!(first & 0x80 != 0 && second & 0x80 == 0, "a fragment, or masked by a server");
        let (extra, short) = match second & 0x7F {
            126 => (2, None),
            127 => (8, None),
            short => (0, Some(short as usize)),
        };
        let Some(length) = bytes.get(at + 2..at + 2 + extra) else { break };
        let length = short.unwrap_or_else(|| {
            length.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte))
        });
        let start = at + 2 + extra;
        let Some(payload) = bytes.get(start..start + length) else { break };
        let opcode = first & 0x0F;
        if opcode == CLOSE {
            return Ok(Used { bytes: bytes.len(), closed: true });
        }
        each(opcode, payload);
        at = start + length;
    }
    Ok(Used { bytes: at, closed: false })
}
