//! Peers that send or take their data slowly, or not at all.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use campaign_sync_harness::accept::{Timeouts, serve};
use campaign_sync_harness::rest::caller::refuse_incomplete;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::process::{Process, program};
use super::support::{Client, Server};

/// A wait that takes longer than this has failed.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

const HEAD: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";

/// More bytes than the buffers between two ends of a connection hold.
const LARGE: usize = 64 * 1024 * 1024;

/// Connects with a small buffer, and sends `text`.
async fn sends(to: SocketAddr, text: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let mut stream = socket.connect(to).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// Everything that the server sends until it closes the connection.
async fn until_closed(mut stream: TcpStream) -> Vec<u8> {
    let mut received = Vec::new();
    // A connection with unread data is reset instead of closed.
    let _closed_or_reset = timeout(WAIT_TIMEOUT, stream.read_to_end(&mut received))
        .await
        .expect("the connection stays open");
    received
}

/// Serves one connection at a time, or `most`, with short time limits.
async fn hasty(most: usize) -> (SocketAddr, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/healthz", get(async || "well"))
        .route("/large", get(async || "x".repeat(LARGE)))
        .route("/echo", post(async |body: String| body))
        .layer(from_fn(refuse_incomplete));
    let limit = Duration::from_millis(300);
    let timeouts = Timeouts { head: limit, body: limit, write: limit };
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(serve(listener, router, most, timeouts, async move {
        let _dropped_means_stop = stopped.await;
    }));
    (address, stop)
}

#[tokio::test(flavor = "multi_thread")]
async fn incomplete_heads_and_idle_connections_are_closed() {
    let (address, _stop) = hasty(100).await;
    assert_eq!(until_closed(sends(address, "").await).await, b"");
    assert_eq!(until_closed(sends(address, HEAD).await).await, b"");
    let answered = until_closed(sends(address, &format!("{HEAD}\r\n")).await).await;
    assert!(answered.starts_with(b"HTTP/1.1 200 OK\r\n") && answered.ends_with(b"well"));
}

#[tokio::test(flavor = "multi_thread")]
async fn incomplete_body_is_refused_in_time() {
    let (address, _stop) = hasty(100).await;
    let head = "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n";
    let refused = until_closed(sends(address, &format!("{head}abc")).await).await;
    let refused = String::from_utf8(refused).unwrap();
    assert!(refused.starts_with("HTTP/1.1 408 "), "{refused}");
    assert!(refused.contains("\"code\":\"invalid_body\""), "{refused}");
    let answered = until_closed(sends(address, &format!("{head}abcd")).await).await;
    assert!(answered.ends_with(b"abcd"));
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_that_nobody_takes_is_cut_off() {
    let (address, _stop) = hasty(100).await;
    let stream = sends(address, "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(until_closed(stream).await.len() < LARGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn full_server_replaces_the_oldest_waiting_connection() {
    let server = Server::with(|options| options.capacity.max_http_connections = 8).await;
    let mut client = Client::connect(&server.address).await;
    let mut slow = Vec::new();
    for _ in 0..64 {
        slow.push(sends(server.address.parse().unwrap(), HEAD).await);
        assert_eq!(server.get("/campaigns").await.status, 200);
    }
    client.say(json!({"type": "ping", "payload": {"timestamp": 7}})).await;
    assert_eq!(client.control("pong").await["timestamp"], 7, "sockets are not counted");
    assert_eq!(until_closed(slow.swap_remove(0)).await, b"");
    let mut last = slow.pop().unwrap();
    last.write_all(b"\r\n").await.unwrap();
    let mut start = [0; 15];
    last.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200 OK", "the newest one is still served");
}

#[tokio::test(flavor = "multi_thread")]
async fn server_without_free_files_stays_reachable() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    // The server raises its soft limit to the hard one, and this sets both.
    command.arg("-c").arg("ulimit -n 64; exec \"$0\" \"$@\"").arg(program().get_program());
    command.args(["--listen", "127.0.0.1:0", "--db"]).arg(directory.path().join("campaigns.db"));
    let process = Process::spawn(command.stderr(std::process::Stdio::null()));
    let address = process.address.parse().unwrap();
    let mut slow = Vec::new();
    for _ in 0..256 {
        slow.push(sends(address, HEAD).await);
    }
    let url = format!("http://{}/healthz", process.address);
    let answered = async {
        loop {
            // The connection may be among those that are closed.
            if let Ok(response) = reqwest::get(&url).await {
                return response.status().as_u16();
            }
        }
    };
    let status = timeout(WAIT_TIMEOUT, answered).await.expect("the server is unreachable");
    assert_eq!(status, 200);
}
