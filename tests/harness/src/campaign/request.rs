//! Deciding on a request: once, on the state that it finds, and filed whatever becomes of it.

use campaign_sync::protocol::campaign::CampaignRecord;
use campaign_sync::protocol::{CampaignId, Code, Phase, Status};
use serde::Deserialize;
use serde_json::Value;

use super::Refusal;
use crate::clock::Moment;
use crate::hub::Hub;
use crate::log::state::record_json;
use crate::log::{ACCEPTED, Appended, Draft, LogError, RowQuery, Transaction, View};

/// Decisions taken anew because the log moved on, before giving up.
const ATTEMPTS_MAX: u32 = 1_000;

/// What comes along with a request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestContext {
    /// `phase`, or `phase/status`: refuse unless the campaign is there.
    #[serde(alias = "expected_state")]
    pub expected_state: Option<String>,
    /// Why, for people.
    pub reason: Option<String>,
    /// Whose request it is.
    #[serde(skip)]
    pub by: Caller,
}

/// Whose request it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The user's name; none for what the server does by itself.
    pub user: Option<String>,
    /// Who owns what they create; none for the operator.
    pub owns: Option<String>,
    /// Names the request, so that it is done once however often it comes.
    pub key: Option<Key>,
}

/// The name of a request, chosen by who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The name.
    pub name: String,
    /// What is asked under that name.
    pub fingerprint: String,
}

impl RequestContext {
    /// `manual`, or `automatic` where the server asks itself.
    pub(super) const fn kind(&self) -> &'static str {
        if self.by.user.is_some() { "manual" } else { "automatic" }
    }

    /// Refuses unless the campaign is in the state that was expected.
    pub(super) fn expects(&self, record: &CampaignRecord) -> Result<(), Refusal> {
        let Some(wanted) = &self.expected_state else { return Ok(()) };
        let (phase, status) = match wanted.split_once('/') {
            Some((phase, status)) => (phase, Some(status)),
            None => (wanted.as_str(), None),
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

/// What is asked for, as the transaction log files it.
pub(super) struct OperationSpec<'a> {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    /// The phase and status asked for, given the record as it is.
    pub(super) to: &'a dyn Fn(&CampaignRecord) -> (Phase, Status),
}

/// An operation on a campaign: where, when, and who wants it how.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    /// Where campaigns are.
    pub hub: &'a Hub,
    /// When.
    pub now: Moment,
    /// Which one.
    pub campaign: &'a CampaignId,
    /// What came along.
    pub order: &'a RequestContext,
}

/// The campaign after an operation, and the event that brought it there.
#[derive(Clone, Debug, PartialEq)]
pub struct Completed {
    /// The record, as it goes over the wire.
    pub record: Value,
    /// The event's number.
    pub number: u64,
    /// The event's id.
    pub event_id: String,
}

impl Completed {
    /// What an append led to, which the log is told.
    pub(super) fn of(asked: &OperationSpec<'_>, campaign: &CampaignId, appended: Appended) -> Self {
        tracing::info!(
            event = "transaction",
            name = asked.name,
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

/// What an operation decided on a view.
pub(super) enum Decision {
    /// The state moved on while it looked.
    Retry,
    /// It is done by this event.
    Append(Draft),
    /// It is refused, and this event announces that.
    Announce(Draft, Refusal),
}

impl Operation<'_> {
    /// What the transaction log files of it.
    pub(super) fn entry(
        self,
        asked: &OperationSpec<'_>,
        from: &CampaignRecord,
        refusal: Option<&Refusal>,
    ) -> Transaction {
        let Self { now, order: RequestContext { by, reason, .. }, .. } = self;
        let (phase, status) = (asked.to)(from);
        Transaction {
            name: asked.name.to_owned(),
            who: by.user.clone().unwrap_or_else(|| "server".to_owned()),
            timestamp: now.timestamp(),
            from: format!("{}/{}", from.phase, from.status),
            to: format!("{phase}/{status}"),
            kind: asked.kind.to_owned(),
            reason: reason.clone().unwrap_or_else(|| "requested".to_owned()),
            result: refusal.map_or(ACCEPTED, |refusal| refusal.code.as_str()).to_owned(),
            message: refusal.map(|refusal| refusal.message.clone()),
            key: by.key.as_ref().map(|key| key.name.clone()),
            fingerprint: by.key.as_ref().map(|key| key.fingerprint.clone()),
            ..Transaction::default()
        }
    }

    /// Reads, decides, appends; once more whenever something else was appended in between. What was
    /// asked under the same key before is not done again: it gets the same answer.
    pub(super) fn decide(
        self,
        asked: &OperationSpec<'_>,
        decision: impl Fn(&View) -> Result<Decision, Refusal>,
    ) -> Result<Completed, Refusal> {
        let Self { hub, campaign, order, .. } = self;
        for _ in 0..ATTEMPTS_MAX {
            if let Some(answer) = self.answered()? {
                return answer;
            }
            let before = view(hub, campaign)?;
            let entry = |refusal| self.entry(asked, &before.state.record, refusal);
            let (mut draft, refusal) =
                match order.expects(&before.state.record).and_then(|()| decision(&before)) {
                    Ok(Decision::Retry) => continue,
                    Ok(Decision::Append(draft)) => (draft, None),
                    Ok(Decision::Announce(draft, refusal)) => (draft, Some(refusal)),
                    Err(refusal) if refusal.code == Code::Internal => return Err(refusal),
                    Err(refusal) => {
                        note(hub, asked, refusal.code.as_str());
                        hub.log().file(campaign, &entry(Some(&refusal)))?;
                        tracing::info!(
                            event = "refused",
                            name = asked.name,
                            campaignId = campaign.as_str(),
                            sequenceNumber = before.head.number,
                            eventId = before.head.event_id,
                            code = refusal.code.as_str(),
                        );
                        // The key may have been taken meanwhile, here or at another server: what is filed
                        // under it is the answer.
                        return self.answered()?.unwrap_or(Err(refusal));
                    }
                };
            draft.audit_entry = Some(entry(refusal.as_ref()));
            let is_checked = draft.counted.is_some();
            let appended = match hub.append(campaign, before.head.number, &[draft]) {
                Err(LogError::Conflict { .. }) => continue,
                other => other?,
            };
            note(hub, asked, refusal.as_ref().map_or(ACCEPTED, |refusal| refusal.code.as_str()));
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
                    name = asked.name,
                    message = refusal.message,
                );
            }
            return refusal.map_or_else(|| Ok(Completed::of(asked, campaign, appended)), Err);
        }
        Err(Refusal::new(Code::Internal, "the campaign changes too fast"))
    }

    /// The answer that was given to the request of that key before, if it was.
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

fn note(hub: &Hub, asked: &OperationSpec<'_>, result: &'static str) {
    hub.metrics.transactions.get_or_create(&[("name", asked.name), ("result", result)]).inc();
}

/// A campaign without its rows.
///
/// # Errors
/// [`Code::UnknownCampaign`], for one that has been deleted too.
pub fn view(hub: &Hub, campaign: &CampaignId) -> Result<View, Refusal> {
    let view = hub.log().view(campaign, &RowQuery::NONE)?;
    let living = view.filter(|view| !view.state.deleted);
    living.ok_or_else(|| LogError::UnknownCampaign.into())
}
