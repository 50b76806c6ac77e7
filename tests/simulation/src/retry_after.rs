//! G8: after a server postponed a page's request, the page does not request again on the same socket
//! before that time, unless the campaign failed meanwhile.

use campaign_sync::sync::Timestamp;
use campaign_sync::sync::config::RECOVERY_DEADLINE_MS;
use serde_json::Value;

use super::invariants::{Check, demand};
use super::server::message::Recover;

/// The last request of a page about one campaign, and its postponement.
#[derive(Clone, Debug, Default)]
pub(crate) struct RetryAfterCheck {
    sent: Option<SentRequest>,
    /// The time before which the page must not request, and whether the postponed request was for a
    /// snapshot.
    until: Option<(Timestamp, bool)>,
}

/// A request without an answer so far.
#[derive(Clone, Debug)]
struct SentRequest {
    request: String,
    at: Timestamp,
    snapshot: bool,
}

/// A statement of a server about one request, or about a campaign without a request.
#[derive(Debug)]
pub(crate) struct Word {
    campaign: Option<String>,
    request: Option<String>,
    /// The requested delay before the next request, in milliseconds.
    retry_after_ms: Option<u64>,
}

impl Word {
    /// Reads a document; `None` if it is not about a request.
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

impl RetryAfterCheck {
    /// Records a request. A request for a snapshot may replace a postponed request for anything else
    /// before that time.
    pub(crate) fn on_request(&mut self, now: Timestamp, wanted: Recover) -> Check {
        let Recover { request, snapshot, .. } = wanted;
        if let Some((until, _)) = self.until.take().filter(|(_, before)| *before || !snapshot) {
            demand(now >= until, "G8", || {
                format!("asked at {now:?} though the server wanted patience until {until:?}")
            })?;
        }
        self.sent = Some(SentRequest { request, at: now, snapshot });
        Ok(())
    }

    /// Records a statement of the server, which may be about this campaign. The page obeys a delay of at
    /// most `most_ms`. An answer that arrives after the page has given the request up does not count.
    pub(crate) fn on_answer(
        &mut self,
        now: Timestamp,
        campaign: &str,
        answer: &Word,
        most_ms: u64,
    ) {
        let is_about = |sent: &mut SentRequest| match &answer.request {
            Some(answered) => *answered == sent.request,
            None => answer.campaign.as_deref() == Some(campaign),
        };
        let Some(sent) = self.sent.take_if(is_about) else { return };
        let in_time = now.since(sent.at) < RECOVERY_DEADLINE_MS;
        let retry_after = answer.retry_after_ms.filter(|_| in_time);
        self.until = retry_after.map(|ms| (now + ms.min(most_ms), sent.snapshot));
    }
}
