//! Streams of every release stay readable. `tests/golden/VERSION/stream.jsonl` holds the messages that
//! servers of that release wrote to NATS: first the stream's epoch, then each message with its subject and
//! headers. `stream-events.jsonl` holds the events read from their log.
//! `CAMPAIGN_SYNC_WRITE_GOLDEN=VERSION` writes the files of this release.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use async_nats::HeaderMap;
use async_nats::jetstream::{self, Context, stream::Config};
use campaign_sync::protocol::CampaignId;
use campaign_sync_harness::campaign::drafts;
use campaign_sync_harness::log::{Draft, EventLog as _};
use serde_json::{Value, json};

use super::golden::{RELEASES, golden};
use super::log::{NOW, id};
use super::nats::Nats;
use super::support::{Server, parse};

const STREAM: &str = "campaign-sync";

async fn context(nats: &Nats) -> Context {
    jetstream::new(async_nats::connect(nats.addresses()).await.unwrap())
}

fn truncated() -> CampaignId {
    CampaignId::new("c2").unwrap()
}

/// One more row of a campaign.
fn another(campaign: &CampaignId, n: u64) -> Draft {
    let row = json!({"domainId": format!("another-{n}"), "domain": format!("{n}.example")});
    let rows = json!({"campaignId": campaign.as_str(), "domains": [row]});
    drafts::draft(NOW, "domains.updated", &rows)
}

/// Writes a campaign that went through all phases with one refusal, and a campaign whose history was
/// truncated.
async fn write(directory: &Path) {
    let nats = tokio::task::spawn_blocking(Nats::start).await.unwrap();
    let place = nats.place().parse().unwrap();
    let mut server = Server::with(|options| options.log = Some(place)).await;
    server.generated("c1", 30).await;
    assert_eq!(server.act("c1", "analyze").await.status, 409);
    for action in ["validate-dns", "validate-http", "analyze"] {
        assert_eq!(server.act("c1", action).await.status, 200, "{action}");
        server.completed("c1").await;
    }
    server.generated("c2", 10).await;
    server.stop().await;
    let log = nats.log(&nats.file("writer.db"), "unused");
    let head = log.head(&truncated()).unwrap().unwrap().number;
    log.truncate(&truncated(), head - 2).unwrap();
    log.append(&truncated(), head, &[another(&truncated(), 1)]).unwrap();
    let events = log.read(&id(), 0, usize::MAX).unwrap();
    let events: Vec<_> = events.iter().map(|event| &*event.document).collect();
    fs::write(directory.join("stream-events.jsonl"), events.join("\n")).unwrap();

    let stream = context(&nats).await.get_stream(STREAM).await.unwrap();
    let mut lines = vec![json!({"epoch": log.epoch()}).to_string()];
    for sequence in 1..=stream.cached_info().state.last_sequence {
        // The messages before the image are purged.
        let Ok(message) = stream.get_raw_message(sequence).await else { continue };
        let headers: BTreeMap<_, _> = message
            .headers
            .iter()
            .filter_map(|(name, values)| {
                Some((name.to_string(), values.first()?.as_str().to_owned()))
            })
            .collect();
        let payload = std::str::from_utf8(&message.payload).unwrap();
        let subject = message.subject.as_str();
        lines.push(json!({"subject": subject, "headers": headers, "payload": payload}).to_string());
    }
    fs::write(directory.join("stream.jsonl"), lines.join("\n")).unwrap();
}

/// Puts the messages of a release into a stream, as a restored backup has them.
async fn replay(nats: &Nats, lines: &[Value]) {
    let context = context(nats).await;
    let config = Config {
        name: STREAM.into(),
        description: lines[0]["epoch"].as_str().map(Into::into),
        subjects: vec!["campaign-sync.log.*".into()],
        ..Config::default()
    };
    context.create_stream(config).await.unwrap();
    for message in &lines[1..] {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut headers = HeaderMap::new();
        for (name, value) in message["headers"].as_object().unwrap() {
            // `Nats-` headers are conditions on the numbers of the original stream.
            if !name.starts_with("Nats-") {
                headers.insert(name.as_str(), text(value));
            }
        }
        let (subject, payload) = (text(&message["subject"]), text(&message["payload"]));
        let sent = context.publish_with_headers(subject, headers, payload.into()).await;
        sent.unwrap().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_streams_of_every_release_are_read_and_continued() {
    if let Ok(release) = std::env::var("CAMPAIGN_SYNC_WRITE_GOLDEN") {
        write(&golden(&release)).await;
    }
    for release in RELEASES {
        let lines = fs::read_to_string(golden(release).join("stream.jsonl")).unwrap();
        let lines: Vec<Value> = lines.lines().map(parse).collect();
        let events = fs::read_to_string(golden(release).join("stream-events.jsonl")).unwrap();
        let events: Vec<&str> = events.lines().collect();
        let nats = tokio::task::spawn_blocking(Nats::start).await.unwrap();
        replay(&nats, &lines).await;
        let log = nats.log(&nats.file("1.db"), "unused");
        assert_eq!(log.epoch(), lines[0]["epoch"]);
        let read = log.read(&id(), 0, usize::MAX).unwrap();
        assert!(read.iter().map(|event| &*event.document).eq(events.iter().copied()), "{release}");
        let audit_trail = log.transactions(&id()).unwrap();
        let refused = audit_trail.iter().filter(|it| it.result != "accepted").count();
        assert_eq!((audit_trail.len() - refused, refused), (5, 1));
        for (campaign, rows) in [(id(), 30), (truncated(), 11)] {
            let recount = log.recount(&campaign).unwrap().unwrap();
            assert!(recount.agrees());
            assert_eq!(recount.count, rows);
            let head = log.head(&campaign).unwrap().unwrap();
            assert_eq!(
                log.append(&campaign, head.number, &[another(&campaign, 2)]).unwrap().events.len(),
                1
            );
        }
        assert_eq!(log.read(&truncated(), 0, usize::MAX).unwrap().len(), 4, "two, and two since");
    }
}
