//! Notices: everything that listeners hear of. In the browser each becomes a `CustomEvent`.

use crate::protocol::{CampaignId, Code, Phase, Status};
use crate::value::{Record, ToValue, Value, serialize_as_value};

/// Everything that listeners hear of. Shows itself as the `detail` of the event that [`Notice::kind`]
/// names.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// The phase differs from before: by a transition, or found so after a recovery.
    PhaseTransition(PhaseTransition),
    /// The server announced a transition that it refused.
    TransitionRefused {
        /// Which campaign.
        campaign_id: CampaignId,
        /// Why.
        code: Code,
        /// Where it would have gone.
        new_phase: Phase,
        /// In words for people.
        trigger_reason: Option<String>,
    },
    /// A number was skipped.
    Gap {
        /// Which campaign.
        campaign_id: CampaignId,
        /// The number that should have come.
        expected: u64,
        /// The number that came.
        received: u64,
    },
    /// A recovery was asked for.
    RecoveryRequested {
        /// Which campaign.
        campaign_id: CampaignId,
        /// Why.
        reason: &'static str,
    },
    /// A recovery is complete.
    Recovered {
        /// Which campaign.
        campaign_id: CampaignId,
        /// Why it was asked for.
        reason: &'static str,
        /// `replay`, `current` or `snapshot`.
        outcome: &'static str,
        /// From noticing to having everything.
        duration_ms: u64,
        /// Events it brought.
        events: u64,
    },
    /// An event does not match its own hash.
    Corrupt {
        /// The campaign that it names.
        campaign_id: CampaignId,
        /// The number that it names.
        sequence_number: u64,
    },
    /// An event had been applied before.
    Duplicate {
        /// Which campaign.
        campaign_id: CampaignId,
        /// Which number.
        sequence_number: u64,
    },
    /// The server's history contradicts ours.
    Divergence {
        /// Which campaign.
        campaign_id: CampaignId,
        /// `hash`, `previous_event`, `previous_phase`, `head` or `epoch`.
        kind: &'static str,
        /// At which number.
        sequence_number: u64,
    },
    /// Sealed content names a key that is not at hand; the campaign waits for it.
    #[cfg(feature = "encrypted")]
    UnknownKey {
        /// Which campaign.
        campaign_id: CampaignId,
        /// The name of the key.
        kid: String,
    },
    /// Something received was not understood.
    Rejected {
        /// Why.
        code: Code,
        /// The campaign, where it can be told.
        campaign_id: Option<CampaignId>,
    },
    /// Counts or digests were compared.
    Consistency {
        /// Which campaign.
        campaign_id: CampaignId,
        /// Whether they agree.
        ok: bool,
        /// The server's rows.
        server_count: u64,
        /// Our rows.
        local_count: u64,
        /// By how many they differ.
        difference: u64,
        /// Whether by more than the tolerance of ten.
        warn: bool,
        /// Whether by so many that people should see an error.
        large: bool,
    },
    /// Differing buckets were downloaded again, and now agree.
    Repaired {
        /// Which campaign.
        campaign_id: CampaignId,
        /// How many buckets differed.
        buckets: u64,
        /// Rows downloaded.
        rows: u64,
    },
    /// Rows were kept aside, because a snapshot lacked too many.
    Unconfirmed {
        /// Which campaign.
        campaign_id: CampaignId,
        /// Rows kept aside just now.
        rows: u64,
    },
    /// What is cached of this campaign is no longer true.
    CacheInvalidated(CacheInvalidated),
    /// A campaign's status changed.
    StatusChange {
        /// Which campaign.
        campaign_id: CampaignId,
        /// The word of the status.
        status: &'static str,
        /// Why it is stale or failed.
        reason: Option<&'static str>,
    },
    /// The connection changed.
    ConnectionChange {
        /// `idle`, `connecting`, `open`, `waiting`, `failed` or `closed`.
        state: &'static str,
        /// Why it failed.
        code: Option<Code>,
        /// Failures in a row.
        attempt: u32,
        /// When it will be tried again.
        retry_in_ms: Option<u64>,
    },
    /// A message for people.
    Notification {
        /// Which campaign.
        campaign_id: CampaignId,
        /// `info`, `warning` or `error`.
        level: String,
        /// The text.
        message: String,
    },
    /// The campaign is gone, or access to it ended.
    Ended {
        /// Which campaign.
        campaign_id: CampaignId,
        /// `deleted`, or what the server said.
        reason: String,
    },
}

/// Detail of [`Notice::PhaseTransition`] (mission; store facts §4).
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseTransition {
    /// Which campaign.
    pub campaign_id: CampaignId,
    /// Where it was.
    pub previous_phase: Option<Phase>,
    /// Where it is.
    pub new_phase: Phase,
    /// Its status there.
    pub new_status: Status,
    /// RFC 3339; empty where only the result is known.
    pub timestamp: String,
    /// `manual`, `automatic`, `error_recovery`; `snapshot` where only the result is known.
    pub transition_type: String,
    /// In words for people.
    pub trigger_reason: Option<String>,
    /// Seconds the phase is expected to take.
    pub estimated_duration: Option<f64>,
    /// The log.
    pub epoch: Option<String>,
    /// The number of the transition, or of the snapshot that showed it.
    pub sequence_number: u64,
    /// Whether it was learnt of in a recovery.
    pub recovered: bool,
}

/// Detail of [`Notice::CacheInvalidated`].
#[derive(Clone, Debug, PartialEq)]
pub struct CacheInvalidated {
    /// Which campaign.
    pub campaign_id: CampaignId,
    /// `phase_transition`, `snapshot`, `epoch`, `divergence` or `force_refresh`.
    pub reason: &'static str,
    /// The phase after a transition.
    pub new_phase: Option<Phase>,
    /// The log.
    pub epoch: Option<String>,
    /// Nothing older than this number may be cached any more.
    pub sequence_number: u64,
}

impl Notice {
    /// Which campaign it is of; none for the connection's, and where it cannot be told.
    pub const fn campaign_id(&self) -> Option<&CampaignId> {
        match self {
            Self::PhaseTransition(PhaseTransition { campaign_id, .. })
            | Self::CacheInvalidated(CacheInvalidated { campaign_id, .. })
            | Self::TransitionRefused { campaign_id, .. }
            | Self::Gap { campaign_id, .. }
            | Self::RecoveryRequested { campaign_id, .. }
            | Self::Recovered { campaign_id, .. }
            | Self::Corrupt { campaign_id, .. }
            | Self::Duplicate { campaign_id, .. }
            | Self::Divergence { campaign_id, .. }
            | Self::Consistency { campaign_id, .. }
            | Self::Repaired { campaign_id, .. }
            | Self::Unconfirmed { campaign_id, .. }
            | Self::StatusChange { campaign_id, .. }
            | Self::Notification { campaign_id, .. }
            | Self::Ended { campaign_id, .. } => Some(campaign_id),
            #[cfg(feature = "encrypted")]
            Self::UnknownKey { campaign_id, .. } => Some(campaign_id),
            Self::Rejected { campaign_id, .. } => campaign_id.as_ref(),
            Self::ConnectionChange { .. } => None,
        }
    }

    /// The type of the event.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::PhaseTransition(_) => "phasetransition",
            Self::TransitionRefused { .. } => "transitionrefused",
            Self::Gap { .. } => "gap",
            Self::RecoveryRequested { .. } => "recoveryrequested",
            Self::Recovered { .. } => "recovered",
            Self::Corrupt { .. } => "corrupt",
            Self::Duplicate { .. } => "duplicate",
            Self::Divergence { .. } => "divergence",
            #[cfg(feature = "encrypted")]
            Self::UnknownKey { .. } => "unknownkey",
            Self::Rejected { .. } => "rejected",
            Self::Consistency { .. } => "consistency",
            Self::Repaired { .. } => "repaired",
            Self::Unconfirmed { .. } => "unconfirmed",
            Self::CacheInvalidated(_) => "cacheinvalidated",
            Self::StatusChange { .. } => "statuschange",
            Self::ConnectionChange { .. } => "connectionchange",
            Self::Notification { .. } => "notification",
            Self::Ended { .. } => "ended",
        }
    }
}

impl ToValue for Notice {
    fn to_value(&self) -> Value<'_> {
        let mut detail = Record::default();
        let to = &mut detail;
        if let Some(campaign_id) = self.campaign_id() {
            to.text("campaignId", campaign_id.as_str());
        }
        match self {
            Self::PhaseTransition(it) => it.show(to),
            Self::TransitionRefused { campaign_id: _, code, new_phase, trigger_reason } => {
                to.text("code", code.as_str());
                to.text("newPhase", new_phase.as_str());
                to.optional_text("triggerReason", trigger_reason.as_deref());
            }
            Self::Gap { campaign_id: _, expected, received } => {
                to.count("expected", *expected);
                to.count("received", *received);
            }
            Self::RecoveryRequested { campaign_id: _, reason } => to.text("reason", reason),
            Self::Recovered { campaign_id: _, reason, outcome, duration_ms, events } => {
                to.text("reason", reason);
                to.text("outcome", outcome);
                to.count("durationMs", *duration_ms);
                to.count("events", *events);
            }
            Self::Corrupt { campaign_id: _, sequence_number }
            | Self::Duplicate { campaign_id: _, sequence_number } => {
                to.count("sequenceNumber", *sequence_number);
            }
            Self::Divergence { campaign_id: _, kind, sequence_number } => {
                to.text("kind", kind);
                to.count("sequenceNumber", *sequence_number);
            }
            #[cfg(feature = "encrypted")]
            Self::UnknownKey { campaign_id: _, kid } => to.text("kid", kid),
            Self::Rejected { campaign_id: _, code } => to.text("code", code.as_str()),
            Self::Consistency {
                campaign_id: _,
                ok,
                server_count,
                local_count,
                difference,
                warn,
                large,
            } => {
                to.flag("ok", *ok);
                to.count("serverCount", *server_count);
                to.count("localCount", *local_count);
                to.count("difference", *difference);
                to.flag("warn", *warn);
                to.flag("large", *large);
            }
            Self::Repaired { campaign_id: _, buckets, rows } => {
                to.count("buckets", *buckets);
                to.count("rows", *rows);
            }
            Self::Unconfirmed { campaign_id: _, rows } => to.count("rows", *rows),
            Self::CacheInvalidated(it) => it.show(to),
            Self::StatusChange { campaign_id: _, status, reason } => {
                to.text("status", status);
                to.optional_text("reason", *reason);
            }
            Self::ConnectionChange { state, code, attempt, retry_in_ms } => {
                to.text("state", state);
                to.optional_text("code", code.map(Code::as_str));
                to.count("attempt", (*attempt).into());
                to.optional_count("retryInMs", *retry_in_ms);
            }
            Self::Notification { campaign_id: _, level, message } => {
                to.text("level", level);
                to.text("message", message);
            }
            Self::Ended { campaign_id: _, reason } => to.text("reason", reason),
        }
        detail.into()
    }
}

impl PhaseTransition {
    fn show<'a>(&'a self, to: &mut Record<'a>) {
        to.optional_text("previousPhase", self.previous_phase.map(Phase::as_str));
        to.text("newPhase", self.new_phase.as_str());
        to.text("newStatus", self.new_status.as_str());
        to.text("timestamp", &self.timestamp);
        to.text("transitionType", &self.transition_type);
        to.optional_text("triggerReason", self.trigger_reason.as_deref());
        if let Some(seconds) = self.estimated_duration {
            to.float("estimatedDuration", seconds);
        }
        to.optional_text("epoch", self.epoch.as_deref());
        to.count("sequenceNumber", self.sequence_number);
        to.flag("recovered", self.recovered);
    }
}

impl CacheInvalidated {
    fn show<'a>(&'a self, to: &mut Record<'a>) {
        to.text("reason", self.reason);
        to.optional_text("newPhase", self.new_phase.map(Phase::as_str));
        to.optional_text("epoch", self.epoch.as_deref());
        to.count("sequenceNumber", self.sequence_number);
    }
}

serialize_as_value!(Notice);
