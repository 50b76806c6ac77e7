//! `/api/v2/faults`: controls fault injection.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use campaign_sync::protocol::Code;
use serde::Deserialize;
use serde_json::json;

use super::answer::{Answer, plain};
use super::blocking::blocking;
use super::extract::{Body, campaign_id};
use crate::app::App;
use crate::campaign::Refusal;
use crate::faults::{Faults, Settings};
use crate::log::{Divergence, LogError};

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

/// `GET /faults`
///
/// # Errors
/// [`Code::NotFound`] without the start-up flag.
pub async fn get(Switches(faults): Switches) -> Answer {
    Ok(plain(&json!(faults.settings())))
}

/// `POST /faults`: replaces the settings. A setting that the body omits is off.
///
/// # Errors
/// [`Code::NotFound`], [`Code::InvalidBody`].
pub async fn set(
    State(app): State<Arc<App>>,
    Switches(faults): Switches,
    Body(settings): Body<Settings>,
) -> Answer {
    if !settings.is_valid() {
        let message = "probabilities are 0 to 1, delayMs at most 60,000";
        return Err(Refusal::new(Code::InvalidBody, message));
    }
    app.context.one_event_per_frame.store(settings.is_active(), Ordering::Relaxed);
    faults.set(settings);
    Ok(plain(&json!(settings)))
}

/// `POST /faults/cut`: cuts every socket without a close frame.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn cut(Switches(faults): Switches) -> Answer {
    Ok(plain(&json!({"cut": faults.cut()})))
}

/// `POST /faults/kill`: aborts the process shortly after the answer.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn kill(_: Switches) -> Answer {
    tokio::spawn(async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        std::process::abort();
    });
    Ok(plain(&json!({"killed": true})))
}

/// The campaign whose history is truncated.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Truncate {
    campaign_id: String,
    /// The number of newest events to keep.
    #[serde(default)]
    keep: u64,
}

/// `POST /faults/truncate`: deletes all history except the newest events.
///
/// # Errors
/// [`Code::NotFound`], [`Code::InvalidBody`], [`Code::UnknownCampaign`].
pub async fn truncate(
    State(app): State<Arc<App>>,
    _: Switches,
    Body(Truncate { campaign_id: id, keep }): Body<Truncate>,
) -> Answer {
    let id = campaign_id(&id)?;
    let oldest = blocking(&app, move |hub| {
        let head = hub.head(&id)?.ok_or(LogError::UnknownCampaign)?;
        hub.log().truncate(&id, head.number.saturating_sub(keep))?;
        hub.reread(&id)?;
        Ok(hub.head(&id)?.map(|head| head.oldest))
    });
    Ok(plain(&json!({"oldestSequenceNumber": oldest.await?})))
}

/// The campaign whose rows are changed without an event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Diverge {
    campaign_id: String,
    #[serde(flatten)]
    how: Divergence,
}

/// `POST /faults/diverge`: changes rows without an event.
///
/// # Errors
/// [`Code::NotFound`], [`Code::InvalidBody`], [`Code::UnknownCampaign`].
pub async fn diverge(
    State(app): State<Arc<App>>,
    _: Switches,
    Body(Diverge { campaign_id: id, how }): Body<Diverge>,
) -> Answer {
    let id = campaign_id(&id)?;
    let context = app.context.clone();
    let changed = blocking(&app, move |hub| {
        let changed = hub.log().diverge(&id, how)?;
        hub.reread(&id)?;
        context.snapshots.forget(&id);
        Ok(changed)
    });
    Ok(plain(&json!({"changed": changed.await?})))
}
