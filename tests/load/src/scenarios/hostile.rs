//! Hostile: one user does at once what a server must survive, while 200 clients of other users follow their
//! campaigns. Their events must arrive within a second, and the memory of the server must stay within its
//! budget. Without limits, each of these attacks alone took gigabytes or stopped the server.

mod attacks;

use std::cell::Cell;
use std::fs;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use self::attacks::{Attack, Counts};
use super::ScenarioResult;
use crate::crowd::{ClientBehaviour, Protocol, SubscriberPool};
use crate::http::Http;
use crate::plan::Plan;
use crate::server::Server;
use crate::tally::DeliveryCounts;

/// The users of honest clients, and their clients. Each user has one campaign.
const HONEST: usize = 10;
const HONEST_CLIENTS: usize = 200;

/// Rows per second of an honest campaign, each in one event.
const RATE: u64 = 2;

/// The name of the hostile user, and the password of all users, with its hash of low cost (`argon2 SALT -id
/// -t 1 -k 64 -p 1 -e`).
const HOSTILE: &str = "mallory";
const PASSWORD: &str = "load";
const HASH: &str =
    "$argon2id$v=19$m=64,t=1,p=1$c2FsdC1vZi1ob25lc3Q$mAyccxN55D09DCIIbP00TELKIyyMHRH5/xVSAz9qYlI";

/// The budget of an event's age at the honest clients, in milliseconds, and of the memory that the attacks
/// may cost: the default of `--max-bytes-in-flight`.
const P99_MS_MAX: u64 = 1_000;
const GROWTH_MAX: u64 = 256 * 1024 * 1024;

/// The numbers of attackers of each kind.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    /// Rows of the hostile campaign.
    rows: u64,
    /// Downloads over REST that are never read.
    downloads: usize,
    /// Sockets that request different rows and never read.
    repairs: usize,
    /// Searches at one time.
    searches: usize,
    /// Sockets that ping with many subscriptions and request digests.
    pingers: usize,
    /// Subscriptions of each of them.
    subscriptions: usize,
    /// Connections that send their request slowly.
    slow_heads: usize,
}

const FULL: Sizes = Sizes {
    rows: 200_000,
    downloads: 60,
    repairs: 64,
    searches: 490,
    pingers: 16,
    subscriptions: 256,
    slow_heads: 600,
};

const SMOKE: Sizes = Sizes {
    rows: 5_000,
    downloads: 5,
    repairs: 5,
    searches: 20,
    pingers: 2,
    subscriptions: 16,
    slow_heads: 20,
};

pub(crate) async fn run(plan: &Plan) -> Result<ScenarioResult> {
    let (sizes, seconds) = (plan.scaled(FULL, SMOKE), plan.seconds.min(30));
    let directory = plan.work.join("hostile");
    fs::create_dir_all(&directory)?;
    let names = (0..HONEST).map(|user| format!("honest-{user}")).chain([HOSTILE.to_owned()]);
    let users: String = names.map(|name| format!("{name}:{HASH}\n")).collect();
    fs::write(directory.join("users"), users)?;
    let mut server = Server::start(plan, "hostile", &["--users", "users"]).await?;
    let honest = honest_campaigns(&mut server, seconds).await?;
    let attack = prepare(&mut server, sizes).await?;

    let crowd = Rc::new(SubscriberPool::of_users(honest.clone()));
    let behaviour = ClientBehaviour { pings: true, returns: false, after: 0 };
    let protocol = |index: usize| Protocol::Ours {
        campaigns: vec![campaign_of(index % HONEST)],
        replay: true,
    };
    let tasks = crowd.gather(HONEST_CLIENTS, server.address, behaviour, protocol).await?;
    let counts = Rc::new(Counts::default());
    let calm = measure(&mut server, &honest, &crowd, 0, 2).await?;
    let before = server.process.usage()?;
    let mut attackers = attack.begin(&counts);
    // The attackers connect before the honest campaigns begin, so every event meets the full attack.
    sleep(Duration::from_secs(plan.scaled(3, 1))).await;
    crowd.tally.borrow_mut().forget_ages();
    let peak = watch(&mut server, &honest, seconds).await?;
    let expected = delivered(&mut server, &honest, &crowd).await?;
    let cpu = server.process.usage()?.cpu - before.cpu;
    attackers.drain(..).chain(tasks).for_each(|task| task.abort());

    let details = json!({
        "seconds": seconds,
        "rss_before": before.rss,
        "rss_peak": peak.rss,
        "cpu_seconds": super::rounded(cpu, 2),
        "rest_requests": peak.requests,
        "rest_slowest_ms": peak.slowest_ms,
        "rest_slowest_ms_before": calm.slowest_ms,
        "attacks": counts.shown(),
    });
    let growth = peak.rss.saturating_sub(before.rss);
    let found = evaluate(plan, &crowd.tally.borrow(), expected, growth, details);
    server.stop().await?;
    Ok(found)
}

fn evaluate(
    plan: &Plan,
    tally: &DeliveryCounts,
    expected: u64,
    growth: u64,
    mut details: Value,
) -> ScenarioResult {
    let p99_ms = tally.age_ms(0.99);
    details["honest_clients"] = json!(HONEST_CLIENTS);
    details["honest_events"] = json!(tally.delivered);
    details["honest_p50_ms"] = json!(tally.age_ms(0.50));
    let figures =
        vec![("hostile_honest_p99_ms", json!(p99_ms)), ("hostile_rss_growth", json!(growth))];
    let mut found = ScenarioResult { figures, details, ..ScenarioResult::default() };
    found.expect_whole("hostile", tally, expected);
    if !plan.smoke && p99_ms >= P99_MS_MAX {
        found.broken.push(format!("hostile: events arrive after {p99_ms} ms"));
    }
    if growth > GROWTH_MAX {
        found.broken.push(format!("hostile: the attacks cost {growth} bytes"));
    }
    found
}

fn campaign_of(user: usize) -> String {
    format!("honest-{user}")
}

async fn login(server: &mut Server, user: &str) -> Result<String> {
    let body = json!({"user": user, "password": PASSWORD, "bearer": true});
    let answer = server.http.ask("POST", "/auth/login", Some(body)).await?;
    Ok(answer["token"].as_str().context("no token")?.to_owned())
}

/// Logs the honest users in, and creates their campaigns. Returns their tokens.
async fn honest_campaigns(server: &mut Server, seconds: u64) -> Result<Vec<String>> {
    let mut tokens = Vec::new();
    for user in 0..HONEST {
        server.http = Http::connect(server.address).await?;
        let token = login(server, &format!("honest-{user}")).await?;
        server.http = Http::authorised(server.address, &token).await?;
        server.create(&campaign_of(user), RATE * seconds, RATE).await?;
        tokens.push(token);
    }
    Ok(tokens)
}

/// Logs the hostile user in, creates its campaigns, and generates the rows of the large one.
async fn prepare(server: &mut Server, sizes: Sizes) -> Result<Attack> {
    server.http = Http::connect(server.address).await?;
    let token = login(server, HOSTILE).await?;
    // The sockets of one session are limited; a user may have several sessions.
    let second = login(server, HOSTILE).await?;
    server.http = Http::authorised(server.address, &token).await?;
    let large = json!({"campaignId": "large", "name": "large", "count": sizes.rows, "rate": 1_000_000,
        "batch": 1_000, "seed": 1});
    server.http.ask("POST", "/campaigns", Some(large)).await?;
    server.begin("large").await?;
    let head = server.completed("large").await?;
    for index in 0..sizes.subscriptions {
        server.create(&format!("small-{index}"), 10, 1).await?;
    }
    Ok(Attack { to: server.address, tokens: [token, second], head, sizes })
}

/// The memory and the REST requests of an honest user, while something else happens.
#[derive(Debug, Default)]
struct Observed {
    rss: u64,
    requests: u64,
    slowest_ms: u64,
}

/// Observes the server for some seconds, with a request of an honest user every quarter of a second.
async fn measure(
    server: &mut Server,
    honest: &[String],
    crowd: &SubscriberPool,
    least: u64,
    seconds: u64,
) -> Result<Observed> {
    crowd.delivered(least).await?;
    let slowest_ms = Rc::new(Cell::new((0, 0)));
    let poller = poll(server, &honest[0], slowest_ms.clone()).await?;
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut rss = 0;
    while Instant::now() < until && !poller.is_finished() {
        rss = server.process.usage()?.rss.max(rss);
        sleep(Duration::from_millis(100)).await;
    }
    if poller.is_finished() {
        poller.await??;
    } else {
        poller.abort();
    }
    let (requests, slowest_ms) = slowest_ms.get();
    Ok(Observed { rss, requests, slowest_ms })
}

async fn poll(
    server: &Server,
    token: &str,
    seen: Rc<Cell<(u64, u64)>>,
) -> Result<JoinHandle<Result<()>>> {
    let mut http = Http::authorised(server.address, token).await?;
    Ok(tokio::task::spawn_local(async move {
        loop {
            let began = Instant::now();
            http.ask("GET", "/campaigns/honest-0", None).await?;
            http.ask("GET", "/campaigns/honest-0/domains?limit=50", None).await?;
            let (requests, slowest) = seen.get();
            seen.set((requests + 2, slowest.max(began.elapsed().as_millis() as u64)));
            sleep(Duration::from_millis(250)).await;
        }
    }))
}

/// Begins the honest campaigns, and observes the server until they should have ended.
async fn watch(server: &mut Server, honest: &[String], seconds: u64) -> Result<Observed> {
    for (user, token) in honest.iter().enumerate() {
        server.http = Http::authorised(server.address, token).await?;
        server.begin(&campaign_of(user)).await?;
    }
    measure(server, honest, &SubscriberPool::default(), 0, seconds).await
}

/// Waits until the honest clients have all events. Returns their number.
async fn delivered(server: &mut Server, honest: &[String], crowd: &SubscriberPool) -> Result<u64> {
    let mut expected = 0;
    for (user, token) in honest.iter().enumerate() {
        server.http = Http::authorised(server.address, token).await?;
        let head = server.completed(&campaign_of(user)).await?;
        expected += head * (HONEST_CLIENTS / HONEST) as u64;
    }
    crowd.delivered(expected).await?;
    Ok(expected)
}

/// The counts of a map as JSON.
fn counted<'a>(counts: impl IntoIterator<Item = (&'a u16, &'a u64)>) -> Value {
    counts.into_iter().map(|(status, count)| (status.to_string(), json!(count))).collect()
}
