//! Messages of a correct v1 server: events in a log, and control messages.

use campaign_sync::protocol::digest::{RowFields, RowHasher, bucket_of, id_hash};
use campaign_sync::protocol::{Digest, EventHash};
use serde_json::{Value, json};

pub(crate) const CAMPAIGN: &str = "campaign-1";
pub(crate) const EPOCH: &str = "epoch-a";
pub(crate) const OTHER_EPOCH: &str = "epoch-b";
pub(crate) const TIMESTAMP: &str = "2030-03-17T17:46:40.000Z";

/// One event. A test may change any member before it writes the event.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) campaign: String,
    pub(crate) epoch: String,
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) previous: Option<String>,
    pub(crate) checkpoint: bool,
    pub(crate) kind: String,
    pub(crate) data: String,
}

impl Event {
    /// The event's hash, computed over the text that is written.
    pub(crate) fn hash(&self) -> String {
        let quoted = |text: &str| format!("\"{text}\"");
        let previous = self.previous_raw();
        let at = [
            &*quoted(&self.campaign),
            &quoted(&self.epoch),
            &self.number.to_string(),
            &quoted(&self.id),
            &previous,
            &self.checkpoint.to_string(),
        ];
        EventHash::of_v1(&quoted(&self.kind), &quoted(TIMESTAMP), &self.data, at).to_string()
    }

    fn previous_raw(&self) -> String {
        self.previous.as_ref().map_or_else(|| "null".to_owned(), |id| format!("\"{id}\""))
    }

    /// The event as a correct server writes it.
    pub(crate) fn document(&self) -> String {
        self.document_with_hash(&self.hash())
    }

    /// The event with a hash that may be wrong.
    pub(crate) fn document_with_hash(&self, hash: &str) -> String {
        let Self { campaign, epoch, number, id, checkpoint, kind, data, .. } = self;
        let previous = self.previous_raw();
        format!(
            r#"{{"type":"{kind}","timestamp":"{TIMESTAMP}","data":{data},"sequence":{{"campaignId":"{campaign}","epoch":"{epoch}","eventId":"{id}","sequenceNumber":{number},"eventHash":"{hash}","previousEventId":{previous},"checkpointData":{checkpoint}}}}}"#
        )
    }

    /// The event after damage in transit: other data with the same hash.
    pub(crate) fn damaged(&self) -> String {
        let damaged = Self { data: self.data.replacen('{', "{\"x\":1,", 1), ..self.clone() };
        damaged.document_with_hash(&self.hash())
    }
}

/// A campaign's log, contiguous from 1.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    campaign: String,
    epoch: String,
    events: Vec<Event>,
}

impl Log {
    pub(crate) fn new(epoch: &str) -> Self {
        Self { campaign: CAMPAIGN.to_owned(), epoch: epoch.to_owned(), events: Vec::new() }
    }

    /// A log that begins with the campaign and `rows` generated domains.
    pub(crate) fn with_rows(rows: u64) -> Self {
        let mut log = Self::new(EPOCH);
        let record = record("domain_generation", "in_progress", 0);
        log.push(
            "campaign.list.update",
            &json!({"action": "create", "campaignId": CAMPAIGN, "campaign": record}),
        );
        for offset in 0..rows {
            log.generate(offset);
        }
        log
    }

    /// The same log for another campaign.
    pub(crate) fn of_campaign(mut self, campaign: &str) -> Self {
        self.campaign = campaign.to_owned();
        for event in &mut self.events {
            event.data = event.data.replace(&event.campaign, campaign);
            event.campaign = campaign.to_owned();
        }
        self
    }

    pub(crate) fn head(&self) -> u64 {
        self.events.len() as u64
    }

    /// The log as it was when `head` was its last number.
    pub(crate) fn clone_to(&self, head: u64) -> Self {
        let events = self.events.iter().take(head as usize).cloned().collect();
        Self { events, campaign: self.campaign.clone(), epoch: self.epoch.clone() }
    }

    /// The same log with other data in its events.
    #[cfg(feature = "encrypted")]
    pub(crate) fn with_data(mut self, data: impl Fn(&Event) -> String) -> Self {
        for event in &mut self.events {
            event.data = data(event);
        }
        self
    }

    /// The next event, without appending it.
    pub(crate) fn next(&self, kind: &str, data: &Value) -> Event {
        let number = self.head() + 1;
        Event {
            campaign: self.campaign.clone(),
            epoch: self.epoch.clone(),
            number,
            id: format!("{}-event-{number}", self.epoch),
            previous: self.events.last().map(|event| event.id.clone()),
            checkpoint: kind == "campaign.phase.transition",
            kind: kind.to_owned(),
            data: data.to_string(),
        }
    }

    /// Appends an event and returns it.
    pub(crate) fn push(&mut self, kind: &str, data: &Value) -> Event {
        let event = self.next(kind, data);
        self.events.push(event.clone());
        event
    }

    /// Appends the `domain.generated` of the row at `offset`.
    pub(crate) fn generate(&mut self, offset: u64) -> Event {
        let row = Row::generated(offset);
        self.push(
            "domain.generated",
            &json!({"campaignId": CAMPAIGN, "domainId": row.id, "domain": row.name,
                "offset": offset, "batchSize": 1, "totalGenerated": offset + 1}),
        )
    }

    /// Appends a `domains.updated`.
    pub(crate) fn update(&mut self, rows: Value) -> Event {
        self.push("domains.updated", &json!({"campaignId": CAMPAIGN, "domains": rows}))
    }

    pub(crate) fn event(&self, number: u64) -> &Event {
        &self.events[number as usize - 1]
    }

    pub(crate) fn document(&self, number: u64) -> String {
        self.event(number).document()
    }

    /// The documents of these numbers, as one frame.
    pub(crate) fn frame(&self, from: u64, to: u64) -> String {
        (from..=to).map(|number| self.document(number)).collect::<Vec<_>>().join("\n")
    }
}

/// A complete row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) offset: u64,
    pub(crate) dns: Option<&'static str>,
}

impl Row {
    pub(crate) fn generated(offset: u64) -> Self {
        let (id, name) = (format!("d-{offset}"), format!("name{offset}.example"));
        Self { id, name, offset, dns: None }
    }

    fn hash(&self) -> u64 {
        RowHasher::default().hash(&RowFields {
            domain_id: &self.id,
            domain: Some(&self.name),
            offset: Some(self.offset as i64),
            dns_status: self.dns,
            ..RowFields::default()
        })
    }

    pub(crate) fn bucket(&self) -> usize {
        bucket_of(id_hash(&self.id))
    }

    pub(crate) fn json(&self) -> Value {
        let mut row = json!({"domainId": self.id, "domain": self.name, "offset": self.offset});
        if let Some(dns) = self.dns {
            row["dnsStatus"] = dns.into();
        }
        row
    }
}

/// Rows of offsets `0..count`.
pub(crate) fn rows(count: u64) -> Vec<Row> {
    (0..count).map(Row::generated).collect()
}

pub(crate) fn digest(rows: &[Row]) -> String {
    let mut digest = Digest::default();
    rows.iter().for_each(|row| digest.add(row.hash()));
    digest.to_string()
}

/// The buckets of a `campaign.digest`.
pub(crate) fn buckets(rows: &[Row]) -> Value {
    let bucket = |number: usize| {
        let inside: Vec<Row> = rows.iter().filter(|it| it.bucket() == number).cloned().collect();
        json!([inside.len(), digest(&inside)])
    };
    (0..256).map(bucket).collect()
}

/// A campaign record with `total` domains and recognisable counters.
pub(crate) fn record(phase: &str, status: &str, total: u64) -> Value {
    json!({"campaignId": CAMPAIGN, "name": "Spring", "currentPhase": phase, "phaseStatus": status,
        "totalItems": 40, "processedItems": 10, "successfulItems": 8, "failedItems": 2,
        "progressPercentage": 25.0, "totalDomainCount": total,
        "createdAt": TIMESTAMP, "updatedAt": TIMESTAMP})
}

/// The data of a transition, with all fields of the payload.
pub(crate) fn transition(from: &str, to: &str, status: &str, rows: &[Row]) -> Value {
    json!({"campaignId": CAMPAIGN, "previousPhase": from, "newPhase": to, "newStatus": status,
        "transitionType": "manual", "triggerReason": "configured", "prerequisitesMet": true,
        "dataIntegrityCheck": true, "domainsCount": rows.len(), "processedCount": 0,
        "successfulCount": 0, "failedItems": 0, "estimatedDuration": 90,
        "transitionMetadata": {"by": "test"}, "rollbackData": null,
        "campaign": record(to, status, rows.len() as u64), "domainsDigest": digest(rows)})
}

/// A control message.
pub(crate) fn message(kind: &str, data: &Value) -> String {
    json!({"type": kind, "timestamp": TIMESTAMP, "data": data}).to_string()
}

pub(crate) fn ack() -> String {
    ack_of("campaign-sync.v1")
}

/// An acknowledgement of v1 that names the subject of the session.
pub(crate) fn ack_for(subject: &str) -> String {
    let data = json!({"connectionId": "k-1", "protocol": "campaign-sync.v1", "subject": subject});
    message("connection_ack", &data)
}

/// An acknowledgement of that protocol.
pub(crate) fn ack_of(protocol: &str) -> String {
    let data = json!({"connectionId": "k-1", "protocol": protocol, "heartbeatMs": 5000,
        "maxFrameBytes": 1_048_576});
    message("connection_ack", &data)
}

/// The server's answer to a recovery request.
pub(crate) fn recovery(outcome: &str, epoch: &str, request_id: &str, from: u64, to: u64) -> String {
    let data = json!({"campaignId": CAMPAIGN, "requestId": request_id, "epoch": epoch,
        "outcome": outcome, "fromSequenceNumber": from, "toSequenceNumber": to});
    message("event_recovery", &data)
}

/// A whole snapshot, in parts of `per_part` rows.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) epoch: String,
    pub(crate) at: u64,
    pub(crate) request_id: String,
    pub(crate) record: Value,
    pub(crate) rows: Vec<Row>,
    pub(crate) per_part: usize,
    /// All rows of the table, if the snapshot contains only some buckets.
    pub(crate) whole: Option<Vec<Row>>,
}

impl Snapshot {
    pub(crate) fn new(epoch: &str, at: u64, request_id: &str, rows: Vec<Row>) -> Self {
        let record = record("domain_generation", "in_progress", rows.len() as u64);
        let (epoch, request_id) = (epoch.to_owned(), request_id.to_owned());
        Self { epoch, at, request_id, record, rows, per_part: usize::MAX, whole: None }
    }

    pub(crate) fn parts(&self) -> Vec<String> {
        self.parts_as_json().iter().map(|part| message("campaign.snapshot", part)).collect()
    }

    pub(crate) fn parts_as_json(&self) -> Vec<Value> {
        let chunks: Vec<&[Row]> = match self.rows.len() {
            0 => vec![&[]],
            _ => self.rows.chunks(self.per_part.min(self.rows.len())).collect(),
        };
        let whole = self.whole.as_ref().unwrap_or(&self.rows);
        let part = |(index, rows): (usize, &&[Row])| {
            let mut part = json!({"campaignId": CAMPAIGN, "requestId": self.request_id,
                "epoch": self.epoch, "sequenceNumber": self.at,
                "eventId": format!("{}-event-{}", self.epoch, self.at),
                "part": index + 1, "parts": chunks.len(),
                "domains": rows.iter().map(Row::json).collect::<Value>(),
                "domainsCount": whole.len(), "domainsDigest": digest(whole)});
            if index == 0 {
                part["campaign"] = self.record.clone();
            }
            part
        };
        chunks.iter().enumerate().map(part).collect()
    }
}
