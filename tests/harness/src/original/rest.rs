//! The original's REST interface, as far as a client needs it that resynchronises through it: its
//! envelope around what our own routes answer, and its lists of results.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::{get, post};
use campaign_sync::protocol::Code;
use serde_json::{Value, json};

use super::documents::rest_campaign;
use super::go::uuid;
use crate::app::App;
use crate::campaign::{self, NewCampaign, Refusal};
use crate::log::{LogError, Row, RowQuery};
use crate::rest::answer::{Answer, POSITION, plain};
use crate::rest::caller::Caller;
use crate::rest::campaigns::{self, blocking};
use crate::rest::extract::{Body, Id};

/// Rows per page, where the reader does not say, and at most.
const PAGE_ROWS: (usize, usize) = (100, 1_000);

/// The routes that only the original has.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/campaigns", post(create).get(campaigns::list))
        .route("/campaigns/{id}/results/{list}", get(results))
}

/// `POST /campaigns`, as ours. The original has an event for each row, however many there are.
async fn create(state: State<Arc<App>>, caller: Caller, Body(new): Body<NewCampaign>) -> Answer {
    campaigns::create(state, caller, Body(NewCampaign { batch: Some(1), ..new })).await
}

/// `GET /campaigns/{id}/results/{list}`: a page, and where the next one begins.
async fn results(
    State(app): State<Arc<App>>,
    Id(id): Id,
    Path((_, list)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let of = id.clone();
    let rows = blocking(&app, move |hub| {
        campaign::view(hub, &of)?;
        let view = hub.log().view(&of, &RowQuery::default())?.ok_or(LogError::UnknownCampaign)?;
        Ok(view.rows)
    });
    let (rows, cursor) = (rows.await?, query.get("cursor").map(String::as_str));
    let limit = query.get("limit").and_then(|it| it.parse().ok()).unwrap_or(PAGE_ROWS.0);
    let limit = limit.clamp(1, PAGE_ROWS.1);
    Ok(plain(&match list.as_str() {
        "generated-domains" => {
            let from = cursor.and_then(|it| it.parse().ok()).unwrap_or(0_usize).min(rows.len());
            let to = (from + limit).min(rows.len());
            let data: Vec<_> =
                rows[from..to].iter().map(|row| generated(id.as_str(), row)).collect();
            let next = (to < rows.len()).then_some(to);
            page(data, next.map(|it| json!(it)), rows.len())
        }
        "dns-validation" | "http-keyword" => {
            let write = |row| result(id.as_str(), &list, row);
            let done = rows.iter().filter_map(|row| Some((&row.domain, write(row)?)));
            let mut done: Vec<_> = done.collect();
            done.sort_by_key(|(name, _)| *name);
            let total = done.len();
            let from =
                done.partition_point(|(name, _)| cursor.is_some_and(|it| name.as_str() <= it));
            let to = (from + limit).min(total);
            let next = (to < total).then(|| json!(done[to - 1].0));
            page(done.into_iter().take(to).skip(from).map(|it| it.1).collect(), next, total)
        }
        _ => return Err(Refusal::new(Code::NotFound, "there is no such list")),
    }))
}

fn page(data: Vec<Value>, next: Option<Value>, total: usize) -> Value {
    let mut page = json!({"data": data, "totalCount": total});
    if let Some(next) = next {
        page["nextCursor"] = next;
    }
    page
}

/// Columns that may be null appear as Go's own objects; those that came later do not.
fn generated(campaign: &str, row: &Row) -> Value {
    let nullable = |name: &str, value: Option<Value>| {
        let zero = if name == "String" { json!("") } else { json!(0) };
        json!({name: value.clone().unwrap_or(zero), "Valid": value.is_some()})
    };
    let dns = row.dns_status.as_deref().map(|it| if it == "resolved" { "ok" } else { it });
    let http = row.http_status.as_deref().map(|it| if it == "success" { "ok" } else { it });
    let mut domain = json!({
        "id": row.domain_id,
        "generationCampaignId": campaign,
        "domainName": row.domain,
        "offsetIndex": row.offset,
        "dnsStatus": nullable("String", dns.map(|it| json!(it))),
        "httpStatus": nullable("String", http.map(|it| json!(it))),
        "httpStatusCode": nullable("Int32", row.http_status_code.map(|it| json!(it))),
    });
    if let (Some(status), Some(score)) = (&row.lead_status, row.lead_score) {
        (domain["leadStatus"], domain["leadScore"]) = (json!(status), json!(score));
    }
    domain
}

/// An outcome of one of the two lists of outcomes, if there is one yet.
fn result(campaign: &str, list: &str, row: &Row) -> Option<Value> {
    let (of, status) = match list {
        "dns-validation" => ("dnsCampaignId", &row.dns_status),
        _ => ("httpKeywordCampaignId", &row.http_status),
    };
    let mut result = json!({
        "id": uuid(),
        of: campaign,
        "generatedDomainId": row.domain_id,
        "domainName": row.domain,
        "validationStatus": status.as_ref()?,
        "attempts": 1,
    });
    if let (Some(code), "http-keyword") = (row.http_status_code, list) {
        result["httpStatusCode"] = json!(code);
    }
    Some(result)
}

/// Puts an answer of ours into the original's envelope, and takes away what the original has not.
pub async fn envelope(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let is_json = |it: &header::HeaderValue| it.as_bytes().starts_with(b"application/json");
    if !response.headers().get(header::CONTENT_TYPE).is_some_and(is_json) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let answer = enclosed(parts.status, &path, serde_json::from_slice(&bytes).unwrap_or_default());
    parts.headers.remove(POSITION);
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, answer.to_string().into())
}

fn enclosed(status: StatusCode, path: &str, mut inner: Value) -> Value {
    let request = uuid();
    if let Some(error) = inner.get("error") {
        let code = match status.as_u16() {
            400 | 413 => "BAD_REQUEST",
            401 => "UNAUTHORIZED",
            403 => "FORBIDDEN",
            404 | 405 => "NOT_FOUND",
            409 => "CONFLICT",
            429 => "RATE_LIMIT_EXCEEDED",
            503 => "SERVICE_UNAVAILABLE",
            _ => "INTERNAL_SERVER_ERROR",
        };
        let error = json!({"code": code, "message": error["message"], "path": path});
        return json!({"success": false, "error": error, "requestId": request});
    }
    let data = if let Some(Value::Array(list)) = inner.get("campaigns") {
        json!(list.iter().map(rest_campaign).collect::<Vec<_>>())
    } else if inner["campaign"].is_object() {
        rest_campaign(&inner["campaign"])
    } else if inner["currentPhase"].is_string() {
        rest_campaign(&inner)
    } else {
        inner.take()
    };
    json!({"success": true, "data": data, "requestId": request})
}
