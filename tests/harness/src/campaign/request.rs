//! Deciding a request: each request is decided once, on the state at that moment. The audit trail records
//! every outcome.

use campaign_sync::protocol::campaign::CampaignRecord;
use campaign_sync::protocol::{CampaignId, Code, Phase, Status};
use serde_json::Value;

use super::Refusal;
use crate::clock::Moment;
use crate::hub::Hub;
use crate::log::state::record_json;
use crate::log::{ACCEPTED, Appended, Draft, LogError, RowQuery, Transaction, View};

/// The most decisions per request that are repeated because the log changed in between.
const ATTEMPTS_MAX: u32 = 1_000;

/// The context of a request.
#[derive(Clone, Debug, Default)]
pub struct RequestContext {
    /// `phase`, or `phase/status`: the request is refused unless the campaign is in this state.
    pub expected_state: Option<String>,
    /// The reason, for people.
    pub reason: Option<String>,
    /// The identity behind the request.
    pub by: Caller,
}

/// The identity behind a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The user's name; `None` for the server's requests.
    pub user: Option<String>,
    /// The owner of the campaigns that the user creates; `None` for the operator.
    pub owner_name: Option<String>,
    /// The idempotency key. A request with the same key is executed once.
    pub key: Option<Key>,
}

/// The idempotency key of a request, chosen by the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key.
    pub name: String,
    /// A fingerprint of the request that the key belongs to.
    pub fingerprint: String,
}

impl RequestContext {
    /// `manual`, or `automatic` for a request of the server.
    pub(super) const fn kind(&self) -> &'static str {
        if self.by.user.is_some() { "manual" } else { "automatic" }
    }

    /// Refuses the request unless the campaign is in the expected state.
    pub(super) fn expects(&self, record: &CampaignRecord) -> Result<(), Refusal> {
        let Some(expected) = &self.expected_state else { return Ok(()) };
        let (phase, status) = match expected.split_once('/') {
            Some((phase, status)) => (phase, Some(status)),
            None => (expected.as_str(), None),
        };
        let there = phase == record.phase.as_str()
            && status.is_none_or(|status| status == record.status.as_str());
        if there {
            return Ok(());
        }
        let message = format!("the campaign is in {}/{}", record.phase, record.status);
        Err(Refusal::new(Code::ExpectedStateMismatch, message))
    }
}

/// A requested operation, as the audit trail records it.
pub(super) struct OperationSpec<'a> {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    /// The target phase and status, computed from the present record.
    pub(super) to: &'a dyn Fn(&CampaignRecord) -> (Phase, Status),
}

/// An operation on a campaign.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    /// The hub of the log.
    pub hub: &'a Hub,
    /// The moment of the request.
    pub now: Moment,
    /// The campaign.
    pub campaign: &'a CampaignId,
    /// The context of the request.
    pub order: &'a RequestContext,
}

/// The campaign after an operation, and the event that changed it.
#[derive(Clone, Debug, PartialEq)]
pub struct Completed {
    /// The record in its wire form.
    pub record: Value,
    /// The event's number.
    pub number: u64,
    /// The event's id.
    pub event_id: String,
}

impl Completed {
    /// The result of an append. It is also logged.
    pub(super) fn of(spec: &OperationSpec<'_>, campaign: &CampaignId, appended: Appended) -> Self {
        tracing::info!(
            event = "transaction",
            name = spec.name,
            campaignId = campaign.as_str(),
            newPhase = appended.state.record.phase.as_str(),
            newStatus = appended.state.record.status.as_str(),
            sequenceNumber = appended.head.number,
            eventId = appended.head.event_id,
        );
        Self {
            record: record_json(campaign.as_str(), &appended.state.record),
            number: appended.head.number,
            event_id: appended.head.event_id,
        }
    }
}

/// The decision of an operation, based on a view.
pub(super) enum Decision {
    /// The state changed while the operation read it.
    Retry,
    /// The operation is executed by this event.
    Append(Draft),
    /// The operation is refused, and this event announces the refusal.
    Announce(Draft, Refusal),
}

impl Operation<'_> {
    /// The audit entry of this operation.
    pub(super) fn entry(
        self,
        spec: &OperationSpec<'_>,
        from: &CampaignRecord,
        refusal: Option<&Refusal>,
    ) -> Transaction {
        let Self { now, order: RequestContext { by, reason, .. }, .. } = self;
        let (phase, status) = (spec.to)(from);
        Transaction {
            name: spec.name.to_owned(),
            who: by.user.clone().unwrap_or_else(|| "server".to_owned()),
            timestamp: now.timestamp(),
            from: format!("{}/{}", from.phase, from.status),
            to: format!("{phase}/{status}"),
            kind: spec.kind.to_owned(),
            reason: reason.clone().unwrap_or_else(|| "requested".to_owned()),
            result: refusal.map_or(ACCEPTED, |refusal| refusal.code.as_str()).to_owned(),
            message: refusal.map(|refusal| refusal.message.clone()),
            key: by.key.as_ref().map(|key| key.name.clone()),
            fingerprint: by.key.as_ref().map(|key| key.fingerprint.clone()),
            ..Transaction::default()
        }
    }

    /// Reads, decides and appends. If another event was appended in between, it starts again. A request with
    /// a known idempotency key is not executed again: it gets the recorded answer.
    pub(super) fn decide(
        self,
        spec: &OperationSpec<'_>,
        decision: impl Fn(&View) -> Result<Decision, Refusal>,
    ) -> Result<Completed, Refusal> {
        let Self { hub, campaign, order, .. } = self;
        for _ in 0..ATTEMPTS_MAX {
            if let Some(answer) = self.answered()? {
                return answer;
            }
            let before = view(hub, campaign)?;
            let entry = |refusal| self.entry(spec, &before.state.record, refusal);
            let (mut draft, refusal) =
                match order.expects(&before.state.record).and_then(|()| decision(&before)) {
                    Ok(Decision::Retry) => continue,
                    Ok(Decision::Append(draft)) => (draft, None),
                    Ok(Decision::Announce(draft, refusal)) => (draft, Some(refusal)),
                    Err(refusal) if refusal.code == Code::Internal => return Err(refusal),
                    Err(refusal) => {
                        note(hub, spec, refusal.code.as_str());
                        hub.log().record_refusal(campaign, &entry(Some(&refusal)))?;
                        tracing::info!(
                            event = "refused",
                            name = spec.name,
                            campaignId = campaign.as_str(),
                            sequenceNumber = before.head.number,
                            eventId = before.head.event_id,
                            code = refusal.code.as_str(),
                        );
                        // Another request may have used the key in the meantime, here or on another server.
                        // The answer recorded for the key counts.
                        return self.answered()?.unwrap_or(Err(refusal));
                    }
                };
            draft.audit_entry = Some(entry(refusal.as_ref()));
            let is_checked = draft.counted.is_some();
            let appended = match hub.append(campaign, before.head.number, &[draft]) {
                Err(LogError::Conflict { .. }) => continue,
                other => other?,
            };
            note(hub, spec, refusal.as_ref().map_or(ACCEPTED, |refusal| refusal.code.as_str()));
            if is_checked {
                let result = if refusal.is_none() { "passed" } else { "failed" };
                hub.metrics.integrity_checks.get_or_create(&[("result", result)]).inc();
            }
            if let Some(refusal) = &refusal {
                let number = appended.head.number;
                tracing::error!(
                    event = "integrity_check_failed",
                    campaignId = campaign.as_str(),
                    sequenceNumber = number,
                    eventId = appended.head.event_id,
                    name = spec.name,
                    message = refusal.message,
                );
            }
            return refusal.map_or_else(|| Ok(Completed::of(spec, campaign, appended)), Err);
        }
        Err(Refusal::new(Code::Internal, "the campaign changes too fast"))
    }

    /// The recorded answer of an earlier request with the same key, if there is one.
    pub(super) fn answered(self) -> Result<Option<Result<Completed, Refusal>>, Refusal> {
        let Some(key) = &self.order.by.key else { return Ok(None) };
        let Some(audit_entry) = self.hub.log().audit_entry(self.campaign, &key.name)? else {
            return Ok(None);
        };
        if audit_entry.fingerprint.as_ref() != Some(&key.fingerprint) {
            let message = "this idempotency key belongs to another request";
            return Err(Refusal { status: Some(422), ..Refusal::new(Code::InvalidBody, message) });
        }
        if audit_entry.result != ACCEPTED {
            let code = Code::parse(&audit_entry.result).unwrap_or(Code::Internal);
            return Ok(Some(Err(Refusal::new(code, audit_entry.message.unwrap_or_default()))));
        }
        let record =
            serde_json::from_str(&audit_entry.record.unwrap_or_default()).unwrap_or_default();
        let number = audit_entry.sequence_number.unwrap_or_default();
        let event_id = audit_entry.event_id.unwrap_or_default();
        Ok(Some(Ok(Completed { record, number, event_id })))
    }
}

fn note(hub: &Hub, spec: &OperationSpec<'_>, result: &'static str) {
    hub.metrics.transactions.get_or_create(&[("name", spec.name), ("result", result)]).inc();
}

/// A campaign without its rows.
///
/// # Errors
/// [`Code::UnknownCampaign`], also for a deleted campaign.
pub fn view(hub: &Hub, campaign: &CampaignId) -> Result<View, Refusal> {
    let view = hub.log().view(campaign, &RowQuery::NONE)?;
    let living = view.filter(|view| !view.state.deleted);
    living.ok_or_else(|| LogError::UnknownCampaign.into())
}
