//! What the model server writes: events with their hashes, and control messages.

use campaign_sync::protocol::EventHash;
use campaign_sync::protocol::digest::{EMPTY_BUCKETS, bucket_of, id_hash};
use serde_json::{Map, Value, json};

use super::state::{Change, Record, Row, RowChange, State, Transition};

/// Where an event stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) campaign: &'a str,
    pub(crate) epoch: &'a str,
    pub(crate) number: u64,
    pub(crate) event: &'a str,
    pub(crate) previous: Option<&'a str>,
}

/// An RFC 3339 timestamp; simulations are shorter than a day.
pub(crate) fn timestamp(at_ms: u64) -> String {
    let (seconds, ms) = (at_ms / 1_000, at_ms % 1_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("2026-03-01T{hours:02}:{minutes:02}:{seconds:02}.{ms:03}Z")
}

/// The document of an event; `after` is the state that it leads to.
pub(crate) fn event(at_ms: u64, place: Place<'_>, change: &Change, after: &State) -> String {
    let kind = Value::from(kind(change)).to_string();
    let data = data(place.campaign, change, after).to_string();
    let timestamp = Value::from(timestamp(at_ms)).to_string();
    let checkpoint = matches!(change, Change::Transition(_)).to_string();
    let quoted = |text: &str| format!("\"{text}\"");
    let number = place.number.to_string();
    let previous = place.previous.map_or_else(|| "null".to_owned(), quoted);
    let (campaign, epoch, id) = (quoted(place.campaign), quoted(place.epoch), quoted(place.event));
    let at = [&*campaign, &*epoch, &*number, &*id, &*previous, &*checkpoint];
    let hash = EventHash::of_v1(&kind, &timestamp, &data, at);
    format!(
        "{{\"type\":{kind},\"timestamp\":{timestamp},\"data\":{data},\"sequence\":{{\
         \"campaignId\":{campaign},\"epoch\":{epoch},\"eventId\":{id},\
         \"sequenceNumber\":{number},\"eventHash\":\"{hash}\",\"previousEventId\":{previous},\
         \"checkpointData\":{checkpoint}}}}}"
    )
}

/// A control message.
pub(crate) fn control(at_ms: u64, kind: &str, data: &Value) -> String {
    json!({"type": kind, "timestamp": timestamp(at_ms), "data": data}).to_string()
}

/// The type of the event that says `change`.
pub(crate) const fn kind(change: &Change) -> &'static str {
    match change {
        Change::Record { .. } | Change::Deleted { listed: true } => "campaign.list.update",
        Change::Progress { .. } => "campaign.progress",
        Change::Status { .. } => "campaign.status",
        Change::Transition(_) => "campaign.phase.transition",
        Change::Generated(_) => "domain.generated",
        Change::Dns(_) => "dns.validation.result",
        Change::Http(_) => "http.validation.result",
        Change::Rows(_) => "domains.updated",
        Change::Removed(_) => "domains.removed",
        Change::Nothing { kind } => kind,
        Change::Deleted { listed: false } => "campaign.deleted",
    }
}

fn data(campaign: &str, change: &Change, after: &State) -> Value {
    let mut data = match change {
        Change::Record { action, record } => {
            json!({"action": action, "campaign": self::record(campaign, record)})
        }
        Change::Progress { phase, status, counts, percent } => json!({
            "totalItems": counts[0], "processedItems": counts[1], "successfulItems": counts[2],
            "failedItems": counts[3], "progressPercent": percent,
            "currentPhase": phase.as_str(), "phaseStatus": status.as_str(),
        }),
        Change::Status { phase, status, message } => {
            let mut data = json!({"phaseStatus": status.as_str(), "message": message});
            if let Some(phase) = phase {
                data["currentPhase"] = json!(phase.as_str());
            }
            data
        }
        Change::Transition(transition) => transition_data(campaign, transition, after),
        Change::Generated(row) => json!({
            "domainId": row.id, "domain": row.domain, "offset": row.offset,
            "batchSize": 1, "totalGenerated": after.rows.len(),
        }),
        Change::Dns(row) => json!({
            "domainId": row.id, "domain": row.domain, "validationStatus": row.dns,
            "attempts": 1, "processingTime": 2, "totalValidated": 3,
        }),
        Change::Http(row) => {
            let mut data = json!({
                "domainId": row.id, "domain": row.domain, "validationStatus": row.http,
                "keywords": [], "processingTime": 2, "totalValidated": 3,
            });
            if let Some(code) = row.code {
                data["httpStatus"] = json!(code);
            }
            data
        }
        Change::Rows(rows) => json!({"domains": rows.iter().map(patch).collect::<Vec<_>>()}),
        Change::Removed(ids) => json!({"domainIds": ids}),
        Change::Nothing { .. } => json!({"level": "info", "message": "für \"dich\" \\ 漢字"}),
        Change::Deleted { listed: true } => json!({"action": "delete"}),
        Change::Deleted { listed: false } => json!({}),
    };
    data["campaignId"] = json!(campaign);
    data
}

fn transition_data(campaign: &str, transition: &Transition, after: &State) -> Value {
    let record = &transition.record;
    let rollback = transition.rollback.as_ref().map(|back| {
        json!({
            "phase": back.phase.as_str(), "status": back.status.as_str(),
            "counters": {"totalItems": back.counts[0], "processedItems": back.counts[1],
                "successfulItems": back.counts[2], "failedItems": back.counts[3]},
            "totalDomainCount": back.total,
        })
    });
    json!({
        "previousPhase": transition.previous.as_str(), "newPhase": record.phase.as_str(),
        "newStatus": record.status.as_str(), "transitionType": transition.kind,
        "triggerReason": "the operator said so", "prerequisitesMet": transition.prerequisites_met,
        "dataIntegrityCheck": transition.integrity_check, "domainsCount": after.rows.len(),
        "processedCount": record.counts[1], "successfulCount": record.counts[2],
        "failedItems": record.counts[3], "estimatedDuration": 60,
        "transitionMetadata": {"by": "simulation"}, "rollbackData": rollback,
        "campaign": self::record(campaign, record), "domainsDigest": after.digest.to_string(),
    })
}

fn record(campaign: &str, record: &Record) -> Value {
    let mut value = json!({
        "campaignId": campaign, "name": record.name, "currentPhase": record.phase.as_str(),
        "phaseStatus": record.status.as_str(), "totalItems": record.counts[0],
        "processedItems": record.counts[1], "successfulItems": record.counts[2],
        "failedItems": record.counts[3], "progressPercentage": record.percent,
        "totalDomainCount": record.total, "createdAt": record.created, "updatedAt": record.updated,
    });
    if let Some(error) = &record.error {
        value["errorMessage"] = json!(error);
    }
    value
}

fn patch(change: &RowChange) -> Value {
    let mut row = Map::new();
    let mut member = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            row.insert(key.to_owned(), value);
        }
    };
    member("domainId", Some(json!(change.id)));
    member("domain", change.domain.as_ref().map(|it| json!(it)));
    member("offset", change.offset.map(|it| json!(it)));
    member("dnsStatus", change.dns.as_ref().map(|it| json!(it)));
    member("httpStatus", change.http.as_ref().map(|it| json!(it)));
    member("httpStatusCode", change.code.map(|it| json!(it)));
    member("leadStatus", change.lead.as_ref().map(|it| json!(it)));
    member("leadScore", change.score.map(|it| json!(it)));
    Value::Object(row)
}

fn complete(id: &str, row: &Row) -> Value {
    let some = |present: bool| present.then_some(());
    patch(&RowChange {
        id: id.to_owned(),
        domain: Some(row.domain.clone()),
        offset: some(row.offset.is_some()).map(|()| row.offset),
        dns: some(row.dns.is_some()).map(|()| row.dns.clone()),
        http: some(row.http.is_some()).map(|()| row.http.clone()),
        code: some(row.code.is_some()).map(|()| row.code),
        lead: some(row.lead.is_some()).map(|()| row.lead.clone()),
        score: some(row.score.is_some()).map(|()| row.score),
    })
}

/// The data of every part of a snapshot of `state`, of some buckets or of all, without request id.
pub(crate) fn snapshot(
    place: Place<'_>,
    state: &State,
    buckets: Option<&[u8]>,
    part_rows: usize,
) -> Vec<Value> {
    let chosen =
        |id: &str| buckets.is_none_or(|buckets| buckets.contains(&(bucket_of(id_hash(id)) as u8)));
    let rows = state.rows.iter().filter(|(id, _)| chosen(id));
    let rows: Vec<Value> = rows.map(|(id, row)| complete(id, row)).collect();
    let mut lists: Vec<&[Value]> = rows.chunks(part_rows).collect();
    if lists.is_empty() {
        lists.push(&[]);
    }
    let parts = lists.len();
    let part = |(index, rows): (usize, &[Value])| {
        let mut data = json!({
            "campaignId": place.campaign, "epoch": place.epoch, "sequenceNumber": place.number,
            "eventId": place.event, "part": index + 1, "parts": parts, "domains": rows,
            "domainsCount": state.rows.len(), "domainsDigest": state.digest.to_string(),
        });
        if index == 0 {
            data["campaign"] = record(place.campaign, &state.record);
        }
        data
    };
    lists.into_iter().enumerate().map(part).collect()
}

/// `[count, sum]` of every bucket.
pub(crate) fn buckets(state: &State) -> Vec<Value> {
    let mut buckets = EMPTY_BUCKETS;
    for (id, row) in &state.rows {
        let bucket = &mut buckets[bucket_of(id_hash(id))];
        bucket.count += 1;
        bucket.sum.add(row.hash);
    }
    buckets.iter().map(|bucket| json!([bucket.count, bucket.sum.to_string()])).collect()
}
