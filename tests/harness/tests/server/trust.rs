//! Clients learn nothing about each other, and take nothing from each other.

use std::net::IpAddr;

use campaign_sync::protocol::digest::id_hash;
use campaign_sync_harness::access::users::{Users, is_name};
use campaign_sync_harness::access::{Access, Identity, token_hash};
use serde_json::{Value, json};

use super::core::at;
use super::sessions::{PASSWORD, asks, asks_with, bearer, creates, follows, guarded, user};
use super::shared_sessions::{guarded_at, nats};
use super::support::{Answer, Client, Server, answer};

fn hashes(names: &[&str]) -> Vec<(String, String)> {
    let pair = |name: &&str| {
        let line = user(name);
        let (name, hash) = line.trim().split_once(':').unwrap();
        (name.to_owned(), hash.to_owned())
    };
    names.iter().map(pair).collect()
}

/// The hashes of the file have cheap parameters; the defaults of the library would cost thousands of times as
/// much.
#[test]
fn unknown_name_costs_a_check_with_the_parameters_of_the_file() {
    let hashes = hashes(&["ada-l", "bob-m", "eve-n"]);
    let users = Users::new(hashes.iter().cloned().collect());
    for (name, hash) in &hashes {
        assert_eq!(users.hash_for(name), Some(&**hash));
        assert!(users.matches(name, PASSWORD) && !users.matches(name, "wrong"));
    }
    let mut used = std::collections::BTreeSet::new();
    for n in 0..200 {
        let name = format!("made-up-{n}");
        let hash = users.hash_for(&name).expect("a check that takes time");
        assert!(hashes.iter().any(|(_, it)| it == hash), "{hash}");
        assert_eq!(users.hash_for(&name), Some(hash), "the same at every attempt");
        assert!(!users.matches(&name, PASSWORD), "the password of another user opens nothing");
        used.insert(hash.to_owned());
    }
    assert_eq!(used.len(), hashes.len(), "if the parameters differ, so do those of unknown names");
}

#[test]
fn names_of_other_identities_are_reserved() {
    for name in ["operator", "Operator", "anonymous", "server", "", "a b", "a/b", "a:b"] {
        assert!(!is_name(name), "{name}");
    }
    assert!(is_name("ada-l") && is_name("operators"));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("users");
    std::fs::write(&file, format!("{}{}", user("ada-l"), user("operator"))).unwrap();
    let problem = campaign_sync_harness::access::users::read(&file).unwrap_err();
    assert!(problem.ends_with("line 2: the name operator is reserved"), "{problem}");
}

/// The users file of a former release may have had such a user, whose stored answers are still there.
#[test]
fn no_user_shares_the_idempotency_keys_of_another_identity() {
    let spaces: Vec<String> = ["operator", "anonymous", ":operator"]
        .map(|name| {
            let users = [(name.to_owned(), String::new())].into();
            let access = Access::with(None, Some(users), 60);
            let (token, entry) = access.issue(at(0), name);
            access.apply(at(0), &token_hash(&token), Some(entry));
            access.identify(0, Some(&token)).unwrap().key_space()
        })
        .into();
    for other in [Identity::Operator, Identity::Anyone] {
        assert!(!spaces[..2].contains(&other.key_space()));
        assert!(!is_name(&other.key_space()), "no users file has a user of this name");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operator_and_user_get_their_own_answers_to_one_key() {
    let server = guarded(|_| {}).await;
    let ada = bearer(&server, "ada-l").await;
    let mut ids = Vec::new();
    for token in ["operator-token", &*ada, "operator-token", &*ada] {
        ids.push(keyed(&server, token, "k1").await);
    }
    assert_eq!((&ids[0], &ids[1]), (&ids[2], &ids[3]));
    assert_ne!(ids[0], ids[1]);
}

async fn keyed(server: &Server, token: &str, key: &str) -> String {
    let request = reqwest::Client::new().post(server.url("/campaigns")).bearer_auth(token);
    let request = request.header("idempotency-key", key);
    let done = answer(request.body(json!({"name": "one", "count": 5}).to_string())).await;
    assert_eq!(done.status, 201, "{}", done.body);
    done.body["campaign"]["campaignId"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn id_of_a_keyed_campaign_does_not_follow_from_its_key() {
    let mut ids = Vec::new();
    for _ in 0..2 {
        let server = guarded(|_| {}).await;
        let ada = bearer(&server, "ada-l").await;
        ids.push(keyed(&server, &ada, "k1").await);
        assert_eq!(keyed(&server, &ada, "k1").await, ids[ids.len() - 1], "once per key");
    }
    assert_ne!(ids[0], ids[1], "two servers, the same user and key");
    assert!(!ids.contains(&format!("c-{:016x}", id_hash("ada-l/k1"))));
    assert!(ids.iter().all(|id| id.len() == 34), "128 bits: {ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keyed_campaign_has_one_id_on_every_server_of_a_log() {
    let nats = nats().await;
    let (one, other) = (guarded_at(&nats.place()).await, guarded_at(&nats.place()).await);
    let ada = bearer(&one, "ada-l").await;
    let (first, second) = tokio::join!(keyed(&one, &ada, "k1"), keyed(&other, &ada, "k1"));
    assert_eq!(first, second);
    assert_ne!(first, keyed(&one, &ada, "k2").await);
}

/// Posts a login from this address of the loopback network.
async fn login_from(server: &Server, address: [u8; 4], body: &Value) -> Answer {
    let client = reqwest::Client::builder().local_address(IpAddr::from(address)).build().unwrap();
    answer(client.post(server.url("/auth/login")).body(body.to_string())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn flood_of_made_up_names_locks_nobody_else_out() {
    let server = std::sync::Arc::new(guarded(|_| {}).await);
    let mut flood = tokio::task::JoinSet::new();
    for n in 0..300 {
        let server = server.clone();
        flood.spawn(async move {
            let made_up = json!({"user": format!("made-up-{n}"), "password": "wrong"});
            login_from(&server, [127, 0, 0, 9], &made_up).await.status
        });
    }
    let right = json!({"user": "ada-l", "password": PASSWORD, "bearer": true});
    for _ in 0..10 {
        let login = login_from(&server, [127, 0, 0, 2], &right).await;
        assert_eq!(login.status, 200, "during the flood: {}", login.body);
    }
    let statuses = flood.join_all().await;
    let of = |status| statuses.iter().filter(|it| **it == status).count();
    assert_eq!(of(401) + of(429), 300);
    assert!(of(429) > 100, "an address has sixty attempts, and one more each second: {}", of(401));
}

#[tokio::test(flavor = "multi_thread")]
async fn trusted_proxy_names_the_address_that_is_limited() {
    let from = async |server: &Server, forwarded: String| {
        let wrong = json!({"user": format!("x{forwarded}"), "password": "wrong"}).to_string();
        let request = reqwest::Client::new().post(server.url("/auth/login"));
        answer(request.header("x-forwarded-for", forwarded).body(wrong)).await.status
    };
    // An address has sixty attempts, and one more each second.
    let is_limited = async |server: &Server, forwarded: &dyn Fn(usize) -> String| {
        for n in 0..600 {
            match from(server, forwarded(n)).await {
                429 => return n >= 60,
                status => assert_eq!(status, 401),
            }
        }
        false
    };
    let trust = ["127.0.0.1".parse().unwrap()];
    let behind = guarded(|options| options.trusted_proxy = trust.to_vec()).await;
    // A client may send this header, too; the proxy appends the address.
    assert!(is_limited(&behind, &|n| format!("203.0.113.{n}, 198.51.100.1")).await);
    assert_eq!(from(&behind, "198.51.100.2".to_owned()).await, 401);
    let direct = guarded(|_| {}).await;
    let is_judged_by_peer = is_limited(&direct, &|n| format!("198.51.100.{n}")).await;
    assert!(is_judged_by_peer, "anybody can send that header");
}

/// Everything that a new owner receives of a campaign.
async fn received(client: &mut Client, events: usize) -> String {
    let mut text = String::new();
    for _ in 0..events {
        text += &client.document().await;
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn replay_contains_no_name_of_an_owner() {
    let nats = nats().await;
    for server in [guarded(|_| {}).await, guarded_at(&nats.place()).await] {
        let ada = bearer(&server, "ada-l").await;
        creates(&server, &ada, "c1").await;
        let given = json!({"owner": "bob-m"});
        let url = "/campaigns/c1/owner";
        assert_eq!(asks_with(&server, &ada, "PUT", url, given).await.status, 200);
        let bob = bearer(&server, "bob-m").await;
        let mut client = follows(&server, &bob, "c1").await;
        let text = received(&mut client, 2).await;
        assert!(text.contains("\"action\":\"create\"") && text.contains("\"action\":\"update\""));
        for name in ["ada-l", "bob-m", "owner"] {
            assert!(!text.contains(name), "{name} is in {text}");
        }
        assert_eq!(asks(&server, &ada, "GET", "/campaigns/c1").await.status, 404);
        let settings = asks(&server, &bob, "GET", "/campaigns/c1").await.body["settings"].clone();
        assert_eq!(settings["owner"], "bob-m");
    }
    // A server without a copy reads the owner from the stream.
    let fresh = guarded_at(&nats.place()).await;
    let (ada, bob) = (bearer(&fresh, "ada-l").await, bearer(&fresh, "bob-m").await);
    assert_eq!(asks(&fresh, &ada, "GET", "/campaigns/c1").await.status, 404);
    assert_eq!(asks(&fresh, &bob, "GET", "/campaigns/c1").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn logout_by_cookie_must_name_its_origin() {
    let server = guarded(|_| {}).await;
    let login = json!({"user": "ada-l", "password": PASSWORD}).to_string();
    let request = reqwest::Client::new().post(server.url("/auth/login")).body(login);
    let response = request.send().await.unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    let cookie = cookie.split(';').next().unwrap();
    let logout =
        || reqwest::Client::new().post(server.url("/auth/logout")).header("cookie", cookie);
    let reads = async || {
        let get = reqwest::Client::new().get(server.url("/campaigns")).header("cookie", cookie);
        answer(get).await.status
    };
    assert_eq!(answer(logout()).await.code(), (403, "forbidden"));
    let foreign = logout().header("origin", "https://evil.example");
    assert_eq!(answer(foreign).await.code(), (403, "forbidden"));
    assert_eq!(reads().await, 200, "the session goes on");
    let own = logout().header("origin", format!("http://{}", server.address));
    assert_eq!(answer(own).await.status, 200);
    assert_eq!(reads().await, 401);
    let ada = bearer(&server, "ada-l").await;
    let bearer_logout = reqwest::Client::new().post(server.url("/auth/logout")).bearer_auth(&ada);
    assert_eq!(answer(bearer_logout).await.status, 200, "a token is not sent by browsers");
    assert_eq!(asks(&server, &ada, "GET", "/campaigns").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn scheme_of_authorization_is_case_insensitive() {
    let server = Server::with(|options| options.token = Some("s3cret".into())).await;
    let with = async |value: &str| {
        let get = reqwest::Client::new().get(server.url("/campaigns"));
        answer(get.header("authorization", value)).await.status
    };
    for value in ["Bearer s3cret", "bearer s3cret", "BEARER s3cret", "bEaReR  s3cret"] {
        assert_eq!(with(value).await, 200, "{value}");
    }
    for value in
        ["Bearer", "Bearers3cret", "Basic s3cret", "Bearer S3CRET", "s3cret", "Bearer s3cret x"]
    {
        assert_eq!(with(value).await, 401, "{value}");
    }
}
