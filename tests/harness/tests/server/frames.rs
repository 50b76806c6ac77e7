//! Edge cases of the socket layer, with frames written byte by byte (RFC 6455).

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::support::{Client, Server, parse};

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const FINAL: u8 = 0x80;

const INIT: &[u8] = br#"{"type":"connection_init","protocols":["campaign-sync.v1"]}"#;
const PINGS: &[u8] = br#"{"type":"ping","payload":{"timestamp":7}}"#;

/// A connection that writes raw bytes.
struct Wire(TcpStream);

/// A frame as it arrived.
#[derive(Debug, PartialEq)]
struct Frame {
    first: u8,
    payload: Vec<u8>,
}

impl Frame {
    /// The code of a close frame.
    fn code(&self) -> u16 {
        assert_eq!(self.first, FINAL | CLOSE, "{self:?}");
        u16::from_be_bytes([self.payload[0], self.payload[1]])
    }

    fn kind(&self) -> String {
        let text = std::str::from_utf8(&self.payload).unwrap();
        parse(text)["type"].as_str().unwrap().to_owned()
    }
}

impl Wire {
    /// Upgrades with additional headers. Returns the connection and the server's answer.
    async fn upgraded(server: &Server, headers: &str) -> (Self, String) {
        let mut wire = Self(TcpStream::connect(&server.address).await.unwrap());
        let request = format!(
            "GET /api/v2/ws HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n",
            server.address,
        );
        wire.0.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(wire.0.read_u8().await.unwrap());
        }
        (wire, String::from_utf8(answer).unwrap())
    }

    /// Upgraded, greeted and acknowledged.
    async fn open(server: &Server) -> Self {
        let mut wire = Self::upgraded(server, "").await.0;
        wire.write(FINAL | TEXT, INIT).await;
        assert_eq!(wire.read().await.unwrap().kind(), "connection_ack");
        wire
    }

    /// Writes a frame, masked as clients must do.
    async fn write(&mut self, first: u8, payload: &[u8]) {
        let mask = [1, 2, 3, 4];
        let mut frame = header(first, 0x80, payload.len() as u64);
        frame.extend(mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.raw(&frame).await;
    }

    /// Writes bytes. The server may close the connection before the last one.
    async fn raw(&mut self, bytes: &[u8]) {
        let _closed_early = self.0.write_all(bytes).await;
    }

    /// The next frame, or `None` if the connection is closed.
    async fn read(&mut self) -> Option<Frame> {
        let frame = async {
            let first = self.0.read_u8().await.ok()?;
            let length = match self.0.read_u8().await.ok()? {
                126 => self.0.read_u16().await.ok()?.into(),
                127 => self.0.read_u64().await.ok()?,
                length => {
                    assert!(length < 126, "a server does not mask");
                    length.into()
                }
            };
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            self.0.read_exact(&mut payload).await.ok()?;
            Some(Frame { first, payload })
        };
        tokio::time::timeout(Duration::from_secs(30), frame).await.expect("nothing ever comes")
    }

    async fn pong(&mut self) {
        self.write(FINAL | TEXT, PINGS).await;
        assert_eq!(self.read().await.unwrap().kind(), "pong");
    }
}

fn header(first: u8, masked: u8, length: u64) -> Vec<u8> {
    let mut header = vec![first];
    match length {
        0..126 => header.push(masked | length as u8),
        126..0x1_0000 => {
            header.push(masked | 126);
            header.extend((length as u16).to_be_bytes());
        }
        _ => {
            header.push(masked | 127);
            header.extend(length.to_be_bytes());
        }
    }
    header
}

#[tokio::test(flavor = "multi_thread")]
async fn compression_is_never_negotiated() {
    let server = Server::start().await;
    let asked = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    let (mut wire, answer) = Wire::upgraded(&server, asked).await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(!answer.to_lowercase().contains("sec-websocket-extensions"), "{answer}");
    assert!(!answer.to_lowercase().contains("sec-websocket-protocol"), "{answer}");
    wire.write(FINAL | TEXT, INIT).await;
    assert_eq!(wire.read().await.unwrap().first, FINAL | TEXT, "no reserved bit");
}

#[tokio::test(flavor = "multi_thread")]
async fn fragments_form_one_message_around_control_frames() {
    let server = Server::start().await;
    let mut wire = Wire::open(&server).await;
    let (first, rest) = PINGS.split_at(9);
    let (second, third) = rest.split_at(1);
    wire.write(TEXT, first).await;
    wire.write(FINAL | PING, b"in between").await;
    assert_eq!(
        wire.read().await,
        Some(Frame { first: FINAL | PONG, payload: b"in between".to_vec() })
    );
    wire.write(CONTINUATION, second).await;
    wire.write(FINAL | PONG, b"nobody asked").await;
    wire.write(CONTINUATION, b"").await;
    wire.write(FINAL | CONTINUATION, third).await;
    assert_eq!(wire.read().await.unwrap().kind(), "pong");

    // A fragment may end in the middle of a character.
    let text = "{\"type\":\"ping\",\"x\":\"ü\"}".as_bytes();
    let cut = text.iter().position(|byte| *byte == 0xc3).unwrap() + 1;
    wire.write(TEXT, &text[..cut]).await;
    wire.write(FINAL | CONTINUATION, &text[cut..]).await;
    assert_eq!(wire.read().await.unwrap().kind(), "pong");
}

#[tokio::test(flavor = "multi_thread")]
async fn frame_sent_byte_by_byte_is_accepted() {
    let server = Server::start().await;
    let mut wire = Wire::open(&server).await;
    wire.0.set_nodelay(true).unwrap();
    let mask = [0, 0, 0, 0];
    let mut frame = header(FINAL | TEXT, 0x80, PINGS.len() as u64);
    frame.extend(mask);
    frame.extend(PINGS);
    for byte in frame {
        wire.raw(&[byte]).await;
    }
    assert_eq!(wire.read().await.unwrap().kind(), "pong");
}

/// A violation of the framing protocol closes its connection and no other (RFC 6455, 7.4.1).
#[tokio::test(flavor = "multi_thread")]
async fn protocol_violations_close_the_connection_with_a_code() {
    let server = Server::start().await;
    let mut other = Wire::open(&server).await;
    let unmasked = [&header(FINAL | TEXT, 0, PINGS.len() as u64), PINGS].concat();
    let masked = |first: u8, payload: &[u8]| {
        let head = header(first, 0x80, payload.len() as u64);
        [&head[..], &[0; 4], payload].concat()
    };
    let cases = [
        ("not masked", 1002, unmasked),
        ("a reserved bit", 1002, masked(FINAL | 0x40 | TEXT, PINGS)),
        ("a reserved opcode", 1002, masked(FINAL | 3, b"")),
        ("a reserved control opcode", 1002, masked(FINAL | 11, b"")),
        ("a control frame in fragments", 1002, masked(PING, b"")),
        ("a control frame of 126 bytes", 1002, masked(FINAL | PING, &[b'x'; 126])),
        ("a continuation of nothing", 1002, masked(FINAL | CONTINUATION, PINGS)),
        (
            "a new message within one",
            1002,
            [masked(TEXT, b"{"), masked(FINAL | TEXT, PINGS)].concat(),
        ),
        ("text that is not UTF-8", 1007, masked(FINAL | TEXT, &[0xff, 0xfe])),
        ("half a character at the end", 1007, masked(FINAL | TEXT, &[b'{', 0xc3])),
    ];
    for (name, code, bytes) in cases {
        let mut wire = Wire::open(&server).await;
        wire.raw(&bytes).await;
        let received = wire.read().await.map(|frame| frame.code());
        assert_eq!(received, Some(code), "{name}");
        assert_eq!(wire.read().await, None, "{name}");
        other.pong().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn largest_message_is_accepted_and_a_larger_one_gets_1009() {
    let server = Server::start().await;
    let message = |size: usize| {
        let mut text = br#"{"type":"ping","x":""#.to_vec();
        text.resize(size - 2, b'x');
        text.extend(b"\"}");
        text
    };
    let most = 64 * 1024;
    let mut wire = Wire::open(&server).await;
    wire.write(FINAL | TEXT, &message(most)).await;
    assert_eq!(wire.read().await.unwrap().kind(), "pong");
    wire.write(FINAL | TEXT, &message(most + 1)).await;
    assert_eq!(wire.read().await.unwrap().code(), 1009);

    // In fragments, each within the limit.
    let mut wire = Wire::open(&server).await;
    let whole = message(most + 1);
    let (first, last) = whole.split_at(most);
    wire.write(TEXT, first).await;
    wire.write(FINAL | CONTINUATION, last).await;
    assert_eq!(wire.read().await.unwrap().code(), 1009);

    // An impossible length is refused before any byte of the payload arrives.
    let mut wire = Wire::open(&server).await;
    wire.raw(&[&header(FINAL | BINARY, 0x80, 1 << 62)[..], &[0; 4]].concat()).await;
    assert_eq!(wire.read().await.unwrap().code(), 1009);
}

#[tokio::test(flavor = "multi_thread")]
async fn binary_that_is_not_utf_8_gets_a_code_and_no_close() {
    let server = Server::start().await;
    let mut wire = Wire::open(&server).await;
    wire.write(FINAL | BINARY, &[0xff, 0xfe]).await;
    let refused = wire.read().await.unwrap();
    assert_eq!(
        parse(std::str::from_utf8(&refused.payload).unwrap())["data"]["code"],
        "invalid_utf8"
    );
    wire.write(FINAL | BINARY, PINGS).await;
    assert_eq!(wire.read().await.unwrap().kind(), "pong");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_is_answered_and_the_connection_ends() {
    let server = Server::start().await;
    for payload in [&b""[..], &[0x03, 0xe8], &[0x0f, 0xa0, b'b', b'y', b'e']] {
        let mut wire = Wire::open(&server).await;
        wire.write(FINAL | CLOSE, payload).await;
        let answer = wire.read().await.unwrap();
        assert_eq!(answer.first, FINAL | CLOSE);
        assert_eq!(answer.payload.get(..2), payload.get(..2), "the code comes back");
        assert_eq!(wire.read().await, None);
    }
    // The client vanishes without a close frame: the server notices it and counts one connection less.
    let metrics = Server::with(|options| options.metrics = "127.0.0.1:0".parse().ok()).await;
    drop(Wire::open(&metrics).await);
    while !metrics.metrics().await.contains("campaign_sync_connections 0\n") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_answers_no_ping_is_closed_and_another_is_not() {
    let server = Server::with(|options| {
        options.heartbeat_ms = 100;
        options.delivery.idle_timeout_ms = 1_500;
    })
    .await;
    let (mut silent, mut polite) = (Wire::open(&server).await, Wire::open(&server).await);
    let silence = async {
        let mut pings = 0;
        loop {
            match silent.read().await.unwrap() {
                frame if frame.first == FINAL | PING => pings += 1,
                frame if frame.first == FINAL | TEXT => assert_eq!(frame.kind(), "pong"),
                frame => return (frame.code(), pings),
            }
        }
    };
    // The other client answers, and stays connected for more pings than the silent one received.
    let answers = async {
        let mut answered = 0;
        while answered < 5 {
            let frame = polite.read().await.unwrap();
            if frame.first == FINAL | PING {
                answered += 1;
                polite.write(FINAL | PONG, &frame.payload).await;
            } else {
                assert_eq!(frame.kind(), "pong");
            }
        }
    };
    let (silence, ()) = tokio::join!(silence, answers);
    assert_eq!(silence, (4408, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_upgrade_is_refused_and_server_keeps_running() {
    let server = Server::start().await;
    let host = format!("Host: {}\r\n", server.address);
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let cases = [
        ("no upgrade", format!("GET /api/v2/ws HTTP/1.1\r\n{host}\r\n")),
        (
            "no key",
            format!("GET /api/v2/ws HTTP/1.1\r\n{host}{upgrade}Sec-WebSocket-Version: 13\r\n\r\n"),
        ),
        (
            "another version",
            format!(
                "GET /api/v2/ws HTTP/1.1\r\n{host}{upgrade}{key}Sec-WebSocket-Version: 8\r\n\r\n"
            ),
        ),
        (
            "another method",
            format!(
                "POST /api/v2/ws HTTP/1.1\r\n{host}{upgrade}{key}Sec-WebSocket-Version: 13\r\n\
                 Content-Length: 0\r\n\r\n"
            ),
        ),
        ("not HTTP", "\u{0}\u{1}\u{2}\r\n\r\n".to_owned()),
    ];
    for (name, request) in cases {
        let mut stream = TcpStream::connect(&server.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut start = [0; 10];
        stream.read_exact(&mut start).await.unwrap();
        assert!(start.starts_with(b"HTTP/1.1 4"), "{name}: {start:?}");
    }
    let mut client = Client::connect(&server.address).await;
    client.say(json!({"type": "ping"})).await;
    client.control("pong").await;
}
