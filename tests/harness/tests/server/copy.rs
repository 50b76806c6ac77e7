//! A naive copy of a campaign that trusts nothing: it checks every hash, number and chain link, and folds
//! events with separate code.

use std::collections::BTreeMap;
use std::path::Path;

use campaign_sync::protocol::EventHash;
use campaign_sync::protocol::envelope::Envelope;
use serde_json::{Map, Value, json};

use super::support::parse;

/// The state of a campaign in a client that trusts nothing.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Copy {
    pub(crate) epoch: String,
    pub(crate) number: u64,
    pub(crate) event_id: String,
    pub(crate) phase: String,
    pub(crate) status: String,
    pub(crate) rows: BTreeMap<String, Map<String, Value>>,
    /// Every event applied, as received.
    pub(crate) documents: Vec<String>,
    pub(crate) staged: Vec<Value>,
}

impl Copy {
    pub(crate) fn payload(&self, campaign: &str) -> Value {
        json!({"campaignId": campaign, "lastSequenceNumber": self.number, "epoch": self.epoch,
            "requestId": "r1", "reason": "reconnect"})
    }

    pub(crate) fn hear(&mut self, document: &str) {
        self.hear_opened(document, &parse(document));
    }

    /// Applies a document as it was received, and its value, in which sealed content is already opened.
    pub(crate) fn hear_opened(&mut self, document: &str, value: &Value) {
        match value["type"].as_str().unwrap() {
            "event_recovery" => {
                self.epoch = value["data"]["epoch"].as_str().unwrap().to_owned();
                self.staged.clear();
            }
            "campaign.snapshot" => self.part(&value["data"]),
            "pong" => {}
            _ if value.get("sequence").is_some() => self.event(document, value),
            other => panic!("unexpected {other}: {document}"),
        }
    }

    fn part(&mut self, data: &Value) {
        assert_eq!(data["part"].as_u64().unwrap(), self.staged.len() as u64 + 1, "parts in order");
        self.staged.push(data.clone());
        if data["part"] != data["parts"] {
            return;
        }
        self.rows.clear();
        for part in std::mem::take(&mut self.staged) {
            for row in part["domains"].as_array().unwrap() {
                let row = row.as_object().unwrap().clone();
                self.rows.insert(row["domainId"].as_str().unwrap().to_owned(), row);
            }
            if let Some(campaign) = part.get("campaign") {
                self.record(campaign);
            }
        }
        assert_eq!(data["domainsCount"].as_u64().unwrap(), self.rows.len() as u64);
        self.number = data["sequenceNumber"].as_u64().unwrap();
        self.event_id = data["eventId"].as_str().unwrap().to_owned();
    }

    fn record(&mut self, record: &Value) {
        self.phase = record["currentPhase"].as_str().unwrap().to_owned();
        self.status = record["phaseStatus"].as_str().unwrap().to_owned();
    }

    fn event(&mut self, document: &str, value: &Value) {
        let kind = self.follow_links(document);
        self.documents.push(document.to_owned());
        self.fold(&kind, &value["data"]);
    }

    /// Moves to an event after checking its hash, its number and its link, without applying its content.
    /// Returns its type.
    pub(crate) fn follow_links(&mut self, document: &str) -> String {
        let envelope = Envelope::parse(document).unwrap();
        let sequence = envelope.sequence.unwrap();
        let hash = EventHash::of_v1(
            envelope.kind_raw,
            envelope.timestamp_raw,
            envelope.data,
            sequence.hashed(),
        );
        assert_eq!(hash, sequence.hash, "{document}");
        assert!(self.staged.is_empty(), "no event within a snapshot");
        assert_eq!(sequence.epoch(), self.epoch);
        assert_eq!(sequence.number().get(), self.number + 1, "{document}");
        assert_eq!(sequence.previous_event_id().unwrap_or_default(), self.event_id);
        self.number += 1;
        self.event_id = sequence.event_id().to_owned();
        envelope.kind.to_owned()
    }

    fn fold(&mut self, kind: &str, data: &Value) {
        match kind {
            "campaign.list.update" => self.record(&data["campaign"]),
            "campaign.phase.transition" if data["dataIntegrityCheck"] == true => {
                assert_eq!(data["domainsCount"].as_u64().unwrap(), self.rows.len() as u64);
                self.record(&data["campaign"]);
            }
            "campaign.status" | "campaign.progress" if data["currentPhase"] == *self.phase => {
                self.status = data["phaseStatus"].as_str().unwrap().to_owned();
            }
            "domain.generated" => self.set(data, &[("domain", "domain"), ("offset", "offset")]),
            "dns.validation.result" => self.set(data, &[("validationStatus", "dnsStatus")]),
            "http.validation.result" => {
                self.set(
                    data,
                    &[("validationStatus", "httpStatus"), ("httpStatus", "httpStatusCode")],
                );
            }
            "domains.updated" => {
                for row in data["domains"].as_array().unwrap() {
                    let columns: Vec<_> = row.as_object().unwrap().keys().cloned().collect();
                    let columns: Vec<_> =
                        columns.iter().map(|it| (it.as_str(), it.as_str())).collect();
                    self.set(row, &columns);
                }
            }
            _ => {}
        }
    }

    fn set(&mut self, data: &Value, columns: &[(&str, &str)]) {
        let id = data["domainId"].as_str().unwrap().to_owned();
        let row = self.rows.entry(id.clone()).or_default();
        row.insert("domainId".to_owned(), json!(id));
        for (from, to) in columns {
            match data.get(from) {
                Some(Value::Null) => drop(row.remove(*to)),
                Some(value) => drop(row.insert((*to).to_owned(), value.clone())),
                None => {}
            }
        }
    }
}

/// The rows in the server's database, read by SQL.
pub(crate) fn rows_by_sql(db: &Path, campaign: &str) -> BTreeMap<String, Map<String, Value>> {
    let connection = rusqlite::Connection::open(db).unwrap();
    let mut statement = connection
        .prepare(
            "SELECT domain_id, domain, offset_index, dns_status, http_status, http_status_code,
                    lead_status, lead_score FROM domains WHERE campaign_id = ?1",
        )
        .unwrap();
    let rows = statement.query_map([campaign], |row| {
        let mut map = Map::new();
        let mut text = |name: &str, value: Option<String>| {
            value.map(|value| map.insert(name.to_owned(), json!(value)));
        };
        text("domainId", row.get(0)?);
        text("domain", row.get(1)?);
        text("dnsStatus", row.get(3)?);
        text("httpStatus", row.get(4)?);
        text("leadStatus", row.get(6)?);
        row.get::<_, Option<i64>>(2)?.map(|it| map.insert("offset".to_owned(), json!(it)));
        row.get::<_, Option<i64>>(5)?.map(|it| map.insert("httpStatusCode".to_owned(), json!(it)));
        row.get::<_, Option<f64>>(7)?.map(|it| map.insert("leadScore".to_owned(), json!(it)));
        Ok((row.get::<_, String>(0)?, map))
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}
