//! From our events to the original's documents: which envelope, which words, members in its order.
//!
//! | event of ours | documents |
//! | --- | --- |
//! | a generated row | `domain.generated`, to everybody |
//! | a DNS outcome | by the row's offset: `dns.validation.result`; in V1, as `dns_validation_result`; as the hybrid of both |
//! | an HTTP outcome | `http.validation.result` |
//! | an outcome of the analysis | none: leads come over REST only |
//! | progress | `campaign.progress`, to everybody; within DNS `validation_progress` too |
//! | a phase is done | `campaign.progress`, and what the phase has of its own |
//! | another status | `campaign.status` |
//! | a transition | `campaign.phase.transition`, sequenced; after that into DNS, `phase_transition` |
//! | a refused transition | none |
//! | a campaign comes, changes or goes | `campaign.list.update`, to everybody |

use campaign_sync::protocol::{CampaignId, EventHash};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::go::{go_json, go_number, seconds, trimmed, unix_nanoseconds, uuid};
use super::shapes::{Members, V1, V2};
use super::{Broadcast, To};
use crate::log::Appended;
use crate::log::state::counters_json;

/// The documents of what was appended, in order. `number` is the last one given.
pub(super) fn of(number: &mut u64, campaign: &CampaignId, appended: &Appended) -> Vec<Broadcast> {
    let mut writer = Writer { number, campaign, timestamp: String::new(), out: Vec::new() };
    let counters = &appended.stand.record.counters;
    let mut generated = 0;
    for event in &appended.events {
        let Ok(event) = serde_json::from_str::<Event<'_>>(&event.document) else { continue };
        event.timestamp.clone_into(&mut writer.timestamp);
        let data: Value = serde_json::from_str(event.data.get()).unwrap_or_default();
        match event.r#type {
            "domain.generated" | "dns.validation.result" | "http.validation.result" => {
                writer.row(&data, &mut generated);
            }
            "domains.updated" => {
                for row in data["domains"].as_array().into_iter().flatten() {
                    writer.row(row, &mut generated);
                }
            }
            "campaign.progress" => writer.progress(&data),
            "campaign.status" if data["phaseStatus"] == "completed" => {
                let mut progress = counters_json(counters);
                progress["progressPercent"] = json!(counters.progress_percentage);
                progress["currentPhase"] = data["currentPhase"].clone();
                progress["phaseStatus"] = json!("completed");
                writer.progress(&progress);
                writer.phase_complete(&data["currentPhase"], counters.processed_items);
            }
            "campaign.status" => writer.status(&data),
            "campaign.phase.transition" => writer.transition(&data),
            "campaign.list.update" => {
                writer.list_update(&data["action"], Some(rest_campaign(&data["campaign"])));
            }
            "campaign.deleted" => writer.list_update(&json!("delete"), None),
            _ => {}
        }
    }
    writer.out
}

/// An event of ours, as published.
#[derive(Deserialize)]
struct Event<'a> {
    r#type: &'a str,
    timestamp: &'a str,
    #[serde(borrow)]
    data: &'a RawValue,
}

struct Writer<'w> {
    number: &'w mut u64,
    campaign: &'w CampaignId,
    timestamp: String,
    out: Vec<Broadcast>,
}

impl Writer<'_> {
    fn row(&mut self, row: &Value, generated: &mut u64) {
        let campaign_id = self.campaign.as_str();
        let (domain_id, domain) = (&row["domainId"], &row["domain"]);
        let name = domain.as_str().unwrap_or_default();
        let number = |name: &str| json!(row[name].as_u64().unwrap_or_default());
        let offset = row["totalValidated"].as_u64().unwrap_or_default().saturating_sub(1);
        let first =
            |names: [&str; 2]| names.map(|name| &row[name]).into_iter().find(|it| it.is_string());
        let has_code = row.get("httpStatusCode").is_some() || row.get("httpStatus").is_some();
        if !row["offset"].is_null() {
            *generated += 1;
            let data = Members([
                ("campaignId", json!(campaign_id)),
                ("domainId", json!(domain_id)),
                ("domain", json!(domain)),
                ("offset", json!(row["offset"])),
                ("batchSize", json!(row["batchSize"].as_u64().unwrap_or(1))),
                ("totalGenerated", json!(generated)),
            ]);
            self.v2(To::Everybody, "domain.generated", &data);
        } else if let (true, Some(status)) = (has_code, first(["validationStatus", "httpStatus"])) {
            let own_code = row.get("httpStatusCode");
            let data = Members([
                ("campaignId", json!(campaign_id)),
                ("domainId", json!(domain_id)),
                ("domain", json!(domain)),
                ("validationStatus", json!(status)),
                ("httpStatus", json!(own_code.unwrap_or_else(|| &row["httpStatus"]))),
                ("keywords", json!((status == "success").then_some(["price"]))),
                ("content", json!(format!("<title>{name}</title>"))),
                ("headers", json!({"Server": "nginx"})),
                ("processingTime", number("processingTime")),
                ("totalValidated", number("totalValidated")),
            ]);
            self.v2(self.subscribers(), "http.validation.result", &data);
        } else if let Some(status) = first(["validationStatus", "dnsStatus"]) {
            let resolved = status == "resolved";
            let records = json!({"A": ["192.0.2.1"], "MX": [format!("10 mail.{name}")]});
            let data = Members([
                ("campaignId", json!(campaign_id)),
                ("domainId", json!(domain_id)),
                ("domain", json!(domain)),
                ("validationStatus", json!(status)),
                ("dnsRecords", json!(resolved.then_some(&records))),
                ("attempts", json!(1)),
                ("processingTime", number("processingTime")),
                ("totalValidated", number("totalValidated")),
            ]);
            match offset % 4 {
                0 | 2 => self.v2(self.subscribers(), "dns.validation.result", &data),
                // A hybrid: it never got a number.
                3 => self.v1(self.subscribers(), "dns.validation.result", Some(0), json!(data)),
                _ => {
                    let data = Members([
                        ("attempts", json!(1)),
                        ("dnsRecords", if resolved { records } else { json!({}) }),
                        ("domain", json!(domain)),
                        ("domainId", json!(domain_id)),
                        ("validationStatus", json!(status)),
                    ]);
                    self.v1(self.subscribers(), "dns_validation_result", None, json!(data));
                }
            }
        }
    }

    fn progress(&mut self, data: &Value) {
        let percent = go_number(data["progressPercent"].as_f64().unwrap_or_default());
        let progress = Members([
            ("campaignId", json!(self.campaign.as_str())),
            ("totalItems", json!(data["totalItems"])),
            ("processedItems", json!(data["processedItems"])),
            ("successfulItems", json!(data["successfulItems"])),
            ("failedItems", json!(data["failedItems"])),
            ("progressPercent", percent.clone()),
            ("currentPhase", json!(data["currentPhase"])),
            ("phaseStatus", json!(data["phaseStatus"])),
        ]);
        self.v2(To::Everybody, "campaign.progress", &progress);
        if data["currentPhase"] == "dns_validation" && data["phaseStatus"] == "in_progress" {
            let data = json!({
                // Its callers gave it a phase where it wanted a kind of validation.
                "phase": "dns_validation_validation",
                "progress": percent,
                "totalValidations": data["totalItems"],
                "validationType": "dns_validation",
                "validationsProcessed": data["processedItems"],
            });
            self.v1(self.subscribers(), "validation_progress", None, data);
        }
    }

    fn phase_complete(&mut self, phase: &Value, items: u64) {
        let next = match phase.as_str() {
            Some("dns_validation") => {
                let data = json!({"level": "info", "message": "DNS done: 100% \u{2028} checked"});
                let kind = "system_notification";
                return self.v1(To::Everybody, kind, None, data);
            }
            Some("http_keyword_validation") => "analysis",
            Some("analysis") => "completed",
            _ => return,
        };
        let data =
            json!({"completedItems": items, "failedItems": 0, "nextPhase": next, "phase": phase});
        self.v1(self.subscribers(), "campaign_phase_complete", None, data);
        if next == "completed" {
            // A hybrid: its number is the time.
            let nanoseconds = unix_nanoseconds();
            let data = json!({"campaignId": self.campaign.as_str(), "finalStatus": "completed"});
            self.v1(self.subscribers(), "campaign.completed", Some(nanoseconds), data);
        }
    }

    fn status(&mut self, data: &Value) {
        let status = Members([
            ("campaignId", json!(self.campaign.as_str())),
            ("phaseStatus", json!(status_word(&data["phaseStatus"]))),
            ("currentPhase", json!(data["currentPhase"])),
        ]);
        self.v2(self.subscribers(), "campaign.status", &status);
    }

    /// Its counts are those that the original's callers wrote: whatever was at hand.
    fn transition(&mut self, data: &Value) {
        if data["dataIntegrityCheck"] != true {
            return;
        }
        let number = |name: &str| data[name].as_u64().unwrap_or_default();
        let items = data["campaign"]["totalItems"].as_u64().unwrap_or_default();
        let manual = data["transitionType"].as_str().unwrap_or("manual");
        let at = seconds(&self.timestamp);
        let metadata = json!({"configuredAt": at, "configuredBy": "orchestrator", "personaCount": 3,
            "totalDomains": items});
        let (kind, counts, metadata) = match data["newPhase"].as_str() {
            _ if manual == "error_recovery" => {
                let processed = number("processedCount");
                (manual, [items, processed, number("successfulCount")], metadata)
            }
            Some("dns_validation") => (manual, [items, 0, items], metadata),
            Some("http_keyword_validation") => (manual, [items; 3], metadata),
            _ => (
                "automatic",
                [0; 3],
                json!({"autoTransition": true, "message": "next phase",
                "notificationType": "toast", "transitionTime": at}),
            ),
        };
        let transition = Members([
            ("campaignId", json!(self.campaign.as_str())),
            ("previousPhase", json!(data["previousPhase"])),
            ("newPhase", json!(data["newPhase"])),
            ("newStatus", json!(status_word(&data["newStatus"]))),
            ("transitionType", json!(kind)),
            ("triggerReason", json!(data["triggerReason"])),
            ("prerequisitesMet", json!(true)),
            ("dataIntegrityCheck", json!(true)),
            ("domainsCount", json!(counts[0])),
            ("processedCount", json!(counts[1])),
            ("successfulCount", json!(counts[2])),
            ("failedItems", json!(0)),
            ("transitionMetadata", metadata),
        ]);
        self.sequenced("campaign.phase.transition", &transition);
        if data["newPhase"] == "dns_validation" {
            let data = json!({"currentPhase": data["newPhase"], "previousPhase": data["previousPhase"],
                "progressPercentage": 0, "status": "completed", "transitionType": "automatic"});
            self.v1(self.subscribers(), "phase_transition", None, data);
        }
    }

    fn list_update(&mut self, action: &Value, campaign: Option<Value>) {
        let data = Members([
            ("action", json!(action)),
            ("campaignId", json!(self.campaign.as_str())),
            ("campaign", json!(campaign)),
        ]);
        self.v2(To::Everybody, "campaign.list.update", &data);
    }

    fn subscribers(&self) -> To {
        To::Subscribers(self.campaign.clone())
    }

    /// Without a number of its own it gets the next one. What goes to everybody names no campaign.
    fn v1(&mut self, to: To, kind: &str, number: Option<u64>, data: Value) {
        let sequence_number = number.unwrap_or_else(|| {
            *self.number += 1;
            *self.number
        });
        let envelope = V1 {
            id: uuid(),
            timestamp: seconds(&self.timestamp),
            r#type: kind,
            sequence_number,
            data: Some(data),
            message: None,
            campaign_id: (to != To::Everybody).then_some(self.campaign.as_str()),
        };
        self.out.push(Broadcast { to, text: go_json(&envelope).into() });
    }

    fn v2(&mut self, to: To, kind: &str, data: &impl Serialize) {
        let envelope = V2 { r#type: kind, timestamp: &trimmed(&self.timestamp), data };
        self.out.push(Broadcast { to, text: go_json(&envelope).into() });
    }

    /// The one kind of document that had a sequence, an id, and half of a hash's half.
    fn sequenced(&mut self, kind: &str, data: &impl Serialize) {
        *self.number += 1;
        let timestamp = trimmed(&self.timestamp);
        let (raw, data) = (format!("\"{timestamp}\""), go_json(data));
        let hash = EventHash::of_original(&format!("\"{kind}\""), &raw, &data).to_string();
        let text = format!(
            "{{\"type\":\"{kind}\",\"timestamp\":{raw},\"data\":{data},\"sequence\":{{\
             \"campaignId\":\"{}\",\"eventId\":\"evt_{}_{}\",\"sequenceNumber\":{},\
             \"eventHash\":\"{}\",\"checkpointData\":true}}}}",
            self.campaign.as_str(),
            unix_nanoseconds(),
            &format!("{:016x}", rand::random::<u64>())[..8],
            self.number,
            &hash[..16],
        );
        self.out.push(Broadcast { to: self.subscribers(), text: text.into() });
    }
}

/// A campaign as the original's REST interface and its lists have it, from a record of ours.
pub(super) fn rest_campaign(record: &Value) -> Value {
    let phase = match record["currentPhase"].as_str() {
        Some("domain_generation") => "generation",
        Some(phase) => phase,
        None => "setup",
    };
    let mut campaign = json!({
        "id": record["campaignId"],
        "name": record["name"],
        "campaignType": "lead_generation",
        "currentPhase": phase,
        "phaseStatus": status_word(&record["phaseStatus"]),
        "createdAt": record["createdAt"],
        "updatedAt": record["updatedAt"],
        "progressPercentage": go_number(record["progressPercentage"].as_f64().unwrap_or_default()),
    });
    for counter in
        ["totalItems", "processedItems", "successfulItems", "failedItems", "errorMessage"]
    {
        if !record[counter].is_null() {
            campaign[counter] = record[counter].clone();
        }
    }
    campaign
}

/// The original had no word yet for a phase that may begin.
fn status_word(status: &Value) -> &str {
    match status.as_str() {
        Some("configured" | "ready") | None => "not_started",
        Some(status) => status,
    }
}
