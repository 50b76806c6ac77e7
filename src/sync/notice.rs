//! Notices: everything that listeners hear of. In the browser each becomes a `CustomEvent`.

use serde::Serialize;

use crate::protocol::{CampaignId, Code, Phase, Status};

/// Everything that listeners hear of. Serialises to the `detail` of the event that
/// [`Notice::kind`] names.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Notice {
    /// The phase differs from before: by a transition, or found so after a recovery.
    PhaseTransition(PhaseTransition),
    /// The server announced a transition that it refused.
    #[serde(rename_all = "camelCase")]
    TransitionRefused {
        /// Which campaign.
        campaign_id: CampaignId,
        /// Why.
        code: Code,
        /// Where it would have gone.
        new_phase: Phase,
        /// In words for people.
        #[serde(skip_serializing_if = "Option::is_none")]
        trigger_reason: Option<String>,
    },
    /// A number was skipped.
    #[serde(rename_all = "camelCase")]
    Gap {
        /// Which campaign.
        campaign_id: CampaignId,
        /// The number that should have come.
        expected: u64,
        /// The number that came.
        received: u64,
    },
    /// A recovery was asked for.
    #[serde(rename_all = "camelCase")]
    RecoveryRequested {
        /// Which campaign.
        campaign_id: CampaignId,
        /// Why.
        reason: &'static str,
    },
    /// A recovery is complete.
    #[serde(rename_all = "camelCase")]
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
    #[serde(rename_all = "camelCase")]
    Corrupt {
        /// The campaign that it names.
        campaign_id: CampaignId,
        /// The number that it names.
        sequence_number: u64,
    },
    /// An event had been applied before.
    #[serde(rename_all = "camelCase")]
    Duplicate {
        /// Which campaign.
        campaign_id: CampaignId,
        /// Which number.
        sequence_number: u64,
    },
    /// The server's history contradicts ours.
    #[serde(rename_all = "camelCase")]
    Divergence {
        /// Which campaign.
        campaign_id: CampaignId,
        /// `hash`, `previous_event`, `previous_phase`, `head`, `epoch` or `phase`.
        kind: &'static str,
        /// At which number.
        sequence_number: u64,
    },
    /// Something received was not understood.
    #[serde(rename_all = "camelCase")]
    Rejected {
        /// Why.
        code: Code,
        /// The campaign, where it can be told.
        #[serde(skip_serializing_if = "Option::is_none")]
        campaign_id: Option<CampaignId>,
    },
    /// Counts or digests were compared.
    #[serde(rename_all = "camelCase")]
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
    #[serde(rename_all = "camelCase")]
    Repaired {
        /// Which campaign.
        campaign_id: CampaignId,
        /// How many buckets differed.
        buckets: u64,
        /// Rows downloaded.
        rows: u64,
    },
    /// Rows were kept aside, because a snapshot lacked too many.
    #[serde(rename_all = "camelCase")]
    Unconfirmed {
        /// Which campaign.
        campaign_id: CampaignId,
        /// Rows kept aside just now.
        rows: u64,
    },
    /// What is cached of this campaign is no longer true.
    CacheInvalidated(CacheInvalidated),
    /// A campaign's status changed.
    #[serde(rename_all = "camelCase")]
    StatusChange {
        /// Which campaign.
        campaign_id: CampaignId,
        /// The word of the status.
        status: &'static str,
        /// Why it is stale or failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
    },
    /// The connection changed.
    #[serde(rename_all = "camelCase")]
    ConnectionChange {
        /// `idle`, `connecting`, `open`, `waiting`, `failed` or `closed`.
        state: &'static str,
        /// Why it failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<Code>,
        /// Failures in a row.
        attempt: u32,
        /// When it will be tried again.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_in_ms: Option<u64>,
    },
    /// A message for people.
    #[serde(rename_all = "camelCase")]
    Notification {
        /// Which campaign.
        campaign_id: CampaignId,
        /// `info`, `warning` or `error`.
        level: String,
        /// The text.
        message: String,
    },
    /// The campaign is gone, or access to it ended.
    #[serde(rename_all = "camelCase")]
    Ended {
        /// Which campaign.
        campaign_id: CampaignId,
        /// `deleted`, or what the server said.
        reason: String,
    },
}

/// Detail of [`Notice::PhaseTransition`] (mission; store facts §4).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PhaseTransition {
    /// Which campaign.
    pub campaign_id: CampaignId,
    /// Where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger_reason: Option<String>,
    /// Seconds the phase is expected to take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_duration: Option<f64>,
    /// The log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// The number of the transition, or of the snapshot that showed it.
    pub sequence_number: u64,
    /// Whether it was learnt of in a recovery.
    pub recovered: bool,
}

/// Detail of [`Notice::CacheInvalidated`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheInvalidated {
    /// Which campaign.
    pub campaign_id: CampaignId,
    /// `phase_transition`, `snapshot`, `epoch`, `divergence` or `force_refresh`.
    pub reason: &'static str,
    /// The phase after a transition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_phase: Option<Phase>,
    /// The log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// Nothing older than this number may be cached any more.
    pub sequence_number: u64,
}

impl Notice {
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
