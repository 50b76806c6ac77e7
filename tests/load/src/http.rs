//! Requests to the server's REST routes, one after the other over one connection.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One connection.
#[derive(Debug)]
pub(crate) struct Http {
    stream: TcpStream,
    to: SocketAddr,
    token: Option<String>,
}

/// An answer: its status, its header in lower case, and its body.
struct Answer {
    status: u16,
    header: String,
    body: Vec<u8>,
}

impl Http {
    pub(crate) async fn connect(to: SocketAddr) -> Result<Self> {
        Ok(Self { stream: Self::open(to).await?, to, token: None })
    }

    /// Like [`Http::connect`]. Every request carries the token.
    pub(crate) async fn authorised(to: SocketAddr, token: &str) -> Result<Self> {
        let http = Self::connect(to).await?;
        Ok(Self { token: Some(token.to_owned()), ..http })
    }

    async fn open(to: SocketAddr) -> Result<TcpStream> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Sends a request. Any status but success is an error.
    pub(crate) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value> {
        let Answer { status, header, body } = self.exchange(method, path, body).await?;
        let said = || format!("{method} {path}: {status} {}", String::from_utf8_lossy(&body));
        ensure!((200..300).contains(&status), said());
        let mut body: Value = serde_json::from_slice(&body).with_context(said)?;
        let position = header.lines().find_map(|line| line.strip_prefix("campaign-position:"));
        if let (Some(position), Some(body)) = (position, body.as_object_mut()) {
            body.insert("position".to_owned(), position.trim().into());
        }
        Ok(body)
    }

    /// Sends a `GET` request, and returns the status of the answer.
    pub(crate) async fn status(&mut self, path: &str) -> Result<u16> {
        Ok(self.exchange("GET", path, None).await?.status)
    }

    async fn exchange(&mut self, method: &str, path: &str, body: Option<Value>) -> Result<Answer> {
        // The server closes a connection that was idle for a while.
        if matches!(self.stream.try_read(&mut [0]), Ok(0)) {
            self.stream = Self::open(self.to).await?;
        }
        let body = body.map_or_else(String::new, |body| body.to_string());
        let token = self.token.as_ref();
        let token = token.map_or_else(String::new, |it| format!("Authorization: Bearer {it}\r\n"));
        let request = format!(
            "{method} /api/v2{path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             {token}Content-Length: {}\r\n\r\n{body}",
            self.to,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        let head = loop {
            if let Some(at) = memchr::memmem::find(&answer, b"\r\n\r\n") {
                break at + 4;
            }
            ensure!(self.stream.read_buf(&mut answer).await? > 0, "no answer to {path}");
        };
        let header = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
        let length = header.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.context("an answer without a length")?.trim().parse()?;
        while answer.len() < head + length {
            ensure!(self.stream.read_buf(&mut answer).await? > 0, "half an answer to {path}");
        }
        let status = header.split(' ').nth(1).context("no status")?.parse()?;
        Ok(Answer { status, header, body: answer[head..head + length].to_vec() })
    }
}
