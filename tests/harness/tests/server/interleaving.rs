//! Changes during a session's read of the log. A log in memory runs a callback within the read.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, Weak};

use campaign_sync::protocol::CampaignId;
use campaign_sync::protocol::campaign::CampaignRecord;
use campaign_sync_harness::access::{Access, token_hash};
use campaign_sync_harness::campaign::drafts;
use campaign_sync_harness::delegate_event_log;
use campaign_sync_harness::hub::Hub;
use campaign_sync_harness::log::{Draft, Event, EventLog, Result, Settings};
use campaign_sync_support::MemoryLog;
use serde_json::json;

use super::core::{CoreFixture, at, at_zero, kind};
use super::log::{NOW, id, row};
use super::support::parse;

type ReadHook = Box<dyn FnOnce(&Hub) + Send>;

/// A log that runs `at_read` once, within the next read.
struct InterleavedLog {
    log: MemoryLog,
    hub: OnceLock<Weak<Hub>>,
    at_read: Mutex<Option<ReadHook>>,
}

impl fmt::Debug for InterleavedLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.log.fmt(f)
    }
}

impl InterleavedLog {
    const fn inner(&self) -> &MemoryLog {
        &self.log
    }
}

impl EventLog for InterleavedLog {
    delegate_event_log!(
        inner: epoch, secret, campaigns, list, head, append, bytes_after, view, recount, buckets, transactions,
        record_refusal, audit_entry, truncate, diverge,
    );

    fn read(&self, campaign: &CampaignId, after: u64, bytes: usize) -> Result<Vec<Event>> {
        let meanwhile = self.at_read.lock().unwrap().take();
        if let (Some(meanwhile), Some(hub)) = (meanwhile, self.hub.get().and_then(Weak::upgrade)) {
            meanwhile(&hub);
        }
        self.log.read(campaign, after, bytes)
    }
}

/// A draft that makes that user the campaign's owner.
fn owned_by(user: &str, action: &'static str) -> Draft {
    let settings = Settings { owner: Some(user.into()), ..Settings::default() };
    drafts::record(NOW, &id(), action, &CampaignRecord::default(), &settings)
}

#[test]
fn campaign_transferred_during_a_read_sends_no_more_events() {
    let log = MemoryLog::new("epoch-1");
    let log = Arc::new(InterleavedLog { log, hub: OnceLock::new(), at_read: Mutex::default() });
    let users = ["ada-l", "bob-m"].map(|user| (user.to_owned(), String::new())).into();
    let mut fixture = CoreFixture::with(log.clone(), Access::with(None, Some(users), 60));
    let context = fixture.context.clone();
    log.hub.set(Arc::downgrade(&context.hub)).unwrap();
    context.hub.append(&id(), 0, &[owned_by("ada-l", "create"), row(1)]).unwrap();

    let (token, entry) = context.access.issue(at(0), "ada-l");
    context.access.apply(at(0), &token_hash(&token), Some(entry));
    fixture
        .say(json!({"type": "connection_init", "protocols": ["campaign-sync.v1"], "token": token}));
    fixture.say(json!({"type": "subscribe_campaign", "campaignId": "c1"}));
    fixture.recover(at_zero());
    *log.at_read.lock().unwrap() = Some(Box::new(|hub| {
        let appended = hub.append(&id(), 2, &[owned_by("bob-m", "update"), row(2)]);
        assert_eq!(appended.unwrap().head.number, 4);
    }));
    let received = fixture.hear();
    assert!(log.at_read.lock().unwrap().is_none(), "the log was read");
    let kinds: Vec<_> = received.iter().map(|it| kind(it)).collect();
    let expected =
        ["connection_ack", "subscription_confirmed", "event_recovery", "subscription_ended"];
    assert_eq!(kinds, expected, "and of what is somebody else's, nothing");
    assert_eq!(parse(&received[3])["data"]["reason"], "revoked");
}
