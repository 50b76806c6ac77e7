//! G8: a page that a server asked for patience does not ask again before that, on the same socket,
//! unless the campaign failed meanwhile.

use campaign_sync::sync::{Config, Timestamp};
use serde_json::Value;

use super::invariants::{Check, demand};
use super::server::message::Recover;

/// What a page knows of its last request about one campaign.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patience {
    asked: Option<Asked>,
    /// Until when, and whether that is about a snapshot.
    until: Option<(Timestamp, bool)>,
}

/// A request that nothing is known of yet.
#[derive(Clone, Debug)]
struct Asked {
    request: String,
    at: Timestamp,
    snapshot: bool,
}

/// What a server said of one request, or of a campaign without having been asked.
#[derive(Debug)]
pub(crate) struct Word {
    campaign: Option<String>,
    request: Option<String>,
    /// Not before that, in milliseconds.
    retry_after_ms: Option<u64>,
}

impl Word {
    /// What a document says, if it is about a request.
    pub(crate) fn read(document: &str) -> Option<Self> {
        let known = ["\"error\"", "\"event_recovery\""];
        if !known.iter().any(|kind| document.contains(kind)) {
            return None;
        }
        let document: Value = serde_json::from_str(document).ok()?;
        let data = &document["data"];
        let text = |key: &str| data[key].as_str().map(str::to_owned);
        let (campaign, request) = (text("campaignId"), text("requestId"));
        let retry_after_ms = data["retryAfterMs"].as_u64();
        Some(Self { campaign, request, retry_after_ms })
    }
}

impl Patience {
    /// A request is sent. One for a snapshot, where none was asked for before, takes the place of the
    /// one that was put off.
    pub(crate) fn asks(&mut self, now: Timestamp, wanted: Recover) -> Check {
        let Recover { request, snapshot, .. } = wanted;
        if let Some((until, _)) = self.until.take().filter(|(_, before)| *before || !snapshot) {
            demand(now >= until, "G8", || {
                format!("asked at {now:?} though the server wanted patience until {until:?}")
            })?;
        }
        self.asked = Some(Asked { request, at: now, snapshot });
        Ok(())
    }

    /// The server says something, perhaps of this campaign; no more than `most_ms` of patience is owed
    /// to it. An answer that comes when the page has given that request up already counts no more.
    pub(crate) fn hears(&mut self, now: Timestamp, campaign: &str, word: &Word, most_ms: u64) {
        let is_about = |asked: &mut Asked| match &word.request {
            Some(answered) => *answered == asked.request,
            None => word.campaign.as_deref() == Some(campaign),
        };
        let Some(asked) = self.asked.take_if(is_about) else { return };
        let in_time = now.since(asked.at) < Config::default().recovery_deadline_ms;
        let retry_after = word.retry_after_ms.filter(|_| in_time);
        self.until = retry_after.map(|ms| (now + ms.min(most_ms), asked.snapshot));
    }
}
