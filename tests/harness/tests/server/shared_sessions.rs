//! Sessions on several servers of one log: a login is valid on every server, and its end applies on every
//! server.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use campaign_sync_harness::access::{Access, Entry, SESSIONS_MAX, token_hash};
use campaign_sync_harness::log::place::LogPlace;
use campaign_sync_harness::options::Options;
use campaign_sync_harness::session::Step;
use campaign_sync_support::MemoryLog;
use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::core::{CoreFixture, at, kind};
use super::nats::{Nats, WAIT_TIMEOUT};
use super::sessions::{PASSWORD, asks, bearer, connects, creates, follows, guarded, user};
use super::support::{Answer, Client, Server};

/// The time within which a revocation takes effect on every server, as the contract promises.
const PROMISED: Duration = Duration::from_secs(5);

pub(crate) async fn nats() -> Nats {
    tokio::task::spawn_blocking(Nats::start).await.unwrap()
}

pub(crate) async fn guarded_at(place: &str) -> Server {
    let place: LogPlace = place.parse().unwrap();
    guarded(|options| options.log = Some(place)).await
}

pub(crate) async fn two(nats: &Nats) -> (Server, Server) {
    (guarded_at(&nats.place()).await, guarded_at(&nats.place()).await)
}

pub(crate) async fn session_revocation(client: &mut Client) {
    let ended = async {
        client.control("session_expired").await;
        client.closed().await
    };
    let closed = tokio::time::timeout(PROMISED, ended).await.expect("within five seconds");
    assert_eq!(closed, Some(4401));
}

pub(crate) async fn logs_in(server: &Server) -> Answer {
    let body = json!({"user": "ada-l", "password": PASSWORD, "bearer": true});
    server.post("/auth/login", body).await
}

pub(crate) async fn revokes(server: &Server) -> Answer {
    asks(server, "operator-token", "DELETE", "/auth/sessions/ada-l").await
}

/// A connection to the cluster that can be cut.
pub(crate) struct Line {
    pub(crate) address: String,
    pub(crate) is_cut: Arc<watch::Sender<bool>>,
}

impl Line {
    pub(crate) async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let is_cut = Arc::new(watch::Sender::new(false));
        let state = is_cut.clone();
        tokio::spawn(async move {
            loop {
                let Ok((mut near, _)) = listener.accept().await else { return };
                let (mut cut, target) = (state.subscribe(), target.clone());
                tokio::spawn(async move {
                    if *cut.borrow() {
                        return;
                    }
                    let Ok(mut far) = TcpStream::connect(target).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = cut.wait_for(|cut| *cut) => {}
                    }
                });
            }
        });
        Self { address, is_cut }
    }
}

/// A server's session without a network, for one user.
fn alone() -> CoreFixture {
    let users = [("ada-l".to_owned(), String::new())].into();
    CoreFixture::with(
        Arc::new(MemoryLog::new("epoch-1")),
        Access::with(None, Some(users), 60).shared(),
    )
}

fn greets(fixture: &mut CoreFixture, token: &str) {
    fixture
        .say(json!({"type": "connection_init", "protocols": ["campaign-sync.v1"], "token": token}));
    fixture.say(json!({"type": "ping", "payload": {"timestamp": 7}}));
}

#[test]
fn socket_with_an_unknown_token_waits_for_a_lookup() {
    let token = "a".repeat(64);
    let mut fixture = alone();
    greets(&mut fixture, &token);
    assert_eq!(fixture.step(), Step::LookUpSession);
    let entry = Entry { user: "ada-l".into(), expires_ms: at(1_000).wall_ms };
    fixture.context.access.apply(at(0), &token_hash(&token), Some(entry));
    fixture.session.lookup_succeeded(true);
    let kinds: Vec<_> = fixture.hear().iter().map(|it| kind(it)).collect();
    assert_eq!(kinds, ["connection_ack", "pong"], "what was said meanwhile is answered after it");

    for (reached, close) in [(true, (4401, "unauthorized")), (false, (1011, "internal"))] {
        let mut fixture = alone();
        greets(&mut fixture, &token);
        assert_eq!(fixture.step(), Step::LookUpSession);
        fixture.session.lookup_succeeded(reached);
        let Step::Frame(error) = fixture.step() else { panic!("nothing is said") };
        assert_eq!(kind(&error.text.to_string()), "error");
        assert_eq!(fixture.step(), Step::Close(close.0, close.1));
    }
}

#[test]
fn oldest_sessions_of_a_user_are_selected_on_every_server() {
    let fixture = alone();
    let access = &fixture.context.access;
    let hash = |n: u64| token_hash(&n.to_string());
    for n in 0..40 {
        let entry = Entry { user: "ada-l".into(), expires_ms: at(1_000 + n).wall_ms };
        access.apply(at(0), &hash(n), Some(entry));
    }
    let oldest: Vec<_> = (0..9).rev().map(hash).collect();
    assert_eq!(access.sessions_of(0, "ada-l", SESSIONS_MAX - 1), oldest, "one more fits");
    assert_eq!(access.sessions_of(1_030, "ada-l", 0).len(), 9, "those that are over do not count");
    assert_eq!(access.sessions_of(0, "bob-m", 0), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn login_is_valid_on_every_server_at_once() {
    let nats = nats().await;
    let (one, other) = two(&nats).await;
    let ada = bearer(&one, "ada-l").await;
    creates(&one, &ada, "c1").await;
    assert_eq!(asks(&other, &ada, "GET", "/campaigns/c1").await.status, 200);
    let mut client = follows(&other, &ada, "c1").await;
    client.document().await;
    // The test does not wait until the other server has received the session, neither for REST nor for the
    // socket.
    for _ in 0..4 {
        let token = bearer(&one, "bob-m").await;
        assert_eq!(asks(&other, &token, "GET", "/campaigns").await.status, 200);
        connects(&other, &bearer(&one, "bob-m").await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_closes_the_sockets_on_every_server() {
    let nats = nats().await;
    let (one, other) = two(&nats).await;
    let (here, there) = (bearer(&one, "ada-l").await, bearer(&other, "ada-l").await);
    let bob = bearer(&one, "bob-m").await;
    creates(&one, &here, "c1").await;
    let mut clients = [
        follows(&one, &here, "c1").await,
        follows(&other, &here, "c1").await,
        follows(&other, &there, "c1").await,
    ];
    let mut stays = connects(&other, &bob).await;
    for client in &mut clients {
        client.document().await;
    }
    let ended = revokes(&one).await;
    assert_eq!((ended.status, ended.body), (200, json!({"ended": 2})));
    for client in &mut clients {
        session_revocation(client).await;
    }
    for (server, token) in [(&one, &here), (&one, &there), (&other, &here), (&other, &there)] {
        assert_eq!(asks(server, token, "GET", "/campaigns").await.code(), (401, "unauthorized"));
    }
    stays.say(json!({"type": "ping"})).await;
    stays.control("pong").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logout_ends_the_session_on_every_server() {
    let nats = nats().await;
    let (one, other) = two(&nats).await;
    let ada = bearer(&one, "ada-l").await;
    let mut client = connects(&one, &ada).await;
    assert_eq!(asks(&other, &ada, "POST", "/auth/logout").await.status, 200);
    session_revocation(&mut client).await;
    assert_eq!(asks(&one, &ada, "GET", "/campaigns").await.code(), (401, "unauthorized"));
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnected_server_claims_nothing_and_catches_up() {
    let nats = nats().await;
    let line = Line::to(nats.addresses()[0].clone()).await;
    let (one, other) =
        (guarded_at(&nats.place()).await, guarded_at(&format!("nats://{}", line.address)).await);
    let ada = bearer(&one, "ada-l").await;
    let bob = bearer(&other, "bob-m").await;
    let mut client = connects(&other, &ada).await;
    line.is_cut.send_replace(true);
    assert_eq!(logs_in(&other).await.code(), (503, "internal"));
    assert_eq!(revokes(&other).await.code(), (503, "internal"));
    assert_eq!(asks(&other, &bob, "POST", "/auth/logout").await.code(), (503, "internal"));
    assert_eq!(asks(&other, &"0".repeat(64), "GET", "/campaigns").await.code(), (503, "internal"));
    assert_eq!(revokes(&one).await.body, json!({"ended": 1}));
    // Sessions that the server knows stay valid.
    for token in [&ada, &bob] {
        assert_eq!(asks(&other, token, "GET", "/campaigns").await.status, 200);
    }
    client.say(json!({"type": "ping"})).await;
    client.control("pong").await;
    line.is_cut.send_replace(false);
    session_revocation(&mut client).await;
    assert_eq!(asks(&other, &ada, "GET", "/campaigns").await.code(), (401, "unauthorized"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_killed_between_login_and_revocation_loses_neither() {
    let mut nats = tokio::task::spawn_blocking(Nats::cluster).await.unwrap();
    let (one, other) = two(&nats).await;
    let ada = bearer(&one, "ada-l").await;
    let mut client = connects(&other, &ada).await;
    nats.kill(nats.leader_of("campaign-sync-sessions").await);
    let until = Instant::now() + WAIT_TIMEOUT;
    // Without a leader the revocation is refused and ends no session.
    while revokes(&one).await.status != 200 {
        assert!(Instant::now() < until, "the cluster never has another leader");
    }
    session_revocation(&mut client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_tokens_are_refused_with_few_cluster_lookups() {
    let nats = nats().await;
    let place: LogPlace = nats.place().parse().unwrap();
    let one = guarded_at(&nats.place()).await;
    let other = guarded(|options| {
        options.log = Some(place);
        options.metrics = Some(std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
    })
    .await;
    let started = Instant::now();
    let guess = |n: u64| {
        let url = other.url("/campaigns");
        async move {
            let request = reqwest::Client::new().get(url).bearer_auth(format!("{n:064x}"));
            super::support::answer(request).await.status
        }
    };
    let guesses = futures_util::future::join_all((0..300).map(guess));
    let honest = async { asks(&other, &bearer(&one, "ada-l").await, "GET", "/campaigns").await };
    let (statuses, honest) = tokio::join!(guesses, honest);
    assert!(statuses.iter().all(|status| *status == 401), "{statuses:?}");
    assert_eq!(honest.status, 200, "a user who is logged in is not refused");
    let tenths = started.elapsed().as_millis() as u64 / 100;
    let metrics = other.metrics().await;
    let asked =
        metrics.lines().find_map(|it| it.strip_prefix("campaign_sync_session_lookups_total "));
    let asked: u64 = asked.expect("it is counted").parse().unwrap();
    assert!((1..=tenths + 1).contains(&asked), "{asked} in {tenths} tenths of a second");
    // A string without the form of a token causes no lookup.
    assert_eq!(asks(&other, "made up", "GET", "/campaigns").await.status, 401);
    let mut client = Client::silent(&other.address).await;
    client
        .say(json!({"type": "connection_init", "protocols": ["campaign-sync.v1"],
        "token": "f".repeat(64)}))
        .await;
    assert_eq!(client.control("error").await["code"], "unauthorized");
    assert_eq!(client.closed().await, Some(4401));
}

fn holds(directory: &Path, what: &[u8]) -> bool {
    std::fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => holds(&path, what),
            false => std::fs::read(&path).unwrap().windows(what.len()).any(|it| it == what),
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn cluster_stores_a_hash_of_the_token_and_never_the_token() {
    let nats = nats().await;
    let one = guarded_at(&nats.place()).await;
    let token = bearer(&one, "ada-l").await;
    let directory = nats.file("n0");
    assert!(holds(&directory, token_hash(&token).as_bytes()));
    assert!(holds(&directory, b"ada-l"));
    assert!(!holds(&directory, token.as_bytes()));
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_log_seals_sessions_and_rejects_forged_ones() {
    let nats = nats().await;
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("keys");
    std::fs::write(&keys, "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").unwrap();
    let place: LogPlace = nats.place().parse().unwrap();
    let sealed = |options: &mut Options| {
        options.log = Some(place.clone());
        options.encrypt_keys = Some(keys.clone());
    };
    let (one, other) = (guarded(sealed).await, guarded(sealed).await);
    let ada = bearer(&one, "ada-l").await;
    assert_eq!(asks(&other, &ada, "GET", "/campaigns").await.status, 200);
    assert!(!holds(&nats.file("n0"), b"ada-l"));
    let client = async_nats::connect(nats.addresses()).await.unwrap();
    let context = async_nats::jetstream::new(client);
    let forged = "e".repeat(64);
    let subject = |token: &str| format!("campaign-sync.session.{}", token_hash(token));
    let stream = context.get_stream("campaign-sync-sessions").await.unwrap();
    let genuine = stream.get_last_raw_message_by_subject(&subject(&ada)).await.unwrap();
    let plain = json!({"user": "ada-l", "expiresMs": 4_000_000_000_000_u64}).to_string();
    // Neither a plain entry nor an entry that was sealed for another token is accepted.
    for payload in [plain.into(), genuine.payload] {
        let sent = context.publish(subject(&forged), payload).await.unwrap();
        sent.await.unwrap();
        assert_eq!(asks(&other, &forged, "GET", "/campaigns").await.status, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recreated_session_stream_revokes_missing_sessions() {
    let nats = nats().await;
    let one = guarded_at(&nats.place()).await;
    let mut client = connects(&one, &bearer(&one, "ada-l").await).await;
    let context = async_nats::jetstream::new(async_nats::connect(nats.addresses()).await.unwrap());
    context.delete_stream("campaign-sync-sessions").await.unwrap();
    assert_eq!(logs_in(&one).await.code(), (503, "internal"));
    let other = guarded_at(&nats.place()).await;
    session_revocation(&mut client).await;
    let ada = bearer(&other, "ada-l").await;
    assert_eq!(asks(&one, &ada, "GET", "/campaigns").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn session_expires_on_every_server_at_once() {
    let nats = nats().await;
    let place: LogPlace = nats.place().parse().unwrap();
    let brief = |options: &mut Options| {
        options.log = Some(place.clone());
        options.session_seconds = 2;
    };
    let (one, other) = (guarded(brief).await, guarded(brief).await);
    let ada = bearer(&one, "ada-l").await;
    let mut client = connects(&other, &ada).await;
    session_revocation(&mut client).await;
    assert_eq!(asks(&other, &ada, "GET", "/campaigns").await.code(), (401, "unauthorized"));
}

#[tokio::test(flavor = "multi_thread")]
async fn restarted_server_knows_sessions_except_of_removed_users() {
    let nats = nats().await;
    let place: LogPlace = nats.place().parse().unwrap();
    let mut one = guarded_at(&nats.place()).await;
    let (ada, bob) = (bearer(&one, "ada-l").await, bearer(&one, "bob-m").await);
    let over = bearer(&one, "ada-l").await;
    assert_eq!(asks(&one, &over, "POST", "/auth/logout").await.status, 200);
    one.stop().await;
    let users = nats.file("users");
    std::fs::write(&users, user("ada-l")).unwrap();
    one.restart(|options| {
        (options.log, options.users) = (Some(place), Some(users));
        options.token = Some("operator-token".into());
    })
    .await;
    let statuses = [&ada, &bob, &over].map(|token| asks(&one, token, "GET", "/campaigns"));
    let statuses = futures_util::future::join_all(statuses).await;
    assert_eq!(statuses.iter().map(|it| it.status).collect::<Vec<_>>(), [200, 401, 401]);
}
