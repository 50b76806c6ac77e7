//! `/api/v2/campaigns`: reads campaigns and executes operations on them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body as AnswerBody;
use axum::extract::{Path, State};
use campaign_sync::protocol::digest::id_hash;
use campaign_sync::protocol::seal::route;
use campaign_sync::protocol::{CampaignId, Code, Phase, Status};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::answer::{Answer, plain, positioned, sealed, streamed};
use super::blocking::{self, blocking};
use super::caller::Caller;
use super::extract::{Body, Id, Reading, campaign_id};
use crate::access::Identity;
use crate::app::App;
use crate::campaign::{Completed, NewCampaign, Operation, Refusal, RequestContext};
use crate::hub::Hub;
use crate::log::state::record_json;
use crate::log::{LogError, RowQuery, View};
use crate::snapshots::{Download, SnapshotBody, SnapshotPurpose};

/// The longest wait for a requested position.
const BEHIND_WAIT: Duration = Duration::from_secs(2);

/// The longest wait for a snapshot that is being built, and the time between two looks.
const SNAPSHOT_WAIT: Duration = Duration::from_secs(5);
const SNAPSHOT_RETRY: Duration = Duration::from_millis(50);

/// Rows per page: the default, and the maximum.
const PAGE_ROWS: (u64, u64) = (100, 10_000);

/// `GET /campaigns`
///
/// # Errors
/// [`Code::Internal`].
pub async fn list(State(app): State<Arc<App>>, Caller { identity, .. }: Caller) -> Answer {
    let records = blocking::reading(&app, move |hub| {
        let mut records = Vec::new();
        for id in hub.log().campaigns()? {
            let view = hub.log().view(&id, &RowQuery::NONE)?;
            let is_shown = |View { state, .. }: &View| {
                !state.deleted && identity.may_see(state.settings.owner.as_deref())
            };
            if let Some(view) = view.filter(is_shown) {
                let record = record_json(id.as_str(), &view.state.record);
                let at = view.head.at();
                records.push(sealed(hub, &id, at, route::CAMPAIGN, &record)?.unwrap_or(record));
            }
        }
        Ok(records)
    });
    Ok(plain(&json!({"campaigns": records.await?})))
}

/// `POST /campaigns`
///
/// # Errors
/// [`Code::InvalidBody`], [`Code::InvalidCampaignId`], [`Code::ExpectedStateMismatch`].
pub async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(new): Body<NewCampaign>,
) -> Answer {
    // A request with the same idempotency key gets the same campaign id.
    let made_up = || match &caller.by.key {
        Some(key) => format!("c-{:016x}", id_hash(&key.name)),
        None => format!("c-{:016x}", rand::random::<u64>()),
    };
    let id = campaign_id(&new.campaign_id.clone().unwrap_or_else(made_up))?;
    let rate = app.rate;
    operate(&app, id, caller, RequestContext::default(), move |it| it.create(&new, rate)).await
}

/// `GET /campaigns/{id}`
///
/// # Errors
/// [`Code::UnknownCampaign`], [`Code::InvalidCampaignId`], [`Code::Behind`].
pub async fn one(State(app): State<Arc<App>>, Id(id): Id, reading: Reading) -> Answer {
    answer(&app, id, &reading, RowQuery::NONE, route::CAMPAIGN, |id, view| {
        let mut body = record_json(id.as_str(), &view.state.record);
        body["settings"] = json!(view.state.settings);
        body
    })
    .await
}

/// `DELETE /campaigns/{id}`: answers with the last state of the campaign.
///
/// # Errors
/// Those of [`Operation::delete`]; [`Code::InvalidCampaignId`], [`Code::InvalidBody`].
pub async fn delete(
    State(app): State<Arc<App>>,
    Id(id): Id,
    caller: Caller,
    Body(order): Body<RequestContext>,
) -> Answer {
    operate(&app, id, caller, order, |it| it.delete()).await
}

/// The new owner of a campaign.
#[derive(Debug, Deserialize)]
pub struct OwnerUpdate {
    owner: Option<String>,
    #[serde(flatten)]
    order: RequestContext,
}

/// `PUT /campaigns/{id}/owner`
///
/// # Errors
/// Those of [`Operation::set_owner`]; [`Code::InvalidCampaignId`], [`Code::InvalidBody`].
pub async fn set_owner(
    State(app): State<Arc<App>>,
    Id(id): Id,
    caller: Caller,
    Body(OwnerUpdate { owner, order }): Body<OwnerUpdate>,
) -> Answer {
    operate(&app, id, caller, order, move |it| it.set_owner(owner)).await
}

/// `GET /campaigns/{id}/domains`
///
/// # Errors
/// As [`one`].
pub async fn domains(State(app): State<Arc<App>>, Id(id): Id, reading: Reading) -> Answer {
    let limit = reading.limit.unwrap_or(PAGE_ROWS.0).min(PAGE_ROWS.1);
    let rows = RowQuery {
        skip: reading.offset,
        limit: Some(limit),
        search: reading.search.clone().filter(|text| !text.is_empty()),
        dns_status: reading.dns_status.clone(),
        http_status: reading.http_status.clone(),
        ..RowQuery::default()
    };
    let offset = reading.offset;
    answer(&app, id, &reading, rows, route::DOMAINS, move |_, view| {
        json!({
            "domains": view.rows,
            "offset": offset,
            "limit": limit,
            "total": view.matching,
            "domainsCount": view.head.domains_count,
        })
    })
    .await
}

/// `GET /campaigns/{id}/snapshot`
///
/// # Errors
/// As [`one`].
pub async fn snapshot(
    State(app): State<Arc<App>>,
    Id(id): Id,
    Caller { identity, .. }: Caller,
    reading: Reading,
) -> Answer {
    reach(&app, &id, &reading).await?;
    let deadline = Instant::now() + SNAPSHOT_WAIT;
    let download = loop {
        match download(&app, &id, &identity).await {
            // Another request builds it, or others wait for theirs.
            Err(busy) if busy.code == Code::RateLimited && busy.status == Some(503) => {
                if Instant::now() >= deadline {
                    return Err(busy);
                }
                sleep(SNAPSHOT_RETRY).await;
            }
            download => break download?,
        }
    };
    let position = format!("{}/{}", app.context.hub.epoch(), download.head.number);
    let body = AnswerBody::new(SnapshotBody::new(download, id, identity, app.clock));
    Ok(streamed(&position, body))
}

async fn download(
    app: &Arc<App>,
    id: &CampaignId,
    identity: &Identity,
) -> Result<Download, Refusal> {
    let (context, now_ms) = (app.context.clone(), app.clock.now().monotonic_ms);
    let (id, quota) = (id.clone(), identity.quota().cloned());
    let read = move |hub: &Hub| {
        let head = hub.log().head(&id)?.ok_or(LogError::UnknownCampaign)?;
        let (purpose, at) = (SnapshotPurpose::Rest, (head.number, now_ms));
        let snapshot = context.snapshots.take(hub, &id, purpose, at, quota.as_ref())?;
        let download = Download::begin(snapshot, quota.as_ref())?;
        if let Some(keys) = hub.log().keys() {
            download.seal_whole(keys, &id)?;
        }
        Ok(download)
    };
    blocking::reading(app, read).await
}

/// `GET /campaigns/{id}/transitions`: the audit trail of a campaign: requests and their results. Includes
/// deleted campaigns.
///
/// # Errors
/// [`Code::UnknownCampaign`], [`Code::InvalidCampaignId`].
pub async fn transitions(State(app): State<Arc<App>>, Id(id): Id, reading: Reading) -> Answer {
    reach(&app, &id, &reading).await?;
    let of = id.clone();
    let audit_entry = blocking::reading(&app, move |hub| {
        let head = hub.log().head(&of)?.ok_or(LogError::UnknownCampaign)?;
        Ok((head, hub.log().transactions(&of)?))
    });
    let (head, audit_entry) = audit_entry.await?;
    let transitions = audit_entry
        .iter()
        .filter(|it| reading.all || ["manual", "automatic", "error_recovery"].contains(&&*it.kind))
        .map(|it| {
            json!({
                "name": it.name,
                "who": it.who,
                "timestamp": it.timestamp,
                "from": it.from,
                "to": it.to,
                "type": it.kind,
                "reason": it.reason,
                "result": it.result,
                "message": it.message,
                "sequenceNumber": it.sequence_number,
                "eventId": it.event_id,
            })
        });
    let body = json!({"transitions": transitions.collect::<Vec<_>>()});
    let sealed = sealed(&app.context.hub, &id, head.at(), route::TRANSITIONS, &body)?;
    Ok(plain(&sealed.unwrap_or(body)))
}

/// `POST /campaigns/{id}/{action}`
///
/// # Errors
/// Those of [`Operation::transition`]; [`Code::NotFound`] for an action that does not exist.
pub async fn act(
    State(app): State<Arc<App>>,
    Path((_, name)): Path<(String, String)>,
    Id(id): Id,
    caller: Caller,
    Body(order): Body<RequestContext>,
) -> Answer {
    let unknown = || Refusal::new(Code::NotFound, "there is no such action");
    operate(&app, id, caller, order, action(&name).ok_or_else(unknown)?).await
}

/// The operation on a campaign that the last segment of the route names.
fn action(name: &str) -> Option<fn(Operation<'_>) -> Result<Completed, Refusal>> {
    Some(match name {
        "start" => |it| it.start(Phase::DomainGeneration),
        "configure-dns" => |it| it.transition(Phase::DnsValidation, Status::Configured),
        "configure-http" => |it| it.transition(Phase::HttpKeywordValidation, Status::Configured),
        "configure-analysis" => |it| it.transition(Phase::Analysis, Status::Configured),
        "validate-dns" => |it| it.start(Phase::DnsValidation),
        "validate-http" => |it| it.start(Phase::HttpKeywordValidation),
        "analyze" => |it| it.start(Phase::Analysis),
        "pause" => |it| it.pause(),
        "resume" => |it| it.resume(),
        "rollback" => |it| it.rollback(),
        _ => return None,
    })
}

/// Executes an operation, wakes the runner, and answers with the campaign after it.
async fn operate(
    app: &Arc<App>,
    id: CampaignId,
    Caller { by, .. }: Caller,
    order: RequestContext,
    operation: impl FnOnce(Operation<'_>) -> Result<Completed, Refusal> + Send + 'static,
) -> Answer {
    let (campaign, order, now) = (id.clone(), RequestContext { by, ..order }, app.clock.now());
    // A write may wait for a disk or a cluster. The threads of the others stay free for reads.
    let Ok(turn) = app.writes.clone().try_acquire_owned() else {
        app.context.hub.metrics.rate_limited.get_or_create(&[("what", "writes")]).inc();
        return Err(LogError::Busy.into());
    };
    let done = blocking(app, move |hub| {
        // Held until the write ends, even if the client no longer waits for it.
        let _turn = turn;
        operation(Operation { hub, now, campaign: &campaign, order: &order })
    });
    let done = done.await?;
    let _gone_at_shutdown = app.runner.send(id.clone());
    let body = json!({
        "campaign": done.record,
        "position": {
            "epoch": app.context.hub.epoch(),
            "sequenceNumber": done.number,
            "eventId": done.event_id,
        },
    });
    positioned(&app.context.hub, &id, (done.number, &done.event_id), route::CHANGE, &body)
}

/// Answers with the state of a campaign, at `min_position` or later if the request names one. Work
/// proportional to the number of rows runs on a blocking thread, including the serialisation of the answer.
async fn answer(
    app: &Arc<App>,
    id: CampaignId,
    reading: &Reading,
    rows: RowQuery,
    route: &'static str,
    body: impl FnOnce(&CampaignId, &View) -> Value + Send + 'static,
) -> Answer {
    reach(app, &id, reading).await?;
    let read = move |hub: &Hub| {
        let view = hub.log().view(&id, &rows)?.filter(|view| !view.state.deleted);
        let view = view.ok_or(LogError::UnknownCampaign)?;
        positioned(hub, &id, view.head.at(), route, &body(&id, &view))
    };
    blocking::reading(app, read).await
}

/// Waits until the log has reached the requested position.
async fn reach(app: &Arc<App>, id: &CampaignId, reading: &Reading) -> Result<(), Refusal> {
    let Some(least) = reading.min_position.as_deref() else { return Ok(()) };
    let (epoch, number) = min_position(least)?;
    let deadline = Instant::now() + BEHIND_WAIT;
    loop {
        let of = id.clone();
        let head = blocking(app, move |hub| Ok(hub.log().head(&of)?)).await?;
        let head = head.ok_or(LogError::UnknownCampaign)?;
        if epoch == app.context.hub.epoch() && number <= head.number {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Refusal::new(Code::Behind, "this server is not that far yet"));
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn min_position(text: &str) -> Result<(String, u64), Refusal> {
    let parsed = text
        .rsplit_once('/')
        .and_then(|(epoch, number)| Some((epoch.to_owned(), number.parse().ok()?)));
    parsed.ok_or_else(|| Refusal::new(Code::InvalidBody, "min_position must be epoch/number"))
}
