//! The attacks of one user, each in its own tasks, until they are aborted.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{Instant, sleep, sleep_until};

use super::{Sizes, counted};
use crate::crowd::{address, init, subscription};
use crate::http::Http;
use crate::socket::{NARROW_BYTES, Socket};

/// The time between two attempts of an attacker that was refused or cut off.
const RETRY: Duration = Duration::from_millis(500);

/// The time for which an attacker holds a connection without reading from it.
const HOLD: Duration = Duration::from_secs(20);

/// Pings per second and socket: the most that a server takes.
const PINGS_PER_SECOND: u64 = 190;

/// The attacks of one user.
#[derive(Debug)]
pub(super) struct Attack {
    pub(super) to: SocketAddr,
    /// The tokens of two sessions of the hostile user.
    pub(super) tokens: [String; 2],
    /// The last number of the large campaign.
    pub(super) head: u64,
    pub(super) sizes: Sizes,
}

/// The results of the attackers.
#[derive(Debug, Default)]
pub(super) struct Counts {
    downloads: Cell<u64>,
    repairs: Cell<u64>,
    searches: RefCell<BTreeMap<u16, u64>>,
    searches_cut: Cell<u64>,
    pings: Cell<u64>,
    pong_bytes: Cell<u64>,
    slow_heads: Cell<u64>,
}

fn add(counter: &Cell<u64>, more: u64) {
    counter.set(counter.get() + more);
}

impl Counts {
    /// The counts as the report shows them.
    pub(super) fn shown(&self) -> Value {
        json!({
            "unread_downloads": self.downloads.get(),
            "unread_repairs": self.repairs.get(),
            "searches_by_status": counted(&*self.searches.borrow()),
            "searches_cut_off": self.searches_cut.get(),
            "pings": self.pings.get(),
            "bytes_received_by_pingers": self.pong_bytes.get(),
            "slow_heads": self.slow_heads.get(),
        })
    }
}

/// Repeats an attack of one connection until it is aborted.
fn repeat<F>(attack: impl Fn() -> F + 'static) -> JoinHandle<()>
where
    F: Future<Output = Result<()>> + 'static,
{
    spawn_local(async move {
        loop {
            let _refused_or_cut_off = attack().await;
            sleep(RETRY).await;
        }
    })
}

impl Attack {
    /// Begins all attacks.
    pub(super) fn begin(self, counts: &Rc<Counts>) -> Vec<JoinHandle<()>> {
        let it = Rc::new(self);
        let mut tasks = Vec::new();
        let mut each = |count: usize, attack: fn(Rc<Self>, Rc<Counts>, usize) -> JoinHandle<()>| {
            tasks.extend((0..count).map(|index| attack(it.clone(), counts.clone(), index)));
        };
        each(it.sizes.downloads, |it, counts, _| {
            repeat(move || download(it.clone(), counts.clone()))
        });
        each(it.sizes.repairs, |it, counts, index| {
            repeat(move || repair(it.clone(), counts.clone(), index))
        });
        each(it.sizes.searches, |it, counts, index| {
            repeat(move || search(it.clone(), counts.clone(), index))
        });
        each(it.sizes.pingers, |it, counts, index| {
            repeat(move || ping(it.clone(), counts.clone(), index))
        });
        each(it.sizes.slow_heads, |it, counts, _| {
            repeat(move || slow_head(it.clone(), counts.clone()))
        });
        tasks
    }
}

/// Requests the snapshot of the large campaign over REST, and never reads it.
async fn download(it: Rc<Attack>, counts: Rc<Counts>) -> Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(NARROW_BYTES)?;
    let mut stream = socket.connect(it.to).await?;
    let request = format!(
        "GET /api/v2/campaigns/large/snapshot HTTP/1.1\r\nHost: {}\r\n\
         Authorization: Bearer {}\r\n\r\n",
        it.to, it.tokens[0]
    );
    stream.write_all(request.as_bytes()).await?;
    add(&counts.downloads, 1);
    sleep(HOLD).await;
    Ok(())
}

/// Requests all rows but those of one bucket, which no other socket requests, and never reads them.
async fn repair(it: Rc<Attack>, counts: Rc<Counts>, index: usize) -> Result<()> {
    let mut socket = Socket::connect_narrow(address(0), it.to, "/api/v2/ws").await?;
    socket.send(&init(Some(&it.tokens[1]))).await?;
    for message in subscription("large", it.head, true) {
        socket.send(&message).await?;
    }
    let buckets: Vec<usize> = (0..256).filter(|bucket| *bucket != index).collect();
    let payload = json!({"campaignId": "large", "requestId": "q", "buckets": buckets});
    let request = json!({"type": "request_campaign_snapshot", "payload": payload});
    socket.send(&request.to_string()).await?;
    add(&counts.repairs, 1);
    sleep(HOLD).await;
    Ok(())
}

/// Searches all rows for a text that none has, again and again.
async fn search(it: Rc<Attack>, counts: Rc<Counts>, index: usize) -> Result<()> {
    let mut http = Http::authorised(it.to, &it.tokens[0]).await?;
    loop {
        let path = format!("/campaigns/large/domains?search=no-row-has-this-{index}");
        let status = http.status(&path).await.inspect_err(|_| add(&counts.searches_cut, 1))?;
        *counts.searches.borrow_mut().entry(status).or_default() += 1;
        if status != 200 {
            sleep(RETRY).await;
        }
    }
}

/// Follows many campaigns, and pings as often as it may, with a request for digests now and then.
async fn ping(it: Rc<Attack>, counts: Rc<Counts>, index: usize) -> Result<()> {
    let mut socket = Socket::connect(address(0), it.to, "/api/v2/ws").await?;
    socket.send(&init(Some(&it.tokens[index % 2]))).await?;
    let campaigns = (0..it.sizes.subscriptions).map(|number| format!("small-{number}"));
    for campaign in campaigns.chain(["large".to_owned()]).skip(1) {
        let last = if campaign == "large" { it.head } else { 1 };
        for message in subscription(&campaign, last, true) {
            socket.send(&message).await?;
        }
    }
    let mut due = Instant::now();
    loop {
        tokio::select! {
            open = socket.receive(|frame| add(&counts.pong_bytes, frame.len() as u64)) => {
                if !open? {
                    return Ok(());
                }
            }
            () = sleep_until(due) => {
                due += Duration::from_millis(1_000 / PINGS_PER_SECOND);
                socket.send(r#"{"type":"ping","payload":{"timestamp":1}}"#).await?;
                add(&counts.pings, 1);
                if counts.pings.get().is_multiple_of(20) {
                    socket.send(r#"{"type":"request_campaign_digest","payload":{"campaignId":"large","requestId":"d"}}"#).await?;
                }
            }
        }
    }
}

/// Sends the head of a request one byte per second.
async fn slow_head(it: Rc<Attack>, counts: Rc<Counts>) -> Result<()> {
    let mut stream = TcpSocket::new_v4()?.connect(it.to).await?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nX-Slow: ").await?;
    add(&counts.slow_heads, 1);
    loop {
        tokio::select! {
            // The server sends nothing before it closes the connection.
            _closed = stream.read_u8() => return Ok(()),
            () = sleep(Duration::from_secs(1)) => stream.write_all(b"x").await?,
        }
    }
}
