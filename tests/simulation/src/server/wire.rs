//! The documents that the model server writes: events with their hashes, and control messages.

use std::rc::Rc;

use campaign_sync::protocol::EventHash;
use campaign_sync::protocol::digest::{EMPTY_BUCKETS, bucket_of, id_hash};
use serde_json::{Map, Value, json};

use super::super::sealed;
use super::state::{Change, Record, Row, RowChange, State, Transition};

/// The position of an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventPosition<'a> {
    pub(crate) campaign: &'a str,
    pub(crate) epoch: &'a str,
    pub(crate) number: u64,
    pub(crate) event: &'a str,
    pub(crate) previous: Option<&'a str>,
}

/// The start of every simulation, in milliseconds since 1970.
pub(crate) const BEGAN_MS: u64 = 1_772_323_200_000;

/// An RFC 3339 timestamp; simulations are shorter than a day.
pub(crate) fn timestamp(at_ms: u64) -> String {
    let (seconds, ms) = (at_ms / 1_000, at_ms % 1_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("2026-03-01T{hours:02}:{minutes:02}:{seconds:02}.{ms:03}Z")
}

/// The document of an event; `after` is the state that it leads to.
pub(crate) fn event(
    at_ms: u64,
    place: EventPosition<'_>,
    change: &Change,
    after: &State,
) -> String {
    let kind = Value::from(kind(change)).to_string();
    let data = data(place.campaign, change, after).to_string();
    let data = sealed::data(place, self::kind(change), data);
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
pub(crate) fn control(at_ms: u64, kind: &str, data: &str) -> String {
    format!("{{\"type\":\"{kind}\",\"timestamp\":\"{}\",\"data\":{data}}}", timestamp(at_ms))
}

/// The type of the event that states `change`.
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

/// The data of an event, before it is sealed.
pub(crate) fn data(campaign: &str, change: &Change, after: &State) -> Value {
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

pub(crate) fn record(campaign: &str, record: &Record) -> Value {
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

/// A row as snapshots state it.
pub(crate) fn complete(id: &str, row: &Row) -> String {
    let some = |present: bool| present.then_some(());
    let all = RowChange {
        id: id.to_owned(),
        domain: Some(row.domain.clone()),
        offset: some(row.offset.is_some()).map(|()| row.offset),
        dns: some(row.dns.is_some()).map(|()| row.dns.clone()),
        http: some(row.http.is_some()).map(|()| row.http.clone()),
        code: some(row.code.is_some()).map(|()| row.code),
        lead: some(row.lead.is_some()).map(|()| row.lead.clone()),
        score: some(row.score.is_some()).map(|()| row.score),
    };
    patch(&all).to_string()
}

/// The data of every part of a snapshot of `state`, of some buckets or of all, without its end (see
/// [`finish_part`]).
pub(crate) fn snapshot(
    place: EventPosition<'_>,
    state: &State,
    buckets: Option<&[u8]>,
    part_rows: usize,
) -> Vec<Rc<str>> {
    parts(place, state, buckets, part_rows, true)
}

/// The state as REST answers it.
pub(crate) fn answer(place: EventPosition<'_>, state: &State) -> Option<String> {
    let parts = parts(place, state, None, usize::MAX, false);
    parts.first().map(|part| sealed::answer(place, finish_part(part, None)))
}

/// The same answer without its position, as from a server without v1.
pub(crate) fn answer_without_place(campaign: &str, state: &State) -> Option<String> {
    let nowhere = EventPosition { campaign, epoch: "", number: 0, event: "", previous: None };
    let parts = parts(nowhere, state, None, usize::MAX, false);
    let place = "\"epoch\":\"\",\"sequenceNumber\":0,\"eventId\":\"\",";
    parts.first().map(|part| finish_part(part, None).replacen(place, "", 1))
}

fn parts(
    place: EventPosition<'_>,
    state: &State,
    buckets: Option<&[u8]>,
    part_rows: usize,
    seals: bool,
) -> Vec<Rc<str>> {
    let chosen =
        |id: &str| buckets.is_none_or(|buckets| buckets.contains(&(bucket_of(id_hash(id)) as u8)));
    let rows = state.rows.iter().filter(|(id, _)| chosen(id));
    let rows: Vec<&str> = rows.map(|(_, row)| &*row.text).collect();
    let mut lists: Vec<&[&str]> = rows.chunks(part_rows).collect();
    if lists.is_empty() {
        lists.push(&[]);
    }
    let parts = lists.len();
    let EventPosition { campaign, epoch, number, event, .. } = place;
    let (count, digest) = (state.rows.len(), state.digest);
    let part = |(index, rows): (usize, &[&str])| {
        let mut content = format!("\"domains\":[{}]", rows.join(","));
        if index == 0 {
            content.push_str(&format!(",\"campaign\":{}", record(campaign, &state.record)));
        }
        if seals {
            let numbers = [index as u64 + 1, parts as u64, count as u64];
            content = sealed::content(place, numbers, digest, &content);
        }
        let data = format!(
            "{{\"campaignId\":\"{campaign}\",\"epoch\":\"{epoch}\",\"sequenceNumber\":{number},\
             \"eventId\":\"{event}\",\"part\":{},\"parts\":{parts},\"domainsCount\":{count},\
             \"domainsDigest\":\"{digest}\",{content}",
            index + 1,
        );
        data.into()
    };
    lists.into_iter().enumerate().map(part).collect()
}

/// The complete data of a part.
pub(crate) fn finish_part(part: &str, request: Option<&str>) -> String {
    match request {
        Some(request) => format!("{part},\"requestId\":\"{request}\"}}"),
        None => format!("{part}}}"),
    }
}

/// `[count, sum]` of every bucket.
pub(crate) fn buckets(state: &State) -> Vec<Value> {
    let mut buckets = EMPTY_BUCKETS;
    for (id, row) in state.rows.iter() {
        let bucket = &mut buckets[bucket_of(id_hash(id))];
        bucket.count += 1;
        bucket.sum.add(row.hash);
    }
    buckets.iter().map(|bucket| json!([bucket.count, bucket.sum.to_string()])).collect()
}
