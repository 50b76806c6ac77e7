//! `/api/v2/campaigns`: reads campaigns and executes operations on them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body as AnswerBody;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use campaign_sync::protocol::seal::route;
use campaign_sync::protocol::{CampaignId, Code, Phase, Status};
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use serde::de::value::{self, StrDeserializer};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, sleep};

use super::answer::{Answer, plain, positioned, sealed, streamed};
use super::answers::{
    AuditEntry, AuditTrail, Campaign, CampaignList, Changed, DomainsPage, ErrorBody, Position,
    Snapshot,
};
use super::blocking::{self, blocking};
use super::bodies::{Change, OwnerUpdate};
use super::caller::Caller;
use super::extract::{Body, Id, Params, campaign_id};
use super::parameters::{Action, ActionPath, CampaignPath, IdempotencyKey};
use super::queries::{AtPosition, DomainsQuery, ListQuery, Reading, TransitionsQuery};
use crate::access::Identity;
use crate::app::App;
use crate::campaign::{Completed, NewCampaign, Operation, Refusal, RequestContext};
use crate::hub::Hub;
use crate::log::state::{Record, record_json};
use crate::log::{CampaignQuery, LogError, RowQuery, Transaction, View};
use crate::snapshots::{Download, SnapshotBody, SnapshotPurpose};

/// The longest wait for a requested position.
const BEHIND_WAIT: Duration = Duration::from_secs(2);

/// The longest wait for a snapshot that is being built, and the time between two looks.
const SNAPSHOT_WAIT: Duration = Duration::from_secs(5);
const SNAPSHOT_RETRY: Duration = Duration::from_millis(50);

/// `GET /campaigns`: all campaigns of the caller, or a page of them.
///
/// # Errors
/// [`Code::InvalidBody`], [`Code::Internal`].
#[utoipa::path(get, path = "/campaigns", tag = "campaigns", params(ListQuery), responses(
    (status = 200, body = CampaignList),
    (status = "default", body = ErrorBody, description = "A refusal"),
))]
pub async fn list(
    State(app): State<Arc<App>>,
    Caller { identity, .. }: Caller,
    Params(query): Params<ListQuery>,
) -> Answer {
    let list = blocking::reading(&app, move |hub| {
        let (limit, after, owner) = (query.limit(), query.cursor(), identity.owner_name());
        let wanted = CampaignQuery {
            owner: owner.as_deref(),
            after: after.as_ref(),
            // One more shows whether there is another page.
            limit: limit.map(|limit| limit + 1),
        };
        let mut found = hub.log().list(&wanted)?;
        let size = limit.map_or(usize::MAX, |limit| limit as usize);
        let has_more = found.len() > size;
        found.truncate(size);
        let last = found.last().filter(|_| has_more).map(|(id, _)| id.to_string());
        let mut campaigns = Vec::with_capacity(found.len());
        for (id, view) in &found {
            let record = record_json(id.as_str(), &view.state.record);
            let sealed = sealed(hub, id, view.head.at(), route::CAMPAIGN, &record)?;
            campaigns.push(sealed.unwrap_or(record));
        }
        Ok(CampaignList { campaigns, next: limit.map(|_| last) })
    });
    Ok(plain(&list.await?))
}

/// `POST /campaigns`: creates a campaign.
///
/// # Errors
/// [`Code::InvalidBody`], [`Code::InvalidCampaignId`], [`Code::ExpectedStateMismatch`].
#[utoipa::path(post, path = "/campaigns", tag = "campaigns", params(IdempotencyKey),
    request_body = NewCampaign, responses(
    (status = 201, body = Changed, headers(
        ("Campaign-Position" = String, description = "`epoch/number` of the answer"),
        ("Location" = String, description = "The address of the campaign"),
    )),
    (status = "default", body = ErrorBody, description = "A refusal"),
))]
pub async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(new): Body<NewCampaign>,
) -> Answer {
    let id = match (&new.campaign_id, &caller.by.key) {
        (Some(id), _) => campaign_id(id)?,
        // A request with the same idempotency key gets the same campaign id, at every server of the log. Only
        // these servers know the secret, so nobody can take the id first.
        (None, Some(key)) => campaign_id(&keyed_id(&app.context.hub.log().secret(), &key.name))?,
        (None, None) => campaign_id(&format!("c-{:032x}", rand::random::<u128>()))?,
    };
    let (rate, location) = (app.rate, format!("/api/v2/campaigns/{id}"));
    let created =
        operate(&app, id, caller, RequestContext::default(), move |it| it.create(&new, rate)).await;
    let mut response = created?;
    *response.status_mut() = StatusCode::CREATED;
    let location = HeaderValue::from_str(&location);
    let broken = |_| Refusal::new(Code::Internal, "the address cannot be written");
    response.headers_mut().insert(header::LOCATION, location.map_err(broken)?);
    Ok(response)
}

/// The id of the campaign that a request with this idempotency key creates.
fn keyed_id(secret: &str, key: &str) -> String {
    let digest = Sha256::digest(format!("{secret} campaign {key}"));
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("c-{hex}")
}

/// `GET /campaigns/{id}`: the record and the settings.
///
/// # Errors
/// [`Code::UnknownCampaign`], [`Code::InvalidCampaignId`], [`Code::Behind`].
#[utoipa::path(get, path = "/campaigns/{id}", tag = "campaigns",
    params(CampaignPath, Reading), responses(
    (status = 200, body = Campaign<'_>, headers(
        ("Campaign-Position" = String, description = "`epoch/number` of the answer"),
    )),
    (status = "default", body = ErrorBody, description = "A refusal"),
))]
pub async fn one(
    State(app): State<Arc<App>>,
    Id(id): Id,
    Params(reading): Params<Reading>,
) -> Answer {
    answer(&app, id, &reading, RowQuery::NONE, route::CAMPAIGN, |id, view| {
        let record = Record::new(id.as_str(), &view.state.record);
        json!(Campaign { record, settings: &view.state.settings })
    })
    .await
}

/// `DELETE /campaigns/{id}`: deletes a campaign, and answers with its last state.
///
/// # Errors
/// Those of [`Operation::delete`]; [`Code::InvalidCampaignId`], [`Code::InvalidBody`].
#[utoipa::path(delete, path = "/campaigns/{id}", tag = "campaigns",
    params(CampaignPath, IdempotencyKey),
    request_body = Change, responses(
    (status = 200, body = Changed, headers(
        ("Campaign-Position" = String, description = "`epoch/number` of the answer"),
    )),
    (status = "default", body = ErrorBody, description = "A refusal"),
))]
pub async fn delete(
    State(app): State<Arc<App>>,
    Id(id): Id,
    caller: Caller,
    Body(change): Body<Change>,
) -> Answer {
    operate(&app, id, caller, change.into(), |it| it.delete()).await
}

/// `PUT /campaigns/{id}/owner`: gives the campaign to another owner.
///
/// # Errors
/// Those of [`Operation::set_owner`]; [`Code::InvalidCampaignId`], [`Code::InvalidBody`].
#[utoipa::path(put, path = "/campaigns/{id}/owner", tag = "campaigns",
    params(CampaignPath, IdempotencyKey),
    request_body = OwnerUpdate, responses(
    (status = 200, body = Changed, headers(
        ("Campaign-Position" = String, description = "`epoch/number` of the answer"),
    )),
    (status = "default", body = ErrorBody, description = "A refusal"),
))]
pub async fn set_owner(
    State(app): State<Arc<App>>,
    Id(id): Id,
    caller: Caller,
    Body(update): Body<OwnerUpdate>,
) -> Answer {
    let (owner, order) = update.split();
    operate(&app, id, caller, order, move |it| it.set_owner(owner)).await
}

/// `GET /campaigns/{id}/domains`: a page of rows.
///
/// # Errors
/// As [`one`].
#[utoipa::path(get, path = "/campaigns/{id}/domains", tag = "campaigns",
    params(CampaignPath, DomainsQuery), responses(
    (status = 200, body = DomainsPage, headers(
        ("Campaign-Position" = String, description = "`epoch/number` of the answer"),
    )),
    (status = "default", body = ErrorBody, description = "A refusal"),
))]
pub async fn domains(
    State(app): State<Arc<App>>,
    Id(id): Id,
    Params(query): Params<DomainsQuery>,
) -> Answer {
    let (offset, limit) = query.range();
    let rows = query.rows();
    answer(&app, id, &query, rows, route::DOMAINS, move |_, view| {
        json!(DomainsPage {
            domains: view.rows.clone(),
            offset,
            limit,
            total: view.matching,
            domains_count: view.head.domains_count,
        })
    })
    .await
}

/// `GET /campaigns/{id}/snapshot`: the whole state at one number.
///
/// # Errors
/// As [`one`].
#[utoipa::path(get, path = "/campaigns/{id}/snapshot", tag = "campaigns",
    params(CampaignPath, Reading), responses(
    (status = 200, body = Snapshot<'_>, headers(
        ("Campaign-Position" = String, description = "`epoch/number` of the answer"),
    )),
    (status = "default", body = ErrorBody, description = "A refusal"),
))]
pub async fn snapshot(
    State(app): State<Arc<App>>,
    Id(id): Id,
    Caller { identity, .. }: Caller,
    Params(reading): Params<Reading>,
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
#[utoipa::path(get, path = "/campaigns/{id}/transitions", tag = "campaigns",
    params(CampaignPath, TransitionsQuery), responses(
    (status = 200, body = AuditTrail<'_>, headers(
        ("Campaign-Position" = String, description = "`epoch/number` of the answer"),
    )),
    (status = "default", body = ErrorBody, description = "A refusal"),
))]
pub async fn transitions(
    State(app): State<Arc<App>>,
    Id(id): Id,
    Params(query): Params<TransitionsQuery>,
) -> Answer {
    reach(&app, &id, &query).await?;
    let is_wanted = move |it: &&Transaction| {
        query.all == Some(true) || ["manual", "automatic", "error_recovery"].contains(&&*it.kind)
    };
    let read = move |hub: &Hub| {
        let head = hub.log().head(&id)?.ok_or(LogError::UnknownCampaign)?;
        // The trail is read after the head, so it may be ahead of the position of the answer.
        let mut entries = hub.log().transactions(&id)?;
        entries.retain(|it| it.sequence_number.is_none_or(|number| number <= head.number));
        let transitions = entries.iter().filter(is_wanted).map(AuditEntry::from).collect();
        positioned(hub, &id, head.at(), route::TRANSITIONS, &AuditTrail { transitions })
    };
    blocking::reading(&app, read).await
}

/// `POST /campaigns/{id}/{action}`: configures, starts, pauses, resumes or rolls back a phase.
///
/// # Errors
/// Those of [`Operation::transition`]; [`Code::NotFound`] for an action that does not exist.
#[utoipa::path(post, path = "/campaigns/{id}/{action}", tag = "campaigns",
    params(CampaignPath, ActionPath, IdempotencyKey),
    request_body = Change, responses(
    (status = 200, body = Changed, headers(
        ("Campaign-Position" = String, description = "`epoch/number` of the answer"),
    )),
    (status = "default", body = ErrorBody, description = "A refusal"),
))]
pub async fn act(
    State(app): State<Arc<App>>,
    Path((_, name)): Path<(String, String)>,
    Id(id): Id,
    caller: Caller,
    Body(change): Body<Change>,
) -> Answer {
    let unknown = || Refusal::new(Code::NotFound, "there is no such action");
    operate(&app, id, caller, change.into(), action(&name).ok_or_else(unknown)?).await
}

/// The operation on a campaign that the last segment of the route names.
fn action(name: &str) -> Option<fn(Operation<'_>) -> Result<Completed, Refusal>> {
    let name = name.into_deserializer();
    let action = Action::deserialize::<StrDeserializer<'_, value::Error>>(name).ok()?;
    Some(match action {
        Action::Start => |it| it.start(Phase::DomainGeneration),
        Action::ConfigureDns => |it| it.transition(Phase::DnsValidation, Status::Configured),
        Action::ConfigureHttp => {
            |it| it.transition(Phase::HttpKeywordValidation, Status::Configured)
        }
        Action::ConfigureAnalysis => |it| it.transition(Phase::Analysis, Status::Configured),
        Action::ValidateDns => |it| it.start(Phase::DnsValidation),
        Action::ValidateHttp => |it| it.start(Phase::HttpKeywordValidation),
        Action::Analyze => |it| it.start(Phase::Analysis),
        Action::Pause => |it| it.pause(),
        Action::Resume => |it| it.resume(),
        Action::Rollback => |it| it.rollback(),
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
    let position = Position {
        epoch: app.context.hub.epoch().to_owned(),
        sequence_number: done.number,
        event_id: done.event_id.clone(),
    };
    let body = Changed { campaign: done.record, position };
    positioned(&app.context.hub, &id, (done.number, &done.event_id), route::CHANGE, &body)
}

/// Answers with the state of a campaign, at `min_position` or later if the request names one. Work
/// proportional to the number of rows runs on a blocking thread, including the serialisation of the answer.
async fn answer(
    app: &Arc<App>,
    id: CampaignId,
    reading: &(impl AtPosition + Sync),
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
async fn reach(
    app: &Arc<App>,
    id: &CampaignId,
    reading: &(impl AtPosition + Sync),
) -> Result<(), Refusal> {
    let Some((epoch, number)) = reading.position()? else { return Ok(()) };
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
