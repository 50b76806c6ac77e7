//! A campaign at a server of the original dialect.

use std::collections::{BTreeMap, BTreeSet};

use campaign_sync::protocol::EventHash;
use serde_json::{Value, json};

use super::super::rng::Rng;

/// Phases in the order in which campaigns go through them.
pub(super) const PHASES: [&str; 4] =
    ["domain_generation", "dns_validation", "http_keyword_validation", "analysis"];
pub(super) const WORDS: [&str; 3] = ["resolved", "failed", "timeout"];

/// What the server has of a campaign, and what it ever had.
#[derive(Clone, Debug)]
pub(super) struct Campaign {
    pub(super) phase: usize,
    pub(super) status: &'static str,
    pub(super) rows: BTreeMap<String, Option<&'static str>>,
    pub(super) phases: BTreeSet<usize>,
    pub(super) outcomes: BTreeSet<(String, Option<&'static str>)>,
}

impl Campaign {
    pub(super) fn new() -> Self {
        Self {
            phase: 0,
            status: "in_progress",
            rows: BTreeMap::new(),
            phases: BTreeSet::from([0]),
            outcomes: BTreeSet::new(),
        }
    }

    /// What a fetch brings of it.
    pub(super) fn snapshot(&self, id: &str) -> String {
        let row = |(id, dns): (&String, &Option<&str>)| {
            json!({"id": id, "domainName": format!("{id}.example"), "offsetIndex": 1,
                "dnsStatus": dns})
        };
        let rows: Vec<Value> = self.rows.iter().map(row).collect();
        json!({
            "campaign": {"id": id, "name": "x", "currentPhase": PHASES[self.phase],
                "phaseStatus": self.status, "totalDomainCount": self.rows.len()},
            "domains": rows,
        })
        .to_string()
    }

    /// How far it is.
    pub(super) fn progress(&self, id: &str, now: &str) -> String {
        let data = json!({
            "campaignId": id, "totalItems": 9, "processedItems": 3, "successfulItems": 2,
            "failedItems": 1, "progressPercent": 33.0,
            "currentPhase": PHASES[self.phase], "phaseStatus": self.status,
        });
        json!({"type": "campaign.progress", "timestamp": now, "data": data}).to_string()
    }

    /// Something happens to it; what the server writes about it then.
    pub(super) fn change(&mut self, id: &str, serial: u64, now: &str, rng: &mut Rng) -> String {
        match rng.below(100) {
            0..6 => {
                let before = self.phase;
                self.phase = (before + 1) % PHASES.len();
                self.status = "not_started";
                self.phases.insert(self.phase);
                let data = json!({
                    "campaignId": id, "previousPhase": PHASES[before],
                    "newPhase": PHASES[self.phase], "newStatus": "not_started",
                    "transitionType": "manual", "triggerReason": "go", "prerequisitesMet": true,
                    "dataIntegrityCheck": true, "domainsCount": self.rows.len(),
                    "processedCount": 0, "successfulCount": 0, "failedItems": 0,
                });
                let (kind, data) = ("\"campaign.phase.transition\"", data.to_string());
                let hash = EventHash::of_original(kind, &format!("\"{now}\""), &data).to_string();
                format!(
                    "{{\"type\":{kind},\"timestamp\":\"{now}\",\"data\":{data},\"sequence\":{{\
                     \"campaignId\":\"{id}\",\"eventId\":\"evt_{serial}\",\
                     \"sequenceNumber\":{serial},\"eventHash\":\"{}\",\"checkpointData\":true}}}}",
                    &hash[..16]
                )
            }
            6..20 => {
                self.status = if rng.chance(200) { "completed" } else { "in_progress" };
                self.progress(id, now)
            }
            20..60 if !self.rows.is_empty() => {
                let at = rng.below(self.rows.len() as u64) as usize;
                let word = *rng.pick(&WORDS);
                let row = self.rows.keys().nth(at).cloned().unwrap_or_default();
                self.rows.insert(row.clone(), Some(word));
                self.outcomes.insert((row.clone(), Some(word)));
                let data = json!({
                    "campaignId": id, "domainId": row, "domain": format!("{row}.example"),
                    "validationStatus": word, "attempts": 1,
                });
                json!({"type": "dns.validation.result", "timestamp": now, "data": data}).to_string()
            }
            _ => {
                let row = format!("{id}-d{serial}");
                self.rows.insert(row.clone(), None);
                self.outcomes.insert((row.clone(), None));
                let data = json!({
                    "campaignId": id, "domainId": row, "domain": format!("{row}.example"),
                    "offset": 1, "batchSize": 1, "totalGenerated": 1,
                });
                json!({"type": "domain.generated", "timestamp": now, "data": data}).to_string()
            }
        }
    }
}
