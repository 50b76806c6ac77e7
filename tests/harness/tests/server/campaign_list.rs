//! The list of campaigns: pages, and the campaigns of the caller only. The address of a new campaign.

use campaign_sync::protocol::CampaignId;
use campaign_sync::protocol::campaign::CampaignRecord;
use campaign_sync_harness::campaign::drafts;
use campaign_sync_harness::log::{CampaignQuery, Draft, LogError, RowQuery, Settings};
use serde_json::{Value, json};

use super::log::{NOW, on_every_log};
use super::sessions::{asks, bearer, creates, guarded};
use super::support::{Server, answer};

fn ids(body: &Value) -> Vec<&str> {
    let campaigns = body["campaigns"].as_array().unwrap().iter();
    campaigns.map(|it| it["campaignId"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_the_cursor_and_hold_each_campaign_once() {
    let server = Server::start().await;
    let names: Vec<String> = (0..25).map(|n| format!("c-{n:02}")).collect();
    for id in &names {
        let new = json!({"campaignId": id, "name": id, "count": 5});
        assert_eq!(server.post("/campaigns", new).await.status, 201);
    }
    server.delete("/campaigns/c-07", json!({})).await;
    let all = server.get("/campaigns").await.body;
    assert!(all.get("next").is_none(), "an old caller gets the list as before");
    let listed = ids(&all);
    assert_eq!(listed.len(), 24);
    let (mut paged, mut path) = (Vec::new(), "/campaigns?limit=10".to_owned());
    let mut sizes = Vec::new();
    loop {
        let page = server.get(&path).await.body;
        sizes.push(ids(&page).len());
        paged.extend(ids(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else {
            assert!(page["next"].is_null() && page.get("next").is_some());
            break;
        };
        path = format!("/campaigns?limit=10&cursor={next}");
    }
    assert_eq!((paged, sizes), (listed.iter().map(|it| it.to_string()).collect(), vec![10, 10, 4]));
    let exact = server.get("/campaigns?limit=24").await.body;
    assert_eq!((ids(&exact).len(), &exact["next"]), (24, &Value::Null));
    let rest = server.get("/campaigns?cursor=c-20").await.body;
    assert_eq!(ids(&rest), ["c-21", "c-22", "c-23", "c-24"], "a hundred without a limit");
}

#[tokio::test(flavor = "multi_thread")]
async fn list_shows_a_user_only_the_campaigns_of_this_user() {
    let server = guarded(|_| {}).await;
    let (ada, bob) = (bearer(&server, "ada-l").await, bearer(&server, "bob-m").await);
    for (token, id) in [(&ada, "a1"), (&bob, "b1"), (&ada, "c1"), (&bob, "d1")] {
        creates(&server, token, id).await;
    }
    for (token, path, expected) in [
        (&*ada, "/campaigns", &["a1", "c1"][..]),
        (&*bob, "/campaigns?limit=1", &["b1"]),
        (&*bob, "/campaigns?limit=1&cursor=b1", &["d1"]),
        (&*ada, "/campaigns?cursor=a1", &["c1"]),
        ("operator-token", "/campaigns", &["a1", "b1", "c1", "d1"]),
    ] {
        assert_eq!(ids(&asks(&server, token, "GET", path).await.body), expected, "{path}");
    }
}

fn owned_by(campaign: &CampaignId, owner: Option<&str>) -> Draft {
    let settings = Settings { owner: owner.map(str::to_owned), ..Settings::default() };
    drafts::record(NOW, campaign, "create", &CampaignRecord::default(), &settings)
}

#[test]
fn every_log_lists_the_same_ranges() {
    on_every_log(|log| {
        let id = |text: &str| CampaignId::new(text).unwrap();
        for (campaign, owner) in
            [("a", Some("ada")), ("b", None), ("c", Some("ada")), ("d", Some("bob"))]
        {
            log.append(&id(campaign), 0, &[owned_by(&id(campaign), owner)]).unwrap();
        }
        let listed = |query: CampaignQuery<'_>| -> Result<Vec<String>, LogError> {
            Ok(log.list(&query)?.into_iter().map(|(id, _)| id.to_string()).collect())
        };
        let all = CampaignQuery::default();
        let (b, ada) = (id("b"), CampaignQuery { owner: Some("ada"), ..all });
        assert_eq!(listed(all).unwrap(), ["a", "b", "c", "d"]);
        assert_eq!(listed(ada).unwrap(), ["a", "c"]);
        assert_eq!(listed(CampaignQuery { after: Some(&b), ..ada }).unwrap(), ["c"]);
        assert_eq!(listed(CampaignQuery { limit: Some(1), ..ada }).unwrap(), ["a"]);
        assert_eq!(
            listed(CampaignQuery { after: Some(&b), limit: Some(1), ..all }).unwrap(),
            ["c"]
        );
        let view = log.list(&all).unwrap().remove(0).1;
        assert_eq!(Some(view), log.view(&id("a"), &RowQuery::NONE).unwrap());
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn creation_answers_201_with_the_address_of_the_campaign() {
    let server = Server::start().await;
    for (key, body) in [
        ("k1", json!({"name": "one", "count": 5, "campaignId": "c1"})),
        ("k2", json!({"name": "one", "count": 5})),
        ("k2", json!({"name": "one", "count": 5})),
    ] {
        let request = reqwest::Client::new().post(server.url("/campaigns"));
        let request = request.header("idempotency-key", key).body(body.to_string());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 201, "also for a repeated request");
        let location = response.headers()["location"].to_str().unwrap().to_owned();
        let created: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        let id = created["campaign"]["campaignId"].as_str().unwrap();
        assert_eq!(location, format!("/api/v2/campaigns/{id}"));
        let url = format!("http://{}{location}", server.address);
        assert_eq!(answer(reqwest::Client::new().get(url)).await.body["campaignId"], id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_trail_states_its_position() {
    let server = Server::start().await;
    let head = server.generated("c1", 5).await;
    let trail = server.get("/campaigns/c1/transitions?all=true").await;
    let position = trail.position.expect("R16.1");
    assert!(position.ends_with(&format!("/{head}")), "{position}");
    let numbers = trail.body["transitions"].as_array().unwrap().iter();
    assert!(numbers.filter_map(|it| it["sequenceNumber"].as_u64()).all(|it| it <= head));
    let waited = server.get(&format!("/campaigns/c1/transitions?min_position={position}")).await;
    assert_eq!((waited.status, waited.position), (200, Some(position)));
}
