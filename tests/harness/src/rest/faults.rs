//! `/api/v2/faults`: controls fault injection.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use campaign_sync::protocol::Code;

use super::answer::{Answer, plain};
use super::answers::{Cut, Diverged, ErrorBody, Killed, Truncated};
use super::blocking::blocking;
use super::bodies::{Diverge, Nothing, Truncate};
use super::extract::{Body, campaign_id};
use crate::app::App;
use crate::campaign::Refusal;
use crate::faults::{Faults, Settings as FaultSettings};
use crate::log::LogError;

/// The fault injection of a server that was started with it.
#[derive(Debug)]
pub struct Switches(Arc<Faults>);

impl FromRequestParts<Arc<App>> for Switches {
    type Rejection = Refusal;

    async fn from_request_parts(_: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let off = || Refusal::new(Code::NotFound, "fault injection is off; see --faults");
        app.faults.clone().map(Self).ok_or_else(off)
    }
}

/// `GET /faults`: the settings.
///
/// # Errors
/// [`Code::NotFound`] without the start-up flag.
#[utoipa::path(get, path = "/faults", tag = "faults", responses(
    (status = 200, body = FaultSettings),
    (status = "default", body = ErrorBody, description = "A refusal"),
))]
pub async fn get(Switches(faults): Switches) -> Answer {
    Ok(plain(&faults.settings()))
}

/// `POST /faults`: replaces the settings. A setting that the body omits is off.
///
/// # Errors
/// [`Code::NotFound`], [`Code::InvalidBody`].
#[utoipa::path(post, path = "/faults", tag = "faults", request_body = FaultSettings, responses(
    (status = 200, body = FaultSettings),
    (status = "default", body = ErrorBody, description = "A refusal"),
))]
pub async fn set(
    State(app): State<Arc<App>>,
    Switches(faults): Switches,
    Body(settings): Body<FaultSettings>,
) -> Answer {
    app.context.one_event_per_frame.store(settings.is_active(), Ordering::Relaxed);
    faults.set(settings);
    Ok(plain(&settings))
}

/// `POST /faults/cut`: cuts every socket without a close frame.
///
/// # Errors
/// [`Code::NotFound`].
#[utoipa::path(post, path = "/faults/cut", tag = "faults", request_body = Nothing, responses(
    (status = 200, body = Cut),
    (status = "default", body = ErrorBody, description = "A refusal"),
))]
pub async fn cut(Switches(faults): Switches, Body(Nothing {}): Body<Nothing>) -> Answer {
    Ok(plain(&Cut { cut: faults.cut() }))
}

/// `POST /faults/kill`: aborts the process shortly after the answer.
///
/// # Errors
/// [`Code::NotFound`].
#[utoipa::path(post, path = "/faults/kill", tag = "faults", request_body = Nothing, responses(
    (status = 200, body = Killed),
    (status = "default", body = ErrorBody, description = "A refusal"),
))]
pub async fn kill(_: Switches, Body(Nothing {}): Body<Nothing>) -> Answer {
    tokio::spawn(async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        std::process::abort();
    });
    Ok(plain(&Killed { killed: true }))
}

/// `POST /faults/truncate`: deletes all history except the newest events.
///
/// # Errors
/// [`Code::NotFound`], [`Code::InvalidBody`], [`Code::UnknownCampaign`].
#[utoipa::path(post, path = "/faults/truncate", tag = "faults", request_body = Truncate, responses(
    (status = 200, body = Truncated),
    (status = "default", body = ErrorBody, description = "A refusal"),
))]
pub async fn truncate(
    State(app): State<Arc<App>>,
    _: Switches,
    Body(Truncate { campaign_id: id, keep }): Body<Truncate>,
) -> Answer {
    let id = campaign_id(&id)?;
    let oldest = blocking(&app, move |hub| {
        let head = hub.head(&id)?.ok_or(LogError::UnknownCampaign)?;
        hub.log().truncate(&id, head.number.saturating_sub(keep.unwrap_or_default()))?;
        hub.reread(&id)?;
        Ok(hub.head(&id)?.map(|head| head.oldest))
    });
    Ok(plain(&Truncated { oldest_sequence_number: oldest.await? }))
}

/// `POST /faults/diverge`: changes rows without an event.
///
/// # Errors
/// [`Code::NotFound`], [`Code::InvalidBody`], [`Code::UnknownCampaign`].
#[utoipa::path(post, path = "/faults/diverge", tag = "faults", request_body = Diverge, responses(
    (status = 200, body = Diverged),
    (status = "default", body = ErrorBody, description = "A refusal"),
))]
pub async fn diverge(
    State(app): State<Arc<App>>,
    _: Switches,
    Body(diverge): Body<Diverge>,
) -> Answer {
    let (id, how) = (campaign_id(&diverge.campaign_id)?, diverge.how());
    let context = app.context.clone();
    let changed = blocking(&app, move |hub| {
        let changed = hub.log().diverge(&id, how)?;
        hub.reread(&id)?;
        context.snapshots.forget(&id);
        Ok(changed)
    });
    Ok(plain(&Diverged { changed: changed.await? }))
}
