//! Notices: everything that listeners receive. In the browser each notice becomes a `CustomEvent`.

use crate::protocol::violation::Violation;
use crate::protocol::write::{JsonWriter, ToJson};
use crate::protocol::{CampaignId, Code, Phase, Status};

/// A notice to listeners: the event that [`Notice::kind`] names.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The campaign; `None` for notices of the connection, and if the campaign is unknown.
    pub campaign_id: Option<CampaignId>,
    /// The content of the event.
    pub detail: Detail,
}

/// The detail of a notice, without its campaign.
#[derive(Clone, Debug, PartialEq)]
pub enum Detail {
    /// The phase changed: by a transition, or as found after a recovery.
    PhaseTransition(PhaseTransition),
    /// The status within the phase changed: the phase began, paused, completed or failed.
    PhaseStatusChange {
        /// The phase.
        phase: Phase,
        /// The status before.
        from: Status,
        /// The new status.
        to: Status,
        /// The time of the event, in RFC 3339; empty if only the result is known.
        timestamp: String,
        /// The sequence number of the event, or of the snapshot that showed the change.
        sequence_number: u64,
        /// Whether the client learnt of it in a recovery.
        recovered: bool,
    },
    /// The server announced a transition that it refused.
    TransitionRefused {
        /// The reason for the refusal.
        code: Code,
        /// The phase that the transition would have entered.
        new_phase: Phase,
        /// The reason for the transition, for users.
        trigger_reason: Option<String>,
    },
    /// A sequence number was skipped.
    Gap {
        /// The expected number.
        expected: u64,
        /// The received number.
        received: u64,
    },
    /// The client requested a recovery.
    RecoveryRequested {
        /// The reason for the request.
        reason: &'static str,
    },
    /// A recovery is complete.
    Recovered {
        /// The reason for the request.
        reason: &'static str,
        /// `replay`, `current` or `snapshot`.
        outcome: &'static str,
        /// Milliseconds from the detection of missing data to the end of the recovery.
        duration_ms: u64,
        /// The number of events that the replay applied.
        events: u64,
    },
    /// An event does not match its own hash.
    Corrupt {
        /// The sequence number that the event names.
        sequence_number: u64,
    },
    /// An event arrived that was applied before.
    Duplicate {
        /// The sequence number of the event.
        sequence_number: u64,
    },
    /// The server's history contradicts the local state.
    Divergence {
        /// `hash`, `previous_event`, `previous_phase`, `head` or `epoch`.
        kind: &'static str,
        /// The sequence number of the contradiction.
        sequence_number: u64,
    },
    /// Sealed content names a key that the client does not have. The campaign waits for the key.
    #[cfg(feature = "encrypted")]
    UnknownKey {
        /// The name of the key.
        kid: String,
    },
    /// Received content was refused.
    Rejected {
        /// The reason for the refusal.
        code: Code,
        /// The member that broke a rule. Without a rule, none is known.
        violation: Violation,
    },
    /// The client compared its rows with the server's count or digest.
    Consistency {
        /// Whether they agree.
        ok: bool,
        /// The number of rows at the server.
        server_count: u64,
        /// The number of local rows.
        local_count: u64,
        /// The difference between the two counts.
        difference: u64,
        /// Whether the difference exceeds the tolerance of ten.
        warn: bool,
        /// Whether the difference is so large that users should see an error.
        large: bool,
    },
    /// The client downloaded differing buckets again, and they now agree.
    Repaired {
        /// The number of buckets that differed.
        buckets: u64,
        /// The number of rows downloaded.
        rows: u64,
    },
    /// A snapshot lacked too many rows, so the client keeps the missing rows as unconfirmed.
    Unconfirmed {
        /// The number of rows that became unconfirmed.
        rows: u64,
    },
    /// Cached data of this campaign is no longer valid.
    CacheInvalidated(CacheInvalidated),
    /// A campaign's status changed.
    StatusChange {
        /// The name of the status.
        status: &'static str,
        /// The reason for a stale or failed status.
        reason: Option<&'static str>,
    },
    /// The state of the connection changed.
    ConnectionChange {
        /// `idle`, `connecting`, `open`, `waiting`, `failed` or `closed`.
        state: &'static str,
        /// The reason for a failure, or why the last attempt failed.
        code: Option<Code>,
        /// The number of failures in a row.
        attempt: u32,
        /// Milliseconds until the next attempt.
        retry_in_ms: Option<u64>,
        /// The code with which the last socket closed that the client did not close itself.
        last_close_code: Option<u16>,
    },
    /// A message for users.
    Notification {
        /// `info`, `warning` or `error`.
        level: String,
        /// The text.
        message: String,
    },
    /// The campaign is gone, or access to it ended.
    Ended {
        /// `deleted`, or the reason that the server sent.
        reason: String,
    },
}

/// Detail of [`Detail::PhaseTransition`].
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseTransition {
    /// The phase before the change.
    pub previous_phase: Option<Phase>,
    /// The phase after the change.
    pub new_phase: Phase,
    /// The status of the new phase.
    pub new_status: Status,
    /// RFC 3339; empty if only the result is known.
    pub timestamp: String,
    /// `manual`, `automatic` or `error_recovery`; `snapshot` if only the result is known.
    pub transition_type: String,
    /// The reason for the transition, for users.
    pub trigger_reason: Option<String>,
    /// The expected duration of the phase in seconds.
    pub estimated_duration: Option<f64>,
    /// The epoch.
    pub epoch: Option<String>,
    /// The number of the transition, or of the snapshot that revealed it.
    pub sequence_number: u64,
    /// Whether the client learnt of the change in a recovery.
    pub recovered: bool,
    /// Whether the campaign was loaded with this phase for its first handle: nothing happened now.
    pub initial: bool,
}

/// Detail of [`Detail::CacheInvalidated`].
#[derive(Clone, Debug, PartialEq)]
pub struct CacheInvalidated {
    /// `phase_transition`, `snapshot`, `epoch`, `divergence` or `force_refresh`.
    pub reason: &'static str,
    /// The phase after a transition.
    pub new_phase: Option<Phase>,
    /// The epoch.
    pub epoch: Option<String>,
    /// Data older than this number must no longer be cached.
    pub sequence_number: u64,
}

impl Notice {
    /// The type of the event.
    pub const fn kind(&self) -> &'static str {
        match &self.detail {
            Detail::PhaseTransition(_) => "phasetransition",
            Detail::PhaseStatusChange { .. } => "phasestatuschange",
            Detail::TransitionRefused { .. } => "transitionrefused",
            Detail::Gap { .. } => "gap",
            Detail::RecoveryRequested { .. } => "recoveryrequested",
            Detail::Recovered { .. } => "recovered",
            Detail::Corrupt { .. } => "corrupt",
            Detail::Duplicate { .. } => "duplicate",
            Detail::Divergence { .. } => "divergence",
            #[cfg(feature = "encrypted")]
            Detail::UnknownKey { .. } => "unknownkey",
            Detail::Rejected { .. } => "rejected",
            Detail::Consistency { .. } => "consistency",
            Detail::Repaired { .. } => "repaired",
            Detail::Unconfirmed { .. } => "unconfirmed",
            Detail::CacheInvalidated(_) => "cacheinvalidated",
            Detail::StatusChange { .. } => "statuschange",
            Detail::ConnectionChange { .. } => "connectionchange",
            Detail::Notification { .. } => "notification",
            Detail::Ended { .. } => "ended",
        }
    }
}

impl ToJson for Notice {
    fn show(&self, to: &mut JsonWriter) {
        if let Some(campaign_id) = &self.campaign_id {
            to.text("campaignId", campaign_id.as_str());
        }
        self.detail.show(to);
    }
}

impl Detail {
    fn show(&self, to: &mut JsonWriter) {
        match self {
            Self::PhaseTransition(it) => it.show(to),
            Self::PhaseStatusChange {
                phase,
                from,
                to: status,
                timestamp,
                sequence_number,
                recovered,
            } => {
                to.text("phase", phase.as_str());
                to.text("from", from.as_str());
                to.text("to", status.as_str());
                to.text("timestamp", timestamp);
                to.count("sequenceNumber", *sequence_number);
                to.flag("recovered", *recovered);
            }
            Self::TransitionRefused { code, new_phase, trigger_reason } => {
                to.text("code", code.as_str());
                to.text("newPhase", new_phase.as_str());
                to.optional_text("triggerReason", trigger_reason.as_deref());
            }
            Self::Gap { expected, received } => {
                to.count("expected", *expected);
                to.count("received", *received);
            }
            Self::RecoveryRequested { reason } => to.text("reason", reason),
            Self::Recovered { reason, outcome, duration_ms, events } => {
                to.text("reason", reason);
                to.text("outcome", outcome);
                to.count("durationMs", *duration_ms);
                to.count("events", *events);
            }
            Self::Corrupt { sequence_number } | Self::Duplicate { sequence_number } => {
                to.count("sequenceNumber", *sequence_number);
            }
            Self::Divergence { kind, sequence_number } => {
                to.text("kind", kind);
                to.count("sequenceNumber", *sequence_number);
            }
            #[cfg(feature = "encrypted")]
            Self::UnknownKey { kid } => to.text("kid", kid),
            Self::Rejected { code, violation } => {
                to.text("code", code.as_str());
                if !violation.rule.is_empty() {
                    to.text("member", &violation.path());
                    to.text("rule", violation.rule);
                }
            }
            Self::Consistency { ok, server_count, local_count, difference, warn, large } => {
                to.flag("ok", *ok);
                to.count("serverCount", *server_count);
                to.count("localCount", *local_count);
                to.count("difference", *difference);
                to.flag("warn", *warn);
                to.flag("large", *large);
            }
            Self::Repaired { buckets, rows } => {
                to.count("buckets", *buckets);
                to.count("rows", *rows);
            }
            Self::Unconfirmed { rows } => to.count("rows", *rows),
            Self::CacheInvalidated(it) => it.show(to),
            Self::StatusChange { status, reason } => {
                to.text("status", status);
                to.optional_text("reason", *reason);
            }
            Self::ConnectionChange { state, code, attempt, retry_in_ms, last_close_code } => {
                to.text("state", state);
                to.optional_text("code", code.map(Code::as_str));
                to.count("attempt", (*attempt).into());
                to.optional_count("retryInMs", *retry_in_ms);
                to.optional_count("lastCloseCode", last_close_code.map(u64::from));
            }
            Self::Notification { level, message } => {
                to.text("level", level);
                to.text("message", message);
            }
            Self::Ended { reason } => to.text("reason", reason),
        }
    }
}

impl PhaseTransition {
    fn show(&self, to: &mut JsonWriter) {
        to.optional_text("previousPhase", self.previous_phase.map(Phase::as_str));
        to.text("newPhase", self.new_phase.as_str());
        to.text("newStatus", self.new_status.as_str());
        to.text("timestamp", &self.timestamp);
        to.text("transitionType", &self.transition_type);
        to.optional_text("triggerReason", self.trigger_reason.as_deref());
        to.optional_number("estimatedDuration", self.estimated_duration);
        to.optional_text("epoch", self.epoch.as_deref());
        to.count("sequenceNumber", self.sequence_number);
        to.flag("recovered", self.recovered);
        to.flag("initial", self.initial);
    }
}

impl CacheInvalidated {
    fn show(&self, to: &mut JsonWriter) {
        to.text("reason", self.reason);
        to.optional_text("newPhase", self.new_phase.map(Phase::as_str));
        to.optional_text("epoch", self.epoch.as_deref());
        to.count("sequenceNumber", self.sequence_number);
    }
}
