//! `/api/v2/campaigns`: reading campaigns, and moving them on.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use campaign_sync::protocol::digest::id_hash;
use campaign_sync::protocol::seal::route;
use campaign_sync::protocol::{CampaignId, Code, Phase, Status};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::answer::{Answer, body, plain, positioned, sealed};
use super::caller::Caller;
use crate::app::App;
use crate::campaign::{self, Done, NewCampaign, Order, Refusal};
use crate::clock::Moment;
use crate::hub::Hub;
use crate::log::state::record_json;
use crate::log::{RowQuery, View};

/// How long a reader who asks for a position waits for it.
const BEHIND_WAIT: Duration = Duration::from_secs(2);

/// Rows per page, where the reader does not say, and at most.
const PAGE_ROWS: (u64, u64) = (100, 10_000);

/// The query of the reading routes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Reading {
    min_position: Option<String>,
    offset: u64,
    limit: Option<u64>,
    search: Option<String>,
    #[serde(rename = "dnsStatus")]
    dns_status: Option<String>,
    #[serde(rename = "httpStatus")]
    http_status: Option<String>,
}

type ReadingQuery = Result<Query<Reading>, QueryRejection>;

/// `GET /campaigns`
///
/// # Errors
/// [`Code::Internal`].
pub async fn list(State(app): State<Arc<App>>, Caller { identity, .. }: Caller) -> Answer {
    let records = blocking(&app, move |hub| {
        let mut records = Vec::new();
        for id in hub.log().campaigns()? {
            let rows = RowQuery { limit: Some(0), ..RowQuery::default() };
            let view = hub.log().view(&id, &rows)?;
            let own = |view: &View| identity.may_see(view.stand.settings.owner.as_deref());
            if let Some(view) = view.filter(own) {
                let record = record_json(id.as_str(), &view.stand.record);
                let at = (view.head.number, &*view.head.event_id);
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
    Caller { by, .. }: Caller,
    bytes: Bytes,
) -> Answer {
    let new: NewCampaign = body(&bytes)?;
    let order = Order { by, ..Order::default() };
    // The same request under the same key means the same campaign.
    let made_up = || match &order.by.key {
        Some(key) => format!("c-{:016x}", id_hash(&key.name)),
        None => format!("c-{:016x}", rand::random::<u64>()),
    };
    let id = campaign_id(&new.campaign_id.clone().unwrap_or_else(made_up))?;
    let (now, rate) = (app.clock.now(), app.rate);
    operate(&app, id, move |hub, id| campaign::create(hub, now, id, &new, rate, &order)).await
}

/// `GET /campaigns/{id}`
///
/// # Errors
/// [`Code::UnknownCampaign`], [`Code::InvalidCampaignId`], [`Code::Behind`].
pub async fn one(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: ReadingQuery,
) -> Answer {
    let id = campaign_id(&id)?;
    let nothing = RowQuery { limit: Some(0), ..RowQuery::default() };
    let view = read(&app, &id, &reading(query)?, nothing).await?;
    let at = (view.head.number, &*view.head.event_id);
    let mut body = record_json(id.as_str(), &view.stand.record);
    body["settings"] = json!(view.stand.settings);
    positioned(&app.context.hub, &id, at, route::CAMPAIGN, &body)
}

/// `DELETE /campaigns/{id}`: answers with the campaign as it last was.
///
/// # Errors
/// Those of [`campaign::delete`]; [`Code::InvalidCampaignId`], [`Code::InvalidBody`].
pub async fn delete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Caller { by, .. }: Caller,
    bytes: Bytes,
) -> Answer {
    let id = campaign_id(&id)?;
    let order = Order { by, ..body(&bytes)? };
    let now = app.clock.now();
    operate(&app, id, move |hub, id| campaign::delete(hub, now, id, &order)).await
}

#[derive(Deserialize)]
struct Giving {
    owner: Option<String>,
}

/// `PUT /campaigns/{id}/owner`
///
/// # Errors
/// Those of [`campaign::give`]; [`Code::InvalidCampaignId`], [`Code::InvalidBody`].
pub async fn give(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Caller { by, .. }: Caller,
    bytes: Bytes,
) -> Answer {
    let id = campaign_id(&id)?;
    let Giving { owner } = body(&bytes)?;
    let order = Order { by, ..body(&bytes)? };
    let now = app.clock.now();
    operate(&app, id, move |hub, id| campaign::give(hub, now, id, owner, &order)).await
}

/// `GET /campaigns/{id}/domains`
///
/// # Errors
/// As [`one`].
pub async fn domains(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: ReadingQuery,
) -> Answer {
    let id = campaign_id(&id)?;
    let reading = reading(query)?;
    let limit = reading.limit.unwrap_or(PAGE_ROWS.0).min(PAGE_ROWS.1);
    let rows = RowQuery {
        skip: reading.offset,
        limit: Some(limit),
        search: reading.search.clone().filter(|text| !text.is_empty()),
        dns_status: reading.dns_status.clone(),
        http_status: reading.http_status.clone(),
        ..RowQuery::default()
    };
    let view = read(&app, &id, &reading, rows).await?;
    let body = json!({
        "domains": view.rows,
        "offset": reading.offset,
        "limit": limit,
        "total": view.matching,
        "domainsCount": view.head.domains_count,
    });
    let at = (view.head.number, &*view.head.event_id);
    positioned(&app.context.hub, &id, at, route::DOMAINS, &body)
}

/// `GET /campaigns/{id}/snapshot`
///
/// # Errors
/// As [`one`].
pub async fn snapshot(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: ReadingQuery,
) -> Answer {
    let id = campaign_id(&id)?;
    let view = read(&app, &id, &reading(query)?, RowQuery::default()).await?;
    let body = json!({
        "campaignId": id.as_str(),
        "epoch": app.context.hub.epoch(),
        "sequenceNumber": view.head.number,
        "eventId": view.head.event_id,
        "campaign": record_json(id.as_str(), &view.stand.record),
        "domains": view.rows,
        "domainsCount": view.head.domains_count,
        "domainsDigest": view.head.domains_digest.to_string(),
    });
    let at = (view.head.number, &*view.head.event_id);
    positioned(&app.context.hub, &id, at, route::SNAPSHOT, &body)
}

/// `GET /campaigns/{id}/transitions`: who asked for which transition, and what became of it.
///
/// # Errors
/// [`Code::UnknownCampaign`], [`Code::InvalidCampaignId`].
pub async fn transitions(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let id = campaign_id(&id)?;
    let of = id.clone();
    let filed = blocking(&app, move |hub| {
        let view = campaign::view(hub, &of)?;
        Ok((view.head, hub.log().transactions(&of)?))
    });
    let (head, filed) = filed.await?;
    let transitions = filed
        .iter()
        .filter(|it| ["manual", "automatic", "error_recovery"].contains(&&*it.kind))
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
    let at = (head.number, &*head.event_id);
    let sealed = sealed(&app.context.hub, &id, at, route::TRANSITIONS, &body)?;
    Ok(plain(&sealed.unwrap_or(body)))
}

/// `POST /campaigns/{id}/{action}`
///
/// # Errors
/// Those of [`campaign::transition`]; [`Code::NotFound`] for an action that does not exist.
pub async fn act(
    State(app): State<Arc<App>>,
    Path((id, action)): Path<(String, String)>,
    Caller { by, .. }: Caller,
    bytes: Bytes,
) -> Answer {
    let action = Action::parse(&action)
        .ok_or_else(|| Refusal::new(Code::NotFound, "there is no such action"))?;
    let id = campaign_id(&id)?;
    let order = Order { by, ..body(&bytes)? };
    let now = app.clock.now();
    operate(&app, id, move |hub, id| action.perform(hub, now, id, &order)).await
}

#[derive(Clone, Copy)]
enum Action {
    Configure(Phase),
    Start(Phase),
    Pause,
    Resume,
    Rollback,
}

impl Action {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "start" => Self::Start(Phase::DomainGeneration),
            "configure-dns" => Self::Configure(Phase::DnsValidation),
            "configure-http" => Self::Configure(Phase::HttpKeywordValidation),
            "configure-analysis" => Self::Configure(Phase::Analysis),
            "validate-dns" => Self::Start(Phase::DnsValidation),
            "validate-http" => Self::Start(Phase::HttpKeywordValidation),
            "analyze" => Self::Start(Phase::Analysis),
            "pause" => Self::Pause,
            "resume" => Self::Resume,
            "rollback" => Self::Rollback,
            _ => return None,
        })
    }

    fn perform(
        self,
        hub: &Hub,
        now: Moment,
        id: &CampaignId,
        order: &Order,
    ) -> Result<Done, Refusal> {
        match self {
            Self::Configure(phase) => {
                campaign::transition(hub, now, id, (phase, Status::Configured), order)
            }
            Self::Start(phase) => campaign::start(hub, now, id, phase, order),
            Self::Pause => campaign::pause(hub, now, id, order),
            Self::Resume => campaign::resume(hub, now, id, order),
            Self::Rollback => campaign::rollback::rollback(hub, now, id, order),
        }
    }
}

/// Performs an operation, lets the runner know, and answers with the campaign after it.
async fn operate(
    app: &Arc<App>,
    id: CampaignId,
    operation: impl FnOnce(&Hub, &CampaignId) -> Result<Done, Refusal> + Send + 'static,
) -> Answer {
    let of = id.clone();
    let done = blocking(app, move |hub| operation(hub, &of)).await?;
    let _gone_at_shutdown = app.kick.send(id.clone());
    let epoch = app.context.hub.epoch();
    let body = json!({
        "campaign": done.record,
        "position": {
            "epoch": epoch,
            "sequenceNumber": done.number,
            "eventId": done.event_id,
        },
    });
    positioned(&app.context.hub, &id, (done.number, &done.event_id), route::CHANGE, &body)
}

/// Reads a campaign, at `min_position` or later if the reader asks for one.
async fn read(
    app: &Arc<App>,
    id: &CampaignId,
    reading: &Reading,
    rows: RowQuery,
) -> Result<View, Refusal> {
    let least = match &reading.min_position {
        Some(position) => Some(min_position(position)?),
        None => None,
    };
    let deadline = Instant::now() + BEHIND_WAIT;
    loop {
        let (of, rows) = (id.clone(), rows.clone());
        let view = blocking(app, move |hub| Ok(hub.log().view(&of, &rows)?)).await?;
        let view = view.filter(|view| !view.stand.deleted);
        let unknown = || Refusal::new(Code::UnknownCampaign, "there is no such campaign");
        let view = view.ok_or_else(unknown)?;
        let reached = least.as_ref().is_none_or(|(epoch, number)| {
            epoch == app.context.hub.epoch() && *number <= view.head.number
        });
        if reached {
            return Ok(view);
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

fn reading(query: ReadingQuery) -> Result<Reading, Refusal> {
    let Query(reading) =
        query.map_err(|error| Refusal::new(Code::InvalidBody, error.body_text()))?;
    Ok(reading)
}

/// Checks an id before it becomes anything else.
///
/// # Errors
/// [`Code::InvalidCampaignId`].
pub fn campaign_id(text: &str) -> Result<CampaignId, Refusal> {
    CampaignId::new(text).map_err(|code| Refusal::new(code, "campaign ids are [A-Za-z0-9_-]{1,64}"))
}

/// Runs `work` where it may block.
///
/// # Errors
/// What `work` fails with.
pub async fn blocking<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&Hub) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let hub = app.context.hub.clone();
    match tokio::task::spawn_blocking(move || work(&hub)).await {
        Ok(result) => result,
        Err(_) => Err(Refusal::new(Code::Internal, "the operation failed")),
    }
}
