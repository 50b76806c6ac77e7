//! The recovery measurement for NATS JetStream: an ordered consumer reads a stream from its first message.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use async_nats::jetstream::consumer::{DeliverPolicy, pull::OrderedConfig};
use async_nats::jetstream::stream::{Config, Stream};
use async_nats::jetstream::{self};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::plan::Plan;
use crate::process::Process;
use crate::scenarios::recovery::median;
use crate::scenarios::rounded;
use crate::server::EVENT_BYTES;

const ROUNDS: usize = 3;

/// The most publications without an acknowledgement at one time.
const UNACKNOWLEDGED: u64 = 256;

/// A consumer that receives nothing for this long is stuck.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(30);

/// Fills a file-backed stream with that many events, and reads them.
pub(crate) async fn recover(plan: &Plan, nats: &Path, missed: u64) -> Result<Value> {
    let work = plan.work.join("nats");
    std::fs::create_dir_all(&work)?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    let arguments = ["-js", "-sd", "data", "-a", "127.0.0.1", "-p", &port].map(Into::into);
    let mut process = Process::start(&work, nats, &arguments)?;
    let client = connect(&format!("nats://127.0.0.1:{port}")).await?;
    let context = jetstream::new(client);
    let config = Config { name: "load".into(), subjects: vec!["load".into()], ..Config::default() };
    let stream = context.create_stream(config).await?;
    publish(&context, missed).await?;
    let (mut rates, mut delivered, mut repeated) = (Vec::new(), 0, 0);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let (once, again) = read(&stream, missed).await?;
        rates.push(once as f64 / began.elapsed().as_secs_f64());
        delivered += once;
        repeated += again;
    }
    process.kill().await?;
    Ok(json!({
        "recovery_events_per_second": median(&mut rates),
        "recovered_percent":
            rounded(100.0 * delivered as f64 / (ROUNDS as u64 * missed) as f64, 4),
        "duplicates_or_out_of_order": repeated,
    }))
}

async fn connect(url: &str) -> Result<async_nats::Client> {
    let deadline = Instant::now() + MESSAGE_TIMEOUT;
    loop {
        match async_nats::connect(url).await {
            Ok(client) => return Ok(client),
            Err(error) if Instant::now() > deadline => return Err(error).context(url.to_owned()),
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn publish(context: &jetstream::Context, count: u64) -> Result<()> {
    let mut unacknowledged = Vec::new();
    for number in 1..=count {
        let payload = format!("{number:0EVENT_BYTES$}");
        unacknowledged.push(context.publish("load", payload.into()).await?);
        if number % UNACKNOWLEDGED == 0 || number == count {
            for acknowledgement in unacknowledged.drain(..) {
                acknowledgement.await?;
            }
        }
    }
    Ok(())
}

/// The numbers of messages in order and out of order.
async fn read(stream: &Stream, count: u64) -> Result<(u64, u64)> {
    let deliver_policy = DeliverPolicy::ByStartSequence { start_sequence: 1 };
    let config = OrderedConfig { deliver_policy, ..OrderedConfig::default() };
    let mut messages = stream.create_consumer(config).await?.messages().await?;
    let (mut once, mut again) = (0, 0);
    while once < count {
        let message =
            timeout(MESSAGE_TIMEOUT, messages.next()).await?.context("the stream ended")??;
        let info = message.info().map_err(|error| anyhow::anyhow!(error))?;
        ensure!(message.payload.len() == EVENT_BYTES, "another message");
        if info.stream_sequence == once + 1 { once += 1 } else { again += 1 }
    }
    Ok((once, again))
}
