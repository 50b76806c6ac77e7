//! `/api/v2/faults`: the switches of fault injection.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use campaign_sync::protocol::Code;
use serde::Deserialize;
use serde_json::json;

use super::answer::{Answer, body, plain};
use super::campaigns::{blocking, campaign_id};
use crate::app::App;
use crate::campaign::Refusal;
use crate::faults::{Faults, Settings};
use crate::log::Divergence;

/// `GET /faults`
///
/// # Errors
/// [`Code::NotFound`] without the start-up flag.
pub async fn get(State(app): State<Arc<App>>) -> Answer {
    Ok(plain(&json!(faults(&app)?.settings())))
}

/// `POST /faults`: replaces the settings; what is not mentioned is off.
///
/// # Errors
/// [`Code::NotFound`], [`Code::InvalidBody`].
pub async fn set(State(app): State<Arc<App>>, bytes: Bytes) -> Answer {
    let faults = faults(&app)?;
    let settings: Settings = body(&bytes)?;
    if !settings.is_valid() {
        let message = "probabilities are 0 to 1, delayMs at most 60,000";
        return Err(Refusal::new(Code::InvalidBody, message));
    }
    app.context.one_event_per_frame.store(settings.is_active(), Ordering::Relaxed);
    faults.set(settings);
    Ok(plain(&json!(settings)))
}

/// `POST /faults/cut`: every socket dies, without a close frame.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn cut(State(app): State<Arc<App>>) -> Answer {
    Ok(plain(&json!({"cut": faults(&app)?.cut()})))
}

/// `POST /faults/kill`: the process dies on the spot, a moment after the answer.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn kill(State(app): State<Arc<App>>) -> Answer {
    faults(&app)?;
    tokio::spawn(async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        std::process::abort();
    });
    Ok(plain(&json!({"killed": true})))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Truncate {
    campaign_id: String,
    /// Newest events to keep.
    #[serde(default)]
    keep: u64,
}

/// `POST /faults/truncate`: forgets history but for the newest events.
///
/// # Errors
/// [`Code::NotFound`], [`Code::InvalidBody`], [`Code::UnknownCampaign`].
pub async fn truncate(State(app): State<Arc<App>>, bytes: Bytes) -> Answer {
    faults(&app)?;
    let Truncate { campaign_id: id, keep } = body(&bytes)?;
    let id = campaign_id(&id)?;
    let oldest = blocking(&app, move |hub| {
        let unknown = || Refusal::new(Code::UnknownCampaign, "there is no such campaign");
        let head = hub.head(&id)?.ok_or_else(unknown)?;
        hub.log().truncate(&id, head.number.saturating_sub(keep))?;
        hub.reread(&id)?;
        Ok(hub.head(&id)?.map(|head| head.oldest))
    });
    Ok(plain(&json!({"oldestSequenceNumber": oldest.await?})))
}

/// What becomes of the rows.
#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Change,
    Insert,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Diverge {
    campaign_id: String,
    rows: Option<u64>,
    #[serde(default)]
    kind: Kind,
    /// Leave the kept digest behind too, so that the server's own integrity check fails.
    #[serde(default)]
    break_integrity: bool,
}

/// `POST /faults/diverge`: changes rows behind everybody's back.
///
/// # Errors
/// [`Code::NotFound`], [`Code::InvalidBody`], [`Code::UnknownCampaign`].
pub async fn diverge(State(app): State<Arc<App>>, bytes: Bytes) -> Answer {
    faults(&app)?;
    let Diverge { campaign_id: id, rows, kind, break_integrity } = body(&bytes)?;
    let id = campaign_id(&id)?;
    let context = app.context.clone();
    let changed = blocking(&app, move |hub| {
        let how = Divergence {
            rows: rows.unwrap_or(1),
            insert: kind == Kind::Insert,
            consistent: !break_integrity,
        };
        let changed = hub.log().diverge(&id, how)?;
        hub.reread(&id)?;
        context.snapshots.forget(&id);
        Ok(changed)
    });
    Ok(plain(&json!({"changed": changed.await?})))
}

fn faults(app: &App) -> Result<&Faults, Refusal> {
    let off = || Refusal::new(Code::NotFound, "fault injection is off; see --faults");
    app.faults.as_deref().ok_or_else(off)
}
