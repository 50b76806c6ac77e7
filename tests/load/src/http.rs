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
}

impl Http {
    pub(crate) async fn connect(to: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, to })
    }

    /// Sends a request. Any status but 200 to 209 is an error.
    pub(crate) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value> {
        let body = body.map_or_else(String::new, |body| body.to_string());
        let request = format!(
            "{method} /api/v2{path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
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
        let body = &answer[head..head + length];
        let said = || format!("{method} {path}: {}", String::from_utf8_lossy(body));
        ensure!(header.starts_with("http/1.1 20"), said());
        let mut body: Value = serde_json::from_slice(body).with_context(said)?;
        let position = header.lines().find_map(|line| line.strip_prefix("campaign-position:"));
        if let (Some(position), Some(body)) = (position, body.as_object_mut()) {
            body.insert("position".to_owned(), position.trim().into());
        }
        Ok(body)
    }
}
